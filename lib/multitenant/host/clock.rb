# frozen_string_literal: true

# Services that run as Slurm jobs, shared with the right people through Open OnDemand.
module MultiTenant
  # @return [Float] monotonic seconds
  def self.clock
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
