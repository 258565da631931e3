# frozen_string_literal: true

require_relative 'helper'
require 'net/http'
require 'socket'
require 'multitenant/metrics'

# The metrics as Prometheus has them: Debian's promtool, node_exporter and Prometheus itself.
class TestPrometheus < MultiTenantTest
  RULES = File.join(Tree::ROOT, 'systemd/multitenant.rules.yml')
  BOARD = File.join(Tree::ROOT, 'systemd/multitenant-board.json')
  USER = "D\\ann \"the\nboss\" é"

  def setup
    super
    @pids = []
    promtool = %w[prometheus promtool prometheus-node-exporter].all? { |name| system('which', name, out: File::NULL) }
    skip_unless(promtool, 'needs the packages prometheus and prometheus-node-exporter')
  end

  def teardown
    @pids.each { |pid| Process.kill(:KILL, pid) && Process.wait(pid) }
    super
  end

  def promtool(*argv, stdin: '')
    out, status = Open3.capture2e('promtool', *argv, stdin_data: stdin)
    assert status.success?, out
    refute_match(/warning|error/i, out)
    out
  end

  # Two clusters, of which one names nobody, another never answered, and a user who has a name that nobody should have.
  def metrics
    now = Time.now.to_i
    llm = job(2, user: USER, end: now + 240, name: 'sys/dashboard/sys/my-llm mt:a:openai:18080|gr"o\\ü|MUNGE:AwQ=:')
    texts = [stream(job(1), llm, job(3, name: 'plain'), private_jobs: false, generated: now),
             stream(job(1), cluster: 'gpu', private_jobs: true, generated: now)]
    parts = texts.map { |text| Feed.new(text).call(1) }
    away = MultiTenant::Answer.new(from: 'test', seconds: 0.0, error: 'away.', code: 69).tap { |one| one.cluster = 'new' }
    answer = MultiTenant::Answer.new(records: parts.flat_map(&:records), from: 'test', seconds: 0.0,
                                     parts: [*parts, away])
    people = Object.new
    def people.others_of(pairs, _) = pairs.to_h { |pair| [pair, 12] }
    metrics = MultiTenant::Metrics.new(MultiTenant::Settings.new({}), names: people)
    metrics.note(answer)
    metrics.to_s
  end

  def test_promtool_finds_nothing_to_object_to
    promtool('check', 'metrics', stdin: metrics)
    assert_match(/6 rules found/, promtool('check', 'rules', RULES))
  end

  def test_alerts_fire_when_they_should
    rules = File.read(File.join(__dir__, 'multitenant.rules.test.yml'))
    alerts = YAML.safe_load_file(RULES)['groups'][0]['rules'].filter_map { |rule| rule['alert'] }
    assert_equal 5, alerts.size
    alerts.each { |name| assert_includes rules, "alertname: #{name}\n        exp_alerts:" }
    path = File.join(temporary, 'test.yml')
    File.write(path, rules.sub('RULES', RULES))
    promtool('test', 'rules', path)
  end

  # ---- the board ----

  def board
    @board ||= JSON.parse(File.read(BOARD))
  end

  def expressions
    board['panels'].flat_map { |panel| panel['targets'].map { |target| [panel['title'], target['expr']] } }
  end

  def test_the_board_is_one_that_grafana_imports
    assert_equal ['multitenant', true, '30s'], board.values_at('uid', 'editable', 'refresh')
    assert_operator board['schemaVersion'], :>=, 38
    assert_equal(%w[datasource cluster], board['templating']['list'].map { |variable| variable['name'] })
    panels = board['panels']
    assert_equal panels.size, panels.map { |panel| panel['id'] }.uniq.size
    sources = panels.flat_map { |panel| [panel, *panel['targets']].map { |one| one.dig('datasource', 'uid') } }
    assert_equal ['${datasource}'], sources.uniq
    cells = panels.flat_map { |panel| cells(*panel['gridPos'].values_at('x', 'y', 'w', 'h')) }
    assert_equal cells.uniq, cells, 'panels lie upon each other'
    assert_equal 24, cells.map(&:first).max + 1
  end

  def cells(left, top, width, height)
    [*left...(left + width)].product([*top...(top + height)])
  end

  # ---- a real Prometheus, by a real node_exporter ----

  # Below those that connections get by themselves.
  def port
    @port = ((@port || rand(20_000..30_000)) + 1).step.find { |number| free?(number) }
  end

  def free?(number)
    TCPServer.new('127.0.0.1', number).close
    true
  rescue Errno::EADDRINUSE
    false
  end

  def start(*argv)
    @pids << spawn(*argv, out: "#{temporary}/said", err: %i[child out])
  end

  def get(port, path, **query)
    Net::HTTP.get(URI("http://127.0.0.1:#{port}#{path}?#{URI.encode_www_form(query)}"))
  rescue SystemCallError, EOFError
    ''
  end

  def query(expression)
    answer = JSON.parse(get(@prometheus, '/api/v1/query', query: expression))
    assert_equal 'success', answer['status'], "#{expression}: #{answer['error']}"
    answer['data']['result']
  end

  def serve(dir)
    @exporter = port
    start('prometheus-node-exporter', '--collector.disable-defaults', '--collector.textfile',
          "--collector.textfile.directory=#{dir}", "--web.listen-address=127.0.0.1:#{@exporter}")
    wait_until { get(@exporter, '/metrics').include?('node_textfile_scrape_error') }
  end

  def scrape
    @prometheus = port
    config = { global: { scrape_interval: '1s', evaluation_interval: '1s' }, rule_files: [RULES],
               scrape_configs: [{ job_name: 'node', static_configs: [{ targets: ["127.0.0.1:#{@exporter}"] }] }] }
    File.write("#{temporary}/prometheus.yml", JSON.generate(config))
    start('prometheus', "--config.file=#{temporary}/prometheus.yml", "--storage.tsdb.path=#{temporary}/tsdb",
          "--web.listen-address=127.0.0.1:#{@prometheus}")
    wait_until { get(@prometheus, '/-/ready').include?('Ready') }
    # Two scrapes, for rates, and a rule that was evaluated.
    wait_until { query('count_over_time(multitenant_build_info[1m]) > 2').any? }
    wait_until { query('multitenant:service_left:seconds').any? }
  end

  # The agent's file is where only root may put a link to it.
  def test_every_expression_of_the_board_has_an_answer
    Dir.mkdir("#{temporary}/textfile")
    MultiTenant::SystemFile.write("#{temporary}/multitenant.prom", metrics, mode: 0o644)
    File.symlink("#{temporary}/multitenant.prom", "#{temporary}/textfile/multitenant.prom")
    serve("#{temporary}/textfile")
    assert_includes get(@exporter, '/metrics'), 'node_textfile_scrape_error 0'
    scrape
    info = query('multitenant_service_info{job_id="2"}')[0]['metric']
    assert_equal [USER, 'gr"o\\ü', 'my-llm'], info.values_at('user', 'group', 'app')
    expressions.each do |title, expression|
      refute_empty query(expression.gsub('$cluster', '.*').sub('$__rate_interval', '1m')), title
    end
    assert_equal %w[gpu hpc new], JSON.parse(get(@prometheus, '/api/v1/label/cluster/values'))['data'].sort
    rules = JSON.parse(get(@prometheus, '/api/v1/rules'))['data']['groups'][0]['rules']
    assert_equal ['ok'], rules.map { |rule| rule['health'] }.uniq
    ending = query('ALERTS{alertname="MultiTenantServiceEndsSoon"}').map { |one| one['metric']['job_id'] }
    assert_equal ['2'], ending
    File.unlink("#{temporary}/multitenant.prom")
    assert_includes get(@exporter, '/metrics'), 'node_textfile_scrape_error 1'
  end
end
