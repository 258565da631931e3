# frozen_string_literal: true

require_relative 'helper'
require_relative 'busy_gate_host'

# Nothing fails and nothing grows under load. It takes an hour, of which MULTITENANT_LONG_SOCKET is the minutes of the
# websocket (script/test --long).
class TestGateLoad < MultiTenantTest
  include GateTest

  CLIENTS = 200
  MINUTES = Integer(ENV.fetch('MULTITENANT_LONG_SOCKET', '60'))
  GROWTH = 4096 # KiB

  def setup
    super
    File.chmod(0o755, temporary)
    @host = BusyGateHost.new(temporary).start
    wait_until { @host.answers? }
    @tokens = GateHost::CLASS.keys.map { |user| @host.token(user) }
  end

  # @return [Integer] requests that were answered
  def ask_for(seconds)
    finish = Process.clock_gettime(Process::CLOCK_MONOTONIC) + seconds
    Array.new(CLIENTS) { |number| Thread.new { ask_until(finish, @tokens[number % @tokens.size]) } }.sum(&:value)
  end

  def ask_until(finish, token)
    client = @host.client(token)
    (1..).find { client.get('/') && Process.clock_gettime(Process::CLOCK_MONOTONIC) > finish }
  ensure
    client&.close
  end

  # Compared with what is held after the block ran once, shorter.
  def assert_no_growth(what)
    yield true
    sleep 5 # connections to the server are kept for two seconds
    before = @host.held
    did = yield false
    sleep 5
    after = @host.held
    warn "#{what}: #{did}; KiB and descriptors before #{before}, after #{after}"
    before.each do |name, (memory, descriptors)|
      assert_operator after[name][0], :<=, memory + GROWTH, name
      assert_operator after[name][1], :<=, descriptors, name
    end
  end

  def test_two_hundred_clients_for_a_minute
    assert_no_growth('200 clients') { |first| "#{ask_for(first ? 5 : 60)} requests, none failed" }
  end

  def test_an_upload_of_two_gigabytes
    file = File.join(temporary, 'large')
    assert_no_growth('upload') do |first|
      File.open(file, 'w') { |io| io.truncate((first ? 16 : 2048) << 20) }
      argv = ['curl', '-q', '-sS', '--noproxy', '*', '-X', 'POST', '-T', file, '-H',
              "Authorization: Bearer #{@tokens[0]}", '-w', ' %{http_code} %{size_upload} bytes, %{time_total} s',
              "http://127.0.0.1:#{@host.port}/"]
      IO.popen(argv, &:read).tap { |said| assert_match(/\Aok 200 #{File.size(file)} /, said) }
    end
  end

  def test_a_websocket_for_an_hour
    assert_no_growth('websocket') do |first|
      client = @host.client(@tokens[0]).upgrade
      pieces = first ? 1 : MINUTES * 60
      pieces.times do |number|
        assert_equal "piece #{number}", client.echo("piece #{number}")
        sleep 1
      end
      client.close
      "#{pieces} pieces came back"
    end
  end

  # Of these as many are let in as can be remembered, and the others are told to try again.
  def test_ten_thousand_logins
    assert_no_growth('10,000 log-ins') do |first|
      said = Array.new(first ? 1 : 10) { @host.log_in(GateHost::CLASS.values, first ? 5 : 42) }.flatten.tally
      assert_empty said.keys - %w[let_in too_busy]
      assert_operator said['let_in'], :>, first ? 100 : 8000
      said
    end
  end

  # Not in CI.
  public_instance_methods(false).grep(/\Atest_/).each { |name| remove_method(name) } unless ENV.key?('MULTITENANT_LONG')
end
