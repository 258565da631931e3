# frozen_string_literal: true

require_relative 'theme'

module MultiTenant
  class Doctor
    # The gem that a dashboard loads, its compiled core, the programs beside it.
    class GemFiles < Theme
      CHECKS = { gem: 'Gem', core: 'Core', query: 'Query program', libslurm: 'libslurm', names: 'Names program' }.freeze

      REBUILD = 'After `apt-get install libslurm-dev` or `dnf install slurm-devel` of the release that runs here, run'
      INSTEAD = 'sacct and squeue are used instead, which is slower.'

      def gem
        dir = site.dashboard_ruby.expect(VERSION)
        ok("the dashboard's Ruby finds #{dir}, and every file of it is root's.")
      rescue InstallFailure => e
        told_by(e)
      end

      def core
        dir = site.gem_dir
        return here_alone unless dir

        site.dashboard_ruby.check_core(dir)
        return ok("it can be loaded in the dashboard's Ruby.") if site.core?

        warn!("it can be loaded in the dashboard's Ruby, but not in this one (#{RUBY_VERSION}): #{site.core_error}. " \
              'What takes the core is not looked at.', "Run #{site.dashboard_ruby.command('multitenant', 'doctor')}.")
      rescue InstallFailure => e
        told_by(e)
      end

      # Without it the host asks as OOD does.
      def query
        path = beside('multitenant-query')
        return warn!("#{path} was not built. #{INSTEAD}", rebuild) unless File.file?(path)
        return unless core?

        ran = site.run(path, '--version')
        return warn!("#{path} does not run (#{ran.said}). #{INSTEAD}", rebuild) unless ran.success?

        compare(ran.out[/Slurm (\d+\.\d+)/, 1].to_s, ran.out.strip)
      end

      # By its name the loader takes only the release that the program was built for.
      def libslurm
        path = beside('multitenant-query')
        return skip('there is no query program.') unless File.file?(path)
        return unless core?

        ldd = site.run('ldd', path)
        return skip('ldd is not there.') unless ldd

        name, target = ldd.out.match(/^\s*(libslurm\S*) => (.+?)(?: \(0x\h+\))?$/)&.captures
        return warn!("the query program is not linked to libslurm. #{INSTEAD}", rebuild) unless name
        return warn!("#{name} is not on this host. #{INSTEAD}", rebuild) if target.include?('not found')

        secure_library(name, target, path)
      end

      def names
        path = beside('multitenant-names')
        return fail!("#{path} is not there: lost groups are not seen.", pristine) unless File.file?(path)
        return unless core?

        ran = site.run(path, '--timeout', '3', '--viewer', seconds: 4)
        return ok('it runs.') if ran.success?

        fail!("#{path} does not run (#{ran.said}).", pristine)
      end

      private

      def here_alone
        return skip('the dashboard has no gem to load; that of this directory is well in this Ruby.') if site.core?

        fail!("it can't be loaded in this Ruby (#{RUBY_VERSION}): #{site.core_error}", pristine)
      end

      def pristine
        "Run #{site.dashboard_ruby.command('gem', 'pristine', 'ood_multitenant')}."
      end

      def rebuild
        "#{REBUILD} #{site.dashboard_ruby.command('gem', 'pristine', 'ood_multitenant')}."
      end

      # The programs of the gem that dashboards load; else those of this one.
      def beside(name)
        lib = site.gem_dir ? File.join(site.gem_dir, 'lib') : File.expand_path('../..', __dir__)
        File.join(lib, 'multitenant', name)
      end

      # A cluster may be newer than this host's commands; what is asked is the cluster.
      def compare(built, said)
        ran = site.run('sinfo', '--version')
        here = ran&.success? ? ran.out[/(\d+\.\d+)/, 1] : nil
        return ok("#{said}; sinfo does not tell which release this host has.") unless here
        return ok("#{said}, as the commands of this host.") if built == here

        warn!("it was built for Slurm #{built}, and the commands of this host are of #{here}.", rebuild)
      end

      def secure_library(name, target, path)
        odd = [target, *run_path(path)].find { |file| !SystemFile.secure?(file) }
        return ok("#{name} is #{target}.") unless odd

        fail!("#{odd}, where libslurm is looked for, may have been written by others than root.",
              own(odd))
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
