# frozen_string_literal: true

require_relative 'answer'
require_relative '../host/clock'
require_relative '../programs/program'

module MultiTenant
  # The source that asks Slurm by the query program.
  class Query
    PROGRAM = File.expand_path('../multitenant-query', __dir__)

    FIX = 'was libslurm there when the gem was installed? Install libslurm-dev or slurm-devel, then ' \
          "#{Program::REBUILD}".freeze

    # Seconds for which nodes are what slurmctld said of them, whoever asks.
    NODES_KEPT = 300

    # @param settings [Settings]
    # @param slurm_conf [String, nil] instead of the environment's
    # @param cluster [String, nil] another cluster than slurm.conf's own
    # @param program [String] path
    def initialize(settings, slurm_conf: nil, cluster: nil, program: PROGRAM)
      @slurm_conf = slurm_conf
      @program = Program.new(program, name: 'The query program', fix: FIX)
      @wckeys = settings.wckeys.join(',')
      @options = []
      @options.push('--publishers', settings.publishers) if settings.publishers
      @options.push('--cluster', cluster) if cluster
    end

    # @param seconds [Float] the deadline
    # @return [Answer]
    def call(seconds)
      @known = nil if @known && MultiTenant.clock - @asked > NODES_KEPT
      result = @program.call('--wckey', @wckeys, *Program.timeout(seconds), *@options, *('--known' if @known),
                             seconds: seconds, input: @known, set: { 'SLURM_CONF' => @slurm_conf })
      answer = Answer.new(texts: [result.out], from: 'slurm', **result.to_h.slice(:seconds, :error, :code))
      keep(answer.records) if result.success?
      answer
    end

    private

    # The shares that it printed last tell it of their nodes, until all of them are asked for anew.
    def keep(records)
      @asked = MultiTenant.clock unless @known
      @known = records.flat_map { |one| one.whole.map { |stream| shares(stream, one.of(stream.cluster)) } }.join
    end

    # One for each set of nodes: to read a share costs the program more than what slurmctld says of it.
    def shares(stream, jobs)
      Stream.text(stream.header, jobs.select(&:group).map(&:line).uniq { |line| line[/"nodes":\[.*?\]/] })
    end
  end
end
