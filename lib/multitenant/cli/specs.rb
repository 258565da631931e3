# frozen_string_literal: true

require 'json'
require_relative 'viewer'

module MultiTenant
  class CLI
    # `multitenant specs`
    class Specs < Viewer
      # @return [Integer] exit code
      def run
        receiver.ask
        if @options[:explain]
          explain
        elsif receiver.report['at']
          puts receiver.specs.empty? ? '{}' : JSON.pretty_generate(receiver.specs)
        end
        check_report
      end

      private

      def options(parser)
        records_options(parser)
        parser.on('--explain', 'a line per job: JOBID, specs code, card code, sentence') { @options[:explain] = true }
      end

      def explain
        receiver.shares.each do |share|
          reason = share[:specs] == 'ok' ? share[:card] : share[:specs]
          puts [*share.values_at(:key, :specs, :card), Native.reasons.fetch(reason).first].join("\t")
        end
      end
    end
  end
end
