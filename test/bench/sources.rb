# frozen_string_literal: true

# script/bench sources: see there.
require 'optparse'
require_relative 'population'
require_relative 'counts'
require_relative 'machine'
require_relative 'sources_page'
require 'multitenant'
require 'multitenant/sources/commands'
require 'multitenant/sources/slurmrestd'

options = { shares: [1, 20, 200], runs: 20, output: File.join(ROOT, 'doc/bench') }
OptionParser.new do |parser|
  parser.on('--shares LIST', Array) { |list| options[:shares] = list.map { |n| Integer(n) } }
  parser.on('--runs N', Integer) { |n| options[:runs] = n }
  parser.on('--output DIR') { |dir| options[:output] = File.expand_path(dir) }
  parser.on('--keep') { options[:keep] = true }
end.parse!

# The sources as a dashboard has them, in turn: each answer by the clock, and of CPU what we and our programs took, and
# what the daemons did.
class SourcesBench
  DAEMONS = [*Counts::DAEMONS, 'slurmrestd'].freeze

  def initialize
    settings = MultiTenant::Settings.new({})
    rest, token = %w[REST REST_TOKEN].map { |name| ENV.fetch("MULTITENANT_TESTBED_#{name}") }
    @sources = { 'query program' => MultiTenant::Query.new(settings),
                 'commands' => MultiTenant::Commands.new(settings, job: {}),
                 'slurmrestd' => MultiTenant::Slurmrestd.new(settings, { 'slurmrestd' => rest, 'token' => token }) }
  end

  # @return [Hash{String => Hash}] source => of each run ms by the clock, ms of our CPU, and of the daemons'
  def run(shares, runs)
    2.times { @sources.each_value { |source| once(source, shares) } }
    told = @sources.transform_values { [] }
    runs.times { @sources.each { |name, source| told[name] << once(source, shares) } }
    told.transform_values { |each| %w[ms cpu_ms daemons_ms].zip(each.transpose).to_h }
  end

  private

  def once(source, shares)
    before = now
    answer = source.call(60)
    took = now.zip(before).map { |after, then_| (after - then_).round(3) }
    saw = answer.records.sum { |one| one.whole.sum { |stream| one.of(stream.cluster).count(&:group) } }
    saw == shares ? took : abort("script/bench: #{answer.from} saw #{saw} shares and not #{shares}: #{answer.error}")
  end

  def now
    ours = Process.times
    [Process.clock_gettime(Process::CLOCK_MONOTONIC, :float_millisecond),
     (ours.utime + ours.stime + ours.cutime + ours.cstime) * 1000, Counts.cpu(DAEMONS).values.sum]
  end
end

abort 'script/bench: sources needs root.' unless Process.uid.zero?
BenchBed.up('--rest', keep: options[:keep]) do
  told = { **Machine.told, 'runs' => options[:runs], 'cells' => {} }
  population = Population.new
  bench = SourcesBench.new
  options[:shares].each do |shares|
    warn "script/bench: #{shares} shares"
    population.become(shares: shares, others: 0, pending: 0, finished: 0)
    told['cells'][shares.to_s] = bench.run(shares, options[:runs])
  end
  FileUtils.mkdir_p(options[:output])
  path = File.join(options[:output], "sources-#{told['slurm'][/\d+\.\d+/]}.json")
  # A source of a cell a line.
  File.write(path, JSON.generate(told).gsub(/"(?:query program|commands|slurmrestd)":/, "\n\\0"))
  SourcesPage.write(path)
end
