# frozen_string_literal: true

require_relative 'gate_host'

# A gateway in front of a server that can be measured: it runs in processes of its own, keeps connections, and is met
# at a port, too, where no gateway is in the way.
class BusyGateHost < GateHost
  SERVERS = 2
  PIECE = "10000\r\n#{'x' * 0x10000}\r\n".b.freeze # of 64 KiB
  LAST = "0\r\n\r\n".b.freeze
  HEAD = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".b.freeze

  attr_reader :bare_port

  # A client that keeps its connection, for as long as it may: nginx ends one after a thousand requests, and says so.
  class Client
    def initialize(port, token = 'none')
      @port = port
      @headers = "Host: x\r\nAuthorization: Bearer #{token}\r\n"
      @buffer = +''
      connect
    end

    def connect
      @socket&.close
      @socket = TCPSocket.new('127.0.0.1', @port)
    end

    # @return [Integer] bytes of a whole answer
    def get(path)
      @socket.write("GET #{path} HTTP/1.1\r\n#{@headers}\r\n")
      answer = @socket.readpartial(1 << 18, @buffer)
      raise "#{path}: #{answer[0, 200]}" unless answer.start_with?('HTTP/1.1 200 ')

      ends = answer.match?(/^Connection: close\r$/)
      count = answer.bytesize
      last = answer.byteslice(-5, 5)
      until last == LAST
        count += @socket.readpartial(1 << 18, @buffer).bytesize
        last = (last + (@buffer.byteslice(-5, 5) || @buffer)).byteslice(-5, 5)
      end
      connect if ends
      count
    end

    # @return [Client] it is a websocket from now on
    def upgrade
      @socket.write("GET /socket HTTP/1.1\r\n#{@headers}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
      head = @socket.each_line("\r\n").take_while { |line| line != "\r\n" }
      head[0].include?(' 101 ') ? self : raise(head.join)
    end

    # @return [String] what comes back for as many bytes
    def echo(text)
      @socket.write(text)
      @socket.read(text.bytesize)
    end

    def close
      @socket.close
    end
  end

  def client(token = self.token)
    Client.new(port, token)
  end

  def bare_client
    Client.new(bare_port)
  end

  # @return [Hash] what gate and nginx's worker hold: KiB and descriptors
  def held
    { gate: pid, nginx: worker }.transform_values do |process|
      [File.read("/proc/#{process}/status")[/VmRSS:\s*(\d+)/, 1].to_i, Dir.children("/proc/#{process}/fd").size]
    end
  end

  # @param uids [Array<Integer>] who log in so many times each, eight at a time
  # @return [Array<String>] what they are told
  def log_in(uids, times)
    all = credentials(uids, times)
    threads = all.each_slice((all.size / 8) + 1).map do |some|
      Thread.new { some.map { |one| login(one).then { |told| told.code == '200' ? 'let_in' : verdict(told)[1] } } }
    end
    threads.flat_map(&:value)
  end

  def stop
    @servers.each { |pid| Process.kill(:KILL, pid) && Process.wait(pid) }
    super
  end

  private

  # Each user's are made by one process of theirs.
  def credentials(uids, times)
    made = "for i in $(seq #{times}); do munge --socket=#{munged.socket} --cipher=aes256 --zip=zlib -t 180 " \
           "-u #{PUBLISHER} -s \"$0\"; done"
    all = uids.map do |uid|
      IO.popen(['setpriv', "--reuid=#{uid}", "--regid=#{uid}", '--clear-groups', 'sh', '-c', made, payload])
    end
    all.flat_map { |io| io.read.split.tap { io.close } }
  end

  def serve
    listening = [UNIXServer.new(path('server')), TCPServer.new('127.0.0.1', 0)]
    File.chmod(0o777, path('server'))
    @bare_port = listening[1].addr[1]
    listening.each { |server| server.listen(1024) }
    @servers = Array.new(SERVERS) { fork { listening.map { |server| accept(server) }.each(&:join) } }
    @server = Thread.new { nil }
    listening.each(&:close)
  end

  def accept(server)
    Thread.new { loop { Thread.new(server.accept) { |client| converse(client) } } }
  end

  def converse(client)
    client.setsockopt(:TCP, :NODELAY, 1) if client.is_a?(TCPSocket)
    while (request = client.gets("\r\n\r\n"))
      break IO.copy_stream(upgraded(client), client) if request.start_with?('GET /socket')

      swallow(client, request[/^Content-Length: (\d+)/i, 1].to_i)
      respond(client, request.split[1])
    end
  rescue SystemCallError, IOError
    nil
  ensure
    client.close
  end

  def upgraded(client)
    client.write("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    client
  end

  def swallow(client, left)
    left -= client.readpartial([left, 1 << 16].min).bytesize while left.positive?
  end

  # /5ms takes as long, /MB/16 is streamed.
  def respond(client, path)
    sleep 0.005 if path == '/5ms'
    return client.write("#{HEAD}2\r\nok\r\n#{LAST}") unless path.start_with?('/MB/')

    client.write(HEAD)
    (path[/\d+/].to_i * 16).times { client.write(PIECE) }
    client.write(LAST)
  end
end
