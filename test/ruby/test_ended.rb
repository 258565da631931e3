# frozen_string_literal: true

require_relative 'helper'
require_relative 'login_node'

# `multitenant services --ended`, against sacct as a test wants it. With a real one: test/slurm/test_owner.rb.
class TestEnded < MultiTenantTest
  include LoginNode

  # As sacct of 22.05 prints them in a test bed.
  RAN = [%w[7 7 hpc], 'CANCELLED by 1001', %w[1800000900 1-02:00:00 4 13:00:00], '', 'sys/dashboard|students|v1'].freeze
  GATHERED = 'cpu=00:00:00,energy=0,fs/disk=52372,mem=91418624,pages=1,vmem=98754560'
  BATCH = [%w[7.batch 7.batch hpc CANCELLED 1800000900 1-02:00:00 4 12:59:59], GATHERED, 'batch'].freeze
  STEP = [%w[7.0 7.0 hpc COMPLETED 1800000900 00:10:00 4 00:01], 'energy=0', 'server'].freeze
  BLIND = [%w[8 8 hpc TIMEOUT 1800000000 01:00:00 2 00:00:00], '', "an \e[2J mt:spanish:web:80|a b|v1"].freeze

  def setup
    super
    command('scontrol', 'echo "JobAcctGatherType       = jobacct_gather/none"')
  end

  def told(*argv, **env)
    env = { 'HOME' => @home, 'OOD_CLUSTERS' => @clusters, 'TZ' => 'UTC', **env.transform_keys(&:to_s) }
    multitenant('services', '--ended', *argv, as: OWNER, env: env)
  end

  # What sacct says: rows of fields, in its order.
  def accounting(*rows)
    lines = rows.map { |row| "#{row.flatten.map { |field| "#{field}{mark}" }.join}\n" }
    File.binwrite(File.join(@bin, 'rows'), lines.join)
    command('sacct', <<~'SH')
      printf '%s\n' "$@" >"$dir/asked"
      mark=$(printf '%s\n' "$@" | sed -n 's/^--delimiter=//p')
      sed "s/{mark}/$mark/g" "$dir/rows"
    SH
    File.write(File.join(@bin, 'asked'), '')
    File.chmod(0o666, File.join(@bin, 'asked'))
  end

  def asked
    File.readlines(File.join(@bin, 'asked'), chomp: true)
  end

  # A gateway's log of a job, below what its owner keeps.
  def log(place, member, *uids)
    gate = File.join(@home, '.local/state/multitenant', place, 'gate')
    FileUtils.mkdir_p(File.join(gate, 'log'))
    File.write(File.join(gate, "seen.#{member}"), '')
    lines = uids.map { |uid| "{\"time\":1800000000,\"user\":\"u#{uid}\",\"uid\":\"#{uid}\",\"status\":200}\n" }
    File.write(File.join(gate, 'log', "#{member}.jsonl"), lines.join)
    File.write(File.join(gate, 'log', "#{member}.gate.1"), "2027-01-15T08:00:00Z login uid=#{uids.last}\n")
    FileUtils.chown_R(OWNER, OWNER, @home)
  end

  def test_what_ended_jobs_used
    accounting(BLIND, RAN, BATCH, STEP)
    assert_told <<~TABLE
      JOB  SERVICE        GROUP     ENDED             STATE      ELAPSED     CPU       MEMORY   TENANTS
      7    sys/dashboard  students  2027-01-15 08:15  CANCELLED  1-02:00:00  12% of 4  91.4 MB  -
      8    spanish        a b       2027-01-15 08:00  TIMEOUT    01:00:00    -         -        -
      CPU and memory are not gathered here: hpc has no JobAcctGatherType.
    TABLE
    assert_includes asked, "--user=#{OWNER}"
    assert_includes asked, '--wckeys=multitenant,*multitenant'
    assert_includes asked, '--starttime=now-7days'
  end

  # Where a wrapper of the site's loses the environment.
  def test_times_as_dates
    accounting([%w[9 9 hpc COMPLETED 2027-01-15T08:15:00 00:01:00 1 00:00:00], '', 'a|students|v1'])
    assert_equal 1_800_000_900, JSON.parse(told('--json').out).dig('ended', 0, 'ended')
  end

  def test_what_slurm_does_not_know_is_blank
    accounting([%w[9 9 hpc], 'COMPLETED', ['1800000900', '00:01:00', '1', ''], '', 'a|students|v1'])
    assert_match(/^9 .* COMPLETED  00:01:00  -    -       -$/, told.out)
  end

  def test_programs_get_numbers
    accounting(RAN, BATCH, STEP, BLIND)
    all = JSON.parse(told('30', '--json').out).fetch('ended')
    assert_equal({ 'job' => '7', 'cluster' => 'hpc', 'service' => 'sys/dashboard', 'group' => 'students',
                   'state' => 'CANCELLED', 'ended' => 1_800_000_900, 'elapsed' => 93_600, 'cpus' => 4,
                   'cpu_allocated' => 374_400, 'cpu_used' => 46_800.0, 'memory_peak' => 91_418_624,
                   'tenants' => nil }, all[0])
    assert_equal [nil, nil], all[1].values_at('cpu_used', 'memory_peak')
    assert_includes asked, '--starttime=now-30days'
  end

  # Of a service and of a job alone; each person once, also one who only logged in.
  def test_tenants_are_counted_by_the_gateways_log
    accounting(RAN, BATCH, BLIND)
    log('services/spanish@students', '7@hpc', 2001, 2002, 2001, 2003)
    log('jobs/8@hpc', '8@hpc', 2002)
    log('jobs/9@hpc', '9@hpc', 2004)
    rows = JSON.parse(told('--json').out).fetch('ended').map { |row| row.values_at('job', 'service', 'tenants') }
    assert_equal [['7', 'spanish@students', 3], ['8', 'spanish', 1]], rows
  end

  def test_what_runs_yet_or_is_no_share_is_not_told_of
    accounting([%w[9 9 hpc RUNNING Unknown 01:00:00 2 00:00:00], '', 'sys|students|v1'],
               [%w[10 10 hpc COMPLETED 1800000000 01:00:00 2 00:00:00], '', 'plain|'])
    assert_told "No job that shared something has ended.\n"
  end

  def test_where_accounting_is_not_asked_it_says_why
    command('sacct', 'echo "sacct: error: Slurm accounting storage is disabled" >&2; exit 1')
    assert_refused 78, 'sacct failed: sacct: error: Slurm accounting storage is disabled'
    command('sacct', 'echo 7')
    assert_refused 65, 'sacct printed something else than what it was asked for\.'
    ['0', '4000', '-1'].each { |days| assert_equal 64, told(days).code }
    assert_refused 64, '--ended asks Slurm\'s accounting, and takes no --records', '--records', '-'
  end

  # What one cluster says is not lost with another one.
  def test_of_two_clusters_one_answers
    accounting(RAN, BATCH)
    clusters('away', 'hpc')
    File.write(@clusters, File.read(@clusters).sub(@bin, '/nonexistent'))
    done = told
    assert_match(/^7 /, done.out)
    assert_match(/\Amultitenant: sacct could not be started/, done.err)
    assert_equal 78, done.code
  end
end
