# frozen_string_literal: true

# A job's server as a proxy meets it, in a process of its own: it says who it is and what it was asked for, at /events
# it goes on until it is left, and at /ws it says what it hears.
#
#   ruby test/ruby/served.rb NAME     prints its port, and is ready then
require 'digest'
require 'socket'

SERVER = TCPServer.new('127.0.0.1', 0)

def serve(client)
  path = client.gets.to_s.split[1]
  key = nil
  while (line = client.gets&.chomp) && !line.empty? do key ||= line[/\Asec-websocket-key: (.*)/i, 1] end
  case path
  when '/events' then events(client)
  when '/ws' then echo(client, key)
  else
    body = "#{ARGV[0]} #{path}"
    client.write("HTTP/1.1 200 OK\r\nContent-Length: #{body.bytesize}\r\nConnection: close\r\n\r\n#{body}")
  end
rescue SystemCallError
  nil
ensure
  client.close
end

def events(client)
  client.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
  (1..).each { |n| client.write("data: #{n}\n\n") && sleep(0.05) }
end

def echo(client, key)
  accept = Digest::SHA1.base64digest("#{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
  client.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
               "Sec-WebSocket-Accept: #{accept}\r\n\r\n")
  while (line = client.gets) do client.write("#{ARGV[0]} #{line}") end
end

puts SERVER.addr[1]
$stdout.flush
loop { Thread.new(SERVER.accept) { |client| serve(client) } }
