# frozen_string_literal: true

require 'pathname'
require_relative '../installer/install_plan'
require_relative 'theme'

module MultiTenant
  class Doctor
    # What a dashboard is started with: its variables, the initializer.
    class Setup < Theme
      CHECKS = { enabled: 'Enabled', settings: 'Settings', shell: 'Shell', initializer: 'Initializer',
                 others: 'Other initializers' }.freeze

      READABLE = 'Run `chmod a+r` on it, and `chmod a+rx` on the directories above it.'
      GEMS_OWN = DashboardRuby::INITIALIZER

      def enabled
        return if File.exist?(site.env_path) && !read?(site.env_path)
        return unless ood?

        path = site.file_of('MULTITENANT_ENABLE')
        add = path == site.env_path ? 'Put the line MULTITENANT_ENABLE=true into' : 'Make MULTITENANT_ENABLE true in'
        add = "#{add} #{path} and restart the web server (Help menu)."
        return fail!("there is no #{path}.", add) unless File.exist?(path)

        value = site.env_file['MULTITENANT_ENABLE']
        return ok("MULTITENANT_ENABLE is true in #{path}.") if value == 'true'
        if value == 'remove'
          return warn!("MULTITENANT_ENABLE is remove in #{path}: dashboards remove our cards, and that is all.", add)
        end

        seen = "MULTITENANT_ENABLE is #{value ? value.inspect : 'not set'} in #{path}: cards that are there stay."
        fail!(seen, "#{add} Or MULTITENANT_ENABLE=remove: dashboards remove them when they start.")
      end

      def settings
        file = Settings.new(site.env_file)
        unknown = site.env_file.keys.grep(/\AMULTITENANT_/) - names
        file.warnings.each { |warning| warn!(warning, "Correct that line in #{site.file_of(warning[/\w+/])}.") }
        unknown.each do |name|
          warn!("#{name} is set in #{site.file_of(name)}, but there is no such setting.",
                'Correct its name, or remove the line.')
        end
        ok('every value makes sense.') if file.warnings.empty? && unknown.empty?
      end

      # Commands in this shell see what dashboards don't.
      def shell
        file = site.env_file
        odd = names.reject { |name| site.env[name].nil? || site.env[name].b == file[name]&.b }
        odd.each do |name|
          path = site.file_of(name)
          where = "#{file.key?(name) ? 'and differently' : 'but not'} in #{path}"
          warn!("#{name} is set in this shell #{where}: commands here use it, dashboards don't.",
                "Run `unset #{name}`, or put it into #{path}.")
        end
        ok('this shell sets no variable that dashboards don\'t have.') if odd.empty?
      end

      def initializer
        return unless ood?

        there = [Host::CLASSIC, Host::PLUGIN].map { |path| site.at(path) }.select { |path| there?(path) }
        case there.size
        when 0 then return fail!('there is none, so nothing is loaded.', 'Run `multitenant install` as root.')
        when 2 then return fail!("there are two, #{there.join(' and ')}.", "Run `rm #{superfluous(there)}` as root.")
        end
        look_at(there[0])
      end

      # Another MultiTenant, beside which ours can't be loaded.
      def others
        ours = [Host::CLASSIC, Host::PLUGIN].map { |path| site.at(path) }
        files = site.initializers.flat_map { |pattern| Dir.glob(site.at(pattern)) }.uniq.sort
        foreign = files.select { |path| readable_text(path)&.match?(InstallPlan::FOREIGN) } - ours
        foreign.each do |path|
          fail!("#{path} defines a MultiTenant of its own, so ours can't be loaded.",
                "Run `mv #{path} #{path}.disabled` as root (`multitenant install` does it).")
        end
        ok('no other initializer defines a MultiTenant.') if foreign.empty?
      end

      private

      # The dashboard reads it as the user.
      # @return [Boolean] as it is to be; else that is told
      def read?(path)
        if !File.readable?(path)
          fail!("#{path} can't be read by this user.", "Run `chmod 0644 #{path}`.")
        elsif !SystemFile.secure?(path)
          not_roots!(path)
        elsif site.root? && roots_alone?(path)
          fail!("only root can read #{path}: no dashboard starts.", READABLE)
        else
          return true
        end
        false
      end

      # @return [Array<String>] every variable that is a setting
      def names
        @names ||= [].tap do |names|
          Settings.new(Hash.new do |_, name|
            names << name
            nil
          end)
        end.uniq + ['MULTITENANT_ENABLE']
      end

      # As an admin with a strict umask leaves it. Open OnDemand starts without the file, but not with one that it can't
      # read; root can read it anyway.
      def roots_alone?(path)
        Pathname.new(path).realpath.ascend.any? do |part|
          stat = part.stat
          bit = stat.directory? ? 0o001 : 0o004
          stat.mode.nobits?(stat.gid.zero? ? bit : bit | (bit << 3))
        end
      end

      def there?(path)
        File.exist?(path) || File.symlink?(path)
      end

      def superfluous(there)
        site.initializer == Host::PLUGIN ? there[0] : there[1]
      rescue Failure
        there[0]
      end

      def look_at(path)
        return fail!("#{path} is a link to nothing.", 'Run `multitenant install` as root.') unless File.exist?(path)
        return not_roots!(path) unless SystemFile.secure?(path)
        return fail!("#{path} can't be read by this user.", "Run `chmod 0644 #{path}`.") unless File.readable?(path)

        text = File.binread(path)
        if text.match?(InstallPlan::FOREIGN) || !text.include?(InstallPlan::OURS)
          fail!("#{path} is not this gem's.", 'Run `multitenant install` as root: it keeps the old file.')
        elsif path == site.at(Host::PLUGIN) && (why = ignored)
          fail!(*why)
        elsif text != File.binread(GEMS_OWN)
          warn!("#{path} comes from another release than this gem (#{VERSION}).", 'Run `multitenant install` as root.')
        else
          ok("#{path} is this gem's, and only root can change it.")
        end
      end

      # In production OOD ignores, without a word, a part of a plugin in which a file is not root's.
      # @return [Array(String, String), nil]
      def ignored
        dir = File.dirname(site.at(Host::PLUGIN))
        odd = Dir.children(dir).map { |name| File.join(dir, name) }.find { |path| !File.stat(path).uid.zero? }
        return ["#{odd} is not root's, so Open OnDemand ignores the plugin.", "Run `chown root #{odd}`."] if odd

        return if site.initializer == Host::PLUGIN

        why = site.plugins == Host::PLUGINS ? 'loads no plugins' : "looks for plugins in #{site.plugins}"
        ["Open OnDemand #{site.ood_version} #{why}.", 'Run `multitenant install` as root: it takes the other place.']
      rescue Failure
        nil # it is not known which OOD this is
      end

      def readable_text(path)
        File.binread(path) if File.file?(path)
      rescue SystemCallError
        nil
      end
    end
  end
end
