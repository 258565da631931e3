# frozen_string_literal: true

require_relative '../doctor'
require_relative 'command'

module MultiTenant
  class CLI
    # `multitenant doctor`
    class Doctor < Command
      # @return [Integer] exit code
      def run
        MultiTenant::Doctor.new(env: ENV.to_h, **@options).run
      end

      private

      def options(parser)
        parser.on('--json', 'the same as JSON') { @options[:json] = true }
        parser.on('--node', 'also what a compute node can do, by a job of this user\'s') { @options[:node] = true }
        parser.on('--tunnel', 'only the tunnel to a front end elsewhere') do
          @options[:themes] = [MultiTenant::Doctor::Tunnel]
        end
      end
    end
  end
end
