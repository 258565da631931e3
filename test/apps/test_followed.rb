# frozen_string_literal: true

require_relative 'app_test'
require 'date'

# What one server alone can have, from job to job, where something comes between; and a next job that fails. Jobs that
# wait are let begin at once.
class TestFollowed < AppTest
  include Kept
  include KindJobs

  def setup
    super
    FileUtils.rm_rf(state)
  end

  def serve(kind, more = {})
    AppJobs.configure(@site, 'keep_days' => '30')
    serve_kind(kind, 'mt_title' => 'Spanish 301', 'mt_until' => (Date.today + 7).to_s, **more)
  end

  def begin_now(job_id)
    system('scontrol', 'update', "JobId=#{job_id}", 'Dependency=', exception: true)
  end

  def assert_served_by(job_id)
    Bed.wait(-> { "job #{job_id} serves; #{Bed.squeue('%i %T', '-t', 'all')}" }, 240) do
      Bed.specs('hpcstudent').keys == [job_id.to_s]
    end
  end

  # A script as doc/reference.md has it.
  def script
    <<~BASH
      #!/bin/bash
      #SBATCH --wckey=multitenant --time=60 --output=#{@data}/%j.log
      for part in job chain keeper submission data; do source #{Bed::OURS}/libexec/multitenant-$part; done
      keep_running --service spanish-301 --group hpcGrp --until '1 day'
      multitenant_share() {
        mt_shared=$(#{Bed::OURS}/libexec/multitenant-share --note --group hpcGrp --app MyApp --method card \\
          --delivery sys/multitenant-delivery_default --session "$mt_session" "$@")
      }
      export host=127.0.0.1
      port=$(python3 -c 'import socket; one = socket.socket(); one.bind(("127.0.0.1", 0)); print(one.getsockname()[1])')
      export port
      take_data
      take_directory #{@data}
      python3 -m http.server --bind 127.0.0.1 "$port" & SCRIPT_PID=$!
      share_service
      wait "$SCRIPT_PID"
      await_successor
    BASH
  end

  def log
    Dir.glob(File.join(@data, '*.log')).max || File::NULL
  end

  # They take minutes.
  module Long
    def test_a_job_whose_node_dies_within_its_lead_leaves_its_directory_to_the_next_one
      Bed.configured('slurm.conf' => 'SlurmdTimeout=20') do
        first = serve('redis')
        second = follower
        kill_node(kept('chains/1/node'), first.job_id)
        first.wait('is to start anew', 120) { first.state == 'PENDING' }
        assert_match(/\A#{first.job_id} /, File.readlink("#{@data}/.multitenant-job"))
        begin_now(second)
        assert_served_by(second)
        system('scontrol', 'update', "JobId=#{first.job_id}", 'StartTime=now', exception: true)
        first.wait('ends', 180) { first.state == 'COMPLETED' }
        assert_match(/^Job #{second} has followed this one already/, first.log)
      ensure
        Bed.testbed('start', 'slurmd')
      end
    end

    def test_a_script_of_ones_own_hands_its_directory_over
      first = shared(Integer(Bed.as('hpcfaculty', 'sbatch', '--parsable', input: script).out))
      second = follower
      begin_now(second)
      assert_served_by(second)
      assert_match(/\A#{second} /, File.readlink("#{@data}/.multitenant-job"))
      Bed.wait('the first one ends', 150) { Bed.left('-j', first).empty? }
    end

    # As on a node that lacks the home: its log can't be written, and nothing of it runs.
    def test_a_job_that_fails_before_it_has_begun_is_followed_by_another
      serve('command', 'app_path' => '', 'command' => 'exec python3 -m http.server "$port"')
      second = follower
      FileUtils.rm_rf(Bed.squeue('%Z', '-j', second).strip)
      begin_now(second)
      Bed.wait("job #{second} fails") { Bed.squeue('%T', '-t', 'all', '-j', second).strip == 'FAILED' }
      Bed.wait('another one waits', 240) { !['', second.to_s].include?(kept('chains/1/next')) }
      assert_equal ['', 'PENDING'], [kept('chains/1/problem.next'), Bed.squeue('%T', '-j', follower).strip]
    end

    # Slurm drains the node, and holds the job.
    def test_a_job_that_a_node_could_not_launch_is_released
      serve('redis')
      second = follower
      fails = File.join(Bed::OURS, 'fails')
      File.write(prolog = File.join(Bed::OURS, 'prolog'), "#!/bin/bash\n[[ ! -e #{fails} ]]\n", perm: 0o755)
      FileUtils.touch(fails)
      Bed.configured('slurm.conf' => "Prolog=#{prolog}") do
        system('scontrol', 'reconfigure', exception: true)
        begin_now(second)
        Bed.wait('it is held') { Bed.squeue('%r', '-j', second).strip == 'launch failed requeued held' }
        FileUtils.rm_f(fails)
        assert_served_by(second)
      end
    ensure
      system('scontrol', 'reconfigure')
      system('scontrol', 'update', 'NodeName=ALL', 'State=RESUME', err: File::NULL) # of those that were drained
    end

    # Slurm is done with a job once its Epilog is. Meanwhile its owner launches it anew, with the same answers.
    # @param says [Regexp] what the second one says then, until the first one has ended, as the block ends that
    # @return [AppJob] the second one
    def relaunched(first, says, more = {})
      FileUtils.touch(ends = File.join(Bed::OURS, 'ends'))
      File.write(epilog = File.join(Bed::OURS, 'epilog'), "#!/bin/bash\nwhile [[ -e #{ends} ]]; do sleep 1; done\n",
                 perm: 0o755)
      Bed.configured('slurm.conf' => "Epilog=#{epilog}") do
        system('scontrol', 'reconfigure', exception: true)
        yield
        first.wait('is being ended') { first.state == 'COMPLETING' }
        second = submit(KindJobs::SERVERS, AppTest::SHARED.merge('version' => 'redis', 'app_path' => @data, **more))
        second.wait('waits', 120) { second.log.match?(says) }
        FileUtils.rm_f(ends)
        second.shared
      end
    ensure
      FileUtils.rm_f(ends)
      system('scontrol', 'reconfigure')
    end

    # Bans, keys and the address go by that name.
    def test_who_deletes_a_service_and_launches_it_anew_at_once_has_the_same
      first = serve('redis')
      says = /^The jobs of spanish-301 are just being ended: this one waits for that\.$/
      answers = { 'mt_title' => 'Spanish 301', 'mt_until' => (Date.today + 7).to_s,
                  'mt_delivery_select' => 'RShiny_App sys/multitenant-delivery_default' }
      second = relaunched(first, says, answers) { Bed.as('hpcfaculty', 'scancel', first.job_id) }
      assert_equal [second.id, second.job_id.to_s], [kept('session'), kept('chains/1/job')]
      refute_path_exists state('spanish-301-2@hpcGrp')
    end

    # Its server, which is killed, has left the lock.
    def test_what_has_a_directory_is_served_where_it_is_launched_anew_at_once
      first = serve_kind('redis')
      says = /^Job #{first.job_id} on \S+, which serves #{@data}, is just being ended: this one waits for that\.$/
      delivery = { 'mt_delivery_select' => 'RShiny_App sys/multitenant-delivery_default' }
      second = relaunched(first, says, delivery) do
        step = processes.find { |pid, (_, words)| words.start_with?("slurmstepd: [#{first.job_id}.") && ours?(pid) }[0]
        system('kill', '-KILL', *(below(step) - [step]).map(&:to_s), err: File::NULL) # some may have ended by now
      end
      assert_match(/\A#{second.job_id} /, File.readlink("#{@data}/.multitenant-job"))
    end
  end
  include Long if ENV.key?('MULTITENANT_LONG')
end
