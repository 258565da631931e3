# frozen_string_literal: true

require_relative 'limits'

module MultiTenant
  class Card
    # How much of what was shared one card may show: a page asks for all of it every ten seconds.
    class Budget
      # As parsers write one that {Scrubber} let stay. Its description goes, too: in it a < may stand as it is.
      IMAGE = %r{<img(?:\s+[a-z]+=(?:"[^"]*"|'[^']*'))*\s*/?>}
      NO_IMAGE = '(An image is not shown: those of a page may have 64 megapixels, and half of them of who shared it.)'

      class << self
        # OOD lists the sessions.
        # @return [void]
        def new_page
          @pixels = Hash.new(0)
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

        # @return [Hash] uid of a publisher => pixels of their images on the page
        attr_reader :pixels
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

      # @param html [String] of a publisher's file, which is safe
      # @param pixels [Integer] of its images
      # @return [String] the same where there is room for them, which are counted; else without them
      def with_images(html, pixels)
        Budget.shown
        all = Budget.pixels
        room = [Limits::PAGE_PIXELS - all.values.sum, Limits::PUBLISHER_PIXELS - all[@publisher]].min
        return html.gsub(IMAGE, NO_IMAGE) if pixels > room

        all[@publisher] += pixels
        html
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
