# frozen_string_literal: true

require 'json'
require 'socket'
require_relative '../errors'
require_relative '../gateway'
require_relative '../host/clock'

module MultiTenant
  class Gateway
    # Logs in: one request and its answer, within a time and a number of bytes. It asks no proxy, and goes nowhere else.
    class Login
      SECONDS = 15
      BYTES = 64 * 1024
      ANSWER = %r{\AHTTP/1\.[01] (\d{3})\b.*?\r\n\r\n(.*)\z}mn
      ACCOUNT = { 'user' => /\A\w{1,64}\z/, 'password' => /\A[\w-]{1,128}\z/ }.freeze

      # @param gateway [Gateway]
      def initialize(gateway)
        @gateway = gateway
        @place = "#{gateway.host}:#{gateway.port}"
      end

      # @param credential [String]
      # @param seconds [Float] the deadline
      # @return [Hash{String => String}] "api_key", the tenant's token; or of a database "user" and "password"
      # @raise [Failure] why not
      def call(credential, seconds: SECONDS)
        @until = MultiTenant.clock + seconds
        status, body = post(JSON.generate(credential: credential)).match(ANSWER)&.captures
        answer = parse(body)
        raise refusal(status, answer) unless status == '200'

        granted(answer) || raise(unclear)
      rescue SystemCallError, SocketError => e
        raise Failure.new(EX_UNAVAILABLE, "Nothing answers at #{@place}, where you would log in (#{cause(e)}): the " \
                                          'service may have ended.')
      end

      private

      def post(body)
        Socket.tcp(@gateway.host, @gateway.port.to_i, connect_timeout: left) do |socket|
          socket.write("POST #{PATH} HTTP/1.0\r\nHost: #{@place}\r\nContent-Type: application/json\r\n" \
                       "Accept: application/json\r\nContent-Length: #{body.bytesize}\r\n\r\n#{body}")
          read(socket)
        end
      end

      def read(socket)
        answer = ''.b
        while answer.bytesize < BYTES
          case part = socket.read_nonblock(BYTES, exception: false)
          when nil then break
          when :wait_readable then socket.wait_readable(left) || raise(Errno::ETIMEDOUT)
          else answer << part
          end
        end
        answer
      end

      # @return [Float] seconds
      def left
        seconds = @until - MultiTenant.clock
        seconds.positive? ? seconds : raise(Errno::ETIMEDOUT)
      end

      def parse(body)
        answer = JSON.parse(body.to_s.dup.force_encoding(Encoding::UTF_8))
        answer.is_a?(Hash) ? answer : {}
      rescue JSON::ParserError, EncodingError
        {}
      end

      # @return [Hash, nil] what is as a gateway says it
      def granted(answer)
        token = answer['token'].to_s
        return { 'api_key' => token } if token[TOKEN, :uid] == Process.uid.to_s

        account = answer.slice(*ACCOUNT.keys)
        account if ACCOUNT.all? { |name, form| account[name].is_a?(String) && account[name].match?(form) }
      end

      def refusal(status, answer)
        return unclear unless status && answer['sentence'].is_a?(String)

        code = status == '503' ? EX_TEMPFAIL : EX_NOPERM
        Failure.new(code, "#{@place} does not let you in: #{answer['sentence'].scrub[0, 300]}")
      end

      def unclear
        Failure.new(EX_UNAVAILABLE, "What answers at #{@place} is not this service's gateway.")
      end

      def cause(error)
        error.message.split(' - ').first.to_s.scrub[0, 80]
      end
    end
  end
end
