# frozen_string_literal: true

require 'delegate'
require 'psych'

module MultiTenant
  # What the app multitenant-dashboard runs: a row of a table says how a kind of server is started, where its pages
  # begin, what shows that it is ready, and by which variables programs know it. A site's own rows are in site.yml.
  module Kinds
    TABLE = Psych.safe_load(File.read(File.join(__dir__, 'kinds.yml'))).each_value(&:freeze).freeze
    # Before the name of a row in site.yml.
    ROW = /\Akind_(?<name>[a-z][a-z0-9]{0,31})\z/
    LINE = [/\A[^\n]{1,64}\z/, 'a line of at most 64 characters'].freeze
    # Field => what it may say, and in words.
    FIELDS = { 'title' => [/\A[^\n<>&"'`\\]{1,64}\z/, 'a line of at most 64 characters, none of < > & " \' ` \\'],
               'choice' => LINE, 'start' => nil,
               'program' => [%r{\A[\w./-]+\z}, 'the name of a program'],
               'path' => [/\A(?:any|file|directory)\z/, 'any, file or directory'],
               'proxy' => [/\Ar?node\z/, 'node or rnode'], 'ready' => nil,
               'gateway' => [/\A(?:none|namespace)\z/, 'none or namespace'],
               'bearer' => [/\Ayes\z/, 'yes'], 'alone' => [/\Ayes\z/, 'yes'], 'environment' => nil }.freeze
    # None that means something to a shell or a loader: no first word is theirs.
    VARIABLE = /\A(?!(?:LD|BASH|MT|OOD|PYTHON|PERL|RUBY|NODE|GIT|SLURM)_)[A-Z][A-Z0-9]*_[A-Z0-9_]+\z/
    # Where a row's variable has what lets somebody in.
    KEY = '{key}'
    # That where there is none: a client that found nothing there might send one of the user's own.
    NO_KEY = 'none'
    # The name of the app whose services clients' forms offer.
    APP = 'App_API'
    PRESET = /\ARShiny_App(?= )/
    HOST = /\A[A-Za-z0-9_.-]+\z/
    PORT = /\A[1-9]\d{0,4}\z/

    # A form's answers, with what a row says where the form was told nothing.
    class Answers < SimpleDelegator
      # @param context [Object] OOD's
      # @param row [Hash]
      def initialize(context, row)
        super(context)
        @row = row
      end

      # @return [String]
      def mt_title
        told = __getobj__.respond_to?(:mt_title) ? __getobj__.mt_title.to_s.strip : ''
        told.empty? ? @row['title'].to_s : told
      end

      # Copies of one that must have its directory alone would find that taken.
      # @return [String]
      def mt_copies
        @row['alone'] || !__getobj__.respond_to?(:mt_copies) ? '1' : __getobj__.mt_copies.to_s
      end

      # No form of ours offers what has pages alone: without a card nobody would find it.
      # @return [String]
      def mt_method
        @row.key?('environment') ? __getobj__.mt_method.to_s : 'card'
      end

      # @return [String] name of the app, and token of its delivery app
      def mt_delivery_select
        told = __getobj__.mt_delivery_select.to_s
        @row.key?('environment') ? told.sub(PRESET, APP) : told
      end
    end

    class << self
      # @param site [Hash] an app's site.yml
      # @return [Hash{String => Hash}] all rows that there are
      def of(site)
        own = site.to_h { |key, row| [key[ROW, :name], row] }.compact
        TABLE.merge(own) { |_, given, changed| given.merge(changed) }.reject { |name, _| name.nil? }
      end

      # @param connection [Hash{String => String}] of {MultiTenant.specs}
      # @param rows [Hash] as {of} gives them
      # @return [Hash{String => String}] the variables by which programs know such a service, with {KEY} where they take
      #   a key; none where it is of no kind, or has no address
      def environment(connection, rows = TABLE)
        host, port = connection.values_at('host', 'port').map(&:to_s)
        row = rows[connection['kind']]
        return {} unless row && host.match?(HOST) && port.match?(PORT)

        told = { '{host}' => host, '{port}' => port,
                 '{url}' => "http://#{host}:#{port}#{"/node/#{host}/#{port}" if row['proxy'] == 'node'}" }
        row['environment'].to_h.transform_values { |text| text.gsub(/#{Regexp.union(told.keys)}/, told) }
      end

      # @param variables [Hash] as {environment} gives them
      # @return [Array<String>] beginnings of all that the same programs read
      def families(variables)
        variables.keys.map { |name| name[/\A[^_]+_/] }.uniq
      end

      # @param text [String] a value of {environment}
      # @param key [String] name of a variable of bash's that has the key
      # @yield [String] a part of the text
      # @yieldreturn [String] that as a word of bash
      # @return [String] bash
      def with_key(text, key, &word)
        text.split(KEY, -1).map { |part| part.empty? ? '' : word.call(part) }.join("\"$#{key}\"")
      end
    end
  end
end
