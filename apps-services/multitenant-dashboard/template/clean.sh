# shellcheck shell=bash
# What comes to the port once the server has ended is for nobody.
! declare -F end_gateway >/dev/null || end_gateway
# Slurm kills it once this job has ended, before it has put away what it made.
end_script
! declare -F await_successor >/dev/null || await_successor
