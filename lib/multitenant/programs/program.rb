# frozen_string_literal: true

require_relative '../errors'

module MultiTenant
  # A program of the gem's, or a command of the host's. Each call starts it in a process of its own, as what it
  # asks may block for minutes, and kills it at a deadline; what went wrong is one sentence. It takes the core.
  class Program
    # What became of it.
    #
    # out     [String] bytes that it printed, also where it failed
    # said    [String] the line of its standard error that tells most, '' where there is none
    # error   [String, nil] one sentence where it did not end with 0
    # code    [Integer] its exit status, or EX_* where it has none or is only a shell's
    # exit    [Integer, nil] its exit status; nil: it was not started, or killed
    # seconds [Float] how long it took
    Result = Struct.new(:out, :said, :error, :code, :exit, :seconds, keyword_init: true) do
      def success?
        error.nil?
      end
    end

    # The variables that it gets of an environment which may hold a dashboard's secrets.
    VARIABLES = %w[PATH LD_LIBRARY_PATH SLURM_CONF SLURM_CONF_SERVER SLURM_SACK_SOCKET SLURM_JWT TZ].freeze

    # What a program of the gem's puts before its own sentence.
    OURS = /\Amultitenant-[a-z]+: /

    # A program of the gem's gives up by itself so many seconds before its deadline, or at this share of the
    # time, whichever is later: it can say where it was, and we can only kill it.
    MARGIN = 0.2
    SHARE = 0.9

    # What to do where a program of the gem's can't be started.
    REBUILD = 'run `gem pristine ood_multitenant` as `multitenant doctor` writes it'

    NOT_FOUND = { status: :not_found, out: '', err: '', seconds: 0.0 }.freeze
    private_constant :NOT_FOUND

    # @param seconds [Float] the deadline
    # @return [Array<String>] the option that tells a program of the gem's when to give up
    def self.timeout(seconds)
      ['--timeout', [seconds - MARGIN, seconds * SHARE].max.round(3).clamp(Core::LIMITS[:timeout]).to_s]
    end

    # @param command [String] a path, or a name that is looked for
    # @param path [String, nil] directories, as in PATH
    # @return [String, nil] a path; nil: there is no such command
    def self.find(command, path = ENV.fetch('PATH', nil))
      return command if command.include?('/')

      files = path.to_s.split(File::PATH_SEPARATOR).reject(&:empty?).map { |dir| File.join(dir, command) }
      files.find { |file| File.file?(file) && File.executable?(file) }
    end

    # @param command [String] a path, or a name that is looked for in PATH
    # @param name [String] what a sentence calls it
    # @param fix [String, nil] what to do where it can't be started: the end of a sentence
    def initialize(command, name: File.basename(command), fix: nil)
      @command = command
      @name = name
      @fix = fix
    end

    # @param args [Array<String>]
    # @param seconds [Float] the deadline
    # @param input [String, nil] its standard input; nil: none
    # @param from [#slice] the environment of which it gets {VARIABLES}
    # @param pass [Array<String>] more variables that it gets of that
    # @param set [Hash{String => String, nil}] variables that it gets besides; nil: as in `from`
    # @return [Result]
    def call(*args, seconds:, input: nil, from: ENV, pass: [], set: {})
      env = from.slice(*VARIABLES, *pass).merge({ 'LC_ALL' => 'C' }, set.compact)
      path = Program.find(@command, env['PATH'])
      ran = path ? Native.run([path, *args], env.map { |pair| pair.join('=') }, seconds, input) : NOT_FOUND
      said = telling_line(ran[:err])
      error, code = outcome_of(ran, said, seconds)
      Result.new(**ran.slice(:out, :exit, :seconds), said: said, error: error, code: code)
    end

    private

    def outcome_of(ran, said, seconds)
      case ran[:status]
      when :ok then outcome_of_exit(ran, said)
      when :not_found then [not_started("#{@command} is not in PATH"), EX_CONFIG]
      when :spawn then [not_started("#{@command}: #{ran[:error]}"), EX_CONFIG]
      when :timeout then ["#{@name} did not answer within #{seconds.round(1)} s and was killed.", EX_TEMPFAIL]
      when :too_large
        ["#{@name} printed more than #{Core::LIMITS[:records] >> 20} MiB and was killed.", EX_DATAERR]
      else ["#{@name} could not be watched (#{ran[:error]}).", EX_UNAVAILABLE]
      end
    end

    # 126 and 127 are a shell's and the dynamic linker's.
    def outcome_of_exit(ran, said)
      case code = ran[:exit]
      when EX_OK then [nil, code]
      when 126, 127 then [not_started(said), EX_CONFIG]
      when nil then ["#{@name} was ended by signal #{ran[:signal]}.", EX_UNAVAILABLE]
      else [failed(said, code), code]
      end
    end

    def failed(said, code)
      return "#{@name} failed with status #{code}." if said.empty?

      said.match?(OURS) ? said.sub(OURS, '') : "#{@name} failed: #{said}"
    end

    def not_started(why)
      "#{@name} could not be started (#{why})#{": #{@fix}" if @fix}."
    end

    # Our own programs' sentence is the last one; else the first error is the nearest to the cause. Fit for a log.
    def telling_line(bytes)
      lines = bytes.b.lines.map { |line| line.strip.gsub(/[^ -~]/n, '?') }.reject(&:empty?)
      line = lines.reverse.find { |text| text.match?(OURS) } || lines.find { |text| text.include?('fatal: ') } ||
             lines.find { |text| text.match?(/error: |\[emerg\] /) } || lines.last
      line.to_s[0, 500].force_encoding(Encoding::UTF_8)
    end
  end
end
