# shellcheck shell=bash disable=SC2034,SC2154
[[ -f $content_path && -r $content_path ]] ||
  refuse "There is no file $content_path that could be read on this node; nothing is delivered."
[[ -O $content_path || $(stat -Lc %u -- "$content_path") == 0 ]] ||
  refuse "$content_path belongs to another user, so readers would be refused; nothing is delivered."
(($(stat -Lc %s -- "$content_path") <= 1048576)) ||
  refuse "$content_path has more than 1 MiB, so readers would be refused; nothing is delivered."
multitenant_share content_path
quote_for_card content_path mt_title mt_shared
