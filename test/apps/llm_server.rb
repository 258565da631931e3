#!/usr/bin/env ruby
# frozen_string_literal: true

# A stand-in for the servers of language models, without a model: what it is asked comes back, word by word. It is what
# its name says: `ollama serve`, `llama-server` or `vllm serve`, with those options, variables, codes and answers of
# theirs that clients need. It is ready after two seconds, or once the file exists that LLM_SERVER_WAIT_FOR names.
require 'fileutils'
require 'json'
require 'socket'

# Ollama's models are the files below manifests/.
class Store
  def initialize(dir)
    @dir = File.join(dir, 'manifests/registry.ollama.ai/library')
  end

  def names
    Dir.glob('*/*', base: @dir).map { |path| path.tr('/', ':') }
  end

  # Yields what Ollama says meanwhile. There is nothing called no-…
  def pull(name)
    yield(status: 'pulling manifest')
    return yield(error: 'pull model manifest: file does not exist') if name.start_with?('no-')

    (0..20).each { |n| yield(status: 'pulling 74701a8c35f6', total: 20_000, completed: n * 1000) && sleep(0.05) }
    file = File.join(@dir, *(name.include?(':') ? name : "#{name}:latest").split(':', 2))
    FileUtils.mkdir_p(File.dirname(file))
    File.write(file, '{}')
    yield(status: 'success')
  end
end

# One request, and the answer to it.
class Exchange
  TEXTS = { 200 => 'OK', 400 => 'Bad Request', 401 => 'Unauthorized', 404 => 'Not Found',
            503 => 'Service Unavailable' }.freeze

  attr_reader :path, :key

  def initialize(socket)
    @socket = socket
    _, @path, = socket.gets.to_s.split
    fields = socket.each_line("\r\n", chomp: true).take_while { |line| !line.empty? }
                   .to_h { |line| line.split(/:\s*/, 2) }.transform_keys(&:downcase)
    @key = fields['authorization'].to_s.delete_prefix('Bearer ')
    @body = socket.read(fields['content-length'].to_i)
  end

  # @return [Hash] what was sent as JSON
  def json
    JSON.parse(@body)
  end

  def answer(code, object)
    head(code, 'application/json')
    @socket.write(JSON.generate(object))
  end

  def stream(type)
    head(200, type)
    yield @socket
  end

  private

  def head(code, type)
    @socket.write("HTTP/1.1 #{code} #{TEXTS[code]}\r\nContent-Type: #{type}\r\nConnection: close\r\n\r\n")
  end
end

# The server: which one it is decides about paths and keys.
class Server
  def initialize(kind, args)
    @kind = kind
    @options = args.join(' ').scan(/--([a-z-]+)[ =](\S+)/).to_h
    @host, @port = @options.values_at('host', 'port')
    @port, @host = ENV.fetch('OLLAMA_HOST').reverse.split(':', 2).map(&:reverse) if ollama?
    @store = Store.new(ENV.fetch('OLLAMA_MODELS')) if ollama?
    @model = args[args.index(kind == 'vllm' ? '--served-model-name' : '--alias') + 1] unless ollama?
    @keys = keys
  end

  # @return [Array<String>] none: it asks for none
  def keys
    case @kind
    when 'llama-server' then File.readlines(@options.fetch('api-key-file'), chomp: true)
    when 'vllm' then [ENV.fetch('VLLM_API_KEY', nil)].compact
    else []
    end
  end
end
