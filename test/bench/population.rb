# frozen_string_literal: true

require 'open3'
require_relative 'bench_bed'

# What slurmctld and slurmdbd hold: shares, jobs of others, a publisher's pending jobs, and jobs that ended. Jobs are
# allocations in which nothing runs: to Slurm they are as others, and the machine has no processes of them.
class Population
  PUBLISHERS = %w[hpcfaculty hpcfaculty2 hpcdefault].freeze
  VIEWER = 'hpcstudent'
  # So many of all shares are for the viewer; the rest are for another member of the group.
  VIEWERS = 20
  # Of the others' jobs so many run.
  RUNNING = 500
  # Ids of jobs that ended begin here.
  ENDED = 10_000_000

  Share = Struct.new(:id, :user)

  attr_reader :shares, :others, :pending, :finished

  def initialize
    @shares = []
    @others = @pending = 0
    self.finished = 0
    Bed.cancel_all
    settle
  end

  # @return [Integer] shares that the viewer is to see
  def for_viewer
    [@shares.size, VIEWERS].min
  end

  # Makes it so; raises where it can't be seen to be so.
  def become(shares:, others:, pending:, finished:)
    self.pending = pending
    self.others = others
    self.share_count = shares
    self.finished = finished
    settle
  end

  # One share's name carries another password.
  def change_a_share
    publish([0])
  end

  private

  def share_count=(count)
    gone = @shares.slice!(count..) || []
    gone.map(&:id).each_slice(100) { |ids| system('scancel', *ids.map(&:to_s), exception: true) }
    return if count == @shares.size

    new = (@shares.size...count).to_a
    new.group_by { |i| PUBLISHERS[i % PUBLISHERS.size] }.each do |user, list|
      list.zip(submit(user, list.size, 0, 'multitenant')) { |i, id| @shares[i] = Share.new(id, user) }
    end
    publish(new)
  end

  def publish(list)
    list.group_by { |i| @shares[i].user }.each do |user, of_user|
      lines = of_user.map { |i| "update JobId=#{@shares[i].id} JobName=#{name(i)}\n" }
      said = Bed.as(user, 'scontrol', input: lines.join)
      raise "scontrol: #{said.out}#{said.err}" if said.code != 0 || said.err != ''
    end
  end

  def name(index)
    share = @shares[index]
    to = index < VIEWERS ? Bed::MEMBERS : Bed::MEMBERS - [VIEWER]
    secret = { 'host' => 'node1', 'port' => '8787', 'password' => SecureRandom.hex(32) }
    "sys/dashboard|hpcGrp|#{Bed.seal(share.id, share.user, Bed.accounting(to: to), secret)}"
  end

  def others=(count)
    raise ArgumentError, 'jobs of others only become more' if count < @others

    running = [count / 10, RUNNING].min - [@others / 10, RUNNING].min
    submit('outsider', count - @others, count - @others - running, '') if count > @others
    @others = count
  end

  def pending=(count)
    system('scancel', '--user=hpcfaculty', '--state=PENDING', exception: true) if count < @pending
    submit('hpcfaculty', count - @pending, count - @pending, 'multitenant') if count > @pending
    @pending = count
  end

  # A copy of a row of Slurm's own each: the times go back at one a minute, and one in ten has the shares' WCKey.
  def finished=(count)
    return if count == @finished

    sql("DELETE FROM hpc_job_table WHERE id_job >= #{ENDED}")
    insert(count) if count.positive?
    sql('ANALYZE TABLE hpc_job_table')
    @finished = Integer(sql("SELECT COUNT(*) FROM hpc_job_table WHERE id_job >= #{ENDED}"))
    raise "#{@finished} jobs that ended, and not #{count}" unless @finished == count
  end

  def insert(count)
    columns = sql("SELECT column_name FROM information_schema.columns WHERE table_schema = 'slurm_acct_db' AND " \
                  "table_name = 'hpc_job_table' AND column_name <> 'job_db_inx'").split.map { |name| "`#{name}`" }
    start = 'UNIX_TIMESTAMP() - 3600 - 60 * seq'
    set = { '`id_job`' => "#{ENDED} + seq", '`mod_time`' => start, '`time_submit`' => start, '`time_eligible`' => start,
            '`time_start`' => start, '`time_end`' => "#{start} + 600",
            '`wckey`' => "IF(seq % 10 = 0, 'multitenant', wckey)" }
    values = columns.map { |name| set.fetch(name, name) }
    sql("INSERT INTO hpc_job_table (#{columns.join(',')}) SELECT #{values.join(',')} FROM seq_1_to_#{count}, " \
        '(SELECT * FROM hpc_job_table WHERE state = 3 ORDER BY job_db_inx LIMIT 1) AS ended')
  end

  def sql(text)
    out, status = Open3.capture2('mariadb', '--no-defaults', "--socket=#{Bed::DIR}/run/mariadb/mariadb.socket",
                                 '--batch', '--skip-column-names', 'slurm_acct_db', stdin_data: text)
    raise "mariadb: #{text}" unless status.success?

    out
  end

  def submit(user, count, held, wckey)
    done = Bed.as(user, BenchBed.program('jobs'), count, held, wckey)
    raise "jobs: #{done.err}" unless done.code.zero?

    done.out.split.map { |id| Integer(id) }
  end

  # Until slurmctld holds these jobs and no others, not even such as have ended, and slurmdbd knows of all.
  def settle
    wanted = @shares.size + @others + @pending
    Bed.wait(-> { "slurmctld holds #{held} jobs, and not #{wanted}" }, 180) { held == wanted }
    ids = @shares.map { |share| share.id.to_s }.sort
    Bed.wait('slurmctld runs the shares', 60) do
      Bed.squeue('%j', '--state=RUNNING').lines.count { |line| line.count('|') == 2 } == ids.size
    end
    Bed.wait('slurmdbd has heard of all', 180) { `sdiag`.match?(/^DBD Agent queue size: 0$/) }
    Bed.wait('slurmdbd knows the shares', 60) do
      `sacct -a -X -n -P -o jobidraw -s RUNNING --wckeys=multitenant`.split.sort == ids
    end
  end

  def held
    Bed.squeue('%A', '--states=all').lines.size
  end
end
