# frozen_string_literal: true

require_relative 'free_port'
require_relative 'helper'
require 'shellwords'

# Real servers of databases, as the database app's script.sh serves them in a job, and accounts in them, which the gate
# has accounts.sh make as this does.
module ServedDatabase
  TEMPLATE = File.join(Tree::ROOT, 'apps-services/multitenant-database/template')
  # One that every Debian has: servers ask for the owner's name.
  OWNER = 1
  # What others have in /tmp, or left there, is not its.
  JOB = Process.pid.to_s.freeze
  BOB = 'mt_2002_0000000b'
  EVE = 'mt_2003_0000000e'
  PUBLISHER = 'mt_1_00000001'
  PASSWORD = 'p' * 32
  NAME = %q(o'ur_"`db % €)
  ENGINES = %w[mariadb postgresql].freeze
  PROGRAMS = { 'mariadb' => '/usr/sbin/mariadbd', 'postgresql' => '/usr/lib/postgresql/*/bin/postgres' }.freeze
  DENIED = /denied|permission|must be/i
  LOCKED = /locked|not permitted to log in|no pg_hba.conf entry|pg_hba.conf rejects/

  def setup
    super
    need_root
    @dir = File.join(temporary, 'staged')
    [@dir, File.join(@dir, 'bin')].each { |dir| Dir.mkdir(dir) }
    FileUtils.cp([*Dir.glob("#{TEMPLATE}/*.sh"), MultiTenant::Sharing::JOB, MultiTenant::Sharing::PORT], @dir)
    FileUtils.cp(MultiTenant::Sharing::DATA, File.join(@dir, 'data.sh'))
    { 'squeue' => squeue_says('NODE_FAIL'), 'scontrol' => 'echo "ClusterName = test"' }.each do |name, body|
      File.write(File.join(@dir, 'bin', name), "#!/bin/bash\n#{body}\n", perm: 0o755)
    end
    FileUtils.chown_R(OWNER, OWNER, @dir)
    File.chmod(0o755, temporary)
  end

  # A job's script.sh, until the block ends.
  def serving(engine, rights: 'read', own: 'yes', accounts: 'port', user: "#{NAME}u")
    skip "there is no #{engine} here" if Dir.glob(PROGRAMS[engine]).empty?
    @engine = engine
    @port = FreePort.get
    answers = { 'datadir' => File.join(@dir, 'data'), 'database' => NAME, 'user' => user, 'password' => 'secret',
                'host' => '127.0.0.1', 'port' => @port, 'mt_rights' => rights, 'mt_own' => own, 'mt_connections' => 2,
                'mt_accounts' => accounts, 'mt_kind' => engine, 'mt_modules' => '', 'mt_share_superuser' => 'no' }
    job = answers.map { |name, value| "#{name}=#{value.to_s.shellescape}" }.join(' ')
    env = { 'PATH' => "#{@dir}/bin:/usr/sbin:#{ENV.fetch('PATH')}", 'SLURM_JOB_ID' => JOB, 'LANG' => 'C.UTF-8',
            'SLURM_CLUSTER_NAME' => 'test', 'TMPDIR' => '/tmp', 'HOME' => @dir }
    log = File.join(temporary, 'said')
    pid = spawn(env, 'setpriv', '--reuid', OWNER.to_s, '--regid', OWNER.to_s, '--clear-groups', 'bash', '-c',
                "source ./multitenant-job; export #{job}; exec bash ./script.sh",
                chdir: @dir, unsetenv_others: true, %i[out err] => log)
    wait_until { File.size?(File.join(@dir, 'ready')) || Process.wait(pid, Process::WNOHANG) }
    flunk(File.read(log)) unless File.exist?(File.join(@dir, 'ready'))
    assert_equal "#{accounts.empty? ? 'usable' : 'accounts'}\n", File.read(File.join(@dir, 'ready')), File.read(log)
    yield
  ensure
    Process.kill(:TERM, pid) && Process.wait(pid) if pid && File.exist?("/proc/#{pid}/stat")
  end

  # What users have in their start-up files does not count.
  def gate(*words)
    run_as(OWNER, 'bash', File.join(@dir, 'accounts.sh'), File.join(@dir, 'accounts'),
           stdin: "#{words.join(' ')}\n", env: { 'PGOPTIONS' => '-c x=1', 'MARIADB_HOME' => '/nowhere' })
  end

  def login(*accounts)
    accounts.each do |account|
      done = gate('login', account, PASSWORD, 'bob')
      assert_equal ['', '', 0], [done.err, done.out, done.code]
    end
  end

  # The owner's words to the server.
  def administrate(sql)
    dir = Dir.glob("/tmp/multitenant-db.#{JOB}.*").find { |path| File.stat(path).uid == OWNER }
    argv = ['mariadb', '-BN', "--socket=#{dir}/socket", '-u', Etc.getpwuid(OWNER).name]
    argv = ['psql', '-XAtqh', dir, '-p', @port.to_s, '-U', 'postgres'] if @engine == 'postgresql'
    run_as(OWNER, *argv, stdin: sql).out.chomp
  end

  # @param settings [Hash{String => Integer}] and which PostgreSQL has each first
  def known(settings)
    settings.select { |_, first| first <= File.read(File.join(@dir, 'data/PG_VERSION')).to_i }.keys
  end

  # @return [Done]
  def query(account, sql, database: NAME, password: PASSWORD)
    host = '127.0.0.1'
    if @engine == 'postgresql'
      env = { 'PGHOST' => host, 'PGPORT' => @port.to_s, 'PGUSER' => account, 'PGDATABASE' => database,
              'PGPASSWORD' => password }
      run_as(nil, 'psql', '-XAtqw', '-v', 'ON_ERROR_STOP=1', stdin: sql, env: env)
    else
      argv = ['mariadb', '--no-defaults', '--default-character-set=utf8mb4', '-BN', '-h', host, '-P', @port.to_s,
              '--skip-ssl-verify-server-cert'] # else 11.8 warns, as MYSQL_PWD is no password to it
      run_as(nil, *argv, '-u', account, '-D', database, stdin: sql, env: { 'MYSQL_PWD' => password })
    end
  end

  def assert_rows(expected, account, sql, **options)
    done = query(account, sql, **options)
    assert_equal ['', expected], [done.err, done.out.split]
  end

  def refute_done(pattern, account, sql, **options)
    done = query(account, sql, **options)
    assert_match(pattern, done.err)
    refute_equal 0, done.code
  end
end
