# frozen_string_literal: true

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
        return unless share && trusted?(share)

        now = Time.now.to_i
        OodCore::Job::Info.new(
          id: session.job_id, status: :running, job_owner: share[:user], dispatch_time: share[:start],
          wallclock_time: [now - share[:start], 0].max,
          wallclock_limit: (share[:end] - share[:start] if share[:end] > share[:start])
        )
      end

      private

      def share_of(session)
        @receiver.shares.find { |one| one[:card_id] == session.id && one[:job_id].to_s == session.job_id.to_s }
      end

      def trusted?(share)
        Time.now.to_i - @receiver.answered(share[:cluster]) <= @trust
      end

      # The old initializer's cards have no mark; OOD's own sessions hold more than a connection.
      def delivered?(token)
        @receiver.delivery?(token)
      end
    end

    # A card that is not the viewer's own: Delete and Cancel send it away and leave the job alone, and
    # its status is what the records say. For BatchConnect::Session.
    module SharedSession
      class << self
        # @return [SharedCards]
        attr_accessor :cards
      end

      def destroy(*, **)
        SharedSession.cards.own?(self) ? multitenant_dismiss : super
      end

      def cancel(*, **)
        SharedSession.cards.own?(self) ? multitenant_dismiss : super
      end

      def update_info(*, **)
        info = multitenant_info
        info ? @info = info : super
      end

      private

      def multitenant_info
        cache_completed ? nil : SharedSession.cards.info(self)
      rescue StandardError => e
        Rails.logger.warn("multitenant: the status of card #{id} is asked of Slurm: #{e.class}: #{e.message}")
        nil
      end

      # Never the job's end, whatever fails: it is not the viewer's.
      def multitenant_dismiss # rubocop:disable Naming/PredicateMethod -- OOD's own return value
        return true if SharedSession.cards.dismiss(self)

        errors.add(:delete, 'This card could not be dismissed; the log of the dashboard says why.')
        false
      end
    end
  end
end
