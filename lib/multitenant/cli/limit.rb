# frozen_string_literal: true

require_relative 'gate'

module MultiTenant
  class CLI
    # `multitenant limit`
    class Limit < Gate
      WORDS = ['[USER]', 'RATE'].freeze
      MOST = 1_000_000
      DATABASE = 'Of databases, MariaDB goes by it from a tenant\'s next login on, in queries an hour, 60 times as ' \
                 'many; PostgreSQL counts none.'

      private

      def options(parser)
        super
        parser.separator('RATE: requests a minute; 0 is any number, and "default" what holds for all, or is the ' \
                         "site's.\nWithout USER it is about each of them.\n#{DATABASE}")
      end

      def change(gate)
        *user, told = @more
        rate = Integer(told, 10, exception: false) unless told == 'default'
        refuse("RATE is 0 to #{MOST}, or default, not `#{told}`") unless told == 'default' || rate&.between?(0, MOST)

        gate.limit(user.empty? ? GateState::ALL : uid(user.first), rate)
        say(gate, "#{user.empty? ? 'Each tenant' : PlainText.of(user.first)} has #{words(rate)} in #{gate.name}")
        puts DATABASE if states.first&.app == 'multitenant-database'
      end

      def words(rate)
        case rate
        when nil then 'no limit of their own'
        when 0 then 'no limit'
        when 1 then '1 request a minute'
        else "#{rate} requests a minute"
        end
      end
    end
  end
end
