# frozen_string_literal: true

require_relative 'fake_slurm'
require_relative 'fake_slurmrestd'
require_relative 'process_state'
require 'multitenant/agent'

# The process of a dashboard is Open OnDemand's and the user's: whatever a refresh did, and however it failed, it leaves
# that as it was.
class TestIsolation < MultiTenantTest
  include FakeSlurm
  include Slurmrestds

  SIG_BLOCK = 0
  LC_ALL = 6
  FORGED = ["\0" * 64].pack('m0') # four blocks, which nobody has sealed

  def setup
    super
    need_root
    @root = File.join(temporary, 'root')
    Dir.mkdir(@root)
    File.chown(2001, 2001, @root)
    socket = rest(jobs: [FakeSlurmrestd.job(7)]).url.delete_prefix('unix:')
    File.chmod(0o777, socket)
    File.chown(2001, 2001, token(path: @token = File.join(temporary, 'token')))
    @texts = File.join(temporary, 'records')
    File.write(@texts, records)
  end

  # Shares of each envelope, one of each that fails in it.
  def records(**header)
    stream(job(1), job(2), job(3, name: "l|students|#{FORGED}"), job(4, name: "l|students|MTK1:#{'A' * 88}"),
           job(5, name: "l|students|MUNGE:#{FORGED}:"), **header)
  end

  def settings
    @settings ||= MultiTenant::Settings.new({})
  end

  # @param path [String] of a program
  def query(path = program("cat #{@texts}"))
    MultiTenant::Query.new(settings, program: path)
  end

  def commands
    MultiTenant::Commands.new(settings, names: @names, job: { 'bin' => @bin })
  end

  def slurmrestd
    MultiTenant::Slurmrestd.new(settings, { 'slurmrestd' => rest.url, 'token' => @token }, names: @names)
  end

  def snapshot(generated: Time.now.to_i)
    directory = File.join(temporary, 'snapshot')
    Dir.mkdir(directory, 0o755)
    text = stream({ **job(1), wckey: 'multitenant' }, generated: generated)
    MultiTenant::Agent.new(settings, source: Feed.new(text), directory: directory, log: ->(_) {}).round
    other = Feed.new.tap { |feed| feed.error = 'Nothing.' }
    MultiTenant::Snapshot.new(settings, directory: directory, fallback: other, gids: -> { [2001, 3000] })
  end

  # ---- a process that has what a dashboard could have ----

  # What is easily lost: handlers and blocked signals, a locale, errors that nobody has looked at yet, a low limit, and
  # a descriptor that children get.
  def settle_in
    @handled = []
    %w[USR1 TERM CHLD].each { |name| trap(name) { @handled << name } }
    trap('HUP', 'IGNORE')
    call_c(:LIBC, 'pthread_sigmask', SIG_BLOCK, mask_of('WINCH'), 0)
    call_c(:LIBC, 'setlocale', LC_ALL, text('C.UTF-8'))
    call_c(:LIBCRYPTO, 'BIO_new_file', text(File.join(temporary, 'none')), text('r'))
    ENV.update('LC_ALL' => 'de_DE.UTF-8', 'MULTITENANT_TEST' => 'ä', 'TZ' => 'Asia/Tokyo')
    Process.setrlimit(Process::RLIMIT_NOFILE, 512, 1024)
    Dir.chdir(temporary)
    $stdin.dup.close_on_exec = false
  end

  def call_c(library, name, *values)
    ProcessState.call(ProcessState.const_get(library), name, ProcessState::LONG, *values)
  end

  def mask_of(name)
    Fiddle::Pointer[[1 << (Signal.list[name] - 1)].pack('Q') + ("\0" * 120)]
  end

  def text(value)
    Fiddle::Pointer["#{value}\0"]
  end

  # @param threads [Boolean] it has threads of its own meanwhile
  # @param pages [Boolean] pages call for it, each of which goes on soon
  # @return [Array] the state before and after some refreshes, and their reports
  def refreshed(seconds, times: 2, pages: false, threads: pages)
    as_user(umask: 0o027) do
      settle_in
      GC.start
      GC.disable # what is not closed by us is not closed by the collector either
      before = ProcessState.now
      refresh = pages ? page_of(yield) : receiver_of(yield).method(:refresh)
      reports = Array.new(times) { refresh.call(seconds: seconds) }
      threads_end(before) if threads
      after = ProcessState.now
      Process.kill(:USR1, Process.pid)
      wait_until { @handled.include?('USR1') }
      [before, after, reports]
    end
  end

  # What a page begins may go on after it.
  def page_of(source)
    sources = MultiTenant::Sources.new([MultiTenant::Schedule.new(source, 0)])
    receiver = receiver_of(sources)
    renewal = MultiTenant::Renewal.new(receiver, sources, log: ->(*) {})
    lambda do |**|
      renewal.call(cards: true)
      wait_until { Thread.list.one? }
      receiver.report
    end
  end

  # Ruby keeps a thread of C's for some seconds after its own has ended.
  def threads_end(before)
    wait_until { ProcessState.tasks == before['tasks'] }
  end

  def receiver_of(source)
    clusters = MultiTenant::Clusters.new([MultiTenant::Clusters::Cluster.new('hpc', 'hpc', nil)])
    core = settings.to_core(dataroot: @root).merge(deliveries: ['sys/multitenant-delivery_*'])
    MultiTenant::Receiver.new(settings, source: source, clusters: clusters, core: core, log: ->(*) {},
                                        membership: MultiTenant::Membership.new(settings.gids),
                                        credentials: MultiTenant::Credentials.new(socket: -> { '/nonexistent/munged' }))
  end

  # @param code [Integer] of the report, so that it is this way that was gone
  def assert_left_alone(from: nil, code: 0, seconds: 30, **options, &source)
    before, after, reports = refreshed(seconds, **options, &source)
    assert_equal [[from, code]], reports.map { |report| report.values_at('from', 'code') }.uniq, reports
    before.each { |what, was| assert_equal was, after[what], what }
    refute_equal [0, 0], before['OpenSSL errors']
    reports.last
  end

  # ---- who is asked, and answers ----

  def test_the_query_program
    source = query
    report = assert_left_alone(from: 'slurm') { source }
    assert_equal [2, { 'bad_cipher' => 1, 'envelope_unavailable' => 2 }], report.values_at('accepted', 'refused')
    assert_equal [[:kept, uuid(1), nil], [:kept, uuid(2), nil]], report['cards'].sort
  end

  def test_a_snapshot
    source = snapshot
    assert_equal 1, assert_left_alone(from: 'snapshot') { source }['accepted']
  end

  def test_the_commands
    assert_equal({ 'bad_base64' => 1 }, assert_left_alone(from: 'sacct and squeue') { commands }['refused'])
  end

  def test_slurmrestd
    assert_equal({ 'bad_base64' => 1 }, assert_left_alone(from: 'slurmrestd') { slurmrestd }['refused'])
  end

  # One after the other they would not be two threads.
  def test_clusters_that_are_asked_at_once
    schedules = %w[hpc b].map do |cluster|
      File.write(path = File.join(temporary, cluster), records(cluster: cluster))
      MultiTenant::Schedule.new(query(program("cat #{path}")), 30)
    end
    assert_left_alone(from: 'slurm', threads: true) { MultiTenant::Sources.new(schedules) }
  end

  def test_pages
    source = query
    report = assert_left_alone(from: 'slurm', pages: true) { source }
    assert_equal [%i[written written], 2], [report['cards'].map(&:first), report['accepted']]
  end

  # ---- who fails, hangs or floods ----

  { 'fails' => ['exit 75', 75], 'is_killed' => ['kill -9 $$', 69], 'prints_rubbish' => ['echo rubbish', 65],
    'stops_half_way' => ['head -n 2 "$texts"', 65], 'prints_without_end' => ['exec cat /dev/zero', 65] }
    .each do |what, (body, code)|
    define_method(:"test_a_query_program_that_#{what}") do
      source = query(program("texts=#{@texts}; #{body}"))
      assert_left_alone(from: 'slurm', code: code) { source }
    end
  end

  def test_a_query_program_that_is_not_there
    assert_left_alone(from: 'slurm', code: 78) { query(File.join(temporary, 'none')) }
  end

  { 'hangs' => 'exec sleep 60', 'leaves_a_child' => 'sleep 60 & exit 0',
    'takes_no_signal' => "trap '' TERM INT HUP; while :; do sleep 1; done" }.each do |what, body|
    define_method(:"test_a_query_program_that_#{what}") do
      source = query(program(body))
      assert_left_alone(from: 'slurm', code: 75, seconds: 0.5, times: 1) { source }
    end
  end

  def test_pages_that_do_not_wait_for_a_program_that_hangs
    @settings = MultiTenant::Settings.new({ 'MULTITENANT_TIMEOUT' => '1' })
    source = query(program('exec sleep 60'))
    assert_left_alone(from: 'slurm', code: 75, pages: true, times: 1) { source }
  end

  def test_commands_that_fail
    says 'squeue', '', code: 1, err: 'slurm_load_jobs error: Unable to contact slurm controller'
    assert_left_alone(from: 'sacct and squeue', code: 69) { commands }
  end

  def test_commands_that_hang
    File.write(File.join(@bin, 'sacct'), "#!/bin/sh\nexec sleep 60\n", perm: 0o755)
    assert_left_alone(from: 'sacct and squeue', code: 75, seconds: 1, times: 1) { commands }
  end

  def test_a_slurmrestd_that_fails
    rest.say(/jobs/, '500 INTERNAL', rest.error(9000))
    assert_left_alone(from: 'slurmrestd', code: 69) { slurmrestd }
  end

  def test_a_slurmrestd_that_hangs
    rest.say(/./) { |_socket| sleep 60 }
    assert_left_alone(from: 'slurmrestd', code: 75, seconds: 1, times: 1) { slurmrestd }
  end

  def test_a_snapshot_that_is_stale
    source = snapshot(generated: Time.now.to_i - 86_400)
    assert_left_alone(from: 'test', code: 0) { source }
  end

  def test_cards_that_can_not_be_written
    File.write(File.join(@root, 'batch_connect'), '')
    source = query
    assert_includes assert_left_alone(from: 'slurm') { source }['cards'].map(&:first), :failed
  end
end
