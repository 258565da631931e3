# shellcheck shell=bash
# Without a server there is no account to log in to, or to lock.
! declare -F end_gateway >/dev/null || end_gateway
# Slurm kills it once this job has ended, in the middle of its writing, and its lock stays.
end_script
! declare -F await_successor >/dev/null || await_successor
