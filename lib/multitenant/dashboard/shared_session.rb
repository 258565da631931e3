# frozen_string_literal: true

module MultiTenant
  module Dashboard
    # A card that is not the viewer's own: Delete and Cancel send it away and leave the job alone, and
    # its status is what the records say. For BatchConnect::Session.
    module SharedSession
      NOT_DISMISSED = 'This card could not be dismissed: try again, or tell the administrators, whose log of the ' \
                      'dashboard says why.'

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

      # OOD removes sessions that ended a week ago, by {destroy}; ours go when their job has ended.
      def old?(*, **)
        SharedSession.cards.swept?(self) ? false : super
      end

      # OOD would note for good that the job has ended; the next answer may say otherwise.
      def update_cache_completed!(*, **)
        super if cache_completed || !SharedSession.cards.swept?(self)
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

      # Whatever fails, the job goes on: it is not the viewer's.
      def multitenant_dismiss # rubocop:disable Naming/PredicateMethod -- OOD's own return value
        return true if SharedSession.cards.dismiss(self)

        errors.add(:delete, NOT_DISMISSED)
        false
      end
    end

    # To tell whether a card has changed OOD makes JSON of all that was shared: of the longest values that takes longer
    # than the rest of the page. For BatchConnect::Session.
    module SharedState
      def to_hash(*, **)
        SharedSession.cards.state(self) || super
      end
    end

    # OOD's Host button leads to a shell on the `host` of the connection, which the publisher chose: there is one only
    # to the job's own. For BatchConnect::Session.
    module SharedHost
      def ssh_to_compute_node?(*, **)
        SharedSession.cards.elsewhere?(self) ? false : super
      end
    end
  end
end
