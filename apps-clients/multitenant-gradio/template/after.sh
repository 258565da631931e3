# shellcheck shell=bash disable=SC2154
type -P curl >/dev/null || refuse 'This node has no curl, which tells when the page is ready: please tell the administrators.'
# Whoever is not logged in is sent away.
ready() { [[ $(curl -q --silent --noproxy '*' --max-time 10 --output /dev/null --write-out '%{http_code}' "http://$host:$port/") == 403 ]]; }
await_service ready
refuse_others
quote_for_card mt_service mt_job
