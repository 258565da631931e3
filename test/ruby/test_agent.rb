# frozen_string_literal: true

require_relative 'helper'
require 'minitest/mock'
require 'multitenant/agent'

# What the agent writes, from a source of the test's; and the program itself, as an unprivileged user
# that may give files to groups, with a query program of the test's.
class TestAgent < MultiTenantTest
  AGENT = 990

  def setup
    super
    need_root
    @dir = File.join(temporary, 'snapshot')
    Dir.mkdir(@dir, 0o755)
    @log = []
    @feed = Feed.new
  end

  def agent(source: @feed, **env)
    settings = MultiTenant::Settings.new(env.transform_keys(&:to_s))
    @agent ||= MultiTenant::Agent.new(settings, source: source, directory: @dir, log: ->(line) { @log << line })
  end

  def round(*texts, error: nil)
    @feed.texts = texts
    @feed.error = error
    agent.round
  end

  def path(name)
    File.join(@dir, name)
  end

  # @return [Hash] header and job ids by cluster
  def told(name)
    records = MultiTenant::Records.new(File.read(path(name)))
    records.whole.to_h { |stream| [stream.cluster, [stream, records.of(stream.cluster).map(&:job_id)]] }
  end

  def sees
    told('state').transform_values { |header, _| header.sees }
  end

  def ids(gid)
    told("#{gid}.records").transform_values(&:last)
  end

  # ---- files ----

  def test_one_file_for_each_group_and_state
    assert round(stream(job(1), job(2, group_gid: 3001), job(3, group_gid: -1), job(4)), stream(job(1), cluster: 'gpu'))
    assert_equal %w[3000.records 3001.records state], Dir.children(@dir).sort
    modes = Dir.children(@dir).sort.map { |name| File.stat(path(name)) }.map { |s| [s.gid, s.mode & 0o7777] }
    assert_equal [[3000, 0o640], [3001, 0o640], [0, 0o644]], modes
    assert_equal({ 'hpc' => [1, 4], 'gpu' => [1] }, ids(3000))
    assert_equal({ 'hpc' => [2] }, ids(3001))
    headers = told('state').transform_values(&:first)
    assert_equal({ 'hpc' => [3000, 3001], 'gpu' => [3000] }, headers.transform_values(&:groups))
    headers = [*headers.values, *told('3000.records').values.map(&:first), *told('3001.records').values.map(&:first)]
    assert_equal [16], headers.map(&:round).uniq.map(&:size)
  end

  # What its source could not read has not ended.
  def test_jobs_that_are_undetermined_already
    round(stream(job(1), job(2, group_gid: nil), undetermined: [9]))
    assert_equal [2, 9], told('state')['hpc'][0].undetermined
    round(stream(job(1), undetermined: [9]))
    assert_equal [[9], 'all'], [told('state')['hpc'][0].undetermined, sees['hpc']]
  end

  def test_a_group_without_a_share_has_no_file
    round(stream(job(1), job(2, group_gid: 3001)))
    before = told('state')['hpc'][0].round
    round(stream(job(2, group_gid: 3001)))
    assert_equal %w[3001.records state], Dir.children(@dir).sort
    refute_equal before, told('state')['hpc'][0].round
  end

  def test_a_gid_that_chown_takes_for_none
    round(stream(job(1, group_gid: 0xffffffff), job(2, group_gid: 0xfffffffe)))
    assert_equal %w[4294967294.records state], Dir.children(@dir).sort
  end

  # As in a container without privileges, which has the ids of its own map alone.
  def test_a_gid_that_this_user_namespace_lacks_costs_the_others_nothing
    File.write(path('3001.records'), '') # of an agent that had it
    write = MultiTenant::SystemFile.method(:write)
    lacks = lambda do |path, bytes, **more|
      raise Errno::EINVAL if more[:gid] == 3001

      write.call(path, bytes, **more)
    end
    rounds = Array.new(2) do
      MultiTenant::SystemFile.stub(:write, lacks) { assert round(stream(job(1), job(2, group_gid: 3001))) }
      told('state')['hpc'][0].round
    end
    assert_equal [%w[3000.records state], 1, { 'hpc' => [1] }],
                 [Dir.children(@dir).sort, rounds.uniq.size, ids(3000)]
  end

  def test_what_does_not_change_is_not_written_again
    files = -> { %w[3000.records 3001.records].map { |name| File.stat(path(name)).ino } }
    text = ->(*jobs, at) { stream(job(1), job(2, group_gid: 3001), *jobs, generated: at) }
    round(text.call(1000))
    before = [files.call, told('state')['hpc'][0].round]
    assert round(text.call(2000))
    header = told('state')['hpc'][0]
    assert_equal [*before, 2000], [files.call, header.round, header.generated]
    File.unlink(path('3001.records'))
    round(text.call(3000))
    assert_equal({ 'hpc' => [2] }, ids(3001))
    before = told('state')['hpc'][0].round
    round(text.call(job(3), 4000))
    refute_equal before, told('state')['hpc'][0].round
    assert_equal [{ 'hpc' => [1, 3] }, told('state')['hpc'][0].round], [ids(3000), told('3001.records')['hpc'][0].round]
  end

  def test_what_a_killed_agent_left_is_swept
    kept = %w[notes .state.old 3000.records.bak]
    %w[.state.0123456789ab .3000.records.0123456789ab 3009.records].chain(kept).each do |name|
      File.write(path(name), '')
    end
    round(stream)
    assert_equal [*kept, 'state'].sort, Dir.children(@dir).sort
  end

  # ---- a group that could not be learned ----

  def test_it_stays_where_it_was
    round(stream(job(1), job(2, group_gid: -1)))
    2.times do
      round(stream(job(1, group_gid: nil), job(2, group_gid: nil)))
      assert_equal({ 'hpc' => [1] }, ids(3000))
      assert_equal({ 'hpc' => 'all' }, sees)
      assert_nil JSON.parse(File.readlines(path('3000.records'))[1]).fetch('group_gid')
    end
  end

  def undetermined
    told('state').transform_values { |header, _| header.undetermined }
  end

  def test_a_job_that_was_not_known_takes_nothing_away_and_is_told_by_its_id
    round(stream(job(1)))
    other = job(1, group_gid: nil, name: job(1)[:name].sub('students', 'staff'))
    [job(2, group_gid: nil), job(1, uid: 1002, group_gid: nil), other].each do |unknown|
      round(stream(unknown), stream(cluster: 'gpu'))
      assert_equal({ 'hpc' => 'all', 'gpu' => 'all' }, sees)
      assert_equal({ 'hpc' => [unknown[:job_id]], 'gpu' => nil }, undetermined)
      round(stream(job(1)))
      assert_nil undetermined['hpc']
    end
  end

  # A site where each user has a group of their own, say: their gids are one line. In memory, as each file is synced.
  def test_ten_thousand_groups
    @dir = Dir.mktmpdir('agent', '/dev/shm').tap { |dir| File.chmod(0o755, dir) }
    round(stream(*(1..10_000).map { |id| job(id, group_gid: 4_000_000_000 + id) }, generated: Time.now.to_i))
    gids = [4_000_000_001, 4_000_010_000, 5_000_000]
    answer = as_user(gids: gids) do
      MultiTenant::Snapshot.new(MultiTenant::Settings.new({}), directory: @dir, fallback: Feed.new('else')).call(1)
    end
    assert_nil answer.error
    records = answer.records[0]
    assert_equal [[1, 10_000], %w[all]], [records.of('hpc').map(&:job_id), records.whole.map(&:sees)]
  ensure
    FileUtils.rm_rf(@dir)
  end

  # The names of a header are one line.
  def test_more_undetermined_jobs_than_a_header_holds
    nameless = ->(count) { (1..count).map { |id| job(4_000_000_000 + id, group_gid: nil, name: 'a|students|b') } }
    round(stream(job(1), *nameless.call(2000)))
    assert_equal ['all', 2000, [1]], [sees['hpc'], undetermined['hpc'].size, ids(3000)['hpc']]
    round(stream(job(1), *nameless.call(2001).each { |job| job[:uid] = 1002 }))
    assert_equal ['own', nil, [1]], [sees['hpc'], undetermined['hpc'], ids(3000)['hpc']]
  end

  # Of two cards the one goes whose job has ended, and the other stays, in forms, too.
  def test_one_undetermined_job_keeps_its_own_card_alone
    viewer = Viewer.new(self)
    ask = lambda do |*jobs|
      round(stream(*jobs, generated: Time.now.to_i))
      viewer.do { MultiTenant::Snapshot.new(MultiTenant::Settings.new({}), directory: @dir, fallback: nil).call(1).texts }
    end
    both = ask.call(job(1), job(2), job(3))
    @agent = nil # a new one knows nothing
    one = ask.call(job(1, group_gid: nil), job(3))
    shown = viewer.session(*both) do |receiver, feed|
      receiver.refresh
      feed.texts = one
      receiver.refresh
    end
    assert_equal [[uuid(2)], [uuid(1), uuid(3)]], [shown.ids(:removed), shown.ids(:kept)]
    assert_equal [%w[1 3], 'all'], [shown.specs.keys.sort, shown.report['clusters']['hpc']]
    assert_equal [uuid(1), uuid(3)], viewer.look(*one).ids(:kept)
    assert_equal [uuid(1)], viewer.look(*ask.call(job(3))).ids(:removed)
  end

  # They are kept as they were: else their publisher would have any number, by a group that can't be looked up.
  def test_undetermined_jobs_count_among_those_of_their_publisher
    viewer = Viewer.new(self)
    most = MultiTenant::Core::LIMITS[:shares_per_publisher]
    texts = (0..2).map do |times|
      before = (1..(times * most)).map { |id| job(id, group_gid: nil, name: "x|gone|AAA#{id}") }
      round(stream(*before, *(1..most).map { |id| job((times * most) + id) }, generated: Time.now.to_i))
      viewer.do { MultiTenant::Snapshot.new(MultiTenant::Settings.new({}), directory: @dir, fallback: nil).call(1).texts }
    end
    shown = viewer.session(*texts[0]) do |receiver, feed|
      texts.each do |told|
        feed.texts = told
        receiver.refresh
      end
    end
    assert_equal [(1..most).map(&:to_s), (1..most).map { |id| uuid(id) }],
                 [shown.specs.keys.sort_by(&:to_i), viewer.listed]
  end

  def test_a_name_without_a_group_is_missed_by_nobody
    round(stream(job(1, group_gid: nil, name: 'no share')))
    assert_equal({ 'hpc' => 'all' }, sees)
  end

  def test_a_card_outlives_a_name_service_that_fails
    viewer = Viewer.new(self)
    shown = lambda do |*jobs|
      round(stream(*jobs, generated: Time.now.to_i))
      viewer.do { MultiTenant::Snapshot.new(MultiTenant::Settings.new({}), directory: @dir, fallback: nil).call(1) }
            .then { |answer| viewer.look(*answer.texts) }
    end
    assert_equal [uuid(1)], shown.call(job(1), job(2, group_gid: 3001)).ids(:written)
    assert_equal [uuid(1)], shown.call(job(1, group_gid: nil)).ids(:kept)
    round(stream(job(1)))
    @agent = nil # a new one knows nothing
    assert_empty shown.call(job(1, group_gid: nil)).ids(:removed)
    assert_equal [uuid(1)], shown.call.ids(:removed)
  end

  # ---- failures ----

  # Killed when the groups' files are new and `state` is not.
  def test_killed_in_the_middle_of_a_round
    now = Time.now.to_i
    round(stream(job(1), job(2, group_gid: 3001), generated: now))
    pid = fork do
      MultiTenant::SystemFile.singleton_class.prepend(Module.new do
        def write(path, *, **)
          Process.kill(:KILL, Process.pid) if path.end_with?('state')
          super
        end
      end)
      round(stream(job(3), generated: now))
    ensure
      exit!
    end
    assert_equal 9, Process.wait2(pid)[1].termsig
    ask = lambda do |gid|
      as_user(gids: [gid]) do
        MultiTenant::Snapshot.new(MultiTenant::Settings.new({}), directory: @dir, fallback: Feed.new('else')).call(1)
      end
    end
    assert_equal([75, 0], [3000, 3001].map { |gid| ask.call(gid).code })
    round(stream(job(3), generated: now))
    assert_equal([0, 0], [3000, 3001].map { |gid| ask.call(gid).code })
  end

  def test_a_cluster_that_does_not_answer_keeps_its_records
    round(stream(job(1), generated: 1000), stream(job(2), cluster: 'gpu', generated: 1000))
    gpu = ->(*jobs, **changes) { stream(*jobs, cluster: 'gpu', generated: 1010, **changes) }
    odd = [[], [gpu.call(job(3), whole: false)], [gpu.call(sees: 'own')], [gpu.call.sub('"end":0', '"end":1')],
           [gpu.call(job(3), job(3))], [gpu.call(note: '?').sub('?', "\xff")], ['{}'], ['text']]
    odd.each.with_index(1001) do |texts, time|
      assert round(stream(job(1), generated: time), *texts)
      assert_equal({ 'hpc' => [1], 'gpu' => [2] }, ids(3000))
      assert_equal([time, 1000], told('state').values_at('hpc', 'gpu').map { |header, _| header.generated })
    end
  end

  def test_no_answer_changes_no_file
    round(stream(job(1)))
    before = snapshot(@dir)
    refute round(error: 'Slurm did not answer.')
    refute round(stream(sees: 'own'))
    refute round('text')
    assert_equal before, snapshot(@dir)
  end

  def test_one_line_for_each_change
    3.times { round(stream(job(1))) }
    2.times { round(error: 'Slurm did not answer.') }
    round # it is too early to ask
    2.times { round(stream(sees: 'own')) }
    2.times { round(stream) }
    patterns = [/is kept for cluster hpc\.\z/, /\ASlurm did not answer\. Readers of the snapshot .* from 60 s/,
                /PrivateData.*sacctmgr modify user root set adminlevel=operator.* the same uid, 0; .* make .* anew/,
                /is kept for cluster hpc/]
    assert_equal patterns.size, @log.size, @log.inspect
    patterns.zip(@log).each { |pattern, line| assert_match pattern, line }
  end

  # It may be one, and to become one would not help.
  def test_an_operator_whom_commands_do_not_know
    @feed.from = 'sacct and squeue'
    round(stream(sees: 'own'))
    assert_match(/PrivateData.* commands, which are asked there, .*slurmrestd/, @log[0])
    refute_includes @log[0], 'adminlevel'
  end

  def test_of_two_clusters_each_is_told_what_helps_there
    feeds = [Feed.new(stream(sees: 'own')), Feed.new(stream(cluster: 'gpu', sees: 'own'))]
    feeds[1].from = 'sacct and squeue'
    agent(source: MultiTenant::Sources.new(feeds.map { |feed| MultiTenant::Schedule.new(feed, 30) })).round
    assert_match(/hpc from .*adminlevel=operator.* of cluster gpu from this account\. Slurm's commands/, @log[0])
  end

  def test_a_cluster_that_is_not_asked_each_time
    round(stream, stream(cluster: 'gpu'))
    round(stream, error: 'gpu is away.')
    2.times { round(stream) }
    assert_equal 2, @log.size, @log.inspect
    round(stream, stream(cluster: 'gpu'))
    assert_equal 3, @log.size
    assert_match(/kept for cluster gpu, hpc/, @log[2])
  end

  def test_a_cluster_that_never_answered
    round(stream, error: 'gpu is away.')
    2.times { round(stream) }
    assert_equal 1, @log.size, @log.inspect
    round(stream, stream(cluster: 'gpu'))
    assert_match(/kept for cluster gpu, hpc/, @log[1])
  end

  def test_a_source_or_a_directory_that_breaks_is_a_failed_round
    refute agent(source: ->(_) { raise 'broken' }).round
    @agent = nil
    File.rename(@dir, "#{@dir}.away")
    refute round(stream(job(1)))
    assert_match(/No snapshot could be written to .*: RuntimeError: broken\.\z/, @log[0])
    assert_match(/No snapshot could be written to .*: No such file/, @log[1])
  end

  def test_an_exception_that_is_no_text_ends_no_agent
    [+"\xff no", (+"\xff no").b].each do |text|
      @agent = nil
      refute agent(source: ->(_) { raise text }).round
      assert_match(/RuntimeError: \? no\.\z/, @log.last)
    end
  end

  def test_pauses_grow_while_nothing_answers
    texts = [[], [], [], [], [], [stream], [], []]
    pauses = texts.map do |given|
      round(*given, error: given.empty? ? 'away.' : nil)
      agent.send(:pause)
    end
    assert_equal [30, 60, 120, 240, 300, 30, 30, 60], pauses
    @agent = nil
    agent(MULTITENANT_TTL: '1')
    round(stream)
    assert_equal 5, agent.send(:pause)
    round
    assert_equal 1, agent.send(:pause)
  end

  # ---- the directory ----

  def test_directories_that_are_refused
    assert_nil MultiTenant::Agent.objection(@dir)
    File.chmod(0o1777, @dir)
    assert_match(/can be changed by other users: make it with `install -d/, MultiTenant::Agent.objection(@dir))
    File.chmod(0o755, @dir)
    File.chown(AGENT, nil, @dir)
    assert_match(/belongs to uid 990, not/, MultiTenant::Agent.objection(@dir))
    File.chown(0, nil, @dir)
    File.chmod(0o777, temporary)
    assert_match(/on the way to it/, MultiTenant::Agent.objection(@dir))
    assert_match(/No such file/, MultiTenant::Agent.objection("#{@dir}/none"))
    assert_match(/is no directory/, MultiTenant::Agent.objection('/etc/passwd'))
  end
end

# The program `multitenant-agent`, as its unit starts it: an unprivileged user with CAP_CHOWN alone.
class TestAgentProgram < MultiTenantTest
  AGENT = 990

  def setup
    super
    @pids = []
    need_root
    @lib = Tree.copy(temporary)
    @dir = File.join(temporary, 'snapshot')
    Dir.mkdir(@dir, 0o755)
    File.chown(AGENT, AGENT, @dir)
    @records = File.join(temporary, 'records')
    answer(stream(job(1), generated: Time.now.to_i))
    query("grep ^Cap /proc/self/status >#{@dir}/caps; cat #{@records}")
  end

  def teardown
    @pids.each { |pid| Process.kill(:KILL, pid) && Process.wait(pid) }
    super
  end

  def answer(text)
    File.write("#{@records}.new", text)
    File.rename("#{@records}.new", @records)
  end

  # What the agent runs instead of the query program.
  def query(body)
    path = File.join(@lib, 'multitenant/multitenant-query')
    FileUtils.rm_f(path)
    File.write(path, "#!/bin/sh\n#{body}\n", perm: 0o755)
  end

  def argv(caps)
    ['setpriv', '--reuid', AGENT.to_s, '--regid', AGENT.to_s, '--clear-groups', '--no-new-privs',
     '--inh-caps', caps, '--ambient-caps', caps, '--bounding-set', caps,
     RbConfig.ruby, '-I', @lib, File.join(temporary, 'exe/multitenant-agent')]
  end

  def start(*args, caps: '-all,+chown', directory: @dir)
    @err = File.join(temporary, "err#{@started = @started.to_i + 1}")
    @pid = spawn(environment('MULTITENANT_TTL' => '5', 'MULTITENANT_SNAPSHOT' => directory, 'OOD_CLUSTERS' => '/none'),
                 *argv(caps), *args, err: @err, unsetenv_others: true, chdir: '/')
    @pids << @pid
  end

  # @return [Array(Integer, String, Float)] exit status or nil, what the last one said, seconds
  def end_agent(signal = nil)
    from = now
    status = nil
    Process.kill(signal, @pid) if signal
    wait_until { status = Process.wait2(@pid, Process::WNOHANG)&.last }
    @pids.delete(@pid)
    [status.exitstatus, File.read(@err), now - from]
  end

  def state
    File.join(@dir, 'state')
  end

  # @return [Answer] of a reader in the group
  def read
    as_user(gids: [3000]) do
      MultiTenant::Snapshot.new(MultiTenant::Settings.new({}), directory: @dir, fallback: Feed.new('else')).call(1)
    end
  end

  def caps(path)
    File.read(path).scan(/^(Cap\w+):\s+(\h+)/).to_h.transform_values(&:hex)
  end

  def test_members_read_and_outsiders_do_not
    start
    wait_until { File.exist?(state) }
    records = File.join(@dir, '3000.records')
    assert_equal [AGENT, 3000, 0o100640], [File.stat(records).uid, File.stat(records).gid, File.stat(records).mode]
    assert_includes as_user(uid: 2001, gids: [3000]) { File.read(records) }, '"job_id":1'
    error = assert_raises(RuntimeError) { as_user(uid: 2003, gids: [3001]) { File.read(records) } }
    assert_match(/EACCES/, error.message)
    assert_includes as_user(uid: 2003, gids: [3001]) { File.read(state) }, '"groups":[3000]'
    assert_equal 'snapshot', read.from
  end

  # node_exporter reads them, which is in no group of ours.
  def test_metrics_for_everybody_beside_the_snapshot
    file = File.join(@dir, 'multitenant.prom')
    left = File.join(@dir, '.multitenant.prom.0123456789ab')
    File.write(left, 'of one that was killed')
    start('--metrics', file, '--no-anonymous')
    wait_until { File.exist?(file) && File.exist?(state) }
    assert_equal [AGENT, 0o100644], [File.stat(file).uid, File.stat(file).mode]
    told = as_user(uid: 2003, gids: [3001]) { File.read(file) }
    assert_includes told, 'multitenant_source_up{cluster="hpc"} 1'
    assert_includes told, 'job_id="1",user="prof",group="students"'
    assert_equal 0, end_agent(:TERM)[0]
    refute_path_exists left
    start('--anonymous', '--metrics', '/none/multitenant.prom')
    wait_until { File.read(@err).include?('/none/multitenant.prom could not be written: No such file') }
  end

  def test_what_it_and_the_query_program_may_do
    start
    wait_until { File.exist?(state) }
    own = caps("/proc/#{@pid}/status")
    assert_equal [1, 1, 0], own.values_at('CapPrm', 'CapEff', 'CapAmb')
    assert_equal [0, 0, 0], caps(File.join(@dir, 'caps')).values_at('CapPrm', 'CapEff', 'CapAmb')
  end

  def test_without_the_capability_it_says_so_and_goes_on
    start(caps: '-all')
    wait_until { File.size?(@err) }
    refute_path_exists state
    code, said, = end_agent(:TERM)
    assert_equal 0, code
    assert_match(/\Amultitenant-agent: .*3000\.records can't be given to group 3000: .*CAP_CHOWN.*\n\z/, said)
  end

  def test_a_signal_ends_it_within_a_second
    %i[TERM INT].each do |signal|
      assert_promised(1) do
        start
        wait_until { File.size?(@err) }
        before = snapshot(@dir)
        code, said, seconds = end_agent(signal)
        assert_equal [0, 1], [code, said.lines.size]
        assert_equal before, snapshot(@dir)
        FileUtils.rm_f([state, @err])
        seconds
      end
    end
  end

  def test_a_signal_ends_it_while_slurm_hangs
    pid = File.join(@dir, 'pid')
    query("echo $$ >#{pid}.new; mv #{pid}.new #{pid}; exec sleep 60")
    assert_promised(1) do
      FileUtils.rm_f(pid)
      start
      wait_until { File.exist?(pid) }
      code, said, seconds = end_agent(:TERM)
      assert_equal [0, ''], [code, said]
      assert_raises(Errno::ESRCH) { Process.kill(0, Integer(File.read(pid))) }
      seconds
    end
  end

  def test_killed_and_started_anew
    start
    wait_until { File.exist?(state) }
    end_agent(:KILL)
    assert_equal 'snapshot', read.from
    answer(stream(job(2), generated: Time.now.to_i))
    start
    wait_until { read.texts[0].include?('"job_id":2') }
    end_agent(:KILL)
  end

  def test_it_refuses
    File.chmod(0o775, @dir)
    start
    assert_equal 78, end_agent[0]
    File.chmod(0o755, @dir)
    start
    wait_until { File.exist?(state) }
    assert_equal 0o600, File.stat(File.join(@dir, '.lock')).mode & 0o777
    start
    code, said, = end_agent
    assert_equal [78, "multitenant-agent: another multitenant-agent keeps #{@dir}.\n"], [code, said]
  end

  # The unit's own hardening makes all other directories read-only; a link is refused by the same call.
  def test_a_directory_that_can_not_be_written_is_one_sentence
    need_root
    directory = File.join(temporary, 'other').tap { |dir| Dir.mkdir(dir, 0o755) }
    File.symlink('/none', File.join(directory, '.lock'))
    done = run_as(nil, RbConfig.ruby, '-I', Tree.lib, File.join(Tree::ROOT, 'exe/multitenant-agent'),
                  '--directory', directory)
    assert_equal [73, 1], [done.code, done.err.lines.size], done.err
    assert_match(%r{\Amultitenant-agent: .*/other/.lock can't be written \(.*\): .*ReadWritePaths=}, done.err)
  end

  def test_its_options
    { ['--version'] => 0, ['--help'] => 0, ['--no-such'] => 64, ['more'] => 64, ['--directory', '/none'] => 78,
      [255.chr] => 64, ['--proxy', "--engine nginx --output /x --reload ''"] => 64, ['--metrics', ''] => 64 }
      .each do |args, code|
        done = run_as(AGENT, RbConfig.ruby, '-I', @lib, File.join(temporary, 'exe/multitenant-agent'), *args)
        assert_equal [code, 1], [done.code, (done.out + done.err).lines.first(1).size], args.inspect
        assert_equal 1, done.err.lines.size, done.err unless code.zero?
      end
  end

  # Those of the environment stand before its own, whatever the unit starts it with.
  def test_options_of_its_environment
    { '--version' => [0, ''], "--metrics ''" => [64, 'metrics'], "'" => [64, 'MULTITENANT_AGENT_OPTIONS: '] }
      .each do |text, (code, said)|
        done = run_as(AGENT, RbConfig.ruby, '-I', @lib, File.join(temporary, 'exe/multitenant-agent'), '--no-such',
                      env: { 'MULTITENANT_AGENT_OPTIONS' => text })
        assert_equal code, done.code, text
        assert_includes done.err, said
      end
  end
end

# The unit itself.
class TestAgentUnit < MultiTenantTest
  UNIT = File.read(File.join(Tree::ROOT, 'systemd/multitenant-agent.service'))

  # What the environment says counts more than the file, so systemd, which reads that in another way, gives none of it.
  def test_the_agent_has_the_settings_of_the_dashboards_file_as_dashboards_read_it
    path = File.join(temporary, 'env')
    File.write(path, "MULTITENANT_TTL=60 # seconds\nMULTITENANT_PUBLISHERS='profs' # nobody else\n")
    read = UNIT[/^EnvironmentFile=/] ? File.readlines(path, chomp: true).to_h { |line| line.split('=', 2) } : {}
    settings = MultiTenant::Settings.new(MultiTenant::Host.env_file(path).merge(read))
    assert_equal [60.0, 'profs', []], [settings.ttl, settings.publishers, settings.warnings]
  end
end
