# frozen_string_literal: true

require_relative '../agent/metrics_file'
require_relative 'viewer'

module MultiTenant
  class CLI
    # `multitenant metrics`
    class Metrics < Viewer
      # Where Slurm does not answer, that is among what is told.
      # @return [Integer] exit code
      def run
        metrics = MultiTenant::Metrics.new(settings, anonymous: @options[:anonymous])
        answer = source.call(settings.timeout)
        metrics.note(answer)
        tell(metrics.to_s)
        raise Failure.new(answer.code, answer.error) if answer.error

        EX_OK
      end

      private

      def options(parser)
        parser.on('--records FILE', 'read record streams from FILE (- is standard input), don\'t ask Slurm') do |v|
          @options[:records] = v
        end
        parser.on('--output FILE', 'replace FILE by them, for node_exporter\'s textfile collector') do |v|
          @options[:output] = File.expand_path(v)
        end
        parser.on('--[no-]anonymous', 'no users, groups and jobs; default: where PrivateData has jobs') do |v|
          @options[:anonymous] = v
        end
      end

      # Never the snapshot, in which only the groups of this user are.
      def source
        @options[:records] ? RecordsFile.new(@options[:records]) : host.sources
      end

      def tell(text)
        return MetricsFile.write(@options[:output], text) if @options[:output]

        text = text.lines.map { |line| "#{PlainText.of(line.chomp)}\n" }.join if $stdout.tty?
        print text
      end
    end
  end
end
