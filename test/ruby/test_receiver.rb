# frozen_string_literal: true

require_relative 'helper'
require 'minitest/mock'
require 'timeout'

# The receiving side of one user: what it keeps, reports and logs. Whatever its parts do, nothing
# leaves it as an exception.
class TestReceiver < MultiTenantTest
  # What the receiver is given: a feed, a log, and settings.
  def setup
    super
    @feed = Feed.new(stream(job(1)))
    @log = []
  end

  def receiver(source: @feed, clusters: nil, **changes)
    settings = MultiTenant::Settings.new({})
    clusters ||= MultiTenant::Clusters.new([MultiTenant::Clusters::Cluster.new('hpc', 'hpc', nil)])
    core = { **settings.to_core(dataroot: nil), uid: 2001, gids: [2001, 3000], **changes }
    MultiTenant::Receiver.new(settings, source: source, clusters: clusters, core: core,
                                        log: ->(level, sentence) { @log << [level, sentence] })
  end

  # The next answer. @return [Hash] the report
  def refresh(receiver, *texts, error: nil, code: 0)
    @feed.texts = texts
    @feed.error = error
    @feed.code = code
    receiver.refresh
  end

  # ---- specs ----

  def test_before_the_first_answer
    made = receiver
    assert_equal [{}, {}, []], [made.specs, made.report, made.shares]
    assert_predicate made.specs, :frozen?
    assert_predicate made.report, :frozen?
  end

  def test_until_the_first_whole_answer_there_are_none
    made = receiver
    refresh(made, stream(job(1), whole: false))
    assert_empty made.specs
    assert_nil made.report['at']
  end

  def test_the_last_ones_stay_after_a_failure
    made = receiver
    made.refresh
    before = made.specs
    [['', nil], [stream(whole: false), nil], ["rubbish\n", nil], ['', 'Slurm does not answer.']].each do |text, error|
      refresh(made, text, error: error, code: 69)
      assert_same before, made.specs
    end
    assert_equal ['1'], before.keys
  end

  # A page that is being made has its hash; the next refresh makes another.
  def test_a_new_look_gives_a_new_hash
    made = receiver
    made.refresh
    first = made.specs
    refresh(made, stream(job(2)))
    assert_equal [['1'], ['2']], [first.keys, made.specs.keys]
  end

  # ---- report ----

  def test_the_report_of_a_whole_answer
    report = refresh(receiver, stream(job(1), job(2, group_gid: 1), job(3, name: 'bash'), job(4, name: 'bash')))
    assert_in_delta Time.now.to_i, report['at'], 2
    assert_equal({ 'from' => 'test', 'seconds' => 0.0, 'accepted' => 1, 'cards' => [], 'error' => nil, 'code' => 0,
                   'refused' => { 'not_member' => 1, 'malformed_name' => 2 }, 'clusters' => { 'hpc' => 'all' } },
                 report.except('at'))
  end

  def test_the_clusters_of_a_report
    report = refresh(receiver, stream(cluster: 'a'), stream(cluster: 'b', sees: 'own'),
                     stream(cluster: 'c', whole: false))
    assert_equal({ 'a' => 'all', 'b' => 'own', 'c' => 'incomplete' }, report['clusters'])
  end

  def test_a_report_is_frozen
    made = receiver
    [made.refresh, refresh(made, '')].each do |report|
      assert_predicate report, :frozen?
      assert_predicate report['refused'], :frozen?
      assert_predicate report['clusters'], :frozen?
    end
  end

  # The reader of a report sees since when the answers fail, and what was before.
  def test_the_report_after_a_failure
    made = receiver
    at = made.refresh['at']
    report = refresh(made, '', error: 'Slurm does not answer.', code: 69)
    assert_equal ['Slurm does not answer.', 69, at, 1], report.values_at('error', 'code', 'at', 'accepted')
    assert_in_delta Time.now.to_i, report['failed_at'], 2
    report = refresh(made, stream(job(1)))
    assert_equal [nil, 0, nil], report.values_at('error', 'code', 'failed_at')
  end

  FAILURES = {
    '' => 'There is no record stream.',
    "rubbish\n" => 'Line 1 of the records does not belong there.'
  }.freeze

  def test_what_is_said_of_answers_that_are_not_whole
    FAILURES.merge(stream(whole: false) => 'The records of cluster hpc have no last line: they are incomplete.',
                   stream(job(1, uid: -1)) => 'Line 2 of the records does not belong there.').each do |text, sentence|
      assert_equal [sentence, 65], refresh(receiver, text).values_at('error', 'code')
    end
  end

  # The header itself may be what is wrong.
  def test_a_stream_without_a_cluster
    report = refresh(receiver, stream(cluster: nil))
    assert_equal [65, nil], report.values_at('code', 'at')
    assert_match(/\ALine 1 /, report['error'])
  end

  def test_a_part_that_is_whole_counts
    made = receiver
    report = refresh(made, stream(job(1)) + stream(job(2), cluster: 'b', whole: false))
    assert_equal ['1'], made.specs.keys
    assert_equal ['The records of cluster b have no last line: they are incomplete.', 65],
                 report.values_at('error', 'code')
    assert_equal [[:warn, "#{report['error']} What is of that cluster stays as it was."]], @log
  end

  def test_a_whole_part_of_a_source_that_failed_counts
    made = receiver
    report = refresh(made, stream(job(1)), error: 'Cluster b is away.', code: 69)
    assert_equal [['1'], 'Cluster b is away.', 69], [made.specs.keys, report['error'], report['code']]
  end

  # ---- MultiTenant itself ----

  def test_the_module_before_it_was_started
    assert_equal [{}, {}], [MultiTenant.specs, MultiTenant.report.compact]
    assert_predicate MultiTenant.specs, :frozen?
    assert_predicate MultiTenant.report, :frozen?
    assert_equal MultiTenant.report, MultiTenant.refresh
  end

  def test_the_age_of_the_last_answer
    made = receiver
    MultiTenant.instance_variable_set(:@receiver, made)
    sources = MultiTenant::Sources.new([])
    renewal = MultiTenant::Renewal.new(made, sources, log: nil)
    MultiTenant.instance_variable_set(:@renewal, renewal)
    MultiTenant.instance_variable_set(:@timeout, 3)
    assert_nil MultiTenant.report['age']
    assert_includes 0..2, MultiTenant.refresh['age']
    assert_equal ['1'], MultiTenant.specs.keys
  ensure
    %i[@receiver @renewal @timeout].each { |name| MultiTenant.instance_variable_set(name, nil) }
  end

  # ---- log ----

  def test_a_whole_answer_logs_nothing
    receiver.refresh
    refresh(receiver, stream(job(1), job(2, group_gid: 1), job(3, name: 'bash'), job(4, message: { mtu: '' })))
    assert_empty @log
  end

  def test_a_failure_is_one_line
    refresh(receiver, '', error: 'Slurm does not answer.', code: 69)
    assert_equal [[:warn, 'Slurm does not answer. Specs and cards stay as they were.']], @log
  end

  def test_a_refusal_is_one_line_as_long_as_it_lasts
    made = receiver
    bad = job(2, name: 'l|students|!')
    3.times { refresh(made, stream(job(1), bad)) }
    assert_equal [[:info, 'job 2: bad_base64: The payload is not base64 on one line.']], @log
    refresh(made, stream(job(1), job(2, publisher_in_group: false)))
    assert_equal 'job 2: publisher_not_member: The publisher is not a member of the group they name.', @log[1][1]
    refresh(made, stream(job(1), job(2)))
    refresh(made, stream(job(1), bad))
    assert_equal [@log[0]], @log[2..]
  end

  def test_of_many_refusals_some_are_told_and_the_rest_counted
    made = receiver
    jobs = (1..50).map { |id| job(id, name: 'l|students|!', uid: 1000 + (id / 30)) }
    refresh(made, stream(*jobs))
    assert_equal 21, @log.size
    assert_equal 'and 30 more jobs; `multitenant specs --explain` tells them', @log.last[1]
    refresh(made, stream(*jobs))
    assert_equal 21, @log.size
  end

  # Whose jobs are refused for another reason each time would else fill the host's disk, by each viewer's log.
  def test_refusals_that_change_all_the_time_are_logged_some_times_an_hour
    made = receiver
    refused = [{ name: 'l|students|!' }, { publisher_in_group: false }]
    20.times { |round| refresh(made, stream(*(1..32).map { |id| job(id, **refused[round % 2]) })) }
    assert_equal 100, @log.grep(->((_, line)) { line.start_with?('job ') }).size
    assert_operator @log.size, :<=, 105
    made.instance_variable_get(:@report).instance_variable_set(:@since, MultiTenant.clock - 3600)
    refresh(made, stream(job(40, **refused[0])))
    assert_equal 'job 40: bad_base64: The payload is not base64 on one line.', @log.last[1]
  end

  # A stranger's secret stays out of the log, and so does what they would like to see there.
  def test_no_line_holds_what_a_publisher_wrote
    marked = job(2, message: { mta: '<PWNED>' }, connection: { password: 'PWNED' })
    refresh(receiver, stream(marked, job(3, name: "PWNED\n|students|PWNED!")))
    assert_equal 2, @log.size
    refute_match(/PWNED|\n/, @log.join)
  end

  # ---- never an exception ----

  def failing(error)
    source = Object.new
    source.define_singleton_method(:call) { |_| raise error }
    source
  end

  def test_a_source_that_raises
    [RuntimeError.new("a\nb"), Errno::ENOENT.new('x'), NoMethodError.new('y'), Timeout::Error.new('z')].each do |error|
      @log.clear
      report = receiver(source: failing(error)).refresh
      assert_includes report['error'], error.class.name
      assert_equal [1, 1], [@log.size, @log[0][1].lines.size]
    end
  end

  def test_an_exception_that_is_no_text
    [+"\xff\xfe x", (+"\xff").b].each do |message|
      report = receiver(source: failing(RuntimeError.new(message))).refresh
      assert_match(/\ARuntimeError: \?/, report['error'])
    end
  end

  def test_clusters_that_raise_or_are_nonsense
    [->(_) { raise 'clusters' }, ->(_) {}, ->(_) { [[1, 2]] }, ->(_) { [%w[a]] }].each do |pairs|
      clusters = Object.new
      clusters.define_singleton_method(:pairs, &pairs)
      made = receiver(clusters: clusters)
      refute_nil made.refresh['error']
      assert_empty made.specs
    end
  end

  def test_an_answer_that_is_no_text
    assert_includes refresh(receiver, nil)['error'], 'TypeError'
    assert_includes refresh(receiver, 5)['error'], 'TypeError'
  end

  def test_it_works_again_after_each
    made = receiver
    refresh(made, nil)
    refresh(made, stream(job(1)))
    assert_equal [['1'], nil], [made.specs.keys, made.report['error']]
  end

  # Cards that can't be written cost no forms.
  def test_a_data_root_that_is_none
    made = receiver(dataroot: '/proc/nothing/here')
    report = refresh(made, stream(job(1)))
    assert_equal [['1'], nil, [:failed]], [made.specs.keys, report['error'], report['cards'].map(&:first).uniq]
    assert_match(/\Acard .*: A file or directory could not be (read or )?/, @log[0][1])
    assert_equal [:warn], @log.map(&:first).uniq
  end

  # @return [Array] receiver with a data root, and a stream whose card is this process's user's
  def with_cards
    made = receiver(dataroot: temporary, uid: Process.euid)
    [made, stream(job(1, message: { mtu: Process.euid.to_s }))]
  end

  def test_a_delivery_that_gives_a_card_another_id_is_told
    made, text = with_cards
    FileUtils.mkdir_p(File.join(temporary, MultiTenant::Core::PATHS[:db]))
    File.write(File.join(temporary, MultiTenant::Core::PATHS[:db], uuid(1)), 'of somebody else')
    written = refresh(made, text)['cards'].filter_map { |action, id| id if action == :written }
    assert_equal [written[0], written[0]], [made.shares[0][:card_id], File.basename(made.specs.dig('1', 'info', 'db'))]
    refute_equal uuid(1), written[0]
  end

  def test_another_delivery_makes_nothing_anew
    made, text = with_cards
    @feed.texts = [text]
    made.ask
    before = [made.specs, made.services, made.shares]
    made.deliver
    assert_equal [:written], made.report['cards'].map(&:first)
    before.zip([made.specs, made.services, made.shares]) { |old, new| assert_same old, new }
  end

  # ---- the same once more ----

  # A source that knows what it said before.
  class Knowing < Feed
    def call(seconds)
      @records = texts.map { |text| MultiTenant::Records.new(text, [*@records]) }
      super.tap { |answer| answer.records = @records }
    end
  end

  # @return [Array] receiver, and a block that asks it and says whether it decided anew
  def knowing(**changes)
    @feed = Knowing.new
    made = receiver(**changes)
    look = lambda do |*texts, **rest|
      before = made.shares
      refresh(made, *texts, **rest)
      !made.shares.equal?(before)
    end
    [made, look]
  end

  def test_what_is_the_same_is_not_decided_again
    made, look = knowing
    assert look.call(stream(job(1)))
    at = made.report['at']
    Time.stub(:now, Time.at(at + 30)) do
      refute look.call(stream(job(1), generated: at + 29))
      assert_equal [at + 30, nil, at + 29], [*made.report.values_at('at', 'error'), made.answered('hpc')]
    end
    assert_equal ['1'], made.specs.keys
    assert look.call(stream(job(1), job(2)))
    refute look.call(stream(job(1), job(2)))
    assert look.call(stream(job(1), sees: 'own'))
    assert look.call(stream(job(1, end: 2_000_000_000)))
  end

  def test_after_a_failure_it_is_decided_again_and_that_is_over
    made, look = knowing
    look.call(stream(job(1)))
    refute look.call(error: 'Slurm is away.')
    assert look.call(stream(job(1)))
    assert_equal [nil, false], [made.report['error'], made.report.key?('failed_at')]
    refute look.call(stream(job(1)))
  end

  def test_what_could_not_be_learned_is_tried_again
    _, look = knowing
    assert look.call(stream(job(1, group_gid: nil)))
    assert look.call(stream(job(1, group_gid: nil)))
  end

  def test_another_viewer_or_cluster_decides_otherwise
    ids = ['hpc']
    clusters = Object.new
    clusters.define_singleton_method(:pairs) { |_| [['hpc', ids[0]]] }
    clusters.define_singleton_method(:silent?) { false }
    made, look = knowing(clusters: clusters)
    look.call(stream(job(1)))
    refute look.call(stream(job(1)))
    ids[0] = 'other'
    assert look.call(stream(job(1)))
    assert_equal 'other', made.shares[0][:ood_cluster]
    refute look.call(stream(job(1)))
    made.instance_variable_set(:@installed, -> { ['sys/another'] })
    assert look.call(stream(job(1)))
    assert_empty made.specs
  end

  # ---- one at a time ----

  def test_a_second_call_gives_the_last_report
    entered = Queue.new
    leave = Queue.new
    source = Object.new
    source.define_singleton_method(:call) do |_|
      entered << true
      leave.pop
      MultiTenant::Answer.new(texts: [], from: 'x', seconds: 0.0, error: 'late', code: 75)
    end
    made = receiver(source: source)
    thread = Thread.new { made.refresh }
    entered.pop
    assert_equal({}, made.refresh)
    leave << true
    assert_equal 'late.', thread.value['error']
    leave << true
    assert_equal 'late.', made.refresh['error']
  end

  def test_the_deadline_is_handed_to_the_source
    given = []
    source = Object.new
    source.define_singleton_method(:call) { |seconds| given << seconds and raise 'enough' }
    made = receiver(source: source)
    made.refresh
    made.refresh(seconds: 0.5)
    assert_equal [3.0, 0.5], given
  end

  # ---- from a file ----

  def records_file(text)
    path = File.join(temporary, 'records')
    File.binwrite(path, text)
    MultiTenant::RecordsFile.new(path).call(3)
  end

  def test_a_file_of_records
    answer = records_file(stream(job(1)))
    assert_equal [[stream(job(1))], nil, 0], [answer.texts, answer.error, answer.code]
  end

  def test_files_that_can_not_be_read
    ['/nonexistent', temporary].each do |path|
      answer = MultiTenant::RecordsFile.new(path).call(3)
      assert_equal [[], 65], [answer.texts, answer.code]
      assert_match(/\A#{path} can't be read: (No such file|Is a directory)[^@]*\.\z/, answer.error)
    end
  end

  def test_a_file_that_is_too_large
    path = File.join(temporary, 'records')
    File.open(path, 'w') { |file| file.truncate((64 << 20) + 1) }
    assert_equal "#{path} holds more than 64 MiB.", MultiTenant::RecordsFile.new(path).call(3).error
    File.truncate(path, 64 << 20)
    assert_nil MultiTenant::RecordsFile.new(path).call(3).error
  end
end
