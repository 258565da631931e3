# frozen_string_literal: true

require 'json'
require_relative '../errors'
require_relative '../host/system_file'

module MultiTenant
  # What an installation has put on this host. It is written before what it names, so that an
  # interrupted installation is recognised, too: while `pending`, a file may still be as it `was`.
  class Manifest
    # A file ("file", or "site" for a site.yml), a directory that we made, or what was "moved" aside.
    Entry = Struct.new(:path, :kind, :part, :sha256, :mode, :uid, :gid, :was, :to, :done, keyword_init: true) do
      # @return [Boolean] a file of these bytes is ours, not edited
      def ours?(sha256)
        [self.sha256, *was].include?(sha256)
      end

      def directory?
        kind == 'directory'
      end

      def moved?
        kind == 'moved'
      end

      def file?
        !directory? && !moved?
      end
    end

    # @return [Array<Entry>]
    attr_accessor :entries
    # @return [Boolean] an installation has begun and not ended
    attr_accessor :pending
    # @return [String, nil] SHA-256 of the file that the gem was installed from
    attr_accessor :gem
    # @return [String, nil] the agent's account, if we made it
    attr_accessor :account

    # @param path [String]
    # @return [Manifest] empty where there is none
    # @raise [Failure] where it is not root's, or not ours
    def self.read(path)
      return new unless File.exist?(path)

      stat = File.lstat(path)
      refuse(path, 'may have been written by others') unless stat.file? && stat.uid.zero? && stat.mode.nobits?(0o022)
      object = JSON.parse(File.read(path))
      new(object['entries'].map { |entry| Entry.new(**entry.transform_keys(&:to_sym)) },
          pending: object['pending'], gem: object['gem'], account: object['account'])
    rescue JSON::ParserError, NoMethodError, ArgumentError, TypeError
      refuse(path, 'is none of ours, or damaged')
    end

    def self.refuse(path, why)
      raise Failure.new(EX_CONFIG, "#{path} #{why}.", fix: 'Look at it and move it away.')
    end
    private_class_method :refuse

    def initialize(entries = [], pending: false, gem: nil, account: nil)
      @entries = entries
      @account = account
      @pending = pending ? true : false
      @gem = gem
    end

    # @param path [String] of the host
    # @return [Entry, nil] what we put there
    def [](path)
      @by_path ||= entries.reject(&:moved?).to_h { |entry| [entry.path, entry] }
      @by_path[path]
    end

    # @return [Entry, nil] what was at a path before
    def moved(path)
      entries.find { |entry| entry.moved? && entry.path == path }
    end

    # @return [void]
    def write(path)
      object = { 'multitenant' => 1, 'pending' => pending, 'gem' => gem, 'account' => account,
                 'entries' => entries.map { |entry| entry.to_h.compact } }
      SystemFile.write(path, "#{JSON.pretty_generate(object)}\n", mode: 0o644, uid: 0, gid: 0)
    end
  end
end
