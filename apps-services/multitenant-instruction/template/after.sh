# shellcheck shell=bash disable=SC2034,SC2154
if [[ ! -f $content_path || ! -r $content_path ]]; then
  echo "There is no file $content_path that could be read on this node; nothing is delivered." >&2
  clean_up 1
fi
if [[ ! -O $content_path && $(stat -Lc %u -- "$content_path") != 0 ]]; then
  echo "$content_path belongs to another user, so readers would be refused; nothing is delivered." >&2
  clean_up 1
fi
if (($(stat -Lc %s -- "$content_path") > 1048576)); then
  echo "$content_path has more than 1 MiB, so readers would be refused; nothing is delivered." >&2
  clean_up 1
fi
multitenant_share content_path
mt_shared=$?
quote_for_card content_path
