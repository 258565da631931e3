# frozen_string_literal: true

require_relative 'theme'

module MultiTenant
  class Doctor
    # The gem that a dashboard loads, its compiled core, the programs beside it.
    class GemFiles < Theme
      CHECKS = { gem: 'Gem', core: 'Core', query: 'multitenant-query', libslurm: 'libslurm',
                 names: 'multitenant-names', munge: 'multitenant-munge' }.freeze

      ELSEWHERE = 'Slurm is asked by slurmrestd, or by ssh (submit_host), which need no libslurm here.'
      INSTEAD = 'sacct and squeue are used instead, which is slower.'
      WRAPPERS = 'Or leave it so where this host reaches Slurm by the wrappers in bin_overrides alone.'

      def gem
        dir = site.dashboard_ruby.expect(VERSION)
        ok("the dashboard's Ruby finds #{dir}, and only root can change it.")
      end

      def core
        dir = site.gem_dir
        return here_alone unless dir

        ruby = site.dashboard_ruby
        ruby.check_core(dir)
        return ok("the dashboard's Ruby loads it.") if site.core?

        command = ruby.command(ruby.executable(dir, 'multitenant') || 'multitenant', 'doctor')
        warn!("the dashboard's Ruby loads it, but this one (#{RUBY_VERSION}) can't: #{site.core_error}. " \
              'Checks that need it are skipped.', "Run #{command}.")
      end

      # Without it commands ask, as OOD does.
      def query
        return skip(ELSEWHERE) if elsewhere?

        path = beside('multitenant-query')
        return warn!("#{path} was not built. #{INSTEAD}", rebuild) unless File.file?(path)
        return unless core?

        ran = site.run(path, '--version')
        return warn!("#{ran.error} #{INSTEAD}", rebuild) unless ran.success?

        compare(ran.out[/Slurm (\d+\.\d+)/, 1].to_s)
      end

      # By its name the loader takes only the release that the program was built for.
      def libslurm
        return skip(ELSEWHERE) if elsewhere?

        path = beside('multitenant-query')
        return skip('there is no multitenant-query.') unless File.file?(path)
        return unless core?

        ldd = site.run('ldd', path)
        return skip('this host has no ldd.') unless ldd

        name, target = ldd.out.match(/^\s*(libslurm\S*) => (.+?)(?: \(0x\h+\))?$/)&.captures
        return warn!("multitenant-query is not linked to libslurm. #{INSTEAD}", rebuild) unless name
        return warn!("#{name} is not on this host. #{INSTEAD}", rebuild) if target.include?('not found')

        secure_library(name, target, path)
      end

      def names
        path = beside('multitenant-names')
        return fail!("#{path} is missing: nobody notices when a user leaves a group.", pristine) unless File.file?(path)
        return unless core?

        ran = site.run(path, '--timeout', '3', '--viewer', seconds: 4)
        return ok('it runs.') if ran.success?

        ran.code == EX_TEMPFAIL ? warn!(*SILENT) : fail!(ran.error, pristine)
      end

      # Without it credentials stay closed.
      def munge
        return unless core?
        return skip('MULTITENANT_ENVELOPES does not accept munge.') unless site.settings.envelopes.include?('munge')

        path = beside('multitenant-munge')
        ran = site.run(path, '--version') if File.file?(path)
        return ok('it runs.') if ran&.success?

        warn!("#{ran ? ran.error : "#{path} was not built."} What munge seals is not shown, and no card lets anybody " \
              'in at a gateway.',
              "#{rebuild('munge')} Or let MULTITENANT_ENVELOPES accept no munge, where nothing is sealed by it and " \
              'no service app has a gateway.')
      end

      private

      # @return [Boolean] for each cluster the site has named a slurmrestd, or a host whose commands are asked
      def elsewhere?
        targets = site.clusters.targets
        targets.all? do |target|
          target.over_ssh? || (site.core? && Slurmrestd.of(site.settings, target, only: targets.one?))
        end
      end

      def here_alone
        return skip('dashboards find no gem; this Ruby loads the core of the one that runs here.') if site.core?

        fail!("this Ruby (#{RUBY_VERSION}) can't load it: #{site.core_error}", pristine)
      end

      def pristine
        "Run #{site.dashboard_ruby.gem_command('pristine', 'ood_multitenant', dir: site.gem_dir)}."
      end

      def rebuild(library = 'slurm')
        if library == 'slurm'
          release = ' of the release that runs here (slurm-smd-dev of SchedMD\'s own packages)'
          leave = " #{WRAPPERS}" if site.clusters.targets.all? { |target| target.over_ssh? || target.wrapped? }
        end
        "Install lib#{library}-dev or #{library}-devel#{release}, then #{pristine.sub('Run', 'run')}#{leave}"
      end

      # The programs of the gem that dashboards load, or else of this one.
      def beside(name)
        lib = site.gem_dir ? File.join(site.gem_dir, 'lib') : File.expand_path('../..', __dir__)
        File.join(lib, 'multitenant', name)
      end

      # A cluster may be newer than this host's commands; what is asked is the cluster.
      def compare(built)
        ran = site.run('sinfo', '--version')
        here = ran&.success? ? ran.out[/(\d+\.\d+)/, 1] : nil
        return ok("it was built for Slurm #{built}; sinfo does not say which release this host has.") unless here
        return ok("it was built for Slurm #{built}, as this host's commands were.") if built == here

        warn!("it was built for Slurm #{built}, but this host's commands are #{here}.", rebuild)
      end

      def secure_library(name, target, path)
        odd = [target, *run_path(path)].find { |file| !SystemFile.secure?(file) }
        return ok("#{name} is #{target}, and only root can change it.") unless odd

        not_roots!(odd, ', and libslurm is looked for there')
      end

      # @return [Array<String>] directories
      def run_path(path)
        readelf = site.run('readelf', '-d', path)
        dirs = readelf.to_h.fetch(:out, '').scan(/R(?:UN)?PATH\).*\[(.*)\]/).flatten.flat_map { |text| text.split(':') }
        dirs.reject { |dir| dir.empty? || dir.include?('$ORIGIN') }
      end
    end
  end
end
