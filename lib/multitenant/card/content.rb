# frozen_string_literal: true

require_relative 'elements'
require_relative 'rendering'

module MultiTenant
  class Card
    # A file of the publisher's, as HTML: read as the viewer, each time it is shown.
    class Content
      include Elements

      LIMIT = 1 << 20
      FLAGS = File::RDONLY | File::NONBLOCK | File::NOCTTY

      # A sentence for the viewer.
      class Refused < StandardError; end

      # @param path [String] whatever was shared
      # @param owner [Integer, nil] uid of the publisher; nil: it is not known
      def initialize(path, owner:)
        @path = path
        @owner = owner
      end

      # @return [String] of one line
      def html
        text = read
        refuse('is empty: there is nothing to show yet.') if text.strip.empty?
        html = Rendering.of(text, @path)
        refuse('is being prepared: it is shown here in some seconds.') if html == :later
        refuse('is too intricate to be shown: ask who shared it for a simpler one.') if html == :never
        html
      rescue Refused => e
        "<p>#{text(e.message)}</p>"
      end

      private

      # @return [String]
      # @raise [Refused]
      def read
        unless @owner
          raise Refused, 'Whose file this is can\'t be told at this time, so it is not shown. It will be once Slurm ' \
                         'has told; if that takes more than some minutes, ask who shared it.'
        end

        refuse('is no path of a file: ask who shared it for another.') unless @path.match?(%r{\A/[^\0]*\z}m)
        File.open(@path, FLAGS) { |file| checked(file) }
      rescue Errno::ENOENT, Errno::ENOTDIR
        refuse('is not there any more, or not on this host: ask who shared it.')
      rescue Errno::EACCES, Errno::EPERM
        refuse('can\'t be read by you: ask who shared it to let the group read it, and enter the directories above it.')
      rescue SystemCallError => e
        refuse("can't be read (#{e.class.name.delete_prefix('Errno::')}): ask who shared it.")
      end

      def checked(file)
        stat = file.stat
        refuse('is not a file: ask who shared it to share one.') unless stat.file?
        unless [@owner, 0].include?(stat.uid)
          refuse('belongs to somebody else than who shared it, so it is not shown: ask for one of their own.')
        end
        bytes = file.read(LIMIT + 1).to_s
        refuse('has more than 1 MiB: ask who shared it for a smaller one.') if bytes.bytesize > LIMIT
        decoded(bytes)
      end

      def decoded(bytes)
        text = bytes.force_encoding(Encoding::UTF_8).delete_prefix("\uFEFF")
        return text.gsub(/\r\n?/, "\n") if text.valid_encoding? && !text.include?("\0")

        refuse('is not text in UTF-8: ask who shared it to save it so.')
      end

      def refuse(why)
        raise Refused, "The file #{@path} #{why}"
      end
    end
  end
end
