# frozen_string_literal: true

require_relative '../ruby/free_port'
require_relative '../slurm/bed'
require 'net/http'

# A real JupyterHub with the pre-spawn hook, and servers of users of the test bed.
class TestJupyterhub < BedTest
  SECRET = SecureRandom.hex(16)
  TOKEN = SecureRandom.hex(16)

  def setup
    super
    @dir = Dir.mktmpdir('hub')
    FileUtils.chmod(0o755, @dir)
    Dir.mkdir(File.join(@dir, 'bin'))
    command("exec #{RbConfig.ruby} -I #{Bed::OURS}/lib #{Bed::OURS}/exe/multitenant \"$@\"")
    @ports = Array.new(3) { FreePort.get }
    File.write(File.join(@dir, 'config.py'), configuration)
    start
  end

  def teardown
    @pid && Process.kill('TERM', @pid) && Process.wait(@pid)
    Bed.cancel_all
    FileUtils.rm_rf(@dir)
  end

  # What `multitenant` does.
  def command(body)
    path = File.join(@dir, 'bin/multitenant')
    File.write("#{path}.new", "#!/bin/sh\n#{body}\n", perm: 0o755)
    File.rename("#{path}.new", path)
  end

  def configuration
    <<~PYTHON
      import sys
      sys.path.insert(0, "#{Bed::OURS}/initializer")
      sys.dont_write_bytecode = True
      from multitenant_jupyterhub import pre_spawn_hook
      c.Spawner.pre_spawn_hook = pre_spawn_hook
      c.Spawner.environment = {"SITES_OWN": "yes"}
      c.Spawner.debug = True
      c.JupyterHub.authenticator_class = "jupyterhub.auth.DummyAuthenticator"
      c.JupyterHub.bind_url = "http://127.0.0.1:#{@ports[0]}"
      c.JupyterHub.hub_port = #{@ports[1]}
      c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:#{@ports[2]}"
      c.ConfigurableHTTPProxy.command = "configurable-http-proxy"
      c.JupyterHub.log_level = "DEBUG"
      c.JupyterHub.services = [{"name": "test", "api_token": "#{TOKEN}"}]
      c.JupyterHub.load_roles = [{"name": "test", "scopes": ["admin:users", "admin:servers"], "services": ["test"]}]
    PYTHON
  end

  def start
    env = { 'PATH' => "#{@dir}/bin:#{ENV.fetch('PATH')}", 'MULTITENANT_TIMEOUT' => '8', 'OOD_CLUSTERS' => Bed::CLUSTERS,
            'MULTITENANT_MUNGE_SOCKET' => ENV.fetch('MULTITENANT_TESTBED_MUNGE_SOCKET'),
            'NODE_PATH' => '/usr/share/nodejs' } # for another Node than Debian's
    @pid = Process.spawn(env, '/usr/bin/jupyterhub', '--config=config.py', chdir: @dir, %i[out err] => log)
    Bed.wait(-> { "the hub answers: #{File.read(log)}" }, 120) { ask(:Get, '/').is_a?(Net::HTTPOK) }
  end

  def log
    File.join(@dir, 'log')
  end

  def ask(method, path)
    headers = { 'Authorization' => "token #{TOKEN}", 'Content-Type' => 'application/json' }
    request = Net::HTTP.const_get(method).new("/hub/api#{path}", headers)
    Net::HTTP.start('127.0.0.1', @ports[1], read_timeout: 120) { |http| http.request(request) }
  rescue SystemCallError, EOFError
    nil
  end

  # @return [Hash] what the hub knows of that user
  def told(user)
    JSON.parse(ask(:Get, "/users/#{user}").body)
  end

  # @return [Hash{String => String}] the environment of that user's new server, once the hub says that it is there
  def server(user)
    ask(:Post, "/users/#{user}")
    assert_includes %w[201 202], ask(:Post, "/users/#{user}/server").code
    Bed.wait(-> { "#{user} has a server: #{File.read(log)}" }, 120) { told(user)['server'] }
    pid = `pgrep -u #{Bed.uid(user)} -f jupyterhub-singleuser`.split.fetch(0)
    File.binread("/proc/#{pid}/environ").split("\0").to_h { |pair| pair.split('=', 2) }
  end

  def stop(user)
    ask(:Delete, "/users/#{user}/server")
    Bed.wait("#{user} has no server", 60) { told(user)['servers'].to_h.empty? }
  end

  def command_lines
    Dir.glob('/proc/[0-9]*/cmdline').map do |path|
      File.binread(path)
    rescue SystemCallError
      ''
    end
  end

  def test_each_server_has_its_own_users_services
    job_id = Bed.running(Bed.submit('hpcfaculty'))
    Bed.publish('hpcfaculty', job_id, Bed.accounting, { 'host' => 'n1', 'port' => '5432', 'password' => SECRET })
    seen = server('hpcstudent')
    assert_equal 'yes', seen['SITES_OWN']
    service = JSON.parse(seen.fetch('MT_SERVICES')).fetch(job_id.to_s)
    assert_equal ['hpcfaculty', SECRET], [service['user'], service['environment']['MT_PASSWORD']]
    assert_equal '{}', server('outsider').fetch('MT_SERVICES')
    kept = Dir.glob(File.join(@dir, '**/*')).select { |path| File.file?(path) }
    assert_operator kept.size, :>, 3 # log, database and cookie secret among them
    assert_empty([*command_lines, *kept.map { |path| File.binread(path) }].select { |text| text.include?(SECRET) })

    stop('hpcstudent')
    command('sleep 600')
    refute_includes server('hpcstudent').keys, 'MT_SERVICES'
    assert_match(/multitenant: hpcstudent starts without services: no answer in 10 s/, File.read(log))
  end

  # A hub and its servers take some of a minute.
  public_instance_methods(false).grep(/\Atest_/).each { |name| remove_method(name) } unless ENV.key?('MULTITENANT_LONG')
end
