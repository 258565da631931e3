# frozen_string_literal: true

require_relative 'proxied'
require 'minitest/mock'
require 'timeout'

# Which jobs a proxy leads to, whatever publishers write.
class TestProxyServices < MultiTenantTest
  include Proxied

  NOW = 1_700_010_000

  def services(*jobs, open: false, seen: {}, now: NOW, **header)
    @from = MultiTenant::Proxy::Services.new(@settings, @clusters, open: open, seen: seen)
    again(*jobs, now: now, **header)
  end

  def again(*jobs, now: NOW, **header)
    @from.call(answer(*jobs, **header).records, now)
  end

  def shown(services)
    services.to_h { |one| [one.path, one.jobs.map { |member| "#{member.port}#{'-' if member.leaving}" }] }
  end

  def test_jobs_of_one_service_are_members_at_one_path
    found = services(asking(1, 'a:openai:8001'), asking(2, 'a:openai:8002'), asking(3, 'b:web/up:8003'),
                     asking(4, 'a:openai:8004', group: 'Domain Users'), job(5))
    assert_equal({ 'prof/a@Domain%20Users' => ['8004'], 'prof/a@students' => %w[8001 8002],
                   'prof/b@students' => ['8003'] }, shown(found))
    assert_equal [{}, '/up', '127.0.0.1'], [@from.refused, found.last.check, found.last.jobs[0].host]
  end

  # Ports of others, names that would leave the path, nodes that are not known: a count is all that is left of them.
  def test_hostile_labels_are_counted_and_nothing_else
    hostile = %W[a:web:22 a:web:2049 a:web:6818 a:web:9100 ..:web:8080 a\nb:web:8080 a%2fb:web:8080 a:web/../x:8080
                 a:open-web:8080]
    jobs = hostile.each_with_index.map { |label, i| asking(i + 1, label) }
    jobs << asking(20, 'a:web:8080', nodes: nil) << asking(21, 'a:web:8080', publisher_in_group: false)
    assert_empty services(*jobs)
    assert_equal({ 'port_not_allowed' => 4, 'bad_address' => 4, 'address_open' => 1, 'no_node' => 1,
                   'publisher_not_member' => 1 }, @from.refused)
    assert_equal ['prof/a@students'], services(asking(9, 'a:open-web:8080'), open: true).map(&:path)
  end

  def test_one_publisher_has_so_many_and_others_lose_nothing
    many = (1..200).map { |i| asking(i, "s-#{i}:web:8080", start: i) }
    found = services(*many, asking(999, 'a:web:8080', user: 'other', uid: 1002, start: 999))
    assert_equal [33, { 'too_many' => 168 }], [found.size, @from.refused]
    assert_equal [*(1..32).map { |i| "prof/s-#{i}@students" }, 'other/a@students'].sort, found.map(&:path)
  end

  # Each time the proxy is told of another file, and keeps a process as long as one of its streams runs.
  def test_who_changes_their_labels_all_the_time_changes_the_file_now_and_then
    other = asking(999, 'a:web:8080', user: 'other', uid: 1002)
    ours = asking(1, 'b:web:8080')
    services(ours, other)
    found = (1..110).map { |i| again(ours, asking(2, "c:web/#{i}:8080"), other, now: NOW + (30 * i)) }
    assert_operator found.map { |all| all.map(&:to_a) }.chunk_while { |one, other| one == other }.count, :<=, 31
    assert_equal ['other/a@students', 'prof/b@students'], found.last.reject { |one| one.jobs.empty? }.map(&:path)
    assert_equal({ 'too_many' => 1 }, @from.refused)
    later = again(asking(2, 'c:web:8081'), other, asking(998, 'c:web:1', user: 'other', uid: 1002), now: NOW + 7300)
    assert_equal ['8081'], shown(later)['prof/c@students']
  end

  # All of them come in one round, and each that goes is another file.
  def test_who_takes_labels_away_one_by_one_changes_the_file_now_and_then
    other = asking(999, 'a:web:8080', user: 'other', uid: 1002)
    ours = (1..32).map { |i| asking(i, "s-#{i}:web:8080") }
    services(*ours, other)
    found = (1..110).map { |i| again(*ours.drop(i % 33), other, now: NOW + (30 * i)) }
    assert_equal 32, found.map { |all| all.map(&:to_a) }.chunk_while { |one, next_one| one == next_one }.count
    assert_equal [['other/a@students'], { 'too_many' => 21 }],
                 [found.last.reject { |one| one.jobs.empty? }.map(&:path), @from.refused]
    assert_equal 33, again(*ours, other, now: NOW + 7300).size
  end

  def test_ports_are_those_of_the_cluster_and_of_none_that_the_site_denies
    files = File.join(temporary, 'clusters').tap { |dir| Dir.mkdir(dir) }
    File.write(File.join(files, 'hpc.yml'), <<~YAML)
      v2: {job: {adapter: slurm, cluster: hpc}, batch_connect: {basic: {min_port: 8001, max_port: 8010}}}
    YAML
    @clusters = MultiTenant::Clusters.from_files(files)
    @settings = MultiTenant::Settings.new({ 'MULTITENANT_PROXY_DENY' => '8005-8006' })
    ports = [8000, 8001, 8005, 8006, 8010, 8011]
    found = services(*ports.each_with_index.map { |port, i| asking(i + 1, "a:web:#{port}") })
    assert_equal [%w[8001 8010], { 'port_not_allowed' => 4 }], [shown(found)['prof/a@students'], @from.refused]
  end

  # Uids of two clusters may differ where the site says so; kinds are the youngest job's.
  def test_a_path_is_one_persons_and_of_one_kind
    found = services(asking(1, 'a:web:8001'), asking(2, 'a:web:8002', uid: 1002), asking(3, 'a:openai:8003'))
    assert_equal [['8003'], { 'service_taken' => 1, 'other_kind' => 1 }],
                 [shown(found)['prof/a@students'], @from.refused]
  end

  def test_who_is_about_to_end_gets_nobody_new_while_another_one_serves
    found = services(asking(1, 'a:web:8001', end: NOW + 60), asking(2, 'a:web:8002', end: NOW + 3600))
    assert_equal({ 'prof/a@students' => %w[8001- 8002] }, shown(found))
    assert_equal({ 'prof/a@students' => ['8001'] }, shown(services(asking(1, 'a:web:8001', end: NOW + 60))))
  end

  def test_what_could_not_be_learned_this_time_changes_nothing
    services(asking(1, 'a:web:8001'))
    found = again(asking(1, 'a:web:8001', publisher_in_group: nil), asking(2, 'a:web:8002', publisher_in_group: nil))
    assert_equal [{ 'prof/a@students' => ['8001'] }, { 'lookup_failed' => 1 }], [shown(found), @from.refused]
    assert_equal({ 'prof/a@students' => ['8001'] }, shown(again(whole: false)))
    assert_equal({ 'prof/a@students' => ['8001'] }, shown(again(sees: 'own')))
    2.times { assert_equal({ 'prof/a@students' => ['8001'] }, shown(again(undetermined: [1, 2]))) }
    assert_equal({ 'prof/a@students' => [] }, shown(again(asking(1, 'a:web:8001', publisher_in_group: false))))
  end

  # A timer's process begins anew each time, and the agent's now and then.
  def test_what_can_not_be_learned_at_the_start_is_what_it_was
    unknown = { group_gid: nil, publisher_in_group: nil }
    seen = { 'prof/a@students' => NOW - 60, 'prof/b@students' => NOW - 7200, 'prof/d@students' => NOW - 60 }
    jobs = %w[a:web:8001 b:web:8002 c:web:8003 d:web:22].each_with_index.map { |at, i| asking(i + 1, at, **unknown) }
    found = services(*jobs, seen: seen)
    assert_equal [{ 'prof/a@students' => ['8001'], 'prof/b@students' => [], 'prof/d@students' => [] },
                  { 'lookup_failed' => 2, 'port_not_allowed' => 1 }], [shown(found), @from.refused]
    assert_equal ['8001'], shown(again(*jobs, now: NOW + 700))['prof/a@students']
    # What was learned meanwhile counts.
    services(asking(1, 'a:web:8001', publisher_in_group: false), seen: seen)
    assert_empty shown(again(*jobs))['prof/a@students']
  end

  # Whoever has the port next would be sent the keys of who still asks there.
  def test_a_job_whose_time_is_over_is_left_out_where_its_cluster_says_nothing
    jobs = [asking(1, 'a:web:8001', end: NOW + 600), asking(2, 'b:web:8002')]
    services(*jobs, generated: NOW)
    assert_equal(%w[8001 8002], shown(again(whole: false, now: NOW + 660)).values.flatten)
    assert_equal({ 'prof/a@students' => [], 'prof/b@students' => ['8002'] }, shown(again(whole: false, now: NOW + 900)))
    # Slurm may let it go on for longer (OverTimeLimit).
    assert_equal(%w[8001 8002], shown(again(*jobs, generated: NOW + 900, now: NOW + 905)).values.flatten)
  end

  # What it says late counts in the next round.
  def test_a_name_service_that_hangs_is_not_waited_for
    jobs = (1..40).map do |i|
      asking(i, 'a:web:8080', uid: i, user: "u#{i}", nodes: [{ name: 'n', addr: "n#{i}" }])
    end
    late = Queue.new
    told = ->(*) { late.pop || [Addrinfo.tcp('127.0.0.1', 0)] }
    Addrinfo.stub(:getaddrinfo, told) do
      error = assert_raises(MultiTenant::Failure) { Timeout.timeout(120) { services(*jobs) } }
      assert_match(/No node's name .*n1: the proxy keeps/, error.message)
      late.close
      Timeout.timeout(120) { sleep 0.01 until again(*jobs).size == 40 }
    end
    unknown = [{ name: 'n', addr: 'no..such' }]
    assert_equal [40, { 'no_node' => 1 }], [again(*jobs, asking(41, 'b:web:8080', nodes: unknown)).size, @from.refused]
  end

  # A proxy that hangs at its reload, too: readers of the snapshot wait for two intervals.
  def test_a_round_of_the_agent_ends_in_time_for_the_next_one
    seconds = [MultiTenant::Proxy::Engine, MultiTenant::Proxy::ConfigFile].sum { |one| one::SECONDS }
    assert_operator seconds + MultiTenant::Proxy::Services::NODE_PATIENCE, :<, MultiTenant::Snapshot.interval(@settings)
  end

  def test_of_what_has_ended_it_is_said_whose_it_was_for_a_day
    services(asking(1, 'a:web:8001'), asking(2, 'b:web:8002'))
    assert_equal({ 'prof/a@students' => [], 'prof/b@students' => ['8002'] },
                 shown(again(asking(2, 'b:web:8002'), now: NOW + 86_000)))
    assert_equal({ 'prof/b@students' => ['8002'] }, shown(again(asking(2, 'b:web:8002'), now: NOW + 87_000)))
    kept = services(seen: { **(1..40).to_h { |i| ["prof/s-#{i}@g", NOW - i] }, 'other/a@g' => NOW - 50 })
    assert_equal [*(1..32).map { |i| "prof/s-#{i}@g" }, 'other/a@g'].sort, kept.map(&:path)
  end
end
