# frozen_string_literal: true

require_relative 'apps/sharing'
require_relative 'apps/site_settings'
require_relative 'installer/agent_setup'
require_relative 'installer/app_settings'
require_relative 'installer/dashboard_ruby'
require_relative 'installer/envelope_choice'
require_relative 'installer/install_options'
require_relative 'installer/install_plan'
require_relative 'installer/manifest'
require_relative 'installer/release'
require_relative 'settings'
require_relative 'host'
require_relative 'installer/site_tree'
require_relative 'installer/uninstall_plan'

module MultiTenant
  # Puts the gem, the initializer, the apps and the agent's unit where Open OnDemand finds them, and
  # takes them out again. It works without the compiled core, which may be of another Ruby.
  class Installer
    OLD_READERS = 'As dashboards that load one stop at any other envelope, service apps share in v1, which all users ' \
                  'of the cluster can read. When none loads it any more, write `old_readers: "no"` in their site.yml ' \
                  'where munged knows users\' groups, or else with `envelope: "key"` once groups have keys ' \
                  '("Envelopes that protect" in doc/admins.md).'

    # @param options [Hash] as {InstallOptions.add_to} fills it
    # @param out [IO] gets a line for each action
    # @param root [String] DESTDIR, unless the options name one
    def initialize(options, out:, root: '')
      @out = out
      @host = Host.new(root: options[:root] || root, env: {}, ood_version: options[:ood_version])
      @options = InstallOptions.new(options, @host)
      @tree = SiteTree.new(@host)
      @ruby = DashboardRuby.new(@host)
      @notes = []
    end

    # @return [Integer] exit code
    def install
      run('install') do
        @options.check
        target = @host.initializer
        release = provide_gem
        plan = InstallPlan.new(@tree, manifest, items(release, target), parts)
        check_plugin(target)
        setup = agent_setup(release.unit_setting('User')) if @options.agent?
        @account = release.unit_setting('User') if setup&.account_missing?
        carry_out(plan, setup)
        say_what_is_left_to_do(release, setup)
      end
    end

    # @return [Integer] exit code
    def uninstall
      run('uninstall') do
        if manifest.entries.empty? && !manifest.pending
          next @out.puts("Nothing is installed: there is no #{@host.at(Host::MANIFEST)}.")
        end

        plan = UninstallPlan.new(@tree, manifest)
        setup = agent_setup(manifest.account) if manifest[Host::UNIT]
        stop_agent(setup) if setup
        take_out(plan)
        setup&.forget
        say_how_the_rest_goes
      end
    end

    private

    def run(command)
      fail!(EX_NOPERM, 'This takes root.', fix: 'Run it with sudo.') unless Process.euid.zero?

      fail!(EX_USAGE, "--root: #{@host.root} is no directory.") unless File.directory?(@host.at('/'))
      locked do
        sweep
        yield
      end
      EX_OK
    rescue Failure => e
      e = Failure.usage("multitenant #{command}", e.message) if e.code == EX_USAGE
      complain(e.message, e.code)
    rescue SystemCallError => e
      what, where = e.message.split(/ @ \S+ - /)
      complain("#{[where, what].compact.join(': ')}. Fix that and run the command again.", EX_CANTCREAT)
    end

    def complain(sentence, code)
      warn "multitenant: #{sentence}"
      code
    end

    def fail!(code, sentence, fix: nil)
      raise Failure.new(code, sentence, fix: fix)
    end

    # Two at once would each undo the other's manifest.
    def locked
      return yield if @options.dry_run?

      @tree.make_state(Host::STATE)
      File.open(@host.at(Host::STATE)) do |dir|
        unless dir.flock(File::LOCK_EX | File::LOCK_NB)
          fail!(EX_CANTCREAT, 'Another installation is at work.', fix: 'Wait for its end.')
        end

        begin
          yield
        ensure
          @tree.remove(Host::STATE) # where nothing is in it
        end
      end
    end

    def manifest
      @manifest ||= Manifest.read(@host.at(Host::MANIFEST))
    end

    # What a killed run was writing when it was killed.
    def sweep
      return if @options.dry_run?

      @tree.sweep(Host::MANIFEST)
      manifest.entries.select(&:file?).each { |entry| @tree.sweep(entry.path) } if manifest.pending
    end

    # ---- gem ----

    # @return [Release] of the gem that a dashboard loads
    def provide_gem
      file = @options.gem
      version = file ? DashboardRuby.spec(file).version.to_s : VERSION
      install_gem(file, version) if file
      return Release.new(File.expand_path('../..', __dir__)) if @would_run

      dir = @ruby.expect(version)
      @ruby.check_core(dir)
      @gem_dir = dir
      @out.puts "#{@gem_installed ? 'written' : 'kept'} #{dir.delete_prefix(@host.root)}"
      Release.new(dir)
    end

    def install_gem(file, version)
      @gem_sha256 = Digest::SHA256.file(file).hexdigest
      there = @ruby.gem_dir
      return if there && DashboardRuby.version(there) == version && manifest.gem == @gem_sha256

      if @options.dry_run?
        @would_run = true
        return @out.puts "would run #{@ruby.command(*@ruby.install_command(file))}"
      end
      @ruby.install(file, version)
      @gem_installed = true
    end

    # ---- what is installed ----

    def parts
      apps = @options.apps.select { |part| part != 'services' || services_group }
      ['initializer', *apps, ('agent' if @options.agent?)].compact
    end

    # Once given, it holds for later installations.
    def services_group
      @options.services_group ||
        manifest.entries.find { |entry| entry.part == 'services' && entry.directory? && !entry.gid.zero? }&.gid
    end

    def items(release, target)
      items = (parts & Release::APPS.keys).flat_map do |part|
        release.app_items(part, group: (services_group if part == 'services'))
      end
      items.each { |item| settle(item) if item.entry.kind == 'site' }
      without_services(release) if @options.apps.include?('services') && !parts.include?('services')
      items + agent_items(release) + release.initializer(target)
    end

    def agent_items(release)
      return [] unless @options.agent?
      return release.agent(@gem_dir && @ruby.service(@gem_dir, 'multitenant-agent')) if release.unit?

      fail!(EX_CONFIG, '--agent: this release has no agent.')
    end

    def without_services(release)
      sentence = 'The services need --services-group GROUP, whose members may start them.'
      fail!(EX_USAGE, sentence) if @options.services_said?
      @notes << "Services are not installed. #{sentence}" if release.apps('services').any?
    end

    # An app's settings: the admin's if there are any, with what is new in this release.
    def settle(item)
      path = item.entry.path
      kept = settings_before(path)
      settings = AppSettings.new(item.bytes).set(@options.defaults)
      settings.set(sealing) if !kept && settings.keys.include?('envelope')
      @options.need_cluster if !kept && item.entry.part == 'services' && settings.keys.include?('cluster')
      settings = AppSettings.new(@tree.read(kept)).rename(SiteSettings::RENAMED).append_new(settings) if kept
      item.replace(settings.set(@options.settings).to_s)
      return unless item.entry.part == 'clients'

      note_origin(path) if empty?(item, 'origin')
      note_cluster(path) if empty?(item, 'cluster')
    end

    # This host may know nothing of the installation that wrote them: several share a directory of apps, or /var is new.
    # One that was interrupted may have moved them aside.
    # @return [String, nil] path of the app's settings
    def settings_before(path)
      app = File.dirname(path)
      saved = File.join(Host::STATE, "#{File.basename(app)}.site.yml")
      known = [(path if manifest[path]), saved].compact.find { |one| @tree.file?(one) }
      return known if known

      aside = manifest.entries.select { |entry| entry.moved? && entry.path == app }.map(&:to).reverse
      other = [app, *aside].map { |dir| File.join(dir, Release::SITE) }.find { |one| ours?(one) }
      @notes << "#{other} is of another installation of MultiTenant: its settings are kept." if other
      other
    end

    # @return [Boolean] the file is an app's settings
    def ours?(path)
      @tree.file?(path) && AppSettings.new(@tree.read(path)).keys.include?('cluster')
    end

    def empty?(item, key)
      item.bytes.match?(/^#{key}:[ \t]*(?:""|'')?[ \t]*(?:#.*)?$/)
    end

    def note_cluster(path)
      ids = @host.clusters.ids
      @notes << "Write the id of one of Open OnDemand's clusters#{" (#{ids.join(', ')})" if ids.any?} as cluster " \
                "into #{path}, or name it by --cluster: without it the app has no form."
    end

    def note_origin(path)
      found = " (#{@host.origin})" if @host.origin
      @notes << "Write where browsers find Open OnDemand#{found} as origin into #{path}: without it a page of " \
                'another host of the same domain can run commands in a user\'s Jupyter.'
    end

    # What a new service app begins with: what those before it have, or on a new site what protects.
    # @return [Hash{String => String}]
    def sealing
      @sealing ||= begin
        old = InstallPlan.initializers_before(@tree, manifest)
        before = @tree.glob(File.join(Host::APPS, 'multitenant-*', Release::SITE)).select { |path| service?(path) }
        if before.empty? ? old.any? : before.any? { |path| v1?(path) }
          @notes << "#{old.first} is another MultiTenant's. #{OLD_READERS}" if old.any?
          {}
        else
          choice = EnvelopeChoice.new(@host, services_group)
          @notes << choice.told
          { 'old_readers' => 'no', 'envelope' => choice.envelope }
        end
      end
    end

    # @return [Boolean] these are a service app's settings, of this installation or another
    def service?(path)
      return manifest[path].part == 'services' if manifest[path]

      SiteSettings::APPS.dig(File.basename(File.dirname(path)), 'envelope') && ours?(path)
    end

    def v1?(path)
      Sharing.envelope(SiteSettings.read(File.dirname(@host.at(path)))) == 'v1'
    rescue Failure
      true
    end

    # In production OOD silently ignores a plugin in which one file is not root's.
    def check_plugin(target)
      return unless target == Host::PLUGIN

      dir = File.dirname(target)
      paths = @tree.children(dir).map { |name| @host.at(File.join(dir, name)) }
      odd = paths.find { |path| !File.lstat(path).uid.zero? }
      return unless odd

      fail!(EX_CANTCREAT, "#{odd} is not root's, so OOD would not load the plugin.", fix: "Run `chown root #{odd}`.")
    end

    def agent_setup(user)
      AgentSetup.new(@host, user, out: @out, dry_run: @options.dry_run?)
    end

    # The account goes if we made it.
    def stop_agent(setup)
      setup.stop
      setup.remove_account if manifest.account
      manifest.account = nil
    end

    # ---- the work ----

    def carry_out(plan, setup)
      fresh = @gem_sha256 && @gem_sha256 != manifest.gem && !@would_run
      work = !@options.dry_run? && (plan.changes? || fresh || @account)
      write_manifest(plan.pending) if work
      make_account(setup, plan) if setup
      perform(plan.actions)
      setup&.start(plan.written?(Host::UNIT))
      write_manifest(plan.final.tap { |final| final.gem = @gem_sha256 || manifest.gem }) if work
      @out.puts 'Nothing was changed.' unless work
    end

    # Where it can't be made an admin may make it: then it is theirs, and stays.
    def make_account(setup, plan)
      setup.make_account
    rescue Failure
      @account = nil
      write_manifest(plan.pending)
      raise
    end

    def take_out(plan)
      dry_run = @options.dry_run?
      perform(plan.removals)
      write_manifest(plan.pending) unless dry_run
      perform(plan.returns)
      return @out.puts('Nothing was changed.') if dry_run
      return write_manifest(plan.final) if plan.final.entries.any?

      @tree.remove(Host::MANIFEST)
    end

    def perform(actions)
      actions.each do |action|
        action.work&.call unless @options.dry_run?
        @out.puts action.told(@options.dry_run?)
      end
    end

    def write_manifest(new)
      @tree.make_state(Host::STATE)
      @tree.guard(Host::MANIFEST)
      new.account = @account || manifest.account
      new.write(@host.at(Host::MANIFEST))
    end

    # ---- what is printed at the end ----

    def say_what_is_left_to_do(release, setup)
      @notes.each { |note| @out.puts note }
      setup&.finish(@gem_dir && @ruby.service(@gem_dir, 'multitenant', *AgentSetup::JOBS))
      lines = env_lines(release)
      @out.puts "Add to #{Host::ENV_FILE}: #{lines.join(' and ')}." if lines.any?
      @out.puts "Then run #{@ruby.command(command_of_the_gem, 'doctor')}."
    end

    # An admin's shell may know neither the command nor its Ruby.
    def command_of_the_gem
      (@gem_dir && @ruby.executable(@gem_dir, 'multitenant')) || 'multitenant'
    end

    def env_lines(release)
      key = @options.wckey
      keys = @host.env_file['MULTITENANT_WCKEY'] ? @host.settings.wckeys : []
      missing = key && !@host.settings.wckeys.include?(key)
      no_snapshot = @options.agent? && !@host.env_file['MULTITENANT_SNAPSHOT']
      [('MULTITENANT_ENABLE=true' unless @host.env_file['MULTITENANT_ENABLE'] == 'true'),
       ("MULTITENANT_WCKEY=#{[*keys, key].join(',')}" if missing),
       ("MULTITENANT_SNAPSHOT=/run/#{release.unit_setting('RuntimeDirectory')}" if no_snapshot)].compact
    end

    def say_how_the_rest_goes
      @gem_dir = gem_there
      cards = @ruby.command(command_of_the_gem, 'cards', '--remove-all')
      @out.puts 'Cards in homes hold secrets. They go with MULTITENANT_ENABLE=remove when the dashboard of each user ' \
                "starts, which needs the initializer, or with #{cards}, run by each user, before the gem goes.",
                "Then the gem goes with #{@ruby.gem_command('uninstall', 'ood_multitenant', dir: @gem_dir)}.",
                "Take the MULTITENANT_ lines out of #{Host::ENV_FILE}."
    end

    # All else is taken out already, so that it is no failure where this can't be told.
    def gem_there
      @ruby.gem_dir
    rescue Failure
      nil
    end
  end
end
