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
        check_cluster(answer)
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

      # As dashboards ask it; one that Open OnDemand does not know as its first one.
      def source
        return host.sources unless (name = @options[:cluster])

        clusters = host.clusters
        target = clusters.target(name) || clusters.targets.first
        target.cluster = name
        target.job = { **target.job, 'cluster' => name }
        ClusterSource.new(host.settings, target, clusters: clusters, log: ->(*) {})
      end

      # A slurmrestd tells of its own cluster alone.
      def check_cluster(answer)
        asked = @options[:cluster]
        name = answer.records.flat_map(&:streams).first&.cluster
        return if asked.nil? || name.nil? || name.casecmp?(asked)

        raise Failure.new(EX_CONFIG, "#{answer.from} tells of cluster #{name}, not of #{asked}.")
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
