# frozen_string_literal: true

require 'shellwords'

module MultiTenant
  # What a delivery app's view shows of a shared service. Its publisher may have written anything: all
  # of it becomes text that neither HTML nor Markdown, through which OOD sends every view, can see.
  #
  # A view is one `<div>` without an empty line, which Markdown leaves as it is.
  class Card
    SECRET = /pass|secret|token|key\z/i
    HOST = /\A(?=.{1,253}\z)[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\z/
    PORT = /\A[1-9][0-9]{0,4}\z/
    URL = %r{\Ahttps?://[A-Za-z0-9.\-\[\]:]+(?:[/?#][!-~]*)?\z}i
    OURS = %w[jobid mt_appname].freeze
    APPS = '/var/www/ood/apps/sys'

    # @param values [#to_h] what was shared, as the view's binding has it
    # @param specs [Hash] of the viewer
    def initialize(values, specs: MultiTenant.specs)
      @values = values.to_h.to_h { |key, value| [key.to_s, value.to_s] }
      @info = (specs.values.find { |spec| spec['connection'] == @values } || {}).fetch('info', {})
    end

    # @return [String] '' where it was not shared
    def [](key)
      @values[key.to_s].to_s
    end

    # @return [String] name of the app
    def app
      self['mt_appname']
    end

    # @return [Hash{String => String}] what was shared
    def shared
      @values.except(*OURS)
    end

    # @return [String] HTML of a text
    def text(value)
      encoded = value.to_s.scrub.gsub(/[^\p{L}\p{N} ]/) { |character| format('&#x%X;', character.ord) }
      "<bdi>#{encoded}</bdi>"
    end

    # @return [String] HTML of a row in a table of two columns; '' where there is nothing to show
    def row(label, value)
      return '' if value.to_s.empty?

      "<tr><th scope=\"row\">#{text(label)}</th><td><code class=\"user-select-all\">#{text(value)}</code></td></tr>"
    end

    # @return [String] the same, for a secret, which shows when it is asked for
    def secret_row(label, value)
      return '' if value.to_s.empty?

      "<tr><th scope=\"row\">#{text(label)}</th><td><details><summary>Show</summary>" \
        "<code class=\"user-select-all\">#{text(value)}</code></details></td></tr>"
    end

    # @return [String] HTML of rows with all that was shared
    def rows
      shared.map { |key, value| key.match?(SECRET) ? secret_row(key, value) : row(key, value) }.join
    end

    # @return [String] HTML of something to paste elsewhere, which opens
    def paste(label, code)
      "<details><summary>#{text(label)}</summary>" \
        "<pre><code class=\"user-select-all\">#{text(code)}</code></pre></details>"
    end

    # @return [String, nil] the text where it is a http or https URL
    def url(value)
      value if value.to_s.match?(URL)
    end

    # @return [String, nil] where OOD's proxy shows the service's web pages
    def web_path
      return unless self['host'].match?(HOST) && self['port'].match?(PORT) && self['port'].to_i < 65_536

      "/#{self['proxy'] == 'node' ? 'node' : 'rnode'}/#{self['host']}/#{self['port']}/"
    end

    # @return [String] HTML of a link that looks like a button
    def button(label, href, icon: nil)
      icon = icon ? "<i class=\"fa fa-#{icon}\" aria-hidden=\"true\"></i> " : ''
      "<a class=\"btn btn-primary\" href=\"#{Card.attribute(href)}\" target=\"_blank\" rel=\"noopener\">" \
        "#{icon}#{text(label)}</a>"
    end

    # @return [String] HTML of a link to the form of an app; '' where this host does not have it for the viewer
    def launch(app, label, icon: nil)
      return '' unless File.readable?(File.join(APPS, app, 'manifest.yml'))

      root = ENV.fetch('RAILS_RELATIVE_URL_ROOT', '/pun/sys/dashboard')
      button(label, "#{root}/batch_connect/sys/#{app}/session_contexts/new", icon: icon)
    end

    # @return [String] HTML: whose it is, until when, and what to do
    def note
      user = @info['user']
      return '<p>This service is no longer known; if it does not work, ask who shared it.</p>' unless user

      ends = @info['end'].to_i
      till = ends.zero? ? '' : ", until #{Time.at(ends).strftime('%a %-d %b %Y, %H:%M %Z')} at the latest"
      "<p>From #{text(user)}#{text(till)}. If it does not work, ask #{text(user)}; " \
        'the card goes when the service ends.</p>'
    end

    # @return [Integer, nil] uid of the publisher
    def publisher
      Integer(@info['uid'], exception: false)
    end

    # @return [String] safe between double quotes
    def self.attribute(value)
      value.to_s.scrub.gsub(%r{[^A-Za-z0-9/._-]}) { |character| format('&#x%X;', character.ord) }
    end
  end
end
