# frozen_string_literal: true

require_relative '../gateway/credential'
require_relative 'budget'

module MultiTenant
  class Card
    # What the buttons of a viewer's cards post to gateways. Pages are rendered often, and wait for munged: one is made
    # for each card in a minute, and none while munged is slow or down. A publisher may share many services, so where
    # not all of a page's get one, publishers take turns.
    module Credentials
      KEPT = 60
      SECONDS = 1.0
      # Of one, and of all in a minute.
      SLOW = 0.25
      ALL = 1.0

      @made = {}
      @spent = @since = @paused = 0
      @last = Hash.new(0) # publisher => when one was made for a service of theirs
      @waiting = {} # publisher => when one was not, and on which page
      @lock = Mutex.new

      class << self
        # @param gateway [Gateway]
        # @return [String, nil] nil: there is none at this time
        def of(gateway)
          @lock.synchronize do
            now = MultiTenant.clock
            Budget.page.bytes.want(gateway.publisher.to_i, 0) # a page that shows buttons alone is one, too
            @made.delete_if { |_, (_, till)| till <= now }
            unless @made.key?(gateway.to_s)
              return unless turn?(gateway.publisher, now)

              @made[gateway.to_s] = [make(gateway), now + KEPT]
            end
            @made[gateway.to_s].first
          end
        end

        private

        # Half of the time is for whom the page names first, and the other half for who had one the longest ago, as long
        # as a page asks for it.
        def turn?(publisher, now)
          @spent = 0 if now - @since > KEPT
          @since = now if @spent.zero?
          @waiting.delete_if { |_, since| Budget.forgotten?(*since) }
          before = @spent >= ALL / 2 && @waiting.any? { |other, _| @last[other] < @last[publisher] }
          if before || now < @paused
            @waiting[publisher] = [now, Budget.count]
            return false
          end
          @waiting.delete(publisher)
          @last[publisher] = now
          true
        end

        def make(gateway)
          start = MultiTenant.clock
          made = Gateway::Credential.new(socket: MultiTenant.munge_socket).make(gateway, SECONDS)
        rescue Failure
          nil
        ensure
          now = MultiTenant.clock
          @spent += now - start
          @paused = now + KEPT if made.nil? || now - start > SLOW || @spent > ALL
        end
      end
    end
  end
end
