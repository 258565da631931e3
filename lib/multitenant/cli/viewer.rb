# frozen_string_literal: true

require_relative '../../multitenant'
require_relative '../sources/records_file'
require_relative 'command'

module MultiTenant
  class CLI
    # A command about what this user sees, with the settings, clusters and data root of his dashboard.
    class Viewer < Command
      private

      def records_options(parser)
        parser.on('--records FILE', 'record streams of this file (- is standard input), not Slurm\'s') do |v|
          @options[:records] = v
        end
        parser.on('--dataroot DIR', 'OOD\'s data root; default: this user\'s') { |v| @options[:dataroot] = v }
      end

      def receiver
        @receiver ||= begin
          settings = settings_of(environment)
          source = @options[:records] ? RecordsFile.new(@options[:records]) : site(settings)
          core = settings.to_core(dataroot: dataroot,
                                  per_cluster_dataroot: environment['OOD_PER_CLUSTER_DATAROOT'] == 'true')
          Receiver.new(settings, source: source, clusters: clusters, core: core, log: ->(*) {})
        end
      end

      # A part may have been decided although another cluster's stream was not complete.
      def check_report
        report = receiver.report
        raise Failure.new(report['code'], report['error']) if report['error']

        EX_OK
      end

      # Slurm, or its snapshot, as this host's configuration says it.
      def site(settings)
        Sources.of(settings, clusters, gids: settings.method(:gids), log: ->(*) {})
      end

      # What the dashboard's processes are started with, as far as it is ours, and what is set here.
      def environment
        @environment ||= Settings.env_file(Settings::ENV_FILE).merge(ENV.to_h).tap do |env|
          ENV['SLURM_CONF'] = env['SLURM_CONF'] if env['SLURM_CONF'] # the query program's
        end
      end

      def settings_of(env)
        Settings.new(env).tap { |settings| settings.warnings.each { |w| CLI.complain(w, EX_CONFIG) } }
      end

      def clusters
        @clusters ||= Clusters.from_files(environment['OOD_CLUSTERS'] || Clusters::CONFIG)
      end

      def dataroot
        portal = environment.fetch('OOD_PORTAL', 'ondemand')
        File.expand_path(@options[:dataroot] || environment['OOD_DATAROOT'] || "~/#{portal}/data/sys/dashboard")
      end
    end
  end
end
