# frozen_string_literal: true

require_relative 'shared_session'

module MultiTenant
  module Dashboard
    # OOD's Host button leads to a shell on the `host` of the connection, which the publisher chose: there is one only
    # to the job's own. For BatchConnect::Session.
    module SharedHost
      def ssh_to_compute_node?(*, **)
        SharedSession.cards.elsewhere?(self) ? false : super
      end
    end
  end
end
