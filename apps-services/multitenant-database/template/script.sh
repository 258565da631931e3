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
    while kill "-$STOP" "$server" 2>/dev/null; do sleep 1; done
  done
}

finish() {
  trap '' TERM
  stop
  [[ -z $BEAT ]] || kill "$BEAT" 2>/dev/null || true # before it would make the lock again
  [[ $(readlink "$LOCK") != "$MINE" ]] || rm -f "$LOCK"
  rm -rf "$PRIVATE" "$NEW" ready accounts
}

ENDED='BOOT_FAIL|CANCELLED|COMPLETED|DEADLINE|FAILED|NODE_FAIL|OUT_OF_MEMORY|PREEMPTED|TIMEOUT'

# Whether the job that a lock names may still run. It does not where the Slurm of this job's cluster tells how it ended,
# or knows it no longer; as that is also said of jobs that are hidden from us, the lock must then be our own.
runs() { # JOB CLUSTER
  local state cluster=()
  [[ $1 != "$SLURM_JOB_ID" || $2 != "$CLUSTER" ]] || return 1
  [[ $2 == "$CLUSTER" ]] || cluster=("--clusters=$2")
  asks_own_cluster || return 0
  if state=$(ask_slurm squeue --noheader --format=%T --states=all "--jobs=$1" "${cluster[@]}" 2>"$PRIVATE/said" |
    sed '/^CLUSTER: /d'); then
    [[ -z $state ]] || grep -qvxE "$ENDED" <<<"$state"
  else
    [[ $(<"$PRIVATE/said") != *'Invalid job id'* || $(stat -c %u -- "$LOCK") != "$UID" ]]
  fi
}

# Slurm also calls a job ended, and starts it anew, whose node it only lost sight of: a server goes on there. So whoever
# serves a directory touches its lock every ten seconds, and whoever finds another node's lock looks for as long as network
# file systems may keep a time. Whose lock is another's now ends; a lock that somebody took away is made again.
beat() {
  local held
  while kill -0 "$$" 2>/dev/null; do
    held=$(readlink "$LOCK") || ln -sT "$MINE" "$LOCK" 2>/dev/null || held=$(readlink "$LOCK") || held=$MINE
    if [[ ${held:-$MINE} != "$MINE" ]]; then
      echo "Job ${held%% *} has taken $datadir, which this one serves no longer." >&2
      kill -TERM "$$"
      return
    fi
    touch -hc -- "$LOCK" 2>/dev/null || true
    sleep 10
  done
}

beats() { # NODE
  local before now i
  [[ $1 != "${HOSTNAME%%.*}" ]] && before=$(stat -c %y -- "$LOCK") || return 1
  echo "Looking whether a server on $1 still has $datadir, for 90 s..."
  for ((i = 0; i < 90; i++)); do
    sleep 1
    now=$(stat -c %y -- "$LOCK") || return 1
    [[ $now == "$before" ]] || return 0
  done
  return 1
}

# No two jobs may serve one directory. A link is made at once or not at all, on network file systems too.
lock() {
  local held job cluster node waits=0 aside=$LOCK.$SLURM_JOB_ID
  until ln -sT "$MINE" "$LOCK" 2>/dev/null; do
    held=$(readlink "$LOCK") || die "The data directory $datadir can't be written to."
    read -r job cluster node <<<"$held"
    ! runs "$job" "$cluster" ||
      die "Job $job on $node serves $datadir already: cancel that job first, or remove $LOCK if it has ended."
    ! beats "$node" ||
      die "A server on $node still has $datadir, although Slurm lost sight of its job $job: it must be ended there first."
    # A network file system may tell for a minute what was there before, until something is made in the directory.
    rm -f "$aside" && : >"$aside"
    [[ $(readlink "$LOCK") == "$held" ]] || continue
    mv -T "$LOCK" "$aside" || continue
    # What came in its place since that look is put back.
    [[ $(readlink "$aside") == "$held" ]] || { mv -nT "$aside" "$LOCK"; die "Another job has begun to serve $datadir."; }
    echo "Job $job on $node left $datadir without a proper end."
    rm "$aside"
    waits=2
  done
  rm -f "$aside"
  # Another job may have seen the same old link, and taken ours for it.
  sleep "$waits"
  [[ $(readlink "$LOCK") == "$MINE" ]] || die "Another job has begun to serve $datadir."
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
  elif [[ ! -e $datadir || -d $datadir && -r $datadir && -x $datadir && -z $(ls -A -- "$datadir") ]]; then
    make_data
  else
    die "$datadir is neither empty nor a data directory of $mt_kind: nothing was done to it."
  fi
}

# As tenants do.
try_user() {
  local rights why=''
  if ! rights=$(log_in 2>&1); then
    why="The user $user can't use the database $database with that password: ${rights##*$'\n'}"
  elif [[ $rights != 0 && $mt_share_superuser != yes ]]; then
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
    declare -p mt_engine mt_kind mt_rights mt_own mt_connections database user port PRIVATE PATH ADMINISTRATOR CLIENT BIN \
      LD_LIBRARY_PATH >accounts 2>/dev/null || true
    echo accounts >ready
    return
  fi
  [[ $mt_gateway != required ]] || die 'Tenants can have no accounts of their own here, as this site wants it: see above.'
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
source "./$ENGINE"
check 'data directory' "$datadir" 4000
check 'database name' "$database" "$NAME_MAX"
check 'database user' "$user" "$USER_MAX"
check 'database password' "$password" 128
mt_accounts=${mt_accounts-} mt_gateway=${mt_gateway-}
[[ $datadir == /* ]] || die "The data directory must be a whole path, from / on: $datadir."
datadir=$(realpath -m -- "$datadir")

read -r HOSTNAME </proc/sys/kernel/hostname # sbatch hands on that of the host where it was called
[[ -n ${SLURM_CLUSTER_NAME:-} ]] || die 'Slurm did not tell this job the name of its cluster (SLURM_CLUSTER_NAME).'
CLUSTER=$SLURM_CLUSTER_NAME LOCK=$datadir/.multitenant-job NEW='' PRIVATE='' ENDING='' BEAT=''
MINE="$SLURM_JOB_ID $CLUSTER ${HOSTNAME%%.*}"
trap finish EXIT
# It comes twice, from Slurm and from the batch script. A second exit would be the end of finish.
trap '[[ -n $ENDING ]] || { ENDING=yes; exit 0; }' TERM
make_private
find_programs
prepare_data
beat &
BEAT=$!
disown
start "$datadir"
# Others would be told the password. PostgreSQL also starts where it got the port by IPv6 alone.
if others_listen || ! (: <"/dev/tcp/$host/$port") 2>/dev/null; then
  echo "Another process has port $port." >&2
  exit "$PORT_TAKEN"
fi
make_accounts || try_user
wait "$SERVER" || true
die 'The server has ended by itself; what it said stands above.'
