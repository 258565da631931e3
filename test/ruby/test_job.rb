# frozen_string_literal: true

require_relative 'helper'
require 'socket'

# libexec/multitenant-job, whose functions scripts of any strictness call.
class TestJob < MultiTenantTest
  JOB = File.expand_path('../../libexec/multitenant-job', __dir__)

  # A kernel without IPv6 has no /proc/net/tcp6.
  WITHOUT_IPV6 = 'cat() { command cat "${@/tcp6/gone}"; }'

  def strangers_listen?(port, uid)
    script = "set -euo pipefail; source #{JOB}; #{WITHOUT_IPV6}; port=#{port}; ! strangers_listen || echo yes"
    out, status = Open3.capture2('setpriv', "--reuid=#{uid}", '--clear-groups', 'bash', '-c', script)
    assert_predicate status, :success?
    out == "yes\n"
  end

  def test_a_stranger_is_seen_on_a_node_without_ipv6
    skip_unless(Process.euid.zero?, 'needs root')
    server = TCPServer.new('127.0.0.1', 0)
    assert strangers_listen?(server.addr[1], 4999)
    refute strangers_listen?(server.addr[1], 0)
  ensure
    server&.close
  end

  # For a minute no server gets it.
  def test_a_port_that_a_connection_had_until_now_is_not_chosen
    server = TCPServer.new('127.0.0.1', 0)
    left = Socket.tcp('127.0.0.1', server.addr[1])
    port = left.local_address.ip_port
    left.close
    server.accept.close
    ports = [port, server.addr[1], 1]
    find = "find_port() { sed -i 1d ports; head -n 1 ports; }; host=; printf '%s\n' 0 #{ports.join(' ')} >ports"
    Dir.mktmpdir do |dir|
      assert_equal ["1\n", true], bash("cd #{dir}; source #{JOB}; #{find}; choose_port; echo $port")
    end
  ensure
    server&.close
  end

  def bash(script)
    out, status = Open3.capture2('bash', '-c', "set -euo pipefail; #{script}")
    [out, status.success?]
  end
end
