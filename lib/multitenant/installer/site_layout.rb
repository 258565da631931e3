# frozen_string_literal: true

require_relative '../clusters'
require_relative 'install_failure'
require_relative '../settings'

module MultiTenant
  # Where things are on an Open OnDemand host, and what its admin has set. All of it below `root`,
  # which is '' on the host itself and a DESTDIR for packagers and tests.
  class SiteLayout
    APPS = '/var/www/ood/apps/sys'
    # Apps of the same names that were there before; no token of a message leads here.
    DISABLED_APPS = '/var/www/ood/apps/multitenant-disabled'
    CLASSIC = '/etc/ood/config/apps/dashboard/initializers/multitenant.rb'
    PLUGIN = '/etc/ood/config/plugins/multitenant/initializers/multitenant.rb'
    UNIT = '/etc/systemd/system/multitenant-agent.service'
    STATE = '/var/lib/multitenant'
    MANIFEST = File.join(STATE, 'manifest.json').freeze
    ENABLE = '/opt/ood/ondemand/enable'
    PROFILE = '/etc/ood/profile'
    OOD_VERSION = '/opt/ood/VERSION'

    # The first release whose plugins load.
    PLUGINS_SINCE = Gem::Version.new('4.0.2')

    # @return [String]
    attr_reader :root

    # @param root [String] '' or a directory
    # @param ood_version [String, nil] instead of what the packages say
    def initialize(root, ood_version: nil)
      @root = root.to_s.empty? ? '' : File.expand_path(root).chomp('/')
      @ood_version = ood_version
    end

    # @return [String] where a path of the host is
    def at(path)
      File.join(root, path)
    end

    # @return [Array<String>] what the dashboard's environment is made by, as nginx_stage reads it
    def profiles
      [ENABLE, PROFILE].map { |path| at(path) }.select { |path| File.file?(path) }
    end

    # @return [String] where this release of OOD looks for our initializer
    # @raise [InstallFailure] where the release is not known
    def initializer
      ood_version >= PLUGINS_SINCE ? PLUGIN : CLASSIC
    end

    # @return [Gem::Version] of Open OnDemand
    def ood_version
      text = @ood_version || (File.read(at(OOD_VERSION), 256) if File.file?(at(OOD_VERSION)))
      number = text.to_s[/\A\s*v?(\d+\.\d+(?:\.\d+)?)/, 1]
      return Gem::Version.new(number) if number
      raise InstallFailure.new(InstallFailure::USAGE, '--ood-version takes a number like 4.0.2.') if @ood_version

      raise InstallFailure.new(InstallFailure::CONFIG, "#{at(OOD_VERSION)} does not say which Open OnDemand this is: " \
                                                       'name it with --ood-version.')
    end

    # @return [Hash{String => String}] our variables in the dashboard's `env` file
    def env
      @env ||= Settings.env_file(at(Settings::ENV_FILE))
    end

    # @return [Array<String>] WCKeys that the dashboard reads
    def wckeys
      Settings.new(env).wckeys
    end

    # @return [Array<String>] OOD's ids of its Slurm clusters
    def clusters
      Clusters.from_files(at(env['OOD_CLUSTERS'] || Clusters::CONFIG)).pairs([]).map(&:last).sort
    end
  end
end
