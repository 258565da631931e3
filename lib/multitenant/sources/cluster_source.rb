# frozen_string_literal: true

require_relative 'answer'
require_relative 'commands'
require_relative 'query'

module MultiTenant
  # The source that asks one Slurm cluster: by libslurm where the host has it, else by the commands
  # that OOD itself would run.
  class ClusterSource
    # @param settings [Settings]
    # @param target [Clusters::Target]
    # @param clusters [Clusters] learns the cluster's name
    # @param log [#call]
    def initialize(settings, target, clusters:, log:, program: Query::PROGRAM)
      @target = target
      @clusters = clusters
      @log = log
      @query = Query.new(settings, slurm_conf: target.conf, cluster: target.cluster, program: program)
      @commands = Commands.new(settings, job: target.job) if target.job
    end

    # @param seconds [Float] the deadline
    # @return [Answer]
    def call(seconds)
      answer = ask(seconds)
      stream = answer.records.flat_map(&:streams).first
      @clusters.learn(@target, stream.cluster) if stream
      answer
    end

    private

    # The query program may not run: the gem was installed without libslurm, or Slurm was upgraded.
    def ask(seconds)
      return @commands.call(seconds) if @target.over_ssh?

      start = MultiTenant.clock
      first = @query.call(seconds)
      left = seconds - (MultiTenant.clock - start)
      return recovered(first) unless first.code == EX_CONFIG && @commands && left > 0.1

      second = @commands.call(left)
      return first if second.records.empty?

      say("#{first.error} sacct and squeue are asked instead.")
      second
    end

    def recovered(answer)
      @said = nil unless answer.error
      answer
    end

    def say(sentence)
      @log.call(:warn, sentence) unless @said == sentence
      @said = sentence
    end
  end
end
