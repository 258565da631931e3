# frozen_string_literal: true

require_relative 'answer'

module MultiTenant
  # The source that reads record streams from a file, or from standard input (`-`).
  class RecordsFile
    LIMIT = Core::LIMITS[:records]

    # @param path [String]
    # @return [String] what is in it, in bytes
    # @raise [Failure]
    def self.read(path)
      text = (path == '-' ? $stdin.binmode.read(LIMIT + 1) : File.binread(path, LIMIT + 1)).to_s
      return text if text.bytesize <= LIMIT

      raise Failure.new(EX_DATAERR, "#{path} holds more than #{LIMIT >> 20} MiB.")
    rescue SystemCallError => e
      raise Failure.new(EX_DATAERR, "#{path} can't be read: #{e.message.split(' @ ').first}.")
    end

    # @param path [String]
    def initialize(path)
      @path = path
    end

    # @return [Answer]
    def call(_seconds)
      Answer.new(texts: [RecordsFile.read(@path)], from: @path, seconds: 0.0, error: nil, code: EX_OK)
    rescue Failure => e
      Answer.new(from: @path, seconds: 0.0, error: e.message, code: e.code)
    end
  end
end
