#!/usr/bin/env bash
# Opens and locks accounts of tenants, for multitenant-gate: `login ACCOUNT PASSWORD USER`, `ban UID` or `ban all` on
# standard input. script.sh has written the file that it is called with.
# shellcheck source=/dev/null disable=SC2034,SC2154 # that file has the variables, and what is to be sourced
set -euo pipefail
umask 077
unset "${!PG@}" "${!PSQL@}" "${!MYSQL@}" "${!MARIADB@}" "${!LIBMYSQL@}"
source "$1"
source "$mt_engine"
read -r act account password _
[[ $act == ban && $account =~ ^([0-9]{1,10}|all)$ || $account =~ ^mt_([0-9]{1,10})_[0-9a-f]{8}$ ]] || exit 65
uid=${BASH_REMATCH[1]}

# How many requests a minute the owner allows them: a line of their own counts more than that of all.
rate=${mt_gate_rate:-0} own=''
while read -r who told; do
  [[ $who != "$uid" ]] || own=$told
  [[ $who != '*' ]] || rate=$told
done 2>/dev/null <"${mt_gate_state-}/limits" || true
rate=${own:-$rate}

# Whose service it is may do everything, and needs nothing beside it.
[[ $uid != "$UID" ]] || mt_rights='write' mt_own=no
exec {lock}>>"$1"
flock -w 4 "$lock"
case $act in
  login)
    [[ $password =~ ^[A-Za-z0-9_-]{32}$ ]] || exit 65
    open_account "$account" "$password" "$rate"
    ;;
  # It is tried again at once.
  ban) close_accounts "$uid" || { sleep 1; exit 69; } ;;
  *) exit 65 ;;
esac
