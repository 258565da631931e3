# frozen_string_literal: true

require_relative 'bed'
require 'multitenant/cli/unshare'

# The commands of a service's owner, with a real Slurm. What its jobs do with what they say: test/apps/test_chain.rb.
class TestOwner < BedTest
  OWNER = 'hpcfaculty'
  NAME = 'spanish@hpcGrp'
  KNOWN = "#{MultiTenant::CLI::Unshare::KNOWN}\n".freeze
  # Ends some seconds after it is told to.
  SLOW = "#!/bin/bash\ntrap 'sleep 3; exit' TERM\nsleep 600 & wait\n"

  def teardown
    Bed.cancel_all
    FileUtils.rm_rf(File.join(Bed.home(OWNER), '.local'))
  end

  def state(*parts)
    File.join(Bed.home(OWNER), '.local/state/multitenant/services', NAME, *parts)
  end

  # @param chains [Hash] number => file => text
  def keep(chains, user: OWNER)
    chains.each do |number, files|
      FileUtils.mkdir_p(dir = state("chains/#{number}"))
      files.each { |file, text| File.write(File.join(dir, file.to_s), "#{text}\n") }
    end
    File.write(state('cluster'), "hpc\n")
    FileUtils.chown_R(user, user, File.join(Bed.home(OWNER), '.local'))
  end

  def assert_told(out, *argv, user: OWNER, **options)
    result = Bed.multitenant(user, *argv, **options)
    assert_equal ['', out, 0], [result.err, result.out, result.code]
  end

  # @return [Array<String>] what runs or waits
  def alive
    Bed.squeue('%i', '-t', 'PENDING,RUNNING,SUSPENDED,CONFIGURING').split.sort
  end

  def test_nothing_of_a_stopped_service_runs_or_waits
    other = Bed.submit(OWNER)
    serving = Bed.submit(OWNER, script: SLOW)
    Bed.wait('they run') { Bed.squeue('%A', '-t', 'RUNNING', '-j', "#{other},#{serving}").split.size == 2 }
    waiting = Bed.submit(OWNER, "--dependency=after:#{serving}+1?afterany:#{serving}")
    array = Bed.submit(OWNER, '--array=1-3%1')
    Bed.wait('a task runs') { Bed.squeue('%i', '-t', 'RUNNING', '-j', array).strip == "#{array}_1" }
    stranger = Bed.submit('hpcfaculty2')
    keep({ 1 => { shared: serving, job: serving, next: waiting }, 2 => { job: "#{array}_1" }, 3 => { next: stranger } })
    assert_equal 6, alive.size
    assert_told "#{NAME} is stopped: 4 jobs were cancelled.\n", 'stop', 'spanish'
    assert_equal [other, stranger].map(&:to_s).sort, alive
    assert_path_exists state('stopped')
  end

  # Neither with the owner's files, nor with files of their own that name the owner's jobs.
  def test_nobody_else_stops_a_service
    serving = Bed.running(Bed.submit(OWNER))
    keep({ 1 => { job: serving } })
    env = { 'XDG_STATE_HOME' => File.join(Bed.home(OWNER), '.local/state') }
    result = Bed.multitenant('hpcfaculty2', 'stop', 'spanish', env: env)
    assert_match(/You have no service `spanish`; see/, result.err)
    result = Bed.multitenant('hpcfaculty2', 'stop', "#{OWNER}/#{NAME}", env: env)
    assert_equal ["multitenant: #{OWNER}/#{NAME} is #{OWNER}'s service, not yours.\n", 77], [result.err, result.code]
    keep({ 1 => { job: serving } }, user: 'hpcfaculty2')
    FileUtils.chmod('a+x', Bed.home(OWNER))
    assert_told "#{NAME} is stopped: 0 jobs were cancelled.\n", 'stop', 'spanish', user: 'hpcfaculty2', env: env
    assert_equal [serving.to_s], alive
    refute_equal 0, Bed.as('hpcfaculty2', 'scancel', serving).code
  end

  # Jobs that name a service and keep no state.
  def test_jobs_that_only_name_a_service_are_stopped_with_it
    other, = Bed.share(OWNER)
    members = Array.new(2) do
      job_id = Bed.running(Bed.submit(OWNER))
      Bed.publish(OWNER, job_id, Bed.accounting, { 'host' => 'n1', 'mt_service' => 'spanish' })
      job_id
    end
    listed = Bed.multitenant(OWNER, 'services', '--mine').out
    members.each { |job_id| assert_match(%r{^#{OWNER}/#{NAME} .*\b#{job_id}\b}, listed) }
    assert_told "spanish is stopped: 2 jobs were cancelled.\n", 'stop', 'spanish'
    assert_equal [other.to_s], alive
  end

  def test_a_share_is_taken_back_and_its_job_runs_on
    job_id, id = Bed.share(OWNER)
    assert_equal ["written #{id}"], Bed.cards('hpcstudent')
    assert_match(/You have no job #{job_id}; see/, Bed.multitenant('hpcfaculty2', 'unshare', job_id.to_s).err)
    assert_told "Job #{job_id} is not shared any more, and runs on.\n#{KNOWN}", 'unshare', job_id.to_s
    assert_equal 'sys/dashboard|', name_of(job_id)
    assert_equal ["removed #{id}"], Bed.cards('hpcstudent')
    assert_equal [job_id.to_s], alive
    assert_told "Job #{job_id} is not shared.\n", 'unshare', job_id.to_s
  end

  # The sender in the job, which looks again later, gives it its name only where Slurm has lost that.
  def test_the_sender_in_the_job_leaves_it_taken_back
    share = File.join(Bed::OURS, 'multitenant-share')
    text = File.read(File.join(Bed::ROOT, 'libexec/multitenant-share'))
    File.write(share, text.sub('LOOK_AGAIN=30', 'LOOK_AGAIN=10'), perm: 0o755)
    job_id = Bed.submit(OWNER, '--job-name=plain', script: <<~BASH)
      #!/bin/bash
      #{share} --group hpcGrp --app Service --method card --delivery sys/multitenant-delivery_default \\
        --session #{SecureRandom.uuid} host=n1
      sleep 600
    BASH
    Bed.wait('it is shared') { name_of(job_id).count('|') == 2 }
    assert_told "Job #{job_id} is not shared any more, and runs on.\n#{KNOWN}", 'unshare', job_id.to_s
    sleep 12
    assert_equal 'plain|', name_of(job_id)
  end

  # Once it is shared it has 80 MB, works for half a second, and stays long enough for slurmd to look at it.
  WORKS = <<~'BASH'
    #!/bin/bash
    until [[ $(squeue --noheader --format=%j --jobs="$SLURM_JOB_ID") == *\|* ]]; do sleep 0.2; done
    ruby -e 'all = "a" * 80_000_000; nil while Process.clock_gettime(2) < 0.5; sleep 4'
  BASH

  # Jobs of that time gather what slurmd was started with.
  def gathering
    file = File.join(Bed::DIR, 'etc/slurm.conf')
    before = File.read(file)
    File.write(file, "#{before.sub('jobacct_gather/none', 'jobacct_gather/linux')}\nJobAcctGatherFrequency=1\n")
    %w[stop start].each { |what| Bed.testbed(what, 'slurmd') }
    yield
  ensure
    File.write(file, before)
    %w[stop start].each { |what| Bed.testbed(what, 'slurmd') }
  end

  # @return [Integer] a job that has been shared, and has ended
  def ended(script)
    job_id = Bed.running(Bed.submit(OWNER, '--ntasks=2', script: script))
    Bed.publish(OWNER, job_id, Bed.accounting)
    yield if block_given?
    Bed.wait("slurmdbd knows that job #{job_id} has ended") do
      `sacct -a -X -n -P -o end -j #{job_id}`.match?(/\A\d/)
    end
    job_id
  end

  def used(job_id, user = OWNER)
    rows = JSON.parse(Bed.multitenant(user, 'services', '--ended', '--json').out).fetch('ended')
    rows.find { |row| row['job'] == job_id.to_s }
  end

  def test_what_an_ended_job_used_is_told_where_slurm_gathers_it
    worked = gathering { ended(WORKS) }
    dir = File.join(Bed.home(OWNER), ".local/state/multitenant/jobs/#{worked}@hpc/gate")
    FileUtils.mkdir_p(File.join(dir, 'log'))
    File.write(File.join(dir, "seen.#{worked}@hpc"), '')
    File.write(File.join(dir, "log/#{worked}@hpc.jsonl"), %({"time":1,"user":"hpcstudent","uid":"2001"}\n))
    FileUtils.chown_R(OWNER, OWNER, File.join(Bed.home(OWNER), '.local'))
    row = used(worked)
    assert_equal ['sys/dashboard', 'hpcGrp', 'COMPLETED', 2, 1],
                 row.values_at('service', 'group', 'state', 'cpus', 'tenants')
    assert_operator row['memory_peak'], :>=, 80_000_000
    assert_includes 0.5..row['cpu_allocated'], row['cpu_used']
    assert_equal row['elapsed'] * 2, row['cpu_allocated']

    idle = ended("#!/bin/sh\nexec sleep 60\n") { system('scancel', '--user', OWNER) }
    said = Bed.multitenant(OWNER, 'services', '--ended').out
    assert_match(/^#{idle} .* CANCELLED .* -  +-  +-$/, said)
    assert_includes said, 'CPU and memory are not gathered here: hpc has no JobAcctGatherType.'
    assert_nil used(worked, 'hpcfaculty2')
  end
end
