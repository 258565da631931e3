# frozen_string_literal: true

require 'json'
require_relative 'card/budget'
require_relative 'card/content'
require_relative 'card/elements'
require_relative 'card/login'
require_relative 'card/snippets'

module MultiTenant
  # What a delivery app's view shows of a shared service. Its publisher may have written anything: all
  # of it becomes text that neither HTML nor Markdown, through which OOD sends every view, can see.
  #
  # A view is one `<div>` without an empty line, which Markdown leaves as it is.
  class Card
    include Elements

    # The name service may hang, and all pages of the process with it: it is asked once, as the dashboard starts.
    # @return [String, nil] see {Gateway.account}
    def self.account
      @account ||= Gateway.account
    end

    SECRET = /pass|pwd|secret|token|auth|credential|key\z/i
    # Bounded: at each of a publisher's thousand words `key` it would go on to the end of the value.
    SECRET_INSIDE = /(?:pass|pwd|secret|token|key)[a-z]{0,16}=/i
    # Underscores, too: Slurm takes them in the names of nodes.
    HOST = /\A(?=.{1,253}\z)[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?\z/
    PORT = /\A[1-9][0-9]{0,4}\z/
    URL = %r{\Ahttps?://[A-Za-z0-9._\-\[\]:]+(?:[/?#][!-~]*)?\z}i
    # No options: some of them make drivers run programs, or send files.
    JDBC = %r{\Ajdbc:(?<engine>postgresql|mysql|mariadb)://[A-Za-z0-9._\-\[\]:]+/(?:[\w.~-]|%\h\h)*\z}
    OURS = %w[jobid mt_appname handing_over].freeze
    UNKNOWN = 'This service is not known at this time: it may have ended, or Slurm has not told yet. Look ' \
              'again in a minute.'
    OVER = 'Its time is over: it has ended, or does so now, and this card goes.'
    HANDED_OVER = 'It is handed over to its next job now, and answers again in some minutes.'
    # Characters of a name that stands in a sentence.
    NAME = 64
    TOO_LONG = '<em>too long to be shown here</em>'
    OWN_KEY = 'It is yours: give it to nobody. Its page comes from the service\'s own job, with your Open OnDemand ' \
              'session in reach: open it only if you trust who shares it.'
    CLOSED = ' Here no card opens a web application of others.'
    ELSEWHERE = ' No button leads to its host, which is not known to be one of its job\'s.'
    CUT = ' Not all of it is shown here, because it is too long: the rest is in connection.yml, in the directory ' \
          'that the session ID above leads to.'

    # @param values [#to_h] what was shared, as the view's binding has it
    # @param specs [Hash] of the viewer
    def initialize(values, specs: MultiTenant.specs)
      @values = values.to_h.to_h { |key, value| [key.to_s, value.to_s] }
      @spec = spec_in(specs)
      @info = @spec.to_h.fetch('info', {})
      @budget = Budget.new(publisher)
      @login = Login.of(@spec)
      @values = own_values if gateway?
    end

    # @return [Boolean] each viewer has a key of their own, and logs in for it
    def gateway?
      !@login.nil?
    end

    # @return [Boolean] programs have to send a key
    def key?
      gateway? || !self['api_key'].empty?
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

    # @return [String, nil] HTML of a row; nil: there is nothing to show, or no room
    def row(label, value)
      within(label, value) { super }
    end

    # @return [String, nil] the same, for a secret, which shows when it is asked for
    def secret_row(label, value)
      within(label, value) { super }
    end

    # @return [String] HTML of text to be copied; '' where there is no room
    def code(value)
      fitting(value) { copyable(value) }.to_s
    end

    # @return [String] HTML of lines that open; '' where there are none, or there is no room
    def lines(label, code)
      code ? fitting(code) { super }.to_s : ''
    end

    # @return [Array<String>] HTML of rows with all that was shared
    def rows
      shared.map { |key, value| secret?(key, value) ? secret_row(key, value) : row(key, value) }
    end

    # @return [String] JSON of all that is known
    def json
      told = gateway? ? { **@spec.except('gate'), 'connection' => @values } : @spec
      JSON.pretty_generate(told || @values)
    end

    # @return [String, nil] the text where it is a http or https URL
    def url(value)
      value if value.to_s.match?(URL)
    end

    # @return [Boolean] whether there is an address that programs can be told
    def address?
      self['host'].match?(HOST) && self['port'].match?(PORT) && self['port'].to_i < 65_536
    end

    # @return [Boolean] whether its host is one of its own job's: a button leads to no other
    def own_host?
      !self['host'].empty? && @info['host'] == self['host']
    end

    # @return [String, nil] where the service's web pages are: outside Open OnDemand, or else where its proxy shows them
    def web_path
      return unless web_apps?
      return stable_url if stable_url

      proxy = self['proxy'] == 'node' ? 'node' : 'rnode'
      return @login.base(proxy) if gateway?

      "/#{proxy}/#{self['host']}/#{self['port']}/" if address? && own_host?
    end

    # @return [String, nil] URL where the site's proxy has the service, also once other jobs run it
    def stable_url
      url(@info['address'])
    end

    # @return [String, nil] the same of its OpenAI-compatible interface
    def stable_base_url
      "#{stable_url}v1" if stable_url && base_url
    end

    # @return [String, nil] URL of an OpenAI-compatible interface, which Ollama has, too
    def base_url
      url(self['base_url']) || ("#{ollama_url.chomp('/')}/v1" if ollama_url)
    end

    # @return [String, nil]
    def ollama_url
      url(self['ollama_url'])
    end

    # @return [String] '' where none was chosen
    def model
      name = %w[model ollama_model].map { |key| self[key] }.reject(&:empty?).first.to_s
      name == 'none' ? '' : name
    end

    # @return [String, nil] `postgresql`, `mysql` or `mariadb`; nil: it is not known, or the JDBC URL has options
    def engine
      self['jdbc_url'][JDBC, :engine]
    end

    # @return [Snippets] what to paste elsewhere
    def snippets
      @snippets ||= Snippets.new(self)
    end
    # In views of 0.1.0, which a dashboard shows that runs on while a host goes back to it.
    alias paste snippets

    # @return [String] HTML of the file that `content_path` names, or of a sentence
    def content
      file = Content.new(self['content_path'], owner: publisher)
      html, pixels, cost = file.page
      @budget.take(@budget.with_images(html, pixels), most: Limits::FILE_HTML + Limits::CARD, cost: cost) ||
        file.of_file('is not shown, because this page is full of what is shared. It is there for you to open.')
    end

    # @param words [String] what it is, where it is not known what it is called
    # @param name [String] of what tells it from others of its kind
    # @return [String] HTML of a line: what it is, whose, since when and until when
    def heading(words, icon:, name: '')
      name = name.scrub.sub(/(?<=\A.{#{NAME - 1}}).{2,}/mo, '…')
      about = " (#{text(name)})" unless name.empty?
      words = 'Service' if words.empty?
      "<p>#{icon(icon)}<strong>#{text(@info['title'] || words)}</strong>#{about}. #{from}</p>#{warning}"
    end

    # @return [String] HTML: what to do where it does not work
    def note
      publisher = @info['user'] ? text(@info['user']) : 'who shared it'
      "<p class=\"mt-3\">If it does not work, ask #{publisher}; the card goes when the service ends." \
        "#{elsewhere}#{@cut}</p>"
    end

    # @return [String] HTML of a button that says whose web application it opens; '' where there is no address, or none
    #   of its job's own
    def web_button
      return '' unless web_path

      open_button("Open the application of #{@info['user']}")
    end

    # That page comes from the publisher's job, as a web application's do.
    # @return [String] HTML of a button that leads to the viewer's own key; '' where there is no gateway
    def key_button(label = 'Show my key')
      return '' unless gateway?
      return "<p>In a shell #{code("multitenant login #{self['jobid']}")} tells your own.</p>" unless web_apps?

      "<p>#{@login.button(label, @login.base('rnode'), icon: 'key', key: true)} #{OWN_KEY}</p>"
    end

    # @return [Integer, nil] uid of the publisher
    def publisher
      Integer(@info['uid'], exception: false)
    end

    private

    def open_button(label)
      gateway? ? @login.button(label, web_path, icon: 'eye') : button(label, web_path, icon: 'eye')
    end

    def from
      return '' unless @info['user']

      start, stop = [['start', ', since %a %-d %b, %H:%M'], ['end', ', until %a %-d %b %Y, %H:%M %Z at the latest']]
                    .map { |key, format| Time.at(time(key)).strftime(format) if time(key).positive? }
      "From #{text(@info['user'])}#{text("#{start}#{stop}")}."
    end

    # @return [String, nil] HTML of a sentence, where it may be of no use any more
    def warning
      sentence = if !@info['user'] then UNKNOWN
                 elsif time('end').positive? && time('end') <= Time.now.to_i then OVER
                 elsif @values.key?('handing_over') then HANDED_OVER
                 end
      "<p class=\"alert alert-warning\">#{sentence}</p>" if sentence
    end

    # @return [Integer] epoch; 0: none
    def time(key)
      @info[key].to_i
    end

    def elsewhere
      return CLOSED if !web_apps? && (app == 'RShiny_App' || !self['proxy'].empty?)

      ELSEWHERE unless self['host'].empty? || own_host?
    end

    def web_apps?
      Settings.new.web_apps?
    end

    def within(label, value, &block)
      return if value.to_s.empty?

      fitting(value, &block) || @budget.take(cells(label, TOO_LONG))
    end

    # @return [String, nil] what the block gives, where there is room for it
    def fitting(value)
      bytes = least(value.to_s)
      fits = bytes <= @budget.left(Limits::CARD)
      @budget.want(bytes) unless fits
      html = @budget.take(yield) if fits
      @cut = CUT unless html
      html
    end

    def secret?(key, value)
      key.match?(SECRET) || value.match?(SECRET_INSIDE)
    end

    # No secret of the publisher's. An account of a database is known before one logs in.
    def own_values
      shared = Gateway.tenants(@values)
      shared = shared.reject { |key, value| secret?(key, value) } unless shared.key?('proxy')
      %w[database jdbc_url].any? { |key| shared.key?(key) } ? { **shared, 'user' => Card.account }.compact : shared
    end

    # Jobs of two clusters may have one id, and the card of one that ended may still be there: take the job that
    # shared these values.
    def spec_in(specs)
      jobs = specs.select { |key, _| key.split('@').first == self['jobid'] }
      jobs.values.find { |spec| spec['connection'] == @values }
    end
  end
end
