# frozen_string_literal: true

require_relative '../ruby/free_port'
require_relative 'client_test'

# The chat page, in a job of hpcstudent's, with a service of hpcfaculty's.
class TestChat < ClientTest
  APP = 'multitenant-gradio'
  OURS = { 'X-Requested-With' => 'multitenant-chat' }.freeze
  QUESTION = { model: MODEL, messages: [{ role: 'user', content: 'as <b>I</b> said' }] }.freeze

  def request(job, method, path, headers = {}, body = nil)
    where = job.connection
    Net::HTTP.start(where['host'], where['port'], nil, nil, read_timeout: 30) do |http|
      http.send_request(method, path, body, { 'Content-Type' => 'text/plain' }.merge(headers))
    end
  end

  # @return [Hash] the headers that the page itself sends
  def login(job)
    action, password = card(job).match(%r{action="/rnode/[^/]+/\d+(/login)".*value="(\w+)"}m).captures
    answer = request(job, 'POST', action, {}, URI.encode_www_form(password: password))
    assert_equal %w[303 ./], [answer.code, answer['location']]
    assert_match(%r{; Path=/rnode/127.0.0.1/\d+; HttpOnly; SameSite=Strict\z}, answer['set-cookie'])
    OURS.merge('Cookie' => "other=\"; #{answer['set-cookie'][/[^;]+/]}; x")
  end

  # @return [Array<Hash>] without what keeps the connection
  def chat(job, page, question = QUESTION)
    request(job, 'POST', '/chat', page, JSON.generate(question)).body.lines.map { |line| JSON.parse(line) } - [{}]
  end

  def models(job, page)
    JSON.parse(request(job, 'GET', '/models', page).body)
  end

  def assert_strangers_are_sent_away(job, page)
    body = JSON.generate(QUESTION)
    ['/', '/chat.js', '/models', '/login', '/../chat.py'].each do |path|
      assert_equal '403', request(job, 'GET', path, OURS).code
      assert_equal '403', request(job, 'GET', path, page.merge('Cookie' => page['Cookie'].sub(/(\d=)./, '\1*'))).code
    end
    ['', 'password=', 'password=guess', "password=#{'x' * 5000}"].each do |form|
      answer = request(job, 'POST', '/login', {}, form)
      assert_equal [form.size > 4096 ? '413' : '403', nil], [answer.code, answer['set-cookie']]
    end
    host = "127.0.0.1:#{job.connection['port']}"
    [page.except('Cookie'), page.except('X-Requested-With'), page.merge('Sec-Fetch-Site' => 'same-site'),
     page.merge('Origin' => 'https://evil.example', 'X-Forwarded-Host' => host)].each do |headers|
      assert_equal '403', request(job, 'POST', '/chat', headers, body).code
    end
    [{ 'Sec-Fetch-Site' => 'same-origin', 'Origin' => 'https://ood.example' }, { 'Origin' => "http://#{host}" },
     { 'Origin' => 'https://ood.example', 'X-Forwarded-Host' => 'ood.example' }].each do |headers|
      assert_equal '200', request(job, 'POST', '/chat', page.merge(headers), body).code
    end
  end

  def test_a_student_chats_by_a_key_of_their_own_where_there_is_a_gateway
    service = guarded { serve }
    job = start(service.job_id)
    page = login(job)
    assert_equal [MODEL], models(job, page)['models']
    assert_equal [{ 'done' => true }], chat(job, page).last(1)
    door = Bed.specs(STUDENT).dig(service.job_id.to_s, 'gate', 'door')
    (arguments + [job.log]).each { |text| refute_match(/#{door}|mt1\.\d+\.|MUNGE:/, text) }
    shell = 'eval "$1"; curl -qsf --header "Authorization: Bearer $OPENAI_API_KEY" "$OPENAI_BASE_URL/models"'
    told = Bed.multitenant(STUDENT, 'login', service.job_id).out
    assert_match(/"#{MODEL}"/, Bed.as(STUDENT, 'bash', '-c', shell, '-', told).out)
    Bed.as(STUDENT, 'scancel', job.job_id)
    service.cancel
  end

  def test_a_student_chats_with_the_model_and_learns_when_it_ends
    service = serve
    key = service.specs['api_key']
    job = start(service.job_id)
    title = 'hpcfaculty: Language model'
    assert_includes card(job), title
    page = login(job)
    assert_strangers_are_sent_away(job, page)
    answer = request(job, 'GET', '/', page)
    assert_includes answer.body, '<script src="chat.js" defer>'
    assert_match(/default-src 'none'; script-src 'self'; style-src 'self'/, answer['content-security-policy'])
    assert_equal({ 'service' => title, 'owner' => 'hpcfaculty', 'models' => [MODEL], 'model' => MODEL },
                 models(job, page))
    assert_equal [{ 'text' => 'as ' }, { 'text' => '<b>I</b> ' }, { 'text' => 'said' }, { 'done' => true }],
                 chat(job, page)
    assert_secret(job, key)
    service.cancel
    assert_match(/does not answer: it may have ended/, chat(job, page).last['error'])
    assert_refused(service.job_id)
    Bed.as(STUDENT, 'scancel', job.job_id)
    Bed.wait('it ends', 60) { job.ended? }
    assert_match(/Stopping the service/, job.log)
  end

  def assert_secret(job, key)
    page = login(job)
    answers = %w[/ /models /chat.js].map { |path| request(job, 'GET', path, page).body }
    [key, job.connection['password']].each do |secret|
      (arguments + [job.log]).each { |text| refute_includes text, secret }
      assert_empty open_files(secret)
    end
    refute_includes answers.join, key
    assert_equal 0o600, File.stat(File.join(job.dir, 'before.sh')).mode & 0o777
  end

  # A server that gives these answers, one after the other.
  def answering(replies)
    server = TCPServer.new('127.0.0.1', 0)
    thread = Thread.new do
      loop do
        socket = server.accept
        length = socket.each_line.take_while { |line| line != "\r\n" }.join[/content-length: (\d+)/i, 1]
        socket.read(length.to_i)
        socket << "HTTP/1.1 #{replies.pop}"
        socket.close
      end
    end
    yield "http://127.0.0.1:#{server.addr[1]}/v1"
  ensure
    thread&.kill
    server&.close
  end

  ERRORS = {
    "401 No\r\n\r\n" => 'The service refuses the key that was shared: start a new chat from your dashboard.',
    "404 No\r\n\r\n" => %(The service has no model called "#{MODEL}".),
    "302 Found\r\nLocation: file:///etc/passwd\r\n\r\n" => 'The service answered with code 302: Found',
    "503 Busy\r\n\r\n{\"error\":{\"message\":\"Loading\"}}" =>
      'The service is busy, or still loads its model: try again in a minute. It says: Loading',
    "400 No\r\n\r\n{\"error\":{\"message\":\"n\",\"type\":\"exceed_context_size_error\"}}" =>
      'This is too long for the model: begin a new conversation, or write less. The service says: n',
    "400 No\r\n\r\n{\"object\":\"error\",\"message\":\"m\"}" => 'The service answered with code 400: m',
    "200 OK\r\n\r\nerror: {\"message\":\"no slot\"}\n\ndata: [DONE]\n\n" => 'The service says: no slot',
    "200 OK\r\n\r\ndata: {\"error\":\"out of memory\"}\n\n" => 'The service says: out of memory',
    "200 OK\r\n\r\ndata: <html>\n" => "The service's answer can't be understood.",
    "200 OK\r\n\r\ndata: {\"choices\":[]}\n" => 'The service broke its answer off: it may have ended.',
    'nonsense' => /does not answer: it may have ended/
  }.freeze

  def test_what_the_service_says_reaches_the_page_as_a_sentence
    replies = Queue.new
    answering(replies) do |url|
      job = start(share({ 'base_url' => url, 'api_key' => 'k' }))
      page = login(job)
      ERRORS.each do |reply, sentence|
        replies << reply
        assert_operator sentence, :===, chat(job, page).last['error'], reply
      end
      replies << "200 OK\r\n\r\n{\"data\":[]}"
      assert_equal 'The service has no models at this time.', models(job, page)['error']
      ['', '[]', '{"model":1}', '{"model":"m","messages":[1]}'].each do |body|
        assert_equal '400', request(job, 'POST', '/chat', page, body).code
      end
    end
  end

  def test_ollama_by_its_own_api
    port = FreePort.get
    models = File.join(Bed::OURS, 'models')
    FileUtils.mkdir_p(File.join(models, 'manifests/registry.ollama.ai/library/llama'))
    FileUtils.touch(File.join(models, 'manifests/registry.ollama.ai/library/llama/1b'))
    pid = spawn({ 'OLLAMA_HOST' => "127.0.0.1:#{port}", 'OLLAMA_MODELS' => models }, File.join(BIN, 'ollama'), 'serve')
    service = share({ 'ollama_url' => "http://127.0.0.1:#{port}", 'ollama_model' => 'gone' })
    dir = ood('stage', service)['dir']
    assert_nothing_of_their_own(dir)
    assert_reached_directly(dir)
    job = start(service)
    page = login(job)
    assert_equal [['llama:1b'], 'llama:1b'], models(job, page).values_at('models', 'model')
    assert_equal(['as ', '<b>I</b> ', 'said', nil], chat(job, page).map { |line| line['text'] })
  ensure
    Process.kill('TERM', pid) && Process.wait(pid) if pid
  end

  # Keys that users have for others, in what their shells set up, are not for this publisher.
  def assert_nothing_of_their_own(dir)
    names = %w[OPENAI_BASE_URL OPENAI_API_KEY OPENAI_ORG_ID OLLAMA_API_KEY PGPASSWORD PGHOSTADDR PGSERVICE PGSSLMODE
               PGOPTIONS MYSQL_PWD MYSQL_HOST MYSQL_UNIX_PORT MARIADB_UNIX_PORT LIBMYSQL_PLUGINS MT_MODEL_DIR]
    now = environment(dir, [*names, 'OLLAMA_HOST'].to_h { |name| [name, 'their own'] })
    assert_equal [nil] * names.size, now.values_at(*names)
    assert_match(/\Ahttp:/, now['OLLAMA_HOST'])
  end

  # A proxy for the internet would read the key.
  def assert_reached_directly(dir)
    assert_equal %w[127.0.0.1] * 2, environment(dir).values_at('NO_PROXY', 'no_proxy')
    now = environment(dir, 'http_proxy' => 'http://127.0.0.9:9', 'NO_PROXY' => '.a', 'no_proxy' => '.b')
    assert_equal %w[.a,.b,127.0.0.1] * 2, now.values_at('NO_PROXY', 'no_proxy')
  end

  # A proxy, and modules of Python's names, that users have for other programs.
  def test_what_users_export_does_not_come_between_the_page_and_the_service
    modules = File.join(Bed::OURS, 'modules')
    FileUtils.mkdir_p(modules)
    File.write(File.join(modules, 'json.py'), 'raise SystemExit("not Python\'s")')
    service = serve
    proxy = %w[http_proxy HTTP_PROXY all_proxy].to_h { |name| [name, 'http://127.0.0.9:9'] }
    AppJobs.exporting(proxy.merge('PYTHONPATH' => modules)) do
      job = start(service.job_id)
      assert_equal [MODEL], models(job, login(job))['models']
    end
    assert_staged_in_private(service.job_id, service.specs['api_key'])
  end

  def test_what_a_hostile_publisher_shares_stays_data
    service = share(NASTY)
    assert_data(ood('stage', service)['dir'])
    job = start(service)
    page = login(job)
    assert_equal 'What is shared is not the address of a language model.', models(job, page)['error']
    refute_path_exists '/tmp/owned'
  end

  def test_only_what_the_site_names_and_what_is_shared_with_him
    shell = share({ 'host' => 'n1' }, app: 'Shell')
    [shell, '1', HOSTILE, '../1'].each { |service| assert_refused(service) }
    assert_refused('', /No service was chosen: choose one in the form/)
    offered = ood('form', shell)['attributes']['auto_multitenant_services']['apps']
    assert_equal %w[Ollama_API Ollama_Code], offered
    without = { 'MULTITENANT_GEM' => 'absent' }
    form = AppJobs.ood('form', APP, {}, user: STUDENT, env: without)
    assert_match(/has not loaded the gem/, JSON.generate(form))
    error = assert_raises(RuntimeError) { AppJobs.ood('stage', APP, {}, user: STUDENT, env: without) }
    assert_match(/has not loaded the gem/, error.message)
  end
end
