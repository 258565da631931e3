# frozen_string_literal: true

module MultiTenant
  # Texts of other people, fit for a terminal. A character that could move the cursor, be invisible, change the
  # direction of writing or take more than one column is shown by its number; letters of Latin scripts stay.
  module PlainText
    PLAIN = /[ -~\u00a1-\u00ac\u00ae-\u024f]/
    CUT = '…'

    module_function

    # @param text [#to_s]
    # @param limit [Integer, nil] columns
    # @return [String] one line, as many columns wide as it has characters
    def of(text, limit = nil)
      shown = utf8(text.to_s).each_char.map { |char| char.match?(PLAIN) ? char : format('\u%04x', char.ord) }.join
      limit ? cut(shown, limit) : shown
    end

    # @param text [String] JSON
    # @return [String] the same in ASCII
    def json(text)
      utf8(text).gsub(/[^\n -~]/) do |char|
        char.encode('UTF-16BE').unpack('n*').map { |unit| format('\u%04x', unit) }.join
      end
    end

    # @return [String]
    def utf8(text)
      text.dup.force_encoding(Encoding::UTF_8).scrub('?')
    end

    # @return [String]
    def cut(text, limit)
      text.size <= limit ? text : "#{text[0, [limit - 1, 0].max]}#{CUT}"[0, limit]
    end
  end
end
