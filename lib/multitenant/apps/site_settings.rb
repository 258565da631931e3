# frozen_string_literal: true

require 'psych'
require_relative '../errors'
require_relative '../host/clusters'
require_relative '../settings'
require_relative 'kinds'

module MultiTenant
  # What a site has set for an app, in its site.yml. A value counts as it is written: 007 is no number, and a bare no is
  # the word.
  class SiteSettings
    FILE = 'site.yml'
    # What keys were called in 0.1.0; nil: they are not needed any more.
    RENAMED = { 'servers' => 'kinds', 'engines' => 'kinds', 'mariadb_modules' => 'modules_mariadb',
                'mysql_modules' => 'modules_mysql', 'postgresql_modules' => 'modules_postgresql',
                'page' => nil }.freeze
    SWITCH = { 'yes' => true, 'true' => true, 'on' => true, 'no' => false, 'false' => false, 'off' => false }.freeze
    NULL = /\A(?:~|null|Null|NULL)\z/

    # @param names [Array<String>] what an app may offer
    # @return [Hash] the keys of such an app
    def self.kinds(*names)
      { 'kinds' => names, **names.to_h { |name| ["modules_#{name}", []] } }
    end
    private_class_method :kinds

    SERVICE = { 'cluster' => '', 'wckey' => 'multitenant', 'envelope' => 'auto', 'old_readers' => true,
                'munge_socket' => '', 'keep_days' => '0', 'generations_max' => '1000', 'lead' => '10' }.freeze
    # Of services that may have several jobs side by side.
    COPIES = { 'copies_max' => '4' }.freeze
    # Of services that nginx and multitenant-gate may stand in front of; requests a minute, and minutes.
    GATEWAY = { 'gateway' => 'off', 'modules_nginx' => [], 'gate_rate' => '0', 'gate_stream_max' => '60' }.freeze
    CLIENT = { 'cluster' => '', 'services' => [], 'modules' => [] }.freeze
    # How many answers a server of language models gives at once, and the tokens of context that each has.
    SLOTS = { 'slots_ollama' => '4', 'slots_llamacpp' => '4', 'slots_vllm' => '',
              'context_ollama' => '4096', 'context_llamacpp' => '4096', 'context_vllm' => '' }.freeze
    # App => key => what an empty value means, which is of its kind, too: a text, a list, or yes and no.
    APPS = {
      'multitenant-llm' => SERVICE.merge(kinds('ollama', 'llamacpp', 'vllm', 'openai'),
                                         SLOTS, COPIES, GATEWAY,
                                         { 'models' => [], 'models_directory' => '', 'scratch' => '/tmp' }),
      'multitenant-database' => SERVICE.merge(kinds('mariadb', 'mysql', 'postgresql'),
                                              GATEWAY.except('gate_stream_max'),
                                              { 'kinds' => %w[mariadb postgresql], 'share_superuser' => false,
                                                'connections_max' => '10' }),
      'multitenant-dashboard' => SERVICE.merge(kinds(*Kinds::TABLE.keys), COPIES, GATEWAY,
                                               { 'kinds' => %w[shiny streamlit python command], 'origin' => '' }),
      'multitenant-instruction' => SERVICE,
      'multitenant-jupyter' => { **CLIENT, 'programs' => %w[jupyter-lab jupyter-notebook], 'origin' => '' },
      'multitenant-gradio' => { **CLIENT, 'python' => 'python3' }
    }.freeze
    # Apps that take rows of the site's own: what runs them, and what finds their variables.
    ROWS = %w[multitenant-dashboard multitenant-jupyter].freeze
    PATH = [%r{\A(?:/.*)?\z}, 'a path that begins with /'].freeze
    # Key => what its value may be, and in words.
    FORMS = {
      'cluster' => [Clusters::ID, 'the id of one of Open OnDemand\'s clusters'],
      'wckey' => [Settings::WCKEY, 'one WCKey'],
      'envelope' => [/\A(?:auto|munge|key|v1)\z/, 'auto, munge, key or v1'],
      'munge_socket' => PATH, 'models_directory' => PATH,
      'keep_days' => [/\A(?:0|[1-9]\d{0,3})\z/, 'a number of days, or 0'],
      'copies_max' => [/\A[1-9]\d?\z/, 'a number from 1 to 99'],
      'generations_max' => [/\A[1-9]\d{0,3}\z/, 'a number from 1 to 9999'],
      # Jobs are told to end a minute before.
      'lead' => [/\A(?:[2-9]|[1-9]\d{1,2})\z/, 'a number of minutes from 2 to 999'],
      'gateway' => [/\A(?:off|auto|required)\z/, 'off, auto or required'],
      'connections_max' => [/\A[1-9]\d{0,4}\z/, 'a number from 1'],
      'gate_rate' => [/\A(?:0|[1-9]\d{0,5})\z/, 'a number of requests a minute, or 0'],
      'gate_stream_max' => [/\A[1-9]\d{0,4}\z/, 'a number of minutes from 1'],
      'scratch' => [%r{\A[/$]}, 'a path'], **SLOTS.transform_values { [/\A[1-9]\d{0,8}\z/, 'a number from 1'] },
      'origin' => [%r{\A(?:https?://[^/\s]+)?\z}, 'an address such as https://ondemand.university.edu, without a path']
    }.freeze

    # @param dir [#to_s] the app's directory
    # @return [Hash{String => String, Array<String>, Boolean}] all keys of this app; frozen
    # @raise [Failure] a sentence with file, line and key
    def self.read(dir)
      new(dir.to_s).to_h
    end

    # An app of the site's own may have the keys of any.
    # @param dir [String]
    def initialize(dir)
      @path = File.join(dir, FILE)
      app = File.basename(dir)
      @known = APPS.fetch(app) { APPS.values.reduce(:merge) }
      @rows = ROWS.include?(app) || !APPS.key?(app)
    end

    # @return [Hash] see {read}
    def to_h
      told = {}
      pairs.each do |key, node|
        @line = key.start_line + 1
        refuse('there must be lines KEY: VALUE alone.') unless key.scalar?
        @key = key.value
        refuse_key(told)
        told[@key] = @known[@key].is_a?(Hash) ? row(node) : value(@known[@key], node)
      end
      @line = nil
      refuse('it has no cluster.') if told['cluster'].to_s.empty?
      @known.merge(told).freeze.tap { |site| check_kinds(site) if @rows }
    end

    private

    def pairs
      document = Psych.parse(File.read(@path, mode: 'rb:UTF-8'))
      return [] unless document

      @line = document.root.start_line + 1
      refuse('there must be lines KEY: VALUE alone.') unless document.root.mapping?
      document.root.children.each_slice(2).tap { |all| know_rows(all) if @rows }
    rescue Psych::SyntaxError => e
      @line = e.line
      refuse("that is no YAML (#{[e.problem, e.context].compact.join(' ')}).")
    rescue SystemCallError => e
      refuse("it can't be read (#{e.class.name.delete_prefix('Errno::')}).")
    end

    # Rows of the site's own, and their modules.
    def know_rows(pairs)
      names = pairs.filter_map { |key, _| key.scalar? && key.value[Kinds::ROW, :name] }
      @known = names.reduce(@known) { |all, name| { "modules_#{name}" => [], **all, "kind_#{name}" => {} } }
    end

    def refuse_key(told)
      refuse("the key #{@key} is now called #{RENAMED[@key]}: rename it.") if RENAMED[@key]
      refuse("this app has no key #{@key.inspect}; it has #{@known.keys.join(', ')}.") unless @known.key?(@key)
      refuse("#{@key} is there for the second time.") if told.key?(@key)
    end

    # What the node says, of the kind that the default has.
    def value(default, node)
      told = texts(node)
      told = told.flat_map { |text| text.split(',').map(&:strip) }.reject(&:empty?) if default.is_a?(Array)
      return default if told.empty?
      return told.each { |text| check(text) } if default.is_a?(Array)

      refuse("#{@key} takes one value, not several.") if told.size > 1
      return check(told.first) if default.is_a?(String)

      SWITCH.fetch(told.first.downcase) { refuse("#{@key} takes yes or no, not #{told.first.inspect}.") }
    end

    # @return [Hash{String => String, Hash}] a row of {Kinds}, or what is changed of one
    def row(node)
      refuse("#{@key} takes lines FIELD: VALUE, of #{Kinds::FIELDS.keys.join(', ')}.") unless node.mapping?
      row = fields(node) { |name, one| name == 'environment' ? environment(one) : field(name, one) }
      new = !Kinds::TABLE.key?(@key[Kinds::ROW, :name])
      refuse("#{@key} needs start, and title or choice.") if new && !(row['start'] && (row['title'] || row['choice']))
      row
    end

    def environment(node)
      refuse("environment of #{@key} takes lines NAME: VALUE.") unless node.mapping?
      fields(node) do |name, one|
        refuse("#{name.inspect} can be no variable of #{@key}: it takes names such as TOOL_URL.") unless
          name.match?(Kinds::VARIABLE)
        text(name, one)
      end
    end

    def fields(node)
      node.children.each_slice(2).to_h do |key, one|
        @line = key.start_line + 1
        refuse("#{@key} takes lines FIELD: VALUE.") unless key.scalar?
        [key.value, yield(key.value, one)]
      end
    end

    def field(name, node)
      refuse("#{@key} has no field #{name.inspect}; it may have #{Kinds::FIELDS.keys.join(', ')}.") unless
        Kinds::FIELDS.key?(name)
      form, words = Kinds::FIELDS[name]
      text(name, node).tap { |text| refuse("#{name} of #{@key} takes #{words}.") unless form.nil? || text.match?(form) }
    end

    def text(name, node)
      return node.value if node.scalar? && node.value.match?(/\A[^[:cntrl:]][[^[:cntrl:]]\n\t]*\z/)

      refuse("#{name} of #{@key} takes a text.")
    end

    # What can't be served as the site wants it.
    def check_kinds(site)
      rows = Kinds.of(site).slice(*site['kinds'])
      rows.each do |name, row|
        case [row['gateway'], site['gateway']]
        when %w[namespace off]
          refuse("kinds has #{name}, which asks nobody who they are: it is served behind a gateway alone, so gateway " \
                 'must be auto or required.')
        when %w[none required]
          refuse("kinds has #{name}, which works behind no gateway, and gateway is required: leave out one of them.")
        end
        next unless row['start'].to_s.include?('$origin') && site['origin'].empty?

        refuse("kinds has #{name}, whose pages name this portal's address: write that as origin.")
      end
    end

    # @return [Array<String>] what is not empty
    def texts(node)
      (node.sequence? ? node.children : [node]).filter_map do |one|
        refuse("#{@key} takes texts alone: put quotes around what stands there.") unless one.scalar?
        text = one.value.strip
        text unless text.empty? || (!one.quoted && text.match?(NULL))
      end
    end

    def check(text)
      refuse("#{@key} holds a character that can't be seen.") if text.match?(/[[:cntrl:]]/)
      form, words = @key == 'kinds' ? [/\A#{Regexp.union(kinds)}\z/, "some of #{kinds.join(', ')}"] : FORMS[@key]
      return text if form.nil? || text.match?(form)

      refuse("#{@key} takes #{words}, not #{text.inspect}.")
    end

    # Those that this app has modules for.
    def kinds
      (@known.keys - GATEWAY.keys).filter_map { |key| key[/\Amodules_(.+)/, 1] }
    end

    def refuse(sentence)
      raise Failure.new(EX_CONFIG, "#{@path}#{", line #{@line}" if @line}: #{sentence}")
    end
  end
end
