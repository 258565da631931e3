# frozen_string_literal: true

require_relative 'slurm_command'

module MultiTenant
  # The jobs of this user on one cluster, and what Slurm lets them do with these.
  class OwnJobs
    # `id` is Slurm's name of it, with the number of a task or component; of tasks that wait, their numbers in brackets,
    # where squeue writes [0-98:2], and ... for what is longer than SLURM_BITSTR_LEN.
    Job = Struct.new(:id, :raw, :state, :dependency, :name, keyword_init: true) do
      # @return [Boolean] it runs, or may yet
      def alive?
        !ENDED.match?(state)
      end

      # @return [Boolean] whether that is a name of it, or of the array whose tasks wait
      def named?(name)
        [id, raw].include?(name) || (id.include?('[') && id[/\A\d+/] == name[/\A(\d+)_/, 1])
      end

      # Jobs of a service are submitted in this way, and nobody else's.
      # @return [Boolean] whether it is the one that waits to follow that job (libexec/multitenant-chain)
      def follows?(name)
        id = Regexp.escape(name)
        dependency.match?(/\Aafter:#{id}\+\d+\([^)]*\)\?afterany:#{id}\(/)
      end
    end

    ENDED = /\A(?:BOOT_FAIL|CANCELLED|COMPLETED|COMPLETING|DEADLINE|FAILED|NODE_FAIL|OUT_OF_MEMORY|PREEMPTED|REVOKED|
                  TIMEOUT)\z/x
    COLUMNS = { id: /\A[1-9][\d_+,%:.\[\]-]*\z/, raw: /\A[1-9]\d{0,9}\z/, state: /\A[A-Z_]+\z/, dependency: //n,
                name: //n }.freeze
    # Ids in one call of scancel.
    IDS = 1000

    # @param command [SlurmCommand]
    # @param seconds [Float] the deadline of each call
    def initialize(command, seconds: 20)
      @command = command
      @seconds = seconds
    end

    # @return [Array<Job>] those that slurmctld knows: some have ended
    # @raise [Failure]
    def all
      rows = @command.rows('squeue', COLUMNS, MultiTenant.clock + @seconds) do |mark|
        ['--noheader', '--local', '--all', "--user=#{Process.euid}", '--states=all',
         "--format=#{%w[%i %A %T %E %j].map { |field| "#{field}#{mark}" }.join}"]
      end
      rows.map { |row| Job.new(**row) }
    end

    # One that has ended meanwhile is no failure.
    # @param jobs [Array<Job>]
    # @raise [Failure]
    # @return [void]
    def cancel(jobs)
      jobs.map { |job| cancelled_by(job.id) }.each_slice(IDS) { |ids| call('scancel', '--quiet', *ids) }
    end

    # @param job [Job]
    # @param name [String]
    # @raise [Failure]
    # @return [void]
    def rename(job, name)
      call('scontrol', 'update', "JobId=#{job.id}", "JobName=#{name}")
    end

    private

    # scancel knows neither of these, and all tasks of an array are of one service.
    def cancelled_by(id)
      id.match?(/[:.]/) ? id[/\A\d+/] : id.sub(/%\d+/, '')
    end

    def call(name, *args)
      @command.call(name, args, MultiTenant.clock + @seconds)
    end
  end
end
