# frozen_string_literal: true

require_relative 'gate'

module MultiTenant
  class CLI
    # `multitenant unban`
    class Unban < Gate
      WORDS = ['USER'].freeze

      private

      def change(gate)
        user = PlainText.of(@more.first)
        was = gate.unban(uid(@more.first))
        say(gate, was ? "#{user} is let into #{gate.name} again" : "#{user} is not banned from #{gate.name}")
      end
    end
  end
end
