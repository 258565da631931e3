#!/usr/bin/env bash
# Runs the application until it ends or TERM comes.

# shellcheck disable=SC2034,SC2154 # exported by before.sh

load_modules "$mt_modules" || exit 1

# What the server and its programs make for a while goes with them, also where they are killed.
made=$(mktemp -d "${TMPDIR:-/tmp}/multitenant.XXXXXX" 2>/dev/null || mktemp -d /tmp/multitenant.XXXXXX) ||
  refuse 'No directory could be made in /tmp on this node.'
short=''
trap 'rm -rf -- "$made" "$short"' EXIT
keep_directory "$made"
export TMPDIR=$made
# A socket's path has at most 107 bytes, of which code-server's takes 53 behind TMPDIR.
if ((${#made} > 54)); then
  { short=$(mktemp -d /tmp/multitenant.XXXXXX) && ln -s "$made" "$short/t"; } ||
    refuse 'No directory could be made in /tmp on this node.'
  keep_directory "$short"
  TMPDIR=$short/t
fi

# Behind a gateway the application is for the gateway alone.
export staged=$PWD listen=0.0.0.0
[[ ${mt_guard-} != port ]] || port=$mt_server_port host=127.0.0.1 listen=127.0.0.1

# shellcheck disable=SC2154
if [[ -n $mt_path || -n $app_path ]]; then
  [[ $app_path == /* ]] || refuse "The path of the application must begin with /; it is: $app_path"
  [[ -r $app_path ]] || refuse "There is nothing at $app_path that could be read on this node."
  [[ $mt_path != file || -f $app_path ]] || refuse "$app_path is not a file: choose the one to run."
  [[ $mt_path != directory || -d $app_path ]] || refuse "$app_path is not a directory: choose one for its files."
fi
[[ -z $mt_program ]] || type -P "$mt_program" >/dev/null ||
  refuse "This node has no $mt_program in PATH: see modules_$mt_kind in the app's site.yml."

# What one server alone can have stays where it is, wherever its owner lets a link lead meanwhile.
[[ -z $mt_alone || -z $app_path ]] || app_path=$(realpath -- "$app_path")
directory=${app_path:-$HOME}
[[ -d $directory ]] || directory=$(dirname -- "$directory")
if [[ -n $mt_alone && -n $app_path ]]; then
  # shellcheck source=/dev/null
  source ./data.sh
  take_directory "$directory"
  trap 'leave_directory; rm -rf -- "$made" "$short"' EXIT
fi
cd -- "$directory" 2>/dev/null || cd / || exit 1

# The text stays out of the process's arguments.
# shellcheck disable=SC2016
program=(bash -c 'eval "$mt_command"')
[[ ${mt_guard-} != socket ]] || program=(isolate "${program[@]}")
start_group "${program[@]}"
await_end "$GROUP"
code=$?
echo "The application has ended, with code $code." >&2
end_group
exit "$code"
