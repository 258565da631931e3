# frozen_string_literal: true

require_relative 'theme'

module MultiTenant
  class Doctor
    # How services are sealed, and whether this host opens that.
    class Sealing < Theme
      CHECKS = { envelopes: 'Envelopes' }.freeze

      SEAL = 'When no dashboard runs the old initializer any more, write `old_readers: "no"` into the site.yml of ' \
             'each service app; then MULTITENANT_ENVELOPES=munge,key closes the site to v1.'

      # v1 hides nothing from anyone who looks.
      def envelopes
        return unless core? && answered?

        sealed = site.slurm.shares.filter_map { |share| share[:envelope] }
        return ok('nothing is shared now.') if sealed.empty?

        told = "services are sealed: #{sealed.tally.map { |name, count| "#{count} with #{name}" }.join(', ')}."
        return ok(told) unless sealed.include?('v1')

        warn!("#{told} Every user of the cluster can read what v1 carries.", SEAL)
      end
    end
  end
end
