# frozen_string_literal: true

require 'securerandom'
require_relative 'client_test'

# Other processes of a node take ports too, as servers and for connections of their own.
class TestPorts < ClientTest
  HOLD = File.join(Bed::OURS, 'hold')
  # The command of environment modules runs after the port was chosen, and before the service takes it.
  MODULE = <<~BASH.freeze
    module() {
      [[ $1 == load && ! -e #{HOLD}/$SLURM_JOB_ID ]] || return 0
      echo "$port" >#{HOLD}/$SLURM_JOB_ID
      until [[ -e #{HOLD}/go ]]; do sleep 0.1; done
    }
  BASH

  def setup
    super
    FileUtils.rm_rf(HOLD)
    FileUtils.mkdir_p(HOLD)
    File.chmod(0o1777, HOLD)
  end

  # The block submits the job. @return [AppJob] whose port is another one than it was at first
  def assert_chosen_anew(app, key, take: method(:listen), &submit)
    job, port = held(app, key, &submit)
    taken = take.call(port)
    FileUtils.touch(File.join(HOLD, 'go'))
    refute_equal port, job.connection['port'], "the port of #{app}; its log:\n#{job.log}"
    assert_match(/Another process has taken port #{port}: the service is started again/, job.log)
    job
  ensure
    taken.close if taken.is_a?(BasicSocket)
  end

  # The job of the block, which waits between choosing its port and taking it, and that port.
  def held(app, key, &submit)
    FileUtils.rm_f(File.join(HOLD, 'go'))
    file = File.join(AppJobs.root("multitenant-#{app}"), 'site.yml')
    before = File.read(file)
    AppJobs.configure(file, key => 'slow')
    job = AppJobs.starting_up(MODULE, &submit)
    hold = File.join(HOLD, job.job_id.to_s)
    job.wait("#{app} has chosen a port") { File.size?(hold) }
    [job, Integer(File.read(hold))]
  ensure
    File.write(file, before)
  end

  def listen(port)
    TCPServer.new('0.0.0.0', port)
  end

  # The node's own end of a connection to another one.
  def connect(port)
    (@servers ||= []) << TCPServer.new('127.0.0.1', 0)
    Socket.tcp('127.0.0.1', @servers.last.addr[1], '127.0.0.1', port)
  end

  # What is left of a connection that has ended.
  def leave(port)
    connect(port).tap(&:close)
  end

  def teardown
    @servers&.each(&:close)
    @strangers&.each { |stranger| Process.kill('TERM', stranger.pid) && stranger.close }
    Bed.cancel_all
    super
  end

  def test_a_port_that_is_taken_before_a_service_takes_it_is_chosen_anew
    dashboard = { 'version' => 'command', 'command' => 'exec python3 -m http.server "$port"' }
    job = assert_chosen_anew('dashboard', 'modules_command', take: method(:connect)) do
      submit('multitenant-dashboard', SHARED.merge(dashboard))
    end
    assert_equal job.connection['port'].to_s, job.shared.specs['port']
    job = assert_chosen_anew('llm', 'modules_vllm') do
      submit('multitenant-llm', SHARED.merge('version' => 'vllm', 'ollama_model' => MODEL))
    end
    assert_equal "http://127.0.0.1:#{job.connection['port']}/v1", job.shared.specs['base_url']
    job = assert_chosen_anew('database', 'modules_postgresql', &method(:submit_postgresql))
    assert_includes job.shared.specs['jdbc_url'], ":#{job.connection['port']}/d"
  end

  def submit_postgresql
    data = File.join(Bed.home('hpcfaculty'), "taken-#{SecureRandom.hex(4)}")
    submit('multitenant-database', SHARED.merge('version' => 'postgresql', 'db_data' => data, 'db_name' => 'd',
                                                'db_user' => 'u'))
  end

  # It starts all the same, by IPv6 alone.
  def test_a_port_that_postgresql_did_not_get_by_ipv4_is_chosen_anew
    %i[connect leave].each do |take|
      job = assert_chosen_anew('database', 'modules_postgresql', take: method(take), &method(:submit_postgresql))
      assert_includes job.shared.specs['jdbc_url'], ":#{job.connection['port']}/d"
    end
  end

  def test_a_port_that_is_taken_before_a_client_takes_it_is_chosen_anew
    service = serve.job_id
    %w[jupyter gradio].each do |app|
      assert_chosen_anew(app, 'modules') { AppJob.new(ood('submit', service, app: "multitenant-#{app}")) }
    end
  end

  # A web server on all addresses of IPv4, whose port others of the user may have too. It makes a file once it listens.
  SHARING = <<~PYTHON
    import http.server, os, socket, sys
    class Server(http.server.ThreadingHTTPServer):
        def server_bind(self):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            super().server_bind()
        def server_activate(self):
            super().server_activate()
            for path in sys.argv[2:]: open(path, 'w').close()
    Server(('0.0.0.0', int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
  PYTHON
  # Listens as another user, and says so.
  STRANGER = 's = Addrinfo.tcp(ARGV[0], ARGV[1]).listen; puts "listens"; $stdout.flush; sleep'

  # By IPv4 alone.
  def submit_web(command = 'exec python3 -m http.server --bind 0.0.0.0 "$port"')
    submit('multitenant-dashboard', SHARED.merge('version' => 'command', 'command' => command))
  end

  def submit_sharing
    submit_web("exec python3 -c #{SHARING.shellescape} \"$port\"")
  end

  # @return [IO, nil] outsider's process that listens there, if it can
  def stranger(port, address = '::')
    io = IO.popen(['runuser', '-u', 'outsider', '--', RbConfig.ruby, '-rsocket', '-e', STRANGER, address, port.to_s],
                  err: File::NULL)
    (@strangers ||= []) << io
    io if io.gets
  end

  # Another job of the same user, with a server that has the port too.
  def rival(port)
    listens = File.join(HOLD, "rival-#{port}")
    Bed.submit('hpcfaculty', script: "#!/bin/bash\nexec python3 -c #{SHARING.shellescape} #{port} #{listens}\n")
    Bed.wait('the rival listens') { File.exist?(listens) }
  end

  def assert_withdrawn(job)
    job.wait('is shared no longer') { !job.name.include?('|') }
    job.wait("the owner's card says so") { job.connection['mt_shared'].start_with?('Shared no longer') }
    assert_match(/^Shared no longer: another process listens on port \d+ too/, job.log)
    assert_equal 'RUNNING', job.state
    assert_nil job.specs
  end

  def test_a_service_gets_another_port_where_another_user_listens_by_ipv6
    job = assert_chosen_anew('dashboard', 'modules_command', take: method(:stranger), &method(:submit_web))
    assert_equal job.connection['port'].to_s, job.shared.specs['port']
  end

  def test_what_is_shared_by_ipv4_nobody_else_has_by_ipv6
    [submit_web, submit_postgresql].each do |job|
      port = job.shared.specs['port']
      ['::', '::1', '0.0.0.0', '127.0.0.1'].each { |address| assert_nil stranger(port, address), address }
      assert_match(/\Ashared card/, job.connection['mt_shared'])
    end
  end

  def test_what_is_shared_is_withdrawn_once_another_user_listens_on_its_port
    job = submit_web.shared
    assert_match(/\Ashared card/, job.connection['mt_shared'])
    port = job.specs['port']
    held = holder(port)
    Process.kill('KILL', held) if held
    Bed.wait('the stranger listens') { stranger(port) }
    assert_withdrawn job
  end

  # @return [Integer, nil] the process that keeps the other family's port
  def holder(port)
    Dir.glob('/proc/[0-9]*').find do |dir|
      command = File.binread("#{dir}/cmdline").split("\0")
      return Integer(File.basename(dir)) if command.include?('-ISc') && command[3] == port
    rescue SystemCallError
      nil
    end
  end

  # Two servers of one user may share a port's connections.
  def test_a_service_has_its_port_apart_from_other_jobs_of_its_user
    job = assert_chosen_anew('dashboard', 'modules_command', take: method(:rival), &method(:submit_sharing))
    rival(job.shared.specs['port'].to_i)
    assert_withdrawn job
  end

  # What leaves its port taken each time.
  def test_a_service_is_started_at_most_three_times
    command = %(setsid ruby -rsocket -e 's = TCPServer.new(ENV["port"]); loop { s.accept.close }' & sleep 2; exit 1)
    job = submit('multitenant-dashboard', SHARED.merge('version' => 'command', 'command' => command))
    job.wait('ends', 90) { job.ended? }
    assert_equal 2, job.log.scan('has taken port').size, job.log
    assert_match(/The service ended before it was ready/, job.log)
  end
end
