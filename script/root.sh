# A root of a Debian, and what runs in one, for the scripts beside it, which define say and die.
# shellcheck shell=bash

# shellcheck source=/dev/null
here=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")

mirror() {
  apt-get indextargets --format "\$(SITE)" 'Origin: Debian' "Codename: $here" | head -n 1 | grep . ||
    die "apt knows no source of $here: run apt-get update"
}

# make_root CODENAME ROOT: unless it is there. Its packages come from where this machine's do.
make_root() {
  [[ ! -d $2 ]] || return 0
  install_packages debootstrap
  say "makes a root of $1 in $2"
  rm -rf "$2.new"
  # In mounts of its own: it mounts /proc there.
  unshare --mount \
    debootstrap --variant=minbase --include=ca-certificates "$1" "$2.new" "$(mirror)" >"$2.log" 2>&1 ||
    die "no root could be made: see $2.log"
  install -m 0600 <(apt-config dump Acquire) "$2.new/etc/apt/apt.conf.d/00machine"
  echo "127.0.0.1 localhost $(hostname)" >"$2.new/etc/hosts"
  cp -R /usr/local/share/ca-certificates "$2.new/usr/local/share"
  chroot "$2.new" update-ca-certificates >/dev/null
  mv "$2.new" "$2"
}

# copy_to DIRECTORY: what is here, without what was built.
copy_to() {
  rm -rf "${1:?}"
  install -d "$1"
  tar --create --exclude-vcs --exclude={./build,./tmp,./test/rails/ood/Gemfile.lock} . |
    tar --extract --no-same-owner --directory="$1"
}

# in_root [--net] ROOT DIRECTORY COMMAND…: with --net the network is a loopback alone.
in_root() {
  local net=()
  [[ $1 != --net ]] || { net=(--net); shift; }
  # The first process stays and takes the orphans. Signals reach the command as one of our process group, and we wait for
  # it to take down what it has up; when we are killed, all is.
  trap 'exit 143' TERM
  trap 'exit 130' INT
  # shellcheck disable=SC2016
  setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child "${net[@]}" bash -euc '
    net=$1 root=$2 dir=$3
    shift 3
    # Names are looked up where there is an address beside 127.0.0.1; mounts are made in what is one.
    [[ -z $net ]] || { ip link set lo up; ip address add 192.0.2.1/32 dev lo; }
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs -o mode=0755 tmpfs "$root/run"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    status=0
    chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/root \
      sh -c '\''cd "$0" && exec "$@"'\'' "$dir" "$@" || status=$?
    exit "$status"' bash "${net[*]}" "$@"
}
