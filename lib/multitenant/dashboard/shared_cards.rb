# frozen_string_literal: true

require 'json'
require_relative '../answer'

module MultiTenant
  module Dashboard
    # What the receiver knows of a session that is another's service.
    class SharedCards
      # Seconds for which an answer of the job's cluster is as good as OOD's own question.
      TRUST = 300

      # @param receiver [Receiver]
      # @param sources [Sources]
      def initialize(receiver, sources)
        @receiver = receiver
        @trust = [TRUST, 2 * sources.ttl].max
      end

      # @param session [BatchConnect::Session]
      # The old initializer's cards have no mark; OOD's own sessions hold more than a connection.
      # @return [Boolean] it is a card of ours (doc/formats.md), or one of the initializer's before us
      def own?(session)
        return true if share_of(session)

        files = session.staged_root.children.map { |path| path.basename.to_s }
        files.include?('.multitenant') || (files == ['connection.yml'] && delivered?(session.token))
      rescue SystemCallError # OOD's own cleaning may have taken the output directory
        delivered?(session.token)
      end

      # @return [Boolean]
      def dismiss(session)
        @receiver.dismiss(session.id)
      end

      # @return [OodCore::Job::Info, nil] nil: OOD has to ask
      def info(session)
        share = share_of(session)
        return running(session, share) if share && trusted?(share[:cluster])

        cluster = share ? share[:cluster] : marked_cluster(session)
        undetermined(session) if cluster && !trusted?(cluster) && (hanging? || hidden?(cluster))
      end

      private

      def running(session, share)
        now = Time.now.to_i
        OodCore::Job::Info.new(
          id: session.job_id, status: :running, job_owner: share[:user], dispatch_time: share[:start],
          wallclock_time: [now - share[:start], 0].max,
          wallclock_limit: (share[:end] - share[:start] if share[:end] > share[:start])
        )
      end

      # What OOD itself would say after waiting for Slurm, ten seconds a card.
      def undetermined(session)
        OodCore::Job::Info.new(id: session.job_id, status: :undetermined)
      end

      def hanging?
        @receiver.report['code'] == EX_TEMPFAIL
      end

      # squeue would say that there is no such job.
      def hidden?(cluster)
        @receiver.report['clusters'].to_h[cluster] == 'own'
      end

      # @return [String, nil] nil: not a card of ours
      def marked_cluster(session)
        JSON.parse(session.staged_root.join('.multitenant').read(4096))['cluster']
      rescue SystemCallError, JSON::ParserError, TypeError
        nil
      end

      def share_of(session)
        @receiver.shares.find { |one| one[:card_id] == session.id && one[:job_id].to_s == session.job_id.to_s }
      end

      def trusted?(cluster)
        Time.now.to_i - @receiver.answered(cluster) <= @trust
      end

      def delivered?(token)
        @receiver.delivery?(token)
      end
    end
  end
end
