# frozen_string_literal: true

require_relative '../host'

module MultiTenant
  # The host as a dashboard has it: OOD has read its `env` file and its configuration already.
  class DashboardHost < Host
    # Seconds.
    PATIENCE = 0.5

    def environment
      ENV
    end

    def clusters
      @clusters ||= Clusters.from_ood(OodAppkit.clusters)
    end

    def dataroot
      OodAppkit.dataroot.to_s
    end

    # A slurm.conf may be on a file system that hangs, and a dashboard that starts would wait for it. One that can't be
    # read is looked at again.
    # @return [String, nil] nil also where it is not known yet; the first call waits for that a while
    def munge_socket
      patience = 0
      if @asked.nil? || @asked.status.nil?
        @asked = Thread.new { find_munge_socket }
        @asked.report_on_exception = false
        patience = PATIENCE
      end
      @asked.value if @asked.join(patience)
    rescue SystemCallError
      nil
    end

    def per_cluster_dataroot?
      ours = defined?(Configuration) && Configuration.respond_to?(:per_cluster_dataroot?)
      ours ? Configuration.per_cluster_dataroot? : false
    end
  end
end
