# frozen_string_literal: true

require_relative 'line_program'

module MultiTenant
  # Users and groups, as the name service has them, by the program multitenant-names. doc/formats.md
  class Names
    PROGRAM = File.expand_path('../multitenant-names', __dir__)

    # @param program [String] path
    def initialize(program: PROGRAM)
      @program = LineProgram.new(program, 'The names program')
    end

    # @return [String, nil] one sentence where the last call gave nil for another reason than time
    def error
      @program.error
    end

    # The groups of this process's user, as the name service has them now.
    # @param seconds [Float] the deadline
    # @return [Array<Integer>, nil] gids, [] where there is no such user; nil: could not be learned
    def viewer(seconds)
      lines = @program.call(['--viewer'], '', seconds, 1)
      lines && lines[0].dig('viewer', 'gids')
    end

    # @param questions [Array<Array(Integer, String)>] uid of a publisher, and the group that they name,
    #   or nil
    # @param seconds [Float] the deadline
    # @param publishers [String, nil] also ask whether each belongs to this group
    # @return [Array<Hash>, nil] the lines of the answer, in order; nil: there is none
    def call(questions, seconds, publishers: nil)
      input = questions.map { |uid, group| "#{Integer(uid)}\0#{group}\0".b }.join
      @program.call(publishers ? ['--publishers', publishers] : [], input, seconds, questions.size)
    end
  end
end
