# frozen_string_literal: true

require_relative 'proxied'
require_relative 'gate_host'

# A web application of two jobs with gateways, behind the site's proxy: a tenant logs in at its stable address, as the
# card's button does, and stays let in, whichever of the jobs there is.
class TestProxyGateway < MultiTenantTest
  include Proxied
  include GateTest

  BASE = "#{A}/".freeze

  def teardown
    @gates.to_h.each_value(&:stop)
    Process.kill(:TERM, @proxy) && Process.wait(@proxy) if @proxy
    super
  end

  # Job 2 has the keys of job 1, as members of one service do.
  def gates
    @gates ||= [1, 2].to_h do |job|
      dir = File.join(temporary, "job#{job}").tap { |path| Dir.mkdir(path, 0o755) }
      [job, GateHost.new(dir, job: job, bases: [BASE])]
    end
  end

  def start_gates
    File.chmod(0o755, temporary)
    gates[1].new_keys
    %w[door token.key].each do |name|
      FileUtils.cp(File.join(gates[1].state, name), gates[2].state, preserve: true)
      FileUtils.chown(GateHost::PUBLISHER, GateHost::PUBLISHER, File.join(gates[2].state, name))
    end
    gates.each_value(&:start)
    gates.each_value { |gate| wait_until { gate.answers? } }
  end

  def start(engine, *command)
    keeper(engine).call(answer(*gates.map { |job, gate| asking(job, "a:web:#{gate.port}") }))
    @proxy = spawn(*command, %i[out err] => File.join(temporary, 'log'))
    wait_until { status(BASE) == '401' }
  end

  def log_in(job)
    credential = gates[job].credential(text: gates[job].payload(job: job))
    path = "#{BASE}multitenant/login?member=#{MultiTenant::Gateway.member(job, 'hpc')}"
    body = URI.encode_www_form(credential: credential, base: BASE)
    headers = { 'Content-Type' => 'application/x-www-form-urlencoded', 'Sec-Fetch-Site' => 'same-site' }
    Net::HTTP.start('127.0.0.1', @port) { |http| http.post(path, body, headers) }
  end

  # Each job takes the credential that is for it alone.
  def assert_opens_and_stays_open
    answers = [1, 2, 1, 2].map { |job| log_in(job) }
    assert_equal [%w[303 ../]], answers.map { |one| [one.code, one['Location']] }.uniq
    cookie = answers[0].get_fields('Set-Cookie').grep(/\Amultitenant_token=/)[0]
    assert_match(/; Path=#{BASE};.*; HttpOnly; SameSite=Strict\z/, cookie)
    token = cookie[/=([^;]+)/, 1]
    ways = [{ cookie: "multitenant_token=#{token}" }, { authorization: "Bearer #{token}" }]
    assert_let_in ways
    # The one that is gone is out of use, and the other one goes on; then the one that has come back does alone.
    gates.each do |job, gate|
      Process.kill(:TERM, gate.pid)
      gate.wait
      wait_until { Array.new(8) { get(BASE, **ways[1]).code }.uniq == ['200'] }
      assert_let_in ways
      gate.start
      wait_until { gate.answers? }
      wait_until { Array.new(4) { log_in(job).code }.uniq == ['303'] }
    end
  end

  def assert_let_in(ways)
    ways.each do |header|
      told = Array.new(6) { get("#{BASE}x", **header) }
      assert_equal [%w[200 ann]], told.map { |one| [one.code, one.body[/X-MultiTenant-User: (\w+)/i, 1]] }.uniq
      assert_equal ['GET /x '], told.map { |one| one.body[%r{\AGET /x }] }.uniq
    end
  end

  def test_a_tenant_of_a_web_application_behind_haproxy
    haproxy = MultiTenant::Program.find('haproxy', "#{ENV.fetch('PATH')}:/usr/sbin")
    skip_unless(haproxy, 'needs HAProxy')
    start_gates
    start('haproxy', haproxy, '-W', '-db', '-f', config)
    assert_opens_and_stays_open
  end

  def test_a_tenant_of_a_web_application_behind_nginx
    start_gates
    start('nginx', '/usr/sbin/nginx', '-c', nginx_file, '-p', temporary)
    assert_opens_and_stays_open
  end
end
