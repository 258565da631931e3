# frozen_string_literal: true

require_relative 'helper'
require 'multitenant/agent'
require 'multitenant/agent/metrics_file'

# What Prometheus is told: of records that hold all kinds of names, by the class, the command and the agent.
class TestMetrics < MultiTenantTest
  # Groups as a site may have them.
  class People
    attr_accessor :calls, :answer

    def initialize(answer = 12)
      @calls = []
      @answer = answer
    end

    def others_of(pairs, _seconds)
      @calls << pairs
      @answer && pairs.to_h { |pair| [pair, @answer] }
    end
  end

  def setup
    super
    @people = People.new
    @feed = Feed.new
  end

  def metrics(anonymous: nil, env: {})
    @metrics ||= MultiTenant::Metrics.new(MultiTenant::Settings.new(env), anonymous: anonymous, names: @people)
  end

  # @return [Hash{String => String}] name with labels => value
  def told(*texts, error: nil, **options)
    @feed.texts = texts
    @feed.error = error
    metrics(**options).note(@feed.call(1))
    read(metrics.to_s)
  end

  def read(text)
    text.lines.grep_v(/\A#/).to_h { |line| line.chomp.split(/ (?=[^ ]+\z)/) }
  end

  def open_stream(*jobs, **header)
    stream(*jobs, private_jobs: false, **header)
  end

  def refused(seen)
    found = seen.select { |name, _| name.start_with?('multitenant_refused_jobs') }
    found.to_h { |name, value| [name[/reason="(\w+)"/, 1], Integer(value)] }
  end

  # ---- services ----

  def test_who_shares_what_until_when
    llm = job(2, user: 'ann', uid: 1002, end: 1_800_000_000, name: 'web/sys/dashboard/sys/my-llm|staff|MUNGE:AwQ=:')
    seen = told(open_stream(job(1), llm))
    labels = 'cluster="hpc",job_id="2"'
    info = 'user="ann",group="staff",app="my-llm",service="?",envelope="munge"'
    assert_equal '1', seen["multitenant_service_info{#{labels},#{info}}"]
    { start_timestamp_seconds: '1700000002', end_timestamp_seconds: '1800000000', recipients: '12' }
      .each { |what, value| assert_equal value, seen["multitenant_service_#{what}{#{labels}}"] }
    assert_equal '+Inf', seen['multitenant_service_end_timestamp_seconds{cluster="hpc",job_id="1"}']
    counts = { ['?', 'munge'] => '0', ['?', 'key'] => '0', ['?', 'v1'] => '1', %w[my-llm munge] => '1' }
    assert_equal(counts, counts.keys.to_h do |app, envelope|
      [[app, envelope], seen["multitenant_services{cluster=\"hpc\",app=\"#{app}\",envelope=\"#{envelope}\"}"]]
    end)
  end

  def test_the_app_of_a_job_that_open_ondemand_named
    { 'sys/dashboard/sys/my-llm' => 'my-llm', 'sys-dashboard-dev-my-llm' => 'my-llm', 'sys/dashboard' => '?',
      'sys/dashboard/sys/' => '?', 'sys/dashboard/sys/a"b' => '?', "sys/dashboard/sys/#{'x' * 65}" => '?',
      'sys/dashboard/usr/ann/llm' => '?', '' => '?' }.each do |label, app|
      @metrics = nil
      seen = told(open_stream(job(1, name: "#{label}|staff|MUNGE:AwQ=:")))
      assert_equal '1', seen["multitenant_services{cluster=\"hpc\",app=\"#{app}\",envelope=\"munge\"}"], label
    end
  end

  def test_no_tenant_host_port_or_connection_is_told
    secret = { host: 'n77.example.org', port: '45454', password: 'hush' }
    text = told(open_stream(job(1, connection: secret, message: { mtu: '2001,2002', mti: uuid(9) }))).to_s
    refute_match(/n77|n1|10\.0\.0\.1|45454|hush|200[12]|0123456789ab/, text)
  end

  def test_where_private_data_has_jobs_or_is_not_known_nobody_is_named
    [stream(job(1), private_jobs: true), stream(job(1))].each do |text|
      @metrics = nil
      seen = told(text).keys.join("\n")
      refute_match(/user=|group=|job_id=|prof|students/, seen)
      assert_includes seen, 'multitenant_services{cluster="hpc",app="?",envelope="v1"}'
      assert_empty @people.calls
      @metrics = nil
      assert_match(/user="prof"/, told(text, anonymous: false).keys.join)
      @people.calls.clear
    end
    @metrics = nil
    refute_match(/user=/, told(open_stream(job(1)), anonymous: true).keys.join)
  end

  def test_two_clusters_of_which_one_hides_jobs
    seen = told(open_stream(job(1)), stream(job(2), cluster: 'gpu', private_jobs: true)).keys.grep(/service_info/)
    assert_equal(['1'], seen.map { |name| name[/job_id="(\d+)"/, 1] })
  end

  def test_groups_are_counted_once_and_again_for_a_new_one
    3.times { told(open_stream(job(1))) }
    told(open_stream(job(1), job(2, name: 'a|staff|MUNGE:AwQ=:')))
    assert_equal [[[1001, 'students']], [[1001, 'students'], [1001, 'staff']]], @people.calls
    @people.answer = nil
    @metrics = nil
    assert_empty told(open_stream(job(1))).keys.grep(/recipients/)
  end

  # ---- refusals ----

  def test_reasons_that_need_no_viewer_are_there_and_no_others
    outer = MultiTenant::Native.reasons.select { |_, (_, _, outer)| outer }.keys
    assert_equal outer.sort, refused(told(open_stream)).keys.sort
    %w[ok not_member not_recipient own_session dismissed wrong_job].each { |code| refute_includes outer, code }
    assert_equal [0], refused(told(open_stream)).values.uniq
  end

  def test_what_is_refused_before_an_envelope_is_opened
    jobs = [job(1, name: 'plain'), job(2, publisher_in_group: false), job(3, group_gid: -1), job(4, group_gid: nil),
            job(5, group_gid: nil, out_of_time: true), job(6, name: "a|students|#{'A' * 1100}"),
            job(7, name: 'a|students|not base64'), job(8, publisher_allowed: false)]
    many = (100..140).map { |id| job(id, user: 'ann', uid: 1002, publisher_allowed: true) }
    env = { 'MULTITENANT_PUBLISHERS' => 'pubGrp' }
    jobs.each { |one| one[:publisher_allowed] = true unless one.key?(:publisher_allowed) }
    seen = refused(told(open_stream(*jobs, *many, publishers: 'pubGrp'), env: env)).reject { |_, count| count.zero? }
    assert_equal({ 'malformed_name' => 1, 'publisher_not_member' => 2, 'lookup_failed' => 1, 'out_of_time' => 1,
                   'name_too_long' => 1, 'bad_base64' => 1, 'publisher_not_allowed' => 1, 'too_many' => 9 }, seen)
  end

  def test_services_that_have_an_address_outside_are_known_by_name
    names = { 1 => 'sys/dashboard/sys/my-llm mt:spanish-301:openai:18080', 2 => 'mt:Spanish:openai:18080',
              3 => 'x mt:mount:tcp:2049' }
    seen = told(open_stream(*names.map { |id, label| job(id, name: "#{label}|students|MUNGE:AwQ=:") }))
    info = seen.keys.grep(/service_info/).map { |name| [name[/app="([^"]*)"/, 1], name[/service="([^"]*)"/, 1]] }
    assert_equal [%w[my-llm spanish-301], %w[? ?], %w[? mount]], info
    assert_equal({ 'bad_address' => 1, 'port_not_allowed' => 1 }, refused(seen).reject { |_, count| count.zero? })
    refute_match(/18080|2049/, metrics.to_s)
  end

  # That of others nobody knows without opening them.
  def test_how_many_jobs_such_a_service_has_and_how_many_are_about_to_end
    jobs = { 1 => ['a', {}], 2 => ['a', { end: 1660 }], 3 => ['a', { end: 1500 }],
             4 => ['a', { user: 'ann', uid: 1002 }], 5 => ['Bad', {}] }
    jobs = jobs.map { |id, (name, more)| job(id, name: "x mt:#{name}:web:18080|students|MUNGE:AwQ=:", **more) }
    seen = told(open_stream(*jobs, job(6), generated: 1000)).select { |name, _| name.include?('service_members') }
    counts = { prof: { serving: 2, leaving: 1 }, ann: { serving: 1, leaving: 0 } }.flat_map do |user, states|
      states.map do |state, count|
        ["multitenant_service_members{cluster=\"hpc\",user=\"#{user}\",group=\"students\",service=\"a\"," \
         "state=\"#{state}\"}", count.to_s]
      end
    end
    assert_equal counts.to_h, seen
    @metrics = nil
    assert_empty told(stream(*jobs), anonymous: true).keys.grep(/members/)
  end

  # ---- sources ----

  def sources(seen)
    seen.filter_map { |name, value| [name[/"(\w+|\?)"/, 1], value] if name.start_with?('multitenant_source_up') }.to_h
  end

  def test_a_cluster_that_stops_to_answer_keeps_what_it_told
    told(open_stream(job(1), generated: 1000), open_stream(cluster: 'gpu', generated: 1000))
    seen = told(open_stream(generated: 1030, cluster: 'gpu'), stream(job(1), whole: false))
    assert_equal({ 'hpc' => '0', 'gpu' => '1' }, sources(seen))
    { last_success_timestamp_seconds: %w[1000 1030], source_up: %w[0 1] }.each do |what, values|
      assert_equal values, [seen["multitenant_#{what}{cluster=\"hpc\"}"], seen["multitenant_#{what}{cluster=\"gpu\"}"]]
    end
    %w[ok failed].each do |result|
      assert_equal '1', seen["multitenant_refreshes_total{cluster=\"hpc\",result=\"#{result}\"}"]
    end
    assert_includes seen.keys.join, 'user="prof"'
  end

  def test_a_source_without_an_answer
    assert_equal({ '?' => '0' }, sources(told(error: 'away.')))
    assert_equal({ 'hpc' => '1' }, sources(told(open_stream)))
    @metrics = nil
    missing = MultiTenant::Answer.new(from: 'test', seconds: 0.0, error: 'away.', code: 69).tap { |one| one.cluster = 'gpu' }
    parts = [Feed.new(open_stream).call(1), missing]
    metrics.note(MultiTenant::Answer.new(records: parts[0].records, from: 'test', seconds: 0.0, parts: parts))
    assert_equal({ 'hpc' => '1', 'gpu' => '0' }, sources(read(metrics.to_s)))
  end

  def test_an_asker_who_sees_own_jobs_alone
    assert_equal '0', told(stream(sees: 'own'))['multitenant_sees_all{cluster="hpc"}']
    assert_equal '1', told(stream)['multitenant_sees_all{cluster="hpc"}']
  end

  # ---- text ----

  def test_labels_that_have_to_be_escaped
    user = "D\\ann \"the\nboss\" é"
    seen = told(open_stream(job(1, user: user, name: 'a|gr"o\\ü|MUNGE:AwQ=:')))
    info = seen.keys.grep(/service_info/)[0]
    assert_includes info, 'user="D\\\\ann \\"the\\nboss\\" é",group="gr\\"o\\\\ü"'
    told(open_stream(job(1, name: "a|gr\xff|MUNGE:AwQ=:".b.unpack('C*').pack('U*'), binary: true)))
    assert_includes metrics.to_s, "group=\"gr\u{fffd}\""
    assert_predicate metrics.to_s, :valid_encoding?
  end

  def test_the_page_for_admins_has_every_metric
    page = File.read(File.join(Tree::ROOT, 'doc/admins.md'), encoding: 'UTF-8')
    part = page[/^## node_exporter and Prometheus\n(.*?)^## /m, 1]
    named = part.scan(/^\| (`multitenant_.*?) \| ([\w, ]+) \|/).flat_map do |names, labels|
      names.scan(/\w+/).map { |name| [name, labels.split(', ')] }
    end
    told(open_stream(job(1, name: 'mt:a:web:18080|students|MUNGE:AwQ=:')))
    samples = metrics.to_s.lines.grep_v(/\A#/).to_h { |line| [line[/\A\w+/], line.scan(/(\w+)="/).flatten] }
    assert_equal named.to_h, samples
  end

  # ---- the command ----

  def test_the_command_prints_or_writes_the_same
    records = open_stream(job(1))
    done = multitenant('metrics', '--records', '-', stdin: records)
    assert_equal [0, ''], [done.code, done.err]
    assert_match(/^multitenant_services\{.*envelope="v1"\} 1$/, done.out)
    file = File.join(temporary, 'multitenant.prom')
    File.write(file, 'old', perm: 0o600)
    File.open(file) do |old|
      written = multitenant('metrics', '--records', '-', '--output', file, stdin: records)
      assert_equal [0, ''], [written.code, written.out]
      assert_equal 'old', old.read # who reads meanwhile has all of the old one
    end
    assert_equal [done.out, 0o100644, ['multitenant.prom']],
                 [File.read(file), File.stat(file).mode, Dir.children(temporary)]
    assert_match(/\buser=/, multitenant('metrics', '--records', '-', '--no-anonymous', stdin: stream(job(1))).out)
    refute_match(/\buser=/, multitenant('metrics', '--records', '-', '--anonymous', stdin: records).out)
  end

  def test_the_command_without_an_answer_tells_that_and_fails
    file = File.join(temporary, 'multitenant.prom')
    done = multitenant('metrics', '--records', '/none', '--output', file)
    assert_equal 65, done.code
    assert_match(/none can't be read/, done.err)
    assert_equal '0', read(File.read(file))['multitenant_source_up{cluster="?"}']
    done = multitenant('metrics', '--records', '-', '--output', '/none/x.prom', stdin: stream)
    assert_equal 74, done.code
    assert_match(%r{/none/x\.prom could not be written}, done.err)
  end

  # ---- the agent ----

  def test_the_agent_keeps_the_file_of_each_round
    path = File.join(temporary, 'multitenant.prom')
    log = []
    file = MultiTenant::MetricsFile.new(metrics, path)
    dir = File.join(temporary, 'snapshot').tap { |name| Dir.mkdir(name, 0o755) }
    settings = MultiTenant::Settings.new({})
    agent = MultiTenant::Agent.new(settings, source: @feed, directory: dir, log: log.method(:push), files: [file])
    up = lambda do |*texts, error: nil|
      @feed.texts = texts
      @feed.error = error
      agent.round
      sources(read(File.read(path)))
    end
    assert_equal({ 'hpc' => '1' }, up.call(open_stream(job(1))))
    assert_equal({ 'hpc' => '1', '?' => '0' }, up.call(error: 'away.'))
    FileUtils.rm(path)
    Dir.mkdir(path)
    @feed.texts = [open_stream]
    @feed.error = nil
    assert_equal([true, true], Array.new(2) { agent.round })
    assert_equal 1, log.grep(/multitenant\.prom could not be written: Is a directory/).size, log.inspect
    assert_equal %w[multitenant.prom snapshot], Dir.children(temporary).sort
  end
end
