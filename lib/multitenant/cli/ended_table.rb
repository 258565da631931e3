# frozen_string_literal: true

require_relative '../apps/gate_state'
require_relative '../sources/commands/cluster_config'
require_relative '../sources/commands/ended_jobs'
require_relative 'table'

module MultiTenant
  # What this user shared in jobs that have ended, what these used, and how many people used them.
  class EndedTable
    HEADINGS = %w[JOB SERVICE GROUP ENDED STATE ELAPSED CPU MEMORY TENANTS].freeze
    UNKNOWN = '-'
    TIME = '%Y-%m-%d %H:%M'
    # What Slurm's JobAcctGatherType is where nothing is gathered, up to 23.02 and since.
    NONE = %w[jobacct_gather/none (null)].freeze
    # A label, and the service of an address that the sender put behind it.
    LABEL = /\A(?<plain>.*?)(?: mt:(?<service>[a-z0-9-]+):[^ :]+:\d+)?\z/m

    # @return [Array<EndedJobs::Job>]
    attr_reader :jobs

    # @param out [IO]
    def initialize(out)
      @out = out
      @jobs = []
      @blind = []
      @states = ServiceState.all
      @told = {}
    end

    # Asks one more cluster.
    # @param command [SlurmCommand]
    # @param wckeys [Array<String>]
    # @param days [Integer]
    # @return [Failure, nil] why there is nothing of it
    def add(command, wckeys, days)
      found = EndedJobs.new(command, wckeys).call(days)
      @blind << found.first.cluster if found.any? { |job| job.used.nil? } && blind?(command)
      @jobs.concat(found)
      nil
    rescue Failure => e
      e
    end

    # @return [void]
    def print
      return @out.puts('No job that shared something has ended.') if jobs.empty?

      several = jobs.map(&:cluster).uniq.size > 1
      rows = jobs.map { |job| [several ? "#{job.id}@#{job.cluster}" : job.id, *cells(job)] }
      Table.new(HEADINGS, @out).print(rows)
      @blind.each do |cluster|
        @out.puts "CPU and memory are not gathered here: #{cluster} has no JobAcctGatherType."
      end
    end

    # @return [Hash]
    def to_h
      rows = jobs.map do |job|
        service, tenants = told(job)
        { 'job' => job.id, 'cluster' => job.cluster, 'service' => service, 'group' => PlainText.utf8(job.group),
          'state' => job.state, 'ended' => job.finished, 'elapsed' => job.seconds, 'cpus' => job.cpus,
          'cpu_allocated' => job.allocated, 'cpu_used' => job.used, 'memory_peak' => job.memory,
          'tenants' => tenants }
      end
      { 'ended' => rows }
    end

    private

    def blind?(command)
      NONE.include?(ClusterConfig.new(command).all(MultiTenant.clock + 5)['JobAcctGatherType'])
    rescue Failure
      false
    end

    def cells(job)
      service, tenants = told(job)
      texts = [service, job.group].map { |text| PlainText.of(text, Table::WIDEST) }
      [*texts, Time.at(job.finished).strftime(TIME), job.state, job.elapsed, cpu(job),
       job.memory ? Table.size(job.memory) : UNKNOWN, (tenants || UNKNOWN).to_s]
    end

    def cpu(job)
      return UNKNOWN unless job.used && job.allocated.positive?

      format('%<part>.0f%% of %<cpus>d', part: 100 * job.used / job.allocated, cpus: job.cpus)
    end

    # @return [Array(String, Integer)] what its owner calls it, a service of several jobs by its name, another one by
    #   its label; and how many used it: nil where nobody counted
    def told(job)
      @told[job.member] ||= begin
        state = state(job)
        gate = state ? GateState.of(state) : GateState.of_jobs(job.member).first
        [state&.name || name(LABEL.match(PlainText.utf8(job.label))), gate&.people(job.member)]
      end
    end

    def name(label)
      label[:service] || label[:plain]
    end

    # @return [ServiceState, nil] of which it was a member, as far as that is kept
    def state(job)
      @states.find do |one|
        (one.jobs.include?(job.id) && one['cluster'] == job.cluster) || GateState.of(one)&.member?(job.member)
      end
    end
  end
end
