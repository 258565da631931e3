# frozen_string_literal: true

require_relative '../../multitenant'
require_relative '../node_kit'
require_relative 'command'

module MultiTenant
  class CLI
    # `multitenant node-kit`
    class NodeKit < Command
      # @return [Integer] exit code
      def run
        kit = MultiTenant::NodeKit.new(@dir)
        kit.write
        puts "written #{kit.dir}: the programs that compute nodes need, for #{kit.system}. #{kit.dir}/README.md says " \
             'how nodes get them.'
        EX_OK
      end

      private

      def options(parser)
        parser.banner = "Usage: multitenant #{@name} DIR: #{@does}\n" \
                        'DIR: is made, or is a kit already, which gets the files of this release.'
      end

      def take(words)
        @dir, more = words
        refuse("multitenant node-kit takes a directory#{", and no `#{more}`" if more}") if @dir.nil? || more
      end
    end
  end
end
