# frozen_string_literal: true

require 'base64'
require 'json'
require 'net/http'
require 'socket'
require_relative 'free_port'
require_relative 'munged'

# A job with a gateway: multitenant-gate and nginx as the publisher, a server behind them, a munged of its own, and
# users and groups that neither this machine nor a test bed has, since an account whose user runs something can't be
# removed.
class GateHost
  PROGRAM = File.expand_path('../../lib/multitenant/multitenant-gate', __dir__)
  PUBLISHER = 61_001
  CLASS = (1..24).to_h { |number| ["pupil#{number}", 63_000 + number] }.freeze
  USERS = { 'prof' => PUBLISHER, 'ann' => 62_001, 'bob' => 62_002, 'eve' => 62_999 }.merge(CLASS).freeze
  MEMBERS = ['prof', 'ann', 'bob', *CLASS.keys].freeze
  BASE = '/rnode/n1/8080/'

  # What /etc is for the gate while it runs. A file that is mounted there is gone once somebody on this machine puts
  # another in its place, as all do who make accounts.
  MOUNT = 'mount --bind "$1" /etc && shift && exec "$@"'

  attr_reader :munged, :state, :pid
  attr_accessor :port

  # @param patience [Integer, nil] seconds after which nginx no longer waits for the gate
  # @param env [Hash] of the gate
  # @param config [Hash] changes to the gate's configuration
  def initialize(dir, patience: nil, env: {}, **config)
    @dir = dir
    @patience = patience
    @env = env
    @munged = Munged.new(make('munge', 0o755))
    @state = make('state', 0o700)
    @run = make('run', 0o700)
    make('run/tmp', 0o700)
    File.symlink(File.join(@state, 'log'), File.join(@run, 'log'))
    @config = { cluster: 'hpc', job: 4711, restarts: 0, group: 'students', state: @state,
                socket: File.join(@run, 'gate'), expires: 0, rate: 0, kind: 'http', bases: [BASE],
                munge_socket: @munged.socket }.merge(config)
    FileUtils.chown_R(PUBLISHER, PUBLISHER, [@state, @run])
    FileUtils.cp(PROGRAM, path('multitenant-gate'))
    make('etc', 0o755)
    members(*MEMBERS)
    File.write(path('etc/passwd'), USERS.map { |name, uid| "#{name}:x:#{uid}:#{uid}::/nonexistent:/bin/false\n" }.join)
    serve
  end

  def make(name, mode)
    path(name).tap { |dir| Dir.mkdir(dir) && File.chmod(mode, dir) }
  end

  def path(*parts)
    File.join(@dir, *parts)
  end

  # Who is in the group, from now on.
  def members(*names)
    File.write(path('etc/group'), "students:x:63000:#{names.join(',')}\n")
  end

  def publisher(*argv)
    ['setpriv', '--reuid', PUBLISHER.to_s, '--regid', PUBLISHER.to_s, '--clear-groups', '--', *argv]
  end

  def new_keys
    system(*publisher(path('multitenant-gate'), '--new-keys', @state), exception: true)
  end

  def start
    new_keys
    @port ||= FreePort.get
    write('nginx.conf', nginx_configuration)
    write('config.json', JSON.generate(@config.merge(nginx: nginx)))
    @pid = spawn(@env, 'unshare', '--mount', 'sh', '-ec', MOUNT, 'sh', path('etc'),
                 *publisher(path('multitenant-gate'), '--config', path('config.json')), err: path('err'))
    self
  end

  def nginx
    ['/usr/sbin/nginx', '-c', path('nginx.conf'), '-p', @run]
  end

  def write(name, text)
    File.write(path(name), text, perm: 0o600)
    File.chown(PUBLISHER, PUBLISHER, path(name))
  end

  def answers?
    get('/').code == '401'
  rescue SystemCallError, EOFError
    false
  end

  # What is written as the publisher's commands do it.
  def list(name, text)
    File.write(File.join(@state, ".#{name}"), text, perm: 0o600)
    File.chown(PUBLISHER, PUBLISHER, File.join(@state, ".#{name}"))
    File.rename(File.join(@state, ".#{name}"), File.join(@state, name))
  end

  # Whether the gate goes by the lists that are there.
  def seen?
    sums = %w[banned limits].map do |name|
      file = File.join(@state, name)
      OpenSSL::Digest::SHA256.hexdigest(File.exist?(file) ? File.read(file) : '')
    end
    File.read(File.join(@state, "seen.#{@config[:job]}@hpc")) == "#{sums.join(' ')}\n"
  rescue Errno::ENOENT
    false
  end

  # nginx's processes.
  def master
    File.read(File.join(@run, 'nginx.pid')).to_i
  end

  def worker
    (processes(master) - [master])[0]
  end

  # @return [Array<Integer>] those of a process group that still run
  def processes(group)
    Dir.children('/proc').grep(/\A\d+\z/).map(&:to_i).select { |pid| in_group?(pid, group) }
  end

  # What users are looked up in does not answer any more.
  def hang_name_service
    File.mkfifo(path('fifo'))
    system('nsenter', "--target=#{@pid}", '--mount', '--root', 'mount', '--bind', path('fifo'), '/etc/passwd',
           exception: true)
  end

  # What the gate says at its end.
  def said
    File.read(path('err'))
  end

  def log
    Dir[File.join(@state, 'log/*.gate')].map { |file| File.read(file) }.join
  end

  # @return [Process::Status] of the gate
  def wait
    Process.wait2(@pid)[1].tap { @pid = nil }
  end

  def stop
    if @pid
      Process.kill(:CONT, @pid)
      Process.kill(:TERM, @pid)
      wait
    end
    @munged.stop
    @server.kill
    end_nginx
    return unless @fake

    Process.kill(:TERM, @fake)
    Process.wait(@fake)
  end

  # nginx alone, in front of something else than the gate, which answers every question with `text`.
  def start_nginx(text)
    @port ||= FreePort.get
    FileUtils.mkdir_p(File.join(@state, 'log'))
    FileUtils.chown_R(PUBLISHER, PUBLISHER, @state)
    write('nginx.conf', nginx_configuration)
    server = UNIXServer.new(@config[:socket])
    File.chown(PUBLISHER, PUBLISHER, @config[:socket])
    Thread.new { loop { server.accept.tap { |client| client.readpartial(4096) && client.write(text) }.close } }
    @fake = spawn(*publisher(*nginx), err: path('err'))
  end

  # ---- what tenants do ----

  def door
    File.read(File.join(@state, 'door')).chomp
  end

  def payload(**changes)
    JSON.generate({ purpose: 'multitenant-login', cluster: 'hpc', job: 4711, restarts: 0, door: door }.merge(changes))
  end

  # @return [String] what `user` logs in with; `munged` may be another one
  def credential(user = 'ann', text: payload, restrict: PUBLISHER, ttl: 60, munged: @munged, options: [])
    uid = USERS.fetch(user).to_s
    options += ['-u', restrict.to_s] if restrict
    munged.encode(text, '-t', ttl.to_s, *options, as: ['--reuid', uid, '--regid', uid, '--clear-groups'])
  end

  def login(credential = self.credential, **headers)
    post(JSON.generate(credential: credential), 'Content-Type' => 'application/json', **headers)
  end

  def post(body, headers)
    request(Net::HTTP::Post, '/multitenant/login', headers, body)
  end

  # A browser's.
  def form(credential = self.credential, headers = {}, **fields)
    post(URI.encode_www_form(credential: credential, base: BASE, **fields),
         { 'Content-Type' => 'application/x-www-form-urlencoded' }.merge(headers))
  end

  def token(user = 'ann')
    JSON.parse(login(credential(user)).body).fetch('token')
  end

  def get(path, token = nil, **headers)
    headers['Authorization'] = "Bearer #{token}" if token
    request(Net::HTTP::Get, path, headers)
  end

  def request(kind, path, headers, body = nil)
    Net::HTTP.start('127.0.0.1', @port, open_timeout: 30, read_timeout: 60) do |http|
      http.request(kind.new(path).tap { |one| headers.each { |name, value| one[name.to_s] = value } }, body)
    end
  end

  # @return [Array(String, String)] status and code of an answer, the gate's own or nginx's
  def verdict(answer)
    said = JSON.parse(answer.body)
    [answer.code, said['code'] || said.dig('error', 'code')]
  end

  # @return [TCPSocket] on which a stream has begun
  def open_stream(token)
    socket = TCPSocket.new('127.0.0.1', @port)
    socket.write("GET /stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer #{token}\r\n\r\n")
    head = +''
    head << socket.readpartial(4096) until head.include?('data: ')
    socket
  end

  private

  # Which a gate that fails its test may leave behind.
  def end_nginx
    Process.kill(:KILL, -master) if File.exist?(File.join(@run, 'nginx.pid')) && processes(master).any?
  end

  def in_group?(pid, group)
    state, _, number = File.read("/proc/#{pid}/stat")[/.*\) (.*)/m, 1].split
    number.to_i == group && state != 'Z'
  rescue Errno::ESRCH, Errno::ENOENT
    false
  end

  # Answers with what it was told; below /stream without an end.
  def serve
    server = UNIXServer.new(path('server'))
    File.chmod(0o777, path('server'))
    @server = Thread.new { loop { Thread.new(server.accept) { |client| answer(client) } } }
  end

  def answer(client)
    head = +''
    head << client.readpartial(4096) until head.include?("\r\n\r\n")
    return stream(client) if head.start_with?('GET /stream')

    client.write("HTTP/1.0 200 OK\r\nContent-Length: #{head.bytesize}\r\n\r\n#{head}")
  rescue SystemCallError, IOError
    nil
  ensure
    client.close
  end

  def stream(client)
    client.write("HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    loop do
      client.write("data: x\n\n")
      sleep 0.05
    end
  end

  # That of a service job, but for how long nginx waits for the gate where the test says so.
  def nginx_configuration
    parts = %w[job nginx].map { |name| "source #{File.expand_path("../../libexec/multitenant-#{name}", __dir__)}" }
    given = { mt_gate_run: @run, port: @port, host: 'n1', SLURM_JOB_ID: 4711, SLURM_CLUSTER_NAME: 'hpc' }
    parts += [*given.map { |pair| pair.join('=') }, 'mt_nginx_has=$(/usr/sbin/nginx -V 2>&1)',
              "nginx_configuration 'unix:#{path('server')}' ''"]
    text, status = Open3.capture2('bash', '-c', parts.join("\n"))
    raise 'nginx has no configuration' unless status.success?

    @patience ? text.gsub(/scgi_read_timeout \d+s/, "scgi_read_timeout #{@patience}s") : text
  end
end

# What tests with a gate need.
module GateTest
  def setup
    super
    need_root
    skip_unless(File.executable?(GateHost::PROGRAM), 'multitenant-gate is not built')
    skip_unless(File.executable?('/usr/sbin/nginx'), 'nginx is not here')
  end

  def teardown
    @host&.stop
    super
  end
end
