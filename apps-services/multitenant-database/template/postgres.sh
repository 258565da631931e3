# shellcheck shell=bash disable=SC2034,SC2154
# PostgreSQL, for script.sh.
NAME_MAX=63 USER_MAX=63 STOP=INT
# Who owns the database may set all of these for it, have functions of their own found before the server's, which we would
# call with our rights, passwords kept in a way by which nobody gets in, names of roles written in a way by which no account
# is found, a session end with the first thing that fails, and each statement take long.
OPTIONS='-c search_path=pg_catalog -c role=none -c standard_conforming_strings=on -c default_transaction_read_only=off'
OPTIONS+=' -c statement_timeout=0 -c local_preload_libraries= -c client_min_messages=warning'
OPTIONS+=' -c password_encryption=scram-sha-256 -c quote_all_identifiers=off -c exit_on_error=off'
# Whoever has changed their own password in a transaction that stays open keeps their account locked against changes. Who waits
# for that does so for good, as the server does not see that a client was killed.
OPTIONS+=' -c lock_timeout=2s'

# The others of the kind, in the release of the directory.
later_options() {
  since 11 '-c jit=off'
  since 14 '-c idle_session_timeout=0'
  since 16 '-c scram_iterations=4096'
  since 17 '-c transaction_timeout=0'
}

since() { # RELEASE OPTION
  local release=0
  [[ ! -s $datadir/PG_VERSION ]] || release=$(<"$datadir/PG_VERSION")
  ((${release%%.*} < $1)) || echo "$2"
}

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

