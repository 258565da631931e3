# frozen_string_literal: true

require 'securerandom'

module MultiTenant
  # Rows that a command prints of jobs: each field is followed by a mark that nobody could know when
  # they named their job, and each row by a newline. A job's name may hold newlines and everything else
  # that could pass for a row, so the text is split at the marks and nowhere else. doc/formats.md
  class MarkedRows
    # The text is not made of such rows.
    class Malformed < StandardError; end

    # @return [String] 128 random bits. Lower case and no digit at the beginning: squeue would take
    #   that for a part of a column's width.
    attr_reader :mark

    # @param columns [Hash{Symbol => Regexp}] the fields of a row, and what each has to be
    def initialize(columns, mark: "mt#{SecureRandom.hex(16)}")
      @columns = columns
      @mark = mark
    end

    # @param text [String] all that the command printed
    # @return [Array<Hash{Symbol => String}>] bytes
    # @raise [Malformed]
    def read(text)
      return [] if text.empty? || text == "\n"

      # With the last newline before the first row, every row begins with one.
      *fields, rest = "\n#{text.b}".split(mark.b, -1)
      raise Malformed unless rest == "\n" && (fields.size % @columns.size).zero?

      fields.each_slice(@columns.size).map do |first, *others|
        raise Malformed unless first.start_with?("\n")

        check([first.delete_prefix("\n"), *others])
      end
    end

    private

    def check(row)
      raise Malformed unless @columns.values.zip(row).all? { |form, field| field.match?(form) }

      @columns.keys.zip(row).to_h
    end
  end
end
