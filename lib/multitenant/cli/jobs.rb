# frozen_string_literal: true

require_relative 'plain_text'
require_relative 'viewer'

module MultiTenant
  class CLI
    # `multitenant jobs`
    class Jobs < Viewer
      # @return [Integer] exit code
      def run
        if @options[:wckey] && host.settings.warnings.grep(/\AMULTITENANT_WCKEY/).any?
          refuse('--wckey takes names of letters, digits and _.:@+-, separated by commas')
        end

        answer = source.call(seconds)
        texts = answer.texts
        texts = texts.map { |text| PlainText.json(text) } if $stdout.tty?
        $stdout.binmode.write(*texts)
        raise Failure.new(answer.code, answer.error) if answer.error

        EX_OK
      end

      private

      def options(parser)
        parser.on('--wckey K', 'WCKeys to ask for, separated by commas') { |v| @options[:wckey] = v }
        parser.on('--cluster C', 'ask this cluster instead of slurm.conf\'s own') { |v| @options[:cluster] = v }
        parser.on('--timeout S', Float, 'give up after so many seconds') { |v| @options[:timeout] = v }
      end

      def changes
        { 'MULTITENANT_WCKEY' => @options[:wckey] }.compact
      end

      def source
        return host.sources unless @options[:cluster]

        Query.new(host.settings, slurm_conf: host.clusters.targets.first.conf, cluster: @options[:cluster])
      end

      def seconds
        seconds = @options[:timeout] || host.settings.timeout
        most = Core::LIMITS[:timeout].max
        return seconds if (0.2..most).cover?(seconds)

        refuse("--timeout takes 0.2 to #{most.to_i} seconds")
      end
    end
  end
end
