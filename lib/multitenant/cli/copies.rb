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
      end
    end
  end
end
