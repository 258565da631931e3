# frozen_string_literal: true

require 'json'
require_relative '../../multitenant'
require_relative 'command'
require_relative 'plain_text'

module MultiTenant
  class CLI
    # `multitenant open`
    class Open < Command
      USER_MAX = Core::LIMITS[:name]

      # @return [Integer] exit code
      def run
        check
        name = $stdin.binmode.read(2 * Core::LIMITS[:jobname]).to_s.delete_suffix("\n")
        code, accounting, connection, more = Native.open(@options[:job_id], @options[:user], name)
        raise Failure.new(EX_DATAERR, "#{code}: #{Native.reasons.fetch(code).first}") unless code == 'ok'

        puts PlainText.json(JSON.generate({ 'accounting' => accounting, 'connection' => connection, **more }))
        EX_OK
      end

      private

      def options(parser)
        parser.on('--job-id N', Integer, 'the id of the job that has this name') { |v| @options[:job_id] = v }
        parser.on('--user NAME', 'the user of that job') { |v| @options[:user] = v }
      end

      def check
        job_id, user = @options.values_at(:job_id, :user)
        refuse('multitenant open needs --job-id and --user') unless job_id && user
        refuse('--job-id takes 1 to 4294967295') unless (1..0xffffffff).cover?(job_id)
        refuse("--user takes at most #{USER_MAX} bytes") if user.bytesize > USER_MAX
      end
    end
  end
end
