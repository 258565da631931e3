# frozen_string_literal: true

require 'yaml'

module MultiTenant
  # The clusters that OOD knows, and which of them a Slurm cluster is. A wrong answer is worse than
  # none: job ids collide between clusters, and a card would show another job's state.
  class Clusters
    # One Slurm cluster of OOD's: its id, the `cluster:` and the `conf:` of its job section.
    Cluster = Struct.new(:id, :cluster, :conf)

    CONFIG = '/etc/ood/config/clusters.d'

    # An id becomes a directory name where OOD keeps a data root per cluster.
    ID = /\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\z/

    # @param clusters [Enumerable] OodAppkit.clusters
    # @return [Clusters]
    def self.from_ood(clusters)
      new(clusters.filter_map do |cluster|
        job = cluster.job_config.to_h.transform_keys(&:to_s)
        read(cluster.id.to_s, job)
      end)
    end

    # Reads the files themselves, as ood_core does, for the command line.
    # @param path [String] a directory of *.yml, or one file of several clusters
    # @return [Clusters]
    def self.from_files(path = CONFIG)
      configs = if File.file?(path)
                  load_yaml(path)&.fetch('v2', nil).to_h.to_a
                else
                  Dir.glob(File.join(path, '*.{yml,yaml}')).map do |file|
                    [File.basename(file, '.*'), load_yaml(file)&.fetch('v2', nil)]
                  end
                end
      new(configs.filter_map { |id, config| read(id, config['job']) if config.is_a?(Hash) })
    end

    def self.load_yaml(path)
      config = YAML.safe_load_file(path)
      config if config.is_a?(Hash)
    rescue SystemCallError, Psych::Exception
      nil
    end

    def self.read(id, job)
      return unless job.is_a?(Hash) && job['adapter'] == 'slurm' && id.match?(ID)

      Cluster.new(id, job['cluster']&.to_s, job['conf']&.to_s)
    end
    private_class_method :load_yaml, :read

    # @param clusters [Array<Cluster>]
    def initialize(clusters)
      @clusters = clusters
    end

    # @return [String, nil] the slurm.conf that OOD uses, where it names one
    def slurm_conf
      @clusters.filter_map(&:conf).first
    end

    # @param names [Array<String>] Slurm's names of clusters
    # @return [Array<Array(String, String)>] Slurm's name and OOD's id of those that OOD knows, in
    #   this order; then every id by itself, so that cards of all clusters are found
    def pairs(names)
      known = names.filter_map do |name|
        cluster = find(name)
        [name, cluster.id] if cluster
      end
      known + @clusters.map { |cluster| [cluster.id, cluster.id] }
    end

    private

    # The first of these that answers: it says the name; its slurm.conf does; its id is the name; it
    # is the only one that could be meant.
    def find(name)
      silent = @clusters.reject(&:cluster)
      @clusters.find { |c| c.cluster == name } ||
        silent.find { |c| c.conf && conf_name(c.conf) == name } ||
        @clusters.find { |c| c.id == name } ||
        (silent.first if silent.one? && (silent.first.conf.nil? || conf_name(silent.first.conf).nil?))
    end

    def conf_name(path)
      @conf_names ||= {}
      @conf_names.fetch(path) do
        @conf_names[path] = File.read(path)[/^\s*ClusterName\s*=\s*(\S+)/i, 1]
      end
    rescue SystemCallError
      @conf_names[path] = nil
    end
  end
end
