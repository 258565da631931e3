# shellcheck shell=bash disable=SC2034,SC2154
type -P curl >/dev/null || refuse 'This node has no curl, which tells when the application answers: please tell the administrators.'

# What its row says, a path that is there or a command that succeeds; else any answer but an error of the server's: a page, a
# redirect, a question for a password. A command may tell the password, so it asks none but a server of this job's. Its program
# may come by modules, which script.sh alone has loaded.
answers() {
  local path=${mt_ready:-/} most=500 code
  [[ -z $mt_ready ]] || most=300
  [[ $path == /* ]] || { ! others_listen && [[ -n $OURS ]] && (load_modules "$mt_modules" && eval "$mt_ready"); return; }
  [[ $proxy == rnode ]] || path=$base_path$path
  code=$(curl_server --max-time 10 --output /dev/null --write-out '%{http_code}' \
    "http://$host:$port$path")
  ((10#$code >= 200 && 10#$code < most))
}
await_service answers

shared=()
[[ -z $proxy ]] || shared+=(proxy)
[[ -z $kind ]] || shared+=(kind)
# One that nobody uses is not on the owner's card either, and one that the gateway gives the server is for no tenant.
[[ $mt_command == *password* && ( -z $mt_bearer || -z ${mt_guard-} ) ]] || password=''
[[ -z $password ]] || shared+=(password)
share_service "${shared[@]}"
# A stranger's pages would be in the owner's Open OnDemand session.
! others_listen || port=''
quote_for_card host password mt_gate_state mt_title mt_shared
