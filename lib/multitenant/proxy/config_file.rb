# frozen_string_literal: true

require 'fileutils'
require 'json'
require 'shellwords'
require_relative '../host/system_file'
require_relative '../programs/program'

module MultiTenant
  module Proxy
    # An engine's configuration in its file: another one takes its place only as a whole, once the engine takes it, and
    # where the engine could not be told of it, the one before it comes back. Beside it FILE.seen has which services
    # were there when, so that the page of one that has ended says whose it was.
    class ConfigFile
      SECONDS = 12
      MOST = Core::LIMITS[:records]

      # @param path [String]
      # @param engine [Engine]
      # @param check [Boolean] the engine says beforehand whether it takes a file
      # @param reload [String, nil] a command, by which the engine learns of a new one
      def initialize(path, engine, check: false, reload: nil)
        @path = path
        @engine = engine
        @check = check
        @reload = reload && Shellwords.split(reload)
      end

      # @return [Hash{String => Integer}] path => epoch
      def seen
        told = JSON.parse(File.read(seen_path, MOST).to_s)
        told.is_a?(Hash) ? told.select { |path, at| path.is_a?(String) && at.is_a?(Integer) } : {}
      rescue SystemCallError, JSON::ParserError
        {}
      end

      # @param services [Array<Service>]
      # @param seen [Hash{String => Integer}]
      # @return [Boolean] whether it changed
      # @raise [Failure] where the old one stays
      def write(services, seen)
        text = @engine.render(services)
        SystemFile.write(seen_path, JSON.generate(seen), mode: 0o644) unless seen == self.seen
        before = File.binread(@path) if File.file?(@path)
        return false if before == text.b

        put(text)
        reload(before)
        true
      rescue SystemCallError => e
        raise Failure.new(EX_CANTCREAT, "#{@path} could not be written: #{e.message.split(' @ ').first}.")
      end

      private

      def seen_path
        "#{@path}.seen"
      end

      def put(text)
        beside = "#{@path}.new"
        SystemFile.write(beside, text, mode: 0o644)
        why = @engine.objection(beside) if @check
        raise Failure.new(EX_DATAERR, why.to_s) if why

        File.rename(beside, @path)
      ensure
        FileUtils.rm_f(beside)
      end

      def reload(before)
        return unless @reload

        result = Program.new(@reload.first).call(*@reload.drop(1), seconds: SECONDS)
        return if result.success?

        before ? SystemFile.write(@path, before, mode: 0o644) : File.unlink(@path)
        raise Failure.new(EX_UNAVAILABLE, "The proxy was not reloaded, and #{@path} is as before: #{result.error}")
      end
    end
  end
end
