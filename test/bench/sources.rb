# frozen_string_literal: true

# script/bench sources: see there.
require 'optparse'
require_relative 'population'
require_relative 'counts'
require_relative 'figures'
require 'multitenant'
require 'multitenant/sources/commands'
require 'multitenant/sources/slurmrestd'

options = { shares: [1, 20, 200], runs: 20 }
OptionParser.new do |parser|
  parser.on('--shares LIST', Array) { |list| options[:shares] = list.map { |n| Integer(n) } }
  parser.on('--runs N', Integer) { |n| options[:runs] = n }
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

  # @return [Hash{String => Array}] source => of each run ms by the clock, ms of our CPU, and of the daemons'
  def run(shares, runs)
    2.times { @sources.each_value { |source| once(source, shares) } }
    told = @sources.transform_values { [] }
    runs.times { @sources.each { |name, source| told[name] << once(source, shares) } }
    told
  end

  private

  def once(source, shares)
    before = now
    answer = source.call(60)
    took = now.zip(before).map { |after, then_| after - then_ }
    saw = answer.records.sum { |one| one.whole.sum { |stream| one.of(stream.cluster).count(&:group) } }
    saw == shares ? took : abort("script/bench: #{answer.from} saw #{saw} shares and not #{shares}: #{answer.error}")
  end

  def now
    ours = Process.times
    [Process.clock_gettime(Process::CLOCK_MONOTONIC, :float_millisecond),
     (ours.utime + ours.stime + ours.cutime + ours.cstime) * 1000, Counts.cpu(DAEMONS).values.sum]
  end
end

$stdout.sync = true
abort 'script/bench: sources needs root.' unless Process.uid.zero?
BenchBed.up('--rest', keep: options[:keep]) do
  population = Population.new
  bench = SourcesBench.new
  puts '| shares | source | ms | 95 % | our CPU | daemons\' CPU |', "|#{'---|' * 6}"
  options[:shares].each do |shares|
    population.become(shares: shares, others: 0, pending: 0, finished: 0)
    bench.run(shares, options[:runs]).each do |name, runs|
      ms, ours, daemons = runs.transpose
      row = [Figures.of(ms), Figures.of(ms, 0.95), Figures.of(ours), Figures.of(daemons)].map { |n| n.round(1) }
      puts "| #{[shares, name, *row].join(' | ')} |"
    end
  end
end
