# frozen_string_literal: true

require_relative 'free_port'
require_relative 'helper'
require 'net/http'
require 'socket'

# nginx as a job's gateway has it (libexec/multitenant-nginx): whatever answers in the place of multitenant-gate,
# nobody is let in whom it did not name.
class TestNginx < MultiTenantTest
  UID = 61_001
  WRITER = File.expand_path('../../libexec/multitenant-nginx', __dir__)
  WRITE = 'source "$1"; mt_nginx_has=$("$2" -V 2>&1) mt_gate_run=$3 host=n1 port=$4; mt_gate_paths=$6 ' \
          'mt_gate_prefix=$7; nginx_configuration "$5" own-key | ' \
          'sed "s/scgi_read_timeout 12s/scgi_read_timeout 1s/; s/body_timeout 10s/body_timeout 1s/"'
  NGINX = '/usr/sbin/nginx'
  NAMED = "Status: 200 OK\r\nX-MultiTenant-User: ann\r\nX-MultiTenant-Uid: 2001\r\n\r\n"
  BAD = "Status: 400 x\r\nX-MultiTenant-Reason: bad_request\r\n\r\n"

  def setup
    super
    need_root
    skip 'nginx is not installed' unless File.executable?(NGINX)
    File.chmod(0o755, temporary)
    @run = File.join(temporary, 'run')
    %w[tmp log].each { |name| FileUtils.mkdir_p(File.join(@run, name)) }
    @says = ->(_) { NAMED }
    @asked = []
    listen
    start
  end

  def teardown
    Process.kill('TERM', @nginx) && Process.wait(@nginx) if @nginx
    [@gate, @server].compact.each(&:close)
    super
  end

  # The stand-in of the gate, and the server, which says what it was sent.
  def listen
    @gate = UNIXServer.new(File.join(@run, 'gate'))
    @server = TCPServer.new('127.0.0.1', 0)
    FileUtils.chown_R(UID, UID, @run)
    serve(@gate) do |client|
      parameters = client.read(client.gets(':').to_i + 1)
      client.write(@says.call(parameters).to_s)
    end
    serve(@server) do |client|
      @connections = @connections.to_i + 1
      while (head = client.gets("\r\n\r\n"))
        @asked << head
        close = head[/^Connection: close\r\n/i] unless @stays
        client.write("HTTP/1.1 200 OK\r\nContent-Length: #{head.bytesize}\r\n#{close}\r\n#{head}")
        break if close
      end
    end
  end

  def serve(listener)
    Thread.new do
      loop do
        Thread.new(listener.accept) do |client|
          yield client
        rescue SystemCallError
          # Whoever asked is gone.
        ensure
          client.close
        end
      end
    rescue IOError, Errno::EBADF
      # The test is over.
    end
  end

  def start(paths = '', prefix = '', memory: nil, **limits)
    @port = FreePort.get
    conf = File.join(@run, 'nginx.conf')
    env = { 'SLURM_JOB_ID' => '4711', 'SLURM_CLUSTER_NAME' => 'hpc', 'SLURM_MEM_PER_NODE' => memory }
    text, status = Open3.capture2(env, 'bash', '-c', WRITE, 'bash', WRITER, NGINX, @run, @port.to_s,
                                  "127.0.0.1:#{@server.addr[1]}", paths, prefix, limits)
    assert_predicate status, :success?
    File.write(conf, text)
    @nginx = spawn('setpriv', "--reuid=#{UID}", "--regid=#{UID}", '--clear-groups', NGINX, '-c', conf, '-p', @run,
                   err: File.join(temporary, 'err'))
    until_listening
  end

  def until_listening
    TCPSocket.new('127.0.0.1', @port).close
  rescue Errno::ECONNREFUSED
    flunk File.read(File.join(temporary, 'err')) if Process.wait(@nginx, Process::WNOHANG)
    sleep 0.05
    retry
  end

  def get(path = '/', headers = {})
    request = Net::HTTP::Get.new(path)
    headers.each { |name, value| request[name] = value } # of any length, which the constructor does not take
    Net::HTTP.start('127.0.0.1', @port, nil, nil, read_timeout: 60) { |http| http.request(request) }
  end

  def test_an_answer_that_names_nobody_lets_nobody_in
    answers = ["\r\n", "\r\n\r\n", "X-A: b\r\n\r\n", "Status: 200 OK\r\n\r\n", 'HTTP/1.1 200 OK', "\0" * 99, '',
               "Status: 200 OK\r\nX-MultiTenant-User:\r\n\r\n", "Status: 200 OK\r\nX-MultiTenant-User: a b\r\n\r\n",
               "Status: 204 No Content\r\nX-MultiTenant-Uid: 0\r\n\r\n",
               *['302 Found', '429 x', '403 x'].map { |code| "Status: #{code}\r\nX-MultiTenant-User: ann\r\n\r\n" }]
    answers.each do |answer|
      @says = ->(_) { answer }
      assert_includes %w[401 403 502 503], get('/', 'X-MultiTenant-User' => 'ann').code, answer.inspect
    end
    @says = ->(_) { sleep }
    assert_equal '503', get.code, 'a gate that hangs'
    @gate.close
    File.unlink(File.join(@run, 'gate'))
    assert_equal '503', get.code, 'no gate'
    assert_equal 'gateway_down', JSON.parse(get.body)['code']
    assert_empty @asked
  end

  def told(headers, path = '/')
    assert_equal '200', get(path, headers).code
    head = @asked.last.lines(chomp: true).drop(1).map { |line| line.split(': ', 2) }
    head.to_h { |name, value| [name.to_s.downcase, value] } # Ruby writes names in a way of its own
  end

  # What let a tenant in, at the portal too, stays here; so does what claims that they are somebody.
  def test_the_server_is_told_who_comes_and_nothing_that_lets_in
    { 'multitenant_token=t' => nil, 'a=1; multitenant_token=t' => 'a=1; ', 'multitenant_token=t; a=1' => 'a=1',
      'a=1; multitenant_token=t; multitenant_token=u; b=2' => 'a=1; b=2',
      'xmultitenant_token=1' => 'xmultitenant_token=1',
      'mod_auth_openidc_session=s; mod_auth_openidc_session_0=s;a=1' => 'a=1',
      '_shibsession_6f=s; MOD_AUTH_CAS=s; MOD_AUTH_CAS_S=s; mellon-cookie=s; a=1' => 'a=1',
      "a=1; #{'multitenant_token=t; ' * 9}b=2" => nil, 'a="multitenant_token"; b=2' => 'a="multitenant_token"; b=2' }
      .each do |cookies, left|
        assert_equal left.to_s, told('Cookie' => cookies)['cookie'].to_s, cookies
      end
    names = %w[x-multitenant-user x-multitenant-uid x-multitenant-token proxy-authorization remote-user x-remote-user
               x-authenticated-user x-forwarded-user x-forwarded-email x-forwarded-preferred-username
               x-forwarded-groups x-forwarded-access-token x-auth-request-user x-auth-request-email
               x-auth-request-groups x-webauth-user]
    claims = names.to_h { |name| [name, 'root'] }
    seen = told(claims.merge('Authorization' => 'Bearer mt1.t', 'Connection' => names.join(',')))
    assert_equal({ 'x-multitenant-user' => 'ann', 'authorization' => 'Bearer own-key' },
                 seen.slice(*names, 'authorization'))
    assert_equal '400', get('/', 'Authorization' => "Bearer #{'a' * (1 << 20)}").code
  end

  # What comes through another protocol than WebSocket nobody would check.
  def test_no_connection_becomes_one_of_another_protocol
    %w[h2c H2C h2c,websocket TLS/1.2].each do |protocol|
      seen = told('Connection' => 'Upgrade, HTTP2-Settings', 'Upgrade' => protocol, 'HTTP2-Settings' => 'AAMAAABk')
      assert_empty seen.slice('connection', 'upgrade', 'http2-settings'), protocol
    end
    seen = told('Connection' => 'keep-alive, Upgrade', 'Upgrade' => 'WebSocket')
    assert_equal %w[upgrade websocket], seen.values_at('connection', 'upgrade')
  end

  # Servers that leave a body unread, as many do of GET, take it for the next request on that connection: it would be
  # whoever's it says, and its answer somebody else's.
  def test_on_a_connection_that_is_kept_nothing_follows_a_body
    hidden = "GET /hidden HTTP/1.1\r\nX-MultiTenant-User: root\r\n\r\n"
    lengths = { "Content-Length: #{hidden.bytesize}" => hidden,
                "Upgrade: websocket\r\nContent-Length: #{hidden.bytesize}" => hidden,
                'Transfer-Encoding: chunked' => "#{hidden.bytesize.to_s(16)}\r\n#{hidden}\r\n0\r\n\r\n" }
    %w[GET HEAD DELETE OPTIONS POST PURGE].product(lengths.to_a) do |method, (length, body)|
      TCPSocket.open('127.0.0.1', @port) do |socket|
        socket.write("#{method} /seen HTTP/1.1\r\nHost: n1\r\nConnection: close\r\n#{length}\r\n\r\n#{body}")
        assert_match(/\AHTTP\S+ 200 /, socket.read, method)
      end
      assert_equal '200', get('/seen').code
    end
    assert_equal [36, []], [@asked.size, @asked.grep_v(%r{\A[A-Z]+ /seen })]
    Net::HTTP.start('127.0.0.1', @port) { |http| http.head('/seen') }
    assert_match(/^Connection: close\r$/, @asked.last)
    @connections = 0
    3.times { assert_equal '200', get('/seen').code }
    assert_operator @connections, :<, 3
  end

  # nginx keeps connections unless told otherwise since 1.29.7, and not every server ends one because it is asked to.
  def test_what_has_a_body_has_a_connection_of_its_own_whatever_the_server_does
    @stays = true
    @connections = 0
    3.times { assert_equal '200', Net::HTTP.post(URI("http://127.0.0.1:#{@port}/seen"), 'x').code }
    assert_equal 3, @connections
  end

  # @return [Array<Hash>] the lines of the log, once there are so many: nginx writes one after its answer
  def logged(count)
    log = File.join(@run, 'log/4711@hpc.jsonl')
    wait_until { File.readlines(log).size >= count }
    File.readlines(log).map { |line| JSON.parse(line) }
  end

  def test_who_used_it_is_a_line_of_json_without_the_question
    get(%(/a%22,"user":"root"/\\?secret=1))
    @says = ->(_) { "Status: 403 x\r\nX-MultiTenant-Reason: rate_limited\r\nX-MultiTenant-Retry: 7\r\n\r\n" }
    answer = get('/b')
    assert_equal %w[429 7 rate_limited],
                 [answer.code, answer['Retry-After'], JSON.parse(answer.body).dig('error', 'code')]
    page = get('/b', 'Accept' => 'text/html,*/*')
    assert_equal ['429', 'text/html'], [page.code, page.content_type]
    assert_includes page.body, '<p>You have asked too often: try again in 7 s.</p>'
    @says = ->(_) { NAMED }
    get('/c')
    first, second = logged(2)
    assert_equal ['ann', 2001, 'GET', %(/a%22,"user":"root"/\\), 200],
                 first.values_at('user', 'uid', 'method', 'path', 'status')
    # Whom the gate refused is in its own log: who is banned could push out all others here.
    assert_equal ['ann', '/c'], second.values_at('user', 'path')
    assert_operator first['ms'] + first['bytes'], :>, 0
  end

  # All places could be held by a byte of a login in five minutes, which is how long an upload may stall.
  def test_a_login_that_stalls_is_given_up
    TCPSocket.open('127.0.0.1', @port) do |socket|
      socket.write("POST /multitenant/login HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\ncred")
      assert socket.wait_readable(60)
      refute_match(/ 200 /, socket.read)
    end
  end

  # Else anybody could fill the publisher's disk with it, and push out who used the service.
  def test_what_anybody_can_send_is_not_in_the_log_and_no_line_is_long
    @says = ->(parameters) { parameters.include?('mt1.t') ? NAMED : "Status: 401 x\r\n\r\n" }
    assert_equal '401', get('/nobody').code
    assert_equal '405', get('/multitenant/login').code
    assert_equal '404', get('/multitenant/check').code
    @says = ->(parameters) { parameters.include?('mt1.t') ? NAMED : "Status: 403 x\r\n\r\n" }
    login = URI("http://127.0.0.1:#{@port}/multitenant/login")
    assert_equal '403', Net::HTTP.post(login, 'credential=x', 'Content-Type' => 'text/plain').code
    assert_equal '413', Net::HTTP.post(login, 'x' * 4097, 'Content-Type' => 'text/plain').code
    assert_equal '400', get('/', 'Authorization' => 'a' * (1 << 20)).code
    @says = ->(parameters) { parameters.include?('mt1.t') ? NAMED : BAD }
    answer = get('/')
    assert_equal %w[400 bad_request], [answer.code, JSON.parse(answer.body)['code']]
    @says = ->(parameters) { parameters.include?('mt1.t') ? NAMED : '' }
    assert_equal '503', get('/').code
    { 505 => 'GET / HTTP/2.0', 501 => "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x" }.each do |code, head|
      TCPSocket.open('127.0.0.1', @port) do |socket|
        socket.write(head, "\r\n\r\n")
        assert_includes socket.gets, " #{code} "
      end
    end
    assert_equal '200', get("/#{'"' * 9000}", 'Authorization' => 'Bearer mt1.t').code
    lines = logged(1)
    assert_equal([['ann', 500]], lines.map { |told| [told['user'], told['path'].size] })
  end

  # Each may send headers without an end, of which nginx keeps 48 KiB and as much of its own as it has for any.
  def test_what_all_may_send_it_has_room_in_the_jobs_memory
    room = { ['1024', 16_384] => 3500..(1024 * 1024 / 4 / 60), ['200', 16_384] => 900..1024, ['50', 512] => 400..512,
             ['0', 16_384] => 16_000..16_384, ['4G', 16_384] => 16_000..16_384, [nil, 512] => 400..512 }
    room.each do |(memory, files), clients|
      Process.kill('TERM', @nginx) && Process.wait(@nginx)
      start(memory: memory, rlimit_nofile: files)
      assert_includes clients, File.read(File.join(@run, 'nginx.conf'))[/worker_connections (\d+)/, 1].to_i
      assert_equal '200', get.code
    end
  end

  # What a portal with mod_auth_openidc tells of a user in many groups.
  def test_a_request_may_have_a_portals_headers
    told = { 'Cookie' => "a=#{'a' * 12_000}", 'OIDC_CLAIM_groups' => 'b' * 8000, 'OIDC_access_token' => 'c' * 10_000 }
    assert_equal '200', get('/', told).code
    assert_includes @asked.last, "a=#{'a' * 12_000}"
  end

  # Those of an application that is told so, behind a proxy that takes it away.
  def test_paths_may_begin_with_what_clients_do_not_say
    Process.kill('TERM', @nginx) && Process.wait(@nginx)
    start('', '/prof/a@b%20c')
    assert_match(%r{\AGET /prof/a@b%20c/x%2Fy\?z HTTP}, get('/x%2Fy?z').body)
  end

  def test_of_a_language_model_there_is_its_api_alone
    Process.kill('TERM', @nginx) && Process.wait(@nginx)
    start('^/v1/')
    assert_equal '200', get('/v1/models').code
    %w[/ /api/delete /v1/../slots /v1/%2e%2e/slots /slots/..%2fv1/x /slots%2f..%2fv1/x /slots\\..\\v1/
       /v1/a/../models /v1/a/%2E%2e/models /v1/a%5cmodels /v1/a%2f.%2fmodels]
      .each { |path| assert_equal '404', get(path).code, path }
    assert_equal 1, @asked.size
  end
end
