# frozen_string_literal: true

require_relative 'helper'
require 'pty'
require 'socket'
require 'uri'

# What a card offers to paste: whatever was shared is data to a shell, to Python and to R, and no secret is in it.
class TestSnippets < MultiTenantTest
  HOSTILE = ['a b', "o'x", '"; import os; os.system("id") #', '$(touch ran)', '`touch ran`', '; touch ran #',
             '| touch ran', "'; touch ran; '", '-e', '--defaults-file=/x', '@/etc/passwd', 'host=evil sslmode=disable',
             'postgresql://evil/', '\\', '\\"', "\\'", '!!', '*', '~', '${HOME}', '{a,b}', '%s%n', 'a&b<c>d', 'ß日本',
             "e\u0301", '#{1+1}', '?#/@:'].freeze # rubocop:disable Lint/InterpolationCheck -- it is text
  INVISIBLE = ["a\nb", "a\tb", "\u202Eb", "a\u200Bb", "a\u2028b", "a\u00A0b", ''].freeze
  SECRET = 'correct-horse'

  DATABASE = { 'host' => 'n1', 'port' => '5432', 'user' => 'u', 'database' => 'd', 'password' => SECRET }.freeze
  MODEL = { 'base_url' => 'http://n1:1/v1', 'ollama_url' => 'http://n1:1', 'model' => 'm', 'api_key' => SECRET }.freeze
  URLS = %w[http://n1:1/v1/'$(touch${IFS}ran)' http://n1:1/"+evil()+"#x http://n1:1/`id`;id&id|id{a,b} http://[::1]:1/
            https://n1/\\"].freeze

  PROGRAMS = %i[psql mysql psycopg pymysql r_postgres].freeze
  ALL = [*PROGRAMS, :openai, :ollama, :curl, :httr2].freeze

  def snippets(values)
    MultiTenant::Card.new(values, specs: {}).snippets
  end

  # Runs bash with programs that write their arguments down, and answers a prompt.
  # @return [Array<String>] these arguments
  def in_shell(text, stdin: '')
    bin = File.join(temporary, 'bin')
    FileUtils.mkdir_p(bin)
    %w[psql mysql curl].each do |name|
      File.write(File.join(bin, name), "#!/bin/sh\nprintf '%s\\0' \"$@\" >> #{temporary}/arguments\n" \
                                       "[ #{name} != curl ] || cat >> #{temporary}/stdin\n", perm: 0o755)
    end
    File.write("#{temporary}/arguments", '')
    done = run_as(nil, 'bash', '-c', text, stdin: stdin, dir: temporary,
                                           env: { 'PATH' => "#{bin}:/usr/bin:/bin", 'LC_ALL' => 'C.UTF-8' })
    assert_equal [0, ''], [done.code, done.err.gsub('API key: ', '')], text
    refute_path_exists File.join(temporary, 'ran')
    File.read("#{temporary}/arguments").split("\0", -1)[0..-2]
  end

  # Python's modules, that tell what they were called with.
  MODULES = {
    'psycopg' => 'connect = tell', 'pymysql' => 'connect = tell', 'getpass' => "getpass = lambda *_: 'typed'",
    'openai' => 'OpenAI = tell', 'ollama' => 'Client = tell', 'httpx' => 'Client = dict'
  }.freeze
  TELL = <<~PYTHON
    import json
    class Any:
        def __getattr__(self, name): return Any()
        def __getitem__(self, name): return Any()
        def __call__(self, **keys):
            print(json.dumps(keys))
            return Any()
        def __str__(self): return '{}'
    tell = Any()
  PYTHON

  # Each text for itself, but in one process: most of the time would go into starting Python.
  EACH = <<~PYTHON
    import json, sys
    for text in json.load(sys.stdin):
        exec(text, {'__name__': '__main__'})
        print()
  PYTHON

  # @return [Array<Hash>] all that calls were given by each text
  def in_python(*texts)
    MODULES.each { |name, body| File.write(File.join(temporary, "#{name}.py"), "#{TELL}#{body}\n") }
    done = run_as(nil, 'python3', '-c', EACH, stdin: JSON.generate(texts), dir: temporary,
                                              env: { 'PYTHONPATH' => temporary, 'LC_ALL' => 'C.UTF-8' })
    assert_equal [0, ''], [done.code, done.err]
    told = done.out.split("\n\n").map { |lines| lines.lines.map { |line| JSON.parse(line) }.reduce(:merge) }
    assert_equal texts.size, told.size
    told
  end

  # @return [Array<String>] the strings in a text of R's
  def in_r(text)
    assert_empty text.gsub(/"(?:[^"\\]|\\["\\])*"/, '').scan(/["'\\#`]/), text
    text.scan(/"(?:[^"\\]|\\["\\])*"/).map { |literal| JSON.parse(literal) }
  end

  def test_database
    all = HOSTILE.map { |text| snippets(DATABASE.merge('user' => text, 'database' => text)) }
    python = in_python(*all.flat_map { |offered| [offered.psycopg, offered.pymysql] }).each_slice(2)
    HOSTILE.zip(all, python) do |text, offered, (psycopg, pymysql)|
      url = in_shell(offered.psql)
      assert_equal 1, url.size
      uri = URI(url[0].delete_prefix('--dbname='))
      assert_equal ['postgresql', text, 'n1', 5432, "/#{text}"],
                   [uri.scheme, unescape(uri.user), uri.host, uri.port, unescape(uri.path)]
      assert_equal ['--local-infile=0', '--protocol=tcp', '--host=n1', '--port=5432', "--user=#{text}",
                    "--database=#{text}", '--password'], in_shell(offered.mysql)
      assert_equal({ 'host' => 'n1', 'port' => 5432, 'dbname' => text, 'user' => text, 'password' => 'typed',
                     'passfile' => '/dev/null' }, psycopg)
      assert_equal({ 'host' => 'n1', 'port' => 5432, 'database' => text, 'user' => text, 'password' => 'typed',
                     'local_infile' => false }, pymysql)
      assert_equal ['^PG', 'n1', text, text, 'Password: ', '/dev/null'], in_r(offered.r_postgres)
    end
  end

  def unescape(text)
    URI.decode_www_form_component(text.gsub('+', '%2B'))
  end

  def test_model
    values = HOSTILE.product([SECRET, ''])
    all = values.map { |text, key| snippets(MODEL.merge('model' => text, 'api_key' => key)) }
    python = in_python(*all.flat_map { |offered| [offered.openai, offered.ollama] }).each_slice(2)
    values.zip(all, python) do |(text, key), offered, (openai, ollama)|
      arguments = in_shell(offered.curl, stdin: "typed\n")
      assert_equal %w[-q] + (key.empty? ? [] : %w[--config -]) + %w[--noproxy *], arguments[0..-7]
      assert_equal 'http://n1:1/v1/chat/completions', arguments.last
      assert_equal text, JSON.parse(arguments[-2])['model']
      assert_equal [text, key.empty? ? 'none' : 'typed'], openai.values_at('model', 'api_key')
      assert_equal text, ollama['model']
      assert_includes in_r(offered.httr2), text
    end
    assert_includes File.read("#{temporary}/stdin"), "header = \"Authorization: Bearer typed\"\n"
  end

  def test_urls
    URLS.each do |url|
      offered = snippets(MODEL.merge('base_url' => url, 'ollama_url' => url))
      assert_equal "#{url.chomp('/')}/chat/completions", in_shell(offered.curl, stdin: "typed\n").last
      openai, ollama = in_python(offered.openai, offered.ollama)
      assert_equal [url, url], [openai['base_url'], ollama['host']]
      assert_includes in_r(offered.httr2), "#{url.chomp('/')}/chat/completions"
    end
  end

  # @return [String] what is on the terminal of who pastes it and types a key
  def typed_into(text, env = {})
    seen = +''
    PTY.spawn({ 'LC_ALL' => 'C', **env }, 'bash', '-c', text) do |screen, keys, pid|
      seen << screen.readpartial(1024) until seen.match?(/(?:ey|word): /)
      keys.puts(SECRET)
      loop { seen << screen.readpartial(1024) }
    rescue Errno::EIO # it has ended
      Process.wait(pid)
    end
    seen
  end

  def test_a_key_that_is_typed_is_not_seen
    offered = snippets(DATABASE.merge('kind' => 'redis')).variables
    assert_equal "Key: \r\nread #{SECRET.size}\r\n", typed_into("#{offered}echo \"read ${#REDISCLI_AUTH}\"")
    command = snippets(MODEL).curl
    assert_equal 'API key: ', typed_into("curl() { cat >/dev/null; }\n#{command}")
  end

  # As bash before 5.1 takes what is pasted: a line at a time.
  def test_what_is_pasted_waits_for_the_key
    pasted = snippets(DATABASE.merge('kind' => 'redis')).variables.tr("\n", "\r")
    seen = +''
    PTY.spawn({ 'LC_ALL' => 'C', 'INPUTRC' => '/dev/null' }, 'bash', '--norc', '-i') do |screen, keys, pid|
      { "bind 'set enable-bracketed-paste off'; echo now-$((1 + 1))\r" => 'now-2', pasted => "\nKey: ",
        "#{SECRET}\r" => '', "echo \"has ${#REDISCLI_AUTH}.\"; exit\r" => "\nhas " }.each do |typed, said|
        keys.write(typed)
        seen << screen.readpartial(1024) until seen.include?(said)
      end
      loop { seen << screen.readpartial(1024) }
    rescue Errno::EIO
      Process.wait(pid)
    end
    assert_includes seen, "has #{SECRET.size}."
  end

  # ---- the viewer's environment ----

  # @return [TCPServer] that keeps a connection, of a given port or any
  def listener(address, port = 0)
    (@listeners ||= []).push(TCPServer.new(address, port)).last
  end

  def teardown
    @listeners&.each(&:close)
    super
  end

  # What sites and users set, and what may decide for a client.
  def environment_of_elsewhere(address, port)
    url = "http://#{address}:#{port}"
    File.write(File.join(temporary, '.curlrc'), "proxy = #{url}\n")
    File.write(File.join(temporary, 'services'), "[elsewhere]\nhostaddr=#{address}\nsslmode=disable\n")
    { 'HOME' => temporary, 'PATH' => '/usr/bin:/bin', 'LC_ALL' => 'C.UTF-8', 'LIBMYSQL_ENABLE_CLEARTEXT_PLUGIN' => '1',
      'PGHOSTADDR' => address, 'PGSERVICE' => 'elsewhere', 'PGSERVICEFILE' => File.join(temporary, 'services'),
      'PGPASSWORD' => 'of-elsewhere', 'PGCONNECT_TIMEOUT' => '9',
      'MYSQL_HOST' => address, 'MYSQL_PWD' => 'of-elsewhere',
      'MYSQL_GROUP_SUFFIX' => '_elsewhere', 'MARIADB_TLS_DISABLE_PEER_VERIFICATION' => '1',
      'OLLAMA_API_KEY' => 'of-elsewhere', 'OPENAI_ORG_ID' => 'of-elsewhere', 'OPENAI_PROJECT_ID' => 'of-elsewhere' }
      .merge(%w[http_proxy HTTP_PROXY https_proxy HTTPS_PROXY all_proxy ALL_PROXY].to_h { |name| [name, url] })
  end

  # Runs it with the real client.
  # @return [String, nil] what the node got first; nil: somebody else was asked
  def reaches(node, elsewhere, text, env)
    client = Thread.new { run_as(nil, 'bash', '-c', text, stdin: "typed\n", dir: temporary, env: env) }
    ready, = IO.select([node, elsewhere], nil, nil, 10)
    connection = ready&.first&.accept
    yield connection if block_given? && ready == [node]
    ready == [node]
  ensure
    connection&.close
    [node, elsewhere].each { |server| server.accept_nonblock(exception: false) }
    client&.join(10)
  end

  def test_curl_reaches_the_node_directly_and_a_proxy_never_sees_the_key
    node = listener('127.0.0.1')
    elsewhere = listener('127.0.0.1')
    url = "http://127.0.0.1:#{node.addr[1]}/v1"
    text = snippets(MODEL.merge('base_url' => url)).curl
    got = +''
    assert(reaches(node, elsewhere, text, environment_of_elsewhere(*elsewhere.addr.values_at(3, 1))) do |connection|
      got << connection.readpartial(4096)
      connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    end)
    assert_match(%r{\APOST /v1/chat/completions HTTP.*^Authorization: Bearer typed\r$}m, got)
  end

  def test_database_clients_reach_the_node_whatever_the_environment_names
    node = listener('127.0.0.2')
    elsewhere = listener('127.0.0.3', node.addr[1])
    env = environment_of_elsewhere('127.0.0.3', node.addr[1])
    offered = snippets(DATABASE.merge('host' => '127.0.0.2', 'port' => node.addr[1].to_s))
    %i[psql mysql].each { |name| assert reaches(node, elsewhere, offered.public_send(name), env), name }
  end

  # psql asks for none where a file of the viewer's has one for any host, and a server may ask for it as it stands.
  def test_a_server_is_not_told_a_password_of_the_viewers_own
    File.write(File.join(temporary, '.pgpass'), "*:*:*:u:of-the-viewer\n", perm: 0o600)
    node = listener('127.0.0.1')
    heard = +''
    Thread.new { loop { ask_for_password(node.accept, heard) } }.report_on_exception = false
    text = snippets(DATABASE.merge('host' => '127.0.0.1', 'port' => node.addr[1].to_s)).psql
    done = run_as(nil, 'setsid', 'bash', '-c', text, dir: temporary, env: { 'HOME' => temporary })
    assert_includes heard, "user\0u\0"
    refute_includes heard, 'of-the-viewer'
    assert_match(/no password supplied/, done.err)
  end

  # As a PostgreSQL server that encrypts nothing, and wants the password as it stands.
  def ask_for_password(client, heard)
    loop do
      heard << (said = client.readpartial(4096))
      client.write(said.include?("user\0") ? ['R', 8, 3].pack('aNN') : 'N')
    end
  rescue SystemCallError, EOFError
    client.close
  end

  # A server may ask for one in answer to any question. What the viewer has set for servers of their own does not count.
  def test_a_server_is_given_no_file_of_the_viewers
    File.write(file = File.join(temporary, 'id_ed25519'), 'of-the-viewer')
    File.write(File.join(temporary, '.my.cnf'), "[client]\npassword=of-the-viewer\nlocal-infile=1\nskip-ssl\n")
    node = listener('127.0.0.1')
    offered = snippets(DATABASE.merge('host' => '127.0.0.1', 'port' => node.addr[1].to_s))
    { 'mysql' => "#{offered.mysql.chomp} <<<'SELECT 1'",
      'PyMySQL' => "python3 -c #{%(#{offered.pymysql}connection.query("SELECT 1")).shellescape}" }.each do |name, text|
      server = Thread.new { ask_for_file(node.accept, file) }
      seen = typed_into(text, 'HOME' => temporary, 'PATH' => '/usr/bin:/bin')
      login, *said = server.join(10)&.value
      assert_includes login, scrambled(SECRET), "#{name}: #{seen}"
      assert_includes said, "\x03SELECT 1", name
      assert_empty said.grep(/of-the-viewer/), name
    end
  end

  SALT = 'salt' * 5

  # As a MySQL server that answers each question by the name of a file.
  # @return [Array<String>] what it got
  def ask_for_file(client, file)
    got = []
    # Version 10 of the protocol: its version, connection, salt, what it can, character set, status, and more of all.
    hello = ["\n5.7.0\0", 1, "#{SALT[0, 8]}\0", 0x8289, 33, 0, 8, 21, "\0" * 10,
             "#{SALT[8..]}\0mysql_native_password\0"]
    [[0, hello.pack('a*Va*vCvvCa*a*')], [2, "\0" * 7], *[[1, "\xFB#{file}".b]] * 9].each do |number, packet|
      client.write([packet.bytesize | (number << 24)].pack('V'), packet)
      head = client.read(4)
      got << client.read(head.unpack1('V') & 0xFFFFFF) if head
      break unless head && (got.size == 1 || got.last.start_with?("\x03"))
    end
    got
  rescue SystemCallError
    got
  ensure
    client.close
  end

  # @return [String] how a client tells a password
  def scrambled(password)
    once = OpenSSL::Digest.digest('SHA1', password)
    mask = OpenSSL::Digest.digest('SHA1', SALT + OpenSSL::Digest.digest('SHA1', once))
    once.bytes.zip(mask.bytes).map { |one, other| one ^ other }.pack('C*')
  end

  def test_clients_of_python_and_r_are_told_to_reach_the_node_directly
    openai, ollama = in_python(snippets(MODEL).openai, snippets(MODEL).ollama)
    assert_equal [{ 'trust_env' => false }, false], [openai['http_client'], ollama['trust_env']]
    assert_includes snippets(MODEL).httr2, %(req_options(noproxy = "*"))
  end

  # What of the environment is left once the text has run, with modules that do nothing.
  def test_no_variable_of_a_client_is_left_in_python_and_r
    env = environment_of_elsewhere('127.0.0.3', 1).merge('PYTHONPATH' => temporary)
    in_python(snippets(DATABASE).psycopg)
    # OpenAI's client sends OPENAI_ORG_ID and OPENAI_PROJECT_ID to whomever it asks.
    left = 'import os; print([name for name in os.environ if name.startswith(("PG", "OPENAI_", "OLLAMA_API_KEY"))])'
    all = [snippets(DATABASE).psycopg, snippets(MODEL).ollama, snippets(MODEL).openai, left].join("\n")
    assert_equal '[]', run_as(nil, 'python3', '-c', all, dir: temporary, env: env).out.lines.last.strip
    r = snippets(DATABASE).r_postgres.lines.first
    done = run_as(nil, 'Rscript', '-e', "#{r}\ncat(grep('^PG', names(Sys.getenv()), value = TRUE))",
                  dir: temporary, env: env)
    assert_equal [0, ''], [done.code, done.out], done.err
  end

  # Slurm takes node names with an underscore, so resolvers and clients meet them.
  # One that may begin anywhere and go on to the end takes seconds for some kilobytes of words with which it begins.
  def test_patterns_that_look_at_what_was_shared_go_over_it_once
    places = [MultiTenant::Card, *%i[Snippets Login].map { |name| MultiTenant::Card.const_get(name) },
              MultiTenant::Gateway, MultiTenant::Kinds, MultiTenant::ServiceEnvironment]
    patterns = places.flat_map { |place| place.constants(false).map { |name| place.const_get(name) }.grep(Regexp) }
    assert_operator patterns.size, :>, 10
    assert_empty(patterns.map(&:source).grep_v(/\A\s*\\A/).grep(/[*+]|,\}/))
    assert_includes patterns, MultiTenant::Card::SECRET_INSIDE
    %w[jdbc:x?password=a x;Secret=a passphrase=b x?SSLKeyStorePassword=a].each do |value|
      assert_match MultiTenant::Card::SECRET_INSIDE, value
    end
  end

  # A dot takes six bytes of HTML: each long value of them is known not to fit, and not written first to see that.
  def test_what_has_no_room_on_a_card_is_not_written_in_vain
    MultiTenant::Card::Budget.new_page
    card = MultiTenant::Card.new((1..15).to_h { |i| ["k#{i}", '.' * 4096] }, specs: {})
    written = []
    card.define_singleton_method(:encode) { |value| super(value.tap { written << value.bytesize }) }
    rows = card.rows
    assert_equal [1, 14], [rows.grep(/&#x2E;/), rows.grep(/too long to be shown/)].map(&:size)
    assert_equal 1, written.count(4096)
    assert_equal MultiTenant::Card::Elements::ENTITIES.values_at('.', '~', '[').map(&:bytesize), [6, 6, 6]
    assert_operator card.least("a\xff."), :<=, card.encode("a\xff.").bytesize
  end

  def test_hosts_that_slurm_accepts
    %w[gpu_01 _n1 n1_ rack-3_node.01 GPU01 10.0.0.1 n1.cluster_a.example].each do |host|
      url = "http://#{host}:80/v1"
      both = [DATABASE.merge('host' => host), MODEL.merge('base_url' => url, 'ollama_url' => url)]
      offered = both.flat_map { |values| ALL.filter_map { |name| snippets(values).public_send(name) } }
      assert_equal([true] * 9, offered.map { |text| text.include?(host) }, host)
    end
    values = { 'host' => 'gpu_01', 'port' => '80', 'jobid' => '1' }
    web = MultiTenant::Card.new(values, specs: { '1' => { 'info' => { 'host' => 'gpu_01' }, 'connection' => values } })
    assert_equal '/rnode/gpu_01/80/', web.web_path
    assert_equal 'mysql', MultiTenant::Card.new({ 'jdbc_url' => 'jdbc:mysql://gpu_01:1/d' }, specs: {}).engine
  end

  # ---- what is never in it ----

  def test_no_secret_is_in_it
    both = [snippets(DATABASE), snippets(MODEL)]
    texts = both.flat_map { |one| ALL.filter_map { |name| one.public_send(name) } }
    assert_equal 9, texts.size
    texts.each { |text| refute_includes text, SECRET }
  end

  # What can't be seen, or is no address, is not offered to be pasted.
  def test_what_is_not_offered
    INVISIBLE.each do |text|
      assert_nothing_of(DATABASE.merge('user' => text))
      assert_nothing_of(DATABASE.merge('database' => text))
      assert_nothing_of(MODEL.merge('model' => text))
    end
    { 'host' => ['n1;id', '-oProxyCommand=id', "n1\nid", 'n 1', ''],
      'port' => ['1;id', '-1', '65536', "1\n", ''] }.each do |key, values|
      values.each { |value| assert_nothing_of(DATABASE.merge(key => value)) }
    end
    ['file:///etc/passwd', "http://n1/\nid", 'http://n 1/', '-K/x'].each do |url|
      assert_nothing_of(MODEL.merge('base_url' => url, 'ollama_url' => url))
    end
  end

  def assert_nothing_of(values)
    offered = snippets(values)
    assert_empty(ALL.filter_map { |name| offered.public_send(name) }, values)
  end

  # None for what gives a server files, as R's RMariaDB does.
  def test_only_for_the_engine_that_it_is_and_for_no_client_that_gives_files
    all = MultiTenant::Card::Snippets.public_instance_methods(false).sort
    { 'postgresql' => %i[psql psycopg r_postgres], 'mysql' => %i[mysql pymysql],
      'mariadb' => %i[mysql pymysql] }.each do |engine, offered|
      one = snippets(DATABASE.merge('jdbc_url' => "jdbc:#{engine}://n1:5432/d"))
      assert_equal(offered.sort, all.select { |name| one.public_send(name) })
    end
    assert_equal(PROGRAMS.sort, all.select { |name| snippets(DATABASE).public_send(name) })
  end
end
