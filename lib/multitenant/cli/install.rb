# frozen_string_literal: true

require_relative '../installer'
require_relative 'command'

module MultiTenant
  class CLI
    # `multitenant install`; `multitenant uninstall` has other options
    class Install < Command
      # @return [Integer] exit code
      def run
        Installer.new(@options, out: $stdout).public_send(@name)
      end

      private

      def options(parser)
        InstallOptions.add_to(parser, @options)
      end
    end
  end
end
