# frozen_string_literal: true

require 'json'

module MultiTenant
  # An app's `site.yml`: a line `key: value` each, with comments; a list may have lines of its own. Lines are kept as
  # the admin wrote them; only those that are set change.
  class AppSettings
    VALUE = /"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|(?:[^#\n]|(?<=\S)#)*?/
    KEY = /(?<quote>["']?)(?<key>[A-Za-z_][A-Za-z0-9_]*)\k<quote>[ \t]*/
    LINE = /\A#{KEY}:(?:[ \t]+#{VALUE})?(?<rest>[ \t]*|[ \t]+#.*)\n\z/
    # Of a value that began above.
    MORE = /\A(?:[ \t]+[^# \t\n]|-[ \t\n])/

    # @param text [String]
    def initialize(text)
      @lines = text.dup.force_encoding(Encoding::UTF_8).scrub.lines.map { |line| "#{line.chomp}\n" }
    end

    # Sets the values of keys that are there.
    # @param values [Hash{String => String}]
    # @return [AppSettings] self
    def set(values)
      @lines.map! do |line|
        found = LINE.match(line)
        next line unless found && values.key?(found[:key])

        "#{found[:key]}: #{JSON.generate(values[found[:key]])}#{found[:rest]}\n"
      end
      self
    end

    # Gives keys the names that they have now. Where a value has that name already, and where the key has gone, the old
    # line becomes a comment: apps refuse what they don't know.
    # @param names [Hash{String => String, nil}] old => new; nil: it has gone
    # @return [AppSettings] self
    def rename(names)
      known = [nil, *keys]
      gone = false
      @lines.map! do |line|
        old = LINE.match(line)&.[](:key)
        gone = names.key?(old) && known.include?(names[old]) if old
        next "# #{line}" if gone && (old || line.match?(MORE))

        names.key?(old) ? line.sub(old, names[old]) : line
      end
      self
    end

    # Appends what another has and this has not, with the comments above it.
    # @param other [AppSettings]
    # @return [AppSettings] self
    def append_new(other)
      known = keys
      other.blocks.each do |key, lines|
        @lines.concat(["\n"], lines.drop_while { |line| line.strip.empty? }) unless known.include?(key)
      end
      self
    end

    # @return [Array<String>]
    def keys
      @lines.filter_map { |line| LINE.match(line)&.[](:key) }
    end

    # @return [String]
    def to_s
      @lines.join
    end

    protected

    # @return [Array<Array(String, Array<String>)>] each key with its line and the comments above it
    def blocks
      above = []
      @lines.each_with_object([]) do |line, blocks|
        key = LINE.match(line)&.[](:key)
        above = [] if line.strip.empty?
        above << line
        next unless key

        blocks << [key, above]
        above = []
      end
    end
  end
end
