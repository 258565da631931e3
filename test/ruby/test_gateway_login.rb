# frozen_string_literal: true

require_relative 'helper'
require_relative 'gate_host'
require 'minitest/mock'
require 'multitenant/gateway/login'

# Each way in which a tenant logs in, at a real multitenant-gate and nginx, with a real munged.
class TestGatewayLogin < MultiTenantTest
  include GateTest

  JOB = "#{MultiTenant::Sharing.job}#{File.read(MultiTenant::ServiceEnvironment::LOGIN)}".freeze

  def setup
    super
    skip_unless(File.executable?(MultiTenant::Credentials::PROGRAM), 'multitenant-munge is not built')
    @host = GateHost.new(temporary).start
    wait_until { @host.answers? }
  end

  def gateway(**info)
    info = { 'host' => '127.0.0.1', 'uid' => '61001', 'cluster' => 'hpc', 'job' => '4711', 'restarts' => '0',
             **info.transform_keys(&:to_s) }
    MultiTenant::Gateway.new({ 'port' => @host.port.to_s, 'door' => @host.door }, info)
  end

  def as(user)
    uid = GateHost::USERS.fetch(user).to_s
    ['setpriv', '--reuid', uid, '--regid', uid, '--clear-groups', '--']
  end

  # @return [Array(String, String)] what log_in says and complains of in a job of that user's
  def log_in(user, at = gateway)
    env = { 'MT_GATES' => at.to_s, 'MULTITENANT_MUNGE_SOCKET' => @host.munged.socket }
    Open3.capture3(env, *as(user), 'bash', '-s', stdin_data: "#{JOB}log_in\n").first(2).map(&:chomp)
  end

  def test_a_job_logs_in_as_its_user
    token, complaint = log_in('ann')
    assert_equal '', complaint
    assert_match(/\Amt1\.62001\./, token)
    page = @host.get('/v1/models', token)
    assert_equal ['200', ['ann']], [page.code, page.body.scan(/X-MultiTenant-User: (.*)\r/i).flatten]
    outsider, complaint = log_in('eve')
    assert_equal '', outsider
    assert_match(/\AYou could not log in to the service: \w/, complaint)
    refute_match(/does not answer|munged/, complaint)
    assert_match(/not_recipient uid=62999/, @host.log)
    assert_equal '', log_in('ann', gateway(restarts: '1'))[0]
    assert_match(/login_job/, @host.log)
  end

  def test_the_command_logs_in_as_its_user
    login = MultiTenant::Gateway::Login.new(gateway)
    given = Process.stub(:uid, 62_001) { login.call(@host.credential('ann', text: gateway.payload)) }
    assert_equal '200', @host.get('/', given['api_key']).code
    failure = assert_raises(MultiTenant::Failure) { login.call(@host.credential('eve', text: gateway.payload)) }
    assert_equal 77, failure.code
    assert_match(/\A127\.0\.0\.1:\d+ does not let you in: \w/, failure.message)
  end

  # What the dashboard of that user makes for a card.
  def credential(user)
    program = @host.path('multitenant-munge').tap { |path| FileUtils.cp(MultiTenant::Credentials::PROGRAM, path) }
    out, status = Open3.capture2(*as(user), program, '--for', '61001', '--ttl', '180', '--socket', @host.munged.socket,
                                 stdin_data: gateway.payload)
    assert_predicate status, :success?
    JSON.parse(out.lines.first).fetch('credential')
  end

  def test_a_card_opens_the_service
    made = credential('ann')
    answer = @host.form(made)
    assert_equal ['303', '../'], [answer.code, answer['Location']]
    cookie = answer['Set-Cookie'][/\A[^;]*/]
    assert_equal '200', @host.get('/', Cookie: cookie).code
    # The same button once more.
    assert_equal '303', @host.form(made, { 'Cookie' => cookie }).code
    assert_equal '403', @host.form(made).code
    refute_match(/mt1\./, answer['Location'])
  end

  def test_a_card_leads_to_the_viewers_key
    page = @host.form(credential('ann'), show: 'key')
    assert_equal '200', page.code
    assert_equal '200', @host.get('/', page.body[/mt1\.62001\.[\w.-]+/]).code
  end
end
