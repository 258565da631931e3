# frozen_string_literal: true

require 'socket'
require_relative 'limits'

module MultiTenant
  class Card
    # At most a few users render at a time on the whole host, each of them once. Whoever renders listens on an
    # abstract socket meanwhile, and the kernel tells whose it is: so each user counts once, whatever they do, and
    # nothing is left behind. doc/decisions.md, 59
    module Turn
      NAME = 'multitenant-render-'
      LISTED = /@(#{NAME}[\w-]+)$/

      module_function

      # @return [#close, nil] to be kept until the end; nil: it is others' turn
      def take
        Limits::TRIES.times do
          server = UNIXServer.new("\0#{own = "#{NAME}#{Process.pid}-#{rand(1 << 32)}"}")
          users = users_but(own)
          return server unless users.include?(Process.uid) || users.size >= Limits::USERS

          server.close
          sleep(rand(0.1..0.3))
        end
        nil
      rescue SystemCallError # a host that has no such sockets
        IO.pipe[0]
      end

      # @param most [Integer] names that are looked at: somebody may listen under as many as they have descriptors
      # @return [Array<Integer>] uids
      def users_but(own, most = Limits::LISTENERS)
        names = File.foreach('/proc/net/unix', mode: 'rb').lazy.filter_map { |line| line[LISTED, 1] }
        names.reject { |name| name == own }.uniq.first(most).filter_map { |name| user_of(name) }.uniq
      end

      # @return [Integer, nil] nil: nobody listens there any more, or lets nobody know
      def user_of(name)
        Socket.open(:UNIX, :STREAM) do |socket|
          socket.connect_nonblock(Socket.pack_sockaddr_un("\0#{name}"))
          socket.getsockopt(:SOCKET, :PEERCRED).unpack('l3')[1]
        end
      rescue SystemCallError
        nil
      end
    end
  end
end
