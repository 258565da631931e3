# frozen_string_literal: true

require 'socket'
require_relative '../../errors'
require_relative '../../host/system_file'

module MultiTenant
  class Slurmrestd
    # Who is at the other end of a connection within this host. While slurmrestd is down any user could take its port or
    # make its socket, and would be sent the token.
    module Peer
      TABLES = %w[/proc/net/tcp /proc/net/tcp6].freeze
      # An IPv4 address as an IPv6 socket has it.
      MAPPED = "#{"\0" * 10}\xff\xff".b.freeze
      # Seconds between two looks at whether the connection was taken.
      PAUSE = 0.01

      module_function

      # @param socket [UNIXSocket, TCPSocket] connected
      # @raise [Failure] unless it is root, an account of the system's or this user
      def check(socket)
        uid = socket.is_a?(UNIXSocket) ? socket.getpeereid[0] : uid_of(socket)
        return if SystemFile.system?(uid) || uid == Process.euid

        raise Failure.new(EX_NOPERM, "What answers there belongs to uid #{uid}, so the token was not sent.",
                          fix: 'Run slurmrestd as an account of the system\'s, with a uid below 1000.')
      end

      # proc(5): until a process has taken it, a connection has no inode, and no owner but root.
      def uid_of(socket)
        remote = socket.remote_address
        unless remote.ipv4_loopback? || remote.ipv6_loopback?
          raise Failure.new(EX_CONFIG, "#{remote.ip_address} is another host: the token is only sent there by https.")
        end

        ends = [remote, socket.local_address].map { |address| written(address) }
        loop do
          row = rows.find { |_, local, other, *| ends[0].include?(local) && ends[1].include?(other) }
          return Integer(row[7], 10) if row && row[9] != '0'

          sleep PAUSE
        end
      end

      def rows
        TABLES.select { |path| File.exist?(path) }.flat_map { |path| File.readlines(path).drop(1).map(&:split) }
      end

      # @return [Array<String>] as these tables have it, for IPv4 in both forms
      def written(address)
        bytes = address.to_sockaddr
        forms = address.ipv4? ? [bytes[4, 4], MAPPED + bytes[4, 4]] : [bytes[8, 16]]
        port = format(':%04X', address.ip_port)
        forms.map { |form| form.unpack('L*').map { |word| format('%08X', word) }.join + port }
      end
    end
  end
end
