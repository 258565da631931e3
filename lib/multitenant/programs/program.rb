# frozen_string_literal: true

require 'json'
require_relative '../sources/answer'

module MultiTenant
  # A program of the gem's that is asked in one go: questions on its standard input, a line of JSON for each
  # on its standard output, and {"end":COUNT}. It runs in a process of its own, as what it asks may block for
  # minutes.
  class Program
    # The variables that it gets from our environment.
    VARIABLES = %w[PATH LD_LIBRARY_PATH].freeze

    # Seconds before our deadline at which it is to give up by itself, with what it has.
    MARGIN = 0.2

    # Seconds that it takes for its own timeout.
    TIMEOUTS = [0.1, 3600].freeze

    # Questions of one call: MT_QUESTIONS_MAX.
    MOST = 65_536

    # @return [String, nil] one sentence where the last call gave nil for another reason than time
    attr_reader :error

    # @param path [String]
    # @param whom [String] what it asks, for a sentence
    # @param partial [Boolean] where it gave up, the first answers are one
    def initialize(path, whom, partial: false)
      @path = path
      @whom = whom
      @partial = partial
    end

    # @param options [Array<String>]
    # @param input [String]
    # @param seconds [Float] the deadline
    # @param count [Integer] of questions
    # @return [Array<Hash>, nil] the lines of the answer, in order; nil: there is none
    def call(options, input, seconds, count)
      own = [seconds - MARGIN, seconds * 0.9].max.round(3).clamp(*TIMEOUTS)
      env = ENV.slice(*VARIABLES).map { |name, value| "#{name}=#{value}" }
      result = Native.run([@path, '--timeout', own.to_s, *options], env, seconds, input)
      lines = read(result, count)
      @error = lines ? nil : sentence(result)
      lines
    end

    private

    # What it has is there even where it gave up.
    def read(result, count)
      return unless result[:status] == :ok && [EX_OK, EX_TEMPFAIL].include?(result[:exit])

      *lines, last = result[:out].force_encoding(Encoding::UTF_8).lines.map { |line| JSON.parse(line) }
      lines if last&.key?('end') && (lines.size == count || (@partial && lines.size < count))
    rescue JSON::ParserError
      nil
    end

    def sentence(result)
      return if result[:status] == :timeout || result[:exit] == EX_TEMPFAIL
      if result[:status] == :spawn
        return "#{@path} could not be started (#{result[:error]}): run `gem pristine ood_multitenant` with the " \
               'dashboard\'s Ruby.'
      end

      said = result[:err].b.lines.last.to_s.strip.gsub(/[^ -~]/n, '?').delete_prefix("#{File.basename(@path)}: ")[0,
                                                                                                                  300]
      said = result[:exit] ? "status #{result[:exit]}" : "signal #{result[:signal]}" if said.empty?
      "#{@whom} could not be asked (#{said})."
    end
  end
end
