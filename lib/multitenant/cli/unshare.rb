# frozen_string_literal: true

require_relative 'members'

module MultiTenant
  class CLI
    # `multitenant unshare`
    class Unshare < Members
      TAKEN_BACK = 'Its owner has taken the share back.'
      LABEL = /\A[^[:cntrl:]|]{1,128}\z/

      # @return [Integer] exit code
      def run
        if (state = states.first)
          @options[:undo] ? state.remove('unshared') : state['unshared'] = TAKEN_BACK
          puts "#{state.name} is #{@options[:undo] ? 'shared again' : 'not shared any more'} within ten seconds; its " \
               'jobs run on.'
        elsif @options[:undo]
          refuse("You have no service `#{@word}` of several jobs")
        elsif @word.match?(ServiceState::JOB)
          take_back(@word)
        else
          take_all_back
        end
        EX_OK
      end

      private

      def options(parser)
        super
        parser.banner = parser.banner.sub('SERVICE:', 'JOB|SERVICE:')
        parser.on('--undo', 'share the jobs of the service again') { @options[:undo] = true }
      end

      def take_back(name)
        owner = ServiceState.all.find { |state| state.jobs.include?(name) }
        if owner
          raise Failure.new(EX_DATAERR, "Job #{name} is one of #{owner.name}, whose jobs share themselves: " \
                                        "`multitenant unshare #{owner.name}`.")
        end

        clusters = host.clusters.targets.size > 1 ? clusters_of(name) : [nil]
        found = clusters.map { |cluster| rename(own_jobs(cluster), name) }.compact
        refuse("You have no job #{name}") if found.empty?
      end

      # Ids are the same on several clusters: the one that is shared is meant.
      def clusters_of(name)
        receiver.ask
        shares = receiver.shares.select { |share| share[:job_id].to_s == name }
        one_of(shares.map { |share| share[:cluster] }.uniq)
      end

      def take_all_back
        refuse("You have no service `#{@word}`, and no job") if members.empty? && !receiver.report['error']
        check_report if members.empty?
        members.each { |cluster, names| names.each { |name| rename(own_jobs(cluster), name) } }
      end

      # With a bar behind it, its plain name is none that the sender in the job takes for one that Slurm has lost.
      # @return [Boolean, nil] nil: there is no such job
      def rename(own, name)
        job = own.all.find { |one| one.alive? && [one.id, one.raw].include?(name) }
        return unless job
        return puts("Job #{job.id} is not shared.") || false unless (label = Native.label_of(job.name))

        label = PlainText.utf8(label)
        own.rename(job, "#{label.match?(LABEL) ? label : 'job'}|")
        puts "Job #{job.id} is not shared any more, and runs on."
        true
      end
    end
  end
end