# PostgreSQL itself sees no other server in the directories that its log and tablespaces may be in. Of one that is not there it
# says so itself: of its log it ends, of a tablespace it goes on. There each release has a directory of its own, as pg_upgrade
# leaves them.
lock_parts() {
  local part release
  release=$(<"$datadir/PG_VERSION")
  [[ ! -L $datadir/pg_wal || ! -d $datadir/pg_wal ]] || lock_part "$datadir/pg_wal"
  for part in "$datadir"/pg_tblspc/*; do
    [[ ! -L $part || ! -d $part ]] || lock_part "$part" "$release"
  done
}

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

# Settings of the directory's own stay, but for who may connect, and from where; and for where the data are: of one that was
# copied that may be the first one, which another job serves.
run_server() {
  name "$user" >"$PRIVATE/others"
  write_access "${mt_accounts:+reject}"
  exec "$BIN/postgres" -D "$1" -c data_directory="$1" -p "$port" -k "$PRIVATE" -c listen_addresses='*' \
    -c hba_file="$PRIVATE/pg_hba.conf" -c password_encryption=scram-sha-256 -c logging_collector=off -c log_destination=stderr \
    -c log_min_error_statement=panic -c log_statement=none -c log_min_duration_statement=-1
}

# Those whom an earlier job let in are kept out until their accounts are locked. Before PostgreSQL 15 any tenant can make anybody
# a member of their account, and so of mt_tenants: nobody else comes in as the user, or as one whose password an earlier job told.
write_access() { # [reject]
  local who='all all' others='host all +mt_tenants,+mt_barred all reject' how=${1:-scram-sha-256}
  [[ -z $mt_accounts ]] || who="$(name "$database") +mt_tenants" others="host all @$PRIVATE/others all reject"
  cat >"$PRIVATE/pg_hba.conf" <<HBA
# Nobody else comes through the directory that the socket is in.
local all all trust
$others
host $who 0.0.0.0/0 $how
host $who ::/0 $how
HBA
}

# What it says may have passwords: a tenant's role may be one that sees the server's statistics of all, and a database have
# settings of its own for what the server logs.
administrate() { # DATABASE
  local hidden='-c track_activities=off -c pg_stat_statements.track_utility=off -c pg_stat_monitor.pgsm_track_utility=off'
  hidden+=' -c log_statement=none -c log_min_duration_statement=-1 -c log_min_error_statement=panic'
  hidden+=' -c debug_print_parse=off -c debug_print_rewritten=off -c debug_print_plan=off'
  hidden+=" $(since 12 '-c log_transaction_sample_rate=0') $(since 13 '-c log_min_duration_sample=-1')"
  PGHOST=$PRIVATE PGPORT=$port PGUSER=$ADMINISTRATOR PGDATABASE=$1 PGOPTIONS="$OPTIONS $(later_options) $hidden" \
    PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT-10} PGCLIENTENCODING=UTF8 \
    "$BIN/psql" --no-psqlrc --no-password --no-align --tuples-only --quiet --output=/dev/null --set=ON_ERROR_STOP=1
}

find_administrator() {
  local is='SELECT 1/count(*) FROM pg_roles WHERE rolname = current_user AND rolsuper'
  for ADMINISTRATOR in postgres "$(id -un)"; do ! administrate "$database" <<<"$is" 2>/dev/null || return 0; done
  return 1
}

# Who makes a large object leaves it in the directory for good.
OBJECTS=('lo_creat(int)' 'lo_create(oid)' 'lo_from_bytea(oid, bytea)')

# Of what everybody may do in a database, that by which tenants would leave something in it: what FROM may, TO alone may then.
# One of the two is PUBLIC, the other one mt_public, in which nobody is: it has what PUBLIC gets back.
move_rights() { # FROM TO
  local from="to_regrole('$1')" object
  [[ $1 != PUBLIC ]] || from="name 'public'"
  for object in "${OBJECTS[@]}"; do
    echo "SELECT 'GRANT EXECUTE ON FUNCTION $object TO $2', 'REVOKE EXECUTE ON FUNCTION $object FROM $1'
      WHERE has_function_privilege($from, '$object', 'EXECUTE') \gexec"
  done
  echo "SELECT 'GRANT CREATE ON SCHEMA public TO $2', 'REVOKE CREATE ON SCHEMA public FROM $1'
    FROM pg_namespace WHERE nspname = 'public' AND has_schema_privilege($from, oid, 'CREATE') \gexec"
}

# Names of tenants' accounts.
ACCOUNT='^mt_[0-9]+_[0-9a-f]{8}$'
# Who is no tenant and could be logged in as: the user, and those of earlier jobs.
OTHERS="(rolname !~ '$ACCOUNT|^mt_(tenants|barred)\$' AND (rolcanlogin OR rolsuper
  OR EXISTS (SELECT FROM pg_database WHERE datdba = pg_roles.oid)))"

# By these a tenant who is the owner of all keeps everybody else out. What is as it should be is not touched: it may be held.
let_in() { # ROLE
  cat <<SQL
SELECT format('ALTER DATABASE %I CONNECTION LIMIT -1', datname)
  FROM pg_database WHERE datname = current_database() AND datconnlimit <> -1 \gexec
SELECT format('ALTER DATABASE %I RESET local_preload_libraries', datname)
  FROM pg_database d JOIN pg_db_role_setting ON setdatabase = d.oid
  WHERE datname = current_database() AND setrole = 0 AND setconfig::text ~ 'local_preload_libraries' \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), rolname) FROM pg_roles
  WHERE rolname = $(literal "$1") AND NOT has_database_privilege(oid, current_database(), 'CONNECT') \gexec
SQL
}

# What tenants who were the owner of all may have taken in an earlier job: from the user, that it is let in; and from whomever
# they could be, as it may have been another user, what that one owned. What is in a schema of their own stays theirs, and so does
# what those have who could be nobody else: their views, rules and functions would act as that one. Before PostgreSQL 15 all could
# make anybody a member of their account.
give_back() {
  local owner base
  owner=$(name "$user") base=$(name "$database")
  let_in "$user"
  cat <<SQL
ALTER ROLE $owner RESET local_preload_libraries;
ALTER ROLE $owner IN DATABASE $base RESET local_preload_libraries;
SELECT format('REVOKE %s FROM %s', roleid::regrole, member::regrole)
  FROM pg_auth_members WHERE roleid::regrole::text ~ '$ACCOUNT' \gexec
SELECT 'ALTER DATABASE ' || quote_ident(datname) || ' OWNER TO ' || quote_ident($(literal "$user")) FROM pg_database
  WHERE datname = current_database() AND datdba::regrole::text ~ '$ACCOUNT|^mt_(tenants|barred)\$|^pg_database_owner\$' \gexec
\set ON_ERROR_STOP off
SELECT format('ALTER %s %s OWNER TO %s', type, identity, was.roleid::regrole)
  FROM pg_shdepend, pg_identify_object(classid, objid, objsubid) o, LATERAL (
    SELECT roleid FROM pg_auth_members JOIN pg_roles ON pg_roles.oid = roleid
    WHERE $OTHERS AND member::regrole::text ~ '$ACCOUNT' AND member::regrole::text !~ '^mt_${UID}_'
      AND (member = refobjid OR refobjid::regrole::text !~ '$ACCOUNT')
    ORDER BY roleid = to_regrole($(literal "$owner")) DESC LIMIT 1) was
  WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND deptype = 'o'
    AND refclassid = 'pg_authid'::regclass AND refobjid::regrole::text ~ '$ACCOUNT|^mt_(tenants|barred)\$'
    AND type IN ('schema', 'table', 'view', 'materialized view', 'foreign table', 'sequence', 'type', 'function', 'procedure',
      'aggregate', 'collation', 'conversion', 'operator', 'operator class', 'operator family', 'text search configuration',
      'text search dictionary')
    AND NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = coalesce(o.schema, o.name)
      AND (nspname ~ '^pg_' OR nspname ~ '$ACCOUNT' AND nspname = nspowner::regrole::text))
  ORDER BY type = 'sequence' \gexec
\set ON_ERROR_STOP on
SQL
}

# Accounts of tenants are in mt_tenants, which alone may connect, or in mt_barred; those who may change everything are in the
# role of the user, too, who owns the database.
offer_accounts() {
  local rights objects
  objects=$(IFS=, && echo "${OBJECTS[*]}")
  find_administrator || { echo "Neither postgres nor $(id -un) may administrate $datadir." >&2; return 1; }
  # Otherwise everybody would have to use that one together.
  administrate "$database" <<<"$(give_back)" || return
  rights=$(PGHOST=$PRIVATE PGPASSWORD='' log_in 2>&1) || { printf '%s\n' "$rights" >&2; return 1; }
  [[ ${rights##*$'\n'} == 0 || $mt_share_superuser == yes || $mt_rights == read ]] || {
    echo "Tenants can change nothing, since the user $user has rights on the whole server." >&2
    mt_rights='read'
  }
  administrate "$database" <<SQL || return
SET client_min_messages = error;
SELECT format('CREATE ROLE %I', name) FROM unnest('{mt_tenants, mt_public, mt_barred}'::text[]) name
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
SELECT format('ALTER ROLE %I NOLOGIN', rolname) FROM pg_roles WHERE rolname ~ '$ACCOUNT' \gexec
SELECT format('REVOKE %s FROM %s CASCADE', roleid::regrole, member::regrole)
  FROM pg_auth_members JOIN pg_roles ON pg_roles.oid = roleid
  WHERE $OTHERS AND member::regrole::text ~ '$ACCOUNT|^mt_tenants\$' \gexec
GRANT CONNECT, TEMPORARY ON DATABASE $(name "$database") TO mt_tenants;
$(move_rights PUBLIC mt_public)
REVOKE EXECUTE ON FUNCTION $objects FROM mt_tenants;
GRANT EXECUTE ON FUNCTION $objects TO $(name "$user")$([[ $mt_own != yes ]] || echo ', mt_tenants');
SELECT format('GRANT CREATE ON SCHEMA public TO %I', $(literal "$user"))
  FROM pg_namespace WHERE nspname = 'public' \gexec
SELECT format('GRANT USAGE ON SCHEMA %I TO mt_tenants', nspname),
    format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO mt_tenants', nspname)
  FROM pg_namespace JOIN pg_roles o ON o.oid = nspowner
  WHERE nspname !~ '^(pg_|information_schema\$|mt_[0-9]+_[0-9a-f]{8})' AND o.rolname !~ '$ACCOUNT' \gexec
ALTER DEFAULT PRIVILEGES FOR ROLE $(name "$user") GRANT SELECT ON TABLES TO mt_tenants;
ALTER DEFAULT PRIVILEGES FOR ROLE $(name "$user") GRANT USAGE ON SCHEMAS TO mt_tenants;
SELECT format('"%s"', replace(rolname, '"', '""')) FROM pg_roles WHERE $OTHERS AND rolname !~ '^/|[[:cntrl:]]' \g $PRIVATE/others
SQL
  write_access
  kill -HUP "$SERVER"
}

# What offer_accounts did in another job. Tenants who were the owner of all may have given the user a password. A SELECT with
# this one would be in the log of a directory that has auto_explain.
withdraw_accounts() {
  write_access
  kill -HUP "$SERVER"
  ! find_administrator || administrate "$database" <<SQL
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mt_tenants') AS shared \gset
\if :shared
ALTER ROLE $(name "$user") PASSWORD $(literal "$password");
$(give_back)
\endif
$(move_rights mt_public PUBLIC)
SQL
}

# Accounts' names are no secret: what another tenant made by this one gets a name that nobody could take before.
own_schema() { # ACCOUNT
  echo "SELECT format('ALTER SCHEMA %I RENAME TO %I', nspname, format('%s_%s', nspname, (random() * 1e9)::int))
  FROM pg_namespace WHERE nspname = '$1' AND nspowner <> '$1'::regrole \gexec
SELECT 'CREATE SCHEMA $1 AUTHORIZATION $1'
  WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = '$1' AND nspowner = '$1'::regrole) \gexec"
}

# Those who may change everything make what they make as the owner of all, unless they have a schema of their own. A server of
# PostgreSQL counts no requests. Logins wait for each other: one whose own session keeps its account from changes fails at once.
try_account() { # ACCOUNT PASSWORD WAIT
  local owner
  owner=$(name "$user")
  administrate "$database" <<SQL
SET client_min_messages = error;
SET lock_timeout = '100ms';
SELECT 'CREATE ROLE $1 NOLOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '$1') \gexec
ALTER ROLE $1 PASSWORD '$2' CONNECTION LIMIT $mt_connections;
ALTER ROLE $1 RESET role;
$([[ $mt_rights != write ]] || echo "GRANT $owner TO $1;")
SET lock_timeout = '$3';
$(let_in mt_tenants)
$([[ $mt_own != yes ]] || own_schema "$1")
$([[ $mt_rights != write || $mt_own == yes ]] || echo "ALTER ROLE $1 SET role = $owner;")
GRANT mt_tenants TO $1;
ALTER ROLE $1 LOGIN;
SQL
}

# The file of those whom nobody comes in as has all who were let in, too: behind a #, unless they are banned.
let_pass() { # ACCOUNT
  if grep -qx "$1" "$PRIVATE/others"; then
    sed -i "s/^$1\$/#&/" "$PRIVATE/others"
    kill -HUP "$SERVER"
  else
    grep -qx "#$1" "$PRIVATE/others" || echo "#$1" >>"$PRIVATE/others"
  fi
}

open_account() { # ACCOUNT PASSWORD
  let_pass "$1" || true
  ! PGCONNECT_TIMEOUT=2 try_account "$1" "$2" 100ms 2>/dev/null || return 0
  { exec {lock}>&-; cut_holders "$1"; } &>/dev/null & # accounts.sh's lock is not its
  try_account "$1" "$2" 1s
}

# Others who may change everything may hold the database, or what the schema is to be called, in a transaction that stays open.
# They may hold its catalogs, too, so this asks in a database where they don't come in. Who waits as they connect is in no list,
# from PostgreSQL 18 on in one without a name.
cut_holders() { # ACCOUNT
  local i
  for i in {1..10}; do
    cat <<SQL
SELECT pg_sleep(0.1);
SELECT pg_terminate_backend(other.pid)
  FROM pg_locks waits LEFT JOIN pg_stat_activity who USING (pid), unnest(pg_blocking_pids(waits.pid)) held
    JOIN pg_stat_activity other ON other.pid = held
  WHERE NOT granted AND (who.pid IS NULL OR who.usename = current_user
      OR who.usename IS NULL AND who.backend_type = 'client backend')
    AND other.usename ~ '$ACCOUNT' AND other.usename <> '$1';
SQL
  done | administrate template1
}

# Who holds all locks that the server has (pg_advisory_lock) keeps us out, too. None is needed for that file, which counts for
# who comes again, nor for the signal that pg_terminate_backend sends. Processes' titles say whose session each is.
shut_out() { # ACCOUNTS
  local i
  sed -i -E "s/^#($1)\$/\1/" "$PRIVATE/others" && kill -HUP "$SERVER"
  for i in {1..10}; do
    pkill -TERM -P "$SERVER" -f "^postgres: (.*: )?$1 " || return 0
    sleep 0.1
  done
}

# What a session holds would keep its account open, so all end first; and then those that came in meanwhile. One that hears no
# signal, as in xpath(), goes on and keeps its account open: nobody gets in by that any more. Before PostgreSQL 15 tenants can
# make that one, or mt_barred, a member of their account: then it would be let in with theirs, or could not be in mt_barred.
close_accounts() { # UID|all
  local who="mt_${1/#all/[0-9]+}_[0-9a-f]{8}" end
  shut_out "$who" || true
  who="^$who\$"
  end="SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename ~ '$who';"
  administrate template1 <<SQL
$end
\set ON_ERROR_STOP off
SELECT format('ALTER ROLE %I NOLOGIN', rolname) FROM pg_roles WHERE rolname ~ '$who' \gexec
\set ON_ERROR_STOP on
SELECT format('REVOKE mt_tenants FROM %I', rolname) FROM pg_roles WHERE rolname ~ '$who' AND rolcanlogin \gexec
WITH open AS (SELECT oid FROM pg_roles WHERE rolname ~ '$who' AND rolcanlogin)
  SELECT format('REVOKE %s FROM %s', string_agg(DISTINCT roleid::regrole::text, ', '), member::regrole) FROM pg_auth_members
  WHERE member IN (TABLE open) AND roleid <> 'mt_barred'::regrole OR member = 'mt_barred'::regrole AND EXISTS (TABLE open)
  GROUP BY member \gexec
SELECT format('GRANT mt_barred TO %I', rolname) FROM pg_roles WHERE rolname ~ '$who' AND rolcanlogin \gexec
$end
SQL
}

answers() { "$BIN/pg_isready" --quiet --host="$PRIVATE" --port="$port"; }

# Prints how many roles the user has with which one can run programs, or become one that can.
log_in() {
  PGHOST=${PGHOST-$host} PGPORT=$port PGUSER=$user PGDATABASE=$database PGPASSWORD=${PGPASSWORD-$password} \
    PGOPTIONS="$OPTIONS $(later_options)" PGCONNECT_TIMEOUT=10 PGSSLMODE=disable PGGSSENCMODE=disable PGCLIENTENCODING=UTF8 \
    "$BIN/psql" --no-psqlrc --no-password --no-align --tuples-only --quiet <<'SQL'
SELECT count(*) FROM pg_roles WHERE pg_has_role(current_user, oid, 'MEMBER') AND (rolsuper OR rolcreaterole
  OR rolname IN ('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files'));
SQL
}
