# frozen_string_literal: true

# A process that stands for a dashboard's, of the viewer: does what a line of its input names, and says in a line of
# JSON what that took. What a dashboard has loaded in any case is loaded before its memory is looked at.
%w[cgi digest erb etc fileutils forwardable json open3 openssl optparse pathname psych securerandom set shellwords
   socket tempfile time timeout uri yaml zlib].each { |name| require name }
# OodSupport::User does, and with it come the libraries of the name service.
Etc.getpwuid

def memory
  File.read('/proc/self/status')[/^VmRSS:\s+(\d+)/, 1].to_i
end

before = memory
require 'multitenant'
LOADED = memory - before
BEFORE = before

# What a dashboard has of ours: MultiTenant.start.
class Side
  attr_reader :receiver, :sources, :renewal

  # @param name [String] slurm or snapshot
  def initialize(name, **env)
    @name = name
    dataroot = File.join(Dir.home, 'bench', name)
    host = MultiTenant::Host.new(env: ENV.to_h.merge('OOD_DATAROOT' => dataroot, **env))
    log = ->(level, sentence) { warn "warm.rb: #{sentence}" if level == :warn }
    membership = MultiTenant::Membership.new(host.settings.gids)
    @sources = host.sources(gids: membership.method(:gids), log: log)
    @receiver = host.receiver(@sources, membership: membership, log: log)
    @renewal = MultiTenant::Renewal.new(@receiver, @sources, log: log)
  end

  def refresh
    @sources.expire
    @receiver.refresh(seconds: 10)
  end

  def page
    @renewal.call(cards: true)
  end

  # Where the snapshot is not believed, Slurm is asked, and says the same.
  def told
    from = @receiver.report['from']
    error = @receiver.report['error'] || (from == @name ? nil : "asked #{from}, and not #{@name}")
    { shares: @receiver.specs.size, error: error }
  end
end

def used
  children = Process.times
  Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID, :float_millisecond) +
    ((children.cutime + children.cstime) * 1000)
end

def now
  Process.clock_gettime(Process::CLOCK_MONOTONIC, :float_millisecond)
end

# @param times [Integer] how often in a row, for what is short
def measure(times = 1, &block)
  cpu = used
  start = now
  times.times(&block)
  { ms: (now - start) / times, cpu_ms: (used - cpu) / times }
end

def slurm
  @slurm ||= Side.new('slurm')
end

def snapshot
  @snapshot ||= Side.new('snapshot', 'MULTITENANT_SNAPSHOT' => ARGV[0]).tap(&:refresh)
end

# Names of v1 that nothing is known of.
def open_names(path)
  records = [MultiTenant::Records.new(File.read(path))]
  host = MultiTenant::Host.new
  accepted = 0
  took = measure(20) do
    core = MultiTenant::Core.new(host.settings.to_core(dataroot: nil))
    streams, = core.read(records)
    core.decide(host.clusters.pairs(streams.map(&:cluster)), '', Time.now.to_i)
    accepted = core.specs.size
  end
  { **took, shares: accepted }
end

def grown
  # A dashboard's own pages have the collector run as often; left alone, Ruby first lets 16 MiB of garbage be.
  20.times do
    10.times { snapshot.refresh && snapshot.page }
    GC.start
  end
  { ms: 0, loaded_kib: LOADED, grown_kib: memory - BEFORE, shares: snapshot.told[:shares] }
end

WAYS = {
  'refresh' => -> { { **measure { slurm.refresh }, **slurm.told } },
  'unchanged' => -> { { **measure { snapshot.refresh }, **snapshot.told } },
  'changed' => -> { { **measure { snapshot.refresh }, **snapshot.told } },
  'page' => -> { { **measure(100) { snapshot.page }, **snapshot.told } },
  'open' => method(:open_names),
  'grown' => method(:grown)
}.freeze

$stdout.sync = true
while (words = $stdin.gets&.split)
  told = begin
    WAYS.fetch(words[0]).call(*words.drop(1))
  rescue StandardError => e
    { error: "#{e.class}: #{e.message}" }
  end
  told.delete(:error) unless told[:error]
  puts JSON.generate(told)
end
