#!/usr/bin/env bash
# Runs the page until TERM comes.
# shellcheck disable=SC2154 # before.sh exports
load_modules "$mt_modules" || exit 1
# shellcheck source=/dev/null
source ./service.sh
type -P "$mt_python" >/dev/null ||
  refuse "This node has no $mt_python in PATH: see python and modules in the app's site.yml."
# Without modules of the user's own in the place of Python's.
exec "$mt_python" -E -s chat.py
