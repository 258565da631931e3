#!/usr/bin/env bash
# Serves a data directory until TERM, and makes it where there is none. How each engine does what it is told here
# stands in mysql.sh and postgres.sh.
# shellcheck disable=SC2154,SC2317 # before.sh exports them; traps and files that are sourced call them
load_modules "$mt_modules" || exit 1 # modules don't know set -u
unset_client_variables
set -euo pipefail
umask 077
export -n password # neither servers nor clients need it in their environments

die() { printf '%s\n' "$*" >&2; exit 1; }

check() { # WHAT VALUE BYTES
  local LC_ALL=C
  [[ -n $2 ]] || die "The form gives no $1."
  ((${#2} <= $3)) || die "The $1 has ${#2} bytes, and at most $3 are possible here: shorten it."
  [[ $2 != *[[:cntrl:]]* ]] || die "The $1 holds a control character, such as a line break: leave it out."
}

# A path of a socket has at most 107 bytes.
make_private() {
  local parent=${TMPDIR:-/tmp}
  [[ ${#parent} -le 50 && $parent =~ ^/[A-Za-z0-9._/-]+$ && -w $parent ]] || parent=/tmp
  PRIVATE=$(mktemp -d "$parent/multitenant-db.$SLURM_JOB_ID.XXXXXX")
  keep_directory "$PRIVATE"
}

start() { # DIRECTORY OPTION…
  run_server "$@" &
  SERVER=$!
  until answers; do
    kill -0 "$SERVER" 2>/dev/null || die 'The server has ended; what it said stands above.'
    sleep 0.5
  done
}

# A server that has only just been started does not hear of it, and takes no harm from hearing it again.
stop() {
  local server
  for server in $(jobs -pr); do
    until has_lost_directory || ! kill "-$STOP" "$server" 2>/dev/null; do sleep 1; done
    ! has_lost_directory || kill_server "$server"
  done
}

# What another job's server has, this one is to write no more. A proper end would say there that nothing is to be recovered,
# and any end of PostgreSQL's own takes away the postmaster.pid that the other one looks for. Stopped, it starts no process.
kill_server() { # PID
  kill -STOP "$1" 2>/dev/null || return 0
  pkill -KILL -P "$1" || true
  while kill -KILL "$1" 2>/dev/null; do sleep 1; done
}

finish() {
  trap '' TERM
  stop
  leave_directory
  rm -rf "$PRIVATE" "$NEW" ready accounts
}

# What is half made has another name.
make_data() {
  { mkdir -p -- "$(dirname "$datadir")" && NEW=$(mktemp -d "$datadir.new.XXXXXX"); } ||
    die "No directory can be made beside $datadir: name one that is to be made inside it."
  echo "Making the data directory $datadir..."
  initialise "$NEW"
  ln -s "$MINE" "$NEW/${LOCK##*/}"
  mv -T -- "$NEW" "$datadir" || die "$datadir could not be made: something else has been put there."
}

prepare_data() {
  if is_data; then
    [[ -O $datadir ]] || die "The data directory $datadir belongs to another user."
    lock
    lock_parts
  elif [[ ! -e $datadir || -d $datadir && -r $datadir && -x $datadir && -z $(ls -A -- "$datadir") ]]; then
    # Tenants would find an empty database in place of theirs, which is on another node's own disk.
    [[ ! -s ${mt_had-} ]] ||
      die "There is nothing in $datadir on this node, though $(<"$mt_had") served it: it must be where all nodes reach it."
    make_data
  else
    die "$datadir is neither empty nor a data directory of $mt_kind: nothing was done to it."
  fi
  # Once: in a full home it would be emptied.
  [[ -z ${mt_had-} || -s $mt_had ]] || echo "job $SLURM_JOB_ID" >"$mt_had" || true
}

# As tenants do. Before the number there may be what the server warns of.
try_user() {
  local rights why=''
  if ! rights=$(log_in 2>&1); then
    why="The user $user can't use the database $database with that password: ${rights##*$'\n'}. Where it is the right one,"
    why+=" somebody who had it has changed it, or shut the database: the app's README says what helps, by the socket in $PRIVATE."
  elif [[ ${rights##*$'\n'} != 0 && $mt_share_superuser != yes ]]; then
    why="The user $user has rights on the whole server, with which others could run programs as you. Connect, make a user"
    why+=' for this database alone, and name that one in the form.'
  fi
  [[ -z $why ]] || echo "Not shared: $why" >&2
  echo "${why:-usable}" >ready
}

# Whether tenants get accounts of their own; accounts.sh, which the gate calls, is told here what it needs.
make_accounts() {
  if [[ -n $mt_accounts ]] && offer_accounts; then
    mt_engine=$PWD/$ENGINE
    declare -p mt_engine mt_kind mt_rights mt_own mt_connections datadir database user port PRIVATE SERVER PATH ADMINISTRATOR \
      CLIENT BIN LD_LIBRARY_PATH >accounts 2>/dev/null || true
    echo accounts >ready
    return
  fi
  [[ $mt_gateway != required ]] || die 'Tenants can have no accounts of their own here, as this site wants it: see above.'
  [[ -z ${mt_had-} || ! -e ${mt_had%/*}/guarded ]] ||
    die 'Tenants had accounts of their own before, and can have none now: see above. Nothing is served.'
  [[ -z $mt_accounts ]] || echo 'Tenants can have no accounts of their own here, and use one together: see above.' >&2
  mt_accounts=''
  withdraw_accounts || true
  return 1
}

case $mt_kind in
  mariadb | mysql) ENGINE=mysql.sh ;;
  postgresql) ENGINE=postgres.sh ;;
  *) die 'The form names no database that this app has.' ;;
esac
# shellcheck source=/dev/null
source ./data.sh
# shellcheck source=/dev/null
source "./$ENGINE"
check 'data directory' "$datadir" 4000
check 'database name' "$database" "$NAME_MAX"
check 'database user' "$user" "$USER_MAX"
check 'database password' "$password" 128
mt_accounts=${mt_accounts-} mt_gateway=${mt_gateway-}
[[ $datadir == /* ]] || die "The data directory must be a whole path, from / on: $datadir."
datadir=$(realpath -m -- "$datadir")

name_lock "$datadir"
NEW='' PRIVATE='' ENDING=''
trap finish EXIT
# It comes twice, from Slurm and from the batch script. A second exit would be the end of finish.
trap '[[ -n $ENDING ]] || { ENDING=yes; exit 0; }' TERM
make_private
find_programs
prepare_data
start_beat
start "$datadir"
# Others would be told the password. PostgreSQL also starts where it got the port by IPv6 alone.
if others_listen || ! (: <"/dev/tcp/$host/$port") 2>/dev/null; then
  echo "Another process has port $port." >&2
  exit "$PORT_TAKEN"
fi
make_accounts || try_user
wait "$SERVER" || true
die 'The server has ended by itself; what it said stands above.'
