# frozen_string_literal: true

module MultiTenant
  class CLI
    # One command: options in, exit code out. A subclass has `options(parser)`, which fills @options,
    # and `run`; with words that are no options `take(words)`, too.
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
        parse(parser, argv)
        take(argv)
        run
      rescue OptionParser::ParseError => e
        refuse(e.message)
      end

      private

      # Also where POSIXLY_CORRECT is set. OptionParser matches patterns, which bytes that are no text can't be.
      def parse(parser, argv)
        parser.permute!(argv)
      rescue ArgumentError => e
        refuse("its arguments must be text (#{e.message})")
      end

      # What is no option.
      # @param words [Array<String>]
      # @raise [Failure] where that makes no sense
      def take(words)
        refuse("multitenant #{@name} takes no argument `#{words.first}`") if words.any?
      end

      def refuse(sentence)
        raise Failure.usage("multitenant #{@name}", sentence)
      end
    end
  end
end
