# frozen_string_literal: true

require_relative 'owner'

module MultiTenant
  class CLI
    # `multitenant copies`
    class Copies < Owner
      WORDS = ['N'].freeze
      # As site.yml takes it.
      MOST = 99

      private

      def options(parser)
        super
        parser.separator('N: how many jobs serve it side by side.')
      end

      def change(state)
        site = site(state)
        most = site.empty? ? MOST : [site['copies_max'].to_i, 1].max
        count = Integer(@more.first, 10, exception: false).to_i
        refuse("#{state.name} can have 1 to #{most} copies, not `#{@more.first}`") unless count.between?(1, most)

        state['copies'] = count
        puts "#{state.name} has #{count == 1 ? '1 copy' : "#{count} copies"}: jobs start or end one after the other."
        say_what_ended(state, count, most)
      end

      # One of a higher number that runs goes on in the place of one that has ended.
      def say_what_ended(state, count, most)
        chains = state.chains
        ended = chains.select(&:ended).map(&:number)
        numbers = chains.map(&:number)
        left = (((1..count).to_a | numbers) - ended).size
        return unless left < count

        needed = ((1..).lazy.reject { |number| ended.include?(number) }.first(count) - numbers).max
        other = needed > most ? 'start the service anew' : "`multitenant copies #{state.word} #{needed}`"
        puts "Copies that have ended do not come back, so #{left} of these serve: to have #{count}, #{other}."
      end
    end
  end
end
