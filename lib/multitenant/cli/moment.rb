# frozen_string_literal: true

require 'date'

module MultiTenant
  class CLI
    # A time as people write it.
    module Moment
      FORMS = '2027-01-31, "2027-01-31 18:00", "+7 days" or seconds since the epoch'
      UNITS = { 'minute' => 60, 'hour' => 3600 }.freeze
      DAYS = { 'day' => 1, 'week' => 7 }.freeze
      DATE = /\A(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?\z/
      LATER = /\A\+\s*(\d{1,5})\s*(minute|hour|day|week)s?\z/i
      EPOCH = /\A@?(\d{9,12})\z/

      module_function

      # @param text [String]
      # @return [Time, nil] local; of a day alone its last second; nil: it is none
      def of(text)
        case text = text.strip
        when EPOCH then Time.at(text[EPOCH, 1].to_i)
        when LATER then later(text[LATER, 1].to_i, text[LATER, 2].downcase)
        when DATE then on(*Regexp.last_match.captures.map { |number| number&.to_i })
        end
      end

      # @return [String]
      def text(time)
        time.strftime('%a %-d %b %Y, %H:%M %Z')
      end

      # @param day [Date]
      # @return [Time]
      def end_of_day(day)
        Time.local(day.year, day.month, day.day, 23, 59, 59)
      end

      # Days are days of the calendar, also where clocks change.
      def later(count, unit)
        now = Time.now
        return now + (count * UNITS[unit]) if UNITS.key?(unit)

        day = Date.today + (count * DAYS[unit])
        Time.local(day.year, day.month, day.day, now.hour, now.min, now.sec)
      end

      def on(year, month, day, hour = nil, minute = nil, second = nil)
        return unless Date.valid_date?(year, month, day)
        return end_of_day(Date.new(year, month, day)) unless hour

        Time.local(year, month, day, hour, minute, second || 0) if hour < 24 && minute < 60 && second.to_i < 60
      end
    end
  end
end
