#!/usr/bin/env bash
# Runs Jupyter until TERM comes.
# shellcheck disable=SC2154 # before.sh exports
load_modules "$mt_modules" || exit 1
# shellcheck source=/dev/null
source ./service.sh
read -ra programs <<<"$mt_programs"
for program in "${programs[@]}"; do
  type -P "$program" >/dev/null && break
done
type -P "$program" >/dev/null ||
  refuse "This node has none of ${programs[*]} in PATH: see programs and modules in the app's site.yml."
echo "$program" >program
cd || exit 1
exec "$program" --config="$mt_config"
