# frozen_string_literal: true

require_relative 'fake_chain'

# libexec/multitenant-chain: what jobs submit, when, and when they end instead.
class TestChain < MultiTenantTest
  include FakeChain

  def test_what_is_kept_is_nobody_elses
    run_job(100, "#{stage}share_member app")
    assert_equal '100', state('chains/1/shared')
    all = Dir.glob("{#{@staged}/submission,#{@home}/.local/state/multitenant}/**/{*,.*}", File::FNM_DOTMATCH)
    files = all.select { |path| File.file?(path) && !path.include?('/template/') }
    assert_equal [0o600], files.map { |path| File.stat(path).mode & 0o777 }.uniq
    assert_equal 0o700, File.stat("#{@home}/.local/state/multitenant/services/spanish-301@hpcGrp").mode & 0o777
  end

  # A job of any kind, submitted from a directory that may be others', too.
  def test_no_other_directory_of_that_name_is_written_in
    need_root
    all = [kept = in_job('kept/submission'), planted = in_job('planted/submission'), linked = in_job('linked')]
    FileUtils.mkdir_p(all)
    File.write("#{kept}/script", "mine\n")
    File.chown(2001, 2001, planted)
    File.symlink(linked, "#{@staged}/submission")
    [in_job('kept'), in_job('planted'), @staged].each do |dir|
      MultiTenant::Dashboard::Submission.keep('script', ['-D', dir], {}, nil)
    end
    assert_equal([%w[script], [], []], all.map { |dir| Dir.children(dir) })
    assert_equal "mine\n", File.read("#{kept}/script")
  end

  # Dashboards may have another XDG_STATE_HOME than jobs, and job ids are the same on several clusters.
  def test_the_session_says_where_its_state_is_and_that_on_which_cluster
    @home = File.join(@home, 'a \\"b"')
    FileUtils.mkdir_p(@home)
    run_job(100, stage)
    assert_equal({ 'service' => 'spanish-301@hpcGrp',
                   'state' => "#{@home}/.local/state/multitenant/services/spanish-301@hpcGrp" },
                 JSON.parse(File.read("#{@staged}/service.json")))
    assert_equal 'hpc', state('cluster')
  end

  def test_a_limit_shorter_than_the_lead_and_none_at_all
    File.write(in_job('end'), '1700000120')
    run_job(100, stage)
    assert_includes submitted(101, 'arguments'), 'after:100+1?afterany:100'
    File.write(in_job('end'), 'NONE')
    File.write(in_job('100.state'), '2-00:00:00|RUNNING')
    run_job(101, submitted(101, 'script'))
    assert_includes submitted(102, 'arguments'), '--dependency=afterany:101'
  end

  # Of tenants' dashboards, too, which leave the job then.
  def test_a_site_says_how_long_before_its_end_a_job_is_followed
    said = run_job(100, "#{stage(site: SITE.merge('lead' => '25'))}share_member app")
    assert_includes submitted(101, 'arguments'), '--dependency=after:100+35?afterany:100'
    assert_match(/--lead 25 /, said)
    assert_equal '25', state('lead')
  end

  # @return [String] when the next job begins, as its owner's card has it of the first one
  def told
    path = File.join(@home, '.local/state/multitenant/services/spanish-301@hpcGrp')
    info = { 'uid' => Process.uid.to_s, 'cluster' => 'hpc', 'start' => '1700000000', 'end' => '1700003600' }
    card = MultiTenant::Card::Members.new(MultiTenant::ServiceState.at(path), { '100@hpc' => { 'info' => info } })
    CGI.unescapeHTML(card.html[/takes over ([^<]*)/, 1])
  end

  # Else each job would be followed a minute after its start. The card has a formula of its own.
  def test_a_job_serves_for_a_quarter_of_its_time_at_least
    { '60' => 15, '46' => 15, '45' => 15, '44' => 16 }.each do |lead, minutes|
      [@home, in_job('101'), in_job('last')].each { |path| FileUtils.rm_rf(path) }
      said = run_job(100, "#{stage(site: SITE.merge('lead' => lead))}share_member app")
      assert_includes submitted(101, 'arguments'), "--dependency=after:100+#{minutes}?afterany:100"
      assert_match(/--lead #{60 - minutes} /, said)
      assert_equal Time.at(1_700_000_000 + (minutes * 60)).strftime(MultiTenant::Card::Members::TIME), told
    end
  end

  def decline(state, why)
    script = stage
    run_job(100, script)
    File.write(in_job('100.state'), state)
    said = run_job(101, submitted(101, 'script'))
    assert_match why, said
    assert_equal 101, last, said
  end

  def test_one_that_follows_a_cancelled_job_ends
    decline('1:00|CANCELLED', /\AJob 100 was cancelled/)
    assert_match(/\AJob 100 was cancelled/, state('chains/1/ended'))
  end

  def test_accounting_tells_where_slurmctld_has_forgotten
    fake('sacct', 'echo "100|60|CANCELLED by 1001"')
    script = stage
    run_job(100, script)
    assert_match(/\AJob 100 was cancelled/, run_job(101, submitted(101, 'script')))
  end

  def test_two_that_end_at_once_are_enough
    script = stage
    [100, 101].each do |id|
      run_job(id, script)
      File.write(in_job("#{id}.state"), '4:59|FAILED')
      script = submitted(id + 1, 'script')
    end
    assert_match(/\ATwo jobs in a row ended within five minutes/, run_job(102, script))
    assert_equal 102, last
  end

  def test_a_time_limit_is_no_failure
    script = stage
    [100, 101, 102].each do |id|
      run_job(id, script)
      File.write(in_job("#{id}.state"), '2:00|TIMEOUT')
      script = submitted(id + 1, 'script')
    end
    assert_equal '0', state('chains/1/failed')
  end

  def test_a_requeued_job_has_one_successor_and_ends_once_that_runs
    script = stage
    run_job(100, script)
    run_job(100, script, restarts: 1)
    assert_equal 101, last
    File.write(in_job('100.state'), '50:00|RUNNING')
    run_job(101, submitted(101, 'script'))
    assert_match(/\AJob 101 has followed this one already/, run_job(100, script, restarts: 2))
    assert_equal 102, last
  end

  def test_what_could_not_be_locked_at_its_start_is_done_later
    run_job(100, stage)
    File.write(in_job('100.state'), '50:00|RUNNING')
    script = submitted(101, 'script')
    run_job(101, "flock() { false; }\n#{script}\nunset -f flock\nmt_again=0 rounds=11\nwatch_once\n")
    assert_equal %w[101 1 102], [state('chains/1/job'), state('chains/1/generation'), state('chains/1/next')]
    assert_equal 102, last
  end

  # Each job of the service asks, for as long as a copy waits.
  def test_a_copy_that_waits_is_asked_for_once_a_minute
    script = stage(mt_copies: '2')
    asked = in_job('asked')
    said = run_job(100, <<~BASH)
      #{script}
      mt_again=0 rounds=0
      is_queued() { echo "$1" >>#{asked}; }
      for i in {1..24}; do watch_once; done
    BASH
    assert_equal %w[101 102], [state('chains/1/next'), state('chains/2/next')], said
    assert_equal "102\n" * 2, File.read(asked)
  end

  # In a full home: copies start at once, and each of them would submit more. The second time its space ended meanwhile.
  def test_what_can_not_be_noted_is_not_submitted_again_and_again
    run_job(100, "#{stage(mt_copies: '3')}\n#{<<~BASH}")
      rm "$mt_chain/next"
      mt_again=0 rounds=0
      put() { false; }
      for i in {1..24}; do watch_once; done
      mt_again=0
      put() { [[ $1 != */next ]] && : >"$1"; }
      for i in {1..12}; do watch_once; done
    BASH
    assert_equal %w[102 103], File.readlines(in_job('cancelled'), chomp: true)
    assert_equal [103, nil], [last, state('chains/2/next')]
  end

  # Some file systems have no locks, and some no FIFO.
  def test_file_systems_that_lack_something
    script = "#{stage}\nmkfifo() { false; }\nread -rt 0.1 -u \"$mt_never\"\necho $?\n"
    assert_equal "142\n", run_job(100, script).lines.last
    fake('flock', 'exit 69')
    FileUtils.rm_rf(@home)
    assert_match(/^Nothing can be kept in \S+: nothing follows this job\.$/, run_job(100, script))
    assert_equal %w[spanish-301@hpcGrp], Dir.children("#{@home}/.local/state/multitenant/services")
  end

  def test_tasks_of_arrays_are_chains_of_their_own_and_federations_have_none
    run_job(107, stage, name: '100_7')
    assert_equal "--dependency=after:100_7+50?afterany:100_7\0--array=7\0", submitted(101, 'arguments')[/--dep.*/m]
    assert_equal %w[100_7 101_7], [state('chains/7/job'), state('chains/7/next')]
    FileUtils.rm_rf(@home)
    run_job(1 << 26, File.read("#{@staged}/submission/script"))
    assert_equal 'A job of a federation of clusters is not renewed.', state('chains/1/problem.next')
    assert_equal 101, last
  end

  # sbatch hands on what Slurm has told the job that it is called in.
  def test_a_job_that_a_heterogeneous_one_submitted_is_none
    script = stage
    run_job(100, script, variables: { 'SLURM_HET_SIZE' => '2', 'SLURM_JOB_ID_HET_GROUP_0' => '100' })
    assert_equal 'A heterogeneous job is not renewed.', state('chains/1/problem.next')
    FileUtils.rm_rf(@home)
    run_job(100, script, variables: { 'SLURM_HET_SIZE' => '2', 'SLURM_JOB_ID_HET_GROUP_0' => '55' })
    assert_equal %w[101], [state('chains/1/next')]
  end

  def test_it_ends_with_its_generations_and_its_time
    script = stage(site: SITE.merge('generations_max' => '2'))
    run_job(100, script)
    File.write(in_job('100.state'), '50:00|RUNNING')
    run_job(101, submitted(101, 'script'))
    assert_equal 101, last
    assert_equal 'This is the last of 2 jobs in a row: start the service anew.', state('chains/1/problem.next')
    File.write("#{@home}/.local/state/multitenant/services/spanish-301@hpcGrp/until", "1\n")
    assert_match(/\AThe service was to run until 1970/, run_job(102, script))
  end

  # Of fifty minutes each.
  def test_jobs_that_do_not_last_for_the_whole_time_are_told_of_from_the_first_one_on
    run_job(100, stage(site: SITE.merge('generations_max' => '150')))
    day = Time.at(Time.now.to_i + (150 * 3000) + 600).strftime('%F')
    why = /\A150 jobs of this length last until about (\S+), and the service is to run for longer: start it anew with/
    assert_match why, state('chains/1/problem.length')
    assert_includes [day, (Date.parse(day) - 1).to_s], state('chains/1/problem.length')[why, 1]
    File.write(in_job('100.state'), '50:00|RUNNING')
    run_job(101, script = submitted(101, 'script'))
    assert_match why, state('chains/1/problem.length')
    # Without a limit, and with one as its owner has brought the end nearer.
    until_file = "#{@home}/.local/state/multitenant/services/spanish-301@hpcGrp/until"
    [['NONE', state('until')], ['1700003600', Time.now.to_i + (148 * 3000)]].each do |limit, last|
      File.write(in_job('end'), limit)
      File.write(until_file, "#{last}\n")
      run_job(101, script)
      assert_nil state('chains/1/problem.length')
    end
  end

  def test_what_is_told_of_jobs_that_do_not_last_follows_the_end_that_is_chosen
    run_job(100, "#{stage(site: SITE.merge('generations_max' => '150'))}\n#{<<~BASH}")
      mt_again=0
      for hours in 120 130; do
        put "$mt_state/until" "$(($(date +%s) + hours * 3600))"
        rounds=11
        watch_once
        get "$mt_chain/problem.length"
        put "$mt_state/$hours" "$GOT"
      done
      put "$mt_state/until" "$(($(date +%s) + 120 * 3600))"
      rounds=11
      watch_once
    BASH
    assert_equal '', state('120')
    assert_match(/\A150 jobs of this length last until about/, state('130'))
    assert_nil state('chains/1/problem.length')
  end

  # A second session of that title is another service while the first one runs.
  def test_a_name_that_is_taken
    run_job(100, stage)
    File.write(in_job('100.state'), '50:00|RUNNING')
    other_session
    assert_path_exists "#{@home}/.local/state/multitenant/services/spanish-301-2@hpcGrp"
    strict = "#{source}set -euf\nkeep_running --service spanish-301 --group hpcGrp\necho \"$mt_service $-\"\n"
    assert_match(/\Aspanish-301-2 [a-z]*e[a-z]*f[a-z]*u/, run_job(300, strict))
  end

  # Nor is what an earlier service of that name left, where a start-up file hides files from the shell.
  def test_what_another_session_left_goes
    run_job(100, stage)
    FileUtils.touch(File.join(@home, '.local/state/multitenant/services/spanish-301@hpcGrp/chains/1/ended'))
    File.write("#{@staged}/submission/script", "GLOBIGNORE='*'\n#{File.read("#{@staged}/submission/script")}")
    assert_match(/follows this one/, other_session)
    assert_nil state('chains/1/ended')
  end

  def other_session(**changes)
    other = File.read("#{@staged}/before.sh").gsub(FakeJob::ID, FakeJob::ID.sub('0', '1'))
    File.write("#{@staged}/before.sh", other)
    FileUtils.rm_rf("#{@staged}/submission/template")
    run_job(200, File.read("#{@staged}/submission/script"), **changes)
  end

  # As where a form was sent twice: the first one has the name, and has not begun yet.
  def test_a_name_that_is_taken_at_the_same_moment
    keep = "keep_running --service spanish-301 --group hpcGrp --until '1 day'\n"
    File.write(in_job('100.state'), '0:01|RUNNING')
    second = in_job('second')
    File.write(second, "export SLURM_JOB_ID=200\necho 200 >#{in_job('name')}\n#{source}#{keep}" \
                       "kill \"$mt_keeper\"\necho \"$mt_service\"\n")
    said = run_job(100, "#{source}decide() { bash #{second}; }\n#{keep}echo \"$mt_service\"\n")
    assert_equal "Job 101 follows this one.\nspanish-301-2\nJob 102 follows this one.\nspanish-301\n", said
  end

  # Whose home is the same; a job that this one has by that id is none of the service's.
  def test_a_name_that_is_taken_on_another_cluster
    run_job(100, stage)
    fake('squeue', SQUEUE.gsub('$job.state', '$job.$([[ $* == *--clusters=hpc* ]] && echo hpc || echo state)'))
    File.write(in_job('100.hpc'), '50:00|RUNNING')
    other_session(cluster: 'other')
    assert_equal %w[100 hpc], [state('chains/1/job'), state('cluster')]
    File.write(in_job('100.state'), '50:00|RUNNING')
    File.write(in_job('100.hpc'), '50:00|TIMEOUT')
    FileUtils.rm_rf("#{@home}/.local/state/multitenant/services/spanish-301-2@hpcGrp")
    other_session(cluster: 'other')
    assert_equal %w[200 other], [state('chains/1/job'), state('cluster')]
  end

  # As where that was replaced: nobody tells of its jobs. Who is banned stays so, and the address is the same.
  def test_a_name_of_what_is_over_on_a_cluster_that_is_there_no_more_is_free
    run_job(100, stage)
    gone = "[[ $* != *--clusters=hpc* ]] || { echo \"squeue: error: No cluster 'hpc' known by database.\"; exit 1; }\n"
    fake('squeue', gone + SQUEUE)
    services = "#{@home}/.local/state/multitenant/services"
    FileUtils.mkdir_p("#{services}/spanish-301@hpcGrp/gate")
    File.write("#{services}/spanish-301@hpcGrp/gate/banned", "2001\n")
    other_session(cluster: 'new')
    assert_equal %w[100 hpc], [state('chains/1/job'), state('cluster')]
    FileUtils.rm_rf("#{services}/spanish-301-2@hpcGrp")
    # Its jobs may be reading that only now.
    File.write(stopped = "#{services}/spanish-301@hpcGrp/stopped", "It was deleted.\n")
    fake('sleep', "touch -d '5 minutes ago' #{stopped}")
    assert_match(/^The jobs of spanish-301 are just being ended/, other_session(cluster: 'new'))
    assert_equal(%w[200 new 2001], %w[chains/1/job cluster gate/banned].map { |name| state(name) })
    assert_equal ['spanish-301@hpcGrp'], Dir.children(services)
  end

  # Only what Slurm says to have ended has: a service that runs keeps its name, and a data directory has one server.
  def test_a_job_runs_where_slurm_does_not_answer
    run_job(100, stage)
    fake('squeue', SQUEUE.sub('else', "elif [[ $job == 100 ]]; then\n  echo 'connect failure' >&2; exit 1\nelse"))
    other_session
    assert_path_exists "#{@home}/.local/state/multitenant/services/spanish-301-2@hpcGrp"
    assert_equal %w[100 101], [state('chains/1/job'), state('chains/1/next')]
    fake('squeue', "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1")
    assert_equal "ended\n", run_job(200, ". #{MultiTenant::Sharing::JOB}\n. #{MultiTenant::Chain::FILES[0]}\n" \
                                         'is_queued 100 || echo ended')
  end

  # squeue ends with 0 where slurmctld did not answer in time.
  def test_a_job_runs_where_no_answer_came
    run_job(100, stage)
    [0, 1].each do |code|
      silent = "elif [[ $job == 100 ]]; then\n  echo 'slurm_load_jobs error: Socket timed out' >&2; exit #{code}\nelse"
      fake('squeue', SQUEUE.sub('else', silent))
      assert_name_taken
    end
  end

  # A module of the owner's names the slurm.conf of a cluster where the job of that id is another one, or none.
  def test_a_job_runs_whatever_another_cluster_says_of_its_id
    run_job(100, stage)
    fake('scontrol', CONTROL.sub('$SLURM_CLUSTER_NAME', 'elsewhere'))
    assert_name_taken
    File.write(in_job('100.state'), '9:00|COMPLETED')
    assert_name_taken
  end

  def assert_name_taken
    other_session
    second = "#{@home}/.local/state/multitenant/services/spanish-301-2@hpcGrp"
    assert_path_exists second
    assert_equal '100', state('chains/1/job')
    FileUtils.rm_rf(second)
  end

  # Its owner has deleted it, and launches it anew while Slurm still ends its jobs.
  def test_a_name_whose_jobs_are_just_being_ended_is_waited_for_with_who_is_banned
    run_job(100, stage)
    services = "#{@home}/.local/state/multitenant/services"
    FileUtils.mkdir_p("#{services}/spanish-301@hpcGrp/gate")
    File.write("#{services}/spanish-301@hpcGrp/gate/banned", "2001\n")
    File.write(in_job('100.state'), '50:00|COMPLETING')
    File.write(in_job('101.state'), '0:00|CANCELLED')
    fake('sleep', "echo '50:00|CANCELLED' >#{in_job('100.state')}")
    assert_match(/^The jobs of spanish-301 are just being ended: this one waits for that\.$/, other_session)
    assert_equal(%w[200 102 2001], %w[chains/1/job chains/1/next gate/banned].map { |name| state(name) })
    assert_equal ['spanish-301@hpcGrp'], Dir.children(services)
  end

  # What its owner has deleted ends, though Slurm may not say so yet.
  def test_a_name_of_what_its_owner_has_stopped_is_waited_for_where_slurm_does_not_answer
    { 'connect failure' => 1, '100|50:00|RUNNING' => 0 }.each do |told, code|
      [@home, "#{@staged}/submission", *(101..103).map { |id| in_job(id.to_s) }].each { |path| FileUtils.rm_rf(path) }
      FileUtils.rm_f([in_job('last'), in_job('slept')])
      fake('squeue', SQUEUE)
      run_job(100, stage)
      File.write("#{services = "#{@home}/.local/state/multitenant/services"}/spanish-301@hpcGrp/stopped", "It was.\n")
      fake('squeue', SQUEUE.sub('else', "elif [[ $job == 100 && ! -e $here/slept ]]; then\n  " \
                                        "echo '#{told}'; exit #{code}\nelse"))
      fake('sleep', "touch #{in_job('slept')}")
      assert_match(/^The jobs of spanish-301 are just being ended: this one waits for that\.$/, other_session)
      assert_equal(['200', nil], %w[chains/1/job stopped].map { |name| state(name) })
      assert_equal ['spanish-301@hpcGrp'], Dir.children(services)
    end
  end

  # As one that is requeued, one beside which another runs, and one on a node that is dead.
  def test_a_name_whose_jobs_do_not_end_is_taken
    run_job(100, stage)
    { 'PENDING' => 'CANCELLED', 'COMPLETING' => 'RUNNING' }.each do |then_it, the_next|
      File.write(in_job('100.state'), '50:00|COMPLETING')
      File.write(in_job('101.state'), "0:00|#{the_next}")
      fake('sleep', "echo '50:00|#{then_it}' >#{in_job('100.state')}")
      assert_name_taken
    end
    File.write(in_job('101.state'), '0:00|CANCELLED')
    fake('sleep', "echo >>#{in_job('slept')}")
    assert_name_taken
    assert_operator File.size(in_job('slept')), :>=, 40
  end

  # One that is held in the queue begins once somebody lets it; a later Slurm may have states that are not known here.
  def test_a_job_waits_or_runs_in_any_state_that_is_no_end
    states = { 'SPECIAL_EXIT' => true, 'RESV_DEL_HOLD' => true, 'EXPEDITING' => true, 'COMPLETING' => true,
               'CANCELLED by 0' => false, 'DEADLINE' => false, 'REVOKED' => false }
    script = ". #{MultiTenant::Sharing::JOB}\n. #{MultiTenant::Chain::FILES[0]}\n"
    states.each_key.with_index(300) do |state, id|
      File.write(in_job("#{id}.state"), "0:00|#{state}")
      script += "is_queued #{id} && echo true || echo false\n"
    end
    assert_equal states.values.map(&:to_s), run_job(200, script).lines(chomp: true)
  end

  def test_a_node_that_does_not_have_the_state_says_so
    run_job(100, stage)
    FileUtils.rm_rf("#{@home}/.local")
    assert_match(/\AThis node has no .*: a service is renewed where/, run_job(101, submitted(101, 'script')))
  end

  # Some of which the chain has, too, as arrays.
  def test_variables_of_any_name_go_on_as_they_were
    variables = %w[NODES arguments script sbatch mt_own name BASH_ENV].to_h { |name| [name, in_job('4')] }
    File.write(in_job('4'), '')
    run_job(100, <<~BASH, variables: variables.merge('SHELLOPTS' => 'allexport'))
      #{source}
      keep_running --service spanish-301 --group hpcGrp --until '1 day' --copies 2
      mt_again=0 rounds=0
      watch_once
    BASH
    [101, 102].each do |id|
      assert_equal %w[--parsable --job-name=], submitted(id, 'arguments').split("\0").first(2)
      assert_equal "true\n", submitted(id, 'script').lines.last
      now = submitted(id, 'environment').split("\0").to_h { |pair| pair.split('=', 2) }
      assert_equal(variables.except('mt_own'), now.select { |name, _| variables.key?(name) || name.start_with?('mt_') })
    end
  end

  # It would be over before the next job is submitted.
  def test_no_token_of_the_web_hosts_goes_on
    script = stage
    File.write("#{@staged}/submission/environment", "SLURM_JWT=token\0", mode: 'a')
    run_job(100, script)
    environment = submitted(101, 'environment')
    assert_includes environment, "ODD=#{ODD}"
    refute_includes environment, 'SLURM_JWT'
  end

  # Also where Slurm did not answer the first time that it was to be shared.
  def test_what_is_shared_is_watched_and_shared_again
    said = run_job(100, source + <<~BASH)
      stranger='' answers=''
      others_listen() { [[ -n $stranger ]]; }
      multitenant_share() { echo "${*: -1}" && [[ -n $answers ]]; }
      keep_running --service spanish-301 --group hpcGrp --until '1 day' >/dev/null
      start_keeper() { :; }
      port=8080 host=n1
      share_service app
      round() { rounds=$((12 * $1 - 1)) minute=''; watch_once; cat "$mt_chain/problem.share" 2>&1; }
      answers=yes
      round 1
      stranger=yes
      round 2
      round 3
      stranger=''
      round 4
    BASH
    none = 'cat: .*: No such file or directory'
    stranger = 'Job 100 is not shared: another process listens on port 8080 too\.'
    assert_match(/\Aapp\n--replace\n#{none}\n--unshare\n#{stranger}\n#{stranger}\n--replace\n#{none}\n\z/, said)
  end

  # Its owner has taken it back while Slurm did not answer.
  def test_what_could_not_be_taken_back_is_tried_again
    said = run_job(100, source + <<~BASH)
      answers=yes
      others_listen() { false; }
      multitenant_share() { echo "${*: -1}" && [[ -n $answers ]]; }
      keep_running --service spanish-301 --group hpcGrp --until '1 day' >/dev/null
      start_keeper() { :; }
      port=8080 host=n1 rounds=0
      share_service app
      : >"$mt_state/unshared"
      put "$mt_chain/problem.share" 'It was not shared.'
      answers=''
      watch_once
      answers=yes
      watch_once
      watch_once
    BASH
    assert_equal "app\n--unshare\n--unshare\n", said
    assert_nil state('chains/1/problem.share')
  end

  def test_what_a_form_asks
    assert_empty MultiTenant::Chain.form({})
    assert_empty MultiTenant::Chain.form('keep_days' => '0', 'copies_max' => '4')
    assert_equal %w[mt_until], MultiTenant::Chain.form('keep_days' => '30').keys
    form = MultiTenant::Chain.form(SITE)
    assert_equal [4, (Date.today + 30).to_s], [form['mt_copies'][:max], form['mt_until'][:max]]
  end

  def test_days_that_may_not_be_chosen
    [(Date.today - 1).to_s, (Date.today + 31).to_s, 'soon', '2026-13-45'].each do |day|
      error = assert_raises(MultiTenant::Failure) { chain(mt_until: day) }
      assert_match(/one of the next 30 days, not until #{day.inspect}/, error.message)
    end
  end

  def test_one_job_needs_none_of_it
    assert_empty chain(mt_until: '')
    assert_empty chain(enable_multitenant: 'user')
    assert_empty MultiTenant::Chain.script(answers, session: FakeJob::ID, site: {}, staged: @staged)
    assert_empty Dir.children(@staged)
  end

  # The form leaves the day blank each time, and the owner's commands mean by that name what somebody is banned from.
  def test_one_job_in_the_place_of_a_service_from_which_somebody_is_banned_is_that_service
    alone = { mt_until: '', site: SITE.merge('gateway' => 'auto') }
    run_job(100, stage)
    FileUtils.mkdir_p(gate = "#{@home}/.local/state/multitenant/services/spanish-301@hpcGrp/gate")
    File.write("#{gate}/banned", '')
    assert_empty chain(**alone)
    File.write("#{gate}/banned", "2001\n")
    assert_empty chain(**alone, mt_title: 'Spanish 302') + chain(**alone, site: SITE)
    stage(**alone)
    File.write(in_job('100.state'), '50:00|CANCELLED')
    refute_match(/follows this one/, other_session)
    assert_equal(['200', nil, nil, '2001'], %w[chains/1/job chains/1/next until gate/banned].map { |name| state(name) })
  end

  def called(title, **changes)
    chain(mt_title: title, **changes).lines.last[/--service (\S+)/, 1]
  end

  def test_names_of_services
    { 'Spanish 301' => 'spanish-301', ' Évaluation, été! ' => 'evaluation-ete', '' => 'app', '-' * 9 => 'app',
      'x' * 60 => 'x' * 60, "SPANISH\u00a0301 – ½" => 'spanish-301-1-2' }.each do |title, name|
      assert_equal name, called(title)
    end
  end

  # They would take each other's bans, limits and addresses over, as they are launched in another order.
  def test_titles_of_other_letters_are_services_of_their_own
    alike = [['Физика 9', 'Химия 9'], %w[數據 數學], %w[が か], ['Straße 5', 'Stra e 5'], %w[C C++ C#],
             %w[1 2].map { |last| ('x' * 61) + last }]
    names = alike.map { |titles| titles.map { |title| called(title) } }
    assert_equal names.map(&:uniq), names
    names.flatten.each { |name| assert_match(/\A[a-z0-9][a-z0-9-]{0,59}\z/, name) }
    assert_match(/\A9-\h{6}\z/, called('Физика 9'))
    assert_match(/\Aapp-\h{6}\z/, called('數據'))
    [' физика – 9!', 'Химия й'.unicode_normalize(:nfd)].zip(['Физика 9', 'Химия й']).each do |again, title|
      assert_equal called(title), called(again)
    end
  end

  SERVED = '%<home>s/ondemand/data/sys/dashboard/batch_connect/sys/%<app>s/output/%<session>s'

  # What an earlier session left of a service, launched by an app or by a script of the owner's.
  def left(name, title, app: nil)
    FileUtils.mkdir_p(dir = "#{@home}/.local/state/multitenant/services/#{name}/chains/1")
    File.write("#{dir}/dir", format(SERVED, home: @home, app: app, session: 'before')) if app
    File.write("#{dir}/../../session", "before\n")
    File.write("#{dir}/../../title", "#{title}\n")
  end

  # Also where it was called otherwise by a release before, has that title only since, or is one of several apps'.
  def test_a_title_means_the_service_that_has_it
    @staged = format(SERVED, home: @home, app: 'multitenant-llm', session: FakeJob::ID)
    { '9' => 'Химия 9', '9-2' => 'Физика 9', 'spanish-301' => 'Spanish 302', 'german-2' => 'German',
      'german' => 'German' }.each { |service, title| left("#{service}@hpcGrp", title, app: 'multitenant-llm') }
    { 'Химия 9' => '9', 'Физика 9' => '9-2', 'Spanish 302' => 'spanish-301', 'Spanish 301' => 'spanish-301',
      'German' => 'german' }.each { |title, name| assert_equal name, called(title) }
    assert_match(/\A9-\h{6}\z/, called('Химия 9', auto_multitenant_groups: 'others'))
    left('latin@hpcGrp', 'Latin', app: 'multitenant-database')
    left('latin-2@hpcGrp', 'Latin', app: 'multitenant-llm')
    assert_equal 'latin-2', called('Latin')
  end

  # By whose name a script launches it again.
  def test_a_title_means_no_service_of_a_script
    @staged = format(SERVED, home: @home, app: 'multitenant-llm', session: FakeJob::ID)
    left('notes@hpcGrp', 'Our notes')
    left('maths@hpcGrp', 'Maths')
    left('9@hpcGrp', 'Химия 9')
    { 'Our notes' => 'our-notes', 'Maths' => 'maths', 'Химия 9' => '9' }.each do |title, name|
      assert_equal name, called(title)
    end
  end
end
