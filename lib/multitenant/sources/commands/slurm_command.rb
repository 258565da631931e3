# frozen_string_literal: true

require 'shellwords'
require_relative '../answer'
require_relative '../../host/clock'

module MultiTenant
  # Slurm's commands as OOD's own adapter runs them for one cluster (ood_core, adapters/slurm.rb and
  # helper.rb): the `bin`, `bin_overrides`, `conf`, `cluster`, `submit_host` and
  # `strict_host_checking` of its job section. Unlike OOD we have a deadline, and what ssh passes to
  # the other host's shell is escaped.
  class SlurmCommand
    # One sentence, and the sysexits code that says the same.
    class Failure < StandardError
      # @return [Integer]
      attr_reader :code

      def initialize(sentence, code)
        super(sentence)
        @code = code
      end
    end

    # The variables that commands get from our environment, and ssh besides.
    VARIABLES = %w[PATH LD_LIBRARY_PATH SLURM_CONF SLURM_JWT TZ].freeze
    FOR_SSH = %w[HOME USER LOGNAME SSH_AUTH_SOCK KRB5CCNAME].freeze

    # Times as seconds since the epoch: slurm_make_time_str, 22.05 to 26.05.
    TIMES = 'SLURM_TIME_FORMAT=%s'

    # What a command says where it can never work as it is configured.
    MISCONFIGURED = /fatal: |accounting storage is disabled|Parse error|Parsing error/i

    # @param job [Hash] the job section, with string keys
    def initialize(job)
      @job = job
      @host = job['submit_host'].to_s
      @conf = job['conf']&.to_s
    end

    # @return [Boolean] the commands run on another host
    def over_ssh?
      !@host.empty?
    end

    # @param name [String] of the command
    # @param args [Array<String>]
    # @param until_at [Float] the deadline, by {MultiTenant.clock}
    # @param but [Regexp, nil] a failure that says this is an empty answer
    # @return [String] what it printed
    # @raise [Failure]
    def call(name, args, until_at, but: nil)
      seconds = until_at - MultiTenant.clock
      raise Failure.new("No time was left to run #{name}.", EX_TEMPFAIL) if seconds <= 0

      check_conf
      result = Native.run(argv(name, args), environment, seconds)
      said = sentence(result[:err])
      return '' if but && result[:exit]&.positive? && said.match?(but)

      judge(name, result, said, seconds)
      result[:out]
    end

    private

    # As ood_core builds it; sacctmgr knows no -M.
    def argv(name, args)
      words = [path(name), *args]
      words.push('-M', @job['cluster'].to_s) if @job['cluster'] && name != 'sacctmgr'
      return [found(words[0]), *words.drop(1)] unless over_ssh?

      strict = @job.fetch('strict_host_checking', true) ? 'yes' : 'no'
      [found('ssh'), '-p', (ENV['OOD_SSH_PORT'] || 22).to_i.to_s, '-o', 'BatchMode=yes',
       '-o', 'UserKnownHostsFile=/dev/null', '-o', "StrictHostKeyChecking=#{strict}", @host,
       *['env', TIMES, *words].map { |word| Shellwords.escape(word) }]
    end

    def path(name)
      overrides = @job['bin_overrides']
      override = overrides[name] if overrides.is_a?(Hash)
      override ? override.to_s : File.join(*[@job['bin'].to_s, name].reject(&:empty?))
    end

    # A program is started by its path alone.
    def found(command)
      return command if command.include?('/')

      dirs = ENV.fetch('PATH', '').split(File::PATH_SEPARATOR).reject(&:empty?)
      path = dirs.map { |dir| File.join(dir, command) }.find { |file| File.file?(file) && File.executable?(file) }
      path || raise(Failure.new("#{command} is not in the PATH of this host; set `bin` in the cluster's " \
                                'configuration.', EX_CONFIG))
    end

    def environment
      env = ENV.slice(*VARIABLES, *(FOR_SSH if over_ssh?))
      env['SLURM_CONF'] = @conf if @conf
      env['LC_ALL'] = 'C'
      [*env.map { |name, value| "#{name}=#{value}" }, TIMES]
    end

    # For a file that it can't read Slurm waits a minute.
    def check_conf
      conf = @conf || ENV.fetch('SLURM_CONF', nil)
      return if over_ssh? || conf.nil? || (File.file?(conf) && File.readable?(conf))

      raise Failure.new("SLURM_CONF names #{conf}, which cannot be read; set it to the slurm.conf of this cluster.",
                        EX_CONFIG)
    end

    def judge(name, result, said, seconds)
      where = over_ssh? ? "#{name} on #{@host}" : name
      case result[:status]
      when :ok then judge_end(where, result, said)
      when :spawn then raise Failure.new("#{where} could not be started (#{result[:error]}).", EX_CONFIG)
      when :timeout then raise Failure.new("#{where} did not answer within #{seconds.round(2)} s.", EX_TEMPFAIL)
      when :too_large then raise Failure.new("#{where} printed more than 64 MiB.", EX_DATAERR)
      else raise Failure.new("#{where} could not be watched (#{result[:error]}).", EX_UNAVAILABLE)
      end
    end

    # Slurm's commands may end with 0 all the same; and 255 is ssh's own.
    def judge_end(where, result, said)
      return if result[:exit]&.zero? && !said.match?(/Socket timed out/)

      why = said.empty? ? "status #{result[:exit] || "signal #{result[:signal]}"}" : said
      missing = [126, 127].include?(result[:exit])
      what = over_ssh? && result[:exit] == 255 ? "ssh to #{@host}" : where
      raise Failure.new("#{what} failed: #{why}", missing || said.match?(MISCONFIGURED) ? EX_CONFIG : EX_UNAVAILABLE)
    end

    # The first error that a command told of is the nearest to the cause; else its last line.
    def sentence(bytes)
      lines = bytes.b.lines.map { |line| line.strip.gsub(/[^ -~]/n, '?') }.reject(&:empty?)
      line = lines.find { |text| text.match?(/fatal: /) } || lines.find { |text| text.match?(/error: /) } || lines.last
      line.to_s[0, 500].force_encoding(Encoding::UTF_8)
    end
  end
end
