# frozen_string_literal: true

require 'json'
require_relative 'commands/cluster_config'
require_relative '../programs/names'
require_relative 'commands/slurm_jobs'
require_relative 'commands/slurm_nodes'

module MultiTenant
  # The source that asks one Slurm cluster by its commands, as OOD itself does: for a cluster behind
  # ssh, and for a host where the query program does not run. The records are those of {Query}.
  class Commands
    # Of the whole time, the share that Slurm may use; the rest is the name service's.
    SLURM_SHARE = 0.8

    # Shares of one publisher whose names are written, and as many of their other jobs; and bytes of the whole text.
    NAMES_PER_PUBLISHER, LIMIT = Core::LIMITS.values_at(:query_shares_per_publisher, :records)

    # Where the name service gave no answer at all.
    UNKNOWN = { 'group_gid' => nil, 'publisher_in_group' => nil, 'publisher_allowed' => nil }.freeze

    # @param settings [Settings]
    # @param job [Hash] the `job` section of OOD's configuration of the cluster, with string keys
    # @param names [Names]
    def initialize(settings, job:, names: Names.new)
      @settings = settings
      command = SlurmCommand.new(job)
      @config = ClusterConfig.new(command)
      @jobs = SlurmJobs.new(command, settings.wckeys)
      @nodes = SlurmNodes.new(command)
      @names = names
    end

    # @param seconds [Float] the deadline
    # @return [Answer]
    def call(seconds)
      start = MultiTenant.clock
      header = { generated: Time.now.to_i }
      until_at = start + (seconds * SLURM_SHARE)
      @config.name(until_at)
      jobs = without_surplus_names(@jobs.call(until_at))
      note_missing(jobs)
      header.update(cluster: @config.name(until_at), wckeys: @settings.wckeys, **hidden(until_at),
                    publishers: @settings.publishers)
      nodes = @nodes.call(jobs.select(&:group).map(&:nodes), until_at)
      answers, error = look_up(jobs, start + seconds - MultiTenant.clock)
      text = stream(header, jobs, answers, nodes)
      raise Failure.new(EX_DATAERR, "The records are more than #{LIMIT >> 20} MiB.") if text.bytesize > LIMIT

      answer(start, [text], error, error ? EX_CONFIG : EX_OK)
    rescue Failure => e
      answer(start, [], e.message, e.code)
    end

    private

    def answer(start, texts, error, code)
      from = @jobs.sacct? ? 'sacct and squeue' : 'squeue'
      Answer.new(texts: texts, from: from, seconds: MultiTenant.clock - start, error: error, code: code)
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

    # A job without a name is no share to anybody. The oldest shares keep theirs, and so do the oldest other jobs.
    def without_surplus_names(jobs)
      names = Hash.new(0)
      jobs.each do |job|
        next unless (names[[job.uid, job.group.nil?]] += 1) > NAMES_PER_PUBLISHER

        job.name = ''
        job.group = nil
      end
    end

    # @return [Array(Hash, String)] uid and group => what the name service says; why it says nothing,
    #   where that is not for lack of time
    def look_up(jobs, seconds)
      questions = jobs.map { |job| [job.uid, job.group] }.uniq
      return [{}, nil] if questions.empty?

      lines = @names.call(questions, [seconds, 0].max, publishers: @settings.publishers)
      return [questions.zip(lines).to_h, nil] if lines

      unknown = @names.error ? UNKNOWN : UNKNOWN.merge('out_of_time' => true)
      [questions.to_h { |question| [question, unknown] }, @names.error]
    end

    def stream(header, jobs, answers, nodes)
      lines = jobs.map do |job|
        its = { 'nodes' => nodes[job.nodes] }.compact if job.group
        JSON.generate(record(header[:cluster], job, answers.fetch([job.uid, job.group])).merge(its.to_h))
      end
      Stream.text(header.compact, lines)
    end

    def record(cluster, job, answer)
      name, binary = text(job.name)
      user = job.user.empty? ? answer['user'].to_s : text(job.user)[0]
      record = { 'cluster' => cluster, 'job_id' => job.job_id, 'user' => user, 'uid' => job.uid, 'name' => name }
      record['binary'] = true if binary
      record.update('start' => job.start, 'end' => job.end, 'restarts' => job.restarts)
      record.update(answer.slice('group_gid', 'publisher_in_group'))
      record.update(answer.slice('publisher_allowed')) if @settings.publishers
      record.update(answer.slice('out_of_time'), 'wckey' => job.wckey)
    end

    # Bytes that are not UTF-8 become U+0000 to U+00FF each. @return [Array(String, Boolean)]
    def text(bytes)
      utf8 = bytes.dup.force_encoding(Encoding::UTF_8)
      utf8.valid_encoding? ? [utf8, false] : [bytes.unpack('C*').pack('U*'), true]
    end
  end
end
