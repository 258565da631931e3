# shellcheck shell=bash disable=SC2034,SC2154
[[ -f $content_path && -r $content_path ]] ||
  refuse "There is no file $content_path that could be read on this node, so nothing is delivered: choose one that it has."
[[ -O $content_path || $(stat -Lc %u -- "$content_path") == 0 ]] ||
  refuse "$content_path belongs to another user, so nothing is delivered: readers would be refused. Copy it."
(($(stat -Lc %s -- "$content_path") <= 1048576)) ||
  refuse "$content_path has more than 1 MiB, so nothing is delivered: readers would be refused. Make it shorter."
# iconv ends with 1 where it is none; a node may lack it.
iconv=0
iconv -f UTF-8 -t UTF-8 <"$content_path" &>/dev/null || iconv=$?
((iconv != 1 && $(tr -dc '\0' <"$content_path" | wc -c) == 0)) ||
  refuse "$content_path is not text in UTF-8, so nothing is delivered: readers would be refused. Save it as that: \
Word calls it Unicode (UTF-8), and iconv -f WINDOWS-1252 -t UTF-8 makes it of what older programs write."
"${mt_sharer:-multitenant_share}" content_path
quote_for_card content_path mt_title mt_shared
