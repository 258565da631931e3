#!/usr/bin/env ruby
# frozen_string_literal: true

# A stand-in for servers of language models, without a model: what it is told comes back, word by word. Its name says
# which it is, `ollama serve`, `llama-server` or `vllm serve MODEL`, with those of their options, variables, codes and
# answers that clients need. It is ready after two seconds, or once the file exists that LLM_SERVER_WAIT_FOR names; its
# models are listed before. An answer in pieces that begins with "hold" goes on once the file exists that is named next.
require 'fileutils'
require 'json'
require 'optparse'
require 'socket'

# One request, and the answer to it.
class Exchange
  TEXTS = { 200 => 'OK', 400 => 'Bad Request', 401 => 'Unauthorized', 404 => 'Not Found', 405 => 'Method Not Allowed',
            503 => 'Service Unavailable' }.freeze

  attr_reader :verb, :path, :key

  def initialize(socket)
    @socket = socket
    @verb, @path = socket.gets.to_s.split.values_at(0, 1).map(&:to_s)
    fields = socket.each_line("\r\n", chomp: true).take_while { |line| !line.empty? }
                   .to_h { |line| line.split(/:\s*/, 2) }.transform_keys(&:downcase)
    @key = fields['authorization'].to_s.delete_prefix('Bearer ')
    @body = socket.read(fields['content-length'].to_i)
  end

  # @return [Hash] what was sent as JSON
  def json
    @json ||= JSON.parse(@body)
  end

  # @return [Array<String>] the last message's words
  def words
    json['messages'].to_a.last.to_h['content'].to_s.split(/(?<= )/)
  end

  def answer(code, object)
    stream('application/json', code) { |out| out << JSON.generate(object) }
  end

  def stream(type, code = 200)
    @socket << "HTTP/1.1 #{code} #{TEXTS[code]}\r\nContent-Type: #{type}\r\nConnection: close\r\n\r\n"
    yield @socket
  end
end

# What they have in common: OpenAI's API.
class Server
  # @param models [Array<String>] their names
  # @param keys [Array<String>] one of which is asked for, if there is any
  # @param slots [Integer] how many answers are given at once
  # @param threads [Integer] how many requests are read at once
  def initialize(host, port, models: [], keys: [], slots: 256, threads: 256)
    @listener = TCPServer.new(host, Integer(port))
    @models = models
    @keys = keys
    @slots = SizedQueue.new(slots)
    @threads = threads
    @start = Time.now
  end

  def run
    told = false
    trap('TERM') do
      warn 'The server was told twice.' if told
      told = true
      exit
    end
    @threads.times { Thread.new { loop { meet(@listener.accept) } } }
    sleep
  ensure
    sleep 1.5
    warn 'The server has shut down.'
  end

  private

  def ready?
    file = ENV.fetch('LLM_SERVER_WAIT_FOR', nil)
    file ? File.exist?(file) : Time.now - @start > 2
  end

  def meet(socket)
    serve(Exchange.new(socket))
  rescue SystemCallError
    # A client that is gone needs no answer.
  ensure
    socket.close
  end

  def serve(exchange)
    return exchange.answer(401, error: { message: 'Invalid API Key' }) unless allowed?(exchange)
    return models(exchange) if exchange.path == '/v1/models'
    return exchange.answer(503, error: { message: 'Loading model', type: 'unavailable_error' }) unless ready?

    route(exchange) || exchange.answer(404, error: { message: 'File Not Found' })
  end

  def allowed?(exchange)
    @keys.empty? || open?(exchange.path) || @keys.include?(exchange.key)
  end

  def open?(_path)
    false
  end

  # @return what is true where the path is known
  def route(exchange)
    case exchange.path
    when '/health' then exchange.answer(200, status: 'ok')
    when '/v1/models' then models(exchange)
    when '/v1/chat/completions' then exchange.verb == 'POST' ? complete(exchange) : exchange.answer(405, {})
    end
  end

  def models(exchange)
    exchange.answer(200, object: 'list', data: @models.map { |id| { id: id, object: 'model' } })
  end

  def complete(exchange)
    return exchange.answer(400, error: { message: 'messages is required' }) unless exchange.json['messages']

    @slots.push(true)
    begin
      exchange.json['stream'] ? stream(exchange) : whole(exchange)
    ensure
      @slots.pop
    end
  end

  def whole(exchange)
    exchange.answer(200, completion(exchange, :message, exchange.words.join))
  end

  def stream(exchange)
    exchange.stream('text/event-stream') do |out|
      exchange.words.each do |word|
        out << "data: #{JSON.generate(completion(exchange, :delta, word))}\n\n"
        sleep 0.05 until exchange.words.first != 'hold ' || File.exist?(exchange.words[1].strip)
      end
      out << "data: [DONE]\n\n"
    end
  end

  def completion(exchange, part, text)
    { object: part == :delta ? 'chat.completion.chunk' : 'chat.completion', model: exchange.json['model'],
      choices: [{ index: 0, part => { role: 'assistant', content: text } }] }
  end
