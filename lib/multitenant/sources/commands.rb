# frozen_string_literal: true

require_relative 'commands/cluster_config'
require_relative '../programs/names'
require_relative 'commands/slurm_jobs'
require_relative 'commands/slurm_nodes'
require_relative 'job_records'

module MultiTenant
  # The source that asks one Slurm cluster by its commands, as OOD itself does: for a cluster behind
  # ssh, and for a host where the query program does not run. The records are those of {Query}.
  class Commands
    # Of the whole time, the share that Slurm may use; the rest is the name service's.
    SLURM_SHARE = 0.8

    # What helps an agent where jobs are hidden, whatever Slurm's administrator makes of its account.
    NO_OPERATOR = 'Slurm\'s commands, which are asked there, do not tell who is an operator: what helps is ' \
                  'slurmrestd, or libslurm, where this host can have it (doc/admins.md, "The agent").'

    # @param answer [Answer] of one source
    # @return [Boolean]
    def self.gave?(answer)
      answer.from.include?('squeue')
    end

    # @param settings [Settings]
    # @param job [Hash] the `job` section of OOD's configuration of the cluster, with string keys
    # @param own [Boolean] where the site has a wrapper for squeue, this host's own sacct may be of the same cluster
    # @param names [Names]
    def initialize(settings, job:, own: true, names: Names.new)
      command = SlurmCommand.new(job)
      @config = ClusterConfig.new(command)
      @jobs = SlurmJobs.new(command, settings.wckeys)
      @jobs.leave_sacct if !own && command.wrapped?('squeue') && !command.wrapped?('sacct')
      @nodes = SlurmNodes.new(command)
      @records = JobRecords.new(settings, names)
    end

    # @param seconds [Float] the deadline
    # @return [Answer]
    def call(seconds)
      start = MultiTenant.clock
      header = { generated: Time.now.to_i }
      until_at = start + (seconds * SLURM_SHARE)
      @config.name(until_at)
      jobs = running(until_at)
      header.update(cluster: @config.name(until_at), **hidden(until_at))
      if header[:sees] == 'own' && @jobs.sacct? && @config.mute?
        @jobs.leave_sacct
        jobs = running(until_at)
        header.update(hidden(until_at))
      end
      nodes = @nodes.call(jobs.select(&:group).map(&:nodes), until_at)
      text, error = @records.call(header, jobs, nodes, start + seconds - MultiTenant.clock)
      answer(start, [text], error, error ? EX_CONFIG : EX_OK)
    rescue Failure => e
      answer(start, [], e.message, e.code)
    end

    private

    def answer(start, texts, error, code)
      from = @jobs.sacct? ? 'sacct and squeue' : 'squeue'
      Answer.new(texts: texts, from: from, seconds: MultiTenant.clock - start, error: error, code: code)
    end

    def running(until_at)
      @records.without_surplus_names(@jobs.call(until_at)).tap { |jobs| note_missing(jobs) }
    end

    def hidden(until_at)
      %i[sees private_jobs].to_h { |what| [what, @config.public_send(what, until_at, accounting: @jobs.sacct?)] }
    end

    # A job that is no longer shown has ended, or is hidden since Slurm's configuration changed.
    def note_missing(jobs)
      ids = jobs.map(&:job_id)
      @config.forget if (@ids.to_a - ids).any?
      @ids = ids
    end
  end
end
