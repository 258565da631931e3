# frozen_string_literal: true

require_relative '../ruby/free_port'
require_relative 'gateway_test'
require 'date'
require 'multitenant/proxy'
require 'tmpdir'

# A web application with a gateway and an address outside Open OnDemand: real jobs, an agent that follows Slurm, and
# HAProxy or nginx by its file. A tenant logs in at the address, as its card's button does, and then asks every 50 ms.
class TestProxy < GatewayTest
  SNAPSHOT = File.join(Bed::DIR, 'snapshot')
  SECONDS_OUT = 4

  # Asks until it is stopped, on a connection of its own each time.
  class Asking
    Answer = Struct.new(:at, :said, :seconds)

    def initialize(seconds = 0.05)
      @answers = []
      @thread = Thread.new do
        until @stopped
          start = MultiTenant.clock
          @answers << Answer.new(start, yield, MultiTenant.clock - start)
          sleep [start + seconds - MultiTenant.clock, 0].max
        end
      end
    end

    # @return [Array<Answer>]
    def stop
      @stopped = true
      @thread.join
      @answers
    end
  end

  def setup
    super
    set(PROTECTED.merge('keep_days' => '2', 'copies_max' => '2'))
    @port = FreePort.get
    @address = { 'MULTITENANT_ADDRESS' => "http://127.0.0.1:#{@port}/{user}/{service}@{group}/" }
    @dir = Dir.mktmpdir('multitenant-proxy-', '/var/tmp')
    FileUtils.rm_rf(SNAPSHOT)
    Dir.mkdir(SNAPSHOT, 0o755)
  end

  def teardown
    [@agent, @proxy].compact.each { |pid| Process.kill(:TERM, pid) && Process.wait(pid) }
    FileUtils.rm_rf([@dir, SNAPSHOT, *@left])
    super
  end

  # From the form on.
  def serve_pages(title, **answers)
    FileUtils.rm_rf(File.join(Bed.home('hpcfaculty'), '.local/state/multitenant/services', "#{title.downcase}@hpcGrp"))
    @base = "/hpcfaculty/#{title.downcase}@hpcGrp/"
    web(mt_title: title, mt_address: 'yes', **answers).shared
  end

  def submit(app, values)
    AppJob.new(AppJobs.ood('submit', app, values, env: @address))
  end

  def file
    File.join(@dir, 'proxy.conf')
  end

  # The agent writes the engine's file, and reloads it where it changes.
  def start(engine)
    reload = File.join(@dir, 'reload')
    File.write(reload, "#!/bin/sh\n[ ! -e #{@dir}/on ] || exec sh #{@dir}/on\n", perm: 0o755)
    options = "--engine #{engine} --output #{file} --listen 127.0.0.1:#{@port} --check --reload #{reload}"
    @agent = spawn({ 'RUBYLIB' => File.join(Bed::OURS, 'lib'), 'OOD_CLUSTERS' => Bed::CLUSTERS,
                     'MULTITENANT_TTL' => '5' },
                   RbConfig.ruby, File.join(Bed::OURS, 'exe/multitenant-agent'), '--directory', SNAPSHOT,
                   '--proxy', options, err: File.join(@dir, 'agent'), chdir: '/')
    Bed.wait(-> { "the proxy's file: #{File.read(File.join(@dir, 'agent'))}" }, 60) { File.exist?(file) }
    @proxy, @signal = public_send("start_#{engine}")
    File.write(File.join(@dir, 'on'), "kill -#{@signal} #{@proxy}\n")
    Bed.wait('the proxy answers', 60) { get('', nil) == '401' }
  end

  def start_haproxy
    [spawn('/usr/sbin/haproxy', '-W', '-db', '-f', file, %i[out err] => File.join(@dir, 'log')), 'USR2']
  end

  def start_nginx
    dirs = %w[client_body proxy fastcgi uwsgi scgi].map { |name| "#{name}_temp_path #{@dir}/tmp;" }
    conf = File.join(@dir, 'nginx.conf')
    File.write(conf, "daemon off; pid pid; error_log stderr; events { }\n" \
                     "http { access_log off; #{dirs.join(' ')} include #{file}; }\n")
    [spawn('/usr/sbin/nginx', '-c', conf, '-p', @dir, %i[out err] => File.join(@dir, 'log')), 'HUP']
  end

  # @return [String] of the answer, or of what there was instead
  def get(path, token, cookie: nil)
    headers = { 'Authorization' => token && "Bearer #{token}", 'Cookie' => cookie }.compact
    Net::HTTP.start('127.0.0.1', @port, read_timeout: 60) { |http| http.get("#{@base}#{path}", headers) }.code
  rescue SystemCallError, EOFError, Net::ReadTimeout, Net::HTTPBadResponse => e
    e.class.name
  end

  # As the button on the card does.
  # @return [String] the token of the cookie that the browser then has for the address
  def log_in_there(job)
    gate = Bed.specs('hpcstudent').fetch(job.job_id.to_s)['gate']
    proof = { purpose: 'multitenant-login', cluster: 'hpc', job: job.job_id, restarts: 0, door: gate['door'] }
    credential = Bed.as('hpcstudent', 'munge', "--socket=#{ENV.fetch('MULTITENANT_TESTBED_MUNGE_SOCKET')}",
                        '--ttl=60', "--restrict-uid=#{Bed.uid('hpcfaculty')}", input: JSON.generate(proof)).out.strip
    path = "#{@base}multitenant/login?member=#{MultiTenant::Gateway.member(job.job_id, 'hpc')}"
    body = URI.encode_www_form(credential: credential, base: @base)
    type = { 'Content-Type' => 'application/x-www-form-urlencoded' }
    answer = Net::HTTP.start('127.0.0.1', @port) { |http| http.post(path, body, type) }
    assert_equal ['303', '../'], [answer.code, answer['Location']], answer.body
    cookie = answer.get_fields('Set-Cookie').grep(/\Amultitenant_token=/)[0]
    assert_match(/; Path=#{@base};/, cookie)
    cookie[/=([^;]+)/, 1]
  end

  # @return [TCPSocket] that has asked
  def open(path, token, *headers)
    TCPSocket.new('127.0.0.1', @port).tap do |socket|
      socket << ["GET #{@base}#{path} HTTP/1.1", 'Host: x', "Authorization: Bearer #{token}", *headers, '', '']
                .join("\r\n")
    end
  end

  def open_socket(token)
    socket = open('socket', token, 'Upgrade: websocket', 'Connection: Upgrade',
                  "Sec-WebSocket-Key: #{['a' * 16].pack('m0')}", 'Sec-WebSocket-Version: 13')
    assert_match(/ 101 /, socket.gets)
    socket.each_line("\r\n", chomp: true).find(&:empty?)
    socket
  end

  def assert_echo(socket)
    mask = 'mask'.bytes
    socket << ([0x81, 0x85] + mask + 'hello'.bytes.each_with_index.map { |byte, i| byte ^ mask[i % 4] }).pack('C*')
    assert_equal "\x81\x05hello".b, socket.read(7)
  end

  # @return [AppJob] another copy, which serves
  def copy(job)
    state = ".local/state/multitenant/services/#{File.basename(@base)}"
    shared = File.join(Bed.home('hpcfaculty'), state, 'chains/2/shared')
    Bed.wait('another copy', 120) { File.size?(shared) }
    AppJob.new('job_id' => File.read(shared).to_i, 'id' => job.id, 'dir' => job.dir)
  end

  def servers
    File.read(file).scan(/127\.0\.0\.1:\d+/).uniq - ["127.0.0.1:#{@port}"]
  end

  # nginx first: a gate that has gone before it would be told of. What is left on the node nobody else removes.
  def kill_all(job)
    @left = processes(job).values.join(' ').scan(%r{/tmp/multitenant-gate\.\w+}).uniq
    pids = processes(job).sort_by { |_, words| words.join(' ').start_with?('nginx:') ? 0 : 1 }.map(&:first)
    at = MultiTenant.clock
    pids.each do |pid|
      Process.kill(:KILL, pid)
    rescue Errno::ESRCH
      nil
    end
    at
  end

  def follow_a_death(engine)
    job = serve_pages('Twins', mt_copies: '2')
    other = copy(job)
    start(engine)
    Bed.wait('both are there', 60) { servers.size == 2 }
    tokens = [job, other].map { |one| log_in_there(one) }
    asking = Asking.new { get('', tokens[0]) }
    sleep 3
    killed = kill_all(job)
    sleep 2 * SECONDS_OUT
    answers = asking.stop
    failed = answers.reject { |answer| answer.said == '200' }
    assert_operator failed.size, :<=, 1, failed.map(&:said).inspect
    late = answers.select { |answer| answer.at > killed + SECONDS_OUT }
    assert_operator late.size, :>, 10
    assert_equal ['200'], late.map(&:said).uniq
    [nil, tokens[1]].each { |token| assert_equal '200', get('', token, cookie: "multitenant_token=#{tokens[0]}") }
    report(engine, answers, killed)
  end

  def report(engine, answers, since)
    failed = answers.reject { |answer| answer.said == '200' }
    failures = failed.map { |one| format('%+.3f s %s', one.at - since, one.said) }
    puts "#{engine}: #{answers.size} requests, failed: #{failures.join(', ')}; longest " \
         "#{answers.map(&:seconds).max.round(3)} s"
  end

  # What runs goes on through ten reloads; nobody is refused while the next job takes over, and the first one leaves.
  def follow_a_hand_over(engine)
    job = serve_pages('Pages', mt_until: (Date.today + 1).to_s, bc_num_hours: '0.0667')
    start(engine)
    token = log_in_there(job)
    first = port(job)
    events = open('events', token)
    assert_match(/first/, events.each_line.find { |line| line.start_with?('data: ') })
    socket = open_socket(token)
    asking = Asking.new { get('', token) }
    10.times { Process.kill(@signal, @proxy) && sleep(1) }
    began = MultiTenant.clock
    following = successor(job)
    Bed.wait('both are there', 60) { servers.size == 2 }
    refute_equal first, port(following)
    log_in_there(following)
    assert_echo(socket)
    FileUtils.touch(@go)
    assert_match(/second/, events.each_line.find { |line| line.start_with?('data: ') })
    [events, socket].each(&:close)
    job.wait('has been left', 200) { job.ended? }
    sleep 2
    answers = asking.stop
    report(engine, answers, began)
    assert_equal ['200'], answers.map(&:said).uniq
    assert_match(/The next job serves/, job.log)
    assert_equal '200', get('', nil, cookie: "multitenant_token=#{token}")
  end

  # Says what it was asked for, and what it was told of where it is.
  TELLING = <<~PYTHON
    import http.server, os
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write((self.path + ' ' + os.environ['base_path']).encode())
    http.server.ThreadingHTTPServer((os.environ['host'], int(os.environ['port'])), Page).serve_forever()
  PYTHON

  # What takes minutes.
  module Long
    def test_an_application_is_told_the_path_of_its_address
      { 'node' => "#{base = '/hpcfaculty/place@hpcGrp'}/x%2Fy?z", 'rnode' => '/x%2Fy?z' }.each do |proxy, path|
        job = serve_pages('Place', command: "exec python3 -c #{TELLING.shellescape}", proxy: proxy)
        @proxy ? Bed.wait('it is there', 60) { get('', nil) == '401' } : start('haproxy')
        headers = { 'Authorization' => "Bearer #{log_in_there(job)}" }
        told = Net::HTTP.start('127.0.0.1', @port) { |http| http.get("#{@base}x%2Fy?z", headers) }.body
        assert_equal "#{path} #{base}", told
        job.cancel
      end
    end

    %w[haproxy nginx].each do |engine|
      define_method("test_who_asks_loses_one_request_at_most_where_a_job_is_killed_behind_#{engine}") do
        follow_a_death(engine)
      end

      define_method("test_token_stream_and_socket_outlast_reloads_and_a_hand_over_behind_#{engine}") do
        follow_a_hand_over(engine)
      end
    end
  end
  include Long if ENV.key?('MULTITENANT_LONG')
end
