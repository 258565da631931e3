# shellcheck shell=bash disable=SC2034,SC2154
type -P curl >/dev/null || refuse 'This node has no curl, which tells when the server is ready: please tell the administrators.'

# request CURL-ARGUMENT…: prints code and address of each answer of the server's, past its gateway. As --max-time counts for
# each, a limit stands above all.
request() {
  # shellcheck disable=SC2086 # curl's words
  timeout "${all_within:-700}" curl -q --silent --noproxy '*' ${mt_reach-} --output /dev/null \
    --write-out '%{http_code} %{url_effective}\n' "$@"
}

# ask CURL-ARGUMENT…: asks for one word of the model's, in the terms of all servers.
ask() {
  local name=${model//\\/\\\\}
  request --header 'Content-Type: application/json' --data '{"model":"'"${name//\"/\\\"}"'","max_tokens":1,"n_predict":1,
    "messages":[{"role":"user","content":"Hi"}],"prompt":"Hi","input":"Hi","content":"Hi"}' "$@"
}

# completes: whether a question is answered, if only with what is wrong with it. None but this job's server gets the key.
completes() {
  local header='' seconds=10
  others_listen || header="header = \"Authorization: Bearer ${api_key-}\"" seconds=600
  [[ $(ask --config <(printf %s "$header") --max-time "$seconds" "$base_url/chat/completions") != @(000|5??)\ * ]]
}

# A server may answer /health and /v1/models long before it has its model; others load it for the first question, and give
# up where that is withdrawn. So it is waited for, but not as a command in the foreground, for whose end TERM would wait.
ready() {
  server_listens || return
  [[ $mt_kind != ollama ]] || has_model || return
  completes &
  wait $!
}
await_service ready

# answering CODES: of lines as request prints them, the paths that answered with none of these codes.
answering() { sed -E "/^(000|5..|$1) /d; s,^... http://[^/]*,," | paste -sd ' '; }

# Which paths answer without the key is said in the log and on the card: those by which a model is used, and those that tell or
# change something. These get no more than a GET; where it reaches one that knows POST alone, the answer is 405. SGLang does by
# GET what it is asked at /start_profile, /flush_cache and others: none of these is here.
# - llama.cpp asks for the key everywhere but at /, /health, the lists of models and its page's files: public_endpoints in
#   its server.cpp, later server-http.cpp.
# - vLLM asks below /v1, with time below /v2 and /inference, too, and nowhere else: its docs/usage/security.md.
# - Ollama never asks. Another server may have any of these.
use=v1/chat/completions,v1/completions,v1/embeddings,v1/responses,v1/messages,v1/rerank,v1/score,v1/audio/transcriptions
use+=,chat/completions,completion,completions,embedding,embeddings,infill,responses,rerank,tokenize,detokenize,apply-template
use+=,invocations,pooling,classify,score,generative_scoring,inference/v1/generate,v2/embed,v2/rerank
use+=,api/chat,api/generate,api/embed
tell=,health,v1/health,models,v1/models,api/tags,props,slots,metrics,lora-adapters,index.html
tell+=,ping,version,load,docs,openapi.json,tokenizer_info,server_info,pause,resume,is_paused,scale_elastic_ep,abort_requests
tell+=,init_weight_transfer_engine,update_weights,sleep,wake_up,collective_rpc,reset_prefix_cache
key_note='' everybody=everybody
[[ -z ${mt_guard-} ]] || everybody='users of the same node'
if [[ -n ${api_key-} ]]; then
  used=$(all_within=30 ask --max-time 10 "http://$host:$port/{$use}" | answering '40[1345]')
  told=$(all_within=30 request --max-time 10 "http://$host:$port/{$tell}" | answering '40[134]')
  [[ -z $used ]] || key_note="The server did not ask for the key at $used: $everybody who can reach it can use it. "
  [[ -z $told ]] || key_note+="These paths answer $everybody, without the key: $told."
  [[ -z $key_note ]] || echo "$key_note" >&2
fi

shared=(base_url model)
# Who has a token of their own needs no key, and Ollama's own programs can't send one.
if [[ -n ${mt_guard-} ]]; then
  api_key='' ollama_url='' ollama_models='' ollama_model=''
elif [[ $mt_kind == ollama ]]; then
  shared+=(ollama_url ollama_models ollama_model)
else
  shared+=(api_key)
fi
share_service "${shared[@]}"
quote_for_card host ollama_url ollama_models ollama_model base_url model api_key key_note mt_gate_state mt_title mt_shared
