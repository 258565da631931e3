# shellcheck shell=bash disable=SC2034,SC2154
type -P curl >/dev/null || refuse 'This node has no curl, which tells when the server is ready.'

# The key goes through a pipe, as arguments can be read by others.
ready() {
  case $mt_kind in
    ollama) has_model ;;
    openai)
      curl -q --silent --fail --noproxy '*' --max-time 10 --config - "$base_url/models" \
        < <(printf 'header = "Authorization: Bearer %s"\n' "$api_key")
      ;;
    *) curl -q --silent --fail --noproxy '*' --max-time 10 "http://$host:$port/health" ;;
  esac
}
await_service ready

if [[ -n ${api_key-} ]]; then
  code=$(curl -q --silent --noproxy '*' --max-time 10 --output /dev/null --write-out '%{http_code}' \
    --header 'Content-Type: application/json' --data '{}' "$base_url/chat/completions")
  [[ $code == 40[13] ]] || echo "The server did not ask for the key (HTTP $code): everybody who reaches it can use it." >&2
fi

shared=(host port base_url model)
[[ $mt_kind != ollama ]] || shared+=(ollama_url ollama_models ollama_model)
[[ -z ${api_key-} ]] || shared+=(api_key)
multitenant_share --wait "$host:$port" "${shared[@]}"
mt_shared=$?
quote_for_card host ollama_url ollama_models ollama_model base_url model api_key
