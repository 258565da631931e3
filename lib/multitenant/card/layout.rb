# frozen_string_literal: true

require_relative 'limits'

module MultiTenant
  class Card
    # Text that a browser needs seconds for, and again with each poll: marks that pile up on one letter, lines that turn
    # around all the time, and those of languages that end words without a blank, where a dictionary is asked.
    module Layout
      PILED = /(?<=\p{M}{#{Limits::PILED}})\p{M}+/
      # What is written from right to left; marks of direction, each of which turns; and what stands between two words
      # without a direction of its own. All else is from left to right, letter or not, as a number is in a line of the
      # others.
      RIGHT = '\u0590-\u061B\u061D-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFE\u{10800}-\u{10FFF}\u{1E800}-\u{1EFFF}'
      MARKS = '\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069'
      BETWEEN = '\u0000-/:-@\[-`{-\u00A9\u00AB-\u00B1\u00B4\u00B6-\u00B8\u00BB\u00BF' \
                '\u2000-\u200D\u2010-\u2029\u202F-\u2065\u3000\uFEFF'
      TURN = /[#{MARKS}]|[#{RIGHT}&&[^\p{N}\p{M}]](?>[#{BETWEEN}\p{Mn}]*)(?:\p{N}|[^#{RIGHT}#{MARKS}#{BETWEEN}])/
      TURNING = /[#{RIGHT}#{MARKS}]/
      # Where the first of these is of the others, text begins at the right.
      STRONG = /[\p{L}\u061C\u200E\u200F]/
      FROM_RIGHT = /[#{RIGHT}\u061C\u200F]/
      # Also letters that are joined, which are shaped anew for each line.
      LONG = '[\p{Arabic}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]'
      # Only from the begin of such a text on, or each of its letters would be tried.
      UNBROKEN = /(?<!#{LONG})#{LONG}{#{Limits::UNBROKEN}}/

      module_function

      # @param text [String]
      # @param most [Integer]
      # @param beside [Boolean] something around it is written from right to left
      # @return [Boolean] it turns around more often; numbers alone cost less than other words
      def turns?(text, most, beside: false)
        return false unless beside || (!text.ascii_only? && text.match?(TURNING))

        text.scan(TURN).size + (text.scan(/\p{N}+/).size / 4) > most
      end

      # @param text [String]
      # @return [String] the value of `dir` that a browser finds for `auto`. Left to that, it looks for the first letter
      #   anew with each element that it reads, from the beginning on.
      def direction(text)
        text[STRONG]&.match?(FROM_RIGHT) ? 'rtl' : 'ltr'
      end

      # @param rows [Array<Array>] of a table: of each cell, how many columns and rows it spans
      # @param columns [Integer] that are named beside them
      # @return [Integer] rows times columns
      def crossings(rows, columns)
        width = 0
        changes = Hash.new(0)
        widths = rows.each_with_index.map do |cells, row|
          cells.each { |wide, high| changes[row + high] -= wide }
          width += changes[row] + cells.sum(&:first)
        end
        rows.size * [columns, *widths].max
      end

      # @param texts [Array<String>] all that each block of HTML has
      # @return [Boolean]
      def heavy?(texts)
        beside = texts.any? { |text| text.match?(TURNING) }
        texts.any? do |text|
          text.match?(PILED) || text.match?(UNBROKEN) || turns?(text, Limits::TURNS_BLOCK, beside: beside)
        end
      end
    end
  end
end
