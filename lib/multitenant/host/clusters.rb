# frozen_string_literal: true

require 'yaml'
require_relative 'slurm_conf'

module MultiTenant
  # The clusters that OOD knows, and which of them a Slurm cluster is. A wrong answer is worse than
  # none: job ids collide between clusters, and a card would show another job's state.
  class Clusters
    # One Slurm cluster of OOD's: its id, the `cluster:` and the `conf:` of its job section, whether
    # the viewer is not meant to use it, the whole section, the range that services' ports are of,
    # or nil, and what names its slurmrestd, or nil.
    Cluster = Struct.new(:id, :cluster, :conf, :closed, :job, :ports, :slurmrestd)

    # A Slurm cluster to be asked: its slurm.conf and its name, where OOD says them, the `job` section, and what
    # `multitenant` below `custom` says of its slurmrestd; all nil where OOD knows no Slurm cluster.
    Target = Struct.new(:conf, :cluster, :job, :slurmrestd) do
      # @return [Boolean] OOD runs its commands on another host
      def over_ssh?
        !job.nil? && !job['submit_host'].to_s.empty?
      end

      # @return [Boolean] OOD's question for jobs goes through a wrapper of the site's
      def wrapped?
        job.to_h['bin_overrides'].is_a?(Hash) && job['bin_overrides'].key?('squeue')
      end

      # @return [Boolean] which Slurm it is the commands alone say, by what they were built for
      def unsaid?
        !job.nil? && [conf, cluster, slurmrestd].none? && !over_ssh?
      end
    end

    # No Slurm cluster has this name.
    NOBODY = ''

    # The commands by which a cluster is asked.
    ASKING = %w[squeue scontrol sacct].freeze

    # There is one that did not answer yet, for {Core#decide} beside {#pairs}.
    SILENT = [NOBODY, nil].freeze

    # An id becomes a directory name where OOD keeps a data root per cluster.
    ID = /\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\z/

    # @param clusters [Enumerable] OodAppkit.clusters
    # @return [Clusters]
    def self.from_ood(clusters)
      all = clusters.filter_map do |cluster|
        job = cluster.job_config.to_h.transform_keys(&:to_s)
        custom = cluster.respond_to?(:custom_config) ? cluster.custom_config.to_h.transform_keys(&:to_s) : {}
        read(cluster.id.to_s, job, closed: cluster.metadata.hidden || !cluster.job_allow?, custom: custom)
      end
      new(all, whole: clusters.none? { |cluster| cluster.respond_to?(:valid?) && !cluster.valid? })
    end

    # Reads the files themselves, as ood_core does, for the command line.
    # @param path [String] a directory of *.yml, or one file of several clusters
    # @return [Clusters]
    def self.from_files(path)
      configs = if File.file?(path)
                  load_yaml(path).to_a
                else
                  Dir.glob(File.join(path, '*.{yml,yaml}')).map { |file| [File.basename(file, '.*'), load_yaml(file)] }
                end
      all = configs.filter_map do |id, config|
        next unless config.is_a?(Hash)

        read(id, config['job'], closed: config['metadata'].is_a?(Hash) && config['metadata']['hidden'],
                                ports: config['batch_connect'], custom: config['custom'])
      end
      new(all, whole: configs.none? { |_, config| config == {} })
    end

    # The part of a file that ood_core reads; {} where there is none.
    def self.load_yaml(path)
      config = YAML.safe_load(File.binread(path).force_encoding(Encoding::UTF_8))
      config = config['v2'] if config.is_a?(Hash)
      config.is_a?(Hash) ? config : {}
    rescue SystemCallError, Psych::Exception, ArgumentError
      {}
    end

    def self.read(id, job, closed: false, ports: nil, custom: nil)
      # A file's name may be no text.
      return unless job.is_a?(Hash) && job['adapter'] == 'slurm' && ID.match?(id.to_s.b)

      job = visible(job)
      Cluster.new(id.to_s, job['cluster']&.to_s, job['conf']&.to_s, closed, job, range(ports), slurmrestd(custom))
    end

    # @return [Hash{String => String}, nil]
    def self.slurmrestd(custom)
      ours = custom['multitenant'] if custom.is_a?(Hash)
      ours = ours.is_a?(Hash) ? ours.to_h.transform_keys(&:to_s).compact.transform_values(&:to_s) : {}
      visible(ours) if ours.key?('slurmrestd')
    end

    # Those of the template `basic`, by which service apps choose a port.
    def self.range(told)
      basic = told['basic'] if told.is_a?(Hash)
      first, last = basic.values_at('min_port', 'max_port') if basic.is_a?(Hash)
      (Integer(first || 0)..(last && Integer(last))) if first || last
    rescue ArgumentError, TypeError
      nil
    end

    # What no path, variable or argument can hold would end the question for all clusters. A sign that shows where it
    # was makes it this cluster's fault alone: there is no such file, program or host.
    def self.visible(value)
      case value
      when Hash then value.transform_values { |one| visible(one) }
      when String then value.b.gsub("\0", "\u{fffd}".b).force_encoding(value.encoding)
      else value
      end
    end
    private_class_method :load_yaml, :read, :range, :slurmrestd, :visible

    # @param clusters [Array<Cluster>]
    # @param whole [Boolean] there is none that could not be read
    def initialize(clusters, whole: true)
      @clusters = clusters
      @whole = whole
      @conf_names = {}
      @names = []
      @mutex = Mutex.new
    end

    # @return [Array<String>] OOD's ids
    def ids
      @clusters.map(&:id)
    end

    # @return [Array<Target>] the Slurm clusters that OOD's are; this host's own where there is none
    def targets
      targets = @clusters.map { |cluster| target_of(cluster) }
      targets = targets.uniq { |target| told_by(target) }
      targets.empty? ? [Target.new] : targets
    end

    # @param id [String] OOD's
    # @return [Target, nil]
    def of(id)
      found = @clusters.find { |cluster| cluster.id == id }
      found && target_of(found)
    end

    # Wrappers may lead to another host, with another slurm.conf at the same path.
    # @return [Boolean] what libslurm has for a target is this cluster's, as far as that is known
    def own?(target)
      near = targets.reject(&:over_ssh?)
      others = near.reject { |one| told_by(one) == told_by(target) }
      return true if target.cluster || others.empty? || others == near
      return !target.wrapped? || others.none? { |one| reads?(one, target.conf) } if target.conf

      !target.wrapped? && others.none? { |one| one.unsaid? && !one.wrapped? }
    end

    # Commands in a `bin` of their own may know another Slurm than libslurm does.
    # @param name [String] Slurm's, of the cluster that libslurm has for a target
    # @return [Boolean] that is known to be another one of OOD's
    def another?(target, name)
      return false unless target.unsaid? && !target.job['bin'].to_s.empty?

      others = targets.reject { |one| told_by(one) == told_by(target) }
      @mutex.synchronize { others.any? { |one| same?(one.cluster || conf_name(one), name) } }
    end

    # @param name [String, nil] Slurm's name of a cluster; nil: it is not known
    # @return [Target, nil] nil: which it is can't be told
    def target(name)
      return (targets.first if targets.one?) unless name
      return Target.new(nil, name, { 'cluster' => name }) if @clusters.empty?

      found = @mutex.synchronize { find(name) }
      found && target_of(found)
    end

    # @param name [String] Slurm's name of a cluster
    # @return [Range, nil] of which the ports of its services are; nil: of all
    def ports(name)
      @mutex.synchronize { find(name) }&.ports
    end

    # Notes which cluster a target leads to.
    # @param target [Target]
    # @param name [String] Slurm's name
    # @return [void]
    def learn(target, name)
      @mutex.synchronize { @conf_names[place_of(target)] = name unless target.cluster }
    end

    # @param target [Target]
    # @return [String, nil] Slurm's name of the cluster that it leads to, as far as that is known
    def name(target)
      @mutex.synchronize { target.cluster || conf_name(target) }&.downcase
    end

    # @param names [Array<String>] Slurm's names of clusters
    # @return [Array<Array(String, String)>] Slurm's name and OOD's id of those that OOD knows, with
    #   those of earlier calls, always in one order; then every id under {NOBODY}, so that the cards of
    #   all clusters are found; then nil for those of which that can't be learned now
    def pairs(names)
      @mutex.synchronize do
        @names |= names
        found, others = @names.map { |name| [name, find(name)&.id] }.partition(&:last)
        found.sort_by { |_, id| @clusters.index { |cluster| cluster.id == id } } +
          @clusters.map { |cluster| [NOBODY, cluster.id] } + (sure? ? [] : others)
      end
    end

    # @return [Boolean] one of OOD's clusters is none of those that were named to {#pairs}
    def silent?
      @mutex.synchronize do
        @clusters.any? do |cluster|
          @names.none? { |name| find(name) == cluster || same?(cluster.cluster || conf_name(cluster), name) }
        end
      end
    end

    private

    # Whether a name that is not found is no OOD cluster's: each of these says its own.
    def sure?
      @clusters.empty? || (@whole && @clusters.all? { |cluster| cluster.cluster || conf_name(cluster) })
    end

    # The first of these that answers: it says the name; its slurm.conf does; its id is the name, and
    # it says no other; it is the only one that could be meant. Of several, one that the viewer is
    # meant to use.
    def find(name)
      open, closed = @clusters.partition { |cluster| !cluster.closed }
      all = open + closed
      silent = all.reject(&:cluster)
      unknown = silent.reject { |cluster| conf_name(cluster) }
      all.find { |cluster| same?(cluster.cluster, name) } ||
        silent.find { |cluster| same?(conf_name(cluster), name) } ||
        unknown.find { |cluster| same?(cluster.id, name) } ||
        (unknown.first if silent.one?)
    end

    # Slurm writes its names in small letters, whatever slurm.conf says.
    def same?(name, slurm)
      name&.casecmp?(slurm)
    end

    def target_of(cluster)
      Target.new(cluster.conf, cluster.cluster, cluster.job, cluster.slurmrestd)
    end

    # @return [Array] what says which Slurm cluster it is
    def told_by(target)
      [target.cluster, *place_of(target)]
    end

    # A slurm.conf, and the host that it is on: another host may have another one at the same path, and wrappers may
    # lead there. Or a slurmrestd. Else the commands, each of which may have a slurm.conf of its own.
    def place_of(cluster)
      job = cluster.job.to_h
      place = [cluster.conf, job['submit_host'], cluster.slurmrestd.to_h['slurmrestd']]
      return place if cluster.cluster

      overrides = job['bin_overrides'].is_a?(Hash) ? job['bin_overrides'].slice(*ASKING) : {}
      return overrides.key?('squeue') ? [*place, *overrides] : place if cluster.conf

      [*place, job['bin'], *overrides]
    end

    # @return [String, nil] the ClusterName of a slurm.conf; where that is not this host's, or has no
    #   path, as it was learned
    def conf_name(cluster)
      path, host, = place = place_of(cluster)
      @conf_names[place] ||= (SlurmConf.read(path)['clustername'] if path && !host && !elsewhere?(place))
    rescue SystemCallError
      nil # it may be there the next time
    end

    # Wrappers, and another cluster with their slurm.conf: this host's is not said to be theirs.
    def elsewhere?(place)
      path, _, _, *wrappers = place
      wrappers.any? && targets.any? { |one| reads?(one, path) && place_of(one) != place }
    end

    # @return [Boolean] or may: what says no slurm.conf reads this host's own, wherever that is
    def reads?(target, conf)
      return target.conf == conf if target.conf

      !target.wrapped? && !target.over_ssh? && target.slurmrestd.nil?
    end
  end
end
