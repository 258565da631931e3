# frozen_string_literal: true

require_relative 'bed'

# What a question costs is for the shares that run, not for what their publishers have in the queue.
class TestQueue < BedTest
  PROGRAM = File.join(Bed::OURS, 'lib/multitenant/multitenant-query')
  # One whose function libslurm does not find, as where libslurm was linked with -Bsymbolic-functions.
  UNHEARD = "#{PROGRAM}-unheard".freeze
  SEND = 'slurm_send_recv_controller_msg'

  # A job of an earlier test whose end slurmdbd did not hear of would be asked for, too.
  def setup
    super
    File.binwrite(UNHEARD, File.binread(PROGRAM).gsub(SEND, SEND.succ), perm: 0o755) unless File.exist?(UNHEARD)
    Bed.wait('slurmdbd has no job that slurmctld lacks') do
      `sacctmgr --immediate show runawayjobs 2>&1`.include?('Runaway Jobs: No runaway jobs found')
    end
  end

  def submit(user, count, *args)
    loop = "for i in $(seq #{count}); do sbatch --quiet --output=/dev/null \"$@\" </dev/null --wrap='sleep 600'; done"
    result = Bed.as(user, 'sh', '-c', loop, 'sh', '--wckey=multitenant', *args)
    assert_empty result.err
  end

  def running(count)
    Bed.wait("#{count} jobs run", 300) { Bed.squeue('%A', '--states=RUNNING').lines.size == count }
    ids = Bed.squeue('%A', '--states=RUNNING').split
    # A job of an earlier test, too, is asked for until slurmdbd has heard of its end.
    Bed.wait("slurmdbd knows #{ids} alone") { ids.sort == `sacct -a -X -n -P -o jobidraw -s RUNNING`.split.sort }
  end

  # How often slurmctld was asked for one job, for those of a user, and for all, in a question.
  def asked(shares, program = UNHEARD)
    system('sdiag', '--reset', out: File::NULL, exception: true)
    result = Bed.as('hpcstudent', program, '--wckey', 'multitenant', '--timeout', 60)
    assert_empty result.err
    assert_equal shares + 2, result.out.lines.size
    told = `sdiag`
    %w[JOB_INFO_SINGLE JOB_USER_INFO JOB_INFO].map { |name| told[/REQUEST_#{name} .*count:(\d+)/, 1].to_i }
  end

  # One question, whose answer takes so many bytes.
  def bytes_of_one_question(shares)
    assert_equal [0, 0, 1], asked(shares, PROGRAM)
    refute_match(/REQUEST_BUILD_INFO/, `sdiag`)
    trace = Bed.as('hpcstudent', 'strace', '-qq', '-e', 'trace=read,recvfrom', '-e', 'signal=none', PROGRAM,
                   '--wckey', 'multitenant', '--timeout', 60)
    trace.err.scan(/^(?:read|recvfrom)\(.* = (\d+)$/).flatten.sum(&:to_i)
  end

  def test_all_shares_are_one_question_and_the_queue_adds_nothing_to_its_answer
    submit('hpcfaculty', 3)
    submit('hpcfaculty2', 2)
    running(5)
    bytes = bytes_of_one_question(5)
    submit('hpcfaculty', 50, '--hold')
    submit('hpcfaculty', 1, '--hold', '--array=0-299')
    assert_in_delta bytes, bytes_of_one_question(5), 2000
  end

  # What else slurmdbd asks of it meanwhile is not the question's.
  def questions_to_the_database(shares)
    ask = "mariadb --socket=#{Bed::DIR}/run/mariadb/mariadb.socket --execute=\"show global status like 'Com_select'\""
    count = -> { Integer(`#{ask}`[/\d+/]) }
    Array.new(3) do
      before = count.call
      asked(shares, PROGRAM)
      count.call - before
    end.min
  end

  def test_shares_are_one_question_to_the_database
    submit('hpcfaculty', 8)
    running(8)
    assert_equal 1, questions_to_the_database(8)
  end

  def test_pending_jobs_of_a_publisher_are_not_asked_for
    submit('hpcfaculty', 10)
    submit('hpcfaculty2', 1)
    submit('hpcfaculty', 100, '--hold')
    running(11)
    assert_equal [11, 0, 0], asked(11)
  end

  def test_very_many_running_jobs_of_a_publisher_are_one_question
    submit('hpcfaculty', 65)
    submit('hpcfaculty2', 1)
    running(66)
    assert_equal [1, 1, 0], asked(66)
  end

  # To the id of the task that started last slurmctld answers with all tasks of its array.
  def test_pending_tasks_of_many_arrays_are_not_asked_for
    submit('hpcfaculty', 3, '--hold', '--array=0-299')
    arrays = Bed.squeue('%F').split.uniq
    arrays.each do |id|
      [%W[update JobId=#{id}_[0-298] StartTime=now+1hour], ['release', "#{id}_299"]].each do |args|
        assert_equal 0, Bed.as('hpcfaculty', 'scontrol', *args).code
      end
    end
    submit('hpcfaculty', 1)
    running(4)
    assert_equal [2, 0, 0], asked(2)
  end

  # Who asks more than two questions a second is made to wait.
  def test_one_question_for_each_publisher_where_slurmctld_limits_questions
    Bed.configured('slurm.conf' => 'SlurmctldParameters=RL_Enable') do
      submit('hpcfaculty', 2)
      submit('hpcfaculty2', 1)
      running(3)
      assert_equal [1, 1, 0], asked(3)
    end
  end
end
