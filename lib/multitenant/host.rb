# frozen_string_literal: true

require_relative 'errors'
require_relative 'host/clusters'
require_relative 'host/system_file'
require_relative 'settings'

module MultiTenant
  # An Open OnDemand host as its admin has set it up: where things are, the dashboard's `env` file with an
  # environment over it, and what follows from these: settings, clusters, data root. All of it below `root`,
  # which is '' on the host itself and a DESTDIR for packagers and tests. Only {#sources} and {#receiver}
  # need the compiled core.
  class Host
    # What dashboards are started with; commands, agent and doctor read it too, so that all say the same.
    ENV_FILE = '/etc/ood/config/apps/dashboard/env'
    # What each user's web server is started with, and with it the dashboard, whose `env` file counts less.
    STAGE = '/etc/ood/config/nginx_stage.yml'
    CLUSTERS = '/etc/ood/config/clusters.d'
    APPS = '/var/www/ood/apps/sys'
    # Apps of the same names that were there before; no token of a message leads here.
    DISABLED_APPS = '/var/www/ood/apps/multitenant-disabled'
    CLASSIC = '/etc/ood/config/apps/dashboard/initializers/multitenant.rb'
    PLUGINS = '/etc/ood/config/plugins'
    PLUGIN = "#{PLUGINS}/multitenant/initializers/multitenant.rb".freeze
    UNIT = '/etc/systemd/system/multitenant-agent.service'
    STATE = '/var/lib/multitenant'
    MANIFEST = File.join(STATE, 'manifest.json').freeze
    ENABLE = '/opt/ood/ondemand/enable'
    PROFILE = '/etc/ood/profile'
    # Slurm's own, and that of a host which its slurmd gets from slurmctld.
    SLURM_CONFS = %w[/etc/slurm/slurm.conf /run/slurm/conf/slurm.conf].freeze
    OOD_VERSION = '/opt/ood/VERSION'
    # Open OnDemand's own settings, and what it takes for no (configuration_singleton.rb).
    ONDEMAND_D = '/etc/ood/config/ondemand.d'
    NO = ['', '0', 'F', 'FALSE', 'OFF', 'NO'].freeze
    ERB_TAG = /<%(?:(?!%>).)*%>/m
    UNKNOWN = "\u{fffd}"
    PORTAL = '/etc/ood/config/ood_portal.yml'

    # The first release whose plugins load.
    PLUGINS_SINCE = Gem::Version.new('4.0.2')

    # How dotenv 2.8, which Open OnDemand has, reads an `env` file: a name, = or :, and a value; and in values $NAME
    # and ${NAME}. What stands in $() is run by a dashboard alone.
    LINE = /^\s*(?:export\s+)?([\w.]+)(?:\s*=|:\s)(\s*'(?:\\'|[^'])*'|\s*"(?:\\"|[^"])*"|[^#\n]*)\s*(?:#.*)?$/
    VARIABLE = /\\?\$(?!\()\{?(\w+)?\}?/
    OURS = /\A(?:MULTITENANT_\w+|OOD_\w+|SLURM_CONF(?:_SERVER)?)\z/

    # @param env [Hash{String => String}] what values refer to
    # @return [Hash{String => String}] the MULTITENANT_, OOD_ and SLURM_CONF… variables of an `env` file
    def self.env_file(path, env = {})
      text = File.readable?(path) ? File.read(path, mode: 'rb:bom|utf-8').scrub.gsub(/\r\n?/, "\n") : ''
      text.tr!("\0", "\u{fffd}") # no variable can hold it, and no setting accepts that
      read = text.scan(LINE).each_with_object({}) do |(name, value), all|
        all[name] = expand(value.strip, all.merge(env))
      end
      read.select { |name, _| name.match?(OURS) }
    rescue SystemCallError
      {}
    end

    def self.expand(text, env)
      quote = text[/\A(["']).*\1\z/m, 1]
      text = text[1..-2] if quote
      return text if quote == "'"

      text = text.gsub('\n', "\n").gsub('\r', "\r") if quote
      text.gsub(/\\([^$])/, '\1').gsub(VARIABLE) do |found|
        name = Regexp.last_match(1)
        name && found[0] == '$' ? env.fetch(name, '') : found.delete_prefix('\\')
      end
    end
    private_class_method :expand

    # @return [String]
    attr_reader :root
    # @return [Hash{String => String}] variables that count more than those of the `env` file
    attr_reader :env

    # @param root [String] '' or a directory
    # @param env [Hash{String => String}]
    # @param ood_version [String, nil] instead of what the packages say
    def initialize(root: '', env: ENV.to_h, ood_version: nil)
      @root = root.to_s.empty? ? '' : File.expand_path(root).chomp('/')
      @env = env
      @ood_version = ood_version
    end

    # ---- where things are ----

    # @return [String] where a path of the host is
    def at(path)
      root.empty? ? path : File.join(root, path)
    end

    # @return [Array<String>] what the dashboard's environment is made by, as nginx_stage reads it
    def profiles
      [ENABLE, PROFILE].map { |path| at(path) }.select { |path| File.file?(path) }
    end

    # @return [String] where this release of OOD looks for our initializer
    # @raise [Failure] where the release is not known
    def initializer
      ood_version >= PLUGINS_SINCE && plugins == PLUGINS ? PLUGIN : CLASSIC
    end

    # @return [String] where OOD looks for plugins
    def plugins
      (environment['OOD_PLUGINS_DIRECTORY'] || ondemand_d('plugins_directory') || PLUGINS).to_s.chomp('/')
    end

    # @return [Array<String>] patterns of what dashboards load at their start
    def initializers
      ["#{File.dirname(CLASSIC)}/**/*.rb", File.join(plugins, '*/initializers/**/*.rb')]
    end

    # @return [Gem::Version] of Open OnDemand
    def ood_version
      text = @ood_version || (File.read(at(OOD_VERSION), 256) if File.file?(at(OOD_VERSION)))
      number = text.to_s[/\A\s*v?(\d+\.\d+(?:\.\d+)?)/, 1]
      return Gem::Version.new(number) if number
      raise Failure.new(EX_USAGE, '--ood-version takes a number like 4.0.2.') if @ood_version

      raise Failure.new(EX_CONFIG, "#{at(OOD_VERSION)} does not say which Open OnDemand this is.",
                        fix: 'Name it with --ood-version.')
    end

    # ---- what is set ----

    # As browsers write it. Where Open OnDemand has no TLS itself, what stands before it may have.
    # @return [String, nil] where browsers find Open OnDemand, if its ood_portal.yml names one address and no other
    def origin
      portal = yaml(at(PORTAL))
      return unless portal['ssl']

      name, proxy, aliases, port = portal.values_at('servername', 'proxy_server', 'server_aliases', 'port')
      origin = "https://#{name}#{":#{port}" unless ['', '80', '443'].include?(port.to_s)}".downcase
      origin if [name, *proxy, *aliases].uniq.one? && origin.match?(%r{\Ahttps://[\w.-]+(?::\d+)?\z})
    end

    # @return [Hash{String => String}] our variables as a dashboard has them, of its `env` file or of nginx_stage.yml
    def env_file
      @env_file ||= begin
        given = stage
        read = Host.env_file(at(ENV_FILE), person.merge(given, env, person.slice('USER', 'LOGNAME')))
        read.merge(given.select { |name, _| name.match?(OURS) })
      end
    end

    # @return [Hash{String => String}] all variables
    def environment
      @environment ||= env_file.merge(env)
    end

    # Gives this process, and so the programs that it starts, the variables of the `env` file.
    # @return [void]
    def enter
      ENV.update(environment)
    end

    # @return [Settings]
    def settings
      @settings ||= Settings.new(environment)
    end

    # @return [String] OOD's clusters: a directory, or a file
    def clusters_path
      at(environment['OOD_CLUSTERS'] || CLUSTERS)
    end

    # @return [Array<String>, nil] the files in that directory; nil: it is none, or this user can't list it
    def cluster_files
      path = clusters_path
      Dir.glob(File.join(path, '*.{yml,yaml}')) if File.directory?(path) && File.readable?(path)
    end

    # @return [Clusters]
    def clusters
      @clusters ||= Clusters.from_files(clusters_path)
    end

    # One munged for dashboard, doctor and, by the same rule, libexec/multitenant-share. It is looked for
    # once.
    # @return [String, nil] its socket: what is set, else what slurm.conf's AuthInfo says, else libmunge's default
    def munge_socket
      return @munge_socket if defined?(@munge_socket)

      @munge_socket = find_munge_socket
    rescue SystemCallError
      nil
    end

    # @return [String] the user's own directory, as the dashboard has it
    def dataroot
      home = environment['HOME'] || Dir.home
      portal = environment.fetch('OOD_PORTAL', 'ondemand')
      path = environment['OOD_DATAROOT'] || File.join(home, portal, 'data/sys/dashboard')
      return File.expand_path(path) unless path.include?('$(')

      raise Failure.new(EX_CONFIG, "OOD_DATAROOT is #{path}, a command that only a dashboard runs.",
                        fix: 'Name the directory with --dataroot.')
    end

    # @return [Boolean] OOD keeps a directory for each cluster in it
    def per_cluster_dataroot?
      told = environment['OOD_PER_CLUSTER_DATAROOT']
      told ? !NO.include?(told.upcase) : ondemand_d('per_cluster_dataroot') || false
    end

    # What can't be looked at counts as it did, or else as there: while an NFS stutters no card goes.
    # @return [Array<String>, nil] tokens of the apps that are installed; nil: OOD's directory of them is not here
    def tokens
      stat = File.stat(at(APPS))
      return @tokens if @tokens && @listed == SystemFile.version(stat)

      names = Dir.children(at(APPS)).reject { |name| File.file?(File.join(at(APPS), name)) }
      return @tokens if names.empty? && @tokens # not even the dashboard: it is not mounted

      # What changed just now may do so again within one tick of the file system's clock.
      @listed = (SystemFile.version(stat) if Time.now - stat.mtime > 2)
      @tokens = names.map { |name| "sys/#{name}" }
    rescue SystemCallError
      @tokens
    end

    # ---- what asks, with the core ----

    # @param options [Hash] see {Sources.of}
    # @return [Sources] Slurm, or its snapshot
    def sources(log: ->(*) {}, **options)
      Sources.of(settings, clusters, log: log, **options)
    end

    # @param source [#call] seconds -> {Answer}
    # @param dataroot [String, nil] nil: without card files
    # @param options [Hash] see {Receiver#initialize}
    # @return [Receiver] of this process's user
    def receiver(source, dataroot: self.dataroot, log: ->(*) {}, **options)
      core = settings.to_core(dataroot: dataroot, per_cluster_dataroot: per_cluster_dataroot?)
      Receiver.new(settings, source: source, clusters: clusters, core: core, log: log, installed: method(:tokens),
                             credentials: Credentials.new(socket: method(:munge_socket)), **options)
    end

    private

    # They may have ERB, which runs in a dashboard alone: a value that it writes is passed over.
    # @return [Object, nil] what the last of Open OnDemand's own files says
    def ondemand_d(key)
      files = Dir.glob(at(File.join(environment.fetch('OOD_CONFIG_D_DIRECTORY', ONDEMAND_D), '*')))
      files = files.select { |file| file.b.match?(/\.ya?ml(?:\.erb)?\z/) } # a name may be no text
      told = files.map { |file| yaml(file) { |text| without_erb(text.scrub) }[key] }
      told.reject { |value| value.nil? || value.to_s.include?(UNKNOWN) }.last
    end

    def without_erb(text)
      text.gsub(/^[ \t]*#{ERB_TAG}[ \t]*\n/, '').gsub(ERB_TAG) { |tag| tag.start_with?('<%=') ? UNKNOWN : '' }
    end

    # As nginx_stage reads it (nginx_stage.rb, clean_nginx_env).
    # @return [Hash{String => String}]
    def stage
      @stage ||= staged(yaml(at(STAGE)))
    end

    def staged(told)
      portal, custom = told.values_at('ondemand_portal', 'pun_custom_env')
      custom = custom.is_a?(Hash) ? custom.to_h { |name, value| [name.to_s, value.to_s.tr("\0", "\u{fffd}")] } : {}
      portal = portal.to_s.strip.downcase.gsub(/\s+/, '_')
      custom = { 'OOD_PORTAL' => portal, **custom } unless portal.empty?
      exported(Array(told['pun_custom_env_declarations']).map(&:to_s).grep(OURS), custom)
    end

    # What a profile exports of these, or else nothing, goes before all else there.
    def exported(names, custom)
      return custom if names.empty?

      require_relative 'installer/dashboard_ruby'
      custom.except(*names).merge(DashboardRuby.new(self).variables.slice(*names))
    end

    # @param path [String]
    # @yieldparam text [String]
    # @yieldreturn [String] what is read instead
    # @return [Hash] {} where there is none
    def yaml(path)
      text = File.binread(path).force_encoding(Encoding::UTF_8)
      text = yield text if block_given?
      told = Psych.safe_load(text, permitted_classes: [Symbol], aliases: true)
      told.is_a?(Hash) ? told : {}
    rescue SystemCallError, Psych::Exception
      {}
    end

    # @return [String, nil] see {#munge_socket}
    # @raise [SystemCallError] no slurm.conf can be read
    def find_munge_socket
      return settings.munge_socket if settings.munge_socket

      near = clusters.targets.reject(&:over_ssh?).filter_map(&:conf)
      confs = [near.first, environment['SLURM_CONF'], *SLURM_CONFS.map { |path| at(path) }]
      info = SlurmConf.read(confs.compact.find { |path| File.file?(path) }.to_s)['authinfo'].to_s
      info[/socket=([^,]+)/, 1] || info[%r{\A/[^=]+\z}]
    end

    # As dashboards have them, whoever this user was before.
    def person
      user = Etc.getpwuid
      { 'HOME' => user.dir, 'USER' => user.name, 'LOGNAME' => user.name }
    rescue ArgumentError
      {}
    end
  end
end
