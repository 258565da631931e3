#!/usr/bin/env ruby
# frozen_string_literal: true

# A stand-in for servers of language models, without a model: what it is told comes back, word by word. Its name says
# which it is, `ollama serve`, `llama-server` or `vllm serve MODEL`, with those of their options, variables, codes and
# answers that clients need. It is ready after two seconds, or once the file exists that LLM_SERVER_WAIT_FOR names.
require 'fileutils'
require 'json'
require 'optparse'
require 'socket'

# One request, and the answer to it.
class Exchange
  TEXTS = { 200 => 'OK', 401 => 'Unauthorized', 404 => 'Not Found', 503 => 'Service Unavailable' }.freeze

  attr_reader :path, :key

  def initialize(socket)
    @socket = socket
    @path = socket.gets.to_s.split[1].to_s
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
  # @param open [Array<String>] paths without a key
  def initialize(host, port, models: [], keys: [], open: [])
    @listener = TCPServer.new(host, Integer(port))
    @models = models
    @keys = keys
    @open = open
    @start = Time.now
  end

  def run
    told = false
    trap('TERM') do
      warn 'The server was told twice.' if told
      told = true
      exit
    end
    loop do
      Thread.new(@listener.accept) do |socket|
        serve(Exchange.new(socket))
      rescue SystemCallError
        # A client that is gone needs no answer.
      ensure
        socket.close
      end
    end
  ensure
    sleep 1.5
    warn 'The server has shut down.'
  end

  private

  def ready?
    file = ENV.fetch('LLM_SERVER_WAIT_FOR', nil)
    file ? File.exist?(file) : Time.now - @start > 2
  end

  def serve(exchange)
    return exchange.answer(503, error: { message: 'Loading model', type: 'unavailable_error' }) unless ready?
    return exchange.answer(401, error: { message: 'Invalid API Key' }) unless allowed?(exchange)

    route(exchange) || exchange.answer(404, error: { message: 'File Not Found' })
  end

  def allowed?(exchange)
    @keys.empty? || @open.include?(exchange.path) || @keys.include?(exchange.key)
  end

  # @return what is true where the path is known
  def route(exchange)
    case exchange.path
    when '/health' then exchange.answer(200, status: 'ok')
    when '/v1/models' then exchange.answer(200, object: 'list', data: @models.map { |id| { id: id, object: 'model' } })
    when '/v1/chat/completions' then complete(exchange)
    end
  end

  def complete(exchange)
    return exchange.answer(200, completion(exchange, :message, exchange.words.join)) unless exchange.json['stream']

    exchange.stream('text/event-stream') do |out|
      exchange.words.each { |word| out << "data: #{JSON.generate(completion(exchange, :delta, word))}\n\n" }
      out << "data: [DONE]\n\n"
    end
  end

  def completion(exchange, part, text)
    { object: part == :delta ? 'chat.completion.chunk' : 'chat.completion', model: exchange.json['model'],
      choices: [{ index: 0, part => { role: 'assistant', content: text } }] }
  end
end

# Its models are files below OLLAMA_MODELS; none is called no-…
class Ollama < Server
  def initialize
    host, _, port = ENV.fetch('OLLAMA_HOST').rpartition(':')
    super(host, port)
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
  %w[host port model alias threads api-key api-key-file served-model-name tensor-parallel-size
     n-gpu-layers].each do |name|
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
    Server.new(host, port, models: [options['alias']], keys: File.readlines(options['api-key-file'], chomp: true),
                           open: %w[/health /v1/models])
  when 'vllm'
    Server.new(host, port, models: [options['served-model-name'] || arguments[1]],
                           keys: [options['api-key'] || ENV.fetch('VLLM_API_KEY', nil)].compact, open: %w[/health])
  else abort 'Call it ollama, llama-server or vllm.'
  end.run
rescue Errno::EADDRINUSE
  abort "error: port #{port || ENV.fetch('OLLAMA_HOST')} is in use"
end
