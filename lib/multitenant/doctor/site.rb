# frozen_string_literal: true

require_relative '../cli/plain_text'
require_relative '../host'
require_relative '../host/system_file'
require_relative '../installer/dashboard_ruby'

module MultiTenant
  class Doctor
    # The host as the checks see it: also the gem that its dashboards load, programs, and what Slurm said, asked once.
    class Site < MultiTenant::Host
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

      # @return [String] the dashboard's file of variables
      def env_path
        at(ENV_FILE)
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
        rescue InstallFailure
          nil
        end
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

        dirs = [*environment['PATH'].to_s.split(':'), *(SYSTEM_PATH.split(':') if root.empty?)].uniq
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
