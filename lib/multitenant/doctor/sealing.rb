# frozen_string_literal: true

require 'etc'
require_relative '../apps/sharing'
require_relative 'theme'

module MultiTenant
  class Doctor
    # How services are sealed, and whom v1 reaches.
    class Sealing < Theme
      CHECKS = { envelopes: 'Envelopes', keys: 'Groups\' keys', sending: 'Service apps\' envelope',
                 members: 'Lists of members' }.freeze

      # Members of groups that are looked for at most.
      MOST = 20

      # Else nothing would be shared from then on.
      SEAL = 'When no dashboard runs the old initializer any more, write `old_readers: "no"` into the site.yml of ' \
             'each service app, with `envelope: "auto"` where munged knows users\' groups (run doctor as a user: ' \
             '"munged\'s groups"), or else `envelope: "key"` once groups have keys ("Envelopes that protect" in ' \
             'doc/admins.md). When nothing runs in v1 any more, MULTITENANT_ENVELOPES=munge,key closes the site to it.'

      # Each job of a service that is kept running shares as its first one did.
      ANEW = 'No service app that this user can read shares in v1 any more. What was launched before goes on in it ' \
             'until its job ends, or, where it is kept running, until its owner deletes it and launches it anew: ' \
             '`multitenant list` says whose it is. So does a job of somebody\'s own (`multitenant-share` without ' \
             '--envelope). When nothing runs in v1 any more, MULTITENANT_ENVELOPES=munge,key closes the site to it.'

      COPY = 'Copy the file from where services run, or from another web host, root\'s and the group\'s with mode ' \
             '0440, its directories\' 0755. `multitenant key new GROUP` makes another key, which opens nothing that ' \
             'runs: only where no host has the file, and then copy it to all.'

      # What is said of one that munge was asked about: it opened it, or never will.
      TRIED = %w[ok not_recipient bad_cipher].freeze

      OTHER_KEY = 'Where munged here has the key of the nodes\', `munge -n | ssh NODE unmunge` says Success. Else ' \
                  'copy munge.key from there, and restart munge. Of clusters with different keys it opens what one ' \
                  'seals; the others\' services need `envelope: "key"` in the site.yml of service apps. What is for ' \
                  'oneself alone goes by munge there, too, unless MULTITENANT_ENVELOPES leaves munge out.'

      # v1 hides nothing from anyone who looks.
      def envelopes
        return unless core? && answered?

        sealed = site.slurm.shares.filter_map { |share| share[:envelope] }
        return ok('nothing is shared now.') if sealed.empty?

        told = "services are sealed: #{sealed.tally.map { |name, count| "#{count} with #{name}" }.join(', ')}."
        closed = closed_to_munge?
        return closed || ok(told) unless sealed.include?('v1')

        warn!("#{told} Every user of the cluster can read what v1 carries.", sealed_otherwise? ? ANEW : SEAL)
      end

      # Of the groups of this user, or for root of all, with which something is shared by one. Any member can say so, so
      # that it fails no doctor.
      def keys
        return unless core? && answered?

        return skip('MULTITENANT_ENVELOPES does not accept key.') unless site.settings.envelopes.include?('key')

        used = site.slurm.records.select { |record| record.key_id && record.publisher_in_group }
        used.select! { |record| site.settings.gids.include?(record.group_gid) } unless site.root?
        return skip('nothing is sealed by one that this user may have.') if used.empty?

        wrong = used.group_by(&:group_gid).reject { |gid, records| opens?(gid, records.map(&:key_id).uniq) }
        ok("this host has those of #{list(used.map(&:group).uniq)}.") if wrong.empty?
      end

      # What is shared next. A form warns of it, too.
      def sending
        return skip('there is no service app that this user can read.') if sealed.empty?

        taken, refused = sealed.partition { |envelope, _| accepted?(envelope) }.map(&:to_h)
        refused.each { |envelope, apps| refused!(envelope, names(apps)) }
        v1 = names(taken.fetch('v1', []))
        keyless!(names(taken['key'])) if (keyless = taken.key?('key') && keyless?)
        return warn!("it is v1 in #{list(v1)}: every user of the cluster can read what these share.", SEAL) if v1.any?

        ok("it is #{sealed.keys.join(' and ')}.") unless refused.any? || keyless
      end

      # v1 names each member, and takes them from the name service.
      def members
        return unless core?
        return skip('no service app sends v1.') unless sealed.key?('v1')

        groups = (own_groups + publishers).uniq.first(MOST).filter_map { |user, group| unlisted(user, group) }.uniq
        return if @silent
        return ok('the name service lists the members that are known here.') if groups.empty?

        warn!("members of #{list(groups)} are missing in the name service's list, so v1 does not reach them: SSSD " \
              'lists none with ignore_group_members, and those whose primary group it is only with enumerate.',
              "#{SEAL} Or let the name service list them, or publishers name them (`multitenant-share --to`).")
      end

      private

      # Of those for this user's groups. A publisher can damage their own, and not another's.
      # @return [Boolean] munge opens none of a cluster's, which is told
      def closed_to_munge?
        tried = site.slurm.shares.select { |share| share[:envelope] == 'munge' && TRIED.include?(share[:specs]) }
        closed = tried.group_by { |share| share[:cluster] }
                      .select { |_, shares| shares.all? { |share| share[:specs] == 'bad_cipher' } }
        closed.each do |cluster, shares|
          warn!("munge on this host opens none of the #{shares.size} that are sealed by it on #{cluster} for groups " \
                'of this user, so they have no such card.', OTHER_KEY)
        end
        closed.any?
      end

      def key_files
        site.at(site.settings.keys || Core::PATHS[:keys])
      end

      # @return [Boolean] as on a new site; what can't be seen is not told
      def keyless?
        site.core? && Dir.children(key_files).grep(/\A\d+\z/).empty?
      rescue SystemCallError => e
        e.is_a?(Errno::ENOENT)
      end

      def keyless!(apps)
        warn!("it is key in #{list(apps)}, and no group has a file of keys in #{key_files} here, so nobody gets " \
              'what these share.', COPY)
      end

      # @return [Boolean] this host has the keys by which that was sealed
      def opens?(gid, ids)
        told = Native.keys(key_files, gid)
        return warn!(told, COPY) if told.is_a?(String)

        missing = ids - told.map(&:first)
        return true if missing.empty?

        warn!("of group #{gid} this host has #{list(told.map(&:first))}, and not #{list(missing)}, by which services " \
              'are sealed.', COPY)
      end

      # On a node auto is munge, or else key: which one is not known here.
      def accepted?(envelope)
        site.settings.envelopes.include?(envelope == 'auto' ? 'munge' : envelope)
      end

      def refused!(envelope, apps)
        munge = ', so munge wherever the node\'s munged opens that' if envelope == 'auto'
        warn!("it is #{envelope} in #{list(apps)}#{munge}, which dashboards here refuse: MULTITENANT_ENVELOPES is " \
              "#{site.settings.envelopes.join(',')}. So nobody gets what is shared by it.",
              "Let MULTITENANT_ENVELOPES accept it (#{site.file_of('MULTITENANT_ENVELOPES')}), or write another " \
              '`envelope:` into their site.yml, which with `auto` is v1 unless `old_readers` is "no".')
      end

      # @return [Boolean] the service apps that can be read here share nothing more in v1
      def sealed_otherwise?
        sealed.any? && !sealed.key?('v1')
      end

      # @param apps [Array<Array(String, Hash)>]
      def names(apps)
        apps.map { |path, _| File.basename(path) }
      end

      def sealed
        @sealed ||= apps.group_by { |_, settings| Sharing.envelope(settings) }
      end

      # @return [Array<Array(String, String)>] a user, in bytes, and the gid of a group that they are in
      def own_groups
        return [] if site.root?

        user = Etc.getpwuid.name.b
        site.settings.gids.map { |gid| [user, gid.to_s] }
      rescue ArgumentError
        []
      end

      def publishers
        site.slurm.records.select(&:publisher_in_group).map { |record| [record.user.b, record.group_gid.to_s] }
      end

      # @return [String, nil] the group's name, where neither its list nor the accounts' have the user
      def unlisted(user, gid)
        name, _, _, members = name_service('group', '--', gid)&.out.to_s.chomp.split(':', -1)
        # Nobody else is in a group of their own, as SSSD and IPA have one for each user.
        return if members.nil? || (members.empty? && name == user)
        return if members.split(',').include?(user) || accounts.include?([user, gid])

        name
      end

      # @return [Array<Array(String, String)>] user and primary group of those that are listed
      def accounts
        @accounts ||= name_service('passwd')&.out.to_s.each_line.map { |line| line.split(':').values_at(0, 3) }
      end

      # @return [Array<Array(String, Hash)>] directory and settings
      def apps
        site.service_apps.filter_map do |app|
          [app, SiteSettings.read(app)]
        rescue Failure
          nil # see the check of all settings
        end
      end
    end
  end
end
