# frozen_string_literal: true

require_relative 'plain_text'
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
          print_json(receiver.specs)
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
          sentence = [Native.reasons.fetch(reason).first, *no_button(share)].join(' ')
          puts [PlainText.of(share[:key]), *share.values_at(:specs, :card), sentence].join("\t")
        end
      end

      # @return [String, nil] why no button leads to the share's host
      def no_button(share)
        return if share[:specs] != 'ok' || share[:host].nil? || share[:own_host]
        return 'No button leads to its host, as the nodes of its job are not known.' if share[:own_host].nil?

        'No button leads to its host, which is none of its job\'s (MULTITENANT_NODE_DOMAINS).'
      end
    end
  end
end
