# frozen_string_literal: true

require_relative 'proxied'
require 'shellwords'

# The tunnel to a front end elsewhere, through a real sshd: its unit's own command, and what doc/proxy.md says for the
# other end.
class TestTunnel < MultiTenantTest
  include Proxied

  SSHD = MultiTenant::Program.find('sshd', "#{ENV.fetch('PATH')}:/usr/sbin")
  UNIT = File.read(File.join(Tree::ROOT, 'systemd/multitenant-tunnel@.service')).gsub(/^#.*\n/, '').gsub("\\\n", '')
  PAGE = File.read(File.join(Tree::ROOT, 'doc/proxy.md'), encoding: 'UTF-8')
  # The front end's account, and the other end's, which has a shell here.
  ACCOUNT = 'nobody'
  OTHER = 'root'

  def setup
    super
    need_root
    skip_unless(SSHD && MultiTenant::Program.find('ssh', ENV.fetch('PATH')), 'needs openssh-server')
    FileUtils.mkdir_p('/run/sshd', mode: 0o755) # as its unit makes it
    @home = GemHomes.make # no directory above may be others'
    @port, @ssh_port, @listen = Array.new(3) { FreePort.get }
    serve('j1')
    @proxy = @served['j1'].last
    front_end
    other_end
  end

  def teardown
    @done = true
    [@ssh, @sshd].compact.each { |pid| stop(pid) }
    @again&.join
    super
  end

  def stop(pid)
    Process.kill(:KILL, pid)
  rescue Errno::ESRCH
    nil
  end

  # ---- both ends ----

  def front_end
    FileUtils.mkdir_p(place)
    File.write("#{place}/env", "TUNNEL_TO=#{OTHER}@127.0.0.1\nTUNNEL_PORT=#{@ssh_port}\n" \
                               "TUNNEL_FORWARD=127.0.0.1:#{@listen}:127.0.0.1:#{@proxy}\n")
    keygen("#{place}/key")
    FileUtils.chown(ACCOUNT, nil, "#{place}/key")
  end

  def place
    "#{@home}/multitenant-tunnel/hpc"
  end

  def keygen(path)
    FileUtils.rm_f(path)
    assert system('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', path)
  end

  def host_key
    keygen("#{@home}/host_key")
    File.read("#{@home}/host_key.pub").split.first(2).join(' ')
  end

  def other_end
    File.write("#{place}/known_hosts", "[127.0.0.1]:#{@ssh_port} #{host_key}\n")
    File.write("#{@home}/authorized_keys", "#{told(/^ *(restrict.*)$/)} #{File.read("#{place}/key.pub")}")
    File.write("#{@home}/sshd_config", <<~SSHD)
      ListenAddress 127.0.0.1:#{@ssh_port}
      HostKey #{@home}/host_key
      AuthorizedKeysFile #{@home}/authorized_keys
      PidFile none
      Subsystem sftp internal-sftp
      #{told(/^ *(Match User .*\n(?: +\w+ .*\n)+)/)}
    SSHD
    start
  end

  # The page's own words, of this other end.
  def told(words)
    PAGE[words, 1].gsub('127.0.0.1:899', "127.0.0.1:#{@proxy}").gsub('User multitenant-tunnel', "User #{OTHER}")
  end

  # With all that it starts, as it ends with its host.
  def start
    @sshd = spawn('unshare', '--pid', '--fork', '--kill-child', '--', SSHD, '-D', '-e', '-f', "#{@home}/sshd_config",
                  err: log('sshd'))
    wait_until { open?(@ssh_port) }
  end

  def open?(port)
    TCPSocket.new('127.0.0.1', port).close
    true
  rescue Errno::ECONNREFUSED
    false
  end

  def log(name)
    [File.join(temporary, name), 'a']
  end

  # ---- what systemd does ----

  def unit(name)
    UNIT[/^#{name}=(.*)/, 1]
  end

  def expand(text)
    text.gsub('%E', @home).gsub('%i', 'hpc')
  end

  def command
    env = File.read(expand(unit('EnvironmentFile'))).lines(chomp: true).to_h { |line| line.split('=', 2) }
    ['setpriv', '--reuid', ACCOUNT, '--regid', 'nogroup', '--clear-groups', '--',
     *Shellwords.split(expand(unit('ExecStart'))).map { |word| word.sub(/\$\{(\w+)\}/) { env[Regexp.last_match(1)] } }]
  end

  def run_unit
    assert_equal 'always', unit('Restart')
    @again = Thread.new do
      until @done
        @ssh = spawn(*command, in: '/dev/null', out: :err, err: log('ssh'))
        Process.wait(@ssh)
        sleep(Float(unit('RestartSec'))) unless @done
      end
    end
    @port = @listen
  end

  # Something else with the same key. @return [Done]
  def try(*options, ask: [])
    words = command.take_while { |word| word != '-p' } - ['-N']
    run_as(nil, *words, '-p', @ssh_port.to_s, *options, '--', command.last, *ask)
  end

  def said(name)
    File.read(File.join(temporary, name))
  end

  # ---- tests ----

  def test_the_address_is_back_after_the_other_end_was_gone
    run_unit
    wait_until { status('/x') == '200' }
    assert_equal 'j1 /x', get('/x').body
    stop(@sshd)
    wait_until { status('/x') == 'Errno::ECONNREFUSED' }
    start
    wait_until(30) { status('/x') == '200' }
  end

  def test_the_key_may_do_nothing_else
    other = serve('j2')
    terminal, command, files, other, *listening = at_once(
      ['-tt'], [{ ask: ['id'] }], ['-s', { ask: ['sftp'] }], ['-W', "127.0.0.1:#{other}"],
      *['127.0.0.1:0', "#{@home}/listening"].map { |where| ['-R', "#{where}:127.0.0.1:22", { ask: ['id'] }] }
    )
    assert_refused terminal, /PTY allocation request failed/
    assert_refused other, /administratively prohibited/
    listening.each { |done| assert_refused done, /remote port forwarding failed/ }
    [command, files].each do |done|
      assert_equal 1, done.code, done.err
      assert_match(/\AThis account is currently not available\.\s*\z/, done.out)
    end
    assert_equal '', over_socket
  end

  def at_once(*tries)
    tries.map { |*words, last| Thread.new { last.is_a?(Hash) ? try(*words, **last) : try(*words, last) } }.map(&:value)
  end

  def assert_refused(done, why)
    assert_equal [255, ''], [done.code, done.out]
    assert_match why, done.err
  end

  # What comes from a Unix socket of the other end's.
  def over_socket
    UNIXServer.open("#{@home}/socket") do |server|
      File.chmod(0o666, server.path)
      Thread.new { loop { server.accept.tap { |client| client.write('hello') }.close } }.report_on_exception = false
      @ssh = spawn(*command.take_while { |word| word != '-L' }, '-L', "127.0.0.1:#{@listen}:#{server.path}", '--',
                   command.last, err: log('ssh'))
      wait_until { open?(@listen) }
      TCPSocket.open('127.0.0.1', @listen, &:read)
    end
  end

  def test_a_host_key_that_has_changed_is_refused_with_a_sentence
    stop(@sshd)
    host_key
    start
    done = try(ask: ['id'])
    assert_equal 255, done.code
    assert_match(/Host key for \S+ has changed and you have requested strict checking\.\s+Host key verification failed/,
                 done.err)
    File.write("#{place}/known_hosts", '')
    assert_match(/No \S+ host key is known for \S+ and you have requested strict checking/, try(ask: ['id']).err)
  end
end
