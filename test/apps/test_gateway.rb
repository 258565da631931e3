# frozen_string_literal: true

require_relative 'gateway_test'
require 'date'
require 'multitenant/node_kit'

# Services behind a gateway: real jobs, nginx, multitenant-gate and munge, and what others find of them on their node.
class TestGateway < GatewayTest
  def test_ollama_is_met_through_its_gateway_alone
    job = serve('ollama', 'llama3.2', 'ollama_models' => 'scratch').shared
    assert_equal %w[base_url host model port], job.specs.keys.sort
    assert_match(/\Agateway\|shared card munge group hpcGrp/, job.connection['mt_shared'])
    refute_includes job.log, 'can reach'
    token = token(job)
    assert_equal 'as I said', JSON.parse(chat(job, token).body).dig('choices', 0, 'message', 'content')
    assert_equal '401', chat(job, nil).code
    assert_equal '401', chat(job, "#{token[0..-2]}#{token[-1] == 'A' ? 'E' : 'A'}").code
    %w[/api/tags /v1/../api/tags /v1/%2e%2e/api/tags /].each do |path|
      assert_equal '404', code(job, path, token: token), path
    end
    assert_equal '403', login(job, 'outsider').code
    assert_equal '403', login(job, 'hpcstudent', 'job' => job.job_id + 1).code
    found = assert_others_get_nothing(job, '/v1/models')
    assert_equal([port(job)], found.grep(Integer))
    server = processes(job).find { |_, words| words.last(2).join(' ').end_with?('ollama serve') }.first
    assert_equal Bed.uid('hpcfaculty'), Integer(Bed.as('hpcfaculty', 'stat', '-c', '%u', "/proc/#{server}").out)
    assert_hidden job, token, Bed.specs('hpcstudent').dig(job.job_id.to_s, 'gate', 'door')
    assert_equal ['hpcstudent'], used(job).filter_map { |line| line['user'] unless line['user'].empty? }.uniq
    socket = found.grep(%r{/server\z}).first
    assert_path_exists socket
    job.cancel
    refute_path_exists File.dirname(socket)
  end

  def test_a_servers_own_key_is_known_to_the_gateway_alone
    job = serve('vllm', 'facebook/opt-125m').shared
    assert_equal %w[base_url host model port], job.specs.keys.sort
    assert_includes ['', nil], job.connection['api_key']
    token = token(job)
    assert_equal '200', chat(job, token).code
    assert_equal '401', chat(job, nil).code
    assert_equal '404', ask(job, Net::HTTP::Post.new('/pause', JSON_TYPE), token: token).code
    assert_match(/did not ask for the key at .*: users of the same node/, job.log)
    server = listening(processes(job).keys).grep(Integer) - [port(job)]
    assert_equal %w[401 000], outsider_gets(server.first, '/v1/models')
    keys = processes(job).keys.map { |pid| lines("/proc/#{pid}/environ").join.b[/VLLM_API_KEY=(\w{32})/, 1] }
    assert_hidden job, token, keys.compact.first
    assert_never_open(job, token) { |pid| Process.kill('KILL', pid) }
  end

  def test_so_are_those_of_llama_cpp_and_of_a_command
    dir = File.join(Bed.home('hpcfaculty'), 'llm')
    FileUtils.mkdir_p(dir)
    File.write(File.join(dir, 'm.gguf'), 'GGUF')
    command = 'VLLM_API_KEY=$api_key exec vllm serve "$model" --host "$host" --port "$port"'
    [serve('llamacpp', 'm.gguf', 'ollama_models' => 'custom', 'ollama_custom' => dir),
     serve('openai', 'm', 'command' => command)].each(&:shared).each do |job|
      assert_equal %w[base_url host model port], job.specs.keys.sort
      assert_equal %w[200 401], [chat(job, token(job)), chat(job, nil)].map(&:code)
      refute_empty used(job)
    end
  end

  # Whatever ends, nobody is let in meanwhile, and who has a token is let in again.
  def assert_never_open(job, token)
    ends = { 'worker' => -> { nginx(job, 'worker') }, 'master' => -> { nginx(job, 'master') },
             'gate' => -> { processes(job).find { |_, words| words.include?('--config') }&.first } }
    ends.each do |what, pid|
      codes = []
      watch = Thread.new { loop { codes << code(job, '/v1/models') } }
      yield Bed.wait(what, &pid)
      Bed.wait("it answers after its #{what} was killed", 120) { code(job, '/v1/models', token: token) == '200' }
      watch.kill.join
      assert_empty codes.compact.uniq - %w[401 503 502 500], what
    end
    assert_operator job.log.scan(/The gateway has ended with code \d+, and is started again/).size, :>=, 2
  end

  def test_a_web_application_learns_who_comes_and_gets_streams_sockets_and_large_bodies
    job = web.shared
    token = token(job)
    assert_equal '401', code(job, '/')
    headers = { 'X-MultiTenant-User' => 'root', 'X_MultiTenant_User' => 'root', 'Remote-User' => 'root',
                'Connection' => 'X-MultiTenant-User', 'X-MultiTenant-Uid' => '0', 'X-MultiTenant-Token' => token,
                'Cookie' => "a=1; multitenant_token=#{token}; b=2; multitenant_token=x; mod_auth_openidc_session=s" }
    seen = JSON.parse(ask(job, '/who', headers: headers).body)
    assert_equal([%w[x-multitenant-user hpcstudent]], seen.grep(->(one) { one[0].match?(/tenant|remote.user|auth/) }))
    assert_equal 'a=1; b=2', seen.assoc('cookie').last.chomp('; ')
    refute_includes seen.to_s, token
    assert_equal '200', code(job, '/', headers: { 'Cookie' => "multitenant_token=#{token}" })
    assert_stream(job, token)
    assert_echo(job, token)
    assert_upload(job, token)
    ban(job, 'hpcstudent')
    Bed.wait('the ban acts') { code(job, '/', token: token) == '403' }
    assert_equal '200', code(job, '/', token: token(job, 'hpcstudent2'))
  end

  # The first piece is there while the second is not.
  def assert_stream(job, token)
    socket = connect(job, token, '/events')
    assert_match(/first/, socket.each_line.find { |line| line.start_with?('data: ') })
    refute_path_exists @go
    FileUtils.touch(@go)
    assert_match(/second/, socket.each_line.find { |line| line.start_with?('data: ') })
  ensure
    socket&.close
  end

  def assert_echo(job, token)
    upgrade = ['Upgrade: websocket', 'Connection: Upgrade', "Sec-WebSocket-Key: #{['a' * 16].pack('m0')}",
               'Sec-WebSocket-Version: 13']
    socket = connect(job, token, '/socket', *upgrade)
    assert_match(/ 101 /, socket.gets)
    socket.each_line("\r\n", chomp: true).find(&:empty?)
    mask = 'mask'.bytes
    socket << ([0x81, 0x85] + mask + 'hello'.bytes.each_with_index.map { |byte, i| byte ^ mask[i % 4] }).pack('C*')
    assert_equal "\x81\x05hello".b, socket.read(7)
    refused = connect(job, 'none', '/socket', *upgrade)
    assert_match(/ 401 /, refused.gets)
  ensure
    [socket, refused].compact.each(&:close)
  end

  def assert_upload(job, token)
    file = File.join(Bed::OURS, 'large')
    File.open(file, 'w') { |io| io.truncate(200 << 20) }
    argv = ['curl', '-q', '-s', '--noproxy', '*', '-X', 'POST', '-T', file, '-H', "Authorization: Bearer #{token}",
            "http://127.0.0.1:#{port(job)}/upload"]
    assert_equal 'received', IO.popen(argv, &:read)
  ensure
    FileUtils.rm_f(file)
  end

  def test_a_web_application_that_needs_no_network_is_met_through_its_gateway_alone
    job = web('0.0.0.0', mt_network: 'no').shared
    assert_equal '200', code(job, '/', token: token(job))
    assert_equal([port(job)], assert_others_get_nothing(job, '/').grep(Integer))
  end

  # As they do of its successors: all members have one door and one key of tokens, and each has a gate.
  def test_copies_of_a_service_know_the_tenants_of_each_other
    set('keep_days' => '2', 'copies_max' => '2')
    state = File.join(Bed.home('hpcfaculty'), '.local/state/multitenant/services/twins@hpcGrp')
    FileUtils.rm_rf(state) # bans are kept
    job = web(mt_copies: '2', mt_title: 'Twins').shared
    token = token(job)
    shared = "#{state}/chains/2/shared"
    Bed.wait('another copy', 60) { File.size?(shared) }
    other = File.read(shared).to_i
    Bed.running(other)
    other = AppJob.new('job_id' => other, 'id' => job.id, 'dir' => job.dir)
    refute_equal port(job), port(other)
    assert_equal(%w[200 200], [job, other].map { |one| code(one, '/', token: token) })
    @state = "#{state}/gate"
    ban(job, 'hpcstudent')
    [job, other].each { |one| Bed.wait('the ban acts') { code(one, '/', token: token) == '403' } }
  end

  def test_a_server_that_listens_past_its_gateway_is_not_served
    job = web('0.0.0.0')
    job.wait('ends', 90) { job.ended? }
    assert_match(/The server listens on all addresses, where everybody reaches it past its gateway/, job.log)
    refute_includes Bed.squeue('%j', '-t', 'all', '-j', job.job_id), '|'
  end

  # A node without nginx.
  def test_where_there_can_be_no_gateway_it_is_said_or_nothing_is_served
    hidden = 'type() { [[ "$*" != "-P nginx" ]] || return 1; builtin type "$@"; }'
    job = AppJobs.starting_up("#{hidden}\n") { serve('vllm', 'm').shared }
    said = 'Nobody who reaches it is asked who they are, since there is no gateway: this node has no nginx'
    assert_includes job.log, said
    assert_includes job.connection['mt_shared'], said
    assert_match(/\A\w{32}\z/, job.specs['api_key'])
    set('gateway' => 'required')
    job = AppJobs.starting_up("#{hidden}\n") { serve('vllm', 'm') }
    job.wait('ends', 60) { job.ended? }
    assert_match(/this node has no nginx .*: nothing is served/, job.log)
    assert_match(/envelope v1 has none/, assert_raises(RuntimeError) { v1 { serve('vllm', 'm') } }.message)
  end

  def test_where_nothing_is_served_without_a_gateway_what_is_for_its_owner_alone_has_one
    set('gateway' => 'required')
    alone = { 'enable_multitenant' => 'user', 'ollama_models' => 'scratch' }
    nobody = alone.merge('enable_multitenant' => 'none')
    error = assert_raises(RuntimeError) { serve('ollama', 'llama3.2', nobody) }
    assert_match(/choose Only Myself, or a group/, error.message)
    @member = 'hpcfaculty'
    job = serve('ollama', 'llama3.2', alone).shared
    assert_match(/\Agateway\|shared form munge me /, job.connection['mt_shared'])
    assert_equal '200', chat(job, token(job, 'hpcfaculty')).code
    %w[hpcstudent outsider].each { |user| assert_equal '403', login(job, user).code }
    assert_others_get_nothing(job, '/v1/models')
  end

  def v1
    set('envelope' => 'v1')
    yield
  end

  # As much of Environment Modules as it takes to load a modulefile. MULTITENANT_TEST_MODULES has the line that brings a
  # real one, such as "source /usr/share/modules/init/bash".
  MODULE = <<~'BASH'
    module() {
      [[ $1 != load ]] || eval "$(FILE=$2 tclsh <<'TCL'
    proc module-whatis {text} {}
    proc setenv {name value} { puts "export $name='$value'" }
    proc prepend-path {name value} { puts "export $name='$value':\$$name" }
    set ModulesCurrentModulefile $env(FILE)
    source $env(FILE)
    TCL
      )"
    }
  BASH

  # A node that has neither nginx nor anything of ours, but for what modules bring.
  def test_nginx_and_a_node_kit_by_environment_modules
    file, beside, kit = %w[nginx/module lib/multitenant/multitenant-gate kit].map { |path| File.join(Bed::OURS, path) }
    FileUtils.mkdir_p(File.dirname(file))
    FileUtils.cp('/usr/sbin/nginx', File.dirname(file))
    File.write(file, "#%Module1.0\nprepend-path PATH #{File.dirname(file)}\n")
    MultiTenant::NodeKit.new(kit).write
    set('modules_nginx' => file)
    File.rename(beside, "#{beside}.none")
    job = AppJobs.starting_up(<<~BASH) { web.shared }
      #{ENV.fetch('MULTITENANT_TEST_MODULES', MODULE)}
      module load #{kit}/modulefiles/multitenant-node-kit/#{MultiTenant::VERSION}
      type() { local at; at=$(builtin type "$@") && [[ $at != /usr/sbin/nginx ]] && echo "$at"; }
    BASH
    assert_equal(%w[401 200], [nil, token(job)].map { |token| code(job, '/', token: token) })
    assert_equal "#{File.dirname(file)}/nginx", File.readlink("/proc/#{nginx(job, 'master')}/exe")
    assert(processes(job).any? { |_, words| words[0] == "#{kit}/bin/multitenant-gate" })
  ensure
    File.rename("#{beside}.none", beside) if File.exist?("#{beside}.none")
  end

  # What takes minutes: the job that follows starts one after the first.
  module Long
    def kept(title)
      state = File.join(Bed.home('hpcfaculty'), ".local/state/multitenant/services/#{title.downcase}@hpcGrp")
      FileUtils.rm_rf(state)
      { 'mt_until' => (Date.today + 1).to_s, 'mt_title' => title, 'bc_num_hours' => '0.0667' }
    end

    def decide(act, service)
      told = Bed.multitenant('hpcfaculty', act, service, 'hpcstudent2')
      assert_match(/ by that now/, told.out, told.err)
    end

    def test_tokens_cookies_bans_and_streams_outlast_a_hand_over
      set('keep_days' => '2')
      jobs = { 'pages' => web(**kept('Pages')), 'model' => serve('vllm', 'facebook/opt-125m', kept('Model')) }
      jobs.each_value(&:shared)
      tokens = jobs.transform_values { |job| %w[hpcstudent hpcstudent2].map { |user| token(job, user) } }
      jobs.each_key { |service| decide('ban', service) }
      stream = connect(jobs['pages'], tokens['pages'][0], '/events')
      assert_match(/first/, stream.each_line.find { |line| line.start_with?('data: ') })
      jobs.each do |service, job|
        student, banned = tokens[service]
        following = successor(job)
        refute_equal port(job), port(following)
        path = service == 'pages' ? '/' : '/v1/models'
        cookie = { 'Cookie' => "multitenant_token=#{student}" }
        assert_equal '200', code(following, path, token: student)
        assert_equal '200', code(following, path, headers: cookie)
        assert_equal '403', code(following, path, token: banned)
        assert_equal 'banned', JSON.parse(login(following, 'hpcstudent2').body)['code']
        decide('unban', service)
        assert_equal '200', code(following, path, token: banned)
      end
      FileUtils.touch(@go)
      assert_match(/second/, stream.each_line.find { |line| line.start_with?('data: ') })
    end
  end
  include Long if ENV.key?('MULTITENANT_LONG')
end
