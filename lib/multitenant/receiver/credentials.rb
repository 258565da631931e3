# frozen_string_literal: true

require_relative '../host/clock'
require_relative '../programs/program'

module MultiTenant
  # Has the MUNGE credentials that the core names opened for the viewer, by the program multitenant-munge: libmunge
  # waits for munged without a limit. doc/formats.md
  class Credentials
    PROGRAM = File.expand_path('../multitenant-munge', __dir__)

    # Seconds after which munged is asked again about one that it refused: opening one costs it more than refusing.
    PAUSE = 300

    # @return [String, nil] one sentence where the last call could not open all for another reason than time
    attr_reader :error

    # @param socket [#call] gives munged's, or nil: libmunge's default
    # @param program [String] path
    def initialize(socket: -> {}, program: PROGRAM)
      @socket = socket
      @program = Program.new(program, name: 'The munge program', fix: Program::REBUILD)
      @refused = {}
    end

    # @param payloads [Array<String>]
    # @param seconds [Float] the deadline
    # @return [String] what munged says of them, as the program writes it
    def call(payloads, seconds)
      @error = nil
      @refused.select! { |payload, till| MultiTenant.clock < till && payloads.include?(payload) }
      missing = payloads - @refused.keys
      missing.empty? ? '' : ask(missing, seconds)
    end

    # @param payloads [Array<String>] that munged refused, see {Core#refused}: for {PAUSE} it is not asked about them
    # @return [void]
    def pause(payloads)
      payloads.each { |payload| @refused[payload] = MultiTenant.clock + PAUSE }
    end

    private

    # What munged opened before the program gave up counts.
    def ask(payloads, seconds)
      input = payloads.map { |payload| "#{payload}\n" }.join
      result = @program.call(*options(seconds), seconds: seconds, input: input)
      @error = result.error unless result.code == EX_TEMPFAIL
      [EX_OK, EX_TEMPFAIL].include?(result.exit) ? result.out : ''
    end

    def options(seconds)
      socket = @socket.call
      [*Program.timeout(seconds), *(['--socket', socket] if socket)]
    end
  end
end
