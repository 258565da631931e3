# frozen_string_literal: true

require_relative '../apps/gate_state'
require_relative 'members'

module MultiTenant
  class CLI
    # `multitenant unshare`
    class Unshare < Members
      TAKEN_BACK = 'Its owner has taken the share back.'
      LET_IN = 'Its gateway still lets in whoever has it by now: `multitenant ban` shuts people out.'
      KNOWN = 'Whoever has its address, key or password by now can go on using it while it runs. To shut them out, ' \
              'end it and start it anew; a database needs another password, too.'
      # Ids are the same on several clusters.
      JOB = /\A(?<id>[1-9]\d{0,9}(?:[_+]\d{1,9})?)(?:@(?<cluster>[\w.-]+))?\z/
      # A label, and the address outside Open OnDemand that the sender put behind it.
      LABEL = /\A(?<plain>[^[:cntrl:]|]{1,128}?)(?: mt:[a-z0-9-]+:[^ :]+:\d+)?\z/

      # @return [Integer] exit code
      def run
        if (state = states.first)
          refuse_what_ended(state) if @options[:undo]
          @options[:undo] ? state.remove('unshared') : state['unshared'] = TAKEN_BACK
          puts "#{state.name} is #{@options[:undo] ? 'shared again' : 'not shared any more'} within ten seconds; its " \
               'jobs run on.'
          say_who_stays([GateState.of(state)].compact) unless @options[:undo]
        elsif @options[:undo]
          refuse("You have no service `#{@word}` of several jobs")
        elsif (job = JOB.match(@word)) && (job[:cluster].nil? || members.empty?)
          take_back(job[:id], job[:cluster])
        else
          take_all_back
        end
        EX_OK
      end

      private

      def options(parser)
        super
        parser.banner = parser.banner.sub('SERVICE:', 'JOB|SERVICE:')
        parser.separator('JOB: its id; where several clusters have one, ID@CLUSTER.')
        parser.on('--undo', 'share the jobs of the service again') { @options[:undo] = true }
      end

      def take_back(id, cluster)
        owner = ServiceState.all.find { |one| one.jobs.include?(id) && (cluster.nil? || one['cluster'] == cluster) }
        if owner
          raise Failure.new(EX_DATAERR, "Job #{id} is one of #{owner.name}, whose jobs share themselves: " \
                                        "`multitenant unshare #{owner.word}`.")
        end

        found = all_own_jobs(cluster).filter_map { |own| (job = job_of(own, id)) && [own, job] }
        refuse("You have no job #{@word}") if found.empty?
        shared = found.select { |_, job| Native.label_of(job.name) }
        refuse("You share a job #{id} on several clusters: name one as #{id}@CLUSTER") if shared.size > 1
        say_who_stays(rename(*(shared.first || found.first)))
      end

      # @return [Array<OwnJobs>] those of one cluster, or of each
      def all_own_jobs(cluster)
        targets = host.clusters.targets
        return [own_jobs(cluster)] if cluster || targets.one?

        targets.map { |target| OwnJobs.new(SlurmCommand.new(target.job.to_h)) }
      end

      # @return [OwnJobs::Job, nil]
      def job_of(own, id)
        own.all.find { |one| one.alive? && [one.id, one.raw].include?(id) }
      end

      def take_all_back
        refuse("You have no service `#{@word}`, and no job") if members.empty? && !receiver.report['error']
        check_report if members.empty?
        taken = members.flat_map do |cluster, names|
          own = own_jobs(cluster)
          names.map { |name| (job = job_of(own, name)) && rename(own, job) }
        end
        say_who_stays(*taken)
      end

      # With a bar behind it, its plain name is none that the sender in the job takes for one that Slurm has lost.
      # @return [Array<GateState>, nil] of what was shared
      def rename(own, job)
        return puts("Job #{job.id} is not shared.") unless (label = Native.label_of(job.name))

        own.rename(job, "#{PlainText.utf8(label)[LABEL, :plain] || 'job'}|")
        puts "Job #{job.id} is not shared any more, and runs on."
        GateState.of_jobs(job.raw)
      end

      # Gates know who may come in by themselves; where there is none, nobody is asked.
      # @param shares [Array<Array<GateState>, nil>]
      def say_who_stays(*shares)
        guarded, open = shares.compact.partition { |gates| gates.any? { |gate| gate.members.any? } }
        puts LET_IN if guarded.any?
        puts KNOWN if open.any?
      end
    end
  end
end
