# frozen_string_literal: true

require 'optparse'
require_relative 'errors'
require_relative 'proxy/config_file'
require_relative 'proxy/haproxy'
require_relative 'proxy/nginx'
require_relative 'proxy/traefik'
require_relative 'proxy/services'

module MultiTenant
  # The configuration of the site's proxy, made of what Slurm says of running jobs: services whose publishers asked for
  # an address outside Open OnDemand. Who may pass is their own gateway's to decide, or their key's.
  module Proxy
    ENGINES = { 'haproxy' => Haproxy, 'nginx' => Nginx, 'traefik' => Traefik }.freeze
    LISTEN = '127.0.0.1:8099'

    # `multitenant proxy-config` once, or the agent after each round.
    class Keeper
      NOT_YET = 'The proxy has what it had: not every cluster has told yet what runs. Where one can\'t be asked from ' \
                'here, name a directory with the others alone in OOD_CLUSTERS (doc/proxy.md).'

      # @param parser [OptionParser]
      # @param options [Hash] is filled
      # @return [void]
      def self.options(parser, options)
        parser.on('--engine NAME', ENGINES.keys, "of #{ENGINES.keys.join(', ')}") { |v| options[:engine] = v }
        parser.on('--output FILE', /.+/m, 'written there, where it changed; unless told, printed') do |v|
          options[:output] = v
        end
        parser.on('--listen ADDRESS', "where the proxy is met, in its own words; unless told #{LISTEN}") do |v|
          options[:listen] = v
        end
        parser.on('--check', 'only once the engine takes the new file') { options[:check] = true }
        parser.on('--reload COMMAND', 'called where the file changed; where it fails the old file comes back') do |v|
          options[:reload] = v
        end
        parser.on('--open', 'also services that have neither gateway nor key') { options[:open] = true }
      end

      # @param text [String] options as a shell has them
      # @return [Hash]
      # @raise [OptionParser::ParseError]
      def self.parse(text)
        options = {}
        parser = OptionParser.new
        options(parser, options)
        rest = parser.parse(Shellwords.split(text))
        wrong = objection(options) || ('say --output' unless options[:output]) || rest.first
        wrong ? raise(OptionParser::InvalidArgument, wrong) : options
      rescue ArgumentError => e
        raise OptionParser::InvalidArgument, e.message
      end

      # @return [String, nil] what is wrong with the options
      def self.objection(options)
        return 'name an --engine' unless options[:engine]
        if !options[:output] && (options[:check] || options[:reload])
          return '--check and --reload are about the file of --output'
        end
        return '--reload takes a command' if options[:reload] && Shellwords.split(options[:reload]).first.to_s.empty?

        '--listen takes one line' if options[:listen]&.match?(/[^ -~]/)
      rescue ArgumentError => e
        "--reload: #{e.message}"
      end

      # @return [Array<Service>] of the last call
      attr_reader :services

      # @param settings [Settings]
      # @param clusters [Clusters]
      # @param options [Hash]
      # @param answering [#call] whether each source of answers answered last time: those that fail are not in each
      def initialize(settings, clusters, options, answering: -> { true })
        @answering = answering
        @engine = ENGINES.fetch(options[:engine]).new(options[:listen] || LISTEN)
        @file = ConfigFile.new(options[:output], @engine, **options.slice(:check, :reload)) if options[:output]
        @from = Services.new(settings, clusters, open: options[:open], seen: @file&.seen || {})
      end

      # Nothing is made of what a cluster did not say, but for what it said before: the file begins once each has.
      # @param answer [Answer]
      # @return [String] a sentence on what the proxy has
      # @raise [Failure] where the file stays as it was
      def call(answer)
        @services = @from.call(answer.records)
        @whole ||= answer.told? && @answering.call && @from.whole?
        return NOT_YET unless @whole

        @file&.write(@services, @from.seen)
        sentence
      end

      # @return [String] the configuration
      def text
        @engine.render(@services)
      end

      private

      def number(count, word)
        "#{count} #{word}#{'s' unless count == 1}"
      end

      def sentence
        live = @services.reject { |one| one.jobs.empty? }
        refused = @from.refused.sort.map { |code, number| "#{code} #{number}" }.join(', ')
        "The proxy has #{number(live.size, 'service')} with #{number(live.sum { |one| one.jobs.size }, 'job')}" \
          "#{"; jobs that asked for an address and have none: #{refused}" unless refused.empty?}."
      end
    end
  end
end
