# frozen_string_literal: true

require 'socket'
require 'timeout'
require_relative 'theme'

module MultiTenant
  class Doctor
    # The tunnel of systemd/multitenant-tunnel@.service: at the front end its files and its port, at the other end what
    # its key may do.
    class Tunnel < Theme
      CHECKS = { files: 'Tunnel', ports: 'Tunnel\'s port', account: 'Tunnel\'s account' }.freeze

      ACCOUNT = 'multitenant-tunnel'
      HOME = "/etc/#{ACCOUNT}".freeze
      LINES = "#{HOME}/.ssh/authorized_keys".freeze
      UNIT = "/etc/systemd/system/#{ACCOUNT}@.service".freeze
      PAGE = 'doc/proxy.md, "A front end elsewhere"'
      VARIABLES = %w[TUNNEL_TO TUNNEL_PORT TUNNEL_FORWARD].freeze
      # What the line of authorized_keys has to have, and what gives back what `restrict` takes.
      WANTED = %w[restrict port-forwarding permitopen command].freeze
      GIVEN = %w[pty agent-forwarding x11-forwarding user-rc].freeze
      FORWARD = /\A([^:]+|\[.+?\]):(\d{1,5}):(.+:\d{1,5})\z/
      OPTION = /\G([\w-]+)(?:="((?:\\"|[^"])*)")?(?:,|(?=\s))/
      # What sshd has to say of the account, and what allows more.
      DAEMON = { 'allowtcpforwarding' => 'local', 'allowstreamlocalforwarding' => 'no' }.freeze

      def files
        if tunnels.empty? && !File.exist?(site.at(LINES))
          return skip('this host has none.') unless File.exist?(site.at(UNIT))

          return fail!("#{UNIT} is here, and no #{HOME}/NAME/env.", "#{PAGE}, says what belongs there.")
        end
        tunnels.each { |dir| look_at(dir) }
      end

      def ports
        tunnels.each do |dir|
          told = variables(dir)['TUNNEL_FORWARD'] or next
          host, port, far = told.match(FORWARD)&.captures
          far ? reach(File.basename(dir), dir, host, port, far) : fail!(*unclear(dir, told))
        end
      end

      def account
        path = site.at(LINES)
        return unless File.exist?(path)
        return fail!(*unsafe(path)) unless SystemFile.secure?(path)

        lines = read(path).lines(chomp: true).grep_v(/\A\s*(?:#|\z)/)
        wide = lines.filter_map { |line| more_than_forwards(line) }
        return fail!("a key of #{path} #{wide.first}.", "Give it the options that #{PAGE}, has.") if wide.any?

        daemon(lines.size)
      rescue Errno::EACCES
        skip("this user can't read #{path}.")
      end

      private

      # @return [Array<String>] the directories of those that start here
      def tunnels
        @tunnels ||= Dir.glob(site.at("#{HOME}/*/env")).map { |path| File.dirname(path) }
      end

      # @return [String] valid UTF-8
      def read(path)
        File.read(path, encoding: 'UTF-8').scrub
      end

      def unclear(dir, told)
        ["TUNNEL_FORWARD of #{dir}/env is #{told.inspect}, which is no ADDRESS:PORT:ADDRESS:PORT.",
         "#{PAGE}, has one."]
      end

      def variables(dir)
        read("#{dir}/env").scan(/^\s*(TUNNEL_\w+)=["']?([^"'\n]*?)["']?\s*$/).to_h
      rescue Errno::EACCES
        {}
      end

      def look_at(dir)
        missing = VARIABLES.reject { |name| variables(dir)[name] }
        return fail!("#{dir}/env has no #{list(missing)}.", "#{PAGE}, says what belongs there.") if missing.any?

        wrong = key_wrong("#{dir}/key")
        return fail!(*wrong) if wrong

        known = "#{dir}/known_hosts"
        return fail!("#{known} has no host key, so ssh connects to nobody.", "Copy the other end's: #{PAGE}.") unless
          File.size?(known)
        return not_roots!(known) unless SystemFile.secure?(known)

        ok("#{dir}/key is its account's alone, and only root can change #{known}.")
      end

      # @return [Array(String, String), nil]
      def key_wrong(path)
        stat = File.stat(path)
        owner = File.binread(site.at('/etc/passwd'))[/^#{ACCOUNT}:[^:]*:(\d+):/, 1]
        if owner.nil?
          ["there is no account #{ACCOUNT}.", "Make it with useradd: #{PAGE}."]
        elsif stat.uid != owner.to_i
          ["#{path} is not #{ACCOUNT}'s, so ssh can't use it.", "Run `chown #{ACCOUNT} #{path}; chmod 600 #{path}`."]
        elsif stat.mode.anybits?(0o077)
          ["others can read #{path}, so ssh refuses to use it.",
           "Run `chmod 600 #{path}`, or make a new key where others log in."]
        end
      rescue Errno::ENOENT
        ["there is no #{path}.", "Make it with ssh-keygen: #{PAGE}."]
      end

      # Any answer is the proxy's, which any user of this host can be while the tunnel is down.
      def reach(name, dir, host, port, far)
        said = Timeout.timeout(Site::PATIENCE) { ask(host.delete('[]'), port.to_i) }
        return ok("#{host}:#{port} answers, through the tunnel #{name}.") if said.start_with?('HTTP/')

        fail!("#{host}:#{port} takes connections, and nothing answers at the other end's #{far}.",
              'See there whether the proxy listens, and whether permitopen names it.')
      rescue Errno::ECONNREFUSED
        fail!("nothing listens on #{host}:#{port}: #{other_host_key(dir) || 'the tunnel is down'}.",
              "See `journalctl -u #{ACCOUNT}@#{name}`; a new host key belongs in #{dir}/known_hosts once you know " \
              'that it is the other end\'s.')
      rescue SystemCallError, SocketError, Timeout::Error => e
        fail!("#{host}:#{port} does not answer: #{e.message}.", "See `journalctl -u #{ACCOUNT}@#{name}`.")
      end

      def ask(host, port)
        TCPSocket.open(host, port) do |socket|
          socket.write("GET / HTTP/1.0\r\n\r\n")
          socket.read(5).to_s
        end
      rescue Errno::ECONNRESET, Errno::EPIPE
        ''
      end

      # @return [String, nil] that the host key is another
      def other_host_key(dir)
        return unless site.core?

        host, port = variables(dir).values_at('TUNNEL_TO', 'TUNNEL_PORT')
        ran = site.run('ssh-keyscan', '-T', '3', '-p', port.to_s, host.to_s[/[^@]+\z/].to_s)
        keys = ran ? ran.out.lines.grep_v(/\A#/).filter_map { |line| line.split[2] } : []
        return if keys.empty? || keys.any? { |key| read("#{dir}/known_hosts").include?(key) }

        "#{host} shows a host key that #{dir}/known_hosts does not have"
      end

      # @return [String, nil]
      def more_than_forwards(line)
        options = line.scan(OPTION).to_h { |name, value| [name.downcase, value.to_s] }
        missing = WANTED - options.keys
        return "may do more than forward: it lacks #{list(missing)}" if missing.any?

        given = GIVEN & options.keys
        return "may do more than forward: it has #{list(given)}" if given.any?

        'may open any port: permitopen names all' if line.scan(/permitopen="([^"]*)"/i).flatten.any?(/\A\*:|:\*\z/)
      end

      def unsafe(path)
        ["users other than root can change #{path} or a directory above it, and so what its keys may do.",
         "Run `chown root #{path}; chmod go-w #{path}`, and the same for the directories above it."]
      end

      def daemon(keys)
        return skip('only root can ask sshd what it allows the account.') unless site.root?
        return unless core?

        ran = site.run('sshd', '-T', '-C', "user=#{ACCOUNT},host=localhost,addr=127.0.0.1")
        return skip("sshd -T does not tell what it allows: #{ran&.error || 'it is not there'}") unless ran&.success?

        set = ran.out.downcase.lines.to_h { |line| line.chomp.split(' ', 2) }
        wide = DAEMON.reject { |name, value| [value, 'no'].include?(set[name]) }
        told = keys == 1 ? 'its key' : "its #{keys} keys"
        return ok("#{told} may forward to what permitopen names, and do nothing else.") if wide.empty?

        warn!("its keys may also listen on this host: sshd has #{list(wide.map { |name, _| "#{name} #{set[name]}" })}.",
              "Add the block `Match User #{ACCOUNT}` that #{PAGE}, has, and reload sshd.")
      end
    end
  end
end
