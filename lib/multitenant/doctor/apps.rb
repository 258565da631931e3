# frozen_string_literal: true

require_relative '../installer/release'
require_relative 'theme'

module MultiTenant
  class Doctor
    # The apps that show a card: installed, for all users, and root's.
    class Apps < Theme
      CHECKS = { deliveries: 'Delivery apps', tokens: 'Tokens', services: 'Service apps' }.freeze

      INSTALL = 'Run `multitenant install` as root.'
      VIEW = 'view.html.erb'

      def deliveries
        site.settings.deliveries.each do |pattern|
          apps = Dir.glob(site.at(File.join(Host::APPS, pattern.delete_prefix('sys/'))))
          missing = "no app matches #{pattern} (MULTITENANT_DELIVERY), so its cards would be empty."
          apps.empty? ? fail!(missing, INSTALL) : apps.each { |app| delivery(app) }
        end
      end

      # The apps that running services name.
      def tokens
        return unless core? && answered?

        tokens = site.slurm.tokens
        missing = tokens.reject { |token, _| File.directory?(path_of(token)) }
        missing.each do |token, jobs|
          fail!("#{token}, which job #{list(jobs)} names, is not installed here, so the card would be empty.",
                "Put that app at #{path_of(token)}, or remove it from MULTITENANT_DELIVERY.")
        end
        return ok('no service that this user sees names one now.') if tokens.empty?

        ok("all that services name are installed: #{list(tokens.keys)}.") if missing.empty?
      end

      # Not everybody is meant to start services.
      def services
        names = Release.new(site.gem_dir || File.expand_path('../../..', __dir__)).apps('services')
        paths = names.map { |name| site.at(File.join(Host::APPS, File.basename(name))) }
        paths = paths.select { |path| File.directory?(path) }
        return skip('none is installed.') if paths.empty?

        odd = paths.reject { |path| service?(File.stat(path)) }
        odd.each do |path|
          warn!("#{path} is not root's with mode 0750 and a group of its own, so others can start services with it.",
                "Run `multitenant install --services-group GROUP`, or `chown root:GROUP #{path}; chmod 0750 #{path}`.")
        end
        ok("only their groups can start #{list(paths.map { |path| File.basename(path) })}.") if odd.empty?
      end

      private

      def path_of(token)
        site.at(File.join(Host::APPS, token.delete_prefix('sys/')))
      end

      def service?(stat)
        stat.uid.zero? && !stat.gid.zero? && stat.mode & 0o7777 == 0o750
      end

      # OOD runs what is in it as the user.
      def delivery(app)
        return fail!("#{app} is no directory.", INSTALL) unless File.directory?(app)
        return fail!("not every user can enter #{app}, so the card would be empty.", "Run `chmod 0755 #{app}`.") unless
          File.stat(app).mode.allbits?(0o005)

        odd = [app, *Dir.glob(File.join(app, '**/*'), File::FNM_DOTMATCH)].find { |path| !SystemFile.secure?(path) }
        return not_roots!(odd, ', and it runs as every user') if odd

        view = File.join(app, VIEW)
        return fail!("there is no #{view}, so the card would be empty.", INSTALL) unless File.file?(view)
        return fail!("not every user can read #{view}.", "Run `chmod 0644 #{view}`.") if File.stat(view).mode.nobits?(4)

        ok("#{app} has a view, and only root can change it.")
      end
    end
  end
end
