# frozen_string_literal: true

require 'json'
require 'socket'

# What answers in the place of a gateway, at a port of this host: what the test says, to whatever is asked.
class StandInGate
  attr_reader :port, :asked

  # @yield [TCPSocket, Hash, String] the connection, the request's headers ('' => its first line), its body
  def initialize(&block)
    @server = TCPServer.new('127.0.0.1', 0)
    @port = @server.addr[1].to_s
    @asked = []
    @thread = Thread.new { loop { serve(block) } }
    @thread.report_on_exception = false
  end

  # @return [StandInGate] it gives everybody who comes with JSON that answer
  def self.saying(answer, status: '200 OK')
    new { |client, *| client.write("HTTP/1.1 #{status}\r\nContent-Type: application/json\r\n\r\n#{answer}") }
  end

  def stop
    @thread.kill
    @server.close
  end

  # @return [Array<Hash>] the credentials that came
  def credentials
    asked.map { |_, body| JSON.parse(body).fetch('credential') }
  end

  private

  def serve(block)
    client = @server.accept
    headers = { '' => client.gets.to_s.chomp }
    while (line = client.gets.to_s.chomp) && !line.empty?
      name, value = line.split(': ', 2)
      headers[name.downcase] = value
    end
    body = client.read(headers['content-length'].to_i)
    @asked << [headers, body]
    block.call(client, headers, body)
  rescue SystemCallError, IOError
    # It did not wait for the end.
  ensure
    client&.close
  end
end
