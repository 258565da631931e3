# shellcheck shell=bash disable=SC2034,SC2154
# MariaDB and MySQL, for script.sh. What the node has in /etc/my.cnf does not count.
NAME_MAX=64 USER_MAX=80 STOP=TERM
[[ $mt_kind == mariadb ]] || USER_MAX=32
export UMASK=0600 UMASK_DIR=0700
# A login path of the owner's would come before what is said here.
export MYSQL_TEST_LOGIN_FILE=/dev/null

find_program() { # NAME…: prints where the first of them is
  local name
  for name; do ! type -P "$name" || return 0; done
  die "This node has no $1: see modules_$mt_kind in the app's site.yml."
}

find_programs() {
  local version base
  PATH+=:/usr/sbin:/usr/libexec
  if [[ $mt_kind == mariadb ]]; then
    DAEMON=$(find_program mariadbd mysqld)
    CLIENT=$(find_program mariadb mysql)
    ADMIN=$(find_program mariadb-admin mysqladmin)
    INSTALL=$(find_program mariadb-install-db mysql_install_db)
  else
    DAEMON=$(find_program mysqld)
    CLIENT=$(find_program mysql)
    ADMIN=$(find_program mysqladmin)
  fi
  version=$("$DAEMON" --no-defaults --version)
  case $mt_kind/$version in
    mariadb/*MariaDB*) ;;
    mariadb/* | mysql/*MariaDB*) die "$DAEMON is not $mt_kind: $version" ;;
  esac
  # Where it is not the distribution's, it may have been moved since it was built.
  base=$(dirname "$(dirname "$(readlink -f "$DAEMON")")")
  [[ $base != /usr ]] && COMMON=(--basedir="$base") || COMMON=()
  # A server that starts removes the temporary tables in its directory for them, which are another's where both have one.
  mkdir -p "$PRIVATE/tmp"
  COMMON+=(--tmpdir="$PRIVATE/tmp")
}

is_data() {
  if [[ $mt_kind == mariadb ]]; then
    [[ -f $datadir/aria_log_control && -d $datadir/mysql ]]
  else
    [[ -f $datadir/mysql.ibd ]]
  fi
}

lock_parts() { :; } # InnoDB locks each of its files

literal() { # in a session without a sql_mode
  local text=${1//\\/\\\\}
  printf "'%s'" "${text//\'/\\\'}"
}

name() { printf %s "\`${1//\`/\`\`}\`"; }

# Name of a database in GRANT, where _ and % stand for others.
pattern() {
  local text=${1//\\/\\\\}
  text=${text//_/\\_}
  name "${text//%/\\%}"
}

option() { # in an option file
  local text=${1//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}

client() { # OPTION…: runs SQL from standard input
  "$CLIENT" "$@" --connect-timeout=10 --default-character-set=utf8mb4 --batch --skip-column-names
}

administrate() { client --no-defaults --socket="$PRIVATE/socket" --user="$1" "${@:2}"; }

initialise() {
  local owner
  owner=$(id -un)
  if [[ $mt_kind == mariadb ]]; then
    "$INSTALL" --no-defaults "${COMMON[@]}" --datadir="$1" --skip-test-db --auth-root-authentication-method=socket \
      --auth-root-socket-user="${owner//\\/\\\\}" >"$PRIVATE/said" 2>&1
  else
    owner=root
    "$DAEMON" --no-defaults "${COMMON[@]}" --initialize-insecure --datadir="$1" >"$PRIVATE/said" 2>&1
  fi || { cat "$PRIVATE/said" >&2; die "$datadir could not be made: see above."; }
  start "$1" --skip-networking
  administrate "$owner" <<SQL || die "$datadir could not be made: see above."
SET SESSION sql_mode = '';
CREATE DATABASE $(name "$database") CHARACTER SET utf8mb4;
CREATE USER $(literal "$user")@'%' IDENTIFIED BY $(literal "$password");
GRANT ALL PRIVILEGES ON $(pattern "$database").* TO $(literal "$user")@'%';
SQL
  [[ $mt_kind == mariadb ]] || close_root
  stop
}

# MySQL's root has no password yet. Where the server can't tell users of the node apart, nobody may be root.
close_root() {
  administrate root 2>/dev/null <<SQL ||
INSTALL PLUGIN auth_socket SONAME 'auth_socket.so';
ALTER USER root@localhost IDENTIFIED WITH auth_socket AS $(literal "$(id -un)");
SQL
    administrate root <<<'ALTER USER root@localhost ACCOUNT LOCK;' || die "$datadir could not be made: see above."
}

TENANTS="user REGEXP '^mt_[0-9]+_[0-9a-f]{8}$'"

# Accounts of tenants have what mt_tenants has. Earlier tenants may know the password of the user, who is locked, too. Whoever may
# change everything may drop the database, too: rights on it stay, and it is made anew.
offer_accounts() {
  local whose=$TENANTS rights='SELECT, SHOW VIEW' again
  again="CREATE DATABASE IF NOT EXISTS $(name "$database") CHARACTER SET utf8mb4"
  [[ $mt_rights != write ]] || rights='ALL PRIVILEGES'
  for ADMINISTRATOR in "$(id -un)" root ''; do
    [[ -n $ADMINISTRATOR ]] || { echo "Neither $(id -un) nor root may administrate $datadir by its socket." >&2; return 1; }
    ! administrate "$ADMINISTRATOR" <<<'CREATE ROLE IF NOT EXISTS mt_tenants' 2>/dev/null || break
  done
  [[ $user == "$ADMINISTRATOR" ]] || whose+=" OR user = $(literal "$user")"
  administrate "$ADMINISTRATOR" <<SQL || return
SET SESSION sql_mode = '';
SELECT IF(COUNT(*), $(literal "$again"), 'DO 0') INTO @again FROM mysql.db
  WHERE REPLACE(db, '\\\\', '') = REPLACE($(literal "$database"), '\\\\', '');
EXECUTE IMMEDIATE @again;
USE $(name "$database");
DROP ROLE mt_tenants;
CREATE ROLE mt_tenants;
GRANT $rights ON $(pattern "$database").* TO mt_tenants;
SQL
  lock_users "$whose" && renew_rights "$rights"
}

# Does what the SQL of standard input selects. By one connection after the other: a server that is full has one place left.
administer_each() {
  local sql
  sql=$(administrate "$ADMINISTRATOR" --raw) || return
  administrate "$ADMINISTRATOR" <<<"$sql"
}

# Tenants who could change everything have rights of their own beside those of mt_tenants, as what they made is done in
# their name. These become the rights of now; those of the owner's own account stay.
renew_rights() {
  local account="CONCAT(QUOTE(user), '@', QUOTE(host))"
  administer_each <<SQL
SET SESSION sql_mode = '';
SELECT 'SET SESSION sql_mode = "";' UNION ALL
  SELECT CONCAT('REVOKE ALL PRIVILEGES ON \`', REPLACE(db, '\`', '\`\`'), '\`.* FROM ', $account,
    $(literal "; GRANT $1 ON $(pattern "$database").* TO "), $account, ';')
  FROM mysql.db WHERE $TENANTS AND user NOT REGEXP '^mt_${UID}_' AND REPLACE(db, '\\\\', '') <> user;
SQL
}

lock_users() { # WHERE [unlock]
  local quoted="CONCAT(QUOTE(user), '@', QUOTE(host))"
  administer_each <<SQL
SELECT 'SET SESSION sql_mode = "";' UNION ALL SELECT CONCAT('ALTER USER ', $quoted, ' ACCOUNT ${2-LOCK}; KILL USER ', $quoted, ';') FROM mysql.user
  WHERE ($1) AND is_role = 'N' AND user <> '';
SQL
}

# What offer_accounts did in another job.
withdraw_accounts() {
  local ADMINISTRATOR
  for ADMINISTRATOR in "$(id -un)" root; do
    administrate "$ADMINISTRATOR" <<<'DROP ROLE mt_tenants' 2>/dev/null || continue
    lock_users "$TENANTS"
    lock_users "user = $(literal "$user")" UNLOCK
  done
}

# A database that is there is not to be made: also IF NOT EXISTS that waits for who has locked a table in it.
open_account() { # ACCOUNT PASSWORD RATE
  local account="'$1'@'%'" own
  own="SELECT IF(COUNT(*), 'DO 0', 'CREATE DATABASE $1 CHARACTER SET utf8mb4') INTO @own FROM information_schema.schemata
    WHERE schema_name = '$1';
EXECUTE IMMEDIATE @own;
GRANT ALL PRIVILEGES ON $(pattern "$1").* TO $account;"
  [[ $mt_own == yes ]] || own=''
  [[ $mt_rights != write ]] || own+="GRANT ALL PRIVILEGES ON $(pattern "$database").* TO $account;"
  administrate "$ADMINISTRATOR" <<SQL
SET SESSION sql_mode = '';
CREATE USER IF NOT EXISTS $account IDENTIFIED BY '$2' ACCOUNT LOCK;
GRANT mt_tenants TO $account;
SET DEFAULT ROLE mt_tenants FOR $account;
$own
ALTER USER $account IDENTIFIED BY '$2' WITH MAX_USER_CONNECTIONS $mt_connections MAX_QUERIES_PER_HOUR $((10#$3 * 60))
  ACCOUNT UNLOCK;
SQL
}

close_accounts() { lock_users "user REGEXP '^mt_${1/#all/[0-9]+}_[0-9a-f]{8}\$'"; } # UID|all

# Whoever may make a table in MariaDB may say in which directory of the owner's its files are, unless links are off.
run_server() { # DIRECTORY OPTION…
  local directory=$1 memory=${SLURM_MEM_PER_NODE-}
  [[ $memory =~ ^[1-9][0-9]{0,8}$ ]] || memory=512 # 0 is all that the node has; a user's own for srun may be 4G
  mkdir -p "$PRIVATE/files"
  exec "$DAEMON" --no-defaults "${COMMON[@]}" --datadir="$directory" --socket="$PRIVATE/socket" \
    --pid-file="$PRIVATE/pid" --port="$port" --bind-address='*' --skip-name-resolve --local-infile=OFF \
    --secure-file-priv="$PRIVATE/files" --loose-skip-symbolic-links --skip-log-bin --loose-mysqlx=OFF --character-set-server=utf8mb4 \
    --innodb-buffer-pool-size="$((memory / 2))M" "${@:2}"
}

answers() { "$ADMIN" --no-defaults --socket="$PRIVATE/socket" --connect-timeout=10 ping &>/dev/null; }

# Prints how many rights the user has on the whole server.
log_in() {
  printf '[client]\nuser=%s\npassword=%s\n' "$(option "$user")" "$(option "$password")" >"$PRIVATE/client.cnf"
  client --defaults-file="$PRIVATE/client.cnf" --protocol=TCP --host="$host" --port="$port" <<SQL
USE $(name "$database");
SELECT COUNT(*) FROM information_schema.user_privileges WHERE privilege_type NOT IN ('USAGE', 'SHOW DATABASES')
UNION SELECT COUNT(*) FROM information_schema.applicable_roles ORDER BY 1 DESC LIMIT 1;
SQL
}
