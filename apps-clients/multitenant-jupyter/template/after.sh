# shellcheck shell=bash disable=SC2154
type -P curl >/dev/null || refuse 'This node has no curl, which tells when Jupyter is ready: please tell the administrators.'
ready() { curl -q --silent --fail --noproxy '*' --max-time 10 --output /dev/null "http://$host:$port/node/$host/$port/login"; }
await_service ready
refuse_others
# JupyterLab and Notebook show a file at different places.
case $(<program) in
  *lab) mt_notebook=lab/tree/$mt_notebook ;;
  *) mt_notebook=notebooks/$mt_notebook ;;
esac
quote_for_card mt_service mt_job mt_notebook
