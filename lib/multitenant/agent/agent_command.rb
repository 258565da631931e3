# frozen_string_literal: true

require 'optparse'
require 'shellwords'
require_relative '../../multitenant'
require_relative '../agent'
require_relative 'metrics_file'
require_relative '../proxy'

module MultiTenant
  # The command `multitenant-agent`: settings, the directory, and what the process may do.
  class AgentCommand
    # <linux/prctl.h>
    PR_CAP_AMBIENT = 47
    PR_CAP_AMBIENT_CLEAR_ALL = 4

    # @param argv [Array<String>]
    # @return [Integer] exit code, where it does not run until a signal ends it
    def self.run(argv)
      new.run(options + argv)
    rescue OptionParser::ParseError => e
      complain_of_usage(e.message)
    rescue Failure => e
      complain(e.message, e.code)
    end

    # How the unit starts the command differs by host, and these hold whatever it is.
    def self.options
      Shellwords.split(ENV['MULTITENANT_AGENT_OPTIONS'].to_s)
    rescue ArgumentError => e
      raise OptionParser::InvalidArgument, "MULTITENANT_AGENT_OPTIONS: #{e.message}"
    end
    private_class_method :options

    def self.complain_of_usage(sentence)
      complain(Failure.usage('multitenant-agent', sentence).message, EX_USAGE)
    end

    def self.complain(sentence, code = EX_CONFIG)
      warn "multitenant-agent: #{sentence}"
      code
    end

    # @return [Integer] exit code
    def run(argv)
      return EX_OK if parse(argv) == :printed
      return AgentCommand.complain_of_usage("it takes no argument `#{argv.first}`") if argv.any?

      settings.warnings.each { |warning| AgentCommand.complain(warning) }
      objection = Agent.objection(directory)
      return AgentCommand.complain(objection) if objection
      return AgentCommand.complain("another multitenant-agent keeps #{directory}.") unless lock

      keep_capabilities
      Agent.new(settings, source: source, directory: File.dirname(@lock), log: AgentCommand.method(:complain),
                          files: files).run
      EX_OK
    end

    private

    def parse(argv)
      options = OptionParser.new
      options.banner = 'Usage: multitenant-agent [options]: keep a snapshot of the shares for this host'
      options.on('--directory DIR', "where; default: MULTITENANT_SNAPSHOT, else #{Snapshot::DIRECTORY}") { |v| @directory = v }
      options.on('--proxy OPTIONS',
                 'keep the proxy\'s file, too: the options of multitenant proxy-config, in quotes') do |v|
        @proxy = Proxy::Keeper.parse(v)
      end
      options.on('--metrics FILE', /.+/m, 'keep there what is shared and refused, for Prometheus') { |v| @metrics = v }
      options.on('--[no-]anonymous', 'no users, groups and jobs in it; default: where PrivateData has jobs') do |v|
        @anonymous = v
      end
      options.on('--version', 'print the version') { return puts("multitenant-agent #{VERSION}") || :printed }
      options.on('-h', '--help', 'print this') { return puts(options.help) || :printed }
      options.permute!(argv)
    rescue ArgumentError => e
      raise OptionParser::InvalidArgument, "that is no text (#{e.message})"
    end

    def host
      @host ||= Host.new.tap(&:enter)
    end

    def settings
      host.settings
    end

    def directory
      @directory || settings.snapshot || Snapshot::DIRECTORY
    end

    # @return [Array<#call>] what is kept beside the snapshot
    def files
      proxy = Proxy::Keeper.new(settings, host.clusters, @proxy, answering: source.method(:answering?)) if @proxy
      metrics = MetricsFile.new(Metrics.new(settings, anonymous: @anonymous), File.expand_path(@metrics)) if @metrics
      [proxy, metrics].compact
    end

    def source
      # One agent asks for a whole host: it may do so over ssh as often as elsewhere.
      @source ||= host.sources(over_ssh: 0, log: ->(_level, sentence) { AgentCommand.complain(sentence) })
    end

    # Held until the process ends. A file that nobody else can open: whoever can may lock it.
    def lock
      path = File.join(File.realpath(directory), '.lock')
      @lock = File.open(path, File::RDWR | File::CREAT | File::NOFOLLOW, 0o600)
      @lock.flock(File::LOCK_EX | File::LOCK_NB)
    rescue SystemCallError => e
      raise Failure.new(EX_CANTCREAT, "#{path} can't be written (#{e.message.split(' @ ').first}): below systemd a " \
                                      'directory that is not /run/multitenant needs ReadWritePaths= in the unit.')
    end

    # Query programs get no capability of ours: without the ambient set an exec leaves none, and this
    # process keeps what it has.
    def keep_capabilities
      require 'fiddle'
      long = Fiddle::TYPE_LONG
      prctl = Fiddle::Function.new(Fiddle.dlopen(nil)['prctl'], [Fiddle::TYPE_INT, *[long] * 4], Fiddle::TYPE_INT)
      prctl.call(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    rescue LoadError, StandardError => e
      AgentCommand.complain("query programs get this process's capabilities, too: #{e.message.lines.first.strip}.")
    end
  end
end
