# shellcheck shell=bash
[[ -z ${mt_made-} ]] || rm -rf -- "$mt_made"
