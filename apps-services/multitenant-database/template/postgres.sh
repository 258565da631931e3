# shellcheck shell=bash disable=SC2034,SC2154
# PostgreSQL, for script.sh.
NAME_MAX=63 USER_MAX=63 STOP=INT

# In PATH, or where Debian and EL have them; an existing directory wants its own version.
find_programs() {
  local version='[0-9]*' program
  [[ ! -r $datadir/PG_VERSION ]] || version=$(<"$datadir/PG_VERSION")
  if ! program=$(type -P postgres); then
    program=$(compgen -G "/usr/lib/postgresql/$version/bin/postgres" || true
      compgen -G "/usr/pgsql-$version/bin/postgres" || true)
    program=$(sort -V <<<"$program" | tail -n 1)
  fi
  BIN=$(dirname "$(readlink -f "$program")")
  for program in postgres initdb pg_isready psql; do
    [[ -x $BIN/$program ]] ||
      die "This node has no $program of PostgreSQL ${version/\[*/}: see modules_postgresql in the app's site.yml."
  done
}

is_data() { [[ -f $datadir/PG_VERSION && -f $datadir/global/pg_control ]]; }

literal() { printf "'%s'" "${1//\'/\'\'}"; } # with standard_conforming_strings
name() { printf '"%s"' "${1//\"/\"\"}"; }

# The superuser is nobody's to log in as, but through the private socket.
initialise() {
  local locale=C
  ! locale -a | grep -ixE 'C\.utf-?8' >/dev/null || locale=C.UTF-8
  "$BIN/initdb" --pgdata="$1" --username=postgres --encoding=UTF8 --locale="$locale" --auth-local=peer \
    --auth-host=scram-sha-256 >"$PRIVATE/said" 2>&1 ||
    { cat "$PRIVATE/said" >&2; die "$datadir could not be made: see above."; }
  # A command a line, none of which is to be in the log.
  "$BIN/postgres" --single -D "$1" -c exit_on_error=on -c standard_conforming_strings=on \
    -c password_encryption=scram-sha-256 -c log_min_error_statement=panic postgres >/dev/null <<SQL ||
CREATE ROLE $(name "$user") LOGIN PASSWORD $(literal "$password");
CREATE DATABASE $(name "$database") OWNER $(name "$user");
REVOKE ALL ON DATABASE postgres FROM PUBLIC;
REVOKE ALL ON DATABASE template1 FROM PUBLIC;
SQL
    die "$datadir could not be made: see above."
}

# Settings of the directory's own stay, but for who may connect, and from where.
run_server() {
  cat >"$PRIVATE/pg_hba.conf" <<'HBA'
# Nobody else comes through the directory that the socket is in.
local all all trust
host all all 0.0.0.0/0 scram-sha-256
host all all ::/0 scram-sha-256
HBA
  exec "$BIN/postgres" -D "$1" -p "$port" -k "$PRIVATE" -c listen_addresses='*' -c hba_file="$PRIVATE/pg_hba.conf" \
    -c password_encryption=scram-sha-256 -c logging_collector=off -c log_destination=stderr \
    -c log_min_error_statement=panic -c log_statement=none -c log_min_duration_statement=-1
}

answers() { "$BIN/pg_isready" --quiet --host="$PRIVATE" --port="$port"; }

# Prints how many roles the user has with which one can run programs, or become one that can.
log_in() {
  PGHOST=$host PGPORT=$port PGUSER=$user PGDATABASE=$database PGPASSWORD=$password PGCONNECT_TIMEOUT=10 \
    PGSSLMODE=disable PGGSSENCMODE=disable PGCLIENTENCODING=UTF8 "$BIN/psql" --no-psqlrc --no-password --no-align --tuples-only --quiet <<'SQL'
SELECT count(*) FROM pg_roles WHERE pg_has_role(current_user, oid, 'MEMBER') AND (rolsuper OR rolcreaterole
  OR rolname IN ('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files'));
SQL
}
