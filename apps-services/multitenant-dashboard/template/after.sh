# shellcheck shell=bash disable=SC2034,SC2154
type -P curl >/dev/null || refuse 'This node has no curl, which tells when the application answers: please tell the administrators.'

# Any answer but an error of the server's: a page, a redirect, a question for a password.
answers() {
  local path=/ code
  [[ $proxy == rnode ]] || path=$base_path/
  code=$(curl_server --max-time 10 --output /dev/null --write-out '%{http_code}' \
    "http://$host:$port$path")
  ((10#$code >= 200 && 10#$code < 500))
}
await_service answers

shared=(proxy)
# One that nobody uses is not on the owner's card either.
if [[ ${mt_command-} == *password* ]]; then shared+=(password); else password=''; fi
share_service "${shared[@]}"
# A stranger's pages would be in the owner's Open OnDemand session.
! others_listen || port=''
quote_for_card host password mt_gate_state mt_title mt_shared
