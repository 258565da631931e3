# frozen_string_literal: true

require 'erb'
require 'fileutils'
require 'json'
require 'securerandom'
require 'socket'
require_relative '../ruby/free_port'

# What reads requests in threads of its own, on a port of this host.
class Listener
  attr_reader :port

  def initialize
    @server = TCPServer.new('127.0.0.1', 0)
    @port = @server.addr[1]
    @thread = Thread.new { loop { Thread.new(@server.accept) { |socket| speak(socket) } } }
  end

  def stop
    @thread.kill.join
    @server.close
  end

  private

  def speak(socket)
    line, *head = socket.each_line("\r\n").take_while { |text| text != "\r\n" }
    return unless line

    length = head.join[/^content-length: (\d+)/i, 1].to_i
    serve(socket, line.split[1], [line, *head], socket.read(length))
  rescue SystemCallError, IOError
    nil
  ensure
    socket.close
  end
end

# A language model that answers as llama.cpp's server does: what the last message asks for.
class ModelServer < Listener
  MODEL = 'llama3.1:8b'
  NO_SPACE = { error: { code: 400, type: 'exceed_context_size_error', n_ctx: 256,
                        message: 'the request exceeds the available context size, try increasing it' } }.freeze
  CODES = { 'refused' => ['401 Unauthorized', { error: { message: 'Invalid API Key' } }],
            'busy' => ['503 Service Unavailable', { error: { message: 'Loading model' } }],
            'long' => ['400 Bad Request', NO_SPACE] }.freeze

  # What it has to say; else it says what it was told.
  ANSWERS = Hash.new { |_, words| words }.merge!(
    'How do I sort numbers in Python?' => <<~MARKDOWN,
      Use `sorted`, which leaves your list as it is:

      ```python
      numbers = [3, 1, 2]
      print(sorted(numbers))  # [1, 2, 3]
      ```

      To sort the list **in place**, call `numbers.sort()`.
    MARKDOWN
    'Why do computers in a cluster talk to each other?' =>
      "Because each of them has a part of the work only. They hand\nover what the next one needs, and wait for each " \
      "other at\nthe end of every step."
  ).freeze

  # @return [Queue] messages of the requests that came
  # @return [Queue] "gone" for each whose connection was closed before its answer
  # @return [Queue] what lets the answer that pauses go on
  attr_reader :asked, :left, :more

  # @param loading [Boolean] whether it says that it can't answer yet
  attr_writer :loading

  # @return [Array<String>] the keys that it takes; nil: it asks for none
  attr_accessor :keys

  # @return [Array<String>] what its models are called
  attr_accessor :names

  # @return [String] as it is shared
  def url
    "http://127.0.0.1:#{port}/v1"
  end

  def initialize
    @asked = Queue.new
    @left = Queue.new
    @more = Queue.new
    @names = [MODEL]
    super
  end

  private

  def serve(socket, path, head, body)
    unless keys.nil? || keys.include?(head.join[/^authorization: Bearer (\S+)/i,
                                                1])
      return reply(socket,
                   *CODES['refused'])
    end
    return reply(socket, '200 OK', { data: names.map { |name| { id: name } } }) if path == '/v1/models'

    messages, streamed = JSON.parse(body).values_at('messages', 'stream')
    @asked << messages
    words = @loading ? 'busy' : messages.last['content']
    return reply(socket, *CODES[words]) if CODES.key?(words)
    return stream(socket, words) if streamed

    reply(socket, '200 OK', { choices: [{ message: { content: ANSWERS[words] } }] })
  end

  def reply(socket, status, object)
    body = JSON.generate(object)
    socket << "HTTP/1.1 #{status}\r\nContent-Type: application/json\r\nContent-Length: #{body.bytesize}\r\n\r\n#{body}"
  end

  def stream(socket, words)
    return wait(socket) if words == 'queue' # a server whose slots are taken sends no header yet

    socket << "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    case words
    when 'error' then event(socket, 'error', { code: 500, message: 'out of memory', type: 'server_error' })
    when 'deep' then chunk(socket, "data: #{'[' * 100_000}\n\n")
    when 'nothing' then nil
    when 'silent' then return wait(socket)
    when 'die' then return die(socket)
    when 'endless' then loop { say(socket, content: 'so on ' * 1000) }
    when 'pause' then pause(socket)
    when 'think' then say(socket, reasoning_content: 'first a *thought*') && say(socket, content: 'then a word')
    when 'cut' then say(socket, { content: 'so far' }, 'length')
    else ANSWERS[words].scan(/.{1,7}/m) { |part| say(socket, content: part) }
    end
    chunk(socket, "data: [DONE]\n\n")
    socket << "0\r\n\r\n"
  end

  def pause(socket)
    say(socket, content: 'first')
    @more.pop
    say(socket, content: ' and last')
  end

  # As a process that is killed.
  def die(socket)
    say(socket, content: 'so far')
    @more.pop
  end

  # Until whoever asked goes.
  def wait(socket)
    socket.read
    @left << 'gone'
  end

  def say(socket, delta, finish = nil)
    event(socket, 'data', { choices: [{ index: 0, finish_reason: finish, delta: delta }] })
  end

  def event(socket, field, object)
    chunk(socket, "#{field}: #{JSON.generate(object)}\n\n")
  end

  def chunk(socket, text)
    socket << "#{text.bytesize.to_s(16)}\r\n#{text}\r\n"
  end
end

