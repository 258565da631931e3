# frozen_string_literal: true

require_relative 'gate'

module MultiTenant
  class CLI
    # `multitenant ban`
    class Ban < Gate
      WORDS = ['USER'].freeze

      private

      def change(gate)
        start = Time.now.to_i
        gate.ban(uid(@more.first))
        acting = say(gate, "#{PlainText.of(@more.first)} is banned from #{gate.name}")
        return if acting.none? { |member| gate.not_cut?(member, start) }

        puts 'An answer that they are getting already goes on to its end, which their node has no way to cut, or ' \
             'until gate_stream_max of site.yml is over.'
      end
    end
  end
end
