# frozen_string_literal: true

require_relative '../gateway/credential'
require_relative '../gateway/login'
require_relative 'viewer'

module MultiTenant
  class CLI
    # `multitenant login`
    class Login < Viewer
      # Seconds that munged has.
      MUNGE = 5

      # @return [Integer] exit code
      def run
        receiver.ask
        service = found || (check_report && refuse("No service `#{@word}` is shared with you.#{unopened}"))
        specs = receiver.specs.values_at(*service['members']).compact.select { |spec| Gateway.of(spec) }
        if specs.empty?
          raise Failure.new(EX_DATAERR, "#{@word} asks nobody to log in: its card shows all that there is.")
        end

        show(service, *log_in(specs))
        EX_OK
      end

      private

      def options(parser)
        records_options(parser)
        parser.banner = "Usage: multitenant login SERVICE|JOB: #{@does}: eval \"$(multitenant login spanish)\"\n" \
                        'SERVICE: as `multitenant services` lists it, or its name alone.'
      end

      def take(words)
        @word = PlainText.utf8(words.first.to_s)
        refuse("multitenant login takes a service, not `#{words.join(' ')}`") unless words.one?
      end

      # @return [Hash, nil]
      def found
        all = receiver.services
        keys = all.keys.select { |key| key.split('/', 2).last.to_s.then { |name| named?(name) } } unless all.key?(@word)
        if keys && keys.size > 1
          raise Failure.new(EX_USAGE, "There are several `#{@word}`: name one of #{keys.sort.join(', ')}.")
        end

        all[keys ? keys.first : @word] || all.each_value.find { |service| service['members'].include?(@word) }
      end

      def named?(name)
        name == @word || name.partition('@').first == @word
      end

      # The first of its jobs that lets this user in.
      # @return [Array(Hash, Hash)] its spec, and what it gave
      def log_in(specs)
        failures = []
        specs.each do |spec|
          gateway = Gateway.of(spec)
          credential = Gateway::Credential.new(socket: host.munge_socket).make(gateway, MUNGE)
          return [spec, Gateway::Login.new(gateway).call(credential)]
        rescue Failure => e
          failures << e
        end
        raise failures.find { |failure| failure.code != EX_UNAVAILABLE } || failures.first
      end

      # What can't be seen on a screen is left out. The sentence is one quoted word: whoever pastes it into a shell that
      # knows no comments runs nothing of it.
      def show(service, spec, granted)
        whose = PlainText.of("#{service['user']}: #{service['title']}").delete("'")
        puts ": '#{whose}#{until_when(granted)}. It is yours alone.'"
        connection = { **Gateway.connection(spec), **granted }
        puts(ServiceEnvironment.shell(connection) { |value| PlainText.of(value) == value })
      end

      def until_when(granted)
        expires = granted['api_key'].to_s[Gateway::TOKEN, :expires]
        expires ? Time.at(expires.to_i).strftime(', until %Y-%m-%d %H:%M') : ''
      end
    end
  end
end
