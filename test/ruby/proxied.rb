# frozen_string_literal: true

require_relative 'free_port'
require_relative 'helper'
require 'multitenant/proxy'
require 'net/http'

# Jobs whose labels ask for an address, real servers in their place, and the proxy's file made of them.
module Proxied
  include Records
  include Places

  def setup
    super
    @served = {}
    @settings = MultiTenant::Settings.new({})
    @clusters = MultiTenant::Clusters.new([])
  end

  def teardown
    @served.each_value { |pipe, _| leave(pipe) }
    super
  end

  # @return [Hash] a job; `address` is what stands behind mt: in its label
  def asking(job_id, address, group: 'students', **record)
    here = [{ name: 'n1', host: 'n1', addr: '127.0.0.1' }]
    job(job_id, name: "job mt:#{address}|#{group}|AAAA", nodes: here, **record)
  end

  # @return [Integer] the port of a new server of that name
  def serve(name)
    pipe = IO.popen([RbConfig.ruby, File.join(__dir__, 'served.rb'), name])
    @served[name] = [pipe, Integer(pipe.gets)]
    @served[name].last
  end

  def leave(pipe)
    Process.kill(:KILL, pipe.pid)
    pipe.close
  rescue Errno::ESRCH, IOError
    nil
  end

  # As of a job that was killed with its node.
  def kill(name)
    leave(@served.delete(name).first)
  end

  def answer(*jobs, error: nil, **header)
    MultiTenant::Answer.new(texts: [stream(*jobs, **header)], from: 'test', seconds: 0.0, error: error, code: 0)
  end

  # ---- a proxy ----

  # How the engines are told to have TLS; nginx has its certificate in what includes our file.
  TLS = { 'haproxy' => ' ssl crt PEM', 'nginx' => ' ssl' }.freeze

  def config
    File.join(temporary, 'proxy.cfg')
  end

  def keeper(engine, **options)
    listen = "127.0.0.1:#{@port ||= FreePort.get}#{TLS.fetch(engine).sub('PEM', @pem) if @pem}"
    options = { engine: engine, output: config, listen: listen, check: @pem.nil?, **options }
    MultiTenant::Proxy::Keeper.new(@settings, @clusters, options)
  end

  def get(path, **headers)
    Net::HTTP.start('127.0.0.1', @port) { |http| http.get(path, headers.transform_keys(&:to_s)) }
  end

  # @return [String] path of a configuration that is our file's alone
  def nginx_file
    dirs = %w[client_body proxy fastcgi uwsgi scgi].map { |name| "#{name}_temp_path #{temporary}/tmp;" }
    File.join(temporary, 'nginx.conf').tap do |path|
      File.write(path, "daemon off; pid pid; error_log stderr; events { }\n" \
                       "http { access_log off; #{dirs.join(' ')} #{"ssl_certificate #{@pem};" if @pem} " \
                       "#{"ssl_certificate_key #{@pem};" if @pem} include #{config}; }\n")
    end
  end

  # What a client sees at the moment, where a connection that is cut counts as an answer, too.
  def status(path)
    get(path).code
  rescue SystemCallError, EOFError, Net::HTTPBadResponse => e
    e.class.name
  end

  # ---- one service, a, of some of the servers ----

  A = '/prof/a@students'

  def of(*members, kind: 'tcp', **record)
    members.map { |name| asking(name[/\d+/].to_i, "a:#{kind}:#{@served.fetch(name).last}", **record) }
  end

  UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" \
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"

  def request(path, headers = '')
    TCPSocket.new('127.0.0.1', @port).tap do |socket|
      socket.write("GET #{A}#{path} HTTP/1.1\r\nHost: x\r\n#{headers}\r\n")
    end
  end

  def open_websocket
    socket = request('/ws', UPGRADE)
    assert_match(/\AHTTP.1.1 101/, socket.gets)
    nil until socket.gets == "\r\n"
    socket
  end

  # The block reloads the proxy with another service, of that name. A stream, a websocket and a client that asks all the
  # time see nothing of ten of these.
  def assert_all_lives
    events = request('/events')
    socket = open_websocket
    reloaded = false
    asked = Thread.new { [].tap { |codes| (codes << status("#{A}/")) && sleep(0.05) until reloaded } }
    10.times do |n|
      yield "n-#{n}"
      # It is in use once that service is known.
      wait_until { status("/prof/n-#{n}@students/") != '404' }
    end
    reloaded = true
    socket.write("hello\n")
    assert_equal "j1 hello\n", socket.gets
    assert_equal %w[200], asked.value.uniq
    assert_match(/^data: 1\n.*^data: 60\n/m, read_until(events, "data: 60\n"))
  end

  def read_until(io, text)
    got = +''
    got << io.readpartial(4096) until got.include?(text)
    got
  end
end

# An engine that runs by the file. The class has configure, which starts it as @proxy, or reloads it.
module RunningProxy
  include Proxied

  def teardown
    Process.kill(:TERM, @proxy) && Process.wait(@proxy) if @proxy
    super
  end

  def serve_all(*names, **record)
    names.each { |name| serve(name) }
    configure(*of(*names, **record))
    wait_until { status("#{A}/") == '200' }
  end

  # An application that knows nothing of the path before its own.
  def test_where_an_application_sends_people_and_its_cookies_stay_below_its_path
    serve_all('j1', kind: 'web')
    here = "http://127.0.0.1:#{@port}"
    places = { '/' => "#{A}/", '/x?y=1' => "#{A}/x?y=1", "#{here}/x" => "#{A}/x", "https#{here[4..]}/" => "#{A}/",
               'x' => 'x', '../' => '../', '//other/x' => '//other/x', 'http://other/x' => 'http://other/x' }
    found = places.keys.map { |place| get("#{A}/to/#{URI.encode_www_form_component(place)}") }
    assert_equal(places.values, found.map { |answer| answer['Location'] })
    cookies = found[0].get_fields('Set-Cookie').grep(/\A[abc]=/).map { |one| one.gsub(/ *domain=;/, '') }
    assert_equal ["a=1; Path=#{A}/; HttpOnly", "b=2; Max-Age=3; path=#{A}/", 'c=3'], cookies
  end

  # Else what a page of one service leaves in a browser would be in all others', also once that service has ended.
  def test_nothing_that_a_service_says_holds_for_the_whole_host
    serve_all('j1', kind: 'web')
    said = get("#{A}/worker")
    told = said.to_hash.except('date', 'server', 'connection', 'content-length', 'set-cookie')
    assert_equal({ 'service-worker-allowed' => ["#{A}/"], 'x-own' => ['yes'] }, told)
    assert_nil get("#{A}/")['Service-Worker-Allowed']
  end

  # A gateway's cookie is kept from HTTP by it, whether the proxy has TLS itself or what stands before it.
  def test_services_are_told_that_they_are_met_by_https
    serve_all('j1', kind: 'web')
    before = [{}, { 'X-Forwarded-Proto': 'https' }].map { |headers| get("#{A}/proto", **headers).body }
    Process.kill(:TERM, @proxy) && Process.wait(@proxy)
    @proxy = nil
    with_tls
    configure(*of('j1', kind: 'web'))
    own = wait_until { by_tls("#{A}/proto") }
    assert_equal [['by ', 'by https'], 'by https'], [before, own]
  end

  def with_tls
    @pem, key = %w[pem key].map { |name| File.join(temporary, name) }
    system('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=x', '-keyout', key, '-out', @pem,
           %i[out err] => File::NULL, exception: true)
    File.write(@pem, File.read(key), mode: 'a')
  end

  # @return [String, nil] nil: it does not answer yet
  def by_tls(path)
    options = { use_ssl: true, verify_mode: OpenSSL::SSL::VERIFY_NONE }
    answer = Net::HTTP.start('127.0.0.1', @port, options) { |http| http.get(path) }
    answer.body if answer.code == '200'
  rescue SystemCallError
    nil
  end

  # What is kept until it is whole fills this host, whoever sends it, and a stream arrives at its end.
  def test_a_body_goes_on_as_it_comes
    server = TCPServer.new('127.0.0.1', 0)
    configure(asking(1, "a:tcp:#{server.addr[1]}"))
    wait_until { status('/') == '404' }
    client = TCPSocket.new('127.0.0.1', @port)
    client.write("POST #{A}/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n#{'x' * 100_000}")
    assert_equal "POST /x HTTP/1.1\r\n", Timeout.timeout(60) { first_line(server) }
  ensure
    [client, server].compact.each(&:close)
  end

  # HAProxy connects, too, to see whether it works, and says nothing.
  def first_line(server)
    loop do
      line = server.accept.gets
      return line if line
    rescue Errno::ECONNRESET
      next
    end
  end

  # Of a server that keeps its connections and reads no body, as many do of GET: what follows is the next request to it,
  # and its answer, which comes later, would be the next client's.
  def test_nobody_gets_the_answer_to_what_another_client_has_hidden_in_a_body
    keeping_server { |port| configure(asking(1, "a:tcp:#{port}")) }
    wait_until { status("#{A}/") == '200' }
    hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
    mallory, *others = Array.new(4) { Net::HTTP.start('127.0.0.1', @port) }
    # Connections are shared from the second request of each client on.
    [mallory, *others].each { |client| client.get("#{A}/first") }
    question = Net::HTTP::Get.new("#{A}/m", 'Content-Length' => hidden.bytesize.to_s, 'Content-Type' => 'text/plain')
    question.body = hidden
    mallory.request(question)
    said = others.map { |client| Thread.new { Array.new(3) { |n| client.get("#{A}/#{n}").body } } }.map(&:value)
    assert_equal [%w[/0 /1 /2]] * 3, said
  ensure
    [mallory, *others].each { |client| client&.finish }
    @keeping&.kill
  end

  # @yieldparam port [Integer] of a server whose answers are the paths that it was asked for
  def keeping_server
    server = TCPServer.new('127.0.0.1', 0)
    @keeping = Thread.new do
      loop do
        Thread.new(server.accept) do |client|
          while (path = client.gets("\r\n\r\n").to_s[%r{ (/\S*) }, 1])
            sleep 1 if path == '/hidden'
            client.write("HTTP/1.1 200 OK\r\nContent-Length: #{path.bytesize}\r\n\r\n#{path}")
          end
        ensure
          client.close
        end.report_on_exception = false
      end
    ensure
      server.close
    end
    yield server.addr[1]
  end

  def test_streams_and_sockets_live_through_reloads_and_no_request_fails
    serve_all('j1')
    assert_all_lives { |name| configure(*of('j1'), asking(9, "#{name}:tcp:1025")) }
  end
end
