# frozen_string_literal: true

require_relative 'theme'

module MultiTenant
  class Doctor
    # How services are sealed, and whether this host opens that.
    class Sealing < Theme
      CHECKS = { program: 'Munge program', envelopes: 'Envelopes' }.freeze

      SEAL = 'When no dashboard has the old initializer any more: `old_readers: "no"` in the site.yml of the service ' \
             'apps; then MULTITENANT_ENVELOPES=munge,key closes the site to v1.'

      # Without it credentials stay shut.
      def program
        return unless core?
        return skip('MULTITENANT_ENVELOPES does not accept munge.') unless site.settings.envelopes.include?('munge')

        path = File.join(site.gem_dir || File.expand_path('../../..', __dir__), 'lib/multitenant/multitenant-munge')
        ran = site.run(path, '--version') if File.file?(path)
        return ok('it runs.') if ran&.success?

        warn!("#{path} #{ran ? "does not run (#{ran.said})" : 'was not built'}: what MUNGE seals is not shown.",
              "Install libmunge-dev or munge-devel, then run #{rebuild}.")
      end

      # v1 hides nothing from those who want to know.
      def envelopes
        return unless core?
        return unless answered?

        sealed = site.slurm.shares.filter_map { |share| share[:envelope] }
        tally = sealed.tally.map { |name, count| "#{count} #{name}" }.join(', ')
        return ok('nothing is shared now.') if sealed.empty?
        return ok("services are sealed as #{tally}.") unless sealed.include?('v1')

        warn!("services are sealed as #{tally}: every user of the cluster can read what is in v1.", SEAL)
      end

      private

      def rebuild
        site.dashboard_ruby.command('gem', 'pristine', 'ood_multitenant')
      end
    end
  end
end
