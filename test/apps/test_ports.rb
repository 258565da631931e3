# frozen_string_literal: true

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
    taken&.close
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
    data = File.join(Bed.home('hpcfaculty'), 'taken')
    FileUtils.rm_rf(data)
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

  # What leaves its port taken each time.
  def test_a_service_is_started_at_most_three_times
    command = %(setsid ruby -rsocket -e 's = TCPServer.new(ENV["port"]); loop { s.accept.close }' & sleep 2; exit 1)
    job = submit('multitenant-dashboard', SHARED.merge('version' => 'command', 'command' => command))
    job.wait('ends', 90) { job.ended? }
    assert_equal 2, job.log.scan('has taken port').size, job.log
    assert_match(/The service ended before it was ready/, job.log)
  end
end
