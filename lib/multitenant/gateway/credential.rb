# frozen_string_literal: true

require_relative '../programs/program'
require_relative '../receiver/credentials'

module MultiTenant
  class Gateway
    # What this process's user shows at a gateway: munged's word of who they are, which the publisher alone can open.
    # The program multitenant-munge has it made.
    class Credential
      TTL = 180

      # @param socket [String, nil] munged's; nil: libmunge's default
      # @param program [String] path
      def initialize(socket: nil, program: Credentials::PROGRAM)
        @options = socket ? ['--socket', socket] : []
        @program = Program.new(program, name: 'The munge program', fix: Program::REBUILD)
      end

      # @param gateway [Gateway]
      # @param seconds [Float] the deadline
      # @return [String]
      # @raise [Failure]
      def make(gateway, seconds)
        result = @program.call(*Program.timeout(seconds), '--for', gateway.publisher, '--ttl', TTL.to_s, *@options,
                               seconds: seconds, input: gateway.payload)
        raise Failure.new(result.code, result.error) unless result.success?

        JSON.parse(result.out.lines.first.to_s).fetch('credential')
      rescue JSON::ParserError, KeyError
        raise Failure.new(EX_UNAVAILABLE, 'The munge program gave no credential.')
      end
    end
  end
end
