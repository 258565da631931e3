# frozen_string_literal: true

require_relative 'layout'

module MultiTenant
  class Card
    # The HTML of cards. Every label and value is text from anywhere.
    module Elements
      # Characters whose number in a reference means another one to HTML, or none.
      NO_NUMBER = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/

      # References by character; those of ASCII are made once.
      ENTITIES = Hash.new { |_, character| format('&#x%X;', character.ord) }
                     .merge!((0..127).to_h { |code| [code.chr, format('&#x%X;', code)] }).freeze

      # @return [String] safe wherever HTML has text
      def encode(value)
        utf8 = value.to_s.dup.force_encoding(Encoding::UTF_8).scrub.gsub(NO_NUMBER, "\uFFFD")
        utf8.gsub!(Layout::PILED, '')
        utf8.gsub(/[^\p{L}\p{N} ]/, ENTITIES)
      end

      # @return [Integer] bytes that {encode} makes of a text, or fewer: six of each sign of ASCII's
      def least(value)
        value.bytesize + (5 * value.b.count('!-/:-@[-`{-~'))
      end

      # @return [String] safe between double quotes
      def attribute(value)
        value.to_s.scrub.gsub(%r{[^A-Za-z0-9/._-]}) { |character| format('&#x%X;', character.ord) }
      end

      # @return [String] HTML of a text, whose direction stays its own matter; one that turns around all the time stands
      #   in the order in which it was written
      def text(value)
        html = encode(value)
        Layout.turns?(value.to_s.scrub) ? "<bdo dir=\"ltr\">#{html}</bdo>" : "<bdi>#{html}</bdi>"
      end

      # @param blocks [Array<String>] many lines, as Layout.blocks has them
      # @return [String] HTML of these, as {text}
      def long(blocks)
        return "<bdi>#{encode(blocks[0])}</bdi>" if blocks.size == 1

        bdi = "<bdi dir=\"#{Layout.direction(blocks.join)}\">"
        blocks.map { |block| "<span class=\"d-block\">#{bdi}#{encode(block)}</bdi></span>" }.join
      end

      # @return [String] HTML of text to be copied
      def copyable(value)
        "<code class=\"user-select-all text-break\">#{text(value)}</code>"
      end

      # @return [String, nil] HTML of a row in a table of two columns; nil: there is nothing to show
      def row(label, value)
        cells(label, copyable(value)) unless value.to_s.empty?
      end

      # @return [String, nil] the same, for a secret, which shows when it is asked for
      def secret_row(label, value)
        return if value.to_s.empty?

        what = label.match?(/\A[A-Z][a-z]+\z/) ? label.downcase : label
        cells(label, fold("Show #{what}", copyable(value)))
      end

      # OOD gives every other row a light background, in the dark, too.
      # @param html [String]
      # @return [String] HTML of a row
      def cells(label, html)
        "<tr><th scope=\"row\">#{text(label)}</th><td class=\"bg-transparent\">#{html}</td></tr>"
      end

      # @param rows [Array<String, Array, nil>]
      # @return [String] HTML of a table; '' where there is nothing in it
      def table(*rows)
        rows = rows.join
        rows.empty? ? '' : "<table class=\"table table-sm\"><tbody>#{rows}</tbody></table>"
      end

      # OOD gives it a light background, in the dark, too; a keyboard can scroll it.
      # @param html [String]
      # @return [String] HTML of lines
      def pre(html)
        "<pre class=\"bg-light text-dark p-2 rounded\" tabindex=\"0\">#{html}</pre>"
      end

      # @return [String] HTML of lines that open; '' where there are none
      def lines(label, code)
        code ? fold(label, pre("<code class=\"user-select-all\">#{text(code)}</code>")) : ''
      end

      # @param html [String]
      # @return [String] HTML of what opens; '' where there is nothing in it
      def fold(label, html, open: false)
        html.strip.empty? ? '' : "<details#{' open' if open}><summary>#{text(label)}</summary>#{html}</details>"
      end

      # @return [String] HTML
      def icon(name)
        "<i class=\"fa fa-#{attribute(name)}\" aria-hidden=\"true\"></i> "
      end

      # @param minor [Boolean] there is one that more people want
      # @return [String] HTML of a link that looks like a button
      def button(label, href, icon:, minor: false)
        "<a class=\"btn btn-#{minor ? 'secondary' : 'primary'}\" href=\"#{attribute(href)}\" target=\"_blank\" " \
          "rel=\"noopener\">#{icon(icon)}#{text(label)}</a>"
      end

      # @param fields [Hash{String => String}]
      # @return [String] HTML of a button that sends these
      def post(label, action, fields, icon:, minor: false)
        hidden = fields.map { |name, value| "<input type=\"hidden\" name=\"#{name}\" value=\"#{attribute(value)}\">" }
        "<form class=\"d-inline-block\" method=\"post\" target=\"_blank\" action=\"#{attribute(action)}\">" \
          "#{hidden.join}" \
          "<button class=\"btn btn-#{minor ? 'secondary' : 'primary'}\" type=\"submit\">#{icon(icon)}#{text(label)}" \
          '</button></form>'
      end

      # @return [String] HTML of a link to the form of an app; '' where this host does not have it for the viewer
      def launch(app, label, icon:, minor: false)
        apps = defined?(SysRouter) && SysRouter.respond_to?(:base_path) ? SysRouter.base_path : Host::APPS
        return '' unless File.readable?(File.join(apps, app, 'manifest.yml'))

        root = ENV.fetch('RAILS_RELATIVE_URL_ROOT', '/pun/sys/dashboard')
        "#{button(label, "#{root}/batch_connect/sys/#{app}/session_contexts/new", icon: icon, minor: minor)} "
      end
    end
  end
end
