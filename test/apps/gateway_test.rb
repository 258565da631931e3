# frozen_string_literal: true

require_relative 'app_test'
require 'net/http'

# Real jobs with a gateway, what their tenants do, and what of them can be seen on their node.
class GatewayTest < AppTest
  BIN = File.join(Bed::OURS, 'bin')
  SERVER = File.join(Bed::OURS, 'gateway_server.py')
  PROTECTED = { 'envelope' => 'munge', 'gateway' => 'auto' }.freeze
  OFF = { 'envelope' => 'auto', 'gateway' => 'off', 'modules_nginx' => '', 'keep_days' => '0' }.freeze
  JSON_TYPE = { 'Content-Type' => 'application/json' }.freeze
  APPS = %w[multitenant-llm multitenant-dashboard].freeze

  FileUtils.mkdir_p(BIN)
  FileUtils.cp(File.join(__dir__, 'llm_server.rb'), BIN)
  FileUtils.cp(File.join(__dir__, 'gateway_server.py'), SERVER)
  %w[ollama llama-server vllm].each { |name| FileUtils.ln_sf('llm_server.rb', File.join(BIN, name)) }
  ENV['PATH'] = "#{BIN}:#{ENV.fetch('PATH')}" unless ENV.fetch('PATH').start_with?("#{BIN}:")

  def setup
    super
    set(PROTECTED)
    @go = File.join(Bed.home('hpcfaculty'), 'go')
    FileUtils.rm_f(@go)
  end

  def teardown
    Bed.cancel_all
    set(OFF)
  end

  def set(settings)
    APPS.each { |app| AppJobs.configure(File.join(AppJobs.root(app), 'site.yml'), settings) }
  end

  def serve(kind, model, values = {})
    submit('multitenant-llm', SHARED.merge('mt_delivery_select' => 'Ollama_API sys/multitenant-delivery_default',
                                           'version' => kind, 'ollama_model' => model).merge(values))
  end

  def web(address = '"$host"', **values)
    command = "exec python3 #{SERVER} #{@go} #{address}"
    submit('multitenant-dashboard', SHARED.merge('mt_delivery_select' => 'RShiny_App sys/multitenant-delivery_default',
                                                 'version' => 'command', 'command' => command, 'proxy' => 'rnode')
                                          .merge(values.transform_keys(&:to_s)))
  end

  # One whom the service is shared with.
  def member
    @member || 'hpcstudent'
  end

  # What a tenant's program does with what was shared with them.
  # @return [Net::HTTPResponse]
  def login(job, user, changed = {})
    gate = Bed.specs(member).fetch(job.job_id.to_s).fetch('gate')
    assert_equal port(job).to_s, gate['port']
    proof = { 'purpose' => 'multitenant-login', 'cluster' => 'hpc', 'job' => job.job_id, 'restarts' => 0,
              'door' => gate['door'] }
    credential = Bed.as(user, 'munge', "--socket=#{ENV.fetch('MULTITENANT_TESTBED_MUNGE_SOCKET')}", '--ttl=60',
                        "--restrict-uid=#{Bed.uid('hpcfaculty')}", input: JSON.generate(proof.merge(changed))).out
    ask(job, Net::HTTP::Post.new('/multitenant/login', JSON_TYPE), body: JSON.generate(credential: credential.strip))
  end

  def token(job, user = 'hpcstudent')
    JSON.parse(login(job, user).tap { |answer| assert_equal '200', answer.code, answer.body }.body).fetch('token')
  end

  def port(job)
    @ports ||= {}
    @ports[job.job_id] ||= Integer(Bed.specs(member).dig(job.job_id.to_s, 'connection', 'port'))
  end

  # @return [Net::HTTPResponse]
  def ask(job, request, body: nil, token: nil, headers: {})
    request = Net::HTTP::Get.new(request) if request.is_a?(String)
    headers.merge(token ? { 'Authorization' => "Bearer #{token}" } : {}).each { |key, value| request[key] = value }
    request.body = body
    Net::HTTP.start('127.0.0.1', port(job), nil, nil, read_timeout: 120) { |http| http.request(request) }
  end

  # @return [String, nil] nil: nobody is there
  def code(job, path = '/', **options)
    ask(job, path, **options).code
  rescue SystemCallError, EOFError, Net::ReadTimeout
    nil
  end

  # @return [Hash{Integer => Array<String>}] the job's processes and their arguments
  def processes(job)
    Dir.glob('/proc/[0-9]*/cgroup').filter_map { |file| Integer(file[/\d+/]) }.select { |pid| of_job?(pid, job) }
       .to_h { |pid| [pid, File.binread("/proc/#{pid}/cmdline").split("\0")] }
  rescue Errno::ENOENT, Errno::ESRCH
    retry
  end

  # It has the job in its environment, or comes from one that has.
  def of_job?(pid, job)
    while pid > 1
      environment = File.binread("/proc/#{pid}/environ")
      return true if environment.split("\0").include?("SLURM_JOB_ID=#{job.job_id}") && environment.include?(Bed::DIR)

      pid = Integer(File.read("/proc/#{pid}/status")[/^PPid:\s*(\d+)/, 1])
    end
  rescue Errno::ENOENT, Errno::ESRCH
    false
  end

  def nginx(job, what)
    processes(job).find { |_, words| words.join(' ').start_with?("nginx: #{what}") }&.first
  end

  # Ports and unix sockets on which these processes listen, in whatever namespace.
  def listening(pids)
    pids.flat_map do |pid|
      inodes = Dir.glob("/proc/#{pid}/fd/*").filter_map { |fd| link(fd)[/socket:\[(\d+)\]/, 1] }
      tables = link("/proc/#{pid}/ns/net") == link('/proc/self/ns/net') ? %w[tcp tcp6] : []
      ports = tables.flat_map { |table| lines("/proc/#{pid}/net/#{table}").drop(1).map(&:split) }
                    .select { |row| row[3] == '0A' && inodes.include?(row[9]) }.map { |row| row[1][/\h+\z/].hex }
      paths = lines("/proc/#{pid}/net/unix").drop(1).map(&:split)
      paths = paths.select { |row| row[7] && inodes.include?(row[6]) && row[3] == '00010000' }.map { |row| row[7] }
      ports + paths
    end.uniq
  end

  # Of what may be gone by now.
  def lines(path)
    File.readlines(path)
  rescue SystemCallError
    []
  end

  def link(path)
    File.readlink(path)
  rescue SystemCallError
    ''
  end

  # What curl gives this user there: the answer's code, 000 without one.
  def outsider_gets(where, path)
    to = where.is_a?(Integer) ? [] : ['--unix-socket', where]
    hosts = where.is_a?(Integer) ? ["127.0.0.1:#{where}", "[::1]:#{where}"] : ['localhost']
    hosts.map do |host|
      Bed.as('outsider', 'curl', '-q', '-s', '--max-time', '20', '-o', File::NULL, '-w', '%{http_code}', *to,
             "http://#{host}#{path}").out
    end
  end

  # @param but [Array<Integer>] ports that ask for a key of the server's own
  def assert_others_get_nothing(job, path)
    found = listening(processes(job).keys)
    assert_includes found, port(job)
    found.each { |where| assert_empty outsider_gets(where, path).uniq - %w[401 403 404 000], "#{where} #{found}" }
    processes(job).each_key do |pid|
      %w[environ fd/0 root/tmp].each { |name| refute Bed.as('outsider', 'cat', "/proc/#{pid}/#{name}").code.zero? }
      refute Bed.as('outsider', 'nsenter', '--net', '--target', pid, 'true').code.zero?
    end
    found
  end

  # Neither in what others may read of processes, nor in the job's name or log.
  def assert_hidden(job, *secrets)
    text = [job.log, *processes(job).values.flatten].join("\n").b
    secrets.each { |secret| refute_includes text, secret.b }
  end

  def chat(job, token)
    body = { model: 'm', messages: [{ role: 'user', content: 'as I said' }] }
    ask(job, Net::HTTP::Post.new('/v1/chat/completions', JSON_TYPE), body: JSON.generate(body), token: token)
  end

  def state(job)
    @state || File.join(Bed.home('hpcfaculty'), ".local/state/multitenant/jobs/#{job.job_id}@hpc/gate")
  end

  # @return [Array<Hash>] who used it
  def used(job)
    path = File.join(state(job), "log/#{job.job_id}@hpc.jsonl")
    assert_equal 0o600, File.stat(path).mode & 0o777
    File.readlines(path).map { |line| JSON.parse(line) }
  end

  def ban(job, user)
    path = File.join(state(job), 'banned')
    Bed.as('hpcfaculty', 'sh', '-c', 'umask 077; echo "$1" >"$2.new" && mv "$2.new" "$2"', 'sh', Bed.uid(user), path)
  end

  # @return [TCPSocket] that has asked
  def connect(job, token, path, *headers)
    TCPSocket.new('127.0.0.1', port(job)).tap do |socket|
      socket << ["GET #{path} HTTP/1.1", 'Host: n1', "Authorization: Bearer #{token}", *headers, '', ''].join("\r\n")
    end
  end
end
