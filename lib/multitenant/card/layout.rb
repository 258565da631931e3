# frozen_string_literal: true

require_relative 'limits'

module MultiTenant
  class Card
    # Text that a browser needs seconds for, and again with each poll. For most writing it needs as much time as there
    # are letters. For some it looks at a whole block anew for each: for marks that pile up on one, turns between left
    # and right, brackets beside these, letters that are joined, and those of languages that end words without a blank.
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
      # Latin, Greek, Cyrillic, ideographs, symbols: what takes no longer in a long block than in many short ones.
      SIMPLE = '\u0000-\u02FF\u0370-\u0482\u048A-\u0588\u1E00-\u200A\u2010-\u2029\u2030-\u205F\u2070-\u20CF' \
               '\u2100-\u2BFF\u2E80-\u3029\u3030-\u3098\u309B-\uA4CF\uAC00-\uD7A3\uF900-\uFB06\uFF00-\uFFEF' \
               '\u{1D400}-\u{1D7FF}\u{1F000}-\u{1FAFF}\u{20000}-\u{3FFFF}'
      COMPLEX = /[^#{SIMPLE}]/
      # Where anything is written from right to left.
      COMPLEX_BESIDE = /[^#{SIMPLE}]|\p{Ps}|\p{N}+/
      # Languages whose words a browser finds in a dictionary.
      IN_DICTIONARIES = /[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]/
      # At each line a browser looks at all pieces of a block that are each in one script and from one font. Letters
      # that most fonts have are from one with signs and blanks of ASCII; those of other scripts from one with wide
      # signs. Any other letter or sign may be from a font of its own. (Ruby needs memory for each of a piece.)
      SIGNS = '\u0000-\u0040\u005B-\u0060\u007B-\u00BF\u2000-\u2022\u2026-\u2033\u2039\u203A'
      WIDE = '\u3000-\u303F\u30FB\u30FC\uFF01-\uFF20\uFF3B-\uFF40\uFF5B-\uFF65'
      ALPHABETS = ['A-Za-z\u00C0-\u017F\u01A0\u01A1\u01AF\u01B0\u0218-\u021B\u1EA0-\u1EF9', '\u0386-\u03CE',
                   '\u0400-\u045F\u0490-\u04FF'].freeze
      OTHERS = ['\u0531-\u0587', '\u3041-\u3096', '\u30A1-\u30FA', '\uAC00-\uD7A3', '\u4E00-\u9FFF'].freeze
      PIECES = [*ALPHABETS.map { |one| one + SIGNS }, *OTHERS.map { |one| one + WIDE }, "^#{SIMPLE}"]
               .then { |all| Regexp.new("#{all.map { |one| "[#{one}]{1,9999}" }.join('|')}|.", Regexp::MULTILINE) }
      BLOCKS = /.{0,#{Limits::BLOCK - 1}}\n|.{1,#{Limits::BLOCK}}/m

      module_function

      # @param text [String]
      # @return [Boolean] it turns around more often than a value may; numbers alone cost less than other words
      def turns?(text)
        return false unless !text.ascii_only? && text.match?(TURNING)

        text.scan(TURN).size + (text.scan(/\p{N}+/).size / 4) > Limits::TURNS
      end

      # @param text [String]
      # @return [Array<String>] what is laid out in blocks of its own: all of it, or, where that may take long, parts of
      #   some lines
      def blocks(text)
        text.size > Limits::BLOCK && text.match?(COMPLEX) ? text.scan(BLOCKS) : [text]
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
      # @return [Numeric] see Limits::WEIGHT; of marks that pile up without an end
      def weight(texts)
        return Float::INFINITY if texts.any? { |text| text.match?(PILED) }

        complex = texts.any? { |text| text.match?(TURNING) } ? COMPLEX_BESIDE : COMPLEX
        texts.sum { |text| text.size * text.scan(complex).size }
      end

      # @param texts [Array<String>] all that each block of HTML has
      # @return [Integer] see Limits::WORDS
      def words(texts)
        texts.grep(IN_DICTIONARIES).sum do |text|
          text.split(/[\s\u200B]+/).sum { |part| part.size * part.scan(IN_DICTIONARIES).size }
        end
      end

      # @param texts [Array<String>] all that each block of HTML has
      # @return [Integer] see Limits::WEIGHT; of pieces in one script between two ends of lines
      def pieces(texts)
        texts.sum { |text| text.lines.sum { |line| line.size * line.scan(PIECES).size } }
      end
    end
  end
end
