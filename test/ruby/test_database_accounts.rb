# frozen_string_literal: true

require_relative 'served_database'

# The accounts that the database app makes for tenants who log in at its gateway, in real servers. The gate calls
# accounts.sh as this test does.
class TestDatabaseAccounts < MultiTenantTest
  include ServedDatabase

  SLEEP = { 'mariadb' => 'SELECT sleep(60)', 'postgresql' => 'SELECT pg_sleep(60)' }.freeze
  CONNECTIONS = { 'mariadb' => "SELECT count(*) FROM information_schema.processlist WHERE user = '%s'",
                  'postgresql' => "SELECT count(*) FROM pg_stat_activity WHERE usename = '%s'" }.freeze

  # Who may change everything may also change what names and settings mean where the administrator comes.
  TRAP = <<~SQL
    CREATE FUNCTION public.trap() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
      IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
        EXECUTE $c$ COPY (SELECT 1) TO PROGRAM 'touch sprung' $c$;
      END IF;
      RETURN true;
    END $$;
    CREATE VIEW public.pg_roles AS SELECT r.* FROM (SELECT public.trap() AS t OFFSET 0) x, pg_catalog.pg_roles r WHERE t;
  SQL
  SETTINGS = ['search_path = public, pg_catalog', 'default_transaction_read_only = on'].freeze

  def test_no_tenant_becomes_the_administrator_of_postgresql
    serving('postgresql', rights: 'write', own: 'no') do
      login(BOB)
      assert_rows [], BOB, TRAP
      SETTINGS.each do |setting|
        assert_rows [], BOB, "SELECT format('ALTER DATABASE %I SET #{setting}', current_database()) \\gexec"
        login(EVE)
        assert_empty Dir.glob("#{@dir}/data/sprung")
      end
      assert_rows %w[on], EVE, 'SHOW default_transaction_read_only'
    end
    serving('postgresql') { login(EVE) }
    assert_empty Dir.glob("#{@dir}/data/sprung")
  end

  # Who may change everything owns the database, and what is set for that goes before what its server is started with.
  KEEP_OUT = { 'password_encryption = md5' => 10, 'idle_session_timeout = 1' => 14 }.freeze

  def test_nothing_that_a_tenant_of_postgresql_sets_keeps_others_out_or_a_ban_from_acting
    serving('postgresql', rights: 'write', own: 'no') do
      known(KEEP_OUT).each do |setting|
        login(EVE)
        assert_rows [], EVE, "SELECT format('ALTER DATABASE %I SET #{setting}', current_database()) \\gexec"
        login(BOB)
        assert_equal 0, gate('ban', '2003').code, setting
        administrate(%(ALTER DATABASE "#{NAME.gsub('"', '""')}" RESET ALL))
        assert_rows %w[1], BOB, 'SELECT 1'
        refute_done LOCKED, EVE, 'SELECT 1'
      end
    end
  end

  # With whatever in it: a shell sources what is in ~/.bashrc.d.
  def test_a_tenant_of_mariadb_has_the_server_make_no_file_elsewhere
    Dir.mkdir(other = File.join(@dir, 'other'))
    FileUtils.chown(OWNER, OWNER, other)
    serving('mariadb') do
      login(BOB)
      %w[MyISAM Aria InnoDB].each do |kind|
        assert_rows [], BOB, "CREATE TABLE #{BOB}.#{kind} (a text) ENGINE=#{kind} DATA DIRECTORY='#{other}'"
        assert_rows [], BOB, "INSERT INTO #{BOB}.#{kind} VALUES ('\ntouch here\n')"
      end
      assert_empty Dir.children(other)
    end
  end

  # The server keeps statements of all, for those who may see its statistics: what makes an account has its password.
  def test_no_tenant_of_postgresql_reads_in_its_statistics_what_another_one_logs_in_with
    name = %("#{NAME.gsub('"', '""')})
    statistics = 'CREATE EXTENSION IF NOT EXISTS pg_stat_statements'
    serving('postgresql', accounts: '') do
      administrate("\\c #{name}\"\nGRANT pg_read_all_stats TO #{name}u\"; #{statistics}")
    end
    File.write(File.join(@dir, 'data/postgresql.conf'), "shared_preload_libraries = 'pg_stat_statements'\n", mode: 'a')
    serving('postgresql', rights: 'write', own: 'no') do
      login(EVE, BOB)
      assert_rows %w[t f], BOB, "SELECT count(*) > 0 FROM pg_stat_statements;
        SELECT count(*) > 0 FROM pg_stat_statements WHERE query ~ '#{PASSWORD}'"
    end
  end

  LOG = { 'debug_print_parse=1' => 10, 'log_transaction_sample_rate=1' => 12, 'log_min_duration_sample=0' => 13 }.freeze

  # The owner may have the server log what is done in a database, whatever it is started with.
  def test_no_password_of_a_tenant_of_postgresql_is_in_the_jobs_log
    serving('postgresql', accounts: '') do
      administrate("ALTER DATABASE #{%("#{NAME.gsub('"', '""')}")} SET log_statement = 'all'")
    end
    settings = [*known(LOG), 'auto_explain.log_min_duration=0', "session_preload_libraries='auto_explain'"]
    File.write(File.join(@dir, 'data/postgresql.conf'), "#{settings.join("\n")}\n", mode: 'a')
    log = File.join(temporary, 'said')
    serving('postgresql') do
      login(BOB)
      assert_rows %w[1], BOB, 'SELECT 1'
      assert_includes File.read(log), 'SELECT 1'
      assert_empty File.readlines(log).grep(/#{PASSWORD}/)
    end
    serving('postgresql', accounts: '') { assert_empty File.readlines(log).grep(/'secret'/) }
  end

  # Large objects stay in the publisher's directory, from which nobody but their owner removes them.
  def test_who_only_reads_a_postgresql_leaves_nothing_in_it
    make = ['lo_create(0)', 'lo_creat(-1)', 'lo_from_bytea(0, $$x$$)'].map { |call| "SELECT #{call} > 0" }
    serving('postgresql') do
      login(BOB)
      make.each { |sql| assert_rows %w[t], BOB, sql }
    end
    serving('postgresql', own: 'no') do
      login(BOB)
      make.each { |sql| refute_done DENIED, BOB, sql }
    end
  end

  # What the owner had taken from everybody before stays taken.
  def test_a_postgresql_that_is_served_without_a_gateway_later_has_the_rights_of_before
    rights = "SELECT format('%s %s %s', has_function_privilege('public', 'lo_creat(int)', 'EXECUTE'), " \
             "has_function_privilege('public', 'lo_create(oid)', 'EXECUTE'), " \
             "has_schema_privilege('public', 'public', 'CREATE'))"
    here = "\\c #{%("#{NAME.gsub('"', '""')}")}\n"
    serving('postgresql', accounts: '') do
      administrate("#{here}REVOKE EXECUTE ON FUNCTION lo_create(oid) FROM PUBLIC; " \
                   'GRANT CREATE ON SCHEMA public TO PUBLIC')
      assert_equal 't f t', administrate(here + rights)
    end
    2.times { serving('postgresql', own: 'no') { assert_equal 'f f f', administrate(here + rights) } }
    2.times { serving('postgresql', accounts: '') { assert_equal 't f t', administrate(here + rights) } }
  end

  # As each does of a directory that was made with another release of the C library.
  def test_a_postgresql_that_warns_whoever_logs_in_is_shared_as_any
    serving('postgresql', accounts: '') { administrate("UPDATE pg_database SET datcollversion = '1'") }
    serving('postgresql', accounts: '') { nil }
    serving('postgresql', rights: 'write', own: 'no') do
      assert_equal 0, gate('login', BOB, PASSWORD, 'bob').code
      assert_equal 0, query(BOB, 'CREATE TABLE lesson (n int)').code
    end
  end

  # Only the directory that is served has the lock.
  def test_a_copy_of_a_postgresql_is_served_with_its_own_data_whatever_its_settings_say
    data = File.join(@dir, 'data')
    first = File.join(@dir, 'first')
    serving('postgresql', accounts: '') { nil }
    FileUtils.cp_r(data, first, preserve: true)
    File.write(File.join(data, 'postgresql.conf'), "data_directory = '#{first}'\n", mode: 'a')
    serving('postgresql', accounts: '') do
      assert_equal([true, false], [data, first].map { |dir| File.exist?(File.join(dir, 'postmaster.pid')) })
    end
  end

  # By these who may change everything keeps others out, and the user.
  SHUT = <<~SQL
    SELECT format('ALTER ROLE %I SET local_preload_libraries = nope', current_user),
      format('ALTER ROLE %I IN DATABASE %I SET local_preload_libraries = nope', current_user, current_database()),
      format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC, mt_tenants, %I', current_database(), current_user),
      format('ALTER DATABASE %I CONNECTION LIMIT 0', current_database()),
      format('ALTER DATABASE %I SET local_preload_libraries = nope', current_database()) \\gexec
  SQL

  # Otherwise all would use one user together then, those too who are banned.
  def test_nothing_that_a_tenant_changes_costs_the_next_job_its_accounts
    serving('postgresql', rights: 'write', own: 'no') do
      login(BOB)
      assert_rows [], BOB, "DROP SCHEMA public CASCADE; #{SHUT}"
      # Nor whoever logs in meanwhile.
      login(EVE)
      assert_rows ['1'], EVE, 'SELECT 1'
      assert_rows [], EVE, SHUT
    end
    serving('postgresql', rights: 'write', own: 'no') do
      login(EVE)
      assert_rows [], EVE, SHUT
    end
    serving('postgresql', accounts: '') { assert_rows ['1'], "#{NAME}u", 'SELECT 1', password: 'secret' }
  end

  # Who is in the role of the user may give to others all that it owns, the database too.
  def test_what_a_tenant_of_postgresql_took_from_the_user_is_the_users_in_the_next_job
    owner = %("#{NAME.gsub('"', '""')}u")
    all = "SET ROLE none; REASSIGN OWNED BY #{owner} TO"
    serving('postgresql', rights: 'write') do
      login(BOB, EVE)
      # Since PostgreSQL 16 the database is given by whoever may make one.
      administrate("ALTER ROLE #{BOB} CREATEDB; ALTER ROLE #{EVE} CREATEDB")
      assert_rows [], BOB, "SET ROLE #{owner}; CREATE TABLE lesson (id serial, n int); INSERT INTO lesson VALUES (1, 3)"
      assert_rows [], EVE, "CREATE TABLE #{EVE}.own (n int); #{all} #{EVE}"
    end
    serving('postgresql') do
      login(EVE, PUBLISHER)
      ['DELETE FROM lesson', 'DROP TABLE lesson', 'DROP SCHEMA public CASCADE',
       "SELECT format('ALTER DATABASE %I CONNECTION LIMIT 0', current_database()) \\gexec"].each do |sql|
        refute_done DENIED, EVE, sql
      end
      assert_rows %w[3], EVE, "INSERT INTO #{EVE}.own SELECT n FROM lesson; SELECT n FROM lesson"
      assert_rows [], PUBLISHER, 'UPDATE lesson SET id = 7'
    end
    serving('postgresql', rights: 'write') do
      login(BOB)
      assert_rows [], BOB, "#{all} mt_tenants"
    end
    serving('postgresql', accounts: '') do
      owns = "pg_has_role(datdba, 'MEMBER') FROM pg_database WHERE datname = current_database()"
      assert_rows %w[7 t], "#{NAME}u", "SELECT id FROM lesson; SELECT #{owns}", password: 'secret'
    end
  end

  # Neither where the publisher lets them make something among what is shared, nor where they could be another user.
  def test_nothing_that_a_tenant_of_postgresql_makes_acts_as_a_user_who_they_could_not_be
    name = NAME.gsub('"', '""')
    serving('postgresql') do
      administrate("\\c \"#{name}\"\nCREATE SCHEMA homework; GRANT ALL ON SCHEMA homework TO mt_tenants; " \
                   "CREATE TABLE marks (n int); ALTER TABLE marks OWNER TO \"#{name}u\"")
      login(EVE, PUBLISHER)
      assert_rows [], EVE, 'CREATE VIEW homework.v AS SELECT * FROM marks; GRANT ALL ON homework.v TO PUBLIC; ' \
                           'ALTER VIEW homework.v OWNER TO mt_tenants; CREATE TABLE homework.own (n int)'
    end
    serving('postgresql') do
      login(EVE)
      refute_done DENIED, EVE, 'DELETE FROM homework.v'
      assert_rows [], EVE, 'INSERT INTO homework.own VALUES (1)'
    end
    who = "RETURNS boolean LANGUAGE sql SECURITY DEFINER AS 'SELECT current_user = ''postgres'''"
    serving('postgresql', rights: 'write') do
      login(EVE)
      assert_rows [], EVE, "CREATE FUNCTION public.who() #{who}"
    end
    serving('postgresql', user: 'postgres') do
      login(EVE)
      assert_rows %w[f], EVE, 'SELECT public.who()'
    end
  end

  # They know the user's password where it was shared without a gateway, or where they could set it.
  def test_no_tenant_of_postgresql_comes_in_as_its_user
    serving('postgresql') do
      login(BOB)
      # Before PostgreSQL 15 he can do so himself.
      administrate(%(GRANT #{BOB} TO "#{NAME.gsub('"', '""')}u"))
      refute_equal 0, query("#{NAME}u", 'SELECT 1', password: 'secret').code
      assert_rows %w[1], BOB, 'SELECT 1'
    end
  end

  def test_who_could_change_everything_reads_in_a_job_where_others_read
    ENGINES.each do |engine|
      FileUtils.rm_rf(File.join(@dir, 'data'))
      serving(engine, rights: 'write', own: 'no') do
        login(BOB)
        assert_rows [], BOB, 'CREATE TABLE lesson (n int); INSERT INTO lesson VALUES (301)'
      end
      serving(engine) do
        login(BOB)
        assert_rows ['301'], BOB, 'SELECT n FROM lesson'
        refute_done DENIED, BOB, 'DELETE FROM lesson'
        assert_rows [], BOB, "CREATE TABLE #{BOB}.own (n int)"
      end
    end
  end

  # Bob's own.
  OWN = "#{BOB}.own".freeze
  # What he may hold as long as he likes, and whether he does.
  HOLD = { 'mariadb' => "CREATE TABLE IF NOT EXISTS #{OWN} (n int); LOCK TABLES #{OWN} WRITE; #{SLEEP['mariadb']}",
           'postgresql' => "BEGIN; ALTER ROLE CURRENT_USER PASSWORD 'x'; #{SLEEP['postgresql']}" }.freeze
  HOLDS = { 'mariadb' => "SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'SELECT sleep%'",
            'postgresql' => "SELECT count(*) FROM pg_stat_activity WHERE usename = '#{BOB}' AND " \
                            "query LIKE 'SELECT pg_sleep%'" }.freeze

  # Who may change everything may make schemas, and knows what others' accounts are called.
  def test_no_tenant_of_postgresql_makes_anothers_own_schema_theirs
    owner = %("#{NAME.gsub('"', '""')}u")
    serving('postgresql', rights: 'write') do
      login(EVE)
      assert_rows [], EVE, "CREATE SCHEMA #{BOB} AUTHORIZATION #{owner}; CREATE TABLE #{BOB}.trap (n int)"
      login(BOB)
      assert_rows %w[7], BOB, "CREATE TABLE #{OWN} (n int); INSERT INTO #{OWN} VALUES (7); SELECT n FROM #{OWN}"
      refute_done DENIED, EVE, "DROP TABLE #{OWN}"
    end
    # Nor does a later job give all what is in one.
    serving('postgresql') do
      login(EVE, BOB)
      refute_done DENIED, EVE, "SELECT n FROM #{OWN}"
      assert_rows %w[7], BOB, "SELECT n FROM #{OWN}"
    end
  end

  # Not even by a transaction that stays open.
  def test_no_tenant_of_postgresql_keeps_another_out_by_the_name_of_their_schema_or_the_database
    %w[yes no].each do |own|
      serving('postgresql', rights: 'write', own: own) do
        login(BOB)
        limit = "SELECT format('ALTER DATABASE %I CONNECTION LIMIT 1', current_database()) \\gexec"
        hold = own == 'yes' ? "BEGIN; CREATE SCHEMA #{EVE};" : "#{limit}\nBEGIN;#{limit}\n"
        holder = Thread.new { query(BOB, hold + SLEEP['postgresql']) }
        wait_until { administrate(HOLDS['postgresql']) == '1' }
        wait_until { gate('login', EVE, PASSWORD, 'eve').code.zero? }
        assert_rows %w[1], EVE, 'SELECT 1'
        refute_equal 0, holder.value.code
      end
    end
  end

  # As in xpath(), for as long as there is something to count.
  def test_a_session_of_postgresql_that_hears_no_signal_keeps_no_ban_from_acting
    serving('postgresql') do
      login(BOB, EVE)
      # Before PostgreSQL 15 they can do so themselves.
      administrate("GRANT #{BOB}, #{EVE} TO mt_barred; GRANT #{EVE} TO #{BOB}")
      administrate(%(ALTER DATABASE "#{NAME.gsub('"', '""')}" SET exit_on_error = on))
      holder = Thread.new { query(BOB, HOLD['postgresql']) }
      wait_until { administrate(HOLDS['postgresql']) == '1' }
      held = administrate("SELECT pid FROM pg_stat_activity WHERE usename = '#{BOB}'").to_i
      begin
        Process.kill(:STOP, held)
        assert_equal 0, gate('ban', '2002').code
        refute_done LOCKED, BOB, 'SELECT 1'
        login(EVE)
        assert_rows %w[1], EVE, 'SELECT 1'
      ensure
        Process.kill(:CONT, held)
      end
      refute_equal 0, holder.value.code
      wait_until { gate('login', BOB, PASSWORD, 'bob').code.zero? }
      assert_rows %w[1], BOB, 'SELECT 1'
    end
  end

  # Before PostgreSQL 15 tenants make others members of their own account, and hold those of whom they are a member.
  def test_what_is_held_of_accounts_of_postgresql_costs_no_ban_a_wait_for_each_of_their_members
    serving('postgresql') do
      login(BOB, EVE)
      members = Array.new(40) { |i| "member#{i}" }
      administrate("#{members.map { |name| "CREATE ROLE #{name};" }.join} GRANT #{BOB} TO #{members.join(', ')}")
      hold = "BEGIN; ALTER ROLE #{BOB} PASSWORD 'x'; REVOKE #{BOB} FROM #{members.join(', ')}; #{SLEEP['postgresql']}"
      holder = Thread.new { administrate(hold) }
      held = "FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
      wait_until { administrate("SELECT count(*) #{held}") == '1' }
      %w[2003 2002].each { |uid| assert_equal 0, gate('ban', uid).code }
      assert_equal 't', administrate("SELECT pg_terminate_backend(pid) #{held}")
      holder.join
      [BOB, EVE].each { |account| refute_done LOCKED, account, 'SELECT 1' }
    end
  end

  # It has one place then, for whoever administers it, which is free again a moment after they left it.
  def test_a_ban_acts_in_a_mariadb_that_is_full
    serving('mariadb', own: 'no') do
      tenants = Array.new(5) { |i| format('mt_%d_0000000b', 2002 + i) }
      login(EVE, *tenants)
      sleepers = tenants.flat_map { |one| Array.new(2) { Thread.new { query(one, SLEEP['mariadb']) } } }
      wait_until { administrate(HOLDS['mariadb']) == '10' }
      administrate('SET GLOBAL max_connections = 10')
      refute_done(/Too many connections/, EVE, 'SELECT 1')
      assert_operator Array.new(5) { gate('ban', '9').code }.count(0), :>=, 3
      wait_until { gate('ban', '2002').code.zero? }
      refute_done LOCKED, BOB, 'SELECT 1'
      assert_equal 0, gate('ban', 'all').code
      sleepers.each { |sleeper| refute_equal 0, sleeper.value.code }
    end
  end

  # Of those whom the job before let in one may come back before all are locked.
  def test_who_was_let_into_a_postgresql_holds_up_no_later_job
    serving('postgresql') { login(BOB) }
    told = []
    over = false
    holder = Thread.new { told << query(BOB, HOLD['postgresql']).code until over }
    serving('postgresql') do
      login(EVE)
      assert_rows %w[1], EVE, 'SELECT 1'
    end
    refute_includes told, 0
  ensure
    over = true
    holder&.join
  end

  ENGINES.each do |engine|
    define_method("test_what_a_tenant_of_#{engine}_holds_keeps_nobody_out_and_no_ban_from_acting") do
      serving(engine) do
        login(BOB)
        told = []
        # He comes again as soon as he is cut off.
        holder = Thread.new { told << query(BOB, HOLD[engine]) until told.last&.err.to_s.match?(LOCKED) }
        wait_until { administrate(HOLDS[engine]) == '1' }
        assert_equal engine == 'mariadb', gate('login', BOB, PASSWORD, 'bob').code.zero?
        login(EVE)
        assert_empty told
        wait_until { gate('ban', '2002').code.zero? }
        holder.join
        refute_includes told.map(&:code), 0
        assert_rows %w[1], EVE, 'SELECT 1'
      end
    end

    define_method("test_tenants_of_#{engine}_read_what_is_shared_and_have_something_of_their_own") do
      serving(engine) do
        login(PUBLISHER, BOB, EVE)
        assert_rows [], PUBLISHER, 'CREATE TABLE lesson (n int); INSERT INTO lesson VALUES (301)'
        assert_rows ['301'], BOB, 'SELECT n FROM lesson'
        refute_done DENIED, BOB, 'INSERT INTO lesson VALUES (1)'
        assert_rows %w[7], BOB, "CREATE TABLE #{OWN} (n int); INSERT INTO #{OWN} VALUES (7); SELECT n FROM #{OWN}"
        [EVE, PUBLISHER].each { |other| refute_done DENIED, other, "SELECT n FROM #{OWN}" }
        # The same account, and the same password.
        login(BOB)
        assert_rows %w[7], BOB, "SELECT n FROM #{OWN}"
        refute_equal 0, query("#{NAME}u", 'SELECT 1', password: 'secret').code
        # PostgreSQL before 15 did as he says.
        query(BOB, %(GRANT #{BOB} TO "#{NAME.gsub('"', '""')}u"))
      end
      # In the next job nobody is let in who has not logged in there, and all is as it was.
      serving(engine, rights: 'write') do
        refute_done LOCKED, EVE, 'SELECT 1'
        login(BOB, EVE)
        assert_rows %w[301 1], BOB, 'INSERT INTO lesson VALUES (1); SELECT n FROM lesson'
        assert_rows %w[7], BOB, "SELECT n FROM #{OWN}"
        refute_done DENIED, EVE, "SELECT n FROM #{OWN}"
        # Who may be the owner of all does not get in as the owner.
        query(BOB, %(SET ROLE "#{NAME.gsub('"', '""')}u"; ALTER USER CURRENT_USER PASSWORD 'known'))
        refute_equal 0, query("#{NAME}u", 'SELECT 1', password: 'known').code
      end
      # Without a gateway the user is what it was, and tenants' accounts are locked.
      serving(engine, accounts: '') do
        assert_rows %w[301 1], "#{NAME}u", 'SELECT n FROM lesson', password: 'secret'
        refute_equal 0, query(EVE, 'SELECT 1').code
      end
    end

    define_method("test_bans_and_limits_of_#{engine}_act") do
      serving(engine, own: 'no') do
        File.write(File.join(@dir, 'limits'), "* 5\n2003 7\n")
        File.write(File.join(@dir, 'accounts'), "mt_gate_state=#{@dir}\n", mode: 'a')
        login(BOB, EVE)
        sleepers = Array.new(2) { Thread.new { query(BOB, SLEEP[engine]) } }
        wait_until { administrate(format(CONNECTIONS[engine], BOB)) == '2' }
        refute_done(/exceeded the 'max_user_connections'|too many connections for role/, BOB, 'SELECT 1')
        assert_equal 0, gate('ban', '2002').code
        sleepers.each { |sleeper| refute_equal 0, sleeper.value.code }
        refute_done LOCKED, BOB, 'SELECT 1'
        assert_rows ['1'], EVE, 'SELECT 1'
        if engine == 'mariadb'
          told = administrate("SELECT max_questions FROM mysql.user WHERE user IN ('#{BOB}', '#{EVE}') ORDER BY user")
          assert_equal %w[300 420], told.split
        end
        login(BOB)
        assert_rows ['1'], BOB, 'SELECT 1'
        assert_equal 0, gate('ban', '9').code
        # Where a gate has ended, and none knows any more whom it let in.
        assert_equal 0, gate('ban', 'all').code
        [BOB, EVE].each { |account| refute_done LOCKED, account, 'SELECT 1' }
        [%w[login root x y], %W[login #{BOB} short bob], %W[drop #{BOB}], %w[ban .*],
         ["login #{BOB};x #{PASSWORD} b"], []].each { |words| refute_equal 0, gate(*words).code, words.inspect }
      end
    end
  end
end
