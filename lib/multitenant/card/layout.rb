# frozen_string_literal: true

require_relative 'limits'

module MultiTenant
  class Card
    # Text that a browser needs seconds for, and again with each poll: marks that pile up on one letter, lines that turn
    # around all the time, and those of languages that end words without a blank, where a dictionary is asked.
    module Layout
      PILED = /(?<=\p{M}{#{Limits::PILED}})\p{M}+/
      # What is written from right to left, and what turns the direction itself.
      RIGHT = '\u0590-\u08FF\u200E\u200F\u202A-\u202E\u2066-\u2069\uFB1D-\uFDFF\uFE70-\uFEFE' \
              '\u{10800}-\u{10FFF}\u{1E800}-\u{1EFFF}'
      TURN = /[#{RIGHT}&&[^\p{N}]][[^#{RIGHT}]&&[^\p{L}\p{N}]]*[\p{N}[\p{L}&&[^#{RIGHT}]]]/
      # Only from the begin of such a text on, or each of its letters would be tried.
      UNBROKEN = /(?<![\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}])[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]{#{Limits::UNBROKEN}}/

      module_function

      # @param text [String]
      # @param most [Integer]
      # @return [Boolean] it turns around more often
      def turns?(text, most)
        !text.ascii_only? && text.scan(TURN).size > most
      end

      # @param text [String] all that a block of HTML has
      # @return [Boolean]
      def heavy?(text)
        text.match?(PILED) || text.match?(UNBROKEN) || turns?(text, Limits::TURNS_BLOCK)
      end
    end
  end
end
