# frozen_string_literal: true

require_relative 'answer'

module MultiTenant
  # The source that reads record streams from a file, or from standard input (`-`).
  class RecordsFile
    LIMIT = Core::LIMITS[:records]

    # @param path [String]
    def initialize(path)
      @path = path
    end

    # @return [Answer]
    def call(_seconds)
      text = @path == '-' ? $stdin.binmode.read(LIMIT + 1).to_s : File.binread(@path, LIMIT + 1)
      return failed("#{@path} holds more than #{LIMIT >> 20} MiB.") if text.bytesize > LIMIT

      Answer.new(texts: [text], from: @path, seconds: 0.0, error: nil, code: EX_OK)
    rescue SystemCallError => e
      failed("#{@path} can't be read: #{e.message.split(' @ ').first}.")
    end

    private

    def failed(sentence)
      Answer.new(texts: [], from: @path, seconds: 0.0, error: sentence, code: EX_DATAERR)
    end
  end
end