# Open OnDemand's host with a card: `/rnode/HOST/PORT/…` leads to a service. As its Apache does, it tells the service
# another host, the browser's in a header of its own, and who has logged in, edits where an answer leads to and its
# cookies, and notices that a browser is gone only when it writes to it.
class Proxy < Listener
  DASHBOARD = '/pun/sys/dashboard/batch_connect/sessions'
  # ood-portal.conf
  LOCATION = %r{\A([^/]+//[^/]+)|(?=/)|\A([./]+(?<!/))}

  # @param card [String] HTML
  # @param dashboard [#call] what is done where the dashboard is asked for its sessions
  attr_writer :card, :dashboard
  # @return [Queue] of each request, its first line and headers
  attr_reader :heads

  # @param user [String, nil] who has logged in
  def initialize(user: nil)
    @heads = Queue.new
    @user = user ? ["X-Forwarded-User: #{user}\r\n"] : []
    super()
  end

  def url
    "http://127.0.0.1:#{port}/"
  end

  private

  def serve(socket, path, head, body)
    @heads << head.join
    base, port, rest = path.match(%r{\A(/rnode/127\.0\.0\.1/(\d+))(/.*)\z})&.captures
    return pass(socket, port, base, [head[0].sub(/ \S+ /, " #{rest} "), *head.drop(1)], body) if port

    @dashboard&.call if path == DASHBOARD
    socket << "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
    socket << "<!DOCTYPE html><html lang=\"en\"><title>Card</title>#{@card}" if path == '/'
  end

  def pass(socket, port, base, head, body)
    upgraded = head.grep(/\Aupgrade:/i).any?
    others = head.grep_v(upgraded ? /\A(?:host|authorization):/i : /\A(?:host|authorization|connection):/i)
    others += head.grep(/\Ahost:/i).map { |line| "X-Forwarded-#{line}" }
    others.push("Host: 127.0.0.1:#{port}\r\n", *@user, *("Connection: close\r\n" unless upgraded), "\r\n")
    TCPSocket.open('127.0.0.1', port) do |behind|
      behind << others.join << body
      there = Thread.new { IO.copy_stream(socket, behind) } if upgraded
      socket << behind.gets("\r\n\r\n").lines.map { |line| edited(line, base) }.join
      loop { socket << behind.readpartial(1 << 16) }
    ensure
      there&.kill
    end
  end

  def edited(line, base)
    case line
    when /\Alocation: (.*)/im then "Location: #{Regexp.last_match(1).sub(LOCATION, base)}"
    when /\Aset-cookie: /i then line.gsub(/;\s*(?:domain|path)=[^;\r]*/i, '').sub(/(?=[;\r])/, "; Path=#{base}")
    else line
    end
  end
end

# A server of the page's, a process.
module ChatProcess
  attr_reader :port

  # @return [Boolean] whether it answers
  def ready?
    TCPSocket.open('127.0.0.1', @port).close
    true
  rescue SystemCallError
    raise 'It has ended.' if Process.wait(@pid, Process::WNOHANG)

    false
  end

  # @return [Integer] KiB of memory
  def resident
    File.read("/proc/#{@pid}/status")[/^VmRSS:\s+(\d+)/, 1].to_i
  end

  # @return [Process::Status]
  def stop
    Process.kill('TERM', @pid)
    Process.wait2(@pid)[1]
  end

  private

  def start(*command, **options)
    @port = FreePort.get
    @pid = spawn(yield, *command, **options)
  end
end

# As its job runs it.
class ChatJob
  include ChatProcess

  TEMPLATE = File.expand_path('../../apps-clients/multitenant-gradio/template', __dir__)
  SERVICE = 'hpcfaculty: Spanish 301 model'

  # @param service [Hash{String => String}] what it knows of the service, in its environment
  # @param dir [String] its own
  def initialize(service, dir)
    @password = SecureRandom.hex
    start('python3', '-E', '-s', '-B', File.join(TEMPLATE, 'chat.py'), chdir: dir) do
      { 'host' => '127.0.0.1', 'port' => @port.to_s, 'password' => @password, 'mt_owner' => 'hpcfaculty',
        'mt_service' => SERVICE, **service }
    end
  end

  # @return [String] HTML of its card
  def card
    view = ERB.new(File.read(File.join(TEMPLATE, '../view.html.erb')), trim_mode: '-')
    view.result_with_hash(host: '127.0.0.1', port: @port, password: @password, mt_service: SERVICE, mt_job: nil)
  end
end

# As in the client image, of the files that its Containerfile copies.
class ChatAlone
  include ChatProcess

  ROOT = File.expand_path('../..', __dir__)
  COPY = %r{^COPY (.*) /opt/multitenant/chat/$}

  # @return [String] the file that it writes to
  attr_reader :log

  # @param env [Hash{String => String}]
  # @param dir [String] where the files are copied to; the block may change them there
  def initialize(env, dir)
    copied = File.read(File.join(ROOT, 'images/client/Containerfile')).gsub("\\\n", ' ')[COPY, 1].split
    FileUtils.cp(copied.flat_map { |path| Dir.glob(File.join(ROOT, path)) }, dir)
    yield if block_given?
    File.symlink('chat_alone.py', program = File.join(dir, 'multitenant-chat'))
    @log = File.join(dir, 'log')
    start(program, %i[out err] => @log, chdir: '/') { { 'CHAT_PORT' => @port.to_s, **env } }
  end
end
