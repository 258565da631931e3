# frozen_string_literal: true

require_relative 'elements'
require_relative 'limits'
require_relative 'rendering'
require_relative 'turn'

module MultiTenant
  class Card
    # A publisher's file as HTML, read with the viewer's rights.
    class Content
      include Elements

      MARKDOWN = /\.(?:md|markdown)\z/i
      HTML = /\.html?\z/i
      FLAGS = File::RDONLY | File::NONBLOCK | File::NOCTTY

      # A sentence for the viewer.
      class Refused < StandardError; end

      # @return [String] whatever was shared
      attr_reader :path
      # @return [Integer, nil] uid of the publisher; nil: it is not known
      attr_reader :owner

      def initialize(path, owner:)
        @path = path
        @owner = owner
      end

      # The path is not opened here: the file system that it leads to may hang.
      # @return [Array(String, Integer, Integer)] HTML of one line, the pixels of its images, and {Scrubber#cost}
      def page
        why = refusal
        why ? [why, 0, 0] : Rendering.of(self)
      end

      # Called in a child of the dashboard's process.
      # @param stamp [String, nil] of the file when it was rendered last
      # @yield [String] once it is read: its text
      # @return [Array(String, String)] its stamp (nil: none), and what the block gives or a sentence; nil where
      #   nothing has changed
      def read(stamp, &block)
        File.open(@path, FLAGS) do |file|
          stat = file.stat
          now = [stat.dev, stat.ino, stat.size, stat.uid, *[stat.mtime, stat.ctime].map(&:to_r)].join(' ')
          [now, (block.call(text_of(file, stat)) unless now == stamp)]
        end
      rescue Refused => e
        [nil, of_file(e.message)]
      rescue SystemCallError => e
        [nil, of_file(why(e))]
      end

      # @param text [String] all of it
      # @param rendered [Boolean] as a page, where it is one that is not too large
      # @return [Array(String, String), nil] what is to be made safe: `page` and HTML of anybody's, `text` and text,
      #   `beginning` and as much of it as is shown; nil: it is others' turn
      def source(text, rendered:)
        if rendered && markup? && text.bytesize <= Limits::SOURCE
          html = html_of(text) or return
          return ['page', html] if html.bytesize <= Limits::FILE_HTML && html.count('<') <= Limits::TAGS
        elsif !markup? && text.bytesize <= Limits::TEXT
          return ['text', text]
        end
        ['beginning', text.byteslice(0, Limits::TEXT).scrub('')]
      end

      # @param kind [String] as {source} gives it
      # @param html [String] that is safe
      # @return [String] one line, which Markdown leaves as it is
      def shown(kind, html)
        html = html.gsub(/[\t\r\n]/) { |character| "&##{character.ord};" }
        return of_page(html) if kind == 'page'

        lines = pre(html)
        return lines if kind == 'text'

        why = markup? ? 'is too long or too intricate to be shown as a page' : 'is too long to be shown'
        "<div>#{of_file("#{why}. This is its text, or the beginning of it:")}#{lines}</div>"
      end

      # @return [String] HTML of a sentence about it
      def of_file(sentence)
        says("The file #{@path[0, Limits::PATH]} #{sentence}")
      end

      private

      # Browsers leave out what is in a <bdi>.
      def of_page(html)
        within = 0
        outside = html.split(%r{(?=</?bdi\b)}).select do |part|
          within += { '<bdi' => 1, '</bd' => -1 }.fetch(part[0, 4], 0)
          within.zero?
        end
        direction = Layout.direction(outside.join.gsub(/<[^<>]*>|&#?\w+;/, ''))
        "<div class=\"overflow-auto\" dir=\"#{direction}\" tabindex=\"0\">#{html}</div>"
      end

      def refusal
        unless @owner
          return says('Whose file this is can\'t be told at this time, so it is not shown. It will be once Slurm ' \
                      'has told; if that takes more than some minutes, ask who shared it.')
        end
        of_file('is no path of a file: ask who shared it for another.') unless @path.match?(%r{\A/[^\0]*\z}m)
      end

      def markup?
        @path.match?(MARKDOWN) || @path.match?(HTML)
      end

      def says(sentence)
        "<p>#{text(sentence)}</p>"
      end

      def html_of(text)
        return text if @path.match?(HTML)

        OodAppkit.markdown.render(text) if (@turn = Turn.take)
      end

      def why(error)
        case error
        when Errno::ENOENT, Errno::ENOTDIR then 'is not there any more, or not on this host: ask who shared it.'
        when Errno::EACCES, Errno::EPERM
          'can\'t be read by you: ask who shared it to let the group read it, and enter the directories above it.'
        else "can't be read (#{error.class.name.delete_prefix('Errno::')}): ask who shared it."
        end
      end

      def text_of(file, stat)
        raise Refused, 'is not a file: ask who shared it to share one.' unless stat.file?
        unless [@owner, 0].include?(stat.uid)
          raise Refused,
                'belongs to somebody else than who shared it, so it is not shown: ask for one of their own.'
        end

        bytes = file.read(Limits::FILE + 1).to_s
        raise Refused, 'has more than 1 MiB: ask who shared it for a smaller one.' if bytes.bytesize > Limits::FILE

        decoded(bytes)
      end

      def decoded(bytes)
        text = bytes.force_encoding(Encoding::UTF_8).delete_prefix("\uFEFF")
        unless text.valid_encoding? && !text.include?("\0")
          raise Refused, 'is not text in UTF-8: ask who shared it to save it so.'
        end
        raise Refused, 'is empty: there is nothing to show yet.' if text.strip.empty?

        text.gsub(/\r\n?/, "\n")
      end
    end
  end
end
