# frozen_string_literal: true

require_relative 'app_test'
require 'cgi'
require 'erb'

# Servers of language models. A stand-in that has their names is first in the job's PATH.
class TestLlm < AppTest
  APP = 'multitenant-llm'
  BIN = File.join(Bed::OURS, 'bin')
  PRESETS = { 'mt_delivery_select' => 'Ollama_API sys/multitenant-delivery_default' }.freeze
  MESSAGE = [{ role: 'user', content: 'as I said' }].freeze

  FileUtils.mkdir_p(BIN)
  FileUtils.cp(File.join(__dir__, 'llm_server.rb'), BIN)
  %w[ollama llama-server vllm].each { |name| FileUtils.ln_sf('llm_server.rb', File.join(BIN, name)) }
  ENV['PATH'] = "#{BIN}:#{ENV.fetch('PATH')}"

  def setup
    super
    @dir = File.join(Bed.home('hpcfaculty'), 'llm')
    FileUtils.rm_rf([@dir, *scratch])
    FileUtils.mkdir_p(@dir)
    FileUtils.chown('hpcfaculty', nil, @dir)
  end

  def scratch
    Dir.glob('/tmp/multitenant-llm.*')
  end

  def serve(kind, model, values = {})
    submit(APP, SHARED.merge(PRESETS).merge('version' => kind, 'ollama_model' => model).merge(values))
  end

  # A server that takes long to load its model, until the block was called.
  def slow(command, model = 'm')
    go = File.join(@dir, 'go')
    before = "echo \"$port\" > #{@dir}/port\nexport LLM_SERVER_WAIT_FOR=#{go}\n"
    job = serve('openai', model, 'command' => before + command)
    job.wait('the server starts') { File.size?(File.join(@dir, 'port')) }
    yield Integer(File.read(File.join(@dir, 'port'))), job
    FileUtils.touch(go)
    job
  end

  # @return [Array(String, String)] code and body, as hpcstudent gets them
  def curl(url, body = nil, key: nil)
    header = key ? "header = \"Authorization: Bearer #{key}\"\n" : ''
    data = body ? ['--data', JSON.generate(body)] : []
    result = Bed.as('hpcstudent', 'curl', '-sN', '--noproxy', '*', '--config', '-', '-w', "\n%{http_code}", *data, url,
                    input: header)
    result.out.rpartition("\n").values_at(2, 0)
  end

  # @return [IO] of an answer in pieces, which stays unfinished until the file is there
  def begin_answer(specs, file)
    body = { model: specs['model'], messages: [{ role: 'user', content: "hold #{file}" }], stream: true }
    key = specs['api_key'] ? ['-H', "Authorization: Bearer #{specs['api_key']}"] : []
    IO.popen(['runuser', '-u', 'hpcstudent', '--', 'curl', '-sN', '--noproxy', '*', *key, '-d', JSON.generate(body),
              "#{specs['base_url']}/chat/completions"])
  end

  # The words that came, of lines of JSON or server-sent events.
  def words(body)
    pieces = body.lines(chomp: true).map { |line| line.delete_prefix('data: ') } - ['', '[DONE]']
    pieces.map { |piece| JSON.parse(piece) }
          .map { |piece| (piece['message'] || piece['choices'].first['delta'])['content'] }.reject(&:empty?)
  end

  # What came of the block, and all arguments that any process had meanwhile.
  def arguments
    seen = {}
    watch = Thread.new do
      loop do
        Dir.children('/proc').grep(/\A\d+\z/).each { |pid| seen[read("/proc/#{pid}/cmdline")] = true }
        sleep 0.02
      end
    end
    [yield, seen.keys]
  ensure
    watch.kill
  end

  def read(file)
    File.read(file)
  rescue SystemCallError
    ''
  end

  # What the owner's card says.
  def view(connection)
    names = Struct.new(*connection.keys.map(&:to_sym)).new(*connection.values)
    erb = ERB.new(File.read(File.join(AppJobs.root(APP), 'view.html.erb')), trim_mode: '-')
    CGI.unescapeHTML(erb.result(names.instance_eval { binding }).gsub(/<[^>]*>/, ''))
  end

  def assert_key_is_asked_for(specs)
    url, key = specs.values_at('base_url', 'api_key')
    body = { model: specs['model'], messages: MESSAGE }
    assert_match(/\A[A-Za-z0-9]{32}\z/, key)
    [nil, 'guess'].each { |wrong| assert_equal '401', curl("#{url}/chat/completions", body, key: wrong).first }
    assert_equal specs['model'], JSON.parse(curl("#{url}/models", key: key).last)['data'].first['id']
    code, text = curl("#{url}/chat/completions", body, key: key)
    assert_equal ['200', 'as I said'], [code, JSON.parse(text).dig('choices', 0, 'message', 'content')]
    assert_equal ['as ', 'I ', 'said'], words(curl("#{url}/chat/completions", body.merge(stream: true), key: key).last)
  end

  # Three tenants get answers in pieces, and a fourth has theirs before these have ended; and others wait.
  def assert_nobody_waits_for_another(specs)
    file = File.join(@dir, 'hold')
    FileUtils.rm_f(file)
    url, key = specs.values_at('base_url', 'api_key')
    answers = Array.new(3) { begin_answer(specs, file) }
    answers.each { |io| assert io.wait_readable(60) && io.gets.include?('hold'), 'an answer has begun' }
    assert_equal 'as I said', answer(url, specs['model'], key)
    answers += Array.new(9) { begin_answer(specs, file) }
    assert IO.select(answers.last(9), nil, nil, 60), 'one of those has the slot that is left'
    assert_equal '200', curl("#{url}/models", key: key).first
    FileUtils.touch(file)
    answers.each { |io| assert_includes io.read, '[DONE]' }
  ensure
    FileUtils.touch(file)
    answers&.each(&:close)
  end

  def answer(url, model, key)
    _, text = curl("#{url}/chat/completions", { model: model, messages: MESSAGE }, key: key)
    JSON.parse(text).dig('choices', 0, 'message', 'content')
  end

  # Nobody else can have the other family's port, where clients would meet them.
  def assert_both_families(specs)
    return if read('/proc/net/if_inet6').empty?

    %w[127.0.0.1 [::1]].each { |host| refute_equal '000', curl("http://#{host}:#{specs['port']}/health").first }
  end

  def assert_never_shared(job, *sentences)
    job.wait('ends', 90) { job.ended? }
    sentences.each { |sentence| assert_match(sentence, job.log) }
    assert_empty job.file('connection.yml')
    refute_includes Bed.squeue('%j', '-t', 'all', '-j', job.job_id), '|'
  end

  def test_ollama_downloads_the_model_and_takes_its_scratch_directory_away
    job = serve('ollama', 'llama3.2', 'ollama_models' => 'scratch').shared
    specs = job.specs
    url, dir = specs.values_at('ollama_url', 'ollama_models')
    assert_equal({ 'host' => '127.0.0.1', 'port' => url[/\d+\z/], 'ollama_url' => url, 'ollama_models' => dir,
                   'ollama_model' => 'llama3.2', 'model' => 'llama3.2', 'base_url' => "#{url}/v1" }, specs)
    assert_equal [dir], scratch
    assert_equal 0o700, File.stat(dir).mode & 0o777
    assert_equal %w[pulling 50], job.log.scan(/^(pulling) \S+ (50) %$/).flatten
    code, text = curl("#{url}/api/chat", { model: 'llama3.2', messages: MESSAGE })
    assert_equal ['200', ['as ', 'I ', 'said']], [code, words(text)]
    assert_nobody_waits_for_another(specs)
    assert_both_families(specs)
    shared = job.connection.compact.reject { |_, value| value == '' }.merge('port' => specs['port'])
    assert_equal specs, shared.except('mt_shared')
    assert_match(/\Ashared card v1 \d hpcGrp\z/, shared['mt_shared'])
    assert_equal ["written #{job.id}"], Bed.cards('hpcstudent')
    job.cancel
    assert_match(/The server has shut down/, job.log)
    refute_match(/The server was told twice/, job.log)
    Bed.wait('slurmdbd knows that it ended') { Bed.cards('hpcstudent') == ["removed #{job.id}"] }
    assert_empty scratch
  end

  def test_what_start_up_files_export_is_neither_shared_nor_removed
    models, kept = %w[models kept].map { |name| File.join(@dir, name) }
    FileUtils.mkdir_p(kept)
    FileUtils.chown_R('hpcfaculty', nil, @dir)
    job = AppJobs.exporting('api_key' => "sk-the-user's-own", 'mt_made' => kept) do
      serve('ollama', 'llama3.2', 'ollama_models' => 'custom', 'ollama_custom' => models).shared
    end
    assert_equal models, job.specs['ollama_models']
    refute_includes job.specs, 'api_key'
    assert_includes ['', nil], job.connection['api_key']
    job.cancel
    assert_path_exists kept
  end

  def test_llama_cpp_asks_for_the_key_and_ends_before_its_time
    dir = File.join(@dir, HOSTILE.delete('/'))
    FileUtils.mkdir_p(dir)
    File.write(File.join(dir, "#{HOSTILE.delete('/')}.gguf"), 'GGUF')
    values = { 'ollama_models' => 'custom', 'ollama_custom' => dir }
    job, arguments = arguments { serve('llamacpp', "#{HOSTILE.delete('/')}.gguf", values).shared }
    specs = job.specs
    assert_equal HOSTILE.delete('/'), specs['model']
    assert_equal %w[api_key base_url host model port], specs.keys.sort
    assert_key_is_asked_for(specs)
    assert_nobody_waits_for_another(specs)
    assert_both_families(specs)
    assert_equal specs.slice('model', 'api_key'), job.connection.slice('model', 'api_key')
    assert_includes view(job.connection), specs['model']
    assert(arguments.any? { |line| line.include?("\0--parallel\0004\0--ctx-size\00016384\0") })
    refute_match(/did not ask for the key/, job.log)
    assert_includes view(job.connection), 'These paths answer everybody, without the key: / /health /models /v1/models.'
    assert(arguments.any? { |line| line.include?('--api-key-file') })
    refute(arguments.any? { |line| line.include?(specs['api_key']) })
    refute_includes job.log, specs['api_key']
    Bed.as('hpcfaculty', 'scontrol', 'update', "JobId=#{job.job_id}", 'TimeLimit=1')
    job.wait('ends', 120) { job.ended? }
    assert_equal ['COMPLETED', "Stopping the service...\nThe server has shut down.\nCleaning up...\n"],
                 [job.state, job.log.lines.last(3).join]
  end

  def test_vllm_asks_for_the_key_below_v1_and_the_owner_is_told_where_it_does_not
    values = { 'num_gpus' => '-1', 'slots' => '5', 'context_size' => '2048' }
    job, arguments = arguments { serve('vllm', 'facebook/opt-125m', values).shared }
    specs = job.specs
    assert_equal 'facebook/opt-125m', specs['model']
    assert_key_is_asked_for(specs)
    assert_nobody_waits_for_another(specs)
    assert_both_families(specs)
    note = 'The server did not ask for the key at /invocations: everybody who can reach it can use it. ' \
           'These paths answer everybody, without the key: /health /metrics /version /pause.'
    assert_includes job.log, note
    assert_includes view(job.connection), note
    assert(arguments.any? { |line| line.include?("\0--max-num-seqs\0005\0--max-model-len\0002048") })
    assert(arguments.any? { |line| line.include?('--served-model-name=facebook/opt-125m') })
    refute(arguments.any? { |line| line.include?(specs['api_key']) })
  end

  def test_any_server_is_shared_once_it_is_ready
    job, arguments = arguments do
      command = "VLLM_API_KEY=$api_key vllm serve \"$model\" --host 0.0.0.0 --port \"$port\" &\r\nwait"
      slow(command, HOSTILE) do |port, job|
        Bed.wait('it listens') { curl("http://127.0.0.1:#{port}/health").first == '503' }
        sleep 3
        refute_includes job.name, '|'
        assert_empty job.file('connection.yml')
      end.shared
    end
    specs = job.specs
    assert_equal HOSTILE, specs['model']
    refute_match(%r{did not ask for the key at .*/v1/}, job.log)
    assert_key_is_asked_for(specs)
    refute(arguments.any? { |line| line.include?(specs['api_key']) || line.include?('$api_key vllm') })
  end

  # Lists its model to everybody, and answers questions without a key with this code.
  def open_server(code, python = '')
    program = <<~PYTHON
      import http.server, os, time
      class Server(http.server.BaseHTTPRequestHandler):
          def do_GET(self):
              self.send_response(200)
              self.end_headers()
          def do_POST(self):
              #{python}
              self.send_response(200 if self.headers.get('Authorization') else #{code})
              self.end_headers()
      http.server.ThreadingHTTPServer(('', int(os.environ['port'])), Server).serve_forever()
    PYTHON
    serve('openai', 'm', 'command' => "exec python3 -c #{program.shellescape}")
  end

  # A server that is busy has said nothing of the key.
  def test_the_log_says_that_everybody_can_use_it_only_where_a_question_was_answered
    answers, busy = [open_server(200), open_server(503)].map(&:shared).each(&:connection).map(&:log)
    assert_match(%r{The server did not ask for the key at /v1/chat/completions .*: everybody}, answers)
    refute_match(/did not ask for the key/, busy)
  end

  # What loads its model for the first question answers late.
  def test_a_job_that_waits_for_the_first_answer_ends_when_it_is_told_to
    asked = File.join(@dir, 'asked')
    job = open_server(200, "open('#{asked}', 'w'); time.sleep(3600)")
    job.wait('is asked') { File.exist?(asked) }
    Bed.as('hpcfaculty', 'scancel', '--batch', '--signal', 'TERM', job.job_id)
    job.wait('ends', 60) { job.ended? }
    assert_equal 'COMPLETED', job.state
  end

  def test_what_can_not_be_served_ends_the_job_with_a_sentence
    File.write(File.join(@dir, 'not.gguf'), 'text')
    ended = /The service ended before it was ready/
    custom = { 'ollama_models' => 'custom', 'ollama_custom' => @dir }
    [[serve('ollama', 'no-such', 'ollama_models' => 'scratch'), /no-such could not be downloaded/, ended],
     [serve('ollama', HOSTILE), /Ollama has no model called/],
     [serve('ollama', 'm', 'ollama_models' => 'custom', 'ollama_custom' => HOSTILE), /must be a path that begins with/],
     [serve('llamacpp', 'not.gguf', custom), /not a GGUF file/, /llama-server has ended, with code 1/, ended],
     [serve('llamacpp', HOSTILE, custom), /There is no file .*HOME/],
     [serve('vllm', '--api-key=x'), /names no model/],
     [serve('openai', 'm', 'command' => "sleep 2\necho out of memory; exit 3"), /out of memory/, ended]]
      .each { |arguments| assert_never_shared(*arguments) }
    assert_empty scratch
    refute_path_exists '/tmp/owned'
  end

  def test_another_users_process_on_the_port_is_not_shared
    pid = nil
    heard = File.join(@dir, 'heard')
    stranger = 's = TCPServer.new("127.0.0.1", ARGV[0]); loop { c = s.accept; $stderr << c.readpartial(9999); ' \
               'c << "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"; c.close }'
    job = slow('exec sleep 600') do |port, _|
      pid = spawn('runuser', '-u', 'outsider', '--', 'ruby', '-rsocket', '-e', stranger, port.to_s, err: heard)
    end
    assert_match(/\ANot shared: what listens on port \d+ is not yours alone/, job.connection['mt_shared'])
    assert_match(%r{POST /v1/chat/completions}, File.read(heard))
    refute_match(/Authorization|#{job.connection['api_key']}/, File.read(heard))
    assert_match(/what listens on port \d+ is not yours alone/, job.log)
    refute_includes job.name, '|'
  ensure
    Process.kill('TERM', pid) && Process.wait(pid) if pid
  end

  def test_only_me_and_none
    me = serve('ollama', 'llama3.2', 'enable_multitenant' => 'user', 'ollama_models' => 'scratch').shared
    none = serve('ollama', 'llama3.2', 'enable_multitenant' => 'none', 'ollama_models' => 'scratch')
    assert_equal 'Shared with nobody.', none.connection['mt_shared']
    assert_match(/\Ashared form v1 me \S+\z/, me.connection['mt_shared'])
    refute_includes none.name, '|'
    assert_equal 'llama3.2', me.specs('hpcfaculty')['model']
    (Bed::MEMBERS + %w[outsider hpcfaculty2]).each { |user| assert_empty Bed.specs(user) }
    assert_equal [me.job_id.to_s], Bed.specs('hpcfaculty').keys
  end
end
