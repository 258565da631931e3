# frozen_string_literal: true

# A job's server as a proxy meets it, in a process of its own: it says who it is and what it was asked for, at /events
# it goes on until it is left, and at /ws it says what it hears. What follows /to/ is where it sends who asks, with
# cookies. At /worker it says what holds for a whole host, at /proto by what it
# was told that it is met.
#
#   ruby test/ruby/served.rb NAME     prints its port, and is ready then
require 'digest'
require 'socket'
require 'uri'

SERVER = TCPServer.new('127.0.0.1', 0)

def serve(client)
  path = client.gets.to_s.split[1]
  key = proto = nil
  while (line = client.gets&.chomp) && !line.empty?
    key ||= line[/\Asec-websocket-key: (.*)/i, 1]
    proto ||= line[/\Ax-forwarded-proto: (.*)/i, 1]
  end
  case path
  when '/events' then events(client)
  when '/ws' then echo(client, key)
  when '/worker' then speak_for_all(client)
  when %r{\A/to/(.*)} then send_to(client, URI.decode_www_form_component(Regexp.last_match(1)))
  else
    body = path == '/proto' ? "by #{proto}" : "#{ARGV[0]} #{path}"
    client.write("HTTP/1.1 200 OK\r\nContent-Length: #{body.bytesize}\r\nConnection: close\r\n\r\n#{body}")
  end
rescue SystemCallError
  nil
ensure
  client.close
end

def send_to(client, place)
  client.write("HTTP/1.1 302 Found\r\nLocation: #{place}\r\nSet-Cookie: a=1; Path=/; HttpOnly\r\n" \
               "Set-Cookie: b=2; domain=.example.edu; Max-Age=3; path=/x\r\nSet-Cookie: c=3\r\n" \
               "Content-Length: 0\r\nConnection: close\r\n\r\n")
end

def speak_for_all(client)
  client.write("HTTP/1.1 200 OK\r\nService-Worker-Allowed: /\r\nClear-Site-Data: \"*\"\r\n" \
               "NEL: {\"report_to\":\"a\",\"max_age\":9999}\r\nReport-To: {\"group\":\"a\"}\r\n" \
               "Strict-Transport-Security: max-age=9999\r\nAlt-Svc: h2=\":1\"\r\nX-Own: yes\r\n" \
               "Content-Length: 0\r\nConnection: close\r\n\r\n")
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
