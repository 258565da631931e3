# frozen_string_literal: true

require_relative 'install'

module MultiTenant
  class CLI
    # `multitenant uninstall`
    class Uninstall < Install
      private

      def options(parser)
        parser.on('--dry-run', 'change nothing, only say what would be done') { @options[:dry_run] = true }
        parser.on('--root DIR', 'work below this directory, for packages') { |v| @options[:root] = v }
      end
    end
  end
end
