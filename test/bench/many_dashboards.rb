# frozen_string_literal: true

# What many dashboards ask of slurmctld and slurmdbd, without and with the agent;
# and what Open OnDemand asks beside it, for one card a dashboard, where a card's status is not from the records.
require 'fileutils'
require 'json'
require 'open3'
require_relative 'bench_bed'
require_relative 'counts'
require_relative 'population'

# One test bed, and the agent on it.
class ManyDashboards
  WARM_UP = 40
  # Open OnDemand is asked for at most so many: two processors have no room for the squeue of 500.
  CARDS = 100
  # Two users, as the daemons count by user: who asks what MultiTenant asks, and who asks what Open OnDemand asks. The
  # agent is a system account's, as dashboards want it.
  ASKS = { 'multitenant' => 'hpcstudent', 'ood' => 'hpcstudent2', 'agent' => 'daemon' }.freeze

  def initialize(seconds)
    @seconds = seconds
    @snapshot = File.join(Bed::DIR, 'many')
    @population = Population.new
    @population.become(shares: 1, others: 0, pending: 0, finished: 0)
    FileUtils.cp(File.join(__dir__, 'many.rb'), BenchBed.program(''))
  end

  # @yield [Hash] what is known after each window
  def run(counts)
    told = { machine: "#{`nproc`.strip} × #{File.read('/proc/cpuinfo')[/model name\s*: (.*)/, 1]}",
             slurm: `sacct --version`.strip, ruby: RUBY_VERSION, ttl: 30, poll: 10, windows: [] }
    counts.product([false, true]).each do |count, agent|
      told[:windows] << window(count, agent)
      yield told
    end
  end

  # @param told [Hash] of a driver
  # @raise [RuntimeError] it did not do what so many dashboards do
  def self.check(told, count, seconds)
    raise "A driver failed: #{told['errors'].join(', ')}" if told['errors'].any?

    wanted = count * seconds / 10
    raise "#{told['polls']} pages, and not #{wanted}" if (told['polls'] - wanted).abs > (wanted / 10) + count
    raise "A page came #{told['late']} s late." if told['late'] > 10

    told.slice('polls', 'late')
  end

  private

  def window(count, agent)
    warn "script/bench: #{count} dashboards #{agent ? 'with' : 'without'} the agent"
    with_agent(agent) do
      cards = [count, CARDS].min
      drivers = [driver('multitenant', 'ask', count, agent), driver('ood', 'status', cards, agent)]
      raise 'A driver did not begin.' unless drivers.all? { |out,| out.gets == "begins\n" }

      told = measure do
        drivers.zip([count, cards]).map { |(out, _), n| ManyDashboards.check(JSON.parse(out.read), n, @seconds) }
      end
      { dashboards: count, agent: agent, cards: cards, load: File.read('/proc/loadavg').to_f, **told }
    end
  end

  def driver(name, what, count, agent)
    user = ASKS.fetch(name)
    env = { 'HOME' => Bed.home(user), 'OOD_CLUSTERS' => Bed::CLUSTERS, 'RUBYLIB' => File.join(Bed::OURS, 'lib'),
            'MULTITENANT_TTL' => '30' }
    env['MULTITENANT_SNAPSHOT'] = @snapshot if agent
    _, out, thread = Open3.popen2('runuser', '-u', user, '--', 'env', '-C', '/', *env.map { |k, v| "#{k}=#{v}" },
                                  RbConfig.ruby, BenchBed.program('many.rb'), what, count.to_s, WARM_UP.to_s,
                                  @seconds.to_s, @population.shares[0].id.to_s)
    [out, thread]
  end

  # Requests that each asked, by daemon, and the daemons' CPU.
  def measure
    before = Counts.cpu
    start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    Counts.quietly('sdiag', '--reset')
    Counts.quietly('sacctmgr', '--immediate', 'clear', 'stats')
    drivers = yield
    seconds = Process.clock_gettime(Process::CLOCK_MONOTONIC) - start
    asked = { 'slurmctld' => `sdiag`, 'slurmdbd' => `sacctmgr show stats` }
    by = ASKS.transform_values { |user| asked.transform_values { |told| Counts.by_user(told, Bed.uid(user)) } }
    { seconds: seconds.round(1), drivers: drivers, requests: by,
      cpu_ms: Counts.cpu.to_h { |name, ms| [name, (ms - before[name]).round] } }
  end

  def with_agent(agent)
    return yield unless agent

    FileUtils.rm_rf(@snapshot)
    Dir.mkdir(@snapshot, 0o755)
    File.chown(Bed.uid(ASKS['agent']), nil, @snapshot)
    caps = %w[--inh-caps --ambient-caps --bounding-set].flat_map { |set| [set, '-all,+chown'] }
    pid = Process.spawn({ 'RUBYLIB' => File.join(Bed::OURS, 'lib'), 'OOD_CLUSTERS' => Bed::CLUSTERS },
                        'setpriv', "--reuid=#{ASKS['agent']}", "--regid=#{ASKS['agent']}", '--clear-groups', *caps,
                        RbConfig.ruby, File.join(Bed::OURS, 'exe/multitenant-agent'), '--directory', @snapshot,
                        chdir: '/', out: $stderr)
    Bed.wait('the agent keeps a snapshot') { File.exist?(File.join(@snapshot, 'state')) }
    yield
  ensure
    Process.kill('TERM', pid) && Process.wait(pid) if pid
  end
end

# The figures for people.
module DashboardsTable
  HEAD = ['dashboards', 'agent', 'MultiTenant: slurmctld', 'slurmdbd', 'cards', 'squeue: slurmctld', 'slurmdbd'].freeze

  def self.of(told)
    rows = told[:windows].sort_by { |one| [one[:dashboards], one[:agent] ? 1 : 0] }.map do |window|
      per_second = lambda do |*whose|
        %w[slurmctld slurmdbd].map do |daemon|
          format('%.2f', whose.sum { |name| window[:requests][name][daemon] } / window[:seconds])
        end
      end
      [window[:dashboards], window[:agent] ? 'yes' : 'no', *per_second.call('multitenant', 'agent'),
       window[:cards], *per_second.call('ood')]
    end
    [HEAD, HEAD.map { '---' }, *rows].map { |row| "| #{row.join(' | ')} |\n" }.join
  end
end
