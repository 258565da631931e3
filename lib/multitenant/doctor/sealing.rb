# frozen_string_literal: true

require_relative '../apps/sharing'
require_relative 'theme'

module MultiTenant
  class Doctor
    # How services are sealed, and whether this host opens that.
    class Sealing < Theme
      CHECKS = { envelopes: 'Envelopes', sending: 'Service apps\' envelope' }.freeze

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
        sealed = apps.group_by { |_, settings| Sharing.envelope(settings) }
        return skip('there is no service app that this user can read.') if sealed.empty?

        v1 = sealed.fetch('v1', []).map { |path, _| File.basename(path) }
        return ok("it is #{sealed.keys.join(' and ')}.") if v1.empty?

        warn!("it is v1 in #{list(v1)}: every user of the cluster can read what these share.", SEAL)
      end

      private

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
