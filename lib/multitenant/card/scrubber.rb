# frozen_string_literal: true

require 'rails-html-sanitizer'
require 'set'
require_relative 'budget'
require_relative 'image_size'
require_relative 'layout'
require_relative 'limits'

module MultiTenant
  class Card
    # What of a publisher's HTML may stand in a page of the dashboard's: structure, tables, code, links
    # that open elsewhere, and images that are in the text itself.
    class Scrubber < Rails::Html::PermitScrubber
      TAGS = %w[
        a abbr article aside b bdi bdo blockquote br caption cite code col colgroup dd del details dfn div dl dt em
        figcaption figure h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q rp rt ruby s samp section small span
        strong sub summary sup table tbody td tfoot th thead tr u ul var wbr
      ].to_set.freeze
      # They go with what is in them; of others, that stays.
      GONE = %w[
        applet audio base button canvas datalist dialog embed form frame frameset head iframe input link map math meta
        noembed noframes noscript object optgroup option plaintext script select style svg template textarea title
        video xmp
      ].to_set.freeze
      # What text is laid out in; what is within a line is no end of one.
      BLOCKS = %w[
        article aside blockquote caption dd details div dl dt figcaption figure h1 h2 h3 h4 h5 h6 li ol p pre section
        summary table tbody td tfoot th thead tr ul
      ].to_set.freeze
      # Browsers leave these out where there is no table, as some parsers do not.
      OF_TABLES = %w[caption tbody td tfoot th thead tr].to_set.freeze
      # What is in these beside captions and cells, as some parsers leave it, browsers draw before the table, all of it
      # in one line.
      BESIDE_CELLS = %w[table tbody tfoot thead tr].to_set.freeze
      # The page's own headings stand above these.
      LOWER = { 'h1' => 'h3', 'h2' => 'h4', 'h3' => 'h5', 'h4' => 'h6', 'h5' => 'h6' }.freeze
      ATTRIBUTES = {
        'a' => { 'href' => %r{\Ahttps?://[A-Za-z0-9._\-\[\]:]+(?:[/?#][^\s"'<>\\`]*)?\z}i },
        'img' => { 'src' => %r{\Adata:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+=*\z}, 'alt' => // },
        'ol' => { 'start' => /\A\d{1,6}\z/ },
        'td' => { 'colspan' => /\A[1-9]\d?\z/, 'rowspan' => /\A[1-9]\d{0,2}\z/ },
        'th' => { 'colspan' => /\A[1-9]\d?\z/, 'rowspan' => /\A[1-9]\d{0,2}\z/, 'scope' => /\A(?:row|col)(?:group)?\z/ }
      }.freeze
      ADDED = {
        'a' => { 'rel' => 'noopener noreferrer nofollow', 'target' => '_blank' },
        'img' => { 'alt' => '' },
        'table' => { 'class' => 'table table-sm' },
        'td' => { 'class' => 'bg-transparent' },
        'pre' => { 'class' => 'bg-light text-dark p-2 rounded', 'tabindex' => '0' }
      }.freeze

      # @param html [String] of anybody's
      # @return [Array(String, Integer, Integer)] what is safe of it, the pixels of its images, and {#cost}
      def self.sanitize(html)
        ours = Rails::Html::Sanitizer
        ours = ours.best_supported_vendor if ours.respond_to?(:best_supported_vendor)
        scrubber = new
        [ours.safe_list_sanitizer.new.sanitize(html, scrubber: scrubber), scrubber.pixels, scrubber.cost]
      end

      # Its rows, each with its cells as Layout.crossings takes them, and the columns that are named beside them.
      Table = Struct.new(:rows, :columns)
      private_constant :Table

      # @return [Integer] of all images that stayed
      attr_reader :pixels

      def initialize
        super
        self.tags = TAGS
        @pixels = 0
        @ruby = 0
        @boxes = 0
        @texts = Hash.new { |hash, block| hash[block] = +'' }
        @tables = Hash.new { |hash, table| hash[table] = Table.new(Hash.new { |rows, row| rows[row] = [] }, 0) }
      end

      # @return [Integer, nil] how long a browser needs for it, in thousandths of what one bound lets it; nil: it is
      #   beyond one
      def cost
        crossings = @tables.each_value.sum { |table| Layout.crossings(table.rows.values, table.columns) }
        costs = [[crossings, Limits::CROSSINGS], [@ruby, Limits::RUBY], [@boxes, Limits::BOXES],
                 [Layout.weight(@texts.values), Limits::WEIGHT],
                 [Layout.pieces(@texts.values), Limits::WEIGHT],
                 [Layout.words(@texts.values), Limits::WORDS]]
        costs.sum { |has, most| has * 1000 / most } if costs.all? { |has, most| has <= most }
      end

      def scrub(node)
        return super unless node.text? && !node.cdata?

        count(node, node.content)
        CONTINUE
      end

      protected

      # Text that a browser may lay out where the node is; outside of `<pre>` blanks are one, and lines end at `<br>`.
      def count(node, text)
        text = text.tr("\n\t", ' ').squeeze(' ') unless node.name == 'br' || around(node, %w[pre])
        @texts[block_of(node)&.pointer_id] << text
        @ruby += text.size if around(node, %w[ruby])
        @boxes += text.size * [depth(node) - 1, 0].max
      end

      # @param names [#include?]
      # @return [Node, nil] the nearest of these
      def around(node, names)
        node = node.parent
        node = node.parent until node.nil? || names.include?(node.name)
        node
      end

      def block?(node)
        BLOCKS.include?(node.name) && !(OF_TABLES.include?(node.name) && around(node, %w[table]).nil?)
      end

      # @return [Boolean] its text is laid out in it alone
      def line?(node)
        BLOCKS.include?(node.name) && !BESIDE_CELLS.include?(node.name) && allowed_node?(node)
      end

      # @return [Boolean] what stands before and after it are lines of their own
      def between_lines?(node)
        line?(node) && !OF_TABLES.include?(node.name) && depth(node).zero?
      end

      # @return [Node, nil] what its line is laid out in
      def block_of(node)
        node = node.parent
        node = node.parent until node.nil? || line?(node)
        node
      end

      # @return [Integer] elements of a line that it is in, or as many as there may be
      def depth(node)
        count = 0
        while count < Limits::NESTED && (node = node.parent) && !line?(node)
          count += 1 if TAGS.include?(node.name)
        end
        count
      end

      # Browsers try each place of a ruby's text with all that is in it; and make a row for a cell that has none.
      def allowed_node?(node)
        return false if OF_TABLES.include?(node.name) && !block?(node)

        case node.name
        when 'kbd' then key?(node) && depth(node) < Limits::NESTED
        when 'ruby' then !around(node, %w[ruby])
        when 'td', 'th' then around(node, %w[tr table])&.name == 'tr'
        else super && (block?(node) || depth(node) < Limits::NESTED)
        end
      end

      # An image may be left out later: then a sentence stands there.
      def key?(node)
        node.content.size <= Limits::KBD && node.at_xpath('.//img').nil?
      end

      # A part of a table.
      def note(node)
        table = @tables[around(node, %w[table])&.pointer_id]
        case node.name
        when 'col', 'colgroup' then table.columns += 1
        when 'tr' then table.rows[node.pointer_id]
        when 'td', 'th'
          spans = %w[colspan rowspan].map { |name| [node[name].to_i, 1].max }
          table.rows[around(node, %w[tr]).pointer_id] << spans
        end
      end

      def scrub_node(node)
        GONE.include?(node.name) ? node.remove : super
      end

      def scrub_attributes(node)
        node.attribute_nodes.each { |attribute| keep(attribute, ATTRIBUTES.dig(node.name, attribute.name)) }
        return if node.name == 'img' && without_image(node)

        count(node, "\n") if node.name == 'br'
        @texts[block_of(node)&.pointer_id] << "\n" if between_lines?(node)
        ADDED.fetch(node.name, {}).each { |name, value| node[name] ||= value } unless node.name == 'a' && !node['href']
        note(node) if %w[col colgroup td th tr].include?(node.name)
        node.name = LOWER[node.name] if LOWER.key?(node.name)
        quote(node) if node.name == 'q'
        node['dir'] = Layout.direction(node.content) if node.name == 'bdi' # whose own is `auto`
      end

      # Browsers count these over the whole page, and take a minute for some ten thousand.
      def quote(node)
        node.name = 'span'
        node.prepend_child(Nokogiri::XML::Text.new('“', node.document))
        node.add_child(Nokogiri::XML::Text.new('”', node.document))
      end

      def keep(attribute, rule)
        value = attribute.value.strip
        return attribute.remove unless rule && !attribute.namespace && value.match?(rule)

        attribute.value = value
      end

      # @return [Node, nil] what is there instead of the image; nil: it may stay
      def without_image(node)
        why = refusal(node['src'])
        text = [node['alt'].to_s.strip, why || Budget::NO_IMAGE].reject(&:empty?).join(' ')
        count(node, text) # also of one that stays: it may be broken, or the page full
        return unless why

        text.empty? ? node.remove : node.replace(Nokogiri::XML::Text.new(text, node.document))
      end

      # @return [String, nil] '': an image of elsewhere would be asked for with the viewer's session
      def refusal(source)
        return '' unless source

        pixels = ImageSize.pixels(source[/[^,]*\z/].unpack1('m'))
        return '(An image that is not PNG, JPEG, GIF or WebP is not shown.)' unless pixels
        return '(An image is not shown: those of a file may have 16 megapixels.)' if @pixels + pixels > Limits::PIXELS

        @pixels += pixels
        nil
      end
    end
  end
end
