# frozen_string_literal: true

require 'json'
require 'multitenant'
require 'multitenant/agent'
require_relative 'counts'

# The ways that are compared, each with what one run of it took.
module Ways
  # ms by the clock and of CPU, KiB of memory at most where a program was started, and the shares that it saw.
  Sample = Struct.new(:ms, :cpu_ms, :kib, :shares, keyword_init: true)

  VIEWER = Population::VIEWER
  UID = 2001
  AS_VIEWER = ['setpriv', "--reuid=#{UID}", "--regid=#{UID}", '--init-groups', '--'].freeze

  # One program, or two of which the second is told by the first.
  class Started
    attr_reader :name

    # @param steps [Array<#call>] what the one before said -> a command
    # @param count [#call] what the last one said -> shares
    def initialize(name, steps, &count)
      @name = name
      @steps = steps
      @count = count
    end

    def expected(population)
      population.shares.size
    end

    def prepare(_population); end

    def call
      took = []
      shares = run { |command| measured(command, took) }
      ns, us, kib = took.transpose
      Sample.new(ms: ns.sum / 1e6, cpu_ms: us.sum / 1e3, kib: kib.max, shares: shares)
    end

    def requests
      Counts.requests(UID) { call }
    end

    def bytes
      Counts.bytes do |strace|
        run { |command| capture(strace[0], '-u', VIEWER, *strace.drop(1), *command) }
      end
    end

    private

    def run(&block)
      @count.call(@steps.reduce('') { |said, step| block.call(step.call(said)) })
    end

    def measured(command, took)
      reader, writer = IO.pipe
      out = capture(*AS_VIEWER, BenchBed.program('measure'), *command, 3 => writer)
      writer.close
      took << reader.read.split.map { |n| Integer(n) }
      reader.close
      out
    end

    def capture(*argv, **options)
      out = IO.popen([{ 'HOME' => Bed.home(VIEWER) }, *argv, options], &:read)
      $CHILD_STATUS.success? ? out : raise("#{@name}: #{argv.join(' ')} failed")
    end
  end

  # A Ruby process that stands for a dashboard's: warm.rb.
  class Warm
    def initialize(snapshot)
      env = { 'HOME' => Bed.home(VIEWER), 'OOD_CLUSTERS' => Bed::CLUSTERS, 'RUBYLIB' => File.join(Bed::OURS, 'lib'),
              'MULTITENANT_TTL' => '300' }
      @io = IO.popen([env, *AS_VIEWER, RbConfig.ruby, BenchBed.program('warm.rb'), snapshot], 'r+')
    end

    # @return [Hash] what it says of a run
    def call(*words)
      @io.puts(words.join(' '))
      told = JSON.parse(@io.gets || raise('The Ruby process has ended.'), symbolize_names: true)
      told[:error] ? raise("#{words[0]}: #{told[:error]}") : told
    end

    def pid
      @io.pid
    end

    def close
      @io.close
    end
  end

  # What such a process does.
  class InRuby
    attr_reader :name

    def initialize(name, warm, &prepare)
      @name = name
      @warm = warm
      @prepare = prepare
    end

    def expected(population)
      population.for_viewer
    end

    def prepare(population)
      @prepare&.call(population)
    end

    def call
      Sample.new(**@warm.call(@name))
    end

    def requests
      Counts.requests(UID) { call }
    end

    def bytes
      Counts.bytes_of(@warm.pid) { call }
    end
  end

  # One round of multitenant-agent's, in this process, which is root's. It asks by the query program alone.
  class Agent
    NAME = 'agent'

    def initialize(directory)
      FileUtils.rm_rf(directory)
      FileUtils.mkdir_p(directory, mode: 0o755)
      host = MultiTenant::Host.new(env: ENV.to_h.merge('OOD_CLUSTERS' => Bed::CLUSTERS))
      @sources = host.sources(log: ->(_, sentence) { raise sentence })
      log = ->(sentence) { raise sentence unless sentence.include?(' is kept ') }
      @agent = MultiTenant::Agent.new(host.settings, source: @sources, directory: directory, log: log)
      @files = File.join(directory, '*.records')
    end

    def name
      NAME
    end

    def expected(population)
      population.shares.size
    end

    def prepare(_population); end

    def call
      cpu = used
      start = Process.clock_gettime(Process::CLOCK_MONOTONIC, :float_millisecond)
      @sources.expire
      raise 'The agent wrote no snapshot.' unless @agent.round

      ms = Process.clock_gettime(Process::CLOCK_MONOTONIC, :float_millisecond) - start
      Sample.new(ms: ms, cpu_ms: used - cpu, shares: Dir[@files].sum { |path| Ways.shares(File.read(path)) })
    end

    # Its requests can't be told from ours, as it is root, too.
    def requests; end
    def bytes; end

    private

    def used
      children = Process.times
      Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID, :float_millisecond) +
        ((children.cutime + children.cstime) * 1000)
    end
  end

  SACCT = %w[sacct --allocations --noheader --parsable2 --state=RUNNING --format=jobidraw,user,cluster -a
             --wckeys=multitenant].freeze
  SQUEUE = ['squeue', '--noheader', '--format=%i|%1024j', '-j'].freeze

  module_function

  # @return [Integer] shares in a text of record streams
  def shares(text)
    records = MultiTenant::Records.new(text)
    records.whole.sum { |stream| records.of(stream.cluster).count(&:group) }
  end

  # In the order in which they are run: the agent's round before its readers.
  def all(warm, agent)
    named = ->(out) { out.each_line.count { |line| line.count('|') == 3 } }
    query = File.join(Bed::OURS, 'lib/multitenant/multitenant-query')
    squeue = ->(rows) { [*SQUEUE, rows.lines.map { |row| row[/\d+/] }.join(',')] }
    [Started.new('commands', [->(_) { SACCT }, squeue], &named),
     Started.new('careless', [->(_) { [BenchBed.program('careless')] }], &named),
     Started.new('query', [->(_) { [query, '--wckey', 'multitenant', '--timeout', '10'] }], &method(:shares)),
     InRuby.new('refresh', warm),
     agent,
     InRuby.new('unchanged', warm),
     InRuby.new('page', warm),
     InRuby.new('changed', warm) { |population| population.change_a_share && agent.call }]
  end
end
