# frozen_string_literal: true

require_relative 'population'
require_relative 'counts'
require_relative 'machine'
require_relative 'ways'
require_relative 'v1_names'

# Every combination of what is asked for, each way in turn within it, and what each took.
class Matrix
  Cell = Struct.new(:shares, :others, :finished, :pending)

  FEWEST = 5
  # For daemons to end what they do after an answer.
  PAUSE = 0.01
  # Seconds that a cell of so many others takes beside its runs, to say when all will be done.
  GUESS = { 0 => 12, 2000 => 14, 20_000 => 40 }.freeze

  def initialize(shares:, others:, finished:, pending:, runs:, seconds:)
    @cells = Matrix.cells(shares: shares, others: others, finished: finished, pending: pending)
    @runs = runs
    @seconds = seconds
  end

  # Jobs that have ended stay in slurmctld for a minute, so that shares become more and then less by turns; those of
  # others only become more. A publisher's pending jobs come first, as others would have to go for them.
  # @return [Array<Cell>]
  def self.cells(shares:, others:, finished:, pending:)
    cells = pending.positive? ? shares.first(2).map { |n| Cell.new(n, 0, 0, pending) } : []
    others.sort.each_with_index do |other, i|
      (i.odd? ? shares.reverse : shares).each do |share|
        finished.each { |ended| cells << Cell.new(share, other, ended, 0) }
        finished = finished.reverse
      end
    end
    cells
  end

  # @return [Hash] what there is to say of it, for JSON
  def run
    @began = now
    say("#{@cells.size} cells, about #{minutes(@cells)} minutes; the jobs are made")
    told = Machine.told
    start
    cells = @cells.map.with_index { |cell, i| measure(cell, i) }
    { **told, 'method' => method_of, 'names' => V1Names.new(@warm).call, 'memory' => grown, 'cells' => cells }
  end

  private

  def start
    directory = File.join(Bed::DIR, 'run/snapshot')
    FileUtils.rm_rf(File.join(Bed.home(Population::VIEWER), 'bench'))
    @population = Population.new
    @agent = Ways::Agent.new(directory)
    @directory = directory
    @warm = Ways::Warm.new(directory)
    @ways = Ways.all(@warm, @agent)
  end

  def measure(cell, index)
    start = now
    @population.become(**cell.to_h)
    made = now - start
    samples = samples_of
    ways = @ways.to_h { |way| [way.name, { **columns(samples[way]), **counted(way) }] }
    tell(cell, index, ways, "made in #{made.round} s, measured in #{(now - start - made).round} s")
    { **cell.to_h.transform_keys(&:to_s), 'ways' => ways }
  end

  # Each way twice before it counts, and then all in turn.
  def samples_of
    2.times { @ways.each { |way| once(way) } }
    samples = @ways.to_h { |way| [way, []] }
    ends = now + @seconds
    @runs.times do |done|
      break if done >= FEWEST && now > ends

      @ways.each { |way| samples[way] << once(way) }
    end
    samples
  end

  # @return [Array(Ways::Sample, Hash)] what it took, and ms of CPU of each daemon
  def once(way)
    way.prepare(@population)
    sleep PAUSE
    before = Counts.cpu
    sample = way.call
    sleep PAUSE
    daemons = Counts.cpu.to_h { |name, ms| [name, ms - before[name]] }
    check(way.name, sample.shares, way.expected(@population))
    [sample, daemons]
  end

  def check(name, saw, expected)
    abort "script/bench: #{name} saw #{saw} shares and not #{expected}: this is no run." unless saw == expected
  end

  def columns(samples)
    taken, daemons = samples.transpose
    { 'ms' => taken.map(&:ms), 'cpu_ms' => taken.map(&:cpu_ms), 'kib' => taken.filter_map(&:kib).max,
      'daemons_ms' => Counts::DAEMONS.to_h { |name| [name, daemons.map { |one| one[name] }] } }
  end

  # Neither of these runs is timed.
  def counted(way)
    way.prepare(@population)
    requests = way.requests
    way.prepare(@population)
    { 'requests' => requests, 'bytes' => way.bytes }
  end

  # How much more memory a dashboard's process has that reads the agent's snapshot.
  def grown
    @agent.call
    warm = Ways::Warm.new(@directory)
    warm.call('grown').slice(:loaded_kib, :grown_kib).transform_keys(&:to_s)
  ensure
    warm&.close
  end

  def method_of
    "at most #{@runs} runs of each way, in turn; fewer, but #{FEWEST}, where those of a cell take #{@seconds.round} s"
  end

  def tell(cell, index, ways, took)
    figures = ways.map { |name, way| format('%s %.2f', name, median(way['ms'])) }
    say("#{index + 1} of #{@cells.size}: #{cell.to_h.map { |name, n| "#{name} #{n}" }.join(', ')}: " \
        "#{figures.join(', ')} ms; #{ways['query']['ms'].size} runs; #{took}; " \
        "about #{minutes(@cells.drop(index + 1))} minutes left")
  end

  def minutes(cells)
    (cells.sum { |cell| [@seconds, @runs].min + GUESS.fetch(cell.others, 40) } / 60.0).ceil
  end

  def median(list)
    list.sort[list.size / 2]
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  def say(text)
    warn format('script/bench: %4d s: %s', now - @began, text)
  end
end
