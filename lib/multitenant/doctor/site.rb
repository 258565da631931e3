# frozen_string_literal: true

require_relative '../apps/site_settings'
require_relative '../host'
require_relative '../host/system_file'
require_relative '../installer/dashboard_ruby'

module MultiTenant
  class Doctor
    # The host as the checks see it: also the gem that its dashboards load, programs, and what Slurm said, asked once.
    class Site < MultiTenant::Host
      # Seconds that a program may take.
      PATIENCE = 5

      # @param node [Boolean]
      attr_writer :node

      # @return [Boolean] checks may submit a job
      def node?
        @node
      end

      # @return [String] the dashboard's file of variables
      def env_path
        at(ENV_FILE)
      end

      # @return [String] the file that gives dashboards a variable, or would
      def file_of(name)
        stage.key?(name) ? at(STAGE) : env_path
      end

      # @return [DashboardRuby]
      def dashboard_ruby
        @dashboard_ruby ||= DashboardRuby.new(self)
      end

      # @return [String, nil] the directory of the gem that a dashboard loads, where that is known and safe
      def gem_dir
        return @gem_dir if defined?(@gem_dir)

        @gem_dir = begin
          dashboard_ruby.gem_dir
        rescue Failure
          nil
        end
      end

      # @return [Array<String>] directories of installed apps whose site.yml this user can read
      def apps
        paths = Dir.glob(at(File.join(APPS, 'multitenant-*', SiteSettings::FILE)))
        paths.select { |path| File.readable?(path) }.map { |path| File.dirname(path) }
      end

      # @return [Array<String>] those of them that share
      def service_apps
        apps.select { |app| SiteSettings::APPS.dig(File.basename(app), 'envelope') }
      end

      # @return [Boolean] false: a login node, or a JupyterHub's host, where commands need nothing of it
      def ood?
        [OOD_VERSION, APPS].any? { |path| File.exist?(at(path)) }
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

      # Runs a program with a deadline, in the environment of OOD's own commands.
      # @param name [String] a path, or a name that is looked for in PATH
      # @param target [Clusters::Target] whose slurm.conf it has
      # @return [Program::Result, nil] nil: it is not there
      def run(name, *args, seconds: PATIENCE, input: nil, target: clusters.targets.first)
        path = program(name) or return

        Program.new(path).call(*args, seconds: seconds, input: input, from: environment,
                                      set: { 'SLURM_CONF' => target.conf })
      end

      # @return [String, nil] path
      def program(name)
        Program.find(name, [environment['PATH'], (DashboardRuby::SYSTEM_PATH if root.empty?)].compact.join(':'))
      end

      # @return [Slurm] what Slurm said
      def slurm
        @slurm ||= Slurm.new(self)
      end
    end
  end
end
