# frozen_string_literal: true

require 'io/console'
require_relative 'plain_text'

module MultiTenant
  # Rows of texts under headings, as wide as the terminal.
  class Table
    GAP = '  '

    # Columns that a text of a publisher's takes at most.
    WIDEST = 48

    # @param headings [Array<String>]
    # @param out [IO]
    def initialize(headings, out)
      @headings = headings
      @out = out
    end

    # @param rows [Array<Array<String>>] fit for a terminal
    # @return [void]
    def print(rows)
      rows = [@headings, *rows]
      limit = columns
      widths = fit(@headings.each_index.map { |i| rows.map { |row| row[i].size }.max }, limit)
      rows.each do |row|
        line = row.zip(widths).map { |text, width| PlainText.cut(text, width).ljust(width) }.join(GAP).rstrip
        @out.puts limit ? PlainText.cut(line, limit) : line
      end
    end

    # @param epoch [Integer] when it ends; 0: no limit
    # @param now [Integer]
    # @return [String]
    def self.time_left(epoch, now)
      return 'no limit' if epoch.zero?

      minutes = (epoch - now) / 60
      return 'over' if minutes.negative?

      days, rest = minutes.divmod(24 * 60)
      "#{"#{days}-" if days.positive?}#{format('%02d:%02d', *rest.divmod(60))}"
    end

    # @param bytes [Integer]
    # @return [String]
    def self.size(bytes)
      unit = %w[B kB MB GB TB].each_with_index.find { |_, i| bytes < 1000**(i + 1) || i == 4 }
      unit[1].zero? ? "#{bytes} B" : format('%.1f %s', bytes.fdiv(1000**unit[1]), unit[0])
    end

    private

    # @return [Integer, nil] of a terminal; nil: no limit
    def columns
      width = @out.winsize[1] if @out.tty?
      width if width&.positive?
    rescue SystemCallError, NoMethodError
      nil
    end

    # Takes from the widest column, never below its heading; what is still too long is cut.
    def fit(widths, limit)
      over = limit ? widths.sum + (GAP.size * (widths.size - 1)) - limit : 0
      over.times do
        loose = widths.each_index.select { |i| widths[i] > @headings[i].size }
        break if loose.empty?

        widths[loose.max_by { |i| widths[i] }] -= 1
      end
      widths
    end
  end
end
