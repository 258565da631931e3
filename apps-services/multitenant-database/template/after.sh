# shellcheck shell=bash disable=SC2034,SC2154
# script.sh, which has the modules, writes that file once the server is ready and the user has logged in.
await_service test -s ready
if [[ $(<ready) == usable ]]; then
  share_service user password database jdbc_url
else
  mt_shared="Not shared: $(<ready)"
fi
quote_for_card user password database jdbc_url mt_title mt_shared
