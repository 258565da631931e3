# shellcheck shell=bash
! declare -F await_successor >/dev/null || await_successor
