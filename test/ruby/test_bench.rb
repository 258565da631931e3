# frozen_string_literal: true

require_relative 'helper'
require_relative '../bench/many_dashboards'
require_relative '../bench/matrix'
require_relative '../bench/report'
require_relative '../bench/sources_page'

# script/bench, but for what it needs a test bed for: what it counts, in which order, and what it says of it.
class TestBench < MultiTenantTest
  SDIAG = <<~TEXT
    Remote Procedure Call statistics by message type
    \tREQUEST_JOB_INFO_SINGLE                 ( 2021) count:7      ave_time:2449   total_time:17148
    Remote Procedure Call statistics by user
    \troot            (       0) count:32     ave_time:2561   total_time:81961
    \thpcstudent      (    2001) count:12     ave_time:64618  total_time:64618

    Pending RPC statistics
    \tNo pending RPCs
  TEXT

  def test_requests_are_those_of_who_asked
    counts = [2001, 0, 1001].map { |uid| Counts.by_user(SDIAG, uid) }
    assert_equal [12, 32, 0], counts
    assert_raises(RuntimeError) { Counts.by_user('sdiag: error', 0) }
  end

  # Threads that interrupt each other, calls that failed, and what goes elsewhere.
  def test_bytes_are_those_of_calls_on_the_daemons_sockets
    trace = <<~TEXT
      10  sendto(3<TCP:[127.0.0.1:49976->127.0.0.1:17301]>, ""..., 18, 0, NULL, 0) = 18
      10  recvfrom(3<TCP:[127.0.0.1:49976->127.0.0.1:17301]>, 0x7f, 1, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)
      10  read(3<TCP:[127.0.0.1:49976->127.0.0.1:17301]>,  <unfinished ...>
      11  sendto(4<TCP:[127.0.0.1:49977->127.0.0.1:17300]>, ""..., 200, 0, NULL, 0) = 200
      11  write(5<UNIX-STREAM:[1->2]>, ""..., 9) = 9
      10  <... read resumed>""..., 4096) = 700
      11  read(6</etc/passwd>, ""..., 4096) = 2048
    TEXT
    assert_equal({ 'slurmctld' => 200, 'slurmdbd' => 718 },
                 Counts.in_trace(trace, { 17_300 => 'slurmctld', 17_301 => 'slurmdbd' }))
  end

  # slurmctld keeps jobs that ended for a while, so that it is never told to forget many.
  def test_cells_are_all_that_was_asked_for_and_jobs_of_others_only_become_more
    cells = Matrix.cells(shares: [1, 20, 200], others: [20_000, 0], finished: [0, 9], pending: 50)
    assert_equal [[1, 0, 0, 50], [20, 0, 0, 50]], cells.first(2).map(&:to_a)
    rest = cells.drop(2)
    assert_equal [1, 20, 200].product([0, 20_000], [0, 9], [0]).sort, rest.map(&:to_a).sort
    assert_equal [*[0] * 6, *[20_000] * 6], rest.map(&:others)
    assert_equal [1, 1, 20, 20, 200, 200, 200, 200, 20, 20, 1, 1], rest.map(&:shares)
  end

  def test_a_run_that_did_not_see_all_shares_is_none
    matrix = Matrix.new(shares: [1], others: [0], finished: [0], pending: 0, runs: 1, seconds: 1)
    matrix.send(:check, 'query', 20, 20)
    _, err = capture_io { assert_raises(SystemExit) { matrix.send(:check, 'query', 19, 20) } }
    assert_equal "script/bench: query saw 19 shares and not 20: this is no run.\n", err
  end

  # ---- what is said of it ----

  def way(time, counted: true)
    daemons = Counts::DAEMONS.to_h { |name| [name, [time / 10] * 5] }
    { ms: [time * 2, time, time, time, time], cpu_ms: [time / 2] * 5, kib: 5000, daemons_ms: daemons,
      requests: ({ slurmctld: 3, slurmdbd: 4 } if counted), bytes: ({ slurmctld: 3000, slurmdbd: 400 } if counted) }
  end

  def report(query:)
    ways = { commands: way(80.0), careless: way(70.0), query: way(query), refresh: way(9.0), unchanged: way(0.05),
             agent: way(9.0, counted: false), page: way(0.01), changed: way(2.0) }
    cells = [1, 20].product([0, 20_000]).map do |n, other|
      { shares: n, others: other, finished: 0, pending: 0, ways: ways }
    end
    path = File.join(temporary, 'slurm-22.05.json')
    File.write(path, JSON.generate(slurm: '22.05.8', date: '', machine: 'm', versions: 'v', load: '0', method: 'm',
                                   names: { count: 200, cpu_ms: [4.0] }, memory: { grown_kib: 900 }, cells: cells))
    Report.write(path)
    %w[md svg].map { |kind| File.read(path.sub('json', kind)) }
  end

  def test_dashboards_that_did_not_ask_as_they_would_are_no_run
    good = { 'polls' => 600, 'late' => 1.5, 'errors' => [] }
    assert_equal({ 'polls' => 600, 'late' => 1.5 }, ManyDashboards.check(good, 100, 60))
    { 'errors' => ['no share'], 'polls' => 400, 'late' => 11 }.each do |name, value|
      assert_raises(RuntimeError) { ManyDashboards.check({ **good, name => value }, 100, 60) }
    end
  end

  def test_what_dashboards_and_agent_asked_is_of_multitenant
    asked = { 'multitenant' => { 'slurmctld' => 0, 'slurmdbd' => 0 }, 'agent' => { 'slurmctld' => 2, 'slurmdbd' => 8 },
              'ood' => { 'slurmctld' => 120, 'slurmdbd' => 180 } }
    told = DashboardsTable.of({ windows: [{ dashboards: 10, agent: true, cards: 10, seconds: 60.0, requests: asked }] })
    assert_includes told, "| 10 | yes | 0.03 | 0.13 | 10 | 2.00 | 3.00 |\n"
  end

  def test_a_source_is_compared_with_the_query_program_of_the_same_run
    source = ->(ms) { { 'ms' => [ms * 2, *[ms] * 9], 'cpu_ms' => [ms / 2] * 10, 'daemons_ms' => [ms / 4] * 10 } }
    cell = { 'query program' => source.call(8.0), 'slurmrestd' => source.call(80.0) }
    told = { slurm: '24.11.5', date: '', machine: 'm', versions: 'v', load: '0', runs: 10, cells: { '20' => cell } }
    path = File.join(temporary, 'sources-24.11.json')
    File.write(path, JSON.generate(told))
    SourcesPage.write(path)
    page = File.read(path.sub('json', 'md'))
    assert_match(/\A# What the three sources cost on Slurm 24\.11\n/, page)
    assert_includes page, "| 20 | query program | 8.0 | 16.0 | 4.0 | 2.0 | 1.0 | 1.0 |\n"
    assert page.end_with?("| 20 | slurmrestd | 80.0 | 160.0 | 40.0 | 20.0 | 10.0 | 10.0 |\n")
  end

  def test_a_target_that_is_not_met_is_said_to_be
    targets = ->(page) { page.lines.grep(/no other jobs/).map { |line| line.split(' | ').last(2) } }
    assert_equal [['0.1', "met |\n"]], targets.call(report(query: 8.0)[0])
    assert_equal [['0.15', "**not met** |\n"]], targets.call(report(query: 12.0)[0])
  end

  def test_the_page_has_medians_and_the_ratio_and_what_was_asked
    page, = report(query: 8.0)
    assert_includes page, '| 20 | 20,000 | 0 | 0 | 5 | 80.0 / 160.0 | 70.0 / 140.0 | 8.0 / 16.0 |'
    assert_includes page, '| 1 : 10.0 |'
    assert_includes page, '4: 400 / 3: 3,000'
    assert_match(/^\| Query program with 100,000 finished jobs .* not measured \|$/, page)
    assert_match(%r{^\| Names of v1.* 50,000 /s \| met \|$}, page)
  end

  def test_the_picture_has_a_line_for_each_way_in_each_panel_and_colours_for_dark_pages
    picture = REXML::Document.new(report(query: 8.0)[1])
    assert_equal Plot::WAYS.size * 2, REXML::XPath.match(picture, '//polyline').size
    assert_includes picture.root.elements['style'].text, '@media (prefers-color-scheme: dark)'
  end
end
