# shellcheck shell=bash
# What comes to the port once the server has ended is for nobody.
! declare -F end_gateway >/dev/null || end_gateway
! declare -F await_successor >/dev/null || await_successor
