# frozen_string_literal: true

require_relative '../job_records'
require_relative 'slurm_command'

module MultiTenant
  # The running jobs of some WCKeys, by Slurm's commands: sacct says which, squeue what they are now
  # and their names. Open OnDemand needs no sacct; where there is none, squeue says which, too, of all
  # that run.
  class SlurmJobs
    # Ids in one question to squeue.
    IDS = 1000

    NUMBER = /\A\d{1,10}\z/
    ID = /\A[1-9]\d{0,9}\z/
    ANYTHING = /\A[^\0]*\z/mn

    # The columns of both, and what a field has to be.
    SACCT = { jobidraw: ID, uid: NUMBER, user: ANYTHING, wckey: ANYTHING }.freeze
    KEYS = { jobid: ID, userid: NUMBER, wckey: ANYTHING }.freeze
    SQUEUE = { jobid: ID, userid: NUMBER, state: /\A[A-Z_]+\z/, starttime: SlurmCommand::TIME,
               endtime: Regexp.union(SlurmCommand::TIME, %r{\A[A-Za-z/]+\z}), timelimit: /\A[0-9A-Z_:-]+\z/,
               nodelist: ANYTHING, restartcnt: NUMBER, name: ANYTHING }.freeze

    # RUNNING, and the flags that a running job may have besides: to squeue a state is a job's state
    # with all its flags, and RUNNING alone misses the job that gets a signal this very moment.
    STATES = %w[RUNNING RESIZING SIGNALING].freeze

    # One id alone is asked for by itself, and then a job that has ended is an error.
    NO_SUCH_JOB = /Invalid job id specified/

    # @param command [SlurmCommand]
    # @param wckeys [Array<String>]
    def initialize(command, wckeys)
      @command = command
      @wckeys = wckeys
      @sacct = true
      @useless = @answered = false
    end

    # @return [Boolean] sacct was there the last time
    def sacct?
      @sacct
    end

    # From now on squeue says which: what sacct leaves out can't be known.
    # @return [void]
    def leave_sacct
      @useless = true
    end

    # @param until_at [Float] the deadline, by {MultiTenant.clock}
    # @return [Array<JobRecords::Job>] the oldest first; `nodes` is a list in Slurm's short form, in bytes
    # @raise [Failure]
    def call(until_at)
      wanted = wanted(until_at)
      jobs = wanted.keys.map(&:first).uniq.each_slice(IDS).flat_map do |ids|
        rows = squeue(SQUEUE, until_at, "--jobs=#{ids.join(',')}", but: NO_SUCH_JOB)
        rows.filter_map { |row| take(row, wanted) }
      end
      jobs.sort_by { |job| [job.start, job.job_id] }
    end

    private

    # The key of a user's default is stored as "*key". slurmdbd's database compares without case, accents and
    # blanks at the end; to the readers of records another spelling is another key.
    # @return [Hash{Array(String, String) => Hash}] raw id and uid => user and WCKey
    def wanted(until_at)
      rows = sacct(until_at) || squeue(KEYS, until_at).map { |row| { user: '', **row } }
      rows.each { |row| row[:wckey] = row[:wckey].delete_prefix('*') }
      rows.select { |row| @wckeys.include?(row[:wckey]) }.to_h { |row| [row.values_at(:jobid, :userid), row] }
    end

    # Without times slurmdbd's MaxQueryTimeRange counts from the epoch. nil: there is no sacct.
    def sacct(until_at)
      @sacct = !@useless
      return if @useless

      keys = @wckeys.flat_map { |key| [key, "*#{key}"] }
      found = @command.rows('sacct', SACCT, until_at) do |mark|
        ['--noheader', '--local', '--allusers', '--allocations', '--state=RUNNING', '--starttime=now',
         "--endtime=now+#{Core::LIMITS[:clock_slack]}", "--wckeys=#{keys.join(',')}",
         "--format=#{SACCT.keys.join(',')}", '--parsable', "--delimiter=#{mark}"]
      end
      @answered = true
      found.map { |row| { jobid: row[:jobidraw], userid: row[:uid], **row } }
    rescue SlurmCommand::NotThere
      @sacct = nil
    rescue Failure => e
      raise if @answered || !@command.useless?('sacct', e)

      @useless = true
      @sacct = nil
    end

    # A width of 0 cuts nothing, and what follows it is printed behind the field. Only --Format, not
    # --format, has the count of restarts (src/squeue/opts.c, 22.05 to 26.05). --all, as Open OnDemand asks: those in
    # hidden partitions, too.
    def squeue(columns, until_at, *args, but: nil)
      @command.rows('squeue', columns, until_at, but: but) do |mark|
        ['--noheader', '--local', '--all', "--states=#{STATES.join(',')}", *args,
         "--Format=#{columns.keys.map { |column| "#{column}:0#{mark}" }.join(',')}"]
      end
    end

    # The answer to the id of an array or heterogeneous job holds its other members too. A job of
    # another's has an id that slurmctld gave out again.
    def take(row, wanted)
      return unless STATES.include?(row[:state])

      asked = wanted.delete(row.values_at(:jobid, :userid))
      asked && JobRecords::Job.new(
        job_id: row[:jobid].to_i, uid: row[:userid].to_i, user: asked[:user], wckey: asked[:wckey], name: row[:name],
        group: Native.group_of(row[:name]), start: SlurmCommand.epoch(row[:starttime]), end: end_of(row),
        restarts: row[:restartcnt].to_i, nodes: row[:nodelist]
      )
    end

    def end_of(row)
      row[:timelimit] == 'UNLIMITED' ? 0 : SlurmCommand.epoch(row[:endtime])
    end
  end
end
