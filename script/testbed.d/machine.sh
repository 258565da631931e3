# What script/testbed asks of the machine and does to it: packages, host name, ports, accounts.
# shellcheck shell=bash disable=SC2034

readonly PORT=${MULTITENANT_TESTBED_PORT:-17300}
readonly ADDRESS=127.0.0.1

# Slurm's daemons and srun listen where the host name points to, and srun is sought at 127.0.0.1. Where the name points
# elsewhere, the daemons and their jobs get a host name of their own; there, srun and salloc work in jobs only.
choose_host() {
  HOST=$(hostname) HOST=${HOST%%.*} IN_OWN_HOST=()
  [[ $(getent ahostsv4 "$(hostname)" | awk '{ print $1 }' | sort -u) != "$ADDRESS" ]] || return 0
  # shellcheck disable=SC2016
  HOST=localhost IN_OWN_HOST=(unshare --uts sh -c 'hostname localhost && exec "$@"' sh)
  "${IN_OWN_HOST[@]}" true 2>/dev/null ||
    die "the host name $(hostname) does not point to $ADDRESS and unshare --uts is not permitted: map it in /etc/hosts"
}

port_of() {
  case $1 in
    slurmctld) echo "$PORT" ;;
    slurmdbd) echo $((PORT + 1)) ;;
    slurmd-node1) echo $((PORT + 2)) ;;
    slurmd-node2) echo $((PORT + 3)) ;;
    slurmrestd) echo $((PORT + 4)) ;;
  esac
}

answers() { (: <"/dev/tcp/$ADDRESS/$1") 2>/dev/null; }

check_port() {
  local port
  port=$(port_of "$1")
  [[ -z $port ]] || ! answers "$port" ||
    die "port $port on $ADDRESS, meant for $1, is taken by another process: set MULTITENANT_TESTBED_PORT"
}

# --- accounts ------------------------------------------------------------------------------------------------------

# Test beds share accounts: here is a file for each that is up, and what was made.
readonly BEDS=/var/lib/multitenant-testbeds
readonly BED=$BEDS/${DIR//\//+}

# lock FILE: makes it, and waits until it is ours. It goes with what it guards, so the one waited for may be gone.
lock() {
  local fd
  until mkdir -p "$BEDS" && exec {fd}>>"$1" && flock "$fd" && [[ /proc/$BASHPID/fd/$fd -ef $1 ]]; do :; done
}

# Whether a test bed but this one is up, or on its way. Sets STALE to the files of those that are neither, whose locks are
# then ours until we end: who wants to begin waits for that, and makes the file anew.
others() {
  local bed dir fd
  STALE=()
  for bed in "$BEDS"/+*; do
    dir=${bed##*/}
    [[ -f $bed && $bed != "$BED" ]] || continue
    [[ ! -f ${dir//+/\/}/mode ]] && exec {fd}>>"$bed" && flock --nonblock "$fd" || return 0
    STALE+=("$bed")
  done
  return 1
}

known() { getent "$1" "$2" >/dev/null; }
is_member() { [[ " $(id -nG "$1" 2>/dev/null) " == *" $2 "* ]]; }

# What was made is written down at once, and undone in reverse order.
record() { printf '%s\n' "$*" >>"$BEDS/made"; }

# make_group NAME GID: with that gid if it is free.
make_group() {
  local gid=(--gid "$2")
  ! known group "$1" || return 0
  ! known group "$2" || gid=()
  groupadd "${gid[@]}" "$1"
  record group "$1"
}

# make_user NAME UID [GROUP…]: with that uid if it is free.
make_user() {
  local name=$1 uid=(--uid "$2") group
  if ! known passwd "$name"; then
    ! known passwd "$2" || uid=()
    make_group "$name" "$2"
    # The account may stay longer than this test bed.
    useradd "${uid[@]}" --gid "$name" --no-create-home --home-dir "$BEDS/home/$name" --shell /bin/bash --no-log-init \
      -K SUB_UID_COUNT=0 -K SUB_GID_COUNT=0 "$name"
    record user "$name"
  fi
  install -d -m 0700 -o "$name" -g "$(id -g "$name")" "$BEDS/home/$name" "$DIR/home/$name"
  for group in "${@:3}"; do
    ! is_member "$name" "$group" || continue
    gpasswd --add "$name" "$group" >/dev/null
    record member "$name" "$group"
  done
}

make_accounts() (
  lock "$BEDS/lock"
  make_group hpcGrp 3000
  make_group pubGrp 3001
  make_user hpcfaculty 1001 hpcGrp pubGrp
  make_user hpcfaculty2 1002 hpcGrp pubGrp
  make_user hpcdefault 1003 hpcGrp
  make_user hpcstudent 2001 hpcGrp
  make_user hpcstudent2 2002 hpcGrp
  make_user outsider 2003
  [[ $(id -u hpcstudent) == 2001 ]] || die "hpcstudent must have the uid 2001, which another account has"
)

# What a command of theirs left behind may need a moment to end.
remove_user() { ! known passwd "$1" || userdel "$1" 2>/dev/null; }

# userdel refuses while a user runs anything. That is not ours to end, so the rest stays written down.
remove_accounts() {
  local kind name group made=$BEDS/made
  while [[ -s $made ]]; do
    read -r kind name group < <(tail -n 1 "$made")
    case $kind in
      member) ! is_member "$name" "$group" || gpasswd --delete "$name" "$group" >/dev/null ;;
      user) wait_for 15 remove_user "$name" || die "$name still runs something: run script/testbed down again later" ;;
      # userdel may have taken a user's own group along.
      group) ! known group "$name" || groupdel "$name" ;;
    esac
    sed -i '$d' "$made"
  done
}

# Of two that go down at the same time one is the last.
clear_away() (
  lock "$BEDS/lock"
  if others; then
    say 'another test bed is up and keeps the accounts'
    rm -rf "$DIR" "$BED"
  else
    remove_accounts
    rm -rf "$DIR" "$BED" "${STALE[@]}" "$BEDS"/{home,made,lock}
    # Where one begins at this moment its file is there.
    rmdir "$BEDS" 2>/dev/null || true
  fi
)
