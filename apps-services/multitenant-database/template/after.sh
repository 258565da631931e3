# shellcheck shell=bash disable=SC2034,SC2154
# script.sh, which has the modules, writes that file once the server is ready and the user has logged in.
await_service test -s ready

# The gate stands beside the database, at a port of its own, and makes an account for each tenant who logs in there.
open_gate() {
  local i
  mt_gate_accounts=("$(type -P bash)" "$PWD/accounts.sh" "$PWD/accounts")
  for i in {1..3}; do
    if ! mt_gate_port=$(find_port "$host") || [[ $mt_gate_port == "$port" ]] ||
      ! port=$mt_gate_port start_gateway unix:/nonexistent; then
      continue
    fi
    declare -p mt_gate_state mt_gate_rate >>accounts 2>/dev/null || true
    return
  done
  refuse 'This node has no free port for the gateway: start it again later, or on another node.'
}

if [[ $(<ready) == accounts ]]; then
  open_gate
  user='' password=''
  share_service database jdbc_url
elif [[ $(<ready) == usable ]]; then
  [[ -z ${mt_accounts-} ]] ||
    mt_gate_note='Everybody uses one user, with all that this may do, since tenants can have none of their own: see output.log.'
  share_service user password database jdbc_url
else
  mt_shared="Not shared: $(<ready)"
fi
quote_for_card user password database jdbc_url mt_gate_state mt_title mt_shared
