# shellcheck shell=bash
# Without a server there is no account to log in to, or to lock.
! declare -F end_gateway >/dev/null || end_gateway
! declare -F await_successor >/dev/null || await_successor
