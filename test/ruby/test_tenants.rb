# frozen_string_literal: true

require_relative 'helper'
require_relative 'login_node'
require_relative 'nfs_home'
require 'digest'
require 'minitest/mock'
require 'time'
require 'multitenant/apps/gate_state'

# What owners see of those who use their service through its gateway, and say about them. What gates make of it, with a
# real one: test/ruby/test_gate.rb.
class TestTenants < MultiTenantTest
  include LoginNode
  include NfsHome

  NONE = Digest::SHA256.hexdigest('')

  def told(*argv, **env)
    env = { 'HOME' => @home, 'OOD_CLUSTERS' => @clusters, 'TZ' => 'Europe/Berlin', **env.transform_keys(&:to_s) }
    multitenant(*argv, as: OWNER, env: env)
  end

  # @param seen [Array<String>] members whose gates have read the lists
  # @return [String] its directory
  def gate(*seen, in_dir: state)
    dir = File.join(in_dir, 'gate')
    FileUtils.mkdir_p(File.join(dir, 'log'))
    seen.each { |member| File.write(File.join(dir, "seen.#{member}"), "#{NONE} #{NONE}\n") }
    FileUtils.chown_R(OWNER, OWNER, @home)
    dir
  end

  # As nginx writes it.
  def row(user, uid, time, bytes: 10, path: '/v1/models')
    told = { time: time, user: user, uid: uid, method: 'GET', path: path, status: 200, bytes: bytes, ms: 3 }
    "#{JSON.generate(told)}\n"
  end

  def log(dir, name, *lines)
    File.write(File.join(dir, 'log', name), lines.join, perm: 0o644)
  end

  # Gates that take a change over while a command waits.
  def with_gates(dir, *members)
    stop = false
    gates = Thread.new do
      until stop
        sums = %w[banned limits].map do |name|
          path = File.join(dir, name)
          Digest::SHA256.hexdigest(File.exist?(path) ? File.binread(path) : '')
        end
        members.each { |member| File.write(File.join(dir, "seen.#{member}"), "#{sums.join(' ')}\n") }
        sleep 0.05
      end
    end
    yield
  ensure
    stop = true
    gates&.join
  end

  def list(dir, name)
    File.binread(File.join(dir, name))
  end

  # ---- ban, unban, limit ----

  def test_a_ban_says_in_how_many_jobs_it_acts
    jobs(7 => 'RUNNING', 8 => 'RUNNING', 9 => 'COMPLETED')
    dir = gate('7@hpc', '8@hpc', '9@hpc', '10@hpc')
    log(dir, '8@HPC.gate', "#{(Time.now - 99).utc.iso8601} streams_not_cut\n")
    with_gates(dir, '7@hpc', '8@hpc') do
      assert_told "2002 is banned from spanish@students: all 2 jobs of it go by that now.\n", 'ban', 'spanish', '2002'
      assert_told "daemon is banned from spanish@students: all 2 jobs of it go by that now.\n", 'ban', 'spanish',
                  'daemon'
    end
    assert_equal "1\n2002\n", list(dir, 'banned')
    assert_equal 0o600, File.stat(File.join(dir, 'banned')).mode & 0o777
    log(dir, '8@HPC.gate', "#{(Time.now - 99).utc.iso8601} streams_not_cut\n")
    with_gates(dir, '7@hpc', '8@hpc') do
      assert_told "2002 is let into spanish@students again: all 2 jobs of it go by that now.\n", 'unban', 'spanish',
                  '2002'
      assert_told "2002 is not banned from spanish@students: all 2 jobs of it go by that now.\n", 'unban', 'spanish',
                  '2002'
      log(dir, '8@HPC.gate', "#{(Time.now + 99).utc.iso8601} streams_not_cut\n")
      out = told('ban', 'spanish', '2002').out
      assert_match(/go by that now\.\nAn answer that they are getting already goes on to its end, which/, out)
    end
    assert_refused 64, 'There is no user `nobody-here` on this host', 'ban', 'spanish', 'nobody-here'
  end

  # Students' numbers are user names at some sites, and may be too large for a uid. No gate takes a list with one.
  def test_a_name_that_is_a_number_goes_before_a_uid_and_none_is_written_that_no_gate_takes
    dir = gate
    account = Struct.new(:uid).new(105_233)
    names = ->(name) { name == '20231234' ? account : raise(ArgumentError) }
    Etc.stub(:getpwnam, names) do
      %w[20231234 2002 4294967294].each { |word| assert_equal 0, told('ban', 'spanish', word).code }
      %w[9912345678 4294967295 -1 0x10].each do |word|
        assert_refused 64, "There is no user `#{word}` on this host", 'ban', '--', 'spanish', word
        assert_refused 64, "There is no user `#{word}` on this host", 'limit', '--', 'spanish', word, '5'
      end
    end
    assert_equal "2002\n105233\n4294967294\n", list(dir, 'banned')
    refute_path_exists File.join(dir, 'limits')
  end

  # As a release before wrote them.
  def test_lines_that_no_gate_takes_go_with_the_next_command
    dir = gate
    { 'banned' => "2002\n9912345678\n", 'limits' => "* 60\n9912345678 5\n" }.each do |name, text|
      File.write(path = File.join(dir, name), text)
      File.chown(OWNER, OWNER, path)
    end
    assert_equal([2002], JSON.parse(told('tenants', 'spanish', '--json').out)['tenants'].map { |one| one['uid'] })
    told('ban', 'spanish', '2003')
    told('limit', 'spanish', '2004', '7')
    assert_equal ["2002\n2003\n", "* 60\n2004 7\n"], [list(dir, 'banned'), list(dir, 'limits')]
  end

  # The command's clock runs twenty times as fast.
  def test_a_job_whose_gate_does_not_take_it_over_is_named
    jobs(7 => 'RUNNING', 8 => 'RUNNING')
    dir = gate('7@hpc', '8@hpc')
    File.write(File.join(dir, 'seen.8@hpc'), "#{NONE} #{Digest::SHA256.hexdigest("* 60\n")}\n")
    start = MultiTenant.clock
    MultiTenant.stub(:clock, -> { start + (20 * (Process.clock_gettime(Process::CLOCK_MONOTONIC) - start)) }) do
      assert_told 'Each tenant has 60 requests a minute in spanish@students: 1 of 2 jobs go by that now. Job 7 did ' \
                  "not take it over in 10 s: see its output.log.\n", 'limit', 'spanish', '60'
    end
    assert_equal "* 60\n", list(dir, 'limits')
  end

  def test_limits_are_each_tenants_or_all
    dir = gate
    [%w[60], %w[2002 5], %w[2003 1], %w[2003 default], %w[2004 0]].each do |words|
      assert_equal 0, told('limit', 'spanish', *words).code
    end
    assert_equal "* 60\n2002 5\n2004 0\n", list(dir, 'limits')
    assert_told 'Each tenant has no limit of their own in spanish@students: no gateway of it runs now, and those to ' \
                "come go by it. Without one, whoever has its key or password is in.\n", 'limit', 'spanish', 'default'
    assert_equal "2002 5\n2004 0\n", list(dir, 'limits')
    %w[-1 1.5 1000001 many].each { |rate| assert_equal 64, told('limit', '--', 'spanish', rate).code, rate }
    assert_refused 64, 'multitenant limit takes a service and \[USER\] and RATE, not `spanish`', 'limit', 'spanish'
    state(n1: { job: 7, dir: '/x/batch_connect/sys/multitenant-database/output/one/gen-0' })
    File.write(File.join(File.dirname(dir), 'session'), "one\n", perm: 0o644)
    assert_match(/\nOf databases, MariaDB goes by it from a tenant's next login on.* PostgreSQL counts none\.\n\z/,
                 told('limit', 'spanish', '60').out)
  end

  # ---- which gateway ----

  def test_a_job_without_a_service_has_a_gateway_too
    jobs(7 => 'RUNNING')
    state(n1: { job: 9 })
    dir = gate('7@hpc', in_dir: File.join(@home, '.local/state/multitenant/jobs/7@hpc'))
    with_gates(dir, '7@hpc') do
      assert_told "2002 is banned from job 7@hpc: its job goes by that now.\n", 'ban', '7', '2002'
    end
    gate(in_dir: File.join(@home, '.local/state/multitenant/jobs/7@other'))
    assert_refused 64, 'You have a job 7 on several clusters: name one as ID@CLUSTER', 'ban', '7', '2002'
    assert_told "Nobody has used job 7@other yet.\n", 'tenants', '7@other'
    assert_refused 64, 'You have no gateway of a service or job `8`', 'tenants', '8'
    assert_refused 65, 'spanish@students has no gateway: whoever knows its key', 'tenants', '9'
    strange = File.join(@home, '.local/state/multitenant/jobs/7@other/gate')
    FileUtils.chown(0, 0, strange)
    assert_refused 64, 'You have no gateway of a service or job `7@other`', 'ban', '7@other', '2002'
  end

  # As after the class, and where the node of a service that is launched anew lacks nginx.
  def test_nothing_is_promised_of_a_job_that_is_over_nor_of_one_without_a_gateway
    gate(in_dir: File.join(@home, '.local/state/multitenant/jobs/7@hpc'))
    assert_told "2002 is banned from job 7@hpc: no gateway of it runs now, and no other job goes by that.\n",
                'ban', '7', '2002'
    jobs(9 => 'RUNNING')
    state(n1: { job: 9 })
    gate
    assert_told '2002 is banned from spanish@students: no gateway of it runs now, and those to come go by it. ' \
                "Without one, whoever has its key or password is in.\n", 'ban', 'spanish', '2002'
  end

  # What is not shared any more is used on by those who have it, which its owner may not expect.
  def test_who_is_let_in_where_a_share_was_taken_back
    jobs(7 => %w[RUNNING a|b|c], 9 => %w[RUNNING a|b|c])
    let_in = "Its gateway still lets in whoever has it by now: `multitenant ban` shuts people out.\n"
    gate(in_dir: File.join(@home, '.local/state/multitenant/jobs/7@hpc'))
    assert_told "Job 7 is not shared any more, and runs on.\n#{KNOWN}", 'unshare', '7'
    gate('7@hpc', in_dir: File.join(@home, '.local/state/multitenant/jobs/7@hpc'))
    assert_told "Job 7 is not shared any more, and runs on.\n#{let_in}", 'unshare', '7'
    gate('8@hpc')
    assert_told "spanish@students is not shared any more within ten seconds; its jobs run on.\n#{let_in}",
                'unshare', 'spanish'
    assert_told "spanish@students is shared again within ten seconds; its jobs run on.\n", 'unshare', '--undo',
                'spanish'
  end

  # ---- tenants ----

  def test_tenants_are_read_from_the_logs_of_all_members
    dir = gate
    log(dir, '7@hpc.jsonl', row('bob', 2002, 1_800_000_300.25, bytes: 2_500_000), row('', nil, 1_800_000_400),
        row('eve', 2003, 1_800_000_100, path: '/_').b.sub('_', "\xff".b), '{"time":18000004')
    log(dir, '7@hpc.jsonl.1', row('bob', 2002, 1_800_000_000.5), "\xff\n")
    log(dir, '8@hpc.jsonl', row('bob', 2002, 1_800_000_200, path: "/\n\"x"))
    log(dir, '8@hpc.gate', "2027-01-15T07:59:59Z login uid=1 addr=127.0.0.1\n",
        "2027-01-15T08:00:01Z login_expired uid=2005 addr=127.0.0.1\n", "2027-99-15T08:00:01Z login uid=1\n",
        "2027-01-15T05:13:20Z login uid=2002\n")
    File.symlink('/etc/passwd', File.join(dir, 'log/9@hpc.jsonl'))
    told('limit', 'spanish', '60')
    told('ban', 'spanish', '2009')
    told('limit', 'spanish', '2002', '0')
    assert_told <<~TABLE, 'tenants', 'spanish'
      USER    SINCE             LAST SEEN         REQUESTS  BYTES   LIMIT
      bob     2027-01-15 06:13  2027-01-15 09:05  3         2.5 MB
      eve     2027-01-15 09:01  2027-01-15 09:01  1         10 B    60 a minute
      daemon  2027-01-15 08:59  2027-01-15 08:59  0         0 B     60 a minute
      2009                                        0         0 B     banned
    TABLE
    told = JSON.parse(told('tenants', 'spanish', '--json').out)
    assert_equal 'spanish@students', told['service']
    assert_equal({ 'user' => 'bob', 'uid' => 2002, 'since' => 1_799_990_000, 'last' => 1_800_000_300, 'requests' => 3,
                   'bytes' => 2_500_020, 'banned' => false, 'limit' => 0 }, told['tenants'].first)
  end

  def test_a_log_is_read_line_by_line
    dir = gate
    File.open(File.join(dir, 'log/7@hpc.jsonl'), 'w') do |file|
      (40 << 10).times { |i| file.write(row("u#{i % 50}", 3000 + (i % 50), 1_800_000_000 + i, path: 'x' * 400)) }
      file.write("{\"path\":\"#{'x' * (20 << 20)}\"}\n#{row('last', 4000, 1)}")
    end
    File.chown(OWNER, OWNER, File.join(dir, 'log/7@hpc.jsonl'))
    count, more = as_user(uid: OWNER) do
      found = MultiTenant::GateState.at(dir)
      before = rss
      tenants = found.tenants
      [tenants.sum(&:requests), rss - before, found.users(0)].then { |sum, kib, used| [[sum, *used], kib] }
    end
    assert_equal [(40 << 10) + 1, 1, true], count
    assert_operator more, :<, 60_000, 'KiB more than before'
  end

  def rss
    File.read('/proc/self/status')[/^VmRSS:\s*(\d+)/, 1].to_i
  end

  def test_how_many_used_it_is_told_from_the_ends_of_the_logs
    dir = gate
    log(dir, '7@hpc.jsonl', row('bob', 2002, 100), row('eve', 2003, 200.5), row('bob', 2002, 300), row('', nil, 300))
    log(dir, '8@hpc.jsonl', row('eve', 2003, 400), row('mia', 2004, 400))
    # Nobody makes requests of a database.
    log(dir, '9@hpc.gate', "1970-01-01T00:06:40Z login uid=2005 addr=::1\n", "1970-01-01T00:06:41Z banned uid=2006\n")
    found = as_user(uid: OWNER) do
      one = MultiTenant::GateState.at(dir)
      [[150], [350], [0], [150, 750], [150, 390], [Time.now.to_i + 5]].map { |words| one.users(*words) }
    end
    assert_equal [[4, false], [3, false], [4, false], [4, true], [2, true], [0, false]], found
  end

  def test_a_list_that_cannot_be_read_is_not_written_anew
    dir = gate
    File.write(banned = File.join(@home, 'banned'), "2002\n")
    File.symlink(banned, File.join(dir, 'banned'))
    done = told('ban', 'spanish', '2003')
    assert_equal 74, done.code
    assert_match(/\Amultitenant: what was asked for could not be written or read: Too many levels/, done.err)
    assert_equal ["2002\n", true], [File.read(banned), File.symlink?(File.join(dir, 'banned'))]
  end

  def test_what_was_written_on_another_host_counts_by_nfs
    FileUtils.mkdir_p(File.join(temporary, 'spanish@students/gate'))
    command = [RbConfig.ruby, "-I#{Tree::ROOT}/lib", '-e', <<~'RUBY']
      require 'multitenant/apps/gate_state'
      unshared = -> { MultiTenant::ServiceState.at("#{Dir.pwd}/spanish@students")['unshared'] }
      gate = MultiTenant::GateState.at("#{Dir.pwd}/spanish@students/gate")
      before = [unshared.call, gate.banned]
      system('echo 2002 >spanish@students/gate/banned; echo yes >spanish@students/unshared')
      gate.ban(2003)
      p before, [unshared.call, gate.banned]
    RUBY
    said, = Open3.capture2e(nfs('*/@(banned|unshared)'), *command, chdir: temporary)
    assert_equal "[nil, []]\n[\"yes\", [2002, 2003]]\n", said
  end

  # Each job of a service leaves its logs there for a month, and dashboards ask every ten seconds.
  def test_logs_are_read_without_an_open_file_for_each
    dir = gate
    400.times { |i| log(dir, "#{i + 1}@hpc.jsonl", row("u#{i}", 3000 + i, 100)) }
    FileUtils.touch(Dir.glob("#{dir}/log/*").drop(1), mtime: 100)
    found = as_user(uid: OWNER) do
      Process.setrlimit(:NOFILE, 64)
      GC.disable
      one = MultiTenant::GateState.at(dir)
      [one.users(1000), one.users(0), one.tenants.size, Dir.children('/proc/self/fd').size < 32]
    end
    assert_equal [[0, false], [400, false], 400, true], found
  end
end
