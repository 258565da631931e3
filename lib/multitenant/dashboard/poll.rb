# frozen_string_literal: true

module MultiTenant
  module Dashboard
    # Since OOD 4.1 the sessions page asks for news only while a session of it runs, so that the process
    # of a user who left it open may end. A viewer who waits for a service has none: the page goes on
    # asking for an hour after it was opened.
    module Poll
      HOUR = 3600

      class << self
        # @return [void]
        def set
          return unless BatchConnect::SessionsHelper.method_defined?(:should_poll?) # before 4.1 it always asks

          BatchConnect::SessionsController.before_action(only: :index) do
            Poll.opened if request.format&.symbol == :html
          end
          BatchConnect::SessionsHelper.prepend(self)
        end

        # @return [void]
        def opened
          @opened = MultiTenant.clock
        end

        def on?
          @opened && MultiTenant.clock - @opened < HOUR
        end
      end

      def should_poll?(*, **)
        super || Poll.on?
      end
    end
  end
end
