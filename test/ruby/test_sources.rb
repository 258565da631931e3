# frozen_string_literal: true

require_relative 'fake_slurm'

# When which source is asked, and what several say together.
class TestSources < MultiTenantTest
  include Records

  # Seconds that a test sets.
  class Clock
    attr_accessor :now

    def initialize
      @now = 1000.0
    end

    def call = now
  end

  # A source that says what it is told to, or waits.
  class Said
    attr_accessor :answer
    attr_reader :asked

    EMPTY = %({"multitenant":1,"generated":1,"cluster":"hpc","wckeys":["multitenant"],"sees":"all"}\n{"end":0}\n)

    def initialize(text = EMPTY, error: nil, wait: 0)
      @answer = MultiTenant::Answer.new(texts: [text], from: 'slurm', seconds: 0.1, error: error, code: error ? 69 : 0)
      @wait = wait
      @asked = 0
    end

    def call(_seconds)
      @asked += 1
      raise 'no such thing' if answer.nil?

      sleep @wait
      answer
    end

    def fail_with(error)
      @answer = MultiTenant::Answer.new(texts: [], from: 'slurm', seconds: 0.1, error: error, code: 69)
    end
  end

  def setup
    super
    @clock = Clock.new
  end

  def schedule(source, ttl = 30)
    MultiTenant::Schedule.new(source, ttl, clock: @clock)
  end

  # ---- the schedule ----

  def test_an_answer_lives_for_its_time
    one = schedule(Said.new)
    assert_predicate one, :due?
    one.call(1)
    refute_predicate one, :due?
    @clock.now += 23.9
    refute_predicate one, :due?
    @clock.now += 6.1
    assert_predicate one, :due?
  end

  def test_the_dashboards_of_a_host_do_not_ask_all_at_once
    schedules = Array.new(50) { schedule(Said.new).tap { |one| one.call(1) } }
    @clock.now += 27
    assert_equal [false, true], schedules.map(&:due?).uniq.sort_by(&:to_s)
  end

  # @return [Float] seconds after which it is due, to a tenth
  def pause_of(one)
    start = @clock.now
    @clock.now += 0.1 until one.due?
    @clock.now - start
  end

  def test_pauses_double_up_to_five_minutes
    one = schedule(Said.new.tap { |source| source.fail_with('no') })
    pauses = Array.new(7) { one.call(1) && pause_of(one) }
    pauses.zip([30, 60, 120, 240, 300, 300, 300]) { |seen, most| assert_includes (most * 0.79)..(most + 0.2), seen }
  end

  def test_one_answer_ends_the_pauses
    source = Said.new.tap { |one| one.fail_with('no') }
    one = schedule(source)
    4.times { one.call(1) }
    refute_predicate one, :healthy?
    source.answer = Said.new.answer
    one.call(1)
    assert_predicate one, :healthy?
    assert_operator pause_of(one), :<=, 30.2
  end

  def test_an_answer_that_lives_for_longer_than_five_minutes_pauses_as_long
    one = schedule(Said.new.tap { |source| source.fail_with('no') }, 900)
    3.times { one.call(1) }
    assert_includes 710..900.2, pause_of(one)
  end

  def test_a_stream_without_its_end_is_no_answer
    one = schedule(Said.new(stream(whole: false)))
    one.call(1)
    refute_predicate one, :healthy?
  end

  def test_expire
    one = schedule(Said.new)
    one.call(1)
    one.expire
    assert_predicate one, :due?
  end

  def test_an_exception_is_an_answer_with_an_error
    one = schedule(Said.new.tap { |source| source.answer = nil })
    assert_equal ['RuntimeError: no such thing.', 70], one.call(1).to_h.values_at(:error, :code)
    refute_predicate one, :healthy?
  end

  # ---- several ----

  def test_only_those_whose_turn_it_is_are_asked
    quick = Said.new(stream(cluster: 'a'))
    slow = Said.new(stream(cluster: 'b'))
    all = MultiTenant::Sources.new([schedule(quick, 30), schedule(slow, 300)])
    assert_equal [stream(cluster: 'a'), stream(cluster: 'b')], all.call(1).texts
    refute_predicate all, :due?
    assert_equal [[], nil], all.call(1).to_h.values_at(:records, :error)
    @clock.now += 31
    assert_equal [[stream(cluster: 'a')], 2, 1], [all.call(1).texts, quick.asked, slow.asked]
    assert_in_delta 300, all.ttl
  end

  def test_one_that_fails_costs_the_others_nothing
    bad = Said.new.tap { |source| source.fail_with('slurmctld of b does not answer.') }
    all = MultiTenant::Sources.new([schedule(bad), schedule(Said.new(stream(cluster: 'a')))])
    answer = all.call(1)
    assert_equal [[stream(cluster: 'a')], 'slurmctld of b does not answer.', 69],
                 [answer.texts, answer.error, answer.code]
    4.times do
      @clock.now += 31
      good = all.call(1)
      assert_equal [[stream(cluster: 'a')], nil], [good.texts, good.error] # it does not wait for the other
      all.call(1)
    end
    assert_equal 3, bad.asked # at 0, 31 and 93 s: it is left in peace
  end

  # Promised: the slowest of them, not their sum.
  def test_they_are_asked_at_the_same_time
    assert_promised(1.5) do
      all = MultiTenant::Sources.new(%w[a b c d].map { |name| schedule(Said.new(stream(cluster: name), wait: 0.5)) })
      threads = Thread.list
      start = MultiTenant.clock
      assert_equal 4, all.call(1).texts.size
      assert_empty Thread.list - threads
      MultiTenant.clock - start
    end
  end

  def test_one_whole_stream_beside_one_that_is_missing_is_an_answer
    half = Said.new(stream)
    half.answer.error = 'The other is old.'
    one = schedule(half)
    one.call(1)
    assert_predicate one, :healthy?
  end

  def test_two_configurations_of_one_cluster_are_one_stream
    all = MultiTenant::Sources.new([schedule(Said.new(stream(job(1)))), schedule(Said.new(stream(job(1), job(2))))])
    assert_equal [stream(job(1))], all.call(1).texts
  end

  # ---- a cluster ----

  def program(text)
    path = File.join(temporary, 'program')
    File.write(path, "#!/bin/sh\n#{text}\n")
    File.chmod(0o755, path)
    path
  end

  # @return [MultiTenant::ClusterSource] of OOD's one cluster, with this job section
  def cluster_source(job, path, log: ->(*) {})
    clusters = MultiTenant::Clusters.new([MultiTenant::Clusters::Cluster.new('owens', nil, nil, false, job)])
    MultiTenant::ClusterSource.new(MultiTenant::Settings.new({}), clusters.targets[0], clusters: clusters, log: log,
                                                                                       program: path)
  end

  def test_where_the_commands_fail_too_both_are_told
    path = program("echo 'multitenant-query: libslurm is another' >&2; exit 78")
    answer = cluster_source({ 'bin' => '/nonexistent' }, path).call(5)
    assert_equal 78, answer.code
    assert_match(/\Alibslurm is another.* Slurm's commands were asked instead: scontrol could not be started /,
                 answer.error)
  end

  # So that nothing else waits for it.
  def test_where_the_commands_hang_that_is_told
    scontrol = File.join(temporary, 'scontrol')
    File.write(scontrol, "#!/bin/sh\nexec sleep 60\n", perm: 0o755)
    path = program("echo 'multitenant-query: libslurm is another' >&2; exit 78")
    source = cluster_source({ 'bin' => temporary }, path)
    one = schedule(source)
    answer = one.call(3)
    assert_equal [75, true], [answer.code, one.hanging?(source.cluster)]
    assert_match(/\Alibslurm is another.*asked instead: scontrol did not answer/, answer.error)
  end

  # No munge on this host, say, and a wrapper that goes to the head node. The query program has not all of the time.
  def test_a_sites_wrappers_are_asked_where_libslurm_fails
    said = []
    squeue, scontrol = %w[squeue scontrol].map { |name| File.join(temporary, name) }
    File.write(squeue, "#!/bin/sh\n", perm: 0o755)
    File.write(scontrol, "#!/bin/sh\ncat <<'X'\n#{FakeSlurm::CONFIG}X\n", perm: 0o755)
    job = { 'bin' => '/nonexistent', 'bin_overrides' => { 'squeue' => squeue, 'scontrol' => scontrol } }
    asked = File.join(temporary, 'asked')
    path = program("echo x >>#{asked}; echo 'multitenant-query: munge is not there' >&2; exit 69")
    source = cluster_source(job, path, log: ->(*line) { said << line })
    2.times do
      answer = source.call(10)
      assert_equal ['hpc', 'squeue', nil], [answer.records[0].streams[0].cluster, answer.from, answer.error]
    end
    assert_equal [[:warn, "munge is not there Slurm's commands are asked instead."]], said
    assert_equal "x\n", File.read(asked) # from then on the wrappers are, at once
    File.write(squeue, "#!/bin/sh\nexit 1\n")
    assert_match(/munge is not there .*asked instead: squeue failed/, source.call(10).error)
    source.call(10)
    assert_equal "x\nx\n", File.read(asked)
    other = cluster_source(job.except('bin_overrides'), path).call(10)
    assert_equal ['munge is not there', 69], [other.error, other.code]
  end

  # @param near [Hash] the job section of this host's own cluster, beside the one that is called far
  # @return [Array<String>] OOD's ids of far and of hpc, which is what libslurm has here
  def ids_beside(near, far)
    clusters = MultiTenant::Clusters.new(
      { 'far' => far, 'near' => near }.map do |id, job|
        MultiTenant::Clusters::Cluster.new(id, job['cluster'], job['conf'], false, job)
      end
    )
    path = program("cat <<'X'\n#{stream(cluster: 'hpc')}X")
    clusters.targets.each do |target|
      MultiTenant::ClusterSource.new(MultiTenant::Settings.new({}), target, clusters: clusters, log: ->(*) {},
                                                                            program: path).call(10)
    end
    clusters.pairs(%w[far hpc]).to_h.values_at('far', 'hpc')
  end

  # What libslurm says is of this host's own cluster, which would have been taken for that of the commands; and what the
  # host's own sacct says is no better.
  def test_wrappers_and_a_bin_beside_a_cluster_of_the_hosts_own_are_asked
    bin = File.join(temporary, 'bin')
    Dir.mkdir(bin)
    { 'squeue' => '', 'sacct' => '', 'sacctmgr' => FakeSlurm::DBD,
      'scontrol' => FakeSlurm::CONFIG.sub(/hpc$/, 'far') }.each do |name, text|
      File.write(File.join(bin, name), "#!/bin/sh\necho #{name} >>#{temporary}/asked\ncat <<'X'\n#{text}X\n",
                 perm: 0o755)
    end
    wrappers = { 'bin_overrides' => %w[squeue scontrol].to_h { |name| [name, File.join(bin, name)] } }
    conf = File.join(temporary, 'slurm.conf')
    File.write(conf, "ClusterName=hpc\n")
    [{}, { 'conf' => conf }, { 'cluster' => 'hpc' }].each do |near|
      assert_equal %w[far near], ids_beside(near, { 'bin' => bin, **wrappers }), near
    end
    # Who says none may have the same, as this host's own.
    [{ 'conf' => conf }, {}, { 'cluster' => 'hpc' }].each do |near|
      assert_equal %w[far near], ids_beside(near, { 'bin' => bin, 'conf' => conf, **wrappers }), near
    end
    refute_includes File.read("#{temporary}/asked"), 'sacct'
    [{ 'conf' => conf }, { 'cluster' => 'hpc' }].each do |near|
      assert_equal %w[far near], ids_beside(near, { 'bin' => bin }), near
    end
  end

  def test_the_name_of_a_cluster_is_learned
    clusters = MultiTenant::Clusters.new([MultiTenant::Clusters::Cluster.new('owens', nil, nil, false, {})])
    path = program("cat <<'X'\n#{stream(cluster: 'other')}X")
    source = MultiTenant::ClusterSource.new(MultiTenant::Settings.new({}), clusters.targets[0],
                                            clusters: clusters, log: ->(*) {}, program: path)
    assert_nil source.call(3).error
    assert_equal 'owens', clusters.pairs(%w[other]).to_h['other']
  end
end
