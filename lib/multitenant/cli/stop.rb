# frozen_string_literal: true

require_relative 'members'

module MultiTenant
  class CLI
    # `multitenant stop`
    class Stop < Members
      SECONDS = 30
      # What a job that began before `stopped` was written may still submit is found by looking again.
      QUIET = 2
      STOPPED = 'The service was stopped by its owner.'

      # @return [Integer] exit code
      def run
        raise not_found if members.empty? && states.empty?

        state = states.first
        noted = state&.stop(STOPPED)
        ended = jobs.sum { |cluster, _| end_jobs(cluster) }
        puts "#{state&.name || @word} is stopped: #{ended == 1 ? '1 job was' : "#{ended} jobs were"} cancelled."
        EX_OK
      rescue Failure => e
        raise unless noted

        raise Failure.new(e.code, "#{state.name} is to stop, and its jobs end by themselves; they could not all be " \
                                  "cancelled: #{e.message}")
      end

      private

      # @return [Hash{String, nil => Array<String>}] cluster (nil: not known) => names of jobs
      def jobs
        return members unless (state = states.first)

        cluster = state['cluster'] || members.keys.first
        members.merge(cluster => [*state.jobs, *members[cluster]].uniq)
      end

      def not_found
        return Failure.new(receiver.report['code'], receiver.report['error']) if receiver.report['error']

        Failure.usage("multitenant #{@name}", "You have no service `#{@word}`")
      end

      # Until nothing of it is left, nor begins.
      # @return [Integer] how many were cancelled
      def end_jobs(cluster)
        own = own_jobs(cluster)
        until_at = MultiTenant.clock + SECONDS
        cancelled = []
        quiet = 0
        while quiet < QUIET
          sleep 1 if quiet.positive? || cancelled.any?
          left = left_of(own, jobs[cluster])
          raise Failure.new(EX_TEMPFAIL, "Jobs #{left.map(&:id).join(', ')} don't end.") if MultiTenant.clock > until_at

          cancelled |= left.map(&:id)
          quiet = left.empty? ? quiet + 1 : 0
        end
        cancelled.size
      end

      # One that was killed may not have noted which job follows it.
      def left_of(own, names)
        left = own.all.select { |job| job.alive? && names.any? { |name| job.named?(name) || job.follows?(name) } }
        own.cancel(left)
        left
      end
    end
  end
end
