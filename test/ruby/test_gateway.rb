# frozen_string_literal: true

require_relative 'helper'
require_relative 'munged'
require_relative 'stand_in_gate'
require 'minitest/mock'
require 'multitenant/cli/login'

# How a tenant logs in to a service with a gateway. What answers is the test's own, munged is real.
class TestGateway < MultiTenantTest
  DOOR = 'd' * 43
  # A client's job.
  JOB = [MultiTenant::Sharing::JOB, MultiTenant::ServiceEnvironment::LOGIN].map { |file| ". #{file}" }.join('; ').freeze
  SECRETS = { 'api_key' => 'theirs', 'password' => 'theirs', 'user' => 'theirs', 'mt_gate' => 'theirs' }.freeze

  def teardown
    @gates&.each(&:stop)
    @munged&.stop
    super
  end

  VALUES = { 'jdbc_url' => 'jdbc:mariadb://n1:3306/d', 'database' => 'd' }.freeze

  # @return [Hash] what the card of a database with a gateway shows
  def shown
    MultiTenant::Card.allocate.tap { |card| card.instance_variable_set(:@values, VALUES) }.send(:own_values)
  end

  # The card of a database names the account, and must not fail while a directory does.
  def test_a_viewer_whom_the_name_service_does_not_know_has_no_account_to_show
    MultiTenant::Card.instance_variable_set(:@account, nil)
    Etc.stub(:getpwuid, -> { raise ArgumentError, "can't find user for 4242" }) do
      assert_nil MultiTenant::Gateway.account
      assert_equal VALUES, shown
    end
  end

  # It may hang, and with it all of the dashboard.
  def test_cards_of_databases_do_not_ask_the_name_service_again
    MultiTenant::Card.instance_variable_set(:@account, nil)
    asked = 0
    Etc.stub(:getpwuid, -> { Etc::Passwd.new('ann', 'x', asked += 1) }) do
      assert_match(/\Amt_1_/, shown['user'])
      assert_match(/\Amt_1_/, shown['user'])
    end
    assert_equal 1, asked
  ensure
    MultiTenant::Card.instance_variable_set(:@account, nil)
  end

  def token(uid: Process.uid, expires: @expires ||= Time.now.to_i + 3600)
    "mt1.#{uid}.#{expires}.#{'t' * 43}"
  end

  def spec(gate: { 'port' => '8443', 'door' => DOOR }, connection: {}, **info)
    { 'info' => { 'user' => 'prof', 'uid' => '61001', 'cluster' => 'hpc', 'job' => '4711', 'restarts' => '1',
                  'host' => 'n1' }.merge(info.transform_keys(&:to_s)),
      'connection' => { 'host' => 'n1', 'port' => '8443', **connection }, 'gate' => gate }.compact
  end

  def gateway(gate, host: '127.0.0.1', **info)
    MultiTenant::Gateway.of(spec(gate: { 'port' => gate.port, 'door' => DOOR }, host: host, **info))
  end

  # @return [StandInGate]
  def gate(answer = JSON.generate(token: token, expires: 1, user: 'x'), **options, &block)
    made = block ? StandInGate.new(&block) : StandInGate.saying(answer, **options)
    (@gates ||= []) << made
    made
  end

  def munged
    need_root
    @munged ||= begin
      File.chmod(0o755, temporary)
      Munged.new(File.join(temporary, 'munge').tap { |dir| Dir.mkdir(dir) })
    end
  end

  # @return [StandInGate] one that sends everybody on to there
  def sending_to(other)
    gate { |client, *| client.write("HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:#{other.port}/\r\n\r\n") }
  end

  # ---- where it is ----

  def test_a_gateway_is_where_the_specs_say
    found = MultiTenant::Gateway.of(spec)
    assert_equal "n1 8443 61001 hpc 4711 1 #{DOOR}", found.to_s
    assert_equal({ 'purpose' => 'multitenant-login', 'cluster' => 'hpc', 'job' => 4711, 'restarts' => 1,
                   'door' => DOOR }, JSON.parse(found.payload))
    [nil, spec(gate: nil), spec(host: ''), spec(host: 'n1 n2'), spec(host: 'n1/x'), spec(job: nil), spec(uid: 'x'),
     spec(cluster: 'a"b'), spec(gate: { 'port' => '1', 'door' => "#{DOOR} " }), spec(gate: { 'door' => DOOR })]
      .each { |none| assert_nil MultiTenant::Gateway.of(none), none }
  end

  def test_what_is_the_publishers_own_is_not_told_to_who_logs_in
    with = MultiTenant::Gateway.connection(spec(connection: SECRETS))
    assert_equal({ 'host' => 'n1', 'port' => '8443', 'mt_gate' => "n1 8443 61001 hpc 4711 1 #{DOOR}" }, with)
    without = MultiTenant::Gateway.connection(spec(gate: nil, connection: SECRETS))
    assert_equal SECRETS.except('mt_gate'), without.slice(*SECRETS.keys)
  end

  # ---- the credential ----

  def test_a_credential_is_for_the_publisher
    maker = MultiTenant::Gateway::Credential.new(socket: munged.socket)
    found = MultiTenant::Gateway.of(spec)
    credential = maker.make(found, 10)
    out, status = Open3.capture2('setpriv', '--reuid=61001', '--clear-groups', 'unmunge', "--socket=#{munged.socket}",
                                 stdin_data: credential)
    assert_predicate status, :success?
    assert_match(/^TTL: +180$/, out)
    assert_equal found.payload, out.lines.last
    munged.freeze_it
    late = assert_raises(MultiTenant::Failure) { maker.make(found, 3) }
    assert_equal [75, 'munged did not answer within'], [late.code, late.message[0, 28]]
  end

  # ---- the login ----

  def log_in(gate, seconds: 10, **info)
    MultiTenant::Gateway::Login.new(gateway(gate, **info)).call('MUNGE:x:', seconds: seconds)
  end

  # @return [Array(Integer, String)] code and sentence
  def refused(gate, **options)
    failure = assert_raises(MultiTenant::Failure) { log_in(gate, **options) }
    [failure.code, failure.message]
  end

  def test_a_login_gives_a_token
    answers = gate
    with_proxy = { 'http_proxy' => 'http://127.0.0.1:1', 'HTTP_PROXY' => 'http://127.0.0.1:1' }
    given = with_env(with_proxy) { log_in(answers) }
    assert_equal %w[api_key], given.keys
    assert_match(/\Amt1\.#{Process.uid}\./, given['api_key'])
    headers, body = answers.asked[0]
    assert_equal 'POST /multitenant/login HTTP/1.0', headers['']
    assert_equal ["127.0.0.1:#{answers.port}", 'application/json'], headers.values_at('host', 'content-type')
    assert_equal({ 'credential' => 'MUNGE:x:' }, JSON.parse(body))
  end

  def with_env(changes)
    before = ENV.to_h
    ENV.update(changes)
    yield
  ensure
    ENV.replace(before)
  end

  def test_of_a_database_it_gives_the_tenants_account
    account = { 'user' => 'mt_62001_0123abcd', 'password' => 'p-_9' }
    assert_equal account, log_in(gate(JSON.generate(account.merge('expires' => 1))))
    [account.merge('password' => "a\nb"), account.merge('user' => ''), account.except('user')].each do |odd|
      assert_match(/is not this service's gateway/, refused(gate(JSON.generate(odd)))[1])
    end
  end

  def test_a_refusal_is_a_sentence
    said = JSON.generate(code: 'banned', sentence: 'Its owner has banned you.')
    answers = gate(said, status: '403 Forbidden')
    assert_equal [77, "127.0.0.1:#{answers.port} does not let you in: Its owner has banned you."], refused(answers)
    assert_equal 75, refused(gate(said, status: '503 Service Unavailable'))[0]
    closed = gate.tap(&:stop)
    @gates.clear
    assert_match(/\ANothing answers at 127\.0\.0\.1:\d+, where you would log in \(Connection refused\)/,
                 refused(closed)[1])
  end

  def test_whatever_else_answers_is_no_gateway
    elsewhere = gate
    ['', '{', '[]', '{"token":1}', "{\"token\":\"#{token(uid: 4242)}\"}",
     "{\"token\":\"#{token}\\nX: y\"}"].each do |odd|
      assert_match(/is not this service's gateway/, refused(gate(odd))[1], odd)
    end
    redirects = sending_to(elsewhere)
    assert_match(/is not this service's gateway/, refused(redirects)[1])
    assert_empty elsewhere.asked
  end

  def test_a_login_ends_in_time_and_reads_so_much_and_no_more
    silent = gate { |*| sleep }
    assert_match(/\ANothing answers at .* \(Connection timed out\)/, refused(silent, seconds: 0.3)[1])
    drips = gate do |client, *|
      loop do
        client.write("HTTP/1.1 200 OK\r\n")
        sleep 0.05
      end
    end
    assert_match(/timed out/, refused(drips, seconds: 0.5)[1])
    floods = gate { |client, *| loop { client.write('x' * 65_536) } }
    assert_match(/is not this service's gateway/, refused(floods, seconds: 30)[1])
  end

  # ---- the command ----

  # What a viewer has of it.
  Receiver = Struct.new(:services, :specs, :report, :shares) do
    def ask; end
  end

  def command(*gates, word: 'spanish', connection: {}, found: nil)
    specs = gates.each_with_index.to_h do |one, i|
      base = { 'base_url' => "http://n#{i}/v1", 'model' => "a b\u202e", **SECRETS, **connection }
      [(4711 + i).to_s, spec(gate: one && { 'port' => one.port, 'door' => DOOR }, host: '127.0.0.1', connection: base)]
    end
    services = found || { 'prof/spanish@hpcGrp' => { 'title' => "Spanish\u202e 301 $(false)", 'user' => 'prof',
                                                     'members' => specs.keys, 'member' => '4711' } }
    receiver = Receiver.new(services, specs, {}, [])
    told = MultiTenant::CLI::Login.new('login', 'log in')
    host = Struct.new(:munge_socket).new(munged.socket)
    out, = capture_io { told.stub(:receiver, receiver) { told.stub(:host, host) { @code = told.call([word]) } } }
    out
  end

  def test_the_command_prints_the_token_and_the_variables_for_a_shell
    answers = gate
    %w[spanish spanish@hpcGrp prof/spanish@hpcGrp 4711].each do |word|
      out = command(answers, word: word)
      assert_equal 0, @code
      assert_match(/\A: 'prof: Spanish\\u202e 301 \$\(false\), until \d{4}-.*\. It is yours alone\.'$/, out)
      shell, = Open3.capture2('bash', '-c', 'eval "$1"; echo "$OPENAI_BASE_URL $OPENAI_API_KEY ${MT_MODEL-none}"', '-',
                              out)
      assert_match(%r{\Ahttp://n0/v1 mt1\.#{Process.uid}\.\S+ none\n\z}, shell)
      refute_match(/theirs|#{DOOR}/, out)
    end
    out, = Open3.capture2('setpriv', '--reuid=61001', '--clear-groups', 'unmunge', "--socket=#{munged.socket}",
                          stdin_data: answers.credentials[0])
    assert_equal MultiTenant::Gateway.of(spec).payload, out.lines.last
  end

  # Active Directory's groups have one, no service has.
  def test_the_command_finds_a_service_whose_group_has_an_at_sign
    service = { 'title' => 'Spanish', 'user' => 'prof', 'members' => %w[4711], 'member' => '4711' }
    %w[spanish spanish@class@ad.edu prof/spanish@class@ad.edu].each do |word|
      command(gate, word: word, found: { 'prof/spanish@class@ad.edu' => service })
      assert_equal 0, @code
    end
  end

  def test_the_command_tries_all_jobs_of_a_service
    closed = gate.tap(&:stop)
    @gates.clear
    banned = gate('{"sentence":"Banned."}', status: '403 x')
    assert_match(%r{^export OPENAI_BASE_URL=http://n2/v1$}, command(closed, banned, gate))
    failure = assert_raises(MultiTenant::Failure) { command(closed, banned) }
    assert_match(/ does not let you in: Banned\.\z/, failure.message)
    assert_equal 77, failure.code
  end

  def test_the_command_prints_the_account_of_a_database
    answers = gate(JSON.generate(user: 'mt_1_a', password: 'secret', expires: 1))
    out = command(answers, connection: { 'database' => 'd', 'jdbc_url' => 'jdbc:postgresql://n1:5432/d' })
    assert_match(/^export PGUSER=mt_1_a$/, out)
    assert_match(/^export PGPASSWORD=secret$/, out)
    refute_match(/theirs/, out)
  end

  # Of the user's own, where it is about something else, nothing goes.
  def test_what_the_shell_has_leads_nothing_elsewhere
    theirs = { 'PGHOSTADDR' => '192.0.2.1', 'PGSERVICE' => 'x', 'OPENAI_PROJECT' => 'mine', 'MYSQL_UNIX_PORT' => '/x',
               'MT_OLD' => 'x', 'http_proxy' => 'http://proxy', 'no_proxy' => 'localhost' }
    was = ENV.to_h
    ENV.update(theirs)
    database = gate(JSON.generate(user: 'mt_1_a', password: 'secret', expires: 1))
    address = { 'database' => 'd', 'host' => 'n7', 'port' => '5432', 'jdbc_url' => 'jdbc:postgresql://n7:5432/d' }
    [[command(database, connection: address), %w[MYSQL_UNIX_PORT], 'n7'],
     [command(gate), %w[PGHOSTADDR PGSERVICE MYSQL_UNIX_PORT], 'n0']].each do |out, left, host|
      found, = Open3.capture2('bash', '-c', 'eval "$1" && env', '-', out)
      assert_equal left, theirs.keys.grep(/\A[A-Z]/) & found.scan(/^\w+(?==)/)
      assert_match(/^no_proxy=localhost,.*\b#{host}\b/, found)
    end
  ensure
    ENV.replace(was)
  end

  # Of libpq, psql, MariaDB's and MySQL's clients and connectors, OpenAI's and Ollama's.
  READ = %w[PGHOSTADDR PSQL_HISTORY MYSQL_HOST MARIADB_TLS_DISABLE_PEER_VERIFICATION LIBMYSQL_PLUGINS OPENAI_ORG_ID
            OLLAMA_API_KEY MT_PASSWORD].freeze

  def test_what_is_forgotten_in_a_shell_is_forgotten_in_a_job
    families = MultiTenant::ServiceEnvironment::FAMILIES.flatten
    assert_empty(READ.reject { |name| name.start_with?(*families) })
    names = READ | families.map { |beginning| "#{beginning}X" }
    script = "source #{MultiTenant::Sharing::JOB}; unset_client_variables; env"
    out, = Open3.capture2(names.to_h { |name| [name, 'x'] }, 'bash', '-c', script)
    assert_empty out.scan(/^\w+(?==)/) & names
  end

  def test_the_command_says_what_there_is_not
    failure = assert_raises(MultiTenant::Failure) { command(nil) }
    assert_equal [65, 'spanish asks nobody to log in: its card shows all that there is.'],
                 [failure.code, failure.message]
    failure = assert_raises(MultiTenant::Failure) { command(gate, word: 'french') }
    assert_match(/No service `french` is shared with you; see /, failure.message)
    two = { 'a/x@g' => { 'members' => [] }, 'b/x@g' => { 'members' => [] } }
    failure = assert_raises(MultiTenant::Failure) { command(gate, word: 'x', found: two) }
    assert_match(%r{name one of a/x@g, b/x@g}, failure.message)
    [[], %w[a b]].each do |words|
      assert_raises(MultiTenant::Failure) { MultiTenant::CLI::Login.new('login', '').call(words) }
    end
  end

  # ---- on cards ----

  # Each would wait as long as one that is just not slow.
  def test_many_cards_do_not_wait_for_munged_one_after_the_other
    cards = MultiTenant::Card::Credentials
    slowly = Struct.new(:made) { def make(*) = sleep(0.1) && "MUNGE:#{self.made += 1}:" }.new(0)
    gateways = Array.new(32) { |i| gateway(Struct.new(:port).new('8443'), job: (100_000 + i).to_s) }
    MultiTenant::Gateway::Credential.stub(:new, slowly) { gateways.each { |one| cards.of(one) } }
    assert_includes 1..10, slowly.made
  ensure
    cards.instance_eval { [@last, @waiting, @made].each(&:clear) && (@spent = @since = @paused = 0) }
  end

  # OOD lists sessions in one order, and asks every ten seconds. The last one's is the only one of its publisher.
  def test_publishers_with_many_cards_leave_time_for_another_ones_login
    cards = MultiTenant::Card::Credentials
    now = 1000.0
    making = Struct.new(:cost) { def make(*) = cost.call && 'MUNGE:' }.new(-> { now += 0.03 })
    page = [*1..9].product([*1..32]).first((8 * 32) + 1).map do |uid, n|
      MultiTenant::Gateway.of(spec(uid: uid.to_s, job: ((uid * 100) + n).to_s))
    end
    let_in = MultiTenant.stub(:clock, -> { now }) do
      MultiTenant::Gateway::Credential.stub(:new, making) do
        Array.new(18) { page.map { |one| cards.of(one) }.tap { now += 10 } }
      end
    end
    assert_operator let_in.count(&:last), :>, 6, 'of three minutes'
    assert_operator let_in.map { |made| made.compact.size }.max, :>, 20
  ensure
    cards.instance_eval { [@last, @waiting, @made].each(&:clear) && (@spent = @since = @paused = 0) }
  end

  # Web applications have no row of what was shared, so that their page shows buttons alone.
  def test_who_has_waited_and_is_gone_takes_nobody_elses_time
    cards = MultiTenant::Card::Credentials
    now = 1000.0
    making = Struct.new(:cost) { def make(*) = cost.call && 'MUNGE:' }.new(-> { now += 0.1 })
    gateways = ->(uid, jobs) { jobs.map { |job| MultiTenant::Gateway.of(spec(uid: uid.to_s, job: job.to_s)) } }
    shown = lambda do |page|
      MultiTenant::Card::Budget.new_page
      page.count { |one| cards.of(one) }.tap { now += 61 }
    end
    MultiTenant.stub(:clock, -> { now }) do
      MultiTenant::Gateway::Credential.stub(:new, making) do
        shown.call(gateways[1, 1..12] + gateways[4, [99]])
        assert_equal 9, Array.new(4) { shown.call(gateways[1, 1..9]) }.last
      end
    end
  ensure
    cards.instance_eval { [@last, @waiting, @made].each(&:clear) && (@spent = @since = @paused = 0) }
  end

  # ---- in a client's job ----

  # Programs that write down what they are called with.
  def watched(*names)
    bin = File.join(temporary, 'bin')
    FileUtils.mkdir_p(bin)
    names.each do |name|
      real = MultiTenant::Program.find(name)
      File.write(File.join(bin, name), "#!/bin/bash\nprintf '%s\\n' \"$*\" >>#{bin}/calls\nexec #{real} \"$@\"\n",
                 perm: 0o755)
    end
    "#{bin}:#{ENV.fetch('PATH')}"
  end

  # @return [Array(String, String)] standard output and standard error of bash in a job
  def in_job(script, gates, path: ENV.fetch('PATH'), **env)
    lines = gates.map { |one| gateway(one).to_s }.join("\n")
    File.write(File.join(temporary, '.curlrc'), "output = /dev/null\n") # the tenant's own, for whatever they like
    env = { 'MULTITENANT_MUNGE_SOCKET' => munged.socket, 'PATH' => path, 'SLURM_JOB_ID' => '1', 'HOME' => temporary,
            'http_proxy' => 'http://127.0.0.1:1', **env.transform_keys(&:to_s) }
    out, err, = Open3.capture3(env, 'bash', '-c', "set -euo pipefail; #{JOB}; export MT_GATES=$1; #{script}", '-',
                               lines)
    [out, err]
  end

  def test_a_job_logs_in_without_a_secret_among_its_arguments
    answers = gate
    path = watched('munge', 'curl', 'timeout')
    out, err = in_job('bash -c log_in', [answers], path: path)
    assert_equal '', err
    assert_match(MultiTenant::Gateway::TOKEN, out.chomp)
    calls = File.read(File.join(temporary, 'bin/calls'))
    assert_match(/--restrict-uid=61001/, calls)
    refute_match(/#{DOOR}|MUNGE:/, calls)
    shown, = Open3.capture2('setpriv', '--reuid=61001', '--clear-groups', 'unmunge', "--socket=#{munged.socket}",
                            stdin_data: answers.credentials[0])
    assert_equal MultiTenant::Gateway.of(spec).payload, shown.lines.last
  end

  def test_a_job_logs_in_at_the_first_that_answers
    closed = gate.tap(&:stop)
    @gates.clear
    refuses = gate('{"code":"banned","sentence":"Its owner has banned you."}', status: '403 x')
    elsewhere = gate
    redirects = sending_to(elsewhere)
    assert_match(MultiTenant::Gateway::TOKEN, in_job('log_in', [closed, refuses, redirects, gate])[0].chomp)
    assert_equal ['', "You could not log in to the service: Its owner has banned you.\n"],
                 in_job('log_in || true', [closed, refuses, redirects])
    assert_match(/: it does not answer, and may have ended\.$/, in_job('log_in || true', [closed])[1])
    assert_empty elsewhere.asked
    munged.stop
    assert_match(/: munged does not answer on this node\.$/, in_job('log_in || true', [gate])[1])
  end

  # It is the publisher's own.
  def test_a_job_reads_so_much_of_an_answer_and_prints_nothing_that_a_terminal_obeys
    endless = gate("#{' ' * 65_536}#{JSON.generate(token: token)}")
    evil = gate(%({"sentence":"\e]0;x\a no"}), status: '403 x')
    assert_equal ['', "You could not log in to the service: it does not answer, and may have ended.\n"],
                 in_job('log_in || true', [endless])
    assert_equal ['', "You could not log in to the service: ?]0;x? no\n"], in_job('log_in || true', [evil])
  end

  # One rule for all: what is set, else what slurm.conf of the node says. The web host may have another one.
  def test_a_job_asks_the_munged_of_its_own_node
    path = watched('munge')
    File.write(File.join(temporary, 'bin/scontrol'), <<~SH, perm: 0o755)
      #!/bin/sh
      echo 'AuthInfo                = cred_expire=120,socket=#{munged.socket},ttl=9'
    SH
    out, = in_job('log_in', [gate], path: path, MULTITENANT_MUNGE_SOCKET: '')
    assert_match(MultiTenant::Gateway::TOKEN, out.chomp)
    assert_match(/ --socket=#{munged.socket}$/, File.read(File.join(temporary, 'bin/calls')))
  end

  def test_a_client_is_not_told_of_the_munged_that_the_web_host_found
    specs = { '1' => spec(connection: SECRETS) }
    services = { 'k' => { 'member' => '1', 'members' => %w[1], 'connection' => {}, 'app' => 'A' } }
    MultiTenant.instance_variable_set(:@host, Struct.new(:munge_socket).new('/web/host'))
    told = MultiTenant.stub(:specs, specs) do
      MultiTenant.stub(:services, services) { MultiTenant.service_script('k') }
    end
    assert_includes told, 'use_login'
    refute_includes told, '/web/host'
  ensure
    MultiTenant.instance_variable_set(:@host, nil)
  end

  # @return [String] what programs find
  def environment(connection, answers)
    script = MultiTenant::ServiceEnvironment.script(
      { **connection, 'mt_gate' => gateway(answers).to_s,
                      'mt_gates' => gateway(answers).to_s }, munge_socket: munged.socket
    )
    names = %w[OPENAI_BASE_URL OPENAI_API_KEY OLLAMA_HOST MT_API_KEY PGHOST PGUSER PGPASSWORD MYSQL_USER MYSQL_PWD]
    out, = in_job("#{script}\nfor n in #{names.join(' ')}; do printf '%s ' \"${!n--}\"; done", [answers],
                  MULTITENANT_MUNGE_SOCKET: '')
    out.strip
  end

  def test_programs_find_the_tenants_own_key
    key = token
    answers = gate(JSON.generate(token: key))
    assert_equal "http://n1/v1 #{key} - #{key} - - - - -", environment({ 'base_url' => 'http://n1/v1' }, answers)
    # Ollama's own programs send no token.
    assert_equal "http://n1/v1 #{key} - #{key} - - - - -", environment({ 'ollama_url' => 'http://n1/' }, answers)
    refuses = gate('{}', status: '403 x')
    assert_equal 'http://n1/v1 - - - - - - - -', environment({ 'base_url' => 'http://n1/v1' }, refuses)
  end

  def test_programs_find_the_tenants_own_account
    answers = gate(JSON.generate(user: 'mt_1_a', password: 'secret', expires: 1))
    connection = { 'host' => 'n1', 'port' => '5432', 'database' => 'd' }
    assert_equal '- - - - n1 mt_1_a secret - -',
                 environment({ **connection, 'jdbc_url' => 'jdbc:postgresql://n1:5432/d' }, answers)
    assert_equal '- - - - n1 mt_1_a secret mt_1_a secret', environment(connection, answers)
  end

  # ---- what forms and templates get ----

  def test_clients_are_told_the_gateways_of_all_jobs
    specs = { '1' => spec(connection: SECRETS), '2' => spec(job: '2', connection: { 'a' => 'b' }),
              '3' => spec(gate: nil, connection: SECRETS) }
    services = { 'k' => { 'member' => '1', 'members' => %w[1 2 3], 'connection' => specs['1']['connection'],
                          'app' => 'A' } }
    told = MultiTenant.stub(:specs, specs) { MultiTenant.stub(:services, services) { MultiTenant.service('k') } }
    lines = %w[1 2].map { |key| MultiTenant::Gateway.of(specs[key]).to_s }
    assert_equal lines.join("\n"), told['mt_gates']
    members = JSON.parse(told['mt_members'])
    assert_equal([*lines, nil], members.map { |member| member['mt_gate'] })
    assert_equal([nil, nil, 'theirs'], members.map { |member| member['api_key'] })
    assert_nil told['api_key']
  end
end
