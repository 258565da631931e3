# frozen_string_literal: true

require_relative 'owner'

module MultiTenant
  class CLI
    # `multitenant title`
    class Title < Owner
      WORDS = ['TEXT'].freeze

      private

      def options(parser)
        super
        parser.separator('TEXT: what tenants see it called; "" for what it is, in words.')
      end

      def change(state)
        title = @more.first.strip
        unless title.empty? || Native.title?(title)
          refuse("A title has 1 to #{Core::LIMITS[:app_chars]} characters, none of < > & \" ' ` \\ and none that " \
                 "can't be seen")
        end

        state['title'] = title
        puts "#{state.name} is called #{title.empty? ? 'what it is' : PlainText.of(title)} within ten seconds."
      end
    end
  end
end
