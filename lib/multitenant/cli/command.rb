# frozen_string_literal: true

module MultiTenant
  class CLI
    # One command: options in, exit code out. A subclass has `options(parser)`, which fills @options,
    # and `run`.
    class Command
      # @param name [String]
      # @param does [String] in a few words
      def initialize(name, does)
        @name = name
        @does = does
        @options = {}
      end

      # @param argv [Array<String>]
      # @return [Integer] exit code
      def call(argv)
        parser = OptionParser.new
        parser.banner = "Usage: multitenant #{@name} [options]: #{@does}"
        options(parser)
        parser.on('-h', '--help', 'print this') { return puts(parser.help) || EX_OK }
        parser.parse!(argv)
        raise Failure.new(EX_USAGE, "multitenant #{@name} takes no argument `#{argv.first}`.") if argv.any?

        run
      end
    end
  end
end
