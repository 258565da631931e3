# frozen_string_literal: true

require_relative 'limits'

module MultiTenant
  class Card
    # How much of what was shared one card may show: a page asks for all of it every ten seconds.
    class Budget
      # As parsers write one that {Scrubber} let stay. Its description goes, too: in it a < may stand as it is.
      IMAGE = %r{<img(?:\s+[a-z]+=(?:"[^"]*"|'[^']*'))*\s*/?>}
      NO_IMAGE = '(An image is not shown: those of a page may have 64 megapixels, and half of them of who shared it.)'

      # What a page has of bytes, say. Who wanted no more than an equal part of it on the last page has that for sure:
      # else those whose jobs are the youngest, who come first, would leave others nothing.
      class Room
        # @param all [Integer] of all publishers
        # @param most [Integer] of one
        # @param last [Room, nil] of the last page
        def initialize(all, most, last)
          @all = @left = all
          @most = most
          @had, @wanted = Array.new(2) { Hash.new(0) }
          @sure = last ? last.modest : {}
          @kept = @sure.values.sum
        end

        # @return [Hash{Integer => Integer}] who wants no more than an equal part of what others leave, and how much
        def modest
          return @sure if @wanted.empty?

          left = @all
          wants = @wanted.transform_values { |one| [one, @most].min }.sort_by(&:last)
          modest = wants.each_with_index.take_while do |(_, one), i|
            enough = one <= left / (wants.size - i)
            left -= one if enough
            enough
          end
          modest.to_h(&:first)
        end

        # @return [Boolean]
        def wanted?
          @wanted.any?
        end

        # @return [Integer] what there is for a publisher, who has that little in any case
        def left(publisher, least = 0)
          sure = kept(publisher)
          [@most - @had[publisher], [@left - (@kept - sure), sure, least - @had[publisher]].max].min
        end

        # What there is no room for is wanted all the same.
        # @return [void]
        def want(publisher, amount)
          @wanted[publisher] += amount
        end

        # @return [void]
        def take(publisher, amount)
          @kept -= [amount, kept(publisher)].min
          @left -= amount
          @had[publisher] += amount
        end

        private

        def kept(publisher)
          [@sure.fetch(publisher, 0) - @had[publisher], 0].max
        end
      end

      # The rooms of a page: for bytes, for pixels, and for what browsers need ({Scrubber#cost}).
      Page = Struct.new(:bytes, :pixels, :costs)

      class << self
        # OOD lists the sessions.
        # @return [void]
        def new_page
          @count = count + 1 if @page&.bytes&.wanted?
          @page = Page.new(Room.new(Limits::PAGE, Limits::PUBLISHER, @page&.bytes),
                           Room.new(Limits::PAGE_PIXELS, Limits::PUBLISHER_PIXELS, @page&.pixels),
                           Room.new(Limits::PAGE_COST, Limits::PUBLISHER_COST, @page&.costs))
        end

        # @return [Integer] pages before this one that showed something
        def count
          @count.to_i
        end

        # A site may have its pages ask less often than Open OnDemand does by itself.
        # @param at [Float] on the clock
        # @param page [Integer] {count} of then
        # @return [Boolean] nobody has asked for that for a while, nor on the page before this one
        def forgotten?(at, page)
          at < MultiTenant.clock - (2 * Limits::POLL) && page < count - 1
        end

        # A page that OOD's list did not announce begins after a pause.
        # @return [Page]
        def page
          now = MultiTenant.clock
          new_page unless @last && now - @last < Limits::POLL / 2
          @last = now
          @page
        end
      end

      # @param publisher [Integer, nil] uid; nil: it is not known
      def initialize(publisher)
        @publisher = publisher
        @card = @wanted = 0
      end

      # A little of each publisher is shown whatever others share.
      # @param most [Integer] that the card may show
      # @return [Integer] bytes
      def left(most)
        [most - @card, Budget.page.bytes.left(@publisher, Limits::FIRST)].min
      end

      # @param bytes [Integer] that would be shown if there were room, or may be
      # @param most [Integer] that the card may show
      # @return [void]
      def want(bytes, most: Limits::CARD)
        more = [bytes, most - @wanted].min.clamp(0..)
        @wanted += more
        Budget.page.bytes.want(@publisher, more)
      end

      # @param html [String] of a publisher's file, which is safe
      # @param pixels [Integer] of its images
      # @return [String] the same where there is room for them, which are counted; else without them
      def with_images(html, pixels)
        room = Budget.page.pixels
        room.want(@publisher, pixels)
        return html.gsub(IMAGE, NO_IMAGE) if pixels > room.left(@publisher)

        room.take(@publisher, pixels)
        html
      end

      # @param html [String]
      # @param most [Integer] that the card may show
      # @param cost [Integer] see {Scrubber#cost}
      # @return [String, nil] the same, which is counted; nil: there is no room
      def take(html, most: Limits::CARD, cost: 0)
        want(html.bytesize, most: most)
        page = Budget.page
        page.costs.want(@publisher, cost)
        return if html.bytesize > left(most) || cost > page.costs.left(@publisher)

        @card += html.bytesize
        page.bytes.take(@publisher, html.bytesize)
        page.costs.take(@publisher, cost)
        html
      end
    end
  end
end
