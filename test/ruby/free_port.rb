# frozen_string_literal: true

require 'socket'

# A port for what a test is about to start. It is none of those that Linux gives to a connection, so that nothing takes
# it by chance before it is listened on.
module FreePort
  FIRST = 18_000

  # @return [Integer]
  def self.get
    last = File.read('/proc/sys/net/ipv4/ip_local_port_range').to_i - 1
    last = 65_535 if last < FIRST + 1000
    loop do
      port = Random.new.rand(FIRST..last)
      return TCPServer.open('0.0.0.0', port) { port }
    rescue Errno::EADDRINUSE
      next
    end
  end
end
