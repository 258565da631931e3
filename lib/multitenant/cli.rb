# frozen_string_literal: true

require 'optparse'
require_relative 'cli/plain_text'
require_relative 'errors'
require_relative 'version'

module MultiTenant
  # The command `multitenant`. Each command returns a sysexits code; what goes wrong is one sentence
  # on standard error, never a backtrace. A command is loaded when it is called: those that fix an
  # installation work without the compiled core.
  class CLI
    # Each is the class of its name in cli/NAME.rb.
    COMMANDS = {
      'jobs' => 'print the record stream that Slurm gives',
      'specs' => 'print MultiTenant.specs of this user as JSON, or --explain why',
      'cards' => 'write, keep and remove the card files of this user',
      'stop' => 'end a service of this user, and all its jobs',
      'unshare' => 'take back the share of a job or service of this user, which runs on',
      'until' => 'say when a service of this user ends for good',
      'copies' => 'say how many jobs serve a service of this user',
      'title' => 'say what tenants see a service of this user called',
      'tenants' => 'list who uses a service of this user, through its gateway',
      'ban' => 'shut one user out of a service of this user',
      'unban' => 'let a banned user in again',
      'limit' => 'say how much each user may ask of a service of this user',
      'open' => 'open the job name on standard input, for diagnosis',
      'list' => 'list all shares, and say why this user sees them or not',
      'services' => 'list services, their jobs, and which of them this user is sent to',
      'login' => 'log in to a service with a gateway, and print the key for a shell',
      'proxy-config' => 'write the configuration of the site\'s proxy, from the running services',
      'key' => 'make, rotate and prune the keys of a group',
      'node-kit' => 'write a directory of the programs that compute nodes need',
      'metrics' => 'print what is shared and refused, for Prometheus',
      'doctor' => 'check what an installation needs, and say how to fix it',
      'install' => 'install the gem, initializer and apps for Open OnDemand',
      'uninstall' => 'remove what install installed'
    }.freeze

    # @param argv [Array<String>]
    # @return [Integer] exit code
    def self.run(argv)
      new.run(argv.dup).tap { $stdout.flush }
    rescue Failure => e
      complain(e.message, e.code)
    rescue Errno::EPIPE
      EX_OK
    rescue SystemCallError => e
      complain("what was asked for could not be written or read: #{e.message.split(' @ ').first}.", EX_IOERR)
    rescue LoadError => e
      complain("#{e.message.lines.first.to_s.strip}: run `multitenant doctor`.", EX_CONFIG)
    rescue StandardError => e
      complain("#{e.class}: #{e.message.scrub('?').lines.first.to_s.strip}", EX_CONFIG)
    end

    def self.complain(sentence, code)
      warn "multitenant: #{PlainText.of(sentence)}"
      code
    end

    # @return [Integer] exit code
    def run(argv)
      name = argv.shift
      return help($stdout, EX_OK) if ['--help', '-h', 'help'].include?(name)
      return puts("multitenant #{VERSION}") || EX_OK if name == '--version'
      return help($stderr, EX_USAGE) unless name
      raise Failure.usage('multitenant', "there is no command `#{name}`") unless COMMANDS.key?(name)

      require_relative "cli/#{name.tr('-', '_')}"
      CLI.const_get(name.split('-').map(&:capitalize).join).new(name, COMMANDS[name]).call(argv)
    end

    private

    def help(out, code)
      out.puts 'Usage: multitenant COMMAND [options]; multitenant COMMAND --help lists them.', ''
      COMMANDS.each { |name, does| out.puts format('  %-10<name>s %<does>s', name: name, does: does) }
      code
    end
  end
end
