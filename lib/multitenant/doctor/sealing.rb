# frozen_string_literal: true

require 'etc'
require_relative '../apps/sharing'
require_relative 'theme'

module MultiTenant
  class Doctor
    # How services are sealed, and whom v1 reaches.
    class Sealing < Theme
      CHECKS = { envelopes: 'Envelopes', sending: 'Service apps\' envelope',
                 members: 'Lists of members' }.freeze

      # Members of groups that are looked for at most.
      MOST = 20

      SEAL = 'When no dashboard runs the old initializer any more, write `old_readers: "no"` and `envelope: "auto"` ' \
             'into the site.yml of each service app; then MULTITENANT_ENVELOPES=munge,key closes the site to v1.'

      # v1 hides nothing from anyone who looks.
      def envelopes
        return unless core? && answered?

        sealed = site.slurm.shares.filter_map { |share| share[:envelope] }
        return ok('nothing is shared now.') if sealed.empty?

        told = "services are sealed: #{sealed.tally.map { |name, count| "#{count} with #{name}" }.join(', ')}."
        return ok(told) unless sealed.include?('v1')

        warn!("#{told} Every user of the cluster can read what v1 carries.", SEAL)
      end

      # What is shared next. A form warns of it, too.
      def sending
        return skip('there is no service app that this user can read.') if sealed.empty?

        v1 = sealed.fetch('v1', []).map { |path, _| File.basename(path) }
        return ok("it is #{sealed.keys.join(' and ')}.") if v1.empty?

        warn!("it is v1 in #{list(v1)}: every user of the cluster can read what these share.", SEAL)
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

      def sealed
        @sealed ||= apps.group_by { |_, settings| Sharing.envelope(settings) }
      end

      # @return [Array<Array(String, String)>] a user and a group that they are in, by name or number
      def own_groups
        return [] if site.root?

        user = Etc.getpwuid.name
        site.settings.gids.map { |gid| [user, gid.to_s] }
      rescue ArgumentError
        []
      end

      def publishers
        members = site.slurm.records.select(&:publisher_in_group)
        members.filter_map { |record| [record.user, record.group] if record.group&.match?(Settings::GROUP) }
      end

      # @return [String, nil] the group's name, where neither its list nor the accounts' have the user
      def unlisted(user, group)
        name, _, gid, members = name_service('group', '--', group)&.out.to_s.chomp.split(':', -1)
        return if members.nil? || members.split(',').include?(user) || accounts.include?([user, gid])

        name
      end

      # @return [Array<Array(String, String)>] user and primary group of those that are listed
      def accounts
        @accounts ||= name_service('passwd')&.out.to_s.each_line.map { |line| line.split(':').values_at(0, 3) }
      end

      # @return [Array<Array(String, Hash)>] directory and settings
      def apps
        services = site.apps.select { |app| SiteSettings::APPS.dig(File.basename(app), 'envelope') }
        services.filter_map do |app|
          [app, SiteSettings.read(app)]
        rescue Failure
          nil # see the check of all settings
        end
      end
    end
  end
end
