# frozen_string_literal: true

require_relative 'app_test'
require 'date'
require 'net/http'

# Databases whose tenants log in at a gateway: real jobs, servers, nginx, multitenant-gate and munge. The accounts in
# themselves: test/ruby/test_database_accounts.rb.
class TestGatewayDatabase < AppTest
  APP = 'multitenant-database'
  ON = { 'envelope' => 'munge', 'gateway' => 'auto' }.freeze
  OFF = { 'envelope' => 'auto', 'gateway' => 'off', 'keep_days' => '0' }.freeze
  ENGINES = %w[mariadb postgresql].freeze
  JSON_TYPE = { 'Content-Type' => 'application/json' }.freeze

  def setup
    super
    set(ON)
    @data = File.join(Bed::OURS, 'data', name)
    FileUtils.rm_rf(File.dirname(@data))
    FileUtils.mkdir_p(File.dirname(@data))
    FileUtils.chown('hpcfaculty', nil, File.dirname(@data))
  end

  def teardown
    Bed.cancel_all
    set(OFF)
  end

  def set(settings)
    AppJobs.configure(File.join(AppJobs.root(APP), 'site.yml'), settings)
  end

  def serve(engine, **values)
    @engine = engine
    submit(APP, SHARED.merge('version' => engine, 'db_data' => @data, 'db_name' => 'course', 'db_user' => 'owner',
                             'db_pass' => 'known to all of last term', 'db_rights' => 'read', 'db_own' => 'yes',
                             'mt_delivery_select' => 'DB_Conn sys/multitenant-delivery_default', **values))
  end

  # What a tenant's program does with what was shared with them.
  # @return [Array(String, Hash)] code and answer
  def login(job, user)
    gate = Bed.specs('hpcstudent').fetch(job.job_id.to_s).fetch('gate')
    proof = { purpose: 'multitenant-login', cluster: 'hpc', job: job.job_id, restarts: 0, door: gate['door'] }
    credential = Bed.as(user, 'munge', "--socket=#{ENV.fetch('MULTITENANT_TESTBED_MUNGE_SOCKET')}", '--ttl=60',
                        "--restrict-uid=#{Bed.uid('hpcfaculty')}", input: JSON.generate(proof)).out
    answer = Net::HTTP.post(URI("http://127.0.0.1:#{gate['port']}/multitenant/login"),
                            JSON.generate(credential: credential.strip), JSON_TYPE)
    [answer.code, JSON.parse(answer.body)]
  end

  # @return [Hash] user and password
  def account(job, user)
    code, told = login(job, user)
    assert_equal '200', code, told
    told.except('expires')
  end

  # What a client of theirs says to SQL.
  def query(job, account, sql)
    host, port, database = job.specs.values_at('host', 'port', 'database')
    name, password = account.values_at('user', 'password')
    if @engine == 'postgresql'
      env = { 'PGHOST' => host, 'PGPORT' => port, 'PGUSER' => name, 'PGDATABASE' => database, 'PGPASSWORD' => password }
      Bed.as('hpcstudent', *%w[psql -XAtqw -v ON_ERROR_STOP=1], input: sql, env: env)
    else
      Bed.as('hpcstudent', 'mariadb', '--no-defaults', '-BN', "-h#{host}", "-P#{port}", '-u', name, '-D', database,
             input: sql, env: { 'MYSQL_PWD' => password })
    end
  end

  def assert_rows(rows, *asked)
    done = query(*asked)
    assert_equal ['', rows], [done.err, done.out.split]
  end

  ENGINES.each do |engine|
    define_method("test_each_tenant_of_#{engine}_has_an_account_until_they_are_banned") do
      job = serve(engine).shared
      assert_empty job.specs.slice('user', 'password')
      owner, student = %w[hpcfaculty hpcstudent].map { |user| account(job, user) }
      assert_match(/\Amt_#{Bed.uid('hpcstudent')}_\h{8}\z/, student['user'])
      assert_equal student, account(job, 'hpcstudent')
      assert_equal(%w[403 not_recipient], login(job, 'outsider').then { |code, told| [code, told['code']] })
      assert_rows [], job, owner, 'CREATE TABLE lesson (n int); INSERT INTO lesson VALUES (301)'
      assert_rows ['301'], job, student, 'SELECT n FROM lesson'
      refute_equal 0, query(job, student, 'DELETE FROM lesson').code
      assert_rows ['7'], job, student, "CREATE TABLE #{student['user']}.a (n int); " \
                                       "INSERT INTO #{student['user']}.a VALUES (7); SELECT n FROM #{student['user']}.a"
      # Earlier tenants may know this one.
      refute_equal 0, query(job, { 'user' => 'owner', 'password' => 'known to all of last term' }, 'SELECT 1').code
      [owner, student].each { |one| refute_includes "#{job.log}#{job.file('connection.yml')}", one['password'] }

      told = Bed.multitenant('hpcfaculty', 'tenants', job.job_id.to_s)
      assert_match(/^hpcstudent +20\d\d-/, told.out, told.err)
      told = Bed.multitenant('hpcfaculty', 'ban', job.job_id.to_s, 'hpcstudent')
      assert_equal "hpcstudent is banned from job #{job.job_id}@hpc: its job goes by that now.\n", told.out, told.err
      refute_equal 0, query(job, student, 'SELECT 1').code
      assert_equal '403', login(job, 'hpcstudent').first
      assert_rows ['301'], job, owner, 'SELECT n FROM lesson'
      told = Bed.multitenant('hpcfaculty', 'unban', job.job_id.to_s, 'hpcstudent')
      assert_match(/its job goes by that now/, told.out, told.err)
      assert_rows ['301'], job, account(job, 'hpcstudent'), 'SELECT n FROM lesson'
    end
  end

  # What takes minutes: the job that follows starts one after the first, whose limit is longer than TERM comes early.
  module Long
    def decide(act, user)
      told = Bed.multitenant('hpcfaculty', act, 'verbs', user)
      assert_match(/ by that now/, told.out, told.err)
    end

    ENGINES.each do |engine|
      define_method("test_accounts_bans_and_data_of_#{engine}_are_the_same_after_a_hand_over") do
        set('keep_days' => '2')
        FileUtils.rm_rf(File.join(Bed.home('hpcfaculty'), '.local/state/multitenant/services/verbs@hpcGrp'))
        first = serve(engine, 'mt_until' => (Date.today + 1).to_s, 'mt_title' => 'Verbs',
                              'bc_num_hours' => '0.1').shared
        owner, student, banned = %w[hpcfaculty hpcstudent hpcstudent2].map { |user| account(first, user) }
        own = "#{student['user']}.a"
        assert_rows [], first, owner, 'CREATE TABLE lesson (n int); INSERT INTO lesson VALUES (301)'
        assert_rows [], first, student, "CREATE TABLE #{own} (n int); INSERT INTO #{own} VALUES (7)"
        decide('ban', 'hpcstudent2')

        second = successor(first)
        # Whoever has left the group meanwhile does not log in.
        refute_equal 0, query(second, student, 'SELECT 1').code
        assert_equal([student, owner], %w[hpcstudent hpcfaculty].map { |user| account(second, user) })
        assert_rows %w[301 7], second, student, "SELECT n FROM lesson; SELECT n FROM #{own}"
        assert_rows [], second, owner, 'INSERT INTO lesson VALUES (302)'
        assert_equal '403', login(second, 'hpcstudent2').first
        refute_equal 0, query(second, banned, 'SELECT 1').code
        decide('unban', 'hpcstudent2')
        assert_equal banned, account(second, 'hpcstudent2')
        assert_rows %w[301 302], second, banned, 'SELECT n FROM lesson ORDER BY n'
      end
    end

    # Who may only read it, or is banned, would get the password of its user.
    def test_a_database_that_had_a_gateway_is_not_served_without_after_a_restart
      FileUtils.mkdir_p(bin = File.join(Bed::OURS, 'bin'))
      File.write(File.join(bin, 'nginx'), <<~SH, perm: 0o755)
        #!/bin/sh
        [ ! -e #{bin}/no ] || exit 1
        exec /usr/sbin/nginx "$@"
      SH
      job = AppJobs.starting_up("PATH=#{bin}:$PATH\n") { serve('postgresql').shared }
      account(job, 'hpcstudent')
      FileUtils.touch(File.join(bin, 'no'))
      system('scontrol', 'requeue', job.job_id.to_s, exception: true)
      job.wait('ends', 240) { job.state == 'FAILED' }
      assert_match(/^this node has no nginx .*: nothing is served, as this service had a gateway before\.$/, job.log)
    ensure
      FileUtils.rm_rf(bin)
    end
  end
  include Long if ENV.key?('MULTITENANT_LONG')
end
