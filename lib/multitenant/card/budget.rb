# frozen_string_literal: true

require_relative 'limits'

module MultiTenant
  class Card
    # How many bytes of what was shared one card may show: a page asks for all of it every ten seconds.
    class Budget
      class << self
        # OOD lists the sessions.
        # @return [void]
        def new_page
          @shown = Hash.new(0)
        end

        # A page that OOD's list did not announce begins after a pause.
        # @return [Hash] uid of a publisher => bytes that the page shows of them
        def shown
          now = MultiTenant.clock
          new_page unless @last && now - @last < Limits::POLL / 2
          @last = now
          @shown
        end
      end

      # @param publisher [Integer, nil] uid; nil: it is not known
      def initialize(publisher)
        @publisher = publisher
        @card = 0
      end

      # A little of each publisher is shown whatever others share.
      # @param most [Integer] that the card may show
      # @return [Integer] bytes
      def left(most)
        shown = Budget.shown
        page = [Limits::PAGE - shown.values.sum, Limits::FIRST - shown[@publisher]].max
        [most - @card, Limits::PUBLISHER - shown[@publisher], page].min
      end

      # @param html [String]
      # @param most [Integer] that the card may show
      # @return [String, nil] the same, which is counted; nil: there is no room
      def take(html, most: Limits::CARD)
        return if html.bytesize > left(most)

        @card += html.bytesize
        Budget.shown[@publisher] += html.bytesize
        html
      end
    end
  end
end
