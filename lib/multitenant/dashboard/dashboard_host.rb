# frozen_string_literal: true

require_relative '../host'

module MultiTenant
  # The host as a dashboard has it: OOD has read its `env` file and its configuration already.
  class DashboardHost < Host
    def environment
      ENV
    end

    def clusters
      @clusters ||= Clusters.from_ood(OodAppkit.clusters)
    end

    def dataroot
      OodAppkit.dataroot.to_s
    end

    def per_cluster_dataroot?
      ours = defined?(Configuration) && Configuration.respond_to?(:per_cluster_dataroot?)
      ours ? Configuration.per_cluster_dataroot? : false
    end
  end
end
