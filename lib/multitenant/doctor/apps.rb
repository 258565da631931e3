# frozen_string_literal: true

require_relative '../installer/release'
require_relative 'theme'

module MultiTenant
  class Doctor
    # The apps that show a card: they are there, for all users, and root's.
    class Apps < Theme
      CHECKS = { deliveries: 'Delivery apps', tokens: 'Tokens', services: 'Service apps' }.freeze

      INSTALL = 'Run `multitenant install` as root.'
      VIEW = 'view.html.erb'

      def deliveries
        site.settings.deliveries.each do |pattern|
          apps = Dir.glob(site.at(File.join(Host::APPS, pattern.delete_prefix('sys/'))))
          next fail!("no app is #{pattern} (MULTITENANT_DELIVERY): its cards would be empty.", INSTALL) if apps.empty?

          apps.each { |app| delivery(app) }
        end
      end

      # What services name now.
      def tokens
        return unless core? && answered?

        tokens = site.slurm.tokens
        missing = tokens.reject { |token, _| File.directory?(path_of(token)) }
        missing.each do |token, jobs|
          fail!("#{token}, which job #{list(jobs)} names, is not installed here: the card would be empty.",
                "Put that app at #{path_of(token)}, or take it out of MULTITENANT_DELIVERY.")
        end
        return if missing.any?

        ok(tokens.empty? ? 'no service that this user has names one now.' : "#{list(tokens.keys)}: installed.")
      end

      # They start services, which not everybody is meant to.
      def services
        names = Release.new(site.gem_dir || File.expand_path('../../..', __dir__)).apps('services')
        paths = names.map { |name| site.at(File.join(Host::APPS, File.basename(name))) }
        paths = paths.select { |path| File.directory?(path) }
        return skip('none of this gem\'s is installed.') if paths.empty?

        odd = paths.reject { |path| service?(File.stat(path)) }
        odd.each do |path|
          warn!("#{path} is not root's with mode 0750 and a group of its own: other users may start services with it.",
                "Run `multitenant install --services-group GROUP`, or `chown root:GROUP #{path}; chmod 0750 #{path}`.")
        end
        ok("#{list(paths.map { |path| File.basename(path) })}: for their groups alone.") if odd.empty?
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
        return closed(app) unless open_to_all?(app)

        odd = [app, *Dir.glob(File.join(app, '**/*'), File::FNM_DOTMATCH)].find { |path| !SystemFile.secure?(path) }
        return fail!("others than root may have written #{odd}, which is run as every user.", own(odd)) if odd

        view = File.join(app, VIEW)
        return fail!("there is no #{view}: the card would be empty.", INSTALL) unless File.file?(view)
        return fail!("not every user may read #{view}.", "Run `chmod 0644 #{view}`.") if File.stat(view).mode.nobits?(4)

        ok("#{app} is root's and has a view.")
      end

      def open_to_all?(app)
        File.stat(app).mode.allbits?(0o005)
      end

      def closed(app)
        fail!("not every user may enter #{app}: the card would be empty.", "Run `chmod 0755 #{app}`.")
      end
    end
  end
end
