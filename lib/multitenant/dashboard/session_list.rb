# frozen_string_literal: true

module MultiTenant
  module Dashboard
    # Before OOD lists the sessions (their page, its poll, the home page's widget), the card files
    # follow what is known; then clients learn which jobs their services have. For BatchConnect::Session's own class.
    module SessionList
      def all(*, **)
        MultiTenant.renew(cards: true)
        Card::Budget.new_page
        super.tap { |sessions| ClientMembers.tell(sessions) }
      end
    end
  end
end
