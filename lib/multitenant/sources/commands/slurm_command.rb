# frozen_string_literal: true

require 'securerandom'
require 'shellwords'
require_relative '../../host/clock'
require_relative '../../programs/program'
require_relative 'marked_rows'

module MultiTenant
  # Slurm's commands as OOD's own adapter runs them for one cluster (ood_core, adapters/slurm.rb and
  # helper.rb): the `bin`, `bin_overrides`, `conf`, `cluster`, `submit_host` and
  # `strict_host_checking` of its job section. Unlike OOD we have a deadline, and what ssh passes to
  # the other host's shell is escaped.
  class SlurmCommand
    # The command can't be run at all, here or on the other host.
    class NotThere < Failure; end

    # The variables that ssh gets from our environment besides, and wrappers of the site's, which may call it.
    FOR_SSH = %w[HOME USER LOGNAME SSH_AUTH_SOCK KRB5CCNAME].freeze

    # Times as seconds since the epoch: slurm_make_time_str, 22.05 to 26.05.
    TIMES = { 'SLURM_TIME_FORMAT' => '%s' }.freeze

    # What Slurm writes where that is lost: ssh in a wrapper of the site's takes it nowhere, and the site can't set it
    # there, as Open OnDemand reads dates alone. They are of this host's zone.
    DATE = /\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3])(?::[0-5]\d){2}/
    TIME = /\A(?:\d{1,19}|#{DATE})\z/

    # @param text [String] a time that a command printed
    # @return [Integer] seconds since the epoch; 0: it is none
    def self.epoch(text)
      text.match?(/\A#{DATE}\z/o) ? Time.local(*text.scan(/\d+/).map(&:to_i)).to_i : text.to_i
    end

    # What start-up files on the other host export would change what a command asks and how it answers. That user's
    # shell may be any, so bash is told to forget it. What they print ends with the mark, its first argument.
    PLAIN = ['env', '-u', 'BASH_ENV', 'bash', '-c',
             'unset "${!SQUEUE_@}" "${!SBATCH_@}" "${!SACCT_@}" "${!SCONTROL_@}" "${!SCANCEL_@}" "${!SINFO_@}" ' \
             "SLURM_CLUSTERS POSIXLY_CORRECT; export #{TIMES.map { |pair| pair.join('=') }.join(' ')}; " \
             'echo "$1"; shift; exec "$@"', 'bash'].freeze

    # What a command says where it can never work as it is configured.
    MISCONFIGURED = /fatal: |accounting storage is disabled|Parse error|Parsing error/i

    # A command may end with 0 all the same.
    TIMED_OUT = /Socket timed out/

    # Exit statuses of a command that was not run: none, or a shell's.
    NOT_RUN = [nil, 126, 127].freeze

    # ssh's own exit status.
    NO_CONNECTION = 255

    # @param job [Hash] the job section, with string keys
    def initialize(job)
      @job = job
      @host = job['submit_host'].to_s
      @conf = job['conf']&.to_s
      @mark = SecureRandom.hex(16)
    end

    # @return [Boolean] the commands run on another host
    def over_ssh?
      !@host.empty?
    end

    # @return [Boolean] they run on another host, or are wrappers of the site's, which may do so
    def elsewhere?
      over_ssh? || overrides.any?
    end

    # @param name [String] of the command
    # @return [Boolean] the site has a wrapper for it
    def wrapped?(name)
      overrides.key?(name)
    end

    # Where a site's wrappers reach Slurm, this host's own command may lack munge or a slurm.conf; what ends by itself,
    # as a slurmdbd that is down, is not that.
    # @param name [String] of the command
    # @param failure [Failure] of it
    # @return [Boolean]
    def useless?(name, failure)
      wrapped?('squeue') && !wrapped?(name) && (failure.code == EX_CONFIG || failure.message.match?(/munge/i))
    end

    # @param name [String] of the command
    # @param args [Array<String>]
    # @param until_at [Float] the deadline, by {MultiTenant.clock}
    # @param but [Regexp, nil] a failure that says this is an empty answer
    # @param some [Boolean] what it printed counts, too, where it failed for a part of what it was asked
    # @return [String] what it printed
    # @raise [Failure]
    def call(name, args, until_at, but: nil, some: false)
      seconds = until_at - MultiTenant.clock
      raise Failure.new(EX_TEMPFAIL, "No time was left to run #{name}.") if seconds <= 0

      check_conf unless overrides[name]
      result = run(name, words(name, args), seconds)
      return '' if but && result.exit&.positive? && result.said.match?(but)

      told = result.success? || (some && result.exit == 1)
      return printed(name, result.out) if told && !result.said.match?(TIMED_OUT)

      failure = NOT_RUN.include?(result.exit) && result.code == EX_CONFIG ? NotThere : Failure
      raise failure.new(code(result), sentence(name, result))
    end

    # Rows of jobs.
    # @param columns [Hash{Symbol => Regexp}] see {MarkedRows}
    # @param options [Hash] see {#call}
    # @yieldparam mark [String] what each field is to be followed by
    # @yieldreturn [Array<String>] args
    # @return [Array<Hash{Symbol => String}>] bytes
    # @raise [Failure]
    def rows(name, columns, until_at, **options)
      rows = MarkedRows.new(columns)
      rows.read(call(name, yield(rows.mark), until_at, **options))
    rescue MarkedRows::Malformed
      raise Failure.new(EX_DATAERR, "#{name} printed something else than what it was asked for.")
    end

    private

    # Without what start-up files on the other host print.
    def printed(name, out)
      return out unless over_ssh?

      _, mark, rest = out.partition("#{@mark}\n".b)
      return rest unless mark.empty?

      raise Failure.new(EX_DATAERR, "#{where(name)} was not started as it should: does ssh run another command?")
    end

    # As ood_core builds it; sacctmgr knows no -M.
    def words(name, args)
      words = [path(name), *args]
      words.push('-M', @job['cluster'].to_s) if @job['cluster'] && name != 'sacctmgr'
      return words unless over_ssh?

      strict = @job.fetch('strict_host_checking', true) ? 'yes' : 'no'
      ['ssh', '-p', (ENV['OOD_SSH_PORT'] || 22).to_i.to_s, '-o', 'BatchMode=yes',
       '-o', 'UserKnownHostsFile=/dev/null', '-o', "StrictHostKeyChecking=#{strict}", @host,
       *[*PLAIN, @mark, *words].map { |word| Shellwords.escape(word) }]
    end

    def overrides
      @job['bin_overrides'].is_a?(Hash) ? @job['bin_overrides'].compact : {}
    end

    def path(name)
      overrides.fetch(name) { File.join(*[@job['bin'].to_s, name].reject(&:empty?)) }.to_s
    end

    # For a file that it can't read Slurm waits a minute.
    def check_conf
      conf = @conf || ENV.fetch('SLURM_CONF', nil)
      return if over_ssh? || conf.nil? || (File.file?(conf) && File.readable?(conf))

      raise NotThere.new(EX_CONFIG, "SLURM_CONF names #{conf}, which cannot be read; set it to the slurm.conf of " \
                                    'this cluster, or name wrappers of scontrol and squeue (bin_overrides).')
    end

    def run(name, words, seconds)
      fix = "set #{'`submit_host` and ' if over_ssh?}`bin` in the cluster's configuration"
      program = Program.new(words[0], name: where(name), fix: fix)
      program.call(*words.drop(1), seconds: seconds, pass: elsewhere? ? FOR_SSH : [],
                                   set: { 'SLURM_CONF' => @conf, **TIMES })
    end

    def where(name)
      over_ssh? ? "#{name} on #{@host}" : name
    end

    def sentence(name, result)
      return "ssh to #{@host} failed: #{result.said}" if over_ssh? && result.exit == NO_CONNECTION

      result.error || "#{where(name)} failed: #{result.said}"
    end

    # The status that a command itself ends with says nothing.
    def code(result)
      return EX_CONFIG if result.said.match?(MISCONFIGURED)

      result.code == result.exit ? EX_UNAVAILABLE : result.code
    end
  end
end
