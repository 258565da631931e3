# frozen_string_literal: true

require 'socket'
require_relative '../../errors'
require_relative '../../settings'
require_relative 'peer'

module MultiTenant
  class Slurmrestd
    # One connection to slurmrestd, kept for all questions. It asks no proxy, follows nothing, and bounds each answer in
    # bytes; how long all of it takes is the program's matter.
    class Connection
      # Bytes of an answer, of a line of its head, and lines of that.
      BODY = 16 << 20
      LINE = 8000
      LINES = 100
      PORTS = { 'http' => 6820, 'https' => 443 }.freeze
      STATUS = %r{\AHTTP/1\.[01] (\d{3})\b}

      # The answer is larger than that.
      class TooLarge < Failure; end
      # It is not all there, or is no HTTP.
      class Broken < StandardError; end

      # @return [String]
      attr_reader :url

      # @param url [String] as Settings::SLURMRESTD
      # @param token [Token]
      def initialize(url, token)
        @url = url
        @at = Settings::SLURMRESTD.match(url)
        @head = { 'Host' => [@at[:host] || 'localhost', *@at[:port]].join(':'), 'Accept' => 'application/json',
                  'Connection' => 'keep-alive', 'X-SLURM-USER-NAME' => token.user,
                  'X-SLURM-USER-TOKEN' => token.text }.compact.map { |pair| "#{pair.join(': ')}\r\n" }.join
      end

      # @param path [String] with its query
      # @param most [Integer] bytes of the answer
      # @return [Array(Integer, String)] the status and the body's bytes
      # @raise [Failure]
      def get(path, most: BODY)
        kept = @io
        @io ||= open
        @most = most
        @io.write("GET #{@at[:prefix].to_s.chomp('/')}#{path} HTTP/1.1\r\n#{@head}\r\n")
        answer
      rescue EOFError, Errno::EPIPE, Errno::ECONNRESET
        close
        kept ? retry : raise(Broken, 'it closed the connection')
      rescue Broken
        close # what is left of it is no part of the next answer
        raise
      end

      private

      def close
        @io&.close
        @io = nil
      end

      def open
        if @at[:path]
          UNIXSocket.new(@at[:path]).tap { |socket| Peer.check(socket) }
        else
          socket = TCPSocket.new(@at[:host].delete('[]'), @at[:port] || PORTS[@at[:scheme]])
          socket.setsockopt(:TCP, :NODELAY, true)
          @at[:scheme] == 'https' ? encrypted(socket) : socket.tap { Peer.check(socket) }
        end
      end

      # With the certificates that this host trusts.
      def encrypted(socket)
        require 'openssl'
        context = OpenSSL::SSL::SSLContext.new.tap(&:set_params)
        ssl = OpenSSL::SSL::SSLSocket.new(socket, context)
        ssl.sync_close = true
        ssl.hostname = @at[:host] unless @at[:host].match?(/\A[\d.]+\z|\A\[/)
        ssl.connect
        ssl.post_connection_check(@at[:host].delete('[]'))
        ssl
      rescue OpenSSL::SSL::SSLError => e
        raise Failure.new(EX_NOPERM, "The certificate there is not good, so the token was not sent: #{e.message}.")
      end

      def answer
        line = @io.gets("\r\n", LINE) || raise(EOFError)
        status = line[STATUS, 1] || raise(Broken, 'that is no HTTP')
        headers = head
        bytes = body(headers)
        close if headers['connection'].to_s.casecmp?('close') || line.start_with?('HTTP/1.0')
        [status.to_i, bytes]
      end

      def line
        text = @io.gets("\r\n", LINE).to_s
        text.end_with?("\r\n") ? text.chomp : raise(Broken, 'it is cut')
      end

      def head
        headers = {}
        LINES.times do
          text = line
          return headers if text.empty?

          name, value = text.split(':', 2)
          headers[name.downcase] = value.to_s.strip
        end
        raise Broken, 'its head does not end'
      end

      def body(headers)
        return chunks if headers['transfer-encoding'].to_s.casecmp?('chunked')

        length = headers['content-length']
        return exactly(Integer(length, 10)) if length&.match?(/\A\d{1,18}\z/)

        rest = @io.read(@most + 1).to_s
        close
        rest.bytesize > @most ? too_large : rest
      end

      def chunks
        all = +''.b
        loop do
          size = line[/\A\h{1,8}/]&.hex || raise(Broken, 'it is cut')
          too_large if all.bytesize + size > @most
          all << exactly(size)
          line
          return all if size.zero?
        end
      end

      def exactly(size)
        too_large if size > @most
        bytes = @io.read(size).to_s
        bytes.bytesize == size ? bytes : raise(Broken, 'it is cut')
      end

      def too_large
        close
        raise TooLarge.new(EX_DATAERR, "It answered with more than #{@most >> 20} MiB.")
      end
    end
  end
end
