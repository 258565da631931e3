# frozen_string_literal: true

require_relative '../clusters'
require_relative '../installer/dashboard_ruby'
require_relative '../settings'
require_relative '../installer/site_layout'
require_relative '../files/system_file'

module MultiTenant
  class Doctor
    # This host as the checks see it: files below a root, settings, and what Slurm said, asked once.
    # It is there without the compiled core; what needs that is nil then.
    class Site
      # What became of a program: its exit status and what it printed; exit nil where it did not end.
      Ran = Struct.new(:exit, :out, :err, :why, keyword_init: true) do
        def success?
          exit&.zero? || false
        end

        # @return [String] why there is nothing, or the last line that it said
        def said
          last = [err, out].filter_map { |text| text.lines.map(&:strip).reject(&:empty?).last }.first
          why || last || "status #{exit}"
        end
      end

      # Seconds that a program may take.
      PATIENCE = 5
      SYSTEM_PATH = DashboardRuby::SYSTEM_PATH
      VARIABLES = %w[PATH LD_LIBRARY_PATH SLURM_CONF SLURM_JWT].freeze

      # @return [SiteLayout]
      attr_reader :layout
      # @return [#[]] variables of this process
      attr_reader :env

      # @param root [String]
      # @param env [#[]]
      def initialize(root:, env:)
        @layout = SiteLayout.new(root)
        @env = env
      end

      # @return [String] where a path of the host is
      def at(path)
        layout.at(path)
      end

      # @return [String] the dashboard's file of variables
      def env_path
        at(Settings::ENV_FILE)
      end

      # @return [Hash{String => String}] as the other commands have it: the file, and this process's over it
      def environment
        @environment ||= layout.env.merge(env.to_h)
      end

      # @return [Settings]
      def settings
        @settings ||= Settings.new(environment)
      end

      # @return [String] where OOD has its clusters
      def clusters_path
        at(environment['OOD_CLUSTERS'] || Clusters::CONFIG)
      end

      # @return [Clusters]
      def clusters
        @clusters ||= Clusters.from_files(clusters_path)
      end

      # @return [DashboardRuby]
      def dashboard_ruby
        @dashboard_ruby ||= DashboardRuby.new(layout)
      end

      # @return [String, nil] the directory of the gem that a dashboard loads, where that is known and safe
      def gem_dir
        return @gem_dir if defined?(@gem_dir)

        @gem_dir = begin
          dashboard_ruby.gem_dir
        rescue InstallFailure
          nil
        end
      end

      # @return [String] directories of the user's own, as OOD names them
      def dataroot
        portal = environment.fetch('OOD_PORTAL', 'ondemand')
        home = environment['HOME'] || Dir.home
        File.expand_path(environment['OOD_DATAROOT'] || File.join(home, portal, 'data/sys/dashboard'))
      end

      def root?
        Process.euid.zero?
      end

      # ---- what needs the core ----

      # @return [Boolean]
      def core?
        core_error.nil?
      end

      # @return [String, nil] why the core can't be loaded here
      def core_error
        return @core_error if defined?(@core_error)

        @core_error = begin
          require_relative '../../multitenant'
          nil
        rescue LoadError, StandardError => e
          "#{e.class}: #{e.message.lines.first.to_s.strip}"
        end
      end

      # Runs a program with a deadline.
      # @param name [String] a path, or a name that is looked for in PATH
      # @return [Ran, nil] nil: it is not there
      def run(name, *args, seconds: PATIENCE, input: nil)
        path = program(name) or return

        conf = { 'SLURM_CONF' => clusters.targets.first.conf }.compact # as OOD's own commands have it
        variables = environment.slice(*VARIABLES).merge(conf).map { |key, value| "#{key}=#{value}" }
        result = Native.run([path, *args], [*variables, 'LC_ALL=C'], seconds, input)
        texts = result.slice(:out, :err).transform_values { |text| PlainText.utf8(text.to_s) }
        Ran.new(exit: result[:exit], **texts, why: why(name, result, seconds))
      end

      # @return [String, nil] path
      def program(name)
        return name if name.include?('/')

        dirs = [*environment['PATH'].to_s.split(':'), *(SYSTEM_PATH.split(':') if layout.root.empty?)].uniq
        dirs.map { |dir| File.join(dir, name) }.find { |path| File.file?(path) && File.executable?(path) }
      end

      # @return [Slurm] what Slurm said
      def slurm
        @slurm ||= Slurm.new(self)
      end

      private

      def why(name, result, seconds)
        case result[:status]
        when :ok then result[:exit] ? nil : "#{name} was ended by signal #{result[:signal]}"
        when :timeout then "#{name} did not end within #{seconds} s and was killed"
        else "#{name} could not be run (#{result[:error] || result[:status]})"
        end
      end
    end
  end
end
