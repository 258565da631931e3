# frozen_string_literal: true

require 'json'
require 'optparse'
require_relative '../multitenant'
require_relative 'records_file'

module MultiTenant
  # The command `multitenant`. Each command returns a sysexits code; what goes wrong is one sentence
  # on standard error, never a backtrace.
  class CLI
    # What the user can mend: a sentence and an exit code.
    class Failure < Error
      # @return [Integer]
      attr_reader :code

      def initialize(code, sentence)
        super(sentence)
        @code = code
      end
    end

    COMMANDS = {
      'jobs' => 'print the record stream that Slurm gives',
      'specs' => 'print MultiTenant.specs of this user as JSON, or --explain why',
      'cards' => 'write, keep and remove the card files of this user',
      'open' => 'open the job name on standard input, for diagnosis'
    }.freeze

    # @param argv [Array<String>]
    # @return [Integer] exit code
    def self.run(argv)
      new.run(argv.dup).tap { $stdout.flush }
    rescue Failure => e
      complain(e.message, e.code)
    rescue OptionParser::ParseError => e
      complain("#{e.message}; see multitenant --help.", EX_USAGE)
    rescue Errno::EPIPE
      EX_OK
    rescue SystemCallError => e
      complain("what was asked for could not be written or read: #{e.message.split(' @ ').first}.", EX_IOERR)
    rescue StandardError => e
      complain("#{e.class}: #{e.message.lines.first.to_s.strip}", EX_CONFIG)
    end

    def self.complain(sentence, code)
      warn "multitenant: #{sentence}"
      code
    end

    # @return [Integer] exit code
    def run(argv)
      name = argv.shift
      return help($stdout, EX_OK) if ['--help', '-h', 'help'].include?(name)
      return puts("multitenant #{VERSION}") || EX_OK if name == '--version'
      return help($stderr, EX_USAGE) unless COMMANDS.key?(name)

      @options = { explain: false, dry_run: false, remove_all: false }
      parser(name).parse!(argv)
      return puts(@options[:help]) || EX_OK if @options[:help]
      raise Failure.new(EX_USAGE, "multitenant #{name} takes no argument `#{argv.first}`.") if argv.any?

      send(name)
    end

    private

    def help(out, code)
      out.puts 'Usage: multitenant COMMAND [options]; multitenant COMMAND --help tells them.', ''
      COMMANDS.each { |name, does| out.puts format('  %-8<name>s %<does>s', name: name, does: does) }
      code
    end

    def parser(name)
      OptionParser.new do |o|
        o.banner = "Usage: multitenant #{name} [options]: #{COMMANDS[name]}"
        send(:"#{name}_options", o)
        o.on('-h', '--help', 'print this') { @options[:help] = o.help }
      end
    end

    def jobs_options(parser)
      parser.on('--wckey K', 'WCKeys, separated by commas') { |v| @options[:wckey] = v }
      parser.on('--cluster C', 'another cluster than slurm.conf\'s own') { |v| @options[:cluster] = v }
      parser.on('--timeout S', Float, 'seconds that it may take') { |v| @options[:timeout] = v }
    end

    def records_options(parser)
      parser.on('--records FILE', 'record streams of this file (- is standard input), not Slurm\'s') do |v|
        @options[:records] = v
      end
      parser.on('--dataroot DIR', 'OOD\'s data root; default: this user\'s') { |v| @options[:dataroot] = v }
    end

    def specs_options(parser)
      records_options(parser)
      parser.on('--explain', 'one line a job: JOBID, specs code, card code, sentence') { @options[:explain] = true }
    end

    def cards_options(parser)
      records_options(parser)
      parser.on('--dry-run', 'change nothing, only tell') { @options[:dry_run] = true }
      parser.on('--restore ID', 'bring a dismissed card back') { |v| @options[:restore] = v }
      parser.on('--remove-all', 'remove every card of ours') { @options[:remove_all] = true }
    end

    def open_options(parser)
      parser.on('--job-id N', Integer, 'the job\'s raw id') { |v| @options[:job_id] = v }
      parser.on('--user NAME', 'the job\'s user') { |v| @options[:user] = v }
    end

    def jobs
      settings = Settings.new(environment.merge({ 'MULTITENANT_WCKEY' => @options[:wckey] }.compact))
      wrong = settings.warnings.find { |warning| warning.start_with?('MULTITENANT_WCKEY') } if @options[:wckey]
      raise Failure.new(EX_USAGE, '--wckey takes names of letters, digits and _.:@+-, separated by commas.') if wrong

      answer = jobs_source(settings).call(seconds(settings))
      $stdout.binmode.write(*answer.texts)
      raise Failure.new(answer.code, answer.error) if answer.error

      EX_OK
    end

    def jobs_source(settings)
      return site(settings) unless @options[:cluster]

      Query.new(settings, slurm_conf: clusters.targets.first.conf, cluster: @options[:cluster])
    end

    # Slurm as this host's configuration says it.
    def site(settings)
      Sources.of(settings, clusters, log: ->(*) {})
    end

    def seconds(settings)
      seconds = @options[:timeout] || settings.timeout
      return seconds if (0.2..3600).cover?(seconds)

      raise Failure.new(EX_USAGE, '--timeout takes 0.2 to 3600 seconds.')
    end

    def specs
      receiver.refresh(deliver: false)
      if @options[:explain]
        explain
      elsif receiver.report['at']
        puts receiver.specs.empty? ? '{}' : JSON.pretty_generate(receiver.specs)
      end
      check_report
    end

    def explain
      receiver.shares.each do |share|
        reason = share[:specs] == 'ok' ? share[:card] : share[:specs]
        puts [*share.values_at(:key, :specs, :card), Core.reasons.fetch(reason).first].join("\t")
      end
    end

    def cards
      return restore if @options[:restore]

      dry_run = @options[:dry_run]
      if @options[:remove_all]
        events = receiver.remove_all(dry_run: dry_run)
      else
        receiver.refresh(deliver: dry_run ? :dry_run : true)
        events = receiver.report['cards']
      end
      code = tell(events.to_a)
      check_report
      code
    end

    def tell(events)
      failed, done = events.partition { |deed, _, _| deed == :failed }
      done.each { |deed, id, _| puts "#{deed} #{id}" }
      failed.each { |_, path, why| CLI.complain("#{path}: #{why}", EX_CANTCREAT) }
      failed.empty? ? EX_OK : EX_CANTCREAT
    end

    def restore
      id = @options[:restore]
      raise Failure.new(EX_USAGE, '--restore takes no --dry-run.') if @options[:dry_run]

      return EX_OK.tap { puts "restored #{id}" } if receiver.restore(id)

      raise Failure.new(EX_DATAERR, "No card #{id} was dismissed below #{dataroot}.")
    end

    def open
      unless @options[:job_id] && @options[:user]
        raise Failure.new(EX_USAGE,
                          'multitenant open needs --job-id and --user.')
      end
      raise Failure.new(EX_USAGE, '--job-id takes 1 to 4294967295.') unless (1..0xffffffff).cover?(@options[:job_id])
      raise Failure.new(EX_USAGE, '--user takes at most 256 bytes.') if @options[:user].bytesize > 256

      name = $stdin.binmode.read(2048).to_s.delete_suffix("\n")
      code, accounting, connection = Core.open(@options[:job_id], @options[:user], name)
      raise Failure.new(EX_DATAERR, "#{code}: #{Core.reasons.fetch(code).first}") unless code == 'ok'

      puts JSON.generate('accounting' => accounting, 'connection' => connection)
      EX_OK
    end

    # A part may have been decided although another cluster's stream was not complete.
    def check_report
      report = receiver.report
      raise Failure.new(report['code'], report['error']) if report['error']

      EX_OK
    end

    def receiver
      @receiver ||= begin
        settings = settings_of(environment)
        source = @options[:records] ? RecordsFile.new(@options[:records]) : site(settings)
        core = settings.to_core(dataroot: dataroot,
                                per_cluster_dataroot: environment['OOD_PER_CLUSTER_DATAROOT'] == 'true')
        Receiver.new(settings, source: source, clusters: clusters, core: core, log: ->(*) {})
      end
    end

    # What the dashboard's processes are started with, as far as it is ours, and what is set here.
    def environment
      @environment ||= Settings.env_file(Settings::ENV_FILE).merge(ENV.to_h)
    end

    def settings_of(env)
      Settings.new(env).tap { |settings| settings.warnings.each { |w| CLI.complain(w, EX_CONFIG) } }
    end

    def clusters
      @clusters ||= Clusters.from_files(clusters_path)
    end

    def clusters_path
      environment['OOD_CLUSTERS'] || Clusters::CONFIG
    end

    def dataroot
      portal = environment.fetch('OOD_PORTAL', 'ondemand')
      File.expand_path(@options[:dataroot] || environment['OOD_DATAROOT'] || "~/#{portal}/data/sys/dashboard")
    end
  end
end
