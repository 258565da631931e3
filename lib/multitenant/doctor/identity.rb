# frozen_string_literal: true

require_relative '../apps/sharing'
require_relative 'theme'

module MultiTenant
  class Doctor
    # Who is who: munge, groups.
    class Identity < Theme
      CHECKS = { munge: 'munged', munged_groups: 'munged\'s groups', own_groups: 'Your groups',
                 groups: 'Groups of services' }.freeze

      # Groups that are asked about at most.
      MOST = 20

      START = 'Run `systemctl enable --now munge`, with the munge.key of Slurm\'s hosts; its log is ' \
              '/var/log/munge/munged.log.'
      SPARE = ' Or, where Slurm is asked without it, let MULTITENANT_ENVELOPES accept no munge, and no service app ' \
              'have a gateway.'
      CLOCK = 'Set the clock right (`chronyc makestep`): the credential was from the future, or expired at once.'
      REREAD = 'Run `systemctl restart munge`. If that helps, start munged here and on the nodes with ' \
               '--group-check-mtime=0, as it learns of no other change in a directory\'s groups; if not (LDAP ' \
               'without enumeration, as SSSD has it), let service apps seal by key: doc/admins.md, "Envelopes that ' \
               'protect".'

      NO_LOGIN = 'Install munge here, with the key of the nodes\'; or leave it so, as `multitenant login` in a shell ' \
                 'of a host with munge does without.'

      # munged opens what it makes.
      def munge
        return unless core?
        return no_munge unless munge?

        made, read = credential
        return no_credential(made.error) unless made.success?
        return ok('it makes a credential and opens it.') if read.success?

        status = read.out[/^STATUS:\s*(.*)$/, 1] || read.error
        fail!("it made a credential that it can't open: #{status}",
              status.match?(/rewound|expired/i) ? CLOCK : START)
      end

      # It reads the groups now and then, and not all that the name service knows.
      def munged_groups
        return unless core?
        return skip('munge is not installed on this host.') unless munge?
        return skip('MULTITENANT_ENVELOPES does not accept munge.') unless accepted?

        return skip('it does not answer, see above.') unless credential[0].success?

        others = (site.settings.gids - [Process.egid]).first(MOST)
        return skip('this user has only the primary group.') if others.empty?

        unknown = others.select { |gid| credential("--restrict-gid=#{gid}")[1]&.out.to_s =~ /^STATUS:.*\(18\)/ }
        return ok('it knows this user\'s groups.') if unknown.empty?

        names = list(unknown.map { |gid| "group #{gid}" })
        seen = "it does not know that this user is in #{names}"
        return skip("#{seen}, but all is sealed by key here.") if by_key?(unknown)

        warn!("#{seen}, so what is sealed for it can't be opened.", REREAD)
      end

      # A process keeps the groups that it started with.
      def own_groups
        return unless core?
        return skip('run this as a user: root\'s groups don\'t matter.') if site.root?

        told = Names.new.viewer(Site::PATIENCE)
        return warn!(*SILENT) unless told

        compare_groups(site.settings.gids, told)
      end

      # Those that services are shared with, and the publishers'. What a publisher wrote stands in no fix, which people
      # paste.
      def groups
        return unless core?

        site.settings.publishers&.split(',')&.each { |name| look_at_publishers(name) }
        return unless answered?

        names = site.slurm.shares.filter_map { |share| share[:group] }.uniq.grep(Settings::GROUP)
        return ok('nothing is shared with a group now.') if names.empty?

        unknown = names.first(MOST).reject { |name| known?(name) }
        return if @silent
        return ok("the name service knows #{list(names.first(MOST))}.") if unknown.empty?

        warn!("services are shared with #{list(unknown)}, which #{unknown.one? ? 'is no group' : 'are no groups'} on " \
              'this host.', 'See with `getent group NAME` whether it knows a group that should be there, or tell the ' \
                            'publisher.')
      end

      private

      def no_munge
        return skip('munge is not installed on this host.') unless gateways?

        warn!('munge is not installed on this host, so no card lets anybody in at a gateway.', NO_LOGIN)
      end

      # Slurm's packages may bring the programs where its daemons have a way of their own.
      def no_credential(error)
        return fail!("it made no credential: #{error}", START) if slurm_needs_munge?
        return fail!("it made no credential: #{error}", START + SPARE) if accepted? || gateways?

        skip("nothing here needs it, and it made no credential: #{error}")
      end

      # By commands on another host, or by wrappers, which may go there, that host's munged is asked. What is not known
      # may be.
      def slurm_needs_munge?
        here = site.slurm.asked.reject { |one| one.slurmrestd || one.target.over_ssh? || one.target.wrapped? }
        here.any? do |asked|
          config = site.slurm.config(asked.target)
          !config.is_a?(Hash) || config.fetch('AuthType', 'munge').include?('munge')
        end
      end

      def accepted?
        site.settings.envelopes.include?('munge')
      end

      # Not everybody can read what service apps are to seal by; what runs tells it, too. What is for other groups does
      # not: for oneself alone, service apps that seal by key take munge.
      # @return [Boolean]
      def by_key?(gids)
        sealed = site.service_apps.map { |app| Sharing.envelope(SiteSettings.read(app)) }
        groups = site.slurm.records.select { |record| [*gids, nil].include?(record.group_gid) }.map(&:group)
        sealed.concat(site.slurm.shares.filter_map { |share| share[:envelope] if groups.include?(share[:group]&.b) })
        sealed.any? && sealed.all?('key')
      rescue Failure
        false # see the check of all settings
      end

      # Their logins are by munge.
      def gateways?
        site.apps.any? do |app|
          %w[auto required].include?(SiteSettings.read(app)['gateway'])
        rescue Failure
          # What is not known may be, see the check of all settings. Clients have none.
          SiteSettings::APPS.fetch(File.basename(app), SiteSettings::GATEWAY).key?('gateway')
        end
      end

      def munge?
        site.program('munge') && site.program('unmunge')
      end

      # @return [Array(Program::Result, Program::Result)] of munge and unmunge; the latter nil where the first failed
      def credential(*options)
        socket = ["--socket=#{site.munge_socket}"] if site.munge_socket
        made = site.run('munge', '--no-input', *options, *socket)
        [made, (site.run('unmunge', *socket, input: made.out) if made.success?)]
      end

      def compare_groups(own, told)
        if told.empty?
          return warn!('the name service does not know this user.', "Check `getent passwd #{Process.euid}`.")
        end

        lost = own - told
        new = told - own
        return ok("the name service and this process have the same #{own.size}.") if lost.empty? && new.empty?

        parts = [("still has #{list(lost)}" if lost.any?), ("lacks #{list(new)}" if new.any?)].compact
        warn!("this process #{parts.join(' and ')} (by gid), unlike the name service.",
              'Log in again, and restart the web server (Help menu) for the dashboard.')
      end

      def look_at_publishers(name)
        correct = "Correct it in #{site.file_of('MULTITENANT_PUBLISHERS')}."
        if name == Settings::NOBODY
          return fail!('MULTITENANT_PUBLISHERS makes no sense, so nobody may publish.', correct)
        end

        known = known?(name)
        return if @silent
        return ok("#{name} (MULTITENANT_PUBLISHERS) is a group.") if known

        fail!("#{name} (MULTITENANT_PUBLISHERS) is no group on this host, so of it nobody may publish.",
              "#{correct} `getent group #{name.shellescape}` must print it; a value with a \\ needs ' around it.")
      end

      # No group is called unknown once there was no answer.
      def known?(name)
        return numbered?(name) if name.match?(/\A\d+\z/)

        ran = name_service('group', '--', name)
        ran.nil? || ran.success?
      end

      # getent takes digits alone for a gid.
      def numbered?(name)
        gid = Names.new.call([[Process.euid, name]], Site::PATIENCE)&.dig(0, 'group_gid') unless @silent
        return gid != -1 if gid || @silent

        @silent = true
        warn!(*SILENT)
      end
    end
  end
end
