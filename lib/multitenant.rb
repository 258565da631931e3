# frozen_string_literal: true

require_relative 'multitenant/version'
require_relative 'multitenant/multitenant'
require_relative 'multitenant/answer'
require_relative 'multitenant/settings'
require_relative 'multitenant/clusters'
require_relative 'multitenant/query'
require_relative 'multitenant/receiver'

# Services that run as Slurm jobs, shared with the right people through Open OnDemand.
module MultiTenant
  class << self
    # @return [Hash] the services shared with this user, by job id: string keys throughout, frozen,
    #   never nil; {} until the first complete answer, then the last one. doc/formats.md
    def specs
      @receiver ? @receiver.specs : {}.freeze
    end

    # Asks Slurm now; specs and cards follow. Never raises.
    # @return [Hash] {report}
    def refresh
      @receiver&.refresh
      report
    end

    # How the last refresh went.
    # @return [Hash] "at" (epoch of the last complete answer), "age" (seconds since then, nil before
    #   it), "from", "seconds", "accepted", "refused" (reason code => count), "clusters" (name =>
    #   "all", "own" or "incomplete"), "cards", "error" (a sentence or nil); empty before the first
    def report
      last = @receiver ? @receiver.report : {}
      last.merge('age' => last['at'] && (Time.now.to_i - last['at'])).freeze
    end

    # Starts the receiving side in a dashboard: reads settings and clusters from OOD, asks Slurm
    # once. Called by the initializer; a second call starts anew.
    # @param log [#call] takes a level (:info, :warn) and a sentence
    # @return [void]
    def start(log)
      settings = Settings.new
      settings.warnings.each { |warning| log.call(:warn, warning) }
      clusters = Clusters.from_ood(OodAppkit.clusters)
      @receiver = Receiver.new(settings, source: Query.new(settings, slurm_conf: clusters.slurm_conf),
                                         clusters: clusters, core: ood_core(settings), log: log)
      refresh
    end

    private

    def ood_core(settings)
      ours = defined?(Configuration) && Configuration.respond_to?(:per_cluster_dataroot?)
      settings.to_core(dataroot: OodAppkit.dataroot.to_s,
                       per_cluster_dataroot: ours ? Configuration.per_cluster_dataroot? : false)
    end
  end
end
