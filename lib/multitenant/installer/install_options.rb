# frozen_string_literal: true

require 'etc'
require_relative '../errors'
require_relative '../host'
require_relative 'release'

module MultiTenant
  # The options of `multitenant install`, checked, and what holds where they say nothing.
  class InstallOptions
    # @param parser [OptionParser]
    # @param options [Hash] gets what is said
    # @return [void]
    def self.add_to(parser, options)
      parser.on('--dry-run', 'change nothing, only say what would be done') { options[:dry_run] = true }
      parser.on('--root DIR', 'install below this directory, for packages') { |v| options[:root] = v }
      parser.on('--gem FILE', 'install this gem for the dashboard\'s Ruby') { |v| options[:gem] = v }
      parser.on('--ood-version V', 'take V instead of what /opt/ood/VERSION says') { |v| options[:ood_version] = v }
      parser.on('--apps LIST', Array, 'install only these of services,delivery,clients') { |v| options[:apps] = v }
      parser.on('--services-group GROUP', 'whose members may start services') { |v| options[:services_group] = v }
      parser.on('--wckey K', 'write this WCKey into the apps\' site.yml') { |v| options[:wckey] = v }
      parser.on('--cluster ID', 'write this cluster of OOD\'s into the apps\' site.yml') { |v| options[:cluster] = v }
      parser.on('--agent', 'the agent, too: its account and its systemd unit') { options[:agent] = true }
    end

    # @param options [Hash] as {add_to} fills it
    # @param host [Host]
    def initialize(options, host)
      @options = options
      @host = host
    end

    # @return [Boolean]
    def dry_run?
      @options[:dry_run] ? true : false
    end

    # @return [Boolean]
    def agent?
      @options[:agent] ? true : false
    end

    # @return [String, nil] path of the gem's file
    def gem
      File.expand_path(@options[:gem]) if @options[:gem]
    end

    # @return [Array<String>] keys of {Release::APPS}
    def apps
      @options[:apps] || Release::APPS.keys
    end

    # @return [Boolean] the admin named the services
    def services_said?
      @options[:apps].to_a.include?('services')
    end

    # @return [Integer, nil] gid of those who may start services
    def services_group
      Etc.getgrnam(@options[:services_group]).gid if @options[:services_group]
    rescue ArgumentError
      refuse("--services-group: there is no group #{@options[:services_group]}.")
    end

    # @return [String, nil] as Slurm keeps it
    def wckey
      @options[:wckey]&.downcase&.delete_prefix('*')
    end

    # @return [Hash{String => String}] what is set in every site.yml
    def settings
      { 'wckey' => wckey, 'cluster' => @options[:cluster] }.compact
    end

    # @return [Hash{String => String}] what is set in a new one
    def defaults
      only = @host.clusters.ids
      { 'wckey' => @host.settings.wckeys.first, 'cluster' => (only.first if only.one?), 'origin' => @host.origin }
        .compact.merge(settings)
    end

    # @raise [Failure] where something makes no sense
    def check
      unknown = (apps - Release::APPS.keys).first
      refuse("--apps takes services, delivery and clients, not #{unknown}.") if unknown
      if @options[:wckey] && !@options[:wckey].match?(Settings::WCKEY)
        refuse('--wckey takes one name of letters, digits and _.:@+-.')
      end
      services_group
      check_cluster
    end

    # @raise [Failure] where an app needs a cluster, and which one is not known
    def need_cluster
      return if defaults['cluster']

      known = @host.clusters.ids
      refuse("The services need --cluster ID: OOD has #{known.empty? ? 'no Slurm cluster' : known.join(' and ')}.")
    end

    private

    def check_cluster
      clusters = @host.clusters.ids
      id = @options[:cluster]
      return if id.nil? || clusters.include?(id) || (clusters.empty? && id.match?(Clusters::ID))

      refuse("--cluster: OOD has no Slurm cluster #{id}#{" (it has #{clusters.join(', ')})" if clusters.any?}.")
    end

    def refuse(sentence)
      raise Failure.new(EX_USAGE, sentence)
    end
  end
end
