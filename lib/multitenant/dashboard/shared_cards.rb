# frozen_string_literal: true

require 'digest'
require 'json'
require_relative '../errors'

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
        @sources = sources
        @trust = [TRUST, 2 * sources.ttl].max
      end

      # @param session [BatchConnect::Session]
      # @return [Boolean] it is a card of ours (doc/formats.md), or one of the old initializer's
      def own?(session)
        return true if share_of(session) || mark_of(session).exist?

        @receiver.delivery?(session.token) && bare?(session)
      end

      # @return [String, nil] changes with what its card shows; nil: it is none of ours
      def state(session)
        return unless own?(session)

        shown = [session.id, session.status.to_sym, session.info.wallclock_time.to_i / 60]
        Digest::SHA1.hexdigest([*shown, *(session.connect_file.read if session.running?)].join("\0"))
      end

      # @return [Boolean] delivery removes it when its job has ended, so OOD need not
      def swept?(session)
        return true if share_of(session)

        keys = mark(session)['wckey'].to_s.split(',')
        keys.any? && (keys - @receiver.wckeys).empty? && @receiver.delivery?(session.token)
      end

      # @return [Boolean] its host is not known to be one of the job's own
      def elsewhere?(session)
        share = share_of(session)
        share ? !share[:own_host] : own?(session)
      end

      # @return [Boolean]
      def dismiss(session)
        @receiver.dismiss(session.id)
      end

      # @return [OodCore::Job::Info, nil] nil: OOD has to ask
      def info(session)
        share = share_of(session)
        return running(session, share) if share && trusted?(share[:cluster])

        cluster = share ? share[:cluster] : mark(session)['cluster']
        undetermined(session) if cluster && (hanging? || (trusted?(cluster) ? going?(session) : silent?(cluster)))
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

      # Whoever was asked last.
      def hanging?
        @receiver.report['code'] == EX_TEMPFAIL
      end

      # Others may have been asked since.
      def silent?(cluster)
        hidden?(cluster) || @sources.hanging?(cluster)
      end

      # The next page has it no more.
      def going?(session)
        @receiver.behind? && swept?(session)
      end

      # squeue would say that there is no such job.
      def hidden?(cluster)
        @receiver.report['clusters'].to_h[cluster] == 'own'
      end

      # @return [Hash] {} where it is not a card of ours
      def mark(session)
        JSON.parse(mark_of(session).read(4096)).to_h
      rescue SystemCallError, JSON::ParserError, TypeError, NoMethodError
        {}
      end

      # Asked several times for each card, and the shares are those of all publishers.
      def share_of(session)
        all = @receiver.shares
        unless @all.equal?(all)
          @cards = all.select { |one| one[:card_id] }.to_h { |one| [one.values_at(:card_id, :job_id).join(' '), one] }
          @all = all
        end
        @cards["#{session.id} #{session.job_id}"]
      end

      def mark_of(session)
        session.staged_root.join(Core::PATHS[:mark])
      end

      # The old initializer's cards have no mark and nothing but a connection; OOD's own sessions hold
      # more. OOD's cleaning of old directories may have taken all of it.
      def bare?(session)
        session.staged_root.children.map { |path| path.basename.to_s } == [Core::PATHS[:connection]]
      rescue SystemCallError
        true
      end

      def trusted?(cluster)
        Time.now.to_i - @receiver.answered(cluster) <= @trust
      end
    end
  end
end
