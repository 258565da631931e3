# shellcheck shell=bash disable=SC2034,SC2154
type -P curl >/dev/null || refuse 'This node has no curl, which tells when the server is ready.'

# The code that a request without the key gets. The key itself is sent to nobody here: multitenant_share is what makes
# sure that the process on the port is not another user's.
code() { curl -q --silent --noproxy '*' --max-time 10 --output /dev/null --write-out '%{http_code}' "$@"; }

ready() {
  case $mt_kind in
    ollama) has_model ;;
    openai) [[ $(code "$base_url/models") == @(200|401|403) ]] ;;
    *) [[ $(code "http://$host:$port/health") == 200 ]] ;;
  esac
}
await_service ready

if [[ -n ${api_key-} ]]; then
  asked=$(code --header 'Content-Type: application/json' --data '{}' "$base_url/chat/completions")
  [[ $asked == @(000|40[13]|5??) ]] ||
    echo "The server did not ask for the key (HTTP $asked): everybody who can reach it can use it." >&2
fi

shared=(host port base_url model)
[[ $mt_kind != ollama ]] || shared+=(ollama_url ollama_models ollama_model)
[[ -z ${api_key-} ]] || shared+=(api_key)
multitenant_share --wait "$host:$port" "${shared[@]}"
quote_for_card host ollama_url ollama_models ollama_model base_url model api_key mt_shared
