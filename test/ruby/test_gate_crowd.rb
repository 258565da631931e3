# frozen_string_literal: true

require_relative 'helper'
require_relative 'busy_gate_host'

# Clients that only hold what a gateway has, its connections or its places for log-ins: those who use the service are
# served meanwhile, and what the others take of the node's memory is bounded (doc/performance.md).
class TestGateCrowd < MultiTenantTest
  include GateTest

  IDLE = 1000
  SLOW = 200
  LOGINS = 1100 # above 1024, which are remembered of one user

  # KiB in nginx for each of those who wait, whose headers do not end, and who do not read what they asked for; in the
  # gate for all.
  WAITING = 8
  HEADERS = 68
  UNREAD = 128
  GATE = 2048

  def setup
    super
    File.chmod(0o755, temporary)
    @host = BusyGateHost.new(temporary).start
    wait_until { @host.answers? }
    @token = @host.token('pupil1')
    @clients = []
    @limits = Process.getrlimit(:NOFILE)
    Process.setrlimit(:NOFILE, [4096, @limits[1]].min, @limits[1])
  end

  def teardown
    @clients&.each(&:close)
    Process.setrlimit(:NOFILE, *@limits) if @limits
    super
  end

  # So many more, which send this and no more.
  def crowd(count, text = '')
    count.times do
      @clients << TCPSocket.new('127.0.0.1', @host.port)
      @clients.last.write(text)
    end
  end

  # @return [Hash] KiB and descriptors that a crowd takes in gate and nginx
  def taken
    before = @host.held
    yield
    assert_equal '200', @host.get('/', @token).code
    assert_equal '200', @host.login(@host.credential('pupil2')).code
    @host.held.to_h { |name, now| [name, now.zip(before[name]).map { |one, other| one - other }] }
  end

  def test_a_thousand_idle_and_two_hundred_slow_clients
    taken = taken do
      crowd(IDLE)
      crowd(SLOW / 2, "GET / HTTP/1.1\r\nHost: x\r\n")
      crowd(SLOW / 2, "POST /multitenant/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" \
                      "Content-Length: 4000\r\n\r\n{")
      wait_until { @host.held[:nginx][1] > IDLE + SLOW }
    end
    assert_operator taken[:nginx][0], :<, (IDLE + SLOW) * WAITING
    assert_operator taken[:gate][0], :<, GATE
    assert_operator taken[:gate][1], :<, 16
  end

  def test_two_hundred_clients_that_do_not_read
    taken = taken do
      crowd(SLOW, "GET /MB/64 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer #{@token}\r\n\r\n")
      @clients.each { |client| client.readpartial(64) }
    end
    assert_operator taken[:nginx][0], :<, SLOW * UNREAD
    assert_operator taken[:gate][0], :<, GATE
  end

  def test_two_hundred_clients_whose_headers_do_not_end
    text = "GET / HTTP/1.1\r\nHost: x\r\n#{"X: #{'a' * 15_900}\r\n" * 4}"
    taken = taken do
      SLOW.times do
        crowd(1, text)
      rescue SystemCallError
        nil # nginx takes three of the four lines
      end
    end
    assert_operator taken[:nginx][0], :<, SLOW * HEADERS
    assert_operator taken[:gate][0], :<, GATE
  end

  # What nginx says of it would be in the job's output.log, which nobody bounds.
  def test_clients_that_find_no_room_are_no_line_in_the_jobs_log
    few = File.read(@host.path('nginx.conf')).sub(/(?<=worker_connections )\d+/, '100')
    @host.write('nginx.conf', few)
    Process.kill(:HUP, @host.master)
    wait_until { turned_away? }
    20.times { turned_away? }
    assert_empty @host.said
  end

  def turned_away?
    crowd(1, 'GET /')
    @clients.last.wait_readable(0.01)&.eof?
  rescue Errno::EPIPE, Errno::ECONNRESET
    true
  end

  # Credentials that are remembered are bounded for all, too: eight users who are banned, or not members any more, could
  # keep everybody else out.
  def test_who_can_not_come_in_takes_no_place_among_the_logins
    @host.list('banned', "#{GateHost::USERS['bob']}\n")
    wait_until { @host.seen? }
    { 'banned' => 'bob', 'not_recipient' => 'eve' }.each do |code, user|
      @host.login(@host.credential(user)) # from now on it is known whether they are a member
      told = Array.new(4) { @host.log_in([GateHost::USERS[user]], LOGINS / 4) }
      assert_equal({ code => LOGINS }, told.flatten.tally)
    end
  end

  # Whoever asks without a token, or though they are banned, has no log-in left out of the log, and pushes none out.
  def test_refusals_take_no_room_of_logins_in_the_log
    bob = @host.token('bob')
    @host.list('banned', "#{GateHost::USERS['bob']}\n")
    wait_until { @host.seen? }
    [nil, bob].each { |token| ask_often(token) }
    @host.token
    wait_until { @host.log.match?(/ login uid=#{GateHost::USERS['ann']} /) }
    %w[token_missing banned].each { |code| assert_includes 1..200, @host.log.scan(" #{code} ").size }
    wait_until { @host.token && @host.log.match?(/ lines_left_out count=\d+\n/) }
  end

  # So fast that nobody waits for the answers.
  def ask_often(token)
    TCPSocket.open('127.0.0.1', @host.port) do |socket|
      asked = "GET / HTTP/1.1\r\nHost: x\r\nX-MultiTenant-Token: #{token}\r\n\r\n"
      socket.write(asked * 999, asked.sub('Host', "Connection: close\r\nHost"))
      assert_equal 1000, socket.read.scan(%r{HTTP/1.1 40[13] }).size
    end
  end
end
