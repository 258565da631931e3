# frozen_string_literal: true

require_relative 'helper'
require 'socket'

# The functions of jobs, which scripts of any strictness call, and servers beside them.
module InJob
  JOB = MultiTenant::Sharing::JOB

  # Listens on all addresses of that kind at the port, or at any, and says which, until it gets TERM.
  SERVER = <<~RUBY
    address, port, reuse = ARGV
    server = Socket.new(address.include?(':') ? :INET6 : :INET, :STREAM)
    server.setsockopt(:SOCKET, :REUSEPORT, 1) if reuse
    server.setsockopt(:IPV6, :V6ONLY, 1) if address.include?(':')
    server.bind(Addrinfo.tcp(address, port.to_i))
    server.listen(1)
    puts server.local_address.ip_port
    $stdout.flush
    sleep
  RUBY

  # @return [Integer] the port
  def listen(address = '0.0.0.0', port = 0, *reuse, job: '1', user: [])
    command = [*user, RbConfig.ruby, '-rsocket', '-e', SERVER, address, port.to_s, *reuse]
    (@servers ||= []) << IO.popen({ 'SLURM_JOB_ID' => job }, command, err: File::NULL)
    Integer(@servers.last.gets || raise(Errno::EADDRINUSE))
  end

  def teardown
    @servers&.each { |server| Process.kill('TERM', server.pid) && server.close }
    super
  end

  def bash(script, *before)
    out, status = Open3.capture2(*before, 'bash', '-c', "set -euo pipefail; #{script}")
    [out, status.success?]
  end
end
