# frozen_string_literal: true

require_relative '../gateway/credential'

module MultiTenant
  class Card
    # What the buttons of a viewer's cards post to gateways. Pages are rendered often, and wait for munged: one is made
    # for each card in a minute, and none while munged is slow or down: a publisher may share many services.
    module Credentials
      KEPT = 60
      SECONDS = 1.0
      # Of one, and of all in a minute.
      SLOW = 0.25
      ALL = 1.0

      @made = {}
      @spent = @since = @paused = 0
      @lock = Mutex.new

      class << self
        # @param gateway [Gateway]
        # @return [String, nil] nil: there is none at this time
        def of(gateway)
          @lock.synchronize do
            now = MultiTenant.clock
            @made.delete_if { |_, (_, till)| till <= now }
            made, = @made[gateway.to_s] || (@made[gateway.to_s] = [make(gateway), now + KEPT] if now >= @paused)
            made
          end
        end

        private

        def make(gateway)
          start = MultiTenant.clock
          made = Gateway::Credential.new(socket: MultiTenant.munge_socket).make(gateway, SECONDS)
        rescue Failure
          nil
        ensure
          now = MultiTenant.clock
          @spent = 0 if now - @since > KEPT
          @since = now if @spent.zero?
          @spent += now - start
          @paused = now + KEPT if made.nil? || now - start > SLOW || @spent > ALL
        end
      end
    end
  end
end
