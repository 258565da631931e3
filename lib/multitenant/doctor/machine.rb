# frozen_string_literal: true

require 'pathname'
require_relative 'theme'

module MultiTenant
  class Doctor
    # What surrounds us: the user's data root, SELinux, clocks, the snapshot.
    class Machine < Theme
      CHECKS = { dataroot: 'Data root', selinux: 'SELinux', clock: 'Clock', slurm_clock: 'Slurm\'s clock',
                 snapshot: 'Snapshot' }.freeze

      BOOLEAN = 'ondemand_use_slurm'
      # As a relabelling has all that is below a directory lib in /opt, and what a dashboard may run.
      LIBRARY = /:lib_t(?::|$)/
      LABEL = 'semanage fcontext -a -t bin_t'
      # Dashboards, and what they may read in any case.
      DASHBOARDS = 'system_u:system_r:ood_pun_t:s0'
      READABLE = 'ood_pun_var_run_t'
      # Seconds that clocks may differ.
      APART = 5
      NO_SYNC = 'Run `systemctl enable --now chronyd` (or systemd-timesyncd).'

      # As Passenger calls it.
      DASHBOARD = %r{\APassenger \w+: \S*/sys/dashboard\b}
      # Of MULTITENANT_TTL, after which a dashboard asks again.
      MEAN = 0.9

      # OOD makes it at the first visit, and we make what is below.
      def dataroot
        return skip('run this as a user: no dashboard reads root\'s.') if site.root?

        path = site.dataroot
        broken = Pathname.new(path).descend.find { |part| part.symlink? && !part.exist? }
        if broken
          return fail!("#{broken}, on the way to #{path}, leads nowhere.", 'Make what it leads to, or remove the link.')
        end
        return skip("there is no #{path} yet: Open OnDemand makes it at the first visit.") unless File.directory?(path)
        return fail!("this user can't write #{path}.", "Run `chown -R #{Process.euid} #{path}` as root.") unless
          File.writable?(path) && File.executable?(path)

        below(path)
      rescue Failure => e
        skip(e.sentence)
      end

      def selinux
        enforce = site.at('/sys/fs/selinux/enforce')
        return skip('this host has none.') unless File.exist?(enforce)
        return ok('it does not enforce.') unless File.read(enforce, 8).strip == '1'
        return unless core?

        ran = site.run('getsebool', BOOLEAN)
        return warn!('it enforces, and there is no getsebool to ask.', "Check that #{BOOLEAN} is on.") unless ran

        on = ran.out.match?(/--> on$/)
        return warn!("it enforces and has no #{BOOLEAN}.", 'Run `dnf install ondemand-selinux`.') unless
          on || ran.success?

        off!(site.clusters.targets.all?(&:over_ssh?)) unless on
        ok("#{BOOLEAN} is on.") if labels? && on
      end

      def clock
        return unless core?

        ran = site.run('chronyc', '-n', 'tracking')
        return chrony(ran.out) if ran&.success?

        ran = site.run('timedatectl', 'show', '--property=NTPSynchronized', '--value')
        case ran&.out.to_s.strip
        when 'yes' then ok('it is synchronised.')
        when 'no' then warn!('it is not synchronised.', NO_SYNC)
        else skip('neither chronyc nor timedatectl says whether it is synchronised.')
        end
      end

      # Slurm's hosts have clocks of their own.
      def slurm_clock
        return unless core?

        records = site.slurm.records
        return skip('there is no running job to compare with.') if records.empty?

        ahead = records.map(&:start).max - Time.now.to_i
        return ok('no job starts in the future.') if ahead <= APART

        warn!("a running job starts #{ahead} s from now, so this host's clock and slurmctld's differ.",
              'Set both right: `chronyc makestep`.')
      end

      def snapshot
        directory = site.settings.snapshot
        unless directory
          return skip("MULTITENANT_SNAPSHOT is not set: each dashboard asks Slurm itself. #{asked(dashboards)}")
        end
        return unless core?

        source = Snapshot.new(site.settings, directory: site.at(directory), fallback: ->(_) {})
        answer = source.call(1)
        return used(directory, answer) if answer && source.failure.nil?

        warn!("#{answer ? 'not all of it is used' : 'it is not used'}. #{source.failure.sentence}", source.failure.fix)
      end

      private

      # Where each user has a way to a login node, and sees all jobs, none but theirs is to be had.
      def used(directory, answer)
        there = answer.records.flat_map(&:whole).map(&:cluster)
        missing = site.slurm.whole.reject { |asked| there.include?(asked.name) }
        by_ssh, odd = missing.partition { |one| one.target.over_ssh? && !one.slurmrestd && !one.own? }.map do |all|
          list(all.map(&:name))
        end
        themselves = "; of #{by_ssh}, behind submit_host, each dashboard asks itself" unless by_ssh.empty?
        return ok("#{directory} is fresh, and it is used#{themselves}.") if odd.empty?

        warn!("#{directory} is fresh, but has nothing of #{odd}: there each dashboard asks itself.",
              'The agent asks the clusters that there were when it began: run `systemctl restart multitenant-agent`. ' \
              'If that does not help, `journalctl -u multitenant-agent` says why. You can leave it so where Slurm ' \
              'shows users all jobs.')
      end

      # Another boolean, which is on unless the site turned it off, lets dashboards use ssh.
      def off!(by_ssh)
        on = "`setsebool -P #{BOOLEAN}=on`"
        return fail!("it enforces, and #{BOOLEAN} is off: dashboards can't ask Slurm.", "Run #{on}.") unless by_ssh

        warn!("it enforces, and #{BOOLEAN} is off: dashboards ask Slurm by ssh all the same, but can't ask munged.",
              "Leave it so where nothing is sealed by munge and no service app has a gateway, or run #{on}.")
      end

      # OOD's policy (ondemand-selinux.te) lets dashboards load libraries, and not run them.
      # @return [Boolean, nil] nothing is wrong with them
      def labels?
        gem = site.gem_dir.to_s
        odd = Dir.glob("#{gem}/lib/multitenant/multitenant-*").find do |path|
          site.run('stat', '--format=%C', path)&.out.to_s.match?(LIBRARY)
        end
        return label_of_snapshot? unless odd

        fail!("#{odd} is labelled as a library (lib_t), so dashboards can't run it.",
              "Run `#{LABEL} '#{File.dirname(gem)}/ood_multitenant-.*/lib/multitenant/multitenant-[a-z]+'` and " \
              "`restorecon -RF #{File.dirname(odd)}`.")
      end

      # Before OOD 4.1 the policy does not let them read what the agent has in /run.
      def label_of_snapshot?
        path = site.settings.snapshot
        label = path && site.run('stat', '--format=%C', File.join(path, 'state'))&.out.to_s.strip
        return true if label.to_s.empty? || !unreadable?(label)

        type = "`semanage fcontext -a -t #{READABLE} '#{path.sub(%r{\A/run/}, '/var/run/')}(/.*)?'`"
        fail!("dashboards can't read the agent's snapshot in #{path}, which is labelled #{label}.",
              "Run #{type} (on EL 10 and later with #{path}) and `restorecon -RF #{path}`.")
      end

      # @return [Boolean] false also where nobody can say
      def unreadable?(label)
        may_read = ["system_u:object_r:#{READABLE}:s0", label].map do |one|
          site.run('selinux_check_access', DASHBOARDS, one, 'file', 'read')&.success?
        end
        may_read == [true, false]
      end

      # What the agent would save.
      def asked(count)
        return 'No dashboard is seen to run here now, so what an agent would save is not known.' if count.zero?

        ttl = site.settings.ttl
        often = ((count == 1 ? 'One user\'s dashboard' : "The dashboards of #{count} users") +
                 " run here and may ask #{per_minute(ttl * MEAN, count)} times a minute")
        "#{often}; its agent would ask #{per_minute([ttl, Snapshot::INTERVAL_MIN].max, 1)}."
      end

      def per_minute(seconds, count)
        format('%.0f', [count * 60 / seconds, 1].max)
      end

      # @return [Integer] users whose dashboard runs; those of others are not to be seen where /proc hides them
      def dashboards
        seen = Dir.glob(site.at('/proc/[0-9]*')).select do |process|
          File.read(File.join(process, 'cmdline'), 256).to_s.match?(DASHBOARD)
        rescue SystemCallError
          false # it has ended, say
        end
        seen.map { |process| File.stat(process).uid }.uniq.size
      rescue SystemCallError
        0
      end

      def below(path)
        base = File.join(path, 'batch_connect')
        odd = [path, base, File.join(base, 'db')].find { |dir| File.exist?(dir) && !own_alone?(dir) }
        if odd
          return fail!("#{odd} belongs to another user or others can write it, so they can change OOD's session files.",
                       "Run `chmod go-w #{odd}`; it has to belong to this user.")
        end
        cards = Dir.glob(File.join(base, '{,*/}sys/*/output/*/.multitenant')).size
        ok("only this user can write #{path}; it holds #{cards} #{cards == 1 ? 'card' : 'cards'} of ours.")
      end

      def own_alone?(path)
        File.owned?(path) && File.stat(path).mode.nobits?(0o022)
      end

      def chrony(text)
        offset = text[/^System time\s*: ([\d.]+) seconds/, 1].to_f
        return warn!('chrony follows no other clock.', 'See `chronyc sources`.') if text.match?(/^Leap.*: Not/)
        return warn!("it is #{offset} s off.", 'Run `chronyc makestep`.') if offset > APART

        ok("chrony keeps it within #{format('%.3f', offset)} s.")
      end
    end
  end
end
