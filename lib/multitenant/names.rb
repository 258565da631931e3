# frozen_string_literal: true

require 'json'
require_relative 'answer'

module MultiTenant
  # Users and groups, as the name service has them: runs multitenant-names, in a process of its own,
  # because a name service may block for minutes. doc/formats.md
  class Names
    PROGRAM = File.expand_path('multitenant-names', __dir__)

    # The variables that the program gets from our environment.
    VARIABLES = %w[PATH LD_LIBRARY_PATH].freeze

    # Seconds before our deadline at which the program is to give up by itself, with what it has.
    MARGIN = 0.2

    # Seconds that the program takes for its own timeout.
    TIMEOUTS = [0.1, 3600].freeze

    # Questions of one call: MT_QUESTIONS_MAX.
    MOST = 65_536

    # @return [String, nil] one sentence where the last call gave nil for another reason than time
    attr_reader :error

    # @param program [String] path
    def initialize(program: PROGRAM)
      @program = program
    end

    # The groups of this process's user, as the name service has them now.
    # @param seconds [Float] the deadline
    # @return [Array<Integer>, nil] gids, [] where there is no such user; nil: could not be learned
    def viewer(seconds)
      lines = ask(['--viewer'], '', seconds, 1)
      lines && lines[0].dig('viewer', 'gids')
    end

    # @param questions [Array<Array(Integer, String)>] uid of a publisher, and the group that he names,
    #   or nil
    # @param seconds [Float] the deadline
    # @param publishers [String, nil] also ask whether each belongs to this group
    # @return [Array<Hash>, nil] the lines of the answer, in order; nil: there is none
    def call(questions, seconds, publishers: nil)
      if questions.size > MOST
        @error = "The name service is not asked about more than #{MOST} shares."
        return
      end
      input = questions.map { |uid, group| "#{Integer(uid)}\0#{group}\0".b }.join
      ask(publishers ? ['--publishers', publishers] : [], input, seconds, questions.size)
    end

    private

    def ask(options, input, seconds, count)
      own = [seconds - MARGIN, seconds * 0.9].max.round(3).clamp(*TIMEOUTS)
      env = ENV.slice(*VARIABLES).map { |name, value| "#{name}=#{value}" }
      result = Core.run([@program, '--timeout', own.to_s, *options], env, seconds, input)
      lines = read(result, count)
      @error = lines ? nil : sentence(result)
      lines
    end

    # What it has is there even where it gave up.
    def read(result, count)
      return unless result[:status] == :ok && [EX_OK, EX_TEMPFAIL].include?(result[:exit])

      *lines, last = result[:out].force_encoding(Encoding::UTF_8).lines.map { |line| JSON.parse(line) }
      lines if last&.key?('end') && lines.size == count
    rescue JSON::ParserError
      nil
    end

    def sentence(result)
      return if result[:status] == :timeout || result[:exit] == EX_TEMPFAIL
      if result[:status] == :spawn
        return "#{@program} could not be started (#{result[:error]}): run `gem pristine ood_multitenant` with the " \
               'dashboard\'s Ruby.'
      end

      said = result[:err].b.lines.last.to_s.strip.gsub(/[^ -~]/n, '?').delete_prefix('multitenant-names: ')[0, 300]
      said = result[:exit] ? "status #{result[:exit]}" : "signal #{result[:signal]}" if said.empty?
      "The name service could not be asked (#{said})."
    end
  end
end
