# frozen_string_literal: true

require_relative 'finding'

module MultiTenant
  class Doctor
    # Checks that belong together. Each name in CHECKS is a method, which notes what it finds.
    class Theme
      # Seconds that the name service may take for all questions of a theme.
      TOGETHER = 10
      SILENT = ['the name service did not answer.', 'See how long `id` takes; restart sssd.'].freeze

      # @return [Array<Finding>]
      attr_reader :findings

      # @param site [Site]
      def initialize(site)
        @site = site
        @findings = []
      end

      # @return [Array<Finding>] of all checks; a crash of one is a finding itself
      def call
        self.class::CHECKS.each { |name, what| check(name, what) }
        findings
      end

      private

      attr_reader :site

      # A Failure is the installer's. Also a LoadError, or a stack that is too deep, is no reason to skip the rest.
      def check(name, what)
        @what = what
        send(name)
      rescue Failure => e
        fail!(e.sentence, e.fix || 'Run `multitenant install` as root, which says more.')
      rescue StandardError, ScriptError, SystemStackError, NoMemoryError => e
        message = e.message.to_s.scrub('?').lines.first.to_s.strip.split(' @ ').first
        fail!("the check `#{name}` crashed: #{e.class}: #{message}",
              'Fix what the message names; if that is nothing of yours, report it with `multitenant doctor --json`.')
      end

      def ok(seen)
        note(:ok, seen)
      end

      def warn!(seen, fix)
        note(:warn, seen, fix)
      end

      def fail!(seen, fix, code = EX_CONFIG)
        note(:fail, seen, fix, code)
      end

      def skip(seen)
        note(:skip, seen)
      end

      def note(state, seen, fix = nil, code = nil)
        findings << Finding.new(state, @what, seen, fix, code)
        nil
      end

      # @return [Boolean] the core is there; else this check is skipped
      def core?
        return true if site.core?

        skip('this Ruby can\'t load the gem\'s core, which this check needs.')
        false
      end

      # @return [Boolean] this host has Open OnDemand; else this check is skipped
      def ood?
        return true if site.ood?

        skip('this host has no Open OnDemand, and commands here need none.')
        false
      end

      # @param told [Array] what it takes: that is what is shared, or else what Slurm itself said
      # @return [Boolean] there is some; else this check is skipped
      def answered?(told = site.slurm.told)
        return true if told.any?

        skip('Slurm did not answer, see above.')
        false
      end

      # A name service may block, so another process asks. Where it does, that is said once, and no more is asked.
      # @return [Program::Result, nil] of getent; nil: there was no answer, or there is no getent
      def name_service(*question)
        return if @silent

        @left ||= TOGETHER
        ran = site.run('getent', *question, seconds: @left.clamp(0, Site::PATIENCE)) or return
        @left -= ran.seconds
        return ran if ran.exit

        @silent = true
        warn!(*SILENT)
      end

      def not_roots!(path, and_so = '')
        fail!("users other than root can change #{path} or a directory above it#{and_so}.",
              "Run `chown root #{path}; chmod go-w #{path}`, and the same for the directories above it.")
      end

      def list(names, most = 5)
        shown = names.first(most).join(', ')
        names.size > most ? "#{shown} and #{names.size - most} more" : shown
      end
    end
  end
end
