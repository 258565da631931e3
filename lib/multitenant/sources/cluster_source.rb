# frozen_string_literal: true

require_relative 'answer'
require_relative 'commands'
require_relative 'query'
require_relative 'slurmrestd'

module MultiTenant
  # The source that asks one Slurm cluster: by its slurmrestd where the site names one, else by libslurm where the host
  # has it and that is of this cluster, else by the commands that OOD itself would run.
  class ClusterSource
    # @return [Slurmrestd, nil]
    attr_reader :slurmrestd

    # @param settings [Settings]
    # @param target [Clusters::Target]
    # @param clusters [Clusters] learns the cluster's name
    # @param log [#call]
    def initialize(settings, target, clusters:, log:, program: Query::PROGRAM)
      @target = target
      @clusters = clusters
      @log = log
      @query = Query.new(settings, slurm_conf: target.conf, cluster: target.cluster, program: program)
      own = clusters.own?(target)
      @commands = Commands.new(settings, job: target.job, own: own) if target.job
      @slurmrestd = Slurmrestd.of(settings, target, only: clusters.targets.one?)
      @by_commands = target.over_ssh? || !own
    end

    # @return [String, nil] Slurm's name of the cluster, as far as it is known
    def cluster
      @clusters.name(@target)
    end

    # @param seconds [Float] the deadline
    # @return [Answer]
    def call(seconds)
      answer = ask(seconds)
      stream = answer.records.flat_map(&:streams).first
      @clusters.learn(@target, stream.cluster) if stream
      answer.cluster = cluster
      answer
    end

    private

    # The query program may not run: the gem was installed without libslurm, or Slurm was upgraded. And wrappers of the
    # site's may reach a Slurm that this host can't, for want of munge say: after whatever failure they are asked, and
    # from then on at once while they answer.
    def ask(seconds)
      return @slurmrestd.call(seconds) if @slurmrestd
      return @commands.call(seconds) if @by_commands

      start = MultiTenant.clock
      first = @failed || @query.call(@target.wrapped? ? seconds / 2 : seconds)
      left = seconds - (MultiTenant.clock - start)
      return @commands.call(left) if (@by_commands = another?(first))
      return recovered(first) unless instead?(first) && left > 0.1

      second = @commands.call(left)
      @failed = (first if @target.wrapped? && second.records.any?)
      return both(first, second) if second.records.empty?

      say("#{first.error} Slurm's commands are asked instead.")
      second
    end

    def another?(answer)
      stream = answer.records.flat_map(&:streams).first
      !stream.nil? && @clusters.another?(@target, stream.cluster)
    end

    def instead?(answer)
      @commands && (answer.code == EX_CONFIG || (answer.error && @target.wrapped?))
    end

    # That a cluster hangs is what others have to know, whatever ails libslurm.
    def both(first, second)
      first.dup.tap do |answer|
        answer.error = "#{first.error} Slurm's commands were asked instead: #{second.error}"
        answer.code = second.code if second.code == EX_TEMPFAIL
      end
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
