# frozen_string_literal: true

require_relative '../doctor'
require_relative 'command'

module MultiTenant
  class CLI
    # `multitenant doctor`
    class Doctor < Command
      # @return [Integer] exit code
      def run
        MultiTenant::Doctor.new(env: ENV.to_h, json: @options[:json]).run
      end

      private

      def options(parser)
        parser.on('--json', 'the same as JSON') { @options[:json] = true }
      end
    end
  end
end
