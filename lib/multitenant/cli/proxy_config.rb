# frozen_string_literal: true

require_relative '../../multitenant'
require_relative '../proxy'
require_relative '../sources/records_file'
require_relative 'command'

module MultiTenant
  class CLI
    # `multitenant proxy-config`
    class ProxyConfig < Command
      # Seconds that Slurm has at least, as no page waits for it: who begins anew each time needs to be told of
      # all jobs.
      SECONDS = 30

      # @return [Integer] exit code
      def run
        wrong = Proxy::Keeper.objection(@options) and refuse(wrong)
        host = Host.new.tap(&:enter)
        host.settings.warnings.each { |warning| CLI.complain(warning, EX_CONFIG) }
        keeper = Proxy::Keeper.new(host.settings, host.clusters, @options)
        told = keeper.call(whole(host))
        $stdout.write(keeper.text) unless @options[:output]
        warn "multitenant: #{told}"
        EX_OK
      end

      private

      def options(parser)
        Proxy::Keeper.options(parser, @options)
        parser.on('--records FILE', 'read record streams from FILE (- is standard input), don\'t ask Slurm') do |v|
          @options[:records] = v
        end
      end

      # @return [Answer] in which nothing is missing: what is not named here would leave the proxy
      def whole(host)
        source = @options[:records] ? RecordsFile.new(@options[:records]) : host.sources
        answer = source.call([host.settings.timeout, SECONDS].max)
        raise Failure.new(answer.code, answer.error) if answer.error

        streams = answer.records.flat_map(&:streams)
        return answer if streams.any? && streams.all? { |stream| stream.complete && stream.sees == 'all' }

        raise Failure.new(EX_DATAERR, 'Not all records are whole, or Slurm hides others\' jobs from this account ' \
                                      '(PrivateData): the proxy keeps what it has.')
      end
    end
  end
end
