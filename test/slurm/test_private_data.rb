# frozen_string_literal: true

require_relative 'bed'

# A site that hides jobs from other users, in both daemons: with an agent that is a Slurm operator, with
# one that is not, with none, and with one that dies.
class TestPrivateData < BedTest
  ACCOUNT = 'multitenant'
  SNAPSHOT = File.join(Bed::DIR, 'snapshot')
  ERRORS = File.join(Bed::DIR, 'agent.err')
  TTL = 5
  HIDDEN = { 'slurm.conf' => 'PrivateData=jobs', 'slurmdbd.conf' => 'PrivateData=jobs' }.freeze

  # What a dashboard does with a snapshot; prints what came of it.
  READER = <<~RUBY
    require 'json'
    require 'multitenant'
    require 'multitenant/sources/snapshot'
    settings = MultiTenant::Settings.new
    source = MultiTenant::Snapshot.new(settings, fallback: MultiTenant::Query.new(settings))
    core = settings.to_core(dataroot: File.expand_path('~/ondemand/data/sys/dashboard'))
    clusters = MultiTenant::Clusters.from_files(ENV.fetch('OOD_CLUSTERS'))
    receiver = MultiTenant::Receiver.new(settings, source: source, clusters: clusters, core: core, log: ->(*) {})
    report = receiver.refresh
    puts JSON.generate(from: report['from'], sees: report['clusters'], why: source.why, specs: receiver.specs.keys,
                       cards: report['cards'].to_a.map { |action, id, _| "\#{action} \#{id}" }.sort)
  RUBY

  Minitest.after_run do
    Bed.change_accounts { system('userdel', ACCOUNT) } if @made
  end

  def self.make_account
    Etc.getpwnam(ACCOUNT)
  rescue ArgumentError
    command = ['useradd', '--system', '--no-create-home', '--user-group', ACCOUNT]
    Bed.change_accounts { system(*command, exception: true) }
    @made = true
  end

  def setup
    super
    TestPrivateData.make_account
    FileUtils.rm_rf(SNAPSHOT)
    Dir.mkdir(SNAPSHOT, 0o755)
    File.chown(Bed.uid(ACCOUNT), nil, SNAPSHOT)
    sacctmgr('add', 'user', ACCOUNT, 'account=hpc')
    @job, @id = Bed.share
  end

  def teardown
    end_agent(:KILL) if @agent
    sacctmgr('delete', 'user', ACCOUNT)
    FileUtils.rm_rf([SNAPSHOT, ERRORS])
    super
  end

  def sacctmgr(*args)
    system('sacctmgr', '--immediate', '--quiet', *args, out: File::NULL) || raise("sacctmgr #{args.join(' ')}")
  end

  def operator(level = 'operator')
    sacctmgr('modify', 'user', ACCOUNT, 'set', "adminlevel=#{level}")
  end

  def start_agent
    caps = %w[--inh-caps --ambient-caps --bounding-set].flat_map { |set| [set, '-all,+chown'] }
    @agent = spawn({ 'RUBYLIB' => File.join(Bed::OURS, 'lib'), 'OOD_CLUSTERS' => Bed::CLUSTERS,
                     'MULTITENANT_TTL' => TTL.to_s },
                   'setpriv', "--reuid=#{ACCOUNT}", "--regid=#{ACCOUNT}", '--clear-groups', '--no-new-privs', *caps,
                   RbConfig.ruby, File.join(Bed::OURS, 'exe/multitenant-agent'), '--directory', SNAPSHOT,
                   err: ERRORS, chdir: '/')
  end

  def end_agent(signal)
    Process.kill(signal, @agent)
    Process.wait(@agent)
    @agent = nil
  end

  def wait_for_agent(pattern)
    Bed.wait("the agent says #{pattern}") { File.exist?(ERRORS) && File.read(ERRORS).match?(pattern) }
  end

  # What a new dashboard sees.
  def round(user = 'hpcstudent')
    env = { 'MULTITENANT_SNAPSHOT' => SNAPSHOT, 'MULTITENANT_TTL' => TTL.to_s }
    result = Bed.as(user, RbConfig.ruby, '-e', READER, env: env)
    assert_empty result.err
    JSON.parse(result.out)
  end

  # The first round that is from a snapshot in which this job is, or is not.
  def round_until(job, here)
    Bed.wait("job #{job} is #{'not ' unless here}in the snapshot") do
      seen = round
      seen if seen['from'] == 'snapshot' && seen['specs'].include?(job.to_s) == here
    end
  end

  def wait_until_stale
    Bed.wait('the snapshot is stale') { round.then { |seen| seen if seen['from'] == 'slurm' } }
  end

  def test_members_see_what_an_operator_sees
    Bed.configured(HIDDEN) do
      operator
      start_agent
      wait_for_agent(/is kept for cluster hpc/)
      seen = round_until(@job, true)
      assert_equal [{ 'hpc' => 'all' }, nil, ["written #{@id}"]], seen.values_at('sees', 'why', 'cards')
      assert_card 'hpcstudent', @id
      assert_outsider_sees_nothing
      Bed.as('hpcfaculty', 'scancel', @job)
      assert_equal ["removed #{@id}"], round_until(@job, false)['cards']
      refute_card 'hpcstudent', @id
      assert_equal %w[.lock state], Dir.children(SNAPSHOT).sort
    end
  end

  def assert_outsider_sees_nothing
    records = File.join(SNAPSHOT, "#{Etc.getgrnam('hpcGrp').gid}.records")
    assert_path_exists records
    assert_match(/Permission denied/, Bed.as('outsider', 'cat', records).err)
    refute_includes Bed.as('outsider', 'cat', File.join(SNAPSHOT, 'state')).out, 'job_id'
    assert_equal ['snapshot', []], round('outsider').values_at('from', 'specs')
    assert_empty files('outsider')
  end

  # One job ends while nobody looks, the other goes on.
  def test_a_dying_agent_takes_nothing_away
    Bed.configured(HIDDEN) do
      operator
      start_agent
      other, other_id = Bed.share
      round_until(other, true)
      [@id, other_id].each { |id| assert_card 'hpcstudent', id }
      end_agent(:KILL)
      Bed.as('hpcfaculty', 'scancel', @job)
      seen = wait_until_stale
      assert_equal [{ 'hpc' => 'own' }, []], seen.values_at('sees', 'specs')
      assert_match(/its age is/, seen['why'])
      assert_equal [], seen['cards'].grep_v(/\Akept/)
      [@id, other_id].each { |id| assert_card 'hpcstudent', id }
      start_agent
      assert_equal ["kept #{other_id}", "removed #{@id}"], round_until(other, true)['cards']
    end
  end

  def test_an_agent_that_is_no_operator_takes_nothing_away
    operator
    start_agent
    round_until(@job, true)
    Bed.configured(HIDDEN) do
      operator('none')
      wait_for_agent(/PrivateData.*sacctmgr modify user #{ACCOUNT} set adminlevel=operator/)
      seen = wait_until_stale
      assert_equal [{ 'hpc' => 'own' }, []], seen.values_at('sees', 'specs')
      assert_card 'hpcstudent', @id
      operator
      assert_equal ["kept #{@id}"], round_until(@job, true)['cards']
    end
  end

  def test_without_an_agent_nothing_is_removed
    start_agent
    round_until(@job, true)
    end_agent(:TERM)
    FileUtils.rm_rf(SNAPSHOT)
    Bed.configured(HIDDEN) do
      seen = round
      assert_equal ['slurm', { 'hpc' => 'own' }, []], seen.values_at('from', 'sees', 'specs')
      assert_match(/There is no snapshot in/, seen['why'])
      assert_card 'hpcstudent', @id
    end
  end
end
