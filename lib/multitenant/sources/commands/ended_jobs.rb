# frozen_string_literal: true

require_relative 'slurm_command'

module MultiTenant
  # What a cluster's accounting says of the shares of this user that have ended.
  class EndedJobs
    # `id` is Slurm's name of it and `raw` its number; `state` and `elapsed` are sacct's words; `finished` is an epoch;
    # `seconds` is how long it ran, `cpus` how many it had, `used` how many seconds they worked and `memory` the most
    # bytes that it had at once, both nil where Slurm did not gather that.
    Job = Struct.new(:id, :raw, :cluster, :label, :group, :state, :finished, :elapsed, :seconds, :cpus, :used, :memory,
                     keyword_init: true) do
      # @return [Integer] CPU seconds
      def allocated
        seconds * cpus
      end

      # @return [String] JOB@CLUSTER, as a gateway's state has it
      def member
        "#{raw}@#{cluster}"
      end
    end

    ANYTHING = //n
    COLUMNS = { jobidraw: /\A[1-9]\d{0,9}(?:\.[\w+-]+)?\z/, jobid: /\A[1-9][\d_+\[\]%,-]*(?:\.[\w+-]+)?\z/,
                cluster: /\A[\w.-]+\z/, state: /\A[A-Z_]+/, end: Regexp.union(SlurmCommand::TIME, /\A[A-Za-z]+\z/),
                elapsed: /\A[\d:-]+\z/, alloccpus: /\A\d{1,9}\z/, totalcpu: /\A[\d:.-]*\z/,
                tresusageintot: ANYTHING, jobname: ANYTHING }.freeze
    # Of a step: what its tasks had at most, together.
    MEMORY = /(?:\A|,)mem=(\d{1,19})(?:,|\z)/
    # Seconds, minutes, hours.
    UNITS = [1, 60, 3600].freeze

    # @param text [String] sacct's [DAYS-[HOURS:]]MINUTES:SECONDS, or nothing where it does not know
    # @return [Float]
    def self.seconds(text)
      time, days = text.split('-').reverse
      time.to_s.split(':').reverse.zip(UNITS).sum { |part, unit| part.to_f * unit.to_i } + (days.to_i * 86_400)
    end

    # @param command [SlurmCommand]
    # @param wckeys [Array<String>]
    # @param seconds [Float] the deadline
    def initialize(command, wckeys, seconds: 20)
      @command = command
      @keys = wckeys.flat_map { |key| [key, "*#{key}"] }.join(',')
      @seconds = seconds
    end

    # sacct's names are cut at 255 bytes, which leaves label and group.
    # @param days [Integer] they ran within so many
    # @return [Array<Job>] the last one first
    # @raise [Failure]
    def call(days)
      rows = @command.rows('sacct', COLUMNS, MultiTenant.clock + @seconds) do |mark|
        ['--noheader', '--local', "--user=#{Process.euid}", "--wckeys=#{@keys}", "--starttime=now-#{days}days",
         '--endtime=now', '--noconvert', "--format=#{COLUMNS.keys.join(',')}", '--parsable', "--delimiter=#{mark}"]
      end
      steps, jobs = rows.partition { |row| row[:jobidraw].include?('.') }
      steps = steps.group_by { |step| step[:jobidraw][/\d+/] }
      jobs.filter_map { |row| job(row, steps.fetch(row[:jobidraw], [])) }.sort_by { |job| [-job.finished, -job.raw] }
    end

    private

    # @return [Job, nil] nil: it has not ended, or is no share
    def job(row, steps)
      group = Native.group_of(row[:jobname])
      return unless group && row[:end].match?(/\A\d/)

      memory = steps.filter_map { |step| step[:tresusageintot][MEMORY, 1]&.to_i }.max
      used = EndedJobs.seconds(row[:totalcpu])
      Job.new(id: row[:jobid], raw: row[:jobidraw].to_i, cluster: row[:cluster], label: Native.label_of(row[:jobname]),
              group: group, state: row[:state][COLUMNS[:state]], finished: SlurmCommand.epoch(row[:end]),
              elapsed: row[:elapsed], seconds: EndedJobs.seconds(row[:elapsed]).to_i, cpus: row[:alloccpus].to_i,
              used: (used if memory || used.positive?), memory: memory)
    end
  end
end
