# frozen_string_literal: true

require 'net/http'
require_relative 'helper'
require_relative '../browser/chat_servers'

# The chat page of the client image, without a dashboard.
class TestChatAlone < MultiTenantTest
  def setup
    @model = ModelServer.new
    @model.keys = ['sekret']
  end

  def teardown
    @chat&.stop
    @model.stop
    super
  end

  def start(env = { 'JUPYTER_TOKEN' => 'guessed' }, &change)
    env = { 'OPENAI_BASE_URL' => @model.url, 'OPENAI_API_KEY' => 'sekret', **env }
    @chat = ChatAlone.new(env, temporary, &change)
    wait_until { @chat.ready? }
  end

  def log
    File.read(@chat.log)
  end

  def ask(method, path, headers = {}, body = nil)
    Net::HTTP.start('127.0.0.1', @chat.port, nil) do |http|
      http.send_request(method, path, body, { 'Content-Type' => 'text/plain', **headers })
    end
  end

  # @return [Hash] what the page sends
  def login(token)
    answer = ask('POST', '/login', {}, URI.encode_www_form(password: token))
    assert_equal %w[303 ./], [answer.code, answer['location']]
    assert_match(%r{\Amultitenant_chat_#{@chat.port}=\S+; Path=/; HttpOnly; SameSite=Strict\z}, answer['set-cookie'])
    { 'Cookie' => answer['set-cookie'][/[^;]+/], 'X-Requested-With' => 'multitenant-chat' }
  end

  def test_whoever_has_the_token_chats
    start
    page = login('guessed')
    assert_includes ask('GET', '/', page).body, '<script src="chat.js" defer>'
    %w[/chat.css /chat.js /markdown.js /marked.js].each { |path| assert_equal '200', ask('GET', path, page).code }
    told = { 'service' => 'Language model', 'owner' => 'another user', 'models' => [ModelServer::MODEL],
             'model' => ModelServer::MODEL }
    assert_equal told, JSON.parse(ask('GET', '/models', page).body)
    question = JSON.generate(model: ModelServer::MODEL, messages: [{ role: 'user', content: 'so be it' }])
    said = ask('POST', '/chat', page, question).body.lines.map { |line| JSON.parse(line) }
    assert_equal 'so be it', said.filter_map { |part| part['text'] }.join
    refute_includes said.join + log, 'sekret'
    assert_equal 0, @chat.stop.exitstatus
    @chat = nil
  end

  def test_strangers_are_asked_for_it
    start
    [%w[GET /], %w[GET /chat.js], ['POST', '/login', {}, 'password=guess'], ['POST', '/login', {}, '']].each do |asked|
      answer = ask(*asked)
      assert_equal ['403', nil], [answer.code, answer['set-cookie']]
      assert_includes answer.body, '<form action="login" method="post">'
      assert_match(/\Adefault-src 'none'.*; form-action 'self'; /, answer['content-security-policy'])
    end
    page = { 'X-Requested-With' => 'multitenant-chat', 'Cookie' => "multitenant_chat_#{@chat.port}=guess" }
    [ask('GET', '/models', page), ask('POST', '/chat', page, '{}')].each do |answer|
      assert_equal ['403', 'Load this page again: it asks for the token.'],
                   [answer.code, JSON.parse(answer.body)['error']]
    end
  end

  # On a node without python3 in PATH nothing holds it, and where the node's name has both, browsers come by IPv6 first.
  def test_nobody_else_gets_its_port_by_the_other_family
    start
    no_ipv6 = [Errno::EADDRNOTAVAIL, Errno::EAFNOSUPPORT]
    %w[:: ::1 0.0.0.0 127.0.0.1].each do |address|
      assert_raises(Errno::EADDRINUSE, *no_ipv6, address) { Addrinfo.tcp(address, @chat.port).listen }
    end
  end

  # Some send as much as a request may have before its body, and stall; others hold a connection, which are closed where
  # they are too many.
  def test_strangers_take_little_of_the_jobs_memory
    start
    before = @chat.resident
    strangers = Array.new(20) { TCPSocket.new('127.0.0.1', @chat.port) }
    strangers.each { |socket| send_much(socket) }
    520.times { strangers << TCPSocket.new('127.0.0.1', @chat.port) }
    wait_until { strangers.last.wait_readable(0) }
    assert_operator @chat.resident - before, :<, 60 << 10
    strangers.each(&:close)
    wait_until { ask('GET', '/').code == '403' }
  ensure
    strangers&.each(&:close)
  end

  # Each read of a request has a limit of its own.
  def test_strangers_who_send_bytes_one_by_one_keep_no_place
    start do
      file = File.join(temporary, 'chat.py')
      File.write(file, File.read(file).sub(/^STRANGER_SECONDS = 20/, 'STRANGER_SECONDS = 1'))
    end
    page = login('guessed')
    ['GET /', "POST /login HTTP/1.1\r\nContent-Length: 4000\r\n\r\n"].each do |begun|
      TCPSocket.open('127.0.0.1', @chat.port) do |socket|
        socket.write(begun)
        assert_raises(Errno::EPIPE, Errno::ECONNRESET) { 1000.times { socket.write('x') && sleep(0.1) } }
      end
    end
    TCPSocket.open('127.0.0.1', @chat.port) do |socket|
      headers = { 'Content-Length' => '30', **page }.map { |pair| "#{pair.join(': ')}\r\n" }
      socket.write("POST /chat HTTP/1.1\r\n#{headers.join}\r\n")
      30.times { socket.write('x') && sleep(0.1) }
      assert_includes socket.read, 'This is not a question.'
    end
  end

  # It is in the home of who runs the page, and nobody turns it over.
  def test_strangers_write_nothing_to_the_jobs_log
    start
    before = log
    page = { 'X-Requested-With' => 'multitenant-chat', 'Origin' => 'http://[' }
    asked = [['GET', '/', page], ['POST', '/chat', page, '{}'], %w[FOO /]]
    assert_equal(%w[403 403 501], asked.map { |one| ask(*one).code })
    TCPSocket.open('127.0.0.1', @chat.port) do |socket|
      socket.write("#{'x' * 60_000}\r\n\r\n")
      assert_includes socket.read, '400'
    end
    assert_equal before, log
  end

  # It may be closed before that.
  def send_much(socket)
    socket.write("GET / HTTP/1.1\r\n", *["X: #{'y' * 65_000}\r\n"] * 98)
  rescue Errno::EPIPE, Errno::ECONNRESET
    nil
  end

  # Never the empty one, which a Secret may hold.
  def test_without_a_token_it_makes_one
    start('JUPYTER_TOKEN' => '', 'CHAT_TITLE' => 'Ours', 'CHAT_OWNER' => 'prof')
    assert_equal '403', ask('POST', '/login', {}, 'password=').code
    page = login(log[/\AThe chat's token is (\h{48}): JUPYTER_TOKEN sets another\.\n\z/, 1])
    assert_equal %w[Ours prof], JSON.parse(ask('GET', '/models', page).body).values_at('service', 'owner')
  end
end