end

# It asks for the key where nothing is used.
class LlamaServer < Server
  private

  def open?(path)
    %w[/ /health /models /v1/models].include?(path)
  end

  def route(exchange)
    case exchange.path
    when '/', '/models', '/props' then models(exchange)
    when '/completion', '/completions', '/chat/completions' then complete(exchange) if exchange.verb == 'POST'
    else super
    end
  end
end

# It asks for the key below /v1 alone.
class Vllm < Server
  private

  def open?(path)
    !path.start_with?('/v1')
  end

  def route(exchange)
    case exchange.path
    when '/version', '/metrics' then exchange.answer(200, version: '0.21.0')
    when '/invocations' then exchange.verb == 'POST' ? complete(exchange) : exchange.answer(405, {})
    when '/pause' then exchange.verb == 'POST' ? abort('The server was told to pause.') : exchange.answer(405, {})
    else super
    end
  end
end

# Its models are files below OLLAMA_MODELS; none is called no-…
class Ollama < Server
  def initialize
    host, _, port = ENV.fetch('OLLAMA_HOST').rpartition(':')
    # As Go does.
    host = '::' if host == '0.0.0.0' && File.readlines('/proc/net/if_inet6').any?
    super(host, port, slots: Integer(ENV.fetch('OLLAMA_NUM_PARALLEL', 1)))
    @dir = File.join(ENV.fetch('OLLAMA_MODELS'), 'manifests/registry.ollama.ai/library')
  end

  private

  def route(exchange)
    @models = Dir.glob('*/*', base: @dir).map { |path| path.tr('/', ':') }
    case exchange.path
    when '/api/version' then exchange.answer(200, version: '0.11.10')
    when '/api/tags' then exchange.answer(200, models: @models.map { |name| { name: name, model: name } })
    when '/api/pull' then exchange.stream('application/x-ndjson') { |out| pull(exchange.json.fetch('model'), out) }
    when '/api/chat' then exchange.stream('application/x-ndjson') { |out| chat(exchange, out) }
    else super
    end
  end

  def pull(name, out)
    say = ->(state) { out << "#{JSON.generate(state)}\n" }
    say.call(status: 'pulling manifest')
    return say.call(error: 'pull model manifest: file does not exist') if name.start_with?('no-')

    (0..40).each { |n| say.call(status: 'pulling 74701a8c35f6', total: 40_000, completed: n * 1000) && sleep(0.05) }
    file = File.join(@dir, *(name.include?(':') ? name : "#{name}:latest").split(':', 2))
    FileUtils.mkdir_p(File.dirname(file))
    File.write(file, '{}')
    say.call(status: 'success')
  end

  def chat(exchange, out)
    words = exchange.json['stream'] == false ? [exchange.words.join] : exchange.words
    words.each { |word| out << "#{JSON.generate(message: { role: 'assistant', content: word }, done: false)}\n" }
    out << "#{JSON.generate(message: { role: 'assistant', content: '' }, done: true)}\n"
  end
end

options = {}
parser = OptionParser.new do |o|
  %w[host port model alias threads api-key api-key-file served-model-name tensor-parallel-size n-gpu-layers
     parallel ctx-size threads-http max-num-seqs max-model-len].each do |name|
    o.on("--#{name} VALUE") { |value| options[name] = value }
  end
end
arguments = parser.parse(ARGV)
host, port = options.values_at('host', 'port')

begin
  case File.basename($PROGRAM_NAME)
  when 'ollama' then Ollama.new
  when 'llama-server'
    abort "error: #{options['model']} is not a GGUF file" unless File.binread(options['model'], 4) == 'GGUF'
    slots = options.fetch('parallel', 1).to_i
    LlamaServer.new(host, port, models: [options['alias']], keys: File.readlines(options['api-key-file'], chomp: true),
                                slots: slots, threads: options.fetch('threads-http', slots + 2).to_i)
  when 'vllm'
    Vllm.new(host, port, models: [options['served-model-name'] || arguments[1]],
                         keys: [options['api-key'] || ENV.fetch('VLLM_API_KEY', nil)].compact,
                         slots: options.fetch('max-num-seqs', 256).to_i)
  else abort 'Call it ollama, llama-server or vllm.'
  end.run
rescue Errno::EADDRINUSE
  abort "error: port #{port || ENV.fetch('OLLAMA_HOST')} is in use"
end
