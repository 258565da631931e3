# frozen_string_literal: true

# Open OnDemand dashboard initializer: services of Slurm jobs that are shared with this user.
# `multitenant install` puts it into the place where this release of OOD looks for it, as root's.
#
# It does nothing unless MULTITENANT_ENABLE is true, or remove: then the cards that it made go, and
# that is all. Whatever happens, the dashboard starts.
# The dashboard's Bundler hides gems that are not its own, so the gem is looked for here: the newest
# ood_multitenant whose every file belongs to root.
module MultiTenant
  module Loader # :nodoc:
    module_function

    def log(level, sentence)
      line = "multitenant: #{sentence}"
      if defined?(Rails) && Rails.respond_to?(:logger) && Rails.logger
        Rails.logger.public_send(level, line)
      else
        warn line
      end
    end

    # Only root can have written the file or directory, or put another in its place.
    def secure?(path)
      Pathname.new(path).realpath.ascend.all? do |part|
        stat = part.stat
        stat.uid.zero? && stat.mode.nobits?(0o022)
      end
    end

    def version(lib)
      name = File.basename(File.dirname(lib)).delete_prefix('ood_multitenant-')
      Gem::Version.new(name) if Gem::Version.correct?(name)
    end

    # What a dashboard reads of the gem that has this lib.
    def files(lib)
      Dir.glob(File.join(File.dirname(lib), '{lib,libexec}{,/**/*}'))
    end

    def find
      require 'pathname'
      libs = Gem.path.flat_map { |dir| Dir.glob(File.join(dir, 'gems', 'ood_multitenant-*', 'lib')) }
      libs = libs.select { |lib| version(lib) && files(lib).all? { |path| secure?(path) } }
      libs.max_by { |lib| version(lib) } ||
        raise(LoadError, "no gem ood_multitenant whose every file belongs to root in #{Gem.path.join(', ')}")
    end

    # @param what [Symbol] :start or :remove
    def load(what)
      require File.join(find, 'multitenant')
      MultiTenant.public_send(what, method(:log))
    rescue SignalException
      raise
    rescue Exception => e # rubocop:disable Lint/RescueException -- a LoadError is no StandardError
      log(:error, "off until this is fixed: #{e.class}: #{e.message.to_s.scrub('?').lines.first.to_s.strip}")
    end
  end

  case ENV.fetch('MULTITENANT_ENABLE', nil)
  when 'true' then Loader.load(:start)
  when 'remove' then Loader.load(:remove)
  end

  # The gem's own, where it was loaded.
  unless respond_to?(:specs)
    def self.specs
      {}.freeze
    end

    def self.report
      {}.freeze
    end

    def self.refresh
      report
    end
  end
end
