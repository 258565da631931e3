# frozen_string_literal: true

require_relative 'finding'

module MultiTenant
  class Doctor
    # Checks that belong together. Each name in CHECKS is a method, which notes what it finds.
    class Theme
      BROKEN = 78

      # @return [Array<Finding>]
      attr_reader :findings

      # @param site [Site]
      def initialize(site)
        @site = site
        @findings = []
      end

      # @return [Array<Finding>] of all checks; one that breaks down is a finding itself
      def call
        self.class::CHECKS.each { |name, what| check(name, what) }
        findings
      end

      private

      attr_reader :site

      # Also a LoadError, or a stack that is too deep, is no reason to keep silent about the rest.
      def check(name, what)
        @what = what
        send(name)
      rescue StandardError, ScriptError, SystemStackError, NoMemoryError => e
        message = e.message.to_s.lines.first.to_s.strip.split(' @ ').first
        fail!("the check `#{name}` broke down: #{e.class}: #{message}",
              'Mend what the message names; if it names nothing of yours, report it with `multitenant doctor --json`.')
      end

      def ok(seen)
        note(:ok, seen)
      end

      def warn!(seen, mend)
        note(:warn, seen, mend)
      end

      def fail!(seen, mend, code = BROKEN)
        note(:fail, seen, mend, code)
      end

      def skip(seen, mend = nil)
        note(:skip, seen, mend)
      end

      def note(state, seen, mend = nil, code = nil)
        findings << Finding.new(state, @what, seen, mend, code)
        nil
      end

      # @return [Boolean] the core is there; else this check is skipped
      def core?
        return true if site.core?

        skip('not looked at, because the core of this gem can\'t be loaded in this Ruby.')
        false
      end

      # @return [Boolean] a cluster answered; else this check is skipped
      def answered?
        return true if site.slurm.whole.any?

        skip('Slurm gave no answer, see above.')
        false
      end

      # A sentence of the installer's ends with its mend.
      def told_by(failure)
        seen, _, mend = failure.message.rpartition(/(?<=[.!;]) (?=[A-Z])|(?<=:) (?=(?:give|install|name|chown) )/)
        return fail!(mend, 'Run `multitenant install` as root, which says more.') if seen.empty?

        fail!(seen.sub(/:\z/, '.'), mend.sub(/\A./, &:upcase))
      end

      # @return [String] the mend for what others than root may have written
      def own(path)
        "Run `chown root #{path}; chmod go-w #{path}`, and the same for the directories above it."
      end

      def file_stat(path)
        File.stat(path)
      rescue SystemCallError
        nil
      end

      def list(names, most = 5)
        shown = names.first(most).join(', ')
        names.size > most ? "#{shown} and #{names.size - most} more" : shown
      end
    end
  end
end
