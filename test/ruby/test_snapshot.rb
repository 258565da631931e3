# frozen_string_literal: true

require_relative 'helper'
require 'minitest/mock'
require 'multitenant/agent'

# The snapshot of a host as its readers use it: written by an agent of root's, read by real users. A
# reader that finds anything odd asks Slurm itself.
class TestSnapshot < MultiTenantTest
  OTHERS = 'of another source'

  def setup
    super
    need_root
    @dir = File.join(temporary, 'snapshot')
    Dir.mkdir(@dir, 0o755)
    @feed = Feed.new
    @agent = MultiTenant::Agent.new(MultiTenant::Settings.new({}), source: @feed, directory: @dir, log: ->(_) {})
  end

  def keep(*texts)
    @feed.texts = texts
    assert @agent.round
  end

  def fresh(*jobs, generated: Time.now.to_i, **header)
    stream(*jobs.map { |job| { wckey: 'multitenant', **job } }, generated: generated, **header)
  end

  # @return [Array(Answer, String)] and why the snapshot was not used
  def read(env = {}, uid: 2001, gids: [3000], **options)
    as_user(uid: uid, gids: gids) { ask(env, **options) }
  end

  def ask(env, **options)
    options = { directory: @dir, fallback: Feed.new(OTHERS) }.merge(options)
    snapshot = MultiTenant::Snapshot.new(MultiTenant::Settings.new(env), **options)
    [snapshot.call(1.0), snapshot.why]
  end

  # @return [Array<Array>] header and job ids of each stream
  def streams(answer)
    answer.records.flat_map { |records| records.whole.map { |one| [one, records.of(one.cluster).map(&:job_id)] } }
  end

  def jobs(**options)
    answer, why = read(**options)
    assert_equal ['snapshot', nil], [answer.from, why]
    streams(answer).flat_map(&:last)
  end

  # The files are not of one moment: nothing changes, and nobody else is asked.
  def assert_torn(why)
    answer, = read({})
    assert_equal ['snapshot', [], 75], [answer.from, answer.texts, answer.code]
    assert_match why, answer.error
  end

  def assert_not_used(pattern, env = {}, **options)
    answer, why = read(env, **options)
    assert_equal ['test', [OTHERS], nil], [answer.from, answer.texts, answer.error]
    assert_match pattern, why
  end

  def path(name)
    File.join(@dir, name)
  end

  # ---- what a reader gets ----

  def test_everyone_gets_what_his_groups_share_and_nothing_else
    keep(fresh(job(1), job(2, group_gid: 3001), job(3, group_gid: -1)))
    assert_equal [1], jobs
    assert_equal [1, 2], jobs(gids: [3000, 3001])
    assert_equal [], jobs(uid: 2003, gids: [2003])
    assert_raises(RuntimeError) { as_user(uid: 2003, gids: [2003]) { File.read(path('3000.records')) } }
  end

  READ = <<~RUBY
    snapshot = MultiTenant::Snapshot.new(MultiTenant::Settings.new(ENV), directory: ARGV[0], fallback: nil)
    answer = snapshot.call(1)
    $stdout.binmode.write(*answer.texts)
    abort answer.error if answer.error
  RUBY

  # A per-user NGINX may have none at all.
  def test_in_a_locale_of_ascii
    keep(fresh(job(1, name: "d\u00e9|students|\u00e9", binary: true, user: 'dédé'), job(2, name: 'dédé|students|x'),
               publishers: 'Lehrkräfte Fächer'))
    env = { 'LANG' => 'C', 'LC_ALL' => 'C', 'MULTITENANT_PUBLISHERS' => 'Lehrkräfte Fächer' }
    done = run_as(2001, RbConfig.ruby, '-I', Tree.lib, '-rmultitenant', '-e', READ, @dir, env: env)
    assert_equal [0, ''], [done.code, done.err]
    assert_equal [1, 2], MultiTenant::Records.new(done.out).of('hpc').map(&:job_id)
  end

  def test_one_stream_a_cluster_with_the_records_as_they_came
    text = fresh(job(1, name: "a|students|\u00ff"), job(2, group_gid: 3001))
    keep(text, fresh(job(1), cluster: 'gpu', comment: "\u00ff"))
    answer, = read(gids: [3000, 3001])
    assert_equal 1, answer.texts.size
    assert_equal([['hpc', [1, 2]], ['gpu', [1]]], streams(answer).map { |header, ids| [header.cluster, ids] })
    assert_equal [], text.lines[1..] - answer.texts[0].lines
    assert_equal 3, decide(core, *answer.texts, clusters: [%w[hpc hpc], %w[gpu gpu]]).size
  end

  def test_state_is_a_record_stream_itself
    keep(fresh(job(1)))
    told, bad = core.read([MultiTenant::Records.new(File.read(path('state')))])
    assert_equal [[true, 'all']], [told[0].to_h.values_at(:complete, :sees)]
    assert_nil bad[0]
  end

  def test_cards_come_and_go
    viewer = Viewer.new(self)
    keep(fresh(job(1), job(2)))
    assert_equal [uuid(1), uuid(2)], viewer.look(*read[0].texts).ids(:written)
    keep(fresh(job(2)))
    assert_equal [uuid(1)], viewer.look(*read[0].texts).ids(:removed)
    keep(fresh)
    refute_path_exists path('3000.records')
    assert_equal [uuid(2)], viewer.look(*read[0].texts).ids(:removed)
  end

  def test_an_agent_that_asks_for_more_wckeys
    keep(fresh(job(1), job(2, wckey: 'other'), wckeys: %w[multitenant other]))
    assert_equal [1], jobs
    assert_equal([%w[multitenant]], streams(read[0]).map { |header, _| header.wckeys })
    answer, = read({ 'MULTITENANT_WCKEY' => 'other,multitenant' })
    assert_equal([[%w[multitenant other], [1, 2]]], streams(answer).map { |header, ids| [header.wckeys, ids] })
  end

  # @return [Array<Array>] of each time, whether the records are those of before, and the ids of the jobs
  def look(snapshot, *steps)
    before = snapshot.call(1.0).records
    steps.map do |step|
      step.call
      now = snapshot.call(1.0).records
      same = now[0].same?(before[0])
      before = now
      [same, now[0].of('hpc').map(&:job_id)]
    end
  end

  def test_a_group_s_file_is_read_once_in_a_round
    keep(fresh(job(1), job(2)))
    snapshot = kept_snapshot
    opened = 0
    open = File.method(:open)
    counted = lambda do |name, *args, **rest, &block|
      opened += 1 if name.end_with?('.records')
      open.call(name, *args, **rest, &block)
    end
    File.stub(:open, counted) do
      seen = look(snapshot, -> {}, -> { keep(fresh(job(1), job(2), generated: Time.now.to_i - 1)) },
                  -> { keep(fresh(job(2), job(3))) }, -> { keep(fresh(job(2), job(3), job(4, group_gid: 3001))) })
      assert_equal [[true, [1, 2]], [true, [1, 2]], [false, [2, 3]], [true, [2, 3]]], seen
    end
    assert_equal 3, opened
  end

  # @return [Snapshot] that is asked again and again, as a dashboard's is
  def kept_snapshot
    MultiTenant::Snapshot.new(MultiTenant::Settings.new({}), directory: @dir, fallback: Feed.new(OTHERS),
                                                             gids: -> { [3000] })
  end

  def test_where_only_the_time_is_newer_nothing_is_put_together
    keep(fresh(job(1), generated: Time.now.to_i - 9))
    snapshot = kept_snapshot
    before, = snapshot.call(1.0).records
    keep(fresh(job(1), generated: Time.now.to_i - 5))
    now, = snapshot.call(1.0).records
    assert_same before.text, now.text
    assert_equal [4, 1], [now.streams[0].generated - before.streams[0].generated, now.of('hpc')[0].job_id]
    keep(fresh(job(1), private_jobs: true))
    assert_equal true, snapshot.call(1.0).records[0].streams[0].private_jobs
  end

  def test_another_directory_at_its_place_is_not_used
    keep(fresh(job(1)))
    snapshot = kept_snapshot
    assert_equal 'snapshot', snapshot.call(1.0).from
    FileUtils.cp_r(@dir, "#{@dir}.other", preserve: true)
    File.chown(2002, nil, "#{@dir}.other")
    File.rename(@dir, "#{@dir}.gone")
    File.rename("#{@dir}.other", @dir)
    2.times { assert_equal 'test', snapshot.call(1.0).from }
    assert_match(/no account of the system's/, snapshot.why)
    File.chown(0, nil, @dir)
    File.chmod(0o777, @dir)
    assert_equal 'test', snapshot.call(1.0).from
  end

  # ---- what it has to hold ----

  def test_wckeys_and_publishers_as_the_settings_say
    keep(fresh(job(1), publishers: 'pub'))
    assert_not_used(/WCKey other/, { 'MULTITENANT_WCKEY' => 'multitenant,other' })
    assert_not_used(/MULTITENANT_PUBLISHERS/, { 'MULTITENANT_PUBLISHERS' => 'else' })
    assert_equal 'snapshot', read({ 'MULTITENANT_PUBLISHERS' => 'pub' })[0].from
    assert_equal 'snapshot', read[0].from
    keep(fresh(job(1)))
    assert_not_used(/MULTITENANT_PUBLISHERS/, { 'MULTITENANT_PUBLISHERS' => 'pub' })
  end

  # ---- time ----

  def test_neither_stale_nor_of_the_future
    ages = { -10 => false, -1 => true, 0 => true, 55 => true, 65 => false }
    ages.each do |age, used|
      keep(fresh(job(1), generated: Time.now.to_i - age))
      used ? assert_equal([1], jobs) : assert_not_used(/its age is/)
    end
    assert_equal 'snapshot', read({ 'MULTITENANT_TTL' => '60' })[0].from
  end

  def test_a_stale_cluster_is_left_out
    keep(fresh(job(1)), fresh(job(7), cluster: 'gpu', generated: Time.now.to_i - 300))
    answer, why = read
    assert_equal [[1]], streams(answer).map(&:last)
    assert_equal ['snapshot', MultiTenant::EX_TEMPFAIL, why], [answer.from, answer.code, answer.error]
    assert_match(/30\d s \(gpu\)/, why)
  end

  # ---- clusters that are not in it ----

  # What asks a cluster; `cluster` is its name, as far as that is known.
  class Far < Feed
    attr_accessor :cluster

    def initialize(cluster, *texts)
      super(*texts)
      @cluster = cluster
    end
  end

  # @param job [Hash] the job section of each
  # @return [Sources] of a host with these clusters and the snapshot
  def sources(*feeds, job: {})
    clusters = MultiTenant::Clusters.new(feeds.each_index.map do |i|
      MultiTenant::Clusters::Cluster.new("c#{i}", "c#{i}", nil, false, job)
    end)
    made = ->(_, target, **) { feeds[target.cluster[1..].to_i] }
    MultiTenant::ClusterSource.stub(:new, made) do
      settings = MultiTenant::Settings.new({ 'MULTITENANT_SNAPSHOT' => @dir })
      MultiTenant::Sources.of(settings, clusters, log: ->(*) {}, gids: -> { [3000] })
    end
  end

  # @return [Array] which jobs of which clusters, and why not all, where all are to be asked now
  def told(sources)
    sources.expire
    told_in_turn(sources)
  end

  # @return [Array] the same of those whose turn it is
  def told_in_turn(sources)
    answer = sources.call(1.0)
    [streams(answer).map { |stream, ids| [stream.cluster, *ids] }, answer.error]
  end

  # As one behind ssh, where each user has a key and the agent's account has none.
  def test_a_cluster_that_is_not_in_it_is_asked_itself
    keep(fresh(job(1)))
    gpu = Far.new('gpu', fresh(job(7), cluster: 'gpu'))
    all = sources(Far.new('hpc', fresh(job(2))), gpu)
    assert_equal [[['hpc', 1], ['gpu', 7]], nil], told(all)
    keep(fresh(job(1)), fresh(job(8), cluster: 'gpu'))
    assert_equal [[['hpc', 1], ['gpu', 8]], nil], told(all)
    keep(fresh(job(1)), fresh(job(8), cluster: 'gpu', generated: Time.now.to_i - 300))
    assert_match(/30\d s \(gpu\)/, told(all)[1])
    assert_equal [['hpc', 1]], told(all)[0]
  end

  # As a submission wants it, or a page that sees what another process did to the cards.
  def test_what_is_to_be_asked_now_is_asked_now_also_where_it_is_not_in_it
    keep(fresh(job(1)))
    gpu = Far.new('gpu', fresh(job(7), cluster: 'gpu'))
    all = sources(Far.new('hpc'), gpu, job: { 'submit_host' => 'login1' })
    assert_equal [[['hpc', 1], ['gpu', 7]], nil], told(all)
    gpu.texts = [fresh(job(8), cluster: 'gpu')]
    assert_equal [[['hpc', 1], ['gpu', 8]], nil], told(all) # which expires them
  end

  # For so long the status of a card of theirs is what the records say.
  def test_how_long_answers_live_is_told_also_of_those_that_are_not_in_it
    far = { 'submit_host' => 'login1' }
    assert_equal([30.0, 300.0], [{}, far].map { |job| sources(Far.new('hpc'), Far.new('gpu'), job: job).ttl })
  end

  # What its slurm.conf is called says it, or its own answer.
  def test_which_cluster_a_source_is_of_may_not_be_known
    keep(fresh(job(1)))
    hpc, gpu = %w[hpc gpu].map { |name| Far.new(nil, fresh(job(7), cluster: name)) }
    assert_equal [[['hpc', 1], ['gpu', 7]], nil], told(sources(hpc, gpu))
    assert_equal [[['hpc', 1]], nil], told(sources(hpc))
  end

  # A client whose service may be there is not told that it has ended.
  def test_one_of_them_that_does_not_answer_is_not_taken_for_empty
    keep(fresh(job(1)))
    now = 1000.0
    MultiTenant.stub(:clock, -> { now }) do
      gpu = Far.new('gpu').tap { |feed| feed.error = 'ssh to login1 failed.' }
      all = sources(Far.new('hpc'), gpu, job: { 'submit_host' => 'login1' })
      assert_equal [[[['hpc', 1]], 'ssh to login1 failed.'], false], [told_in_turn(all), all.answering?]
      now += 31 # it has a pause
      assert_equal [[[['hpc', 1]], nil], false], [told_in_turn(all), all.answering?]
      keep(fresh(job(1)), fresh(cluster: 'gpu'))
      assert_equal [[[['hpc', 1], ['gpu']], nil], true], [told(all), all.answering?]
    end
  end

  # What is in the snapshot may be sealed by munge.
  def test_one_of_them_that_hangs_leaves_time_for_munged
    keep(fresh(job(1)))
    gpu = Far.new('gpu')
    gpu.define_singleton_method(:call) do |seconds|
      MultiTenant::Answer.new(from: 'test', seconds: seconds, error: 'no answer in time.', code: 75, cluster: 'gpu')
    end
    all = sources(Far.new('hpc'), gpu)
    answer = all.call(30.0)
    assert_equal [[['hpc', [1]]], 'no answer in time.'],
                 [streams(answer).map { |one, ids| [one.cluster, ids] }, answer.error]
    assert_operator answer.seconds, :<, 25
    assert_equal([false, true], %w[hpc gpu].map { |name| all.hanging?(name) })
  end

  # One that answers is to be asked each time.
  def test_where_it_is_not_used_one_that_failed_is_asked_again
    now = 1000.0
    MultiTenant.stub(:clock, -> { now }) do
      gpu = Far.new('gpu').tap { |feed| feed.error = 'slurmctld is down.' }
      all = sources(Far.new('hpc', fresh(job(1))), gpu)
      assert_equal [[['hpc', 1]], 'slurmctld is down.'], told(all)
      gpu.texts = [fresh(job(7), cluster: 'gpu')]
      gpu.error = nil
      now += 30
      assert_equal [[['hpc', 1], ['gpu', 7]], nil], told(all)
    end
  end

  # ---- who wrote it ----

  def test_a_directory_that_others_can_change
    keep(fresh(job(1)))
    { 0o777 => /changed by other users/, 0o1777 => /changed by/, 0o775 => /changed by/ }.each do |mode, why|
      File.chmod(mode, @dir)
      assert_not_used(why)
    end
    File.chmod(0o755, @dir)
    File.chmod(0o777, temporary)
    assert_not_used(/on the way to it/)
  end

  def test_a_directory_of_an_ordinary_user
    keep(fresh(job(1)))
    [2002, 2001].each do |uid|
      Dir.each_child(@dir) { |name| File.chown(uid, nil, path(name)) }
      File.chown(uid, nil, @dir)
      assert_not_used(/belongs to uid #{uid}/)
    end
    assert_equal 'snapshot', read(owners: ->(uid) { uid == 2001 })[0].from
  end

  def test_a_directory_of_a_system_account
    keep(fresh(job(1)))
    [@dir, path('state'), path('3000.records')].each { |file| File.chown(990, nil, file) }
    assert_equal [1], jobs
    File.chown(991, nil, path('3000.records'))
    assert_not_used(/3000\.records is not as multitenant-agent writes it/)
  end

  def test_a_file_of_another_owner_mode_or_group
    keep(fresh(job(1)))
    odd = { 'state' => [[2002, nil, 0o644], [0, nil, 0o646], [0, nil, 0o664]],
            '3000.records' => [[2002, 3000, 0o640], [0, 3000, 0o644], [0, 3000, 0o660], [0, 2001, 0o640]] }
    odd.each do |name, cases|
      before = File.stat(path(name))
      cases.each do |uid, gid, mode|
        File.chown(uid, gid, path(name))
        File.chmod(mode, path(name))
        assert_not_used(/#{name} is not as multitenant-agent writes it/)
      end
      File.chown(before.uid, before.gid, path(name))
      File.chmod(before.mode & 0o777, path(name))
    end
    assert_equal [1], jobs
  end

  def test_what_is_no_regular_file
    keep(fresh(job(1)))
    %w[state 3000.records].each do |name|
      good = File.join(temporary, name)
      FileUtils.cp(path(name), good, preserve: true)
      { link: -> { File.symlink(good, path(name)) }, fifo: -> { File.mkfifo(path(name), 0o640) },
        directory: -> { Dir.mkdir(path(name), 0o750) } }.each do |kind, make|
        FileUtils.remove_entry(path(name))
        make.call
        File.lchown(0, 3000, path(name))
        assert_not_used(kind == :link ? /#{name} can't be read/ : /#{name} (is not as|can't be read)/)
      end
      FileUtils.remove_entry(path(name))
      FileUtils.cp(good, path(name), preserve: true)
    end
    assert_equal [1], jobs
  end

  # ---- what is not there ----

  def test_nothing_is_there
    assert_not_used(%r{snapshot/state can't be read \(No such file})
    FileUtils.remove_entry(@dir)
    assert_not_used(/There is no snapshot in .*does multitenant-agent run/)
    File.write(@dir, '')
    assert_not_used(/is no directory/)
  end

  # As that of a group whose gid the agent's user namespace lacks.
  def test_a_named_file_that_stays_away
    keep(fresh(job(1), job(2, group_gid: 3001)))
    File.unlink(path('3000.records'))
    assert_not_used(/3000\.records is not there/)
    assert_equal [2], jobs(gids: [3001])
  end

  def test_what_is_no_snapshot
    ['', "{}\n", 'text', fresh, fresh(round: nil), fresh(job(1), round: 'a', whole: false)].each do |text|
      File.write(path('state'), text, perm: 0o644)
      assert_not_used(/state is no snapshot's/)
    end
  end

  def test_groups_that_are_no_gids_name_no_file
    File.write(path('state'), fresh(round: 'a', groups: ['../state', '3000', nil, 3.0, { a: 1 }]))
    assert_equal [], jobs
  end

  # ---- rounds ----

  def test_files_of_two_rounds
    keep(fresh(job(1)))
    old = File.binread(path('3000.records'))
    keep(fresh(job(1), job(2)))
    File.write(path('3000.records'), old)
    assert_torn(/another round than state/)
  end

  def test_a_cluster_that_its_groups_file_does_not_hold
    keep(fresh(job(1)))
    File.write(path('state'), File.read(path('state')) + File.read(path('state')).gsub('"hpc"', '"gpu"'))
    assert_torn(/does not hold cluster gpu/)
  end

  # The agent finishes its round while the reader tries again.
  def test_a_reader_waits_for_the_end_of_a_round
    keep(fresh(job(1)))
    whole = File.binread(path('3000.records'))
    torn = whole.gsub(/"round":"\h+"/, '"round":"0"')
    [[1, nil], [2, nil], [3, 75]].each do |times, code|
      reads = 0
      groups = lambda do
        reads += 1
        File.write(path('3000.records'), reads <= times ? torn : whole)
        [3000]
      end
      assert_equal code.to_i, ask({}, gids: groups)[0].code, "torn #{times} times"
    end
  end

  # The last share of the group ends between the reading of `state` and of the group's file.
  def test_a_file_that_goes_while_it_is_read
    keep(fresh(job(1)))
    groups = lambda do
      keep(fresh)
      [3000]
    end
    answer, why = ask({}, gids: groups)
    assert_equal ['snapshot', nil, [[]]], [answer.from, why, streams(answer).map(&:last)]
  end

  # ---- an agent that goes on writing ----

  def test_readers_see_whole_rounds_only
    numbers = 1..20
    writer = fork do
      loop { numbers.each { |n| keep(fresh(job(n), job(n + 100, group_gid: 3001))) } }
    end
    wait_until { File.exist?(path('state')) }
    pairs = as_user(gids: [3000, 3001]) do
      ask_once = -> { ask({})[0].then { |answer| answer.error ? [] : [streams(answer)[0].last] } }
      whole = Array.new(200) { ask_once.call }.flatten(1)
      # On a busy machine most fall into the middle of a round.
      wait_until { (whole += ask_once.call).size > 20 }
      whole
    end
    assert_operator pairs.size, :>, 20
    assert(pairs.all? { |one, other| other == one + 100 })
  ensure
    Process.kill(:KILL, writer)
    Process.wait(writer)
  end
end
