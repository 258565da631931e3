# frozen_string_literal: true

require_relative '../apps/gate_state'
require_relative 'owner'

module MultiTenant
  class CLI
    # A command about those who use what this user shares through a gateway. A subclass has `change(gate)`.
    class Gate < Owner
      # Seconds that gates have to take a change over: they look once a second.
      SECONDS = 10

      # @return [Integer] exit code
      def run
        change(gate)
        EX_OK
      end

      private

      def options(parser)
        super
        parser.banner = parser.banner.sub(' SERVICE', ' SERVICE|JOB')
        parser.separator('JOB: the id of a job without a service; where several clusters have one, ID@CLUSTER.')
      end

      # @return [GateState]
      def gate
        state = states.first || service_of(GateState::JOB.match(@word))
        return GateState.of(state) || no_gateway(state.name) if state

        found = GateState.of_jobs(@word)
        refuse("You have a job #{@word} on several clusters: name one as ID@CLUSTER") if found.size > 1
        found.first || refuse("You have no gateway of a service or job `#{@word}`")
      end

      def service_of(job)
        job && ServiceState.all.find do |one|
          one.jobs.include?(job[:id]) && [nil, one['cluster']].include?(job[:cluster])
        end
      end

      def no_gateway(name)
        raise Failure.new(EX_DATAERR, "#{name} has no gateway: whoever knows its key or password can use it, and it " \
                                      'does not know who they are.')
      end

      # Some sites' user names are numbers, so a name goes before a uid.
      # @return [Integer] uid
      def uid(word)
        Etc.getpwnam(word).uid
      rescue ArgumentError
        GateState.uid(word) || refuse("There is no user `#{word}` on this host")
      end

      # Says when a change acts, which is once each gate has taken it over.
      # @param done [String] what was written
      # @return [Array<Array(String, String)>] the members that have
      def say(gate, done)
        running = running(gate)
        until_at = MultiTenant.clock + SECONDS
        sleep 0.2 until (late = running.reject { |one| gate.taken_over?(one) }).empty? || MultiTenant.clock > until_at
        puts "#{done}: #{running.empty? ? none(gate) : acts(running.size, late)}"
        running - late
      end

      # Of a service this says nothing of its jobs, which may run without one.
      def none(gate)
        return 'no gateway of it runs now, and no other job goes by that.' if gate.name.start_with?('job ')

        'no gateway of it runs now, and those to come go by it. Without one, whoever has its key or password is in.'
      end

      def acts(count, late)
        return "#{count == 1 ? 'its job goes' : "all #{count} jobs of it go"} by that now." if late.empty?

        jobs = late.map(&:first).join(', ')
        "#{count - late.size} of #{count} jobs go by that now. Job #{jobs} did not take it over in #{SECONDS} s: see " \
          'its output.log.'
      end

      # What was killed has left its file. Where Slurm does not answer, all may run.
      def running(gate)
        gate.members.group_by(&:last).flat_map do |cluster, members|
          alive = own_jobs(cluster).all.select(&:alive?)
          members.select { |id, _| alive.any? { |job| job.raw == id } }
        rescue Failure
          members
        end
      end
    end
  end
end
