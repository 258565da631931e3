# frozen_string_literal: true

require 'json'
require_relative '../../multitenant'
require_relative '../receiver/opened_file'
require_relative '../sources/records_file'
require_relative 'command'
require_relative 'plain_text'

module MultiTenant
  class CLI
    # A command about what this user sees, with the settings, clusters and data root of their dashboard.
    class Viewer < Command
      private

      def records_options(parser)
        parser.on('--records FILE', 'read record streams from FILE (- is standard input), don\'t ask Slurm') do |v|
          @options[:records] = v
        end
        parser.on('--opened FILE', 'what munged said of credentials: doc/formats.md') { |v| @options[:opened] = v }
        parser.on('--dataroot DIR', 'OOD\'s data root, instead of this user\'s') { |v| @options[:dataroot] = v }
      end

      # @return [Host]
      def host
        @host ||= Host.new(env: ENV.to_h.merge(changes)).tap(&:enter)
      end

      # @return [Hash{String => String}] variables that options set
      def changes
        {}
      end

      # @return [Settings]
      def settings
        @settings ||= host.settings.tap do |settings|
          settings.warnings.each { |warning| CLI.complain(warning, EX_CONFIG) }
        end
      end

      def receiver
        @receiver ||= begin
          settings
          credentials = { credentials: OpenedFile.new(@options[:opened]) } if @options[:opened]
          host.receiver(source, dataroot: dataroot, **credentials.to_h)
        end
      end

      def source
        return RecordsFile.new(@options[:records]) if @options[:records]

        host.sources(gids: host.settings.method(:gids))
      end

      def dataroot
        File.expand_path(@options[:dataroot] || host.dataroot)
      end

      # @param told [Hash]
      def print_json(told)
        puts told.empty? ? '{}' : PlainText.json(JSON.pretty_generate(told, ascii_only: true))
      end

      # One cluster may have been decided although another one's stream was not complete.
      def check_report
        report = receiver.report
        raise Failure.new(report['code'], report['error']) if report['error']

        EX_OK
      end

      # @return [String] a sentence on what is shared with a group of this user's and can't be opened here, as where
      #   this host has no key of it, or see {#hidden}; or ''
      def unopened
        jobs = receiver.shares.count do |share|
          share[:specs] == 'envelope_unavailable' && (!@options[:mine] || share[:uid] == Process.euid)
        end
        return hidden if jobs.zero?

        " What #{jobs == 1 ? 'a job shares' : "#{jobs} jobs share"} can't be opened on this host now: " \
          '`multitenant list` shows it, `multitenant doctor` says why.'
      end

      # @return [String] a sentence on clusters where Slurm shows this user their own jobs alone; or ''
      def hidden
        own = receiver.report.fetch('clusters', {}).select { |_, sees| sees == 'own' }.keys
        return '' if own.empty? || @options[:mine]

        " Slurm shows you your own jobs alone on #{PlainText.of(own.join(', '))} (PrivateData), and no agent tells " \
          'this host of others: try it where Open OnDemand runs, or ask your administrators.'
      end
    end
  end
end
