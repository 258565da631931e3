# frozen_string_literal: true

require_relative 'healthy_host'
require 'socket'

# What doctor says of both ends of the tunnel to a front end elsewhere.
class TestDoctorTunnel < DoctorTest
  HOME = '/etc/multitenant-tunnel'
  LINE = File.read(File.join(Tree::ROOT, 'doc/proxy.md'), encoding: 'UTF-8')[/^ *(restrict.*)$/, 1]
  KEY = 'ssh-ed25519 AAAAhost'
  ALLOWED = "allowtcpforwarding local\nallowstreamlocalforwarding no"

  def teardown
    @proxy&.kill
    @server&.close
    super
  end

  # Something that answers each connection so.
  def front_end(answer = "HTTP/1.1 404 Not Found\r\n\r\n")
    @server = TCPServer.new('127.0.0.1', 0)
    @proxy = Thread.new do
      loop { @server.accept.tap { |client| client.gets && client.write(answer) }.close }
    end
    @proxy.report_on_exception = false
    host.write('/etc/passwd', "ann:x:2001:2001:\xfc:/:\n" \
                              "multitenant-tunnel:x:997:997::/etc/multitenant-tunnel:/usr/sbin/nologin\n")
    host.write("#{HOME}/hpc/env", "TUNNEL_TO=multitenant-tunnel@login\nTUNNEL_PORT=22\n" \
                                  "TUNNEL_FORWARD=127.0.0.1:#{@server.addr[1]}:127.0.0.1:899\n")
    host.write("#{HOME}/hpc/key", 'secret', mode: 0o600)
    File.chown(997, nil, host.at("#{HOME}/hpc/key"))
    host.write("#{HOME}/hpc/known_hosts", "login #{KEY}\n")
  end

  def other_end(line = LINE, allowed = ALLOWED)
    host.write("#{HOME}/.ssh/authorized_keys", "# the front end's\n#{line} ssh-ed25519 AAAA front\n")
    host.program('sshd', "[ \"$3\" = user=multitenant-tunnel,host=localhost,addr=127.0.0.1 ] && echo '#{allowed}'")
  end

  def assert_fails(what, seen, fix)
    assert_told 'Tunnel', 'FAIL', what, seen, fix, as: nil
  end

  def test_a_host_without_a_tunnel
    assert_told 'Tunnel', 'skip', 'Tunnel', /this host has none/
    host.write('/etc/systemd/system/multitenant-tunnel@.service', '')
    assert_fails 'Tunnel', %r{is here, and no /etc/multitenant-tunnel/NAME/env}, /A front end elsewhere/
  end

  def test_files_of_the_front_end
    front_end
    assert_told 'Tunnel', 'ok', 'Tunnel', /key is its account's alone, and only root can change \S+known_hosts/
    File.chmod(0o640, host.at("#{HOME}/hpc/key"))
    assert_fails 'Tunnel', /others can read \S+key, so ssh refuses/, /chmod 600/
    File.chown(0, nil, host.at("#{HOME}/hpc/key"))
    assert_fails 'Tunnel', /key is not multitenant-tunnel's, so ssh can't use it/, /chown multitenant-tunnel/
    File.unlink(host.at("#{HOME}/hpc/key"))
    assert_fails 'Tunnel', /there is no \S+key/, /ssh-keygen/
    host.write("#{HOME}/hpc/env", "TUNNEL_TO=login\n")
    assert_fails 'Tunnel', /env has no TUNNEL_PORT, TUNNEL_FORWARD/, /A front end elsewhere/
  end

  def test_known_hosts_of_the_front_end
    front_end
    known = host.at("#{HOME}/hpc/known_hosts")
    File.chmod(0o666, known)
    assert_fails 'Tunnel', /users other than root can change \S+known_hosts/, /go-w/
    File.write(known, '')
    assert_fails 'Tunnel', /known_hosts has no host key/, /Copy the other end's/
  end

  def test_the_port_of_the_front_end
    front_end
    assert_told 'Tunnel', 'ok', "Tunnel's port", /answers, through the tunnel hpc/
    @proxy.kill
    @server.close
    host.program('ssh-keyscan', "[ $# = 5 ] && echo 'login #{KEY}'")
    assert_fails "Tunnel's port", /nothing listens on 127.0.0.1:\d+: the tunnel is down/, /journalctl -u .*@hpc/
    host.program('ssh-keyscan', "echo 'login ssh-ed25519 AAAAother'")
    assert_fails "Tunnel's port", /login shows a host key that \S+known_hosts does not have/, /once you know that it is/
  end

  def test_files_that_make_no_sense
    front_end
    ['8099:127.0.0.1:899', '/run/a:127.0.0.1:899', "127.0.0.1:8099:\xff"].each do |forward|
      host.write("#{HOME}/hpc/env", "TUNNEL_TO=a@login\nTUNNEL_PORT=22\nTUNNEL_FORWARD=#{forward}\n")
      assert_fails "Tunnel's port", /TUNNEL_FORWARD of \S+ is .*, which is no ADDRESS:PORT/, /A front end elsewhere/
    end
    host.write("#{HOME}/hpc/env", "TUNNEL_TO=a@login\nTUNNEL_PORT=22\nTUNNEL_FORWARD=127.0.0.1:01:127.0.0.1:899\n")
    assert_fails "Tunnel's port", /nothing listens on 127.0.0.1:01/, /journalctl/
  end

  def test_a_tunnel_that_leads_to_nobody
    front_end('')
    assert_fails "Tunnel's port", /takes connections, and nothing answers at the other end's 127\S+:899/, /permitopen/
  end

  # While the tunnel is down any user may have its port, and root is who runs doctor.
  def test_an_answer_without_an_end_is_not_read
    front_end
    @proxy.kill
    sent = 0
    @proxy = Thread.new do
      client = @server.accept
      sent += client.write('x' * (1 << 20)) while sent < 256 << 20
    rescue SystemCallError
      nil # nobody reads any more
    end
    assert_fails "Tunnel's port", /takes connections, and nothing answers/, /permitopen/
    @proxy.join(10)
    assert_operator sent, :<, 64 << 20
  end

  def test_what_a_key_may_do_at_the_other_end
    other_end
    assert_told 'Tunnel', 'ok', "Tunnel's account", /its key may forward to what permitopen names, and/, as: nil
    assert_told 'Tunnel', 'skip', "Tunnel's account", /only root can ask sshd/
    { 'restrict,permitopen="a:1",port-forwarding' => /lacks command/, '' => /lacks restrict, port-forwarding/,
      "pty,#{LINE}" => /it has pty/, LINE.sub('127.0.0.1:899', '*:899') => /may open any port/ }.each do |line, seen|
      other_end(line)
      assert_fails "Tunnel's account", seen, /the options that/
    end
    other_end(LINE, ALLOWED.sub('local', 'yes'))
    assert_told 'Tunnel', 'warn', "Tunnel's account", /may also listen on this host: .* allowtcpforwarding yes/,
                /Match User multitenant-tunnel/, as: nil
    File.chmod(0o666, host.at("#{HOME}/.ssh/authorized_keys"))
    assert_fails "Tunnel's account", /users other than root can change \S+authorized_keys/, /go-w/
  end

  def test_the_command_looks_at_nothing_else
    done = run_as(nil, RbConfig.ruby, '-I', host.lib, File.join(Tree::ROOT, 'exe/multitenant'), 'doctor', '--tunnel')
    assert_empty done.out.lines[..-2].grep_v(/\A(?:\w+ +Tunnel| )/), done.err
  end
end
