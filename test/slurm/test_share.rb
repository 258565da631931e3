# frozen_string_literal: true

require_relative '../ruby/free_port'
require_relative 'bed'
require 'shellwords'

# libexec/multitenant-share in real jobs.
class TestShare < BedTest
  SHARE = File.join(Bed::OURS, 'multitenant-share')
  HOSTILE = %(a'b"c|d\\e\\u0027 $(id) `id` * €😀 #{(0x20..0x7e).map(&:chr).join}).freeze

  # Users of some tests alone. E-mail addresses as user names; useradd makes none of that length.
  PRIMARY = 'mtprimary'
  LONG = 'firstname.lastname.of.somebody@uni.edu.x'

  # A test that was killed left its account, which would be one more member of the group.
  def setup
    super
    [PRIMARY, LONG].each { |user| remove(user) }
    FileUtils.cp(File.join(Bed::ROOT, 'libexec/multitenant-share'), SHARE)
    FileUtils.rm_f([go, log])
  end

  # The user, with all that they have.
  def remove(user)
    return unless Etc::Passwd.any? { |account| account.name == user }

    system('scancel', '--user', user)
    Bed.wait('no job of theirs is left') { Bed.squeue('%A', '--user', user).strip.empty? }
    system('sacctmgr', '--immediate', '--quiet', 'delete', 'user', user, out: File::NULL)
    FileUtils.rm_rf(Bed.home(user))
    Bed.wait('their account is gone') { Bed.change_accounts { system('userdel', user, err: File::NULL) } }
  end

  # What a job of hpcfaculty's waits for, and what it says.
  def go
    File.join(Bed.home('hpcfaculty'), 'go')
  end

  def log
    File.join(Bed.home('hpcfaculty'), 'log')
  end

  # @return [String] a command; `keys` may use the job's variables
  def share(*keys, id: SecureRandom.uuid)
    options = { group: 'hpcGrp', app: 'Service', method: 'card', delivery: 'sys/multitenant-delivery_default',
                session: id, to: Bed::MEMBERS.map { |user| Bed.uid(user) }.join(',') }
    [SHARE, *options.flat_map { |key, value| ["--#{key}", value] }, *keys].join(' ')
  end

  def submit(script, *args)
    script = "#!/bin/bash\n#{script}\nsleep 600\n"
    Bed.submit('hpcfaculty', "--output=#{log}", '--open-mode=append', *args, script: script)
  end

  def connection(job_id)
    Bed.specs('hpcstudent').dig(job_id.to_s, 'connection')&.slice('host', 'password')
  end

  def test_a_batch_job_shares_itself_and_takes_it_back
    id = SecureRandom.uuid
    job_id = shared(submit(<<~BASH, '--job-name=My database'))
      export password=#{HOSTILE.shellescape}
      out=$(#{share('host=n1', 'password', id: id)}) && echo "$SECONDS s: $out"
      until [[ -e #{go} ]]; do sleep 0.1; done
      #{SHARE} --unshare
    BASH
    assert_equal({ 'host' => 'n1', 'password' => HOSTILE }, connection(job_id))
    assert_equal ["written #{id}"], Bed.cards('hpcstudent')
    assert_card 'hpcstudent', id
    Bed.wait('the script goes on while the name is watched') { !File.empty?(log) }
    assert_match(/\A\d+ s: multitenant-share: job #{job_id} is shared/, File.read(log))
    assert_match(/\AMy database\|hpcGrp\|/, name_of(job_id))
    FileUtils.touch(go)
    Bed.wait('it is shared no longer') { name_of(job_id) == 'My database' }
    assert_equal ["removed #{id}"], Bed.cards('hpcstudent')
  end

  # What watches the name does not keep the job.
  def test_a_job_ends_when_its_script_ends
    job_id = submit("#{share('host=n1')}; touch #{go}; until [[ ! -e #{go} ]]; do sleep 0.1; done; exit 0")
    shared(job_id)
    Bed.wait('its script goes on') { File.exist?(go) }
    FileUtils.rm(go)
    Bed.wait('the job ends') { Bed.left.empty? }
  end

  def test_a_member_elsewhere_in_the_cluster_can_not_share_the_job_of_another
    job_id = Bed.running(Bed.submit('hpcfaculty'))
    env = { 'SLURM_JOB_ID' => job_id.to_s, 'PATH' => ENV.fetch('PATH'), 'SLURM_CONF' => ENV.fetch('SLURM_CONF') }
    result = Bed.as('hpcstudent', *share('host=evil').shellsplit, env: env)
    assert_equal 69, result.code
    assert_match(/Slurm did not rename job #{job_id}: Invalid user id/, result.err)
  end

  # The last task has the array's id.
  def test_array_tasks_share_themselves
    master = submit(share('host=task$SLURM_ARRAY_TASK_ID'), '--array=0-2')
    Bed.wait('the tasks are shared') { Bed.squeue('%j', '-j', master).lines.count { |line| line.count('|') == 2 } == 3 }
    tasks = Bed.squeue('%A %K', '-j', master).lines.to_h { |line| line.split.map { |n| Integer(n) } }
    assert_includes tasks.keys, master
    tasks.each { |raw, task| assert_equal "task#{task}", connection(Bed.running(raw))['host'] }
  end

  def test_a_hundred_and_twenty_jobs_share_themselves_at_once
    master = submit(<<~BASH, '--array=0-119')
      export password=secret$SLURM_ARRAY_TASK_ID
      until [[ -e #{go} ]]; do sleep 0.2; done
      #{share('host=task$SLURM_ARRAY_TASK_ID', 'password')}
    BASH
    Bed.wait('all run', 600) { Bed.squeue('%T', '-r', '-j', master).scan('RUNNING').size == 120 }
    FileUtils.touch(go)
    names = Bed.wait('all are shared', 600) do
      lines = Bed.squeue('%A %K %j', '-r', '-j', master).lines(chomp: true)
      lines.map { |line| line.split(' ', 3) } if lines.count { |line| line.count('|') == 2 } == 120
    end
    names.each do |job_id, task, name|
      code, accounting, connection = MultiTenant::Native.open(Integer(job_id), 'hpcfaculty', name)
      assert_equal ['ok', { 'host' => "task#{task}", 'password' => "secret#{task}" }], [code, connection]
      assert_equal Bed::MEMBERS.map { |user| Bed.uid(user) }.join(','), accounting['mtu']
    end
  end

  # Its members of today, those too whose primary group it is.
  def test_without_a_list_the_whole_group_can_use_it
    command = ['useradd', '--gid', 'hpcGrp', '--no-create-home', PRIMARY]
    Bed.change_accounts { system(*command) } || flunk('useradd')
    job_id = shared(submit(share('host=n1').sub(/--to \S+/, '')))
    to = Bed.specs('hpcstudent').dig(job_id.to_s, 'accounting', 'mtu').split(',')
    members = ['hpcfaculty2', 'hpcdefault', *Bed::MEMBERS, PRIMARY].map { |user| Bed.uid(user).to_s }
    assert_equal members.sort, to.sort
  ensure
    remove(PRIMARY)
  end

  def test_a_user_whose_name_has_40_characters
    user = LONG
    account = "#{user}:*:2140:#{Etc.getgrnam('hpcGrp').gid}::#{Bed.home(user)}:/bin/bash\n"
    Bed.change_accounts { File.write('/etc/passwd', account, mode: 'a') }
    FileUtils.mkdir_p(Bed.home(user), mode: 0o700)
    FileUtils.chown(2140, nil, Bed.home(user))
    manager = %w[sacctmgr --immediate --quiet add user] << user
    assert system(*manager, 'account=hpc', 'wckey=multitenant', out: File::NULL), 'sacctmgr'
    job_id = shared(Bed.submit(user, script: "#!/bin/bash\n#{share('host=n1')}\nsleep 600\n"))
    assert_equal ['n1', user], [connection(job_id)['host'], Bed.specs('hpcstudent').dig(job_id.to_s, 'info', 'user')]
  ensure
    remove(LONG)
  end

  def test_accounts_change_under_the_lock_of_test_beds
    machine = File.join(Bed::ROOT, 'script/testbed.d/machine.sh')
    script = "DIR=#{Bed::DIR}; source #{machine}; lock \"$BEDS/lock\"; echo locked; read -r"
    IO.popen(['bash', '-c', script], 'r+') do |bed|
      assert_equal "locked\n", bed.gets
      change = Thread.new { Bed.change_accounts { :done } }
      assert_nil change.join(0.3)
      bed.puts
      assert_equal :done, change.value
    end
  end

  def test_components_share_themselves
    leader = submit(<<~BASH)
      #SBATCH --nodes=1 --ntasks=1
      #SBATCH hetjob
      #SBATCH --nodes=1 --ntasks=1
      srun --het-group=1 #{share('host=second')}
      until [[ -e #{go} ]]; do sleep 0.1; done
      #{share('host=first')}
    BASH
    second = Bed.wait('the second component is shared') do
      Bed.squeue('%A %i %j', '-j', leader).lines.grep(/\+1 .*\|/).map { |line| line[/\A\d+/].to_i }.first
    end
    refute_includes Bed.squeue('%i %j', '-j', leader).lines.grep(/\+0 /)[0], '|'
    before = Bed.squeue('%j', '-j', second)
    FileUtils.touch(go)
    shared_first = -> { Bed.squeue('%i %j', '-j', leader).lines.grep(/\+0 .*\|/).any? }
    Bed.wait('the first component is shared', &shared_first)
    assert_equal before, Bed.squeue('%j', '-j', second)
    hosts = [leader, second].map { |raw| connection(Bed.running(raw))['host'] }
    assert_equal %w[first second], hosts
  end

  def test_a_requeued_job_is_not_shared_until_its_service_runs_again
    port = FreePort.get
    serve = "exec #{RbConfig.ruby} -rsocket -e 'TCPServer.new(%q(127.0.0.1), #{port}); sleep'"
    job_id = shared(submit(<<~BASH, '--requeue', '--job-name=again'))
      (until [[ -e #{go} || -z ${SLURM_RESTART_COUNT:-} ]]; do sleep 0.1; done; #{serve}) &
      #{share('host=run${SLURM_RESTART_COUNT:-0}', "--wait localhost:#{port}")}
    BASH
    stale = name_of(job_id)
    assert_equal 'run0', connection(job_id)['host']
    assert_equal 0, Bed.as('hpcfaculty', 'scontrol', 'requeue', job_id).code
    Bed.wait('it is requeued') { Bed.squeue('%T', '-j', job_id).include?('PENDING') }
    assert_equal stale, name_of(job_id)
    Bed.wait('it has a plain name', 300) { name_of(job_id) == 'again' }
    assert_includes Bed.squeue('%T', '-j', job_id), 'RUNNING'
    FileUtils.touch(go)
    assert_equal 'run1', connection(shared(job_id))['host']
    refute_equal stale, name_of(job_id)
  end

  # @return [Integer] a job whose name slurmctld had no time to write down
  def shared_and_killed
    FileUtils.rm_f([go, log])
    job_id = Bed.running(submit("until [[ -e #{go} ]]; do sleep 0.05; done\n#{share('host=n1')}", '--job-name=kept'))
    sleep 6
    # slurmctld writes this down at once, and what comes next five seconds later.
    assert_equal 0, Bed.as('hpcfaculty', 'scontrol', 'update', "JobId=#{job_id}", 'Comment=x').code
    sleep 1
    FileUtils.touch(go)
    Bed.wait('it is shared') { name_of(job_id).include?('|') }
    Process.kill(:KILL, Integer(File.read(File.join(Bed::DIR, 'run/slurmctld.pid'))))
    Bed.testbed('start', 'slurmctld')
    job_id
  end

  # On a busy machine slurmctld may write the new name down before it is killed: then once more.
  def test_a_name_that_a_killed_slurmctld_forgot_is_set_again
    job_id = nil
    assert(Array.new(5).any? { name_of(job_id = shared_and_killed) == 'kept' })
    Bed.wait('it is shared again', 300) { name_of(job_id).include?('|') }
    assert_equal 'n1', connection(job_id)['host']
    assert_includes File.read(log), "Slurm had lost the name of job #{job_id}: it is shared again"
  end
end
