# frozen_string_literal: true

require 'json'
require_relative 'program'

module MultiTenant
  # Users and groups, as the name service has them, by the program multitenant-names: questions on its standard
  # input, a line of JSON for each on its standard output, and {"end":COUNT}. doc/formats.md
  class Names
    PROGRAM = File.expand_path('../multitenant-names', __dir__)

    # @return [String, nil] one sentence where the last call gave nil for another reason than time
    attr_reader :error

    # @param program [String] path
    def initialize(program: PROGRAM)
      @program = Program.new(program, name: 'The names program', fix: Program::REBUILD)
    end

    # The groups of this process's user, as the name service has them now.
    # @param seconds [Float] the deadline
    # @return [Array<Integer>, nil] gids, [] where there is no such user; nil: could not be learned
    def viewer(seconds)
      lines = ask(['--viewer'], '', seconds, 1)
      lines && lines[0].dig('viewer', 'gids')
    end

    # @param questions [Array<Array(Integer, String)>] uid of a publisher, and the group that they name,
    #   or nil
    # @param seconds [Float] the deadline
    # @param publishers [String, nil] also ask whether each belongs to one of these groups
    # @return [Array<Hash>, nil] the lines of the answer, in order; nil: there is none
    def call(questions, seconds, publishers: nil)
      input = questions.map { |uid, group| "#{Integer(uid)}\0#{group}\0".b }.join
      ask(publishers ? ['--publishers', publishers] : [], input, seconds, questions.size)
    end

    # How many people there are in groups of a user's, beside that user.
    # @param uid [Integer]
    # @param groups [Array<String>]
    # @param seconds [Float] the deadline
    # @return [Hash{String => Integer, nil}, nil] nil: could not be learned
    def others(uid, groups, seconds)
      others_of(groups.map { |group| [uid, group] }, seconds)&.transform_keys(&:last)
    end

    # The same of several users.
    # @param pairs [Array<Array(Integer, String)>] uid and group
    # @return [Hash{Array => Integer, nil}, nil] by these pairs; nil: could not be learned
    def others_of(pairs, seconds)
      lines = ask(['--others'], pairs.map { |uid, group| "#{uid}\0#{group}\0".b }.join, seconds, pairs.size)
      lines && pairs.zip(lines.map { |line| line['others'] }).to_h
    end

    private

    def ask(options, input, seconds, count)
      result = @program.call(*Program.timeout(seconds), *options, seconds: seconds, input: input)
      lines = read(result, count)
      @error = lines || result.code == EX_TEMPFAIL ? nil : result.error || 'The names program gave no whole answer.'
      lines
    end

    # What it learned before it gave up counts.
    def read(result, count)
      return unless [EX_OK, EX_TEMPFAIL].include?(result.exit)

      *lines, last = result.out.force_encoding(Encoding::UTF_8).lines.map { |line| JSON.parse(line) }
      lines if last&.key?('end') && lines.size == count
    rescue JSON::ParserError
      nil
    end
  end
end
