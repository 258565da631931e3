# frozen_string_literal: true

require_relative 'program'

module MultiTenant
  # MUNGE credentials, opened as the viewer: runs multitenant-munge, in a process of its own, as libmunge
  # waits for munged without a limit. What was opened once is not opened again. doc/formats.md
  class Credentials
    PROGRAM = File.expand_path('multitenant-munge', __dir__)

    # libmunge's statuses of a credential whose contents are told: good, expired, rewound, replayed.
    # munged told whether this one may open it; that may change, so other statuses are asked for again.
    OPEN = [0, 15, 16, 17].freeze

    # @param socket [String, nil] munged's; nil: libmunge's default
    # @param program [String] path
    def initialize(socket: nil, program: PROGRAM)
      @socket = socket
      @program = Program.new(program, 'munged')
      @opened = {}
    end

    # @return [String, nil] one sentence where the last call could not open all for another reason than time
    def error
      @program.error
    end

    # @param payloads [Array<String>] of job names: what begins with `MUNGE:`
    # @param seconds [Float] the deadline
    # @return [Hash{String => Hash}] what is in each that munged was asked about: "status" and, where it told,
    #   "uid", "text" and "uid_only" or "gid_only"
    def call(payloads, seconds)
      @opened.select! { |payload, _| payloads.include?(payload) }
      missing = (payloads - @opened.keys).grep(/\AMUNGE:[!-~]+\z/).first(Program::MOST)
      return @opened.dup if missing.empty?

      options = @socket ? ['--socket', @socket] : []
      lines = @program.call(options, missing.map { |payload| "#{payload}\n" }.join, seconds, missing.size)
      answers = lines ? missing.zip(lines).to_h : {}
      @opened.update(answers.select { |_, answer| OPEN.include?(answer['status']) })
      @opened.merge(answers)
    end
  end
end
