# frozen_string_literal: true

require 'json'
require_relative 'program'

module MultiTenant
  # A program of the gem's that is asked in one go: questions on its standard input, a line of JSON for each
  # on its standard output, and {"end":COUNT}.
  class LineProgram
    # @return [String, nil] one sentence where the last call gave nil for another reason than time
    attr_reader :error

    # @param path [String]
    # @param name [String] what a sentence calls it
    # @param partial [Boolean] where it gave up, the first answers are one
    def initialize(path, name, partial: false)
      @program = Program.new(path, name: name, fix: Program::REBUILD)
      @name = name
      @partial = partial
    end

    # @param options [Array<String>]
    # @param input [String]
    # @param seconds [Float] the deadline
    # @param count [Integer] of questions
    # @return [Array<Hash>, nil] the lines of the answer, in order; nil: there is none
    def call(options, input, seconds, count)
      result = @program.call(*Program.timeout(seconds), *options, seconds: seconds, input: input)
      lines = read(result, count)
      @error = lines || result.code == EX_TEMPFAIL ? nil : result.error || "#{@name} gave no whole answer."
      lines
    end

    private

    # What it has is there even where it gave up.
    def read(result, count)
      return unless [EX_OK, EX_TEMPFAIL].include?(result.exit)

      *lines, last = result.out.force_encoding(Encoding::UTF_8).lines.map { |line| JSON.parse(line) }
      lines if last&.key?('end') && (lines.size == count || (@partial && lines.size < count))
    rescue JSON::ParserError
      nil
    end
  end
end
