# frozen_string_literal: true

require_relative 'share_table'
require_relative 'viewer'

module MultiTenant
  class CLI
    # `multitenant list`
    class List < Viewer
      # @return [Integer] exit code
      def run
        receiver.ask
        ShareTable.new(receiver, out: $stdout, json: @options[:json]).print
        check_report
      end

      private

      def options(parser)
        records_options(parser)
        parser.on('--json', 'the same as JSON') { @options[:json] = true }
      end
    end
  end
end
