# frozen_string_literal: true

require_relative '../installer/release'
require_relative 'theme'

module MultiTenant
  class Doctor
    # The apps of this gem's that are installed, and what running services ask of them.
    class Apps < Theme
      CHECKS = { deliveries: 'Delivery apps', tokens: 'Tokens', hosts: 'Hosts of services', services: 'Service apps',
                 settings: 'App settings' }.freeze

      INSTALL = 'Run `multitenant install` as root.'
      OWN = 'It is the site\'s own: install it, or correct or remove its name in MULTITENANT_DELIVERY.'
      NAMED = 'Install what this site means to have, and let MULTITENANT_DELIVERY allow no more; or tell a publisher.'
      SEE_NODES = 'Run `scontrol show node` as this user: PrivateData may hide nodes. Where a snapshot is kept, its ' \
                  'multitenant-agent may be of an older release: restart it.'
      ADDRESS = 'Where it is an address, write that as the node\'s NodeAddr into slurm.conf, or let set_host of the ' \
                'cluster\'s file in clusters.d tell the name.'
      CORRECT = 'Correct that. Forms follow when they are opened again.'
      VIEW = 'view.html.erb'

      def deliveries
        return unless ood?

        site.settings.deliveries.each do |pattern|
          apps = Dir.glob(site.at(File.join(Host::APPS, pattern.delete_prefix('sys/'))))
          missing = "no app matches #{pattern} (MULTITENANT_DELIVERY), so its cards would be empty."
          apps.empty? ? fail!(missing, cure(pattern)) : apps.each { |app| delivery(app) }
        end
      end

      # The apps that running services name. Anybody may name any, so it is no failure of this host's, and a fix has no
      # word of theirs.
      def tokens
        return unless ood? && core? && answered?

        tokens = site.slurm.tokens
        return ok('no service that this user sees names one now.') if tokens.empty?

        missing = tokens.reject { |token, _| File.directory?(site.at(File.join(Host::APPS, File.basename(token)))) }
        return ok("all that services name are installed: #{list(tokens.keys)}.") if missing.empty?

        named = missing.map { |token, jobs| "#{token}, which job #{list(jobs)} names" }
        warn!("not installed here, so cards would be empty: #{list(named)}.", NAMED)
      end

      # A publisher may write any host.
      def hosts
        return unless core? && answered?

        shares = site.slurm.shares.select { |share| share[:specs] == 'ok' && share[:host] }
        return skip('this user has no service that tells one now; a member of a service\'s group has.') if shares.empty?

        unknown = shares.select { |share| share[:own_host].nil? }
        others = shares.select { |share| share[:own_host] == false }
        warn!("the nodes of job #{jobs(unknown)} are not known, so no button leads to its host.", SEE_NODES) if
          unknown.any?
        others!(others) if others.any?
        ok('no button leads to a host that is not its job\'s own.') if [unknown, others].all?(&:empty?)
      end

      # Not everybody is meant to start services.
      def services
        paths = of_the_gem('services').map { |name| site.at(File.join(Host::APPS, name)) }
        paths = paths.select { |path| File.directory?(path) }
        return skip('none is installed.') if paths.empty?

        odd = paths.reject { |path| service?(File.stat(path)) }
        odd.each do |path|
          warn!("#{path} is not root's with mode 0750 and a group of its own, so others can start services with it.",
                "Run `multitenant install --services-group GROUP`, or `chown root:GROUP #{path}; chmod 0750 #{path}`.")
        end
        ok("only their groups can start #{list(paths.map { |path| File.basename(path) })}.") if odd.empty?
      end

      # A form shows the same sentence in its place.
      def settings
        return skip('no app that this user can read has any.') if site.apps.empty?

        wrong = site.apps.count { |app| wrong?(app) }
        ok("each value makes sense in #{list(site.apps)}.") if wrong.zero?
      end

      private

      # @return [Array<String>] names
      def of_the_gem(part)
        apps = Release.new(site.gem_dir || File.expand_path('../../..', __dir__)).apps(part)
        apps.map { |path| File.basename(path) }
      end

      # @param name [String] of an app, or of several, with a star
      # @return [String] what there is to do where it is missing
      def cure(name)
        of_the_gem('delivery').any? { |one| File.fnmatch?(File.basename(name), one) } ? INSTALL : OWN
      end

      def jobs(shares)
        list(shares.map { |share| share[:key] })
      end

      def others!(shares)
        domains = site.settings.node_domains
        warn!("the host that job #{jobs(shares)} names is none of its nodes', so no button leads there.",
              "Where it is a node's name with another domain, name that: MULTITENANT_NODE_DOMAINS (now " \
              "#{domains.empty? ? 'none' : domains.join(',')}). #{ADDRESS}")
      end

      def wrong?(app)
        told = SiteSettings.read(app)
        # One of the site's own may share nothing.
        key = told['wckey'] if SiteSettings::APPS.key?(File.basename(app))
        [unasked?(app, key), nowhere?(app, told['cluster'])].any?
      rescue Failure => e
        fail!(e.sentence, CORRECT)
        true
      end

      # Another host's dashboards may ask for it.
      def unasked?(app, key)
        keys = site.settings.wckeys
        return false if key.nil? || keys.include?(key.downcase.delete_prefix('*'))

        warn!("#{app} shares under the WCKey #{key}, and dashboards here ask for #{list(keys)}, so none finds it.",
              'Write another `wckey:` into its site.yml, or add this one to MULTITENANT_WCKEY.')
        true
      end

      # Not every user can read what is there, but its name is the id. Who can't list it has no cluster at all, as the
      # theme Accounting says.
      def nowhere?(app, id)
        files = site.cluster_files or return false
        return false if files.any? { |file| File.basename(file, '.*') == id }

        missing = File.join(site.clusters_path, "#{id}.yml")
        fail!("#{app} is to use the cluster #{id}, and there is no #{missing}, so it has no form.",
              'Write the id of one that is there as `cluster:` into its site.yml.')
        true
      end

      def service?(stat)
        stat.uid.zero? && !stat.gid.zero? && stat.mode & 0o7777 == 0o750
      end

      # OOD runs what is in it as the user.
      def delivery(app)
        return fail!("#{app} is no directory.", cure(app)) unless File.directory?(app)
        return fail!("not every user can enter #{app}, so the card would be empty.", "Run `chmod 0755 #{app}`.") unless
          File.stat(app).mode.allbits?(0o005)

        odd = [app, *Dir.glob(File.join(app, '**/*'), File::FNM_DOTMATCH)].find { |path| !SystemFile.secure?(path) }
        return not_roots!(odd, ', and it runs as every user') if odd

        view = File.join(app, VIEW)
        return fail!("there is no #{view}, so the card would be empty.", cure(app)) unless File.file?(view)
        return fail!("not every user can read #{view}.", "Run `chmod 0644 #{view}`.") if File.stat(view).mode.nobits?(4)

        ok("#{app} has a view, and only root can change it.")
      end
    end
  end
end
