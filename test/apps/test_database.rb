# frozen_string_literal: true

require_relative 'app_test'
require 'cgi'
require 'date'
require 'erb'
require 'ostruct'

# MariaDB and PostgreSQL in a job, for real clients of others.
class TestDatabase < AppTest
  APP = 'multitenant-database'
  RANDOM = Random.new(4)
  PASSWORD = ["'", '"', '|', '\\', '€', ' ', *Array.new(58) { (33 + RANDOM.rand(94)).chr }].shuffle(random: RANDOM).join
  NAME = %q(o'ur_"`db % €)
  ENGINES = %w[mariadb postgresql].freeze
  POSTGRES = File.dirname(Dir.glob('/usr/lib/postgresql/*/bin/postgres').max)
  SPIED = %w[mariadb mariadb-admin mariadb-install-db].to_h { |name| [name, "/usr/bin/#{name}"] }.merge(
    %w[postgres initdb pg_isready psql].to_h { |name| [name, File.join(POSTGRES, name)] }
  ).freeze
  # What servers say when they have ended as they should, and when they find that they have not.
  ENDED = { 'mariadb' => /Shutdown complete/, 'postgresql' => /database system is shut down/ }.freeze
  SLEEP = { 'mariadb' => 'SELECT sleep(300)', 'postgresql' => 'SELECT pg_sleep(300)' }.freeze
  AT_WORK = { 'mariadb' => "SELECT count(*) FROM information_schema.processlist WHERE info = '#{SLEEP['mariadb']}'",
              'postgresql' => "SELECT count(*) FROM pg_stat_activity WHERE query = '#{SLEEP['postgresql']}'" }.freeze
  ALL_RIGHTS = { 'mariadb' => %(GRANT ALL ON *.* TO "#{"#{NAME}u".gsub('"', '""')}"@'%'),
                 'postgresql' => %(ALTER ROLE "#{"#{NAME}u".gsub('"', '""')}" SUPERUSER) }.freeze
  # What users have in their start-up files for other clusters, servers and databases.
  EXPORTS = {
    'SQUEUE_PARTITION' => 'nowhere', 'SQUEUE_FORMAT' => '%j', 'SQUEUE_STATES' => 'PENDING', 'SQUEUE_USERS' => 'root',
    'SLURM_CLUSTERS' => 'nowhere', 'SLURM_TIME_FORMAT' => 'relative', 'SCONTROL_ALL' => '1', 'SACCT_FORMAT' => 'user',
    'PGHOSTADDR' => '127.0.0.9', 'PGSERVICE' => 'mine', 'PGSSLMODE' => 'verify-full', 'PGOPTIONS' => '-c nonsense=1',
    'PGREQUIREPEER' => 'root', 'PGTARGETSESSIONATTRS' => 'standby', 'PGDATA' => '/none', 'PSQLRC' => '/etc/passwd',
    'MYSQL_HOST' => '127.0.0.9', 'MYSQL_PWD' => 'mine', 'MYSQL_UNIX_PORT' => '/none', 'MARIADB_UNIX_PORT' => '/none',
    'LIBMYSQL_PLUGINS' => 'nosuch', 'MARIADB_PLUGIN_DIR' => '/nonexistent', 'MYSQL_HOME' => '/nonexistent',
    'MARIADB_HOME' => '/nonexistent', 'MYSQL_GROUP_SUFFIX' => 'x', 'http_proxy' => 'http://127.0.0.9:9',
    'all_proxy' => 'http://127.0.0.9:9'
  }.freeze
  CRASHED = /not properly shut down|not shut down cleanly|crash recovery/i

  # Of a bed whose host was switched off, say.
  BEFORE = Dir.glob('/tmp/multitenant-db.*')

  def setup
    super
    @data = File.join(Bed::OURS, 'data', name)
    FileUtils.rm_rf(File.dirname(@data))
    FileUtils.mkdir_p(File.dirname(@data))
    FileUtils.chown('hpcfaculty', nil, File.dirname(@data))
  end

  # It takes minutes: the job that follows starts one after the first, whose limit is longer than TERM comes early.
  module Long
    ENGINES.each do |engine|
      define_method("test_a_hand_over_of_#{engine}") do
        site = File.join(AppJobs.root(APP), 'site.yml')
        AppJobs.configure(site, 'keep_days' => '30')
        first = serve(engine, password: '', mt_until: (Date.today + 1).to_s, bc_num_hours: '0.1').shared
        specs = first.specs
        assert_equal 0, query(engine, specs, 'CREATE TABLE a (n int); INSERT INTO a VALUES (301)').code
        waits = nil
        Bed.wait('another job serves', 240) do
          waits ||= first.specs&.fetch('handing_over', nil)
          Bed.specs('hpcstudent').keys.any? { |job| job != first.job_id.to_s }
        end
        # The card was never without one of them.
        assert_equal 'yes', waits
        Bed.wait('the first one is not shared', 60) { Bed.specs('hpcstudent').size == 1 }
        now = Bed.specs('hpcstudent').values.first['connection']
        assert_equal specs['password'], now['password']
        assert_equal "301\n", query(engine, now, 'SELECT n FROM a').out
        Bed.wait('the first one ends', 150) { first.ended? }
        refute_match CRASHED, File.read("#{first.dir}/gen-1/output.log")
        assert_equal 'COMPLETED', first.state
      ensure
        AppJobs.configure(site, 'keep_days' => '0')
      end
    end
  end
  include Long if ENV.key?('MULTITENANT_LONG')

  def teardown
    FileUtils.rm_f(@misleading.to_a)
    Bed.cancel_all
  end

  def serve(engine, password: PASSWORD, **values)
    submit(APP, SHARED.merge('version' => engine, 'db_data' => @data, 'db_name' => NAME, 'db_user' => "#{NAME}u",
                             'db_pass' => password, 'mt_delivery_select' => 'DB_Conn sys/multitenant-delivery_default',
                             **values.transform_keys(&:to_s)))
  end

  # What a student's client says to SQL, by what the specs tell.
  def query(engine, specs, sql, user: 'hpcstudent')
    host, port, name, password, database = specs.values_at('host', 'port', 'user', 'password', 'database')
    if engine == 'postgresql'
      argv = %w[psql -XAtqw -v ON_ERROR_STOP=1]
      env = { 'PGHOST' => host, 'PGPORT' => port, 'PGUSER' => name, 'PGDATABASE' => database, 'PGPASSWORD' => password }
    else
      argv = ['mariadb', '--no-defaults', '--default-character-set=utf8mb4', '-BN', "-h#{host}", "-P#{port}",
              '-u', name, '-D', database]
      env = { 'MYSQL_PWD' => password }
    end
    Bed.as(user, *argv, input: sql, env: env)
  end

  def assert_answer(expected, engine, job, sql)
    result = query(engine, job.specs, sql)
    assert_equal [expected, ''], [result.out.chomp, result.err]
  end

  def private_directories(job)
    Dir.glob("/tmp/multitenant-db.#{job.job_id}.*").select do |path|
      File.stat(path).uid == Bed.uid('hpcfaculty') && !BEFORE.include?(path)
    end
  end

  # The owner's words to the server, through the socket that nobody else can reach.
  def administrate(engine, job, sql)
    dir = private_directories(job).first
    assert_equal '700', format('%o', File.stat(dir).mode & 0o777)
    argv = engine == 'postgresql' ? ['psql', '-Xqh', dir, '-U', 'postgres'] : ['mariadb', "--socket=#{dir}/socket"]
    env = { 'PGPORT' => File.basename(Dir.glob("#{dir}/.s.*").first.to_s)[/\d+/].to_s }
    assert_equal '', Bed.as('hpcfaculty', *argv, input: sql, env: env).err
  end

  # Arguments of all programs of the databases that the job runs while it starts, and the server's own as others see
  # them. Clients end, or hide their arguments, too soon for being looked at.
  def watching
    spies = File.join(Bed::OURS, 'spies')
    seen = File.join(File.dirname(@data), 'seen')
    FileUtils.mkdir_p(spies)
    SPIED.each { |name, program| spy(File.join(spies, name), program, seen) }
    path = ENV.fetch('PATH')
    ENV['PATH'] = "#{spies}:#{path}"
    yield
    [File.binread(seen), *Dir.glob('/proc/[0-9]*/cmdline').map { |file| read(file) }]
  ensure
    ENV['PATH'] = path
    FileUtils.rm_rf(spies)
  end

  def spy(file, program, seen)
    File.write(file, %(#!/bin/bash\nprintf '%s\\0' "$0" "$@" >>#{seen.shellescape}\nexec #{program} "$@"\n))
    File.chmod(0o755, file)
  end

  def read(file)
    File.binread(file)
  rescue SystemCallError
    ''
  end

  def refute_told(secret, job, command_lines)
    assert_includes command_lines.first, '/spies/'
    assert(command_lines.drop(1).any? { |line| line.include?(@data) }, 'the server was seen')
    refute(command_lines.any? { |line| line.include?(secret.b) }, 'no command line holds the password')
    refute_includes job.log, secret
  end

  def assert_private
    assert_equal '700', format('%o', File.stat(@data).mode & 0o777)
    open = Dir.glob(File.join(@data, '**/*'), File::FNM_DOTMATCH).select { |path| File.lstat(path).mode.anybits?(0o007) }
    assert_empty(open.reject { |path| File.symlink?(path) })
  end

  def assert_clean_end(engine, job)
    assert_match ENDED[engine], job.log
    assert_equal [@data], Dir.glob("#{@data}*")
    assert_empty Dir.glob("{#{@data},#{job.dir}}/{.multitenant-job*,*.pid,*.sock,*.lock,ready}", File::FNM_DOTMATCH)
    left = private_directories(job)
    assert_empty left, -> { "in them: #{left.flat_map { |dir| Dir.glob("#{dir}/**/*") }}; its log:\n#{job.log}" }
  end

  # What the owner's card says.
  def card(job)
    view = File.read(File.join(AppJobs.root(APP), 'view.html.erb'))
    names = OpenStruct.new(job.connection) # rubocop:disable Style/OpenStructUse -- as OOD does
    html = ERB.new(view, trim_mode: '-').result(names.instance_eval { binding })
    CGI.unescapeHTML(html.gsub(/<[^>]*>/, ''))
  end

  def assert_not_shared(sentence, job)
    assert_match(/\ANot shared: #{sentence}/, job.connection['mt_shared'])
    assert_match sentence, job.log
    refute_includes job.name, '|'
    assert_includes card(job), job.connection['mt_shared']
  end

  def misleading_files
    { '.my.cnf' => "[client]\nhost=127.0.0.9\nuser=mine\npassword=mine\n", '.psqlrc' => "nonsense;\n",
      '.pg_service.conf' => "[mine]\nhost=127.0.0.9\n", '.curlrc' => "url = http://127.0.0.9/\n" }.each do |name, text|
      path = File.join(Bed.home('hpcfaculty'), name)
      File.write(path, text)
      (@misleading ||= []) << path
    end
  end

  def lock(text, owner)
    path = File.join(@data, '.multitenant-job')
    FileUtils.rm_f(path)
    File.symlink(text, path)
    File.lchown(Bed.uid(owner), nil, path)
  end

  def outcome(job)
    job.wait('ends', 60) { job.ended? }
    job.log
  end

  # Another server of the publisher's, on the same node, removes them where it starts in the same directory.
  def assert_own_temporary_tables(job)
    assert_equal "#{private_directories(job).first}/tmp", query('mariadb', job.specs, 'SELECT @@tmpdir').out.strip
  end

  ENGINES.each do |engine|
    define_method("test_a_class_uses_#{engine}") do
      job = nil
      lines = watching { job = serve(engine).shared }
      refute_told PASSWORD, job, lines
      assert_private
      assert_equal [NAME, "#{NAME}u", PASSWORD], job.specs.values_at('database', 'user', 'password')
      assert_match(%r{\Ajdbc:#{engine}://127.0.0.1:#{job.specs['port']}/o%27ur_%22%60db%20%25%20%E2%82%AC\z},
                   job.specs['jdbc_url'])
      assert_equal [NAME, PASSWORD], job.connection.values_at('database', 'password')
      assert_match(/Shared with \d other members? of hpcGrp, /, card(job))
      assert_includes card(job), "PasswordShow password#{PASSWORD}"
      assert_equal ["written #{job.id}"], Bed.cards('hpcstudent')

      assert_answer 'äöü€', engine, job, "CREATE TABLE t (x TEXT); INSERT INTO t VALUES ('äöü€'); SELECT x FROM t;"
      refute_equal 0, query(engine, job.specs.merge('password' => 'x'), 'SELECT 1').code
      refute_equal 0, query(engine, job.specs, 'CREATE DATABASE other').code

      assert_match(/Job #{job.job_id} on .* serves #{@data} already/, outcome(serve(engine)))
      assert_answer '1', engine, job, 'SELECT count(*) FROM t'

      client = Thread.new { query(engine, job.specs, SLEEP[engine]) }
      Bed.wait('a client is at work') { !query(engine, job.specs, AT_WORK[engine]).out.strip.eql?('0') }
      job.cancel
      refute_equal 0, client.value.code
      assert_clean_end engine, job
      Bed.wait('the card goes') { Bed.cards('hpcstudent') == ["removed #{job.id}"] }

      again = serve(engine).shared
      assert_answer 'äöü€', engine, again, 'SELECT x FROM t'
      refute_match CRASHED, again.log
    end

    define_method("test_a_restart_and_the_time_limit_with_#{engine}") do
      FileUtils.mkdir(@data)
      FileUtils.chown('hpcfaculty', nil, @data)
      killed = serve(engine, password: '')
      Bed.wait('it is being made') { Dir.glob("#{@data}.new.*").any? }
      Bed.as('hpcfaculty', 'scancel', '--full', '--signal=KILL', killed.job_id)
      outcome(killed)
      assert_empty Dir.children(@data), 'what is half made is elsewhere'
      Bed.wait('its programs have ended') do
        Dir.glob('/proc/[0-9]*/cmdline').none? { |file| read(file).include?(@data.b) }
      end
      FileUtils.rm_rf([*Dir.glob("#{@data}.new.*"), *private_directories(killed)])

      job = nil
      lines = watching { job = serve(engine, password: '').shared }
      before = job.specs
      assert_match(/\A[A-Za-z0-9]{24}\z/, before['password'])
      refute_told before['password'], job, lines
      assert_answer '', engine, job, 'CREATE TABLE t (x INT); INSERT INTO t VALUES (7);'

      Bed.as('hpcfaculty', 'scontrol', 'requeue', job.job_id)
      Bed.wait('it is shared again', 120) { job.specs && job.specs != before }
      assert_equal before['password'], job.shared.specs['password']
      assert_answer '7', engine, job, 'SELECT x FROM t'
      refute_match CRASHED, job.log

      Bed.as('hpcfaculty', 'scontrol', 'update', "JobId=#{job.job_id}", 'TimeLimit=3')
      job.wait('its time ends', 200) { job.state == 'COMPLETED' }
      assert_clean_end engine, job
    end

    define_method("test_what_is_not_served_of_#{engine}") do
      FileUtils.mkdir(@data)
      File.write(File.join(@data, 'thesis.tex'), 'x')
      FileUtils.chown_R('hpcfaculty', nil, @data)
      assert_match(/#{@data} is neither empty nor a data directory of #{engine}/, outcome(serve(engine)))
      assert_equal %w[thesis.tex], Dir.children(@data)
      assert_match(/The database user holds a control character/, outcome(serve(engine, db_user: "a\nb")))
      assert_match(%r{must be a whole path, from / on: ~/verbs}, outcome(serve(engine, db_data: '~/verbs')))
    end

    # Two servers on one directory lose rows.
    define_method("test_a_running_jobs_lock_of_#{engine}_is_kept_whatever_users_export") do
      stranger = TCPServer.new('127.0.0.1', 0)
      AppJobs.exporting(EXPORTS.merge('MYSQL_TCP_PORT' => stranger.addr[1].to_s)) do
        misleading_files
        job = serve(engine).shared
        assert_answer '1', engine, job, 'SELECT 1'
        assert_own_temporary_tables job if engine == 'mariadb'
        assert_match(/Job #{job.job_id} on .* serves #{@data} already/, outcome(serve(engine)))
        job.cancel
      end
      assert_equal :wait_readable, stranger.accept_nonblock(exception: false), 'nobody else was asked'
      ['999999 other node9', "#{Bed.submit('hpcfaculty', '--hold')} hpc node9"].each do |other|
        lock(other, 'hpcfaculty')
        assert_match(/Job #{other[/\d+/]} on node9 serves #{@data} already/, outcome(serve(engine)))
      end
      lock('999999 hpc node9', 'outsider')
      assert_match(/Job 999999 on node9 serves #{@data} already/, outcome(serve(engine)))
    ensure
      stranger&.close
    end

    # That job's server runs on what is there. It would recover nothing later if this one said that there is nothing to.
    define_method("test_a_server_of_#{engine}_whose_directory_another_job_has_ends_as_by_a_crash") do
      job = serve(engine).shared
      assert_answer '', engine, job, 'CREATE TABLE t (x INT); INSERT INTO t VALUES (7);'
      lock('999999 hpc node9', 'hpcfaculty')
      _, taken, after = outcome(job).partition("Job 999999 has taken #{@data}")
      refute_empty taken
      refute_match ENDED[engine], after
      assert_path_exists File.join(@data, 'postmaster.pid') if engine == 'postgresql'
      assert_empty private_directories(job)
      FileUtils.rm(File.join(@data, '.multitenant-job'))
      again = serve(engine).shared
      assert_match CRASHED, again.log
      assert_answer '7', engine, again, 'SELECT x FROM t'
    end

    define_method("test_what_is_not_shared_of_#{engine}") do
      job = serve(engine).shared
      job.cancel
      lock('999999 hpc node9', 'hpcfaculty')
      job = serve(engine, password: 'another')
      assert_not_shared(/The user .* can't use the database .* with that password: /, job)
      assert_match(/Job 999999 on node9 left #{@data} without a proper end/, job.log)

      administrate(engine, job, ALL_RIGHTS[engine])
      job.cancel
      job = serve(engine)
      assert_not_shared(/The user .* has rights on the whole server/, job)
      job.cancel
      assert_clean_end engine, job
    end
  end
end
