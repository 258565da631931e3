# Debian's packages, and where what is kept for the next time is, for the scripts beside it, which define say and die.
# shellcheck shell=bash disable=SC2034

# What installing the gem needs.
GEM_PACKAGES=(build-essential pkg-config ruby ruby-dev libssl-dev zlib1g-dev libjansson-dev libslurm-dev libmunge-dev)

# What it takes where Slurm is asked by slurmrestd alone; and what runs then.
BUILD_PACKAGES=(build-essential pkg-config ruby ruby-dev libssl-dev zlib1g-dev libjansson-dev)
RUN_PACKAGES=(ca-certificates ruby libssl3 zlib1g libjansson4)
# Images of its own: script/demo's, and a client's.
DEMO_PACKAGES=(iproute2 procps openssl gzip)
CLIENT_PACKAGES=(jupyter-notebook python3-pymysql python3-psycopg2)

# A real Slurm.
SLURM_PACKAGES=(munge mariadb-server slurmdbd slurmctld slurmd slurm-client)
REST_PACKAGES=(slurmrestd slurm-wlm-jwt-plugin)

# own_directory DIRECTORY VARIABLE: makes it, if need be; nobody else may have.
own_directory() {
  [[ -d $1 ]] || mkdir "$1"
  [[ -O $1 && ! -L $1 ]] || die "$1 is not this user's directory: remove it, or name another in $2"
}

installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# install_packages PACKAGE…: those that are missing. Packages would start their daemons at once, with settings and ports of
# their own.
install_packages() {
  local missing=() package output policy=/usr/sbin/policy-rc.d
  local get=(env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends)
  for package; do installed "$package" || missing+=("$package"); done
  ((${#missing[@]})) || return 0
  ((EUID == 0)) || die "needs root to install ${missing[*]}"
  say "installs ${missing[*]}"
  if [[ ! -e $policy ]]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    install -m 0755 <(printf '#!/bin/sh\nexit 101\n') "$policy"
  fi
  "${get[@]}" "${missing[@]}" &>/dev/null || output=$(apt-get -qq update 2>&1 && "${get[@]}" "${missing[@]}" 2>&1) ||
    die "could not install ${missing[*]}: $output"
  [[ -z $(trap -p EXIT) ]] || { rm -f "$policy"; trap - EXIT; }
}
