# frozen_string_literal: true

require_relative 'theme'

module MultiTenant
  class Doctor
    # Slurm: it answers, and soon; which OOD cluster each one is; what it does with WCKeys.
    class Accounting < Theme
      CHECKS = { configuration: 'Clusters', answers: 'Slurm', slurmrestd: 'slurmrestd', mapping: 'Cluster mapping',
                 wckey: 'WCKey', publishers: 'WCKey users', private_data: 'PrivateData' }.freeze

      # Seconds before the end of a token.
      SOON = 86_400

      # Seconds that a page waits for an answer.
      PAGE = 0.15
      UNANSWERED = [EX_UNAVAILABLE, EX_TEMPFAIL].freeze
      # What sacctmgr says to users that may not ask.
      REFUSED = /privilege|permission denied/i
      AGENT = 'Run multitenant-agent on this host under an account that is an operator (`sacctmgr modify user ' \
              'multitenant set adminlevel=operator`; all web hosts and those of slurmctld and slurmdbd must know it ' \
              'with the same uid), and set MULTITENANT_SNAPSHOT=/run/multitenant.'
      ROOTS = [', which is root\'s, so that the agent can\'t read it.',
               'Run `chown multitenant FILE`, with the file that is named there.'].freeze
      RENEW = 'Write a new one there before; if something does that each time, leave it so.'
      # As ssh has it, in a wrapper of the site's, too.
      DENIED = /: Permission denied \(|Host key verification failed/
      # Where libslurm did not do.
      QUERY = 'Fix multitenant-query (see above); until then sacct and squeue are used, which is slower.'
      WRAPPERS = 'Where this host reaches Slurm by the wrappers in bin_overrides alone, leave it so; else fix ' \
                 'multitenant-query (see above), which is quicker.'

      def configuration
        return unless clusters?

        path = site.clusters_path
        others, files = (site.cluster_files || [path]).partition { |file| File.exist?(file) && !File.readable?(file) }
        broken = files.filter_map { |file| complaint(file) }
        broken.each { |sentence, fix| fail!(sentence, fix) }
        ids = site.clusters.ids
        return others.empty? ? none(path) : not_theirs(others) if ids.empty?

        skip("#{unreadable(others)}.") if others.any?
        ok("Open OnDemand knows #{list(ids)} as #{ids.one? ? 'a Slurm cluster' : 'Slurm clusters'}.") if broken.empty?
      end

      def answers
        return unless core?

        site.slurm.asked.each { |asked| answer(asked) }
      end

      # A token has an end, and from then on nothing is seen.
      def slurmrestd
        return unless core?

        unused if site.settings.slurmrestd && !site.clusters.targets.one?
        site.slurm.asked.each { |asked| token(asked) if asked.slurmrestd }
        site.slurm.whole.select { |asked| asked.slurmrestd && asked.own? }.each { |asked| no_operator(asked) }
      end

      def mapping
        return unless core? && clusters?

        names = site.slurm.asked.filter_map { |asked| asked.stream&.cluster }.uniq
        return skip('no cluster said its name.') if names.empty?

        known = site.clusters.pairs(names).reject { |name, _| name == Clusters::NOBODY }.to_h
        names.each do |name|
          known[name] ? ok("Slurm's cluster #{name} is #{known[name]} in Open OnDemand.") : unmapped(name)
        end
      end

      # Without enforcement any user may say the key.
      def wckey
        each_config { |asked, config| tracked(asked.name, config) }
      end

      def publishers
        return unless core? && answered?(site.slurm.whole)

        here = site.slurm.whole.reject { |asked| asked.slurmrestd || asked.target.over_ssh? }
        here.each do |asked|
          config = site.slurm.config(asked.target)
          free = config.is_a?(Hash) && !enforced?(config)
          free ? ok("#{asked.name}: anybody may use a key, so nobody needs one of slurmdbd.") : users_of_keys(asked)
        end
      end

      # Slurm shows root everything, but not the users of dashboards.
      def private_data
        each_config do |asked, config|
          hidden = config['PrivateData'].to_s.split(',').include?('jobs') || asked.own? || asked.stream&.private_jobs
          next ok("#{asked.name} shows all jobs to all users.") unless hidden

          hides = "#{asked.name} hides others' jobs,"
          next ok("#{hides} but dashboards read a snapshot (see Snapshot).") if site.settings.snapshot

          warn!("#{hides} so dashboards can't see what is shared.",
                Commands.gave?(asked.answer) ? Commands::NO_OPERATOR : AGENT)
        end
      end

      private

      # ---- clusters ----

      # A login node may have a copy of them.
      def clusters?
        File.exist?(site.clusters_path) || ood?
      end

      def complaint(file)
        config = YAML.safe_load(File.binread(file).force_encoding(Encoding::UTF_8))
        ["#{file} has no `v2:`, so Open OnDemand finds no cluster in it.", 'Write it as its manual says.'] unless
          !File.directory?(site.clusters_path) || (config.is_a?(Hash) && config['v2'].is_a?(Hash))
      rescue Errno::ENOENT
        nil
      rescue Psych::Exception, ArgumentError => e
        ["#{file} is not valid YAML: #{e.message.lines.first.to_s.strip}.", 'Correct it.']
      rescue SystemCallError => e
        ["#{file} can't be read: #{e.message.split(' @ ').first}.", 'Fix what that names.']
      end

      # Open OnDemand takes it so that whoever can't read a file does not have its cluster, and sites go by that.
      def unreadable(files)
        "this user can't read #{list(files)}, so in Open OnDemand they do not have what is there"
      end

      def not_theirs(files)
        fail!("#{unreadable(files)}, nor any other cluster.",
              "See `ls -l #{site.clusters_path}`: is this user to have one?")
      end

      def none(path)
        fail!("no cluster in #{path} has `adapter: slurm`, so no card can be made.",
              "Write #{path}/NAME.yml with `v2: {job: {adapter: slurm, cluster: NAME}}`.")
      end

      def unmapped(name)
        fail!("no cluster in Open OnDemand is Slurm's #{name}, so its services get no card.",
              "Write `cluster: #{name}` in the job section of the right file in #{site.clusters_path}.")
      end

      # ---- answers ----

      def answer(asked)
        answer = asked.answer
        return no_answer(asked) unless asked.whole?

        count = asked.stream.count
        jobs = count == 1 ? '1 running job has' : "#{count} running jobs have"
        told = "#{asked.name} answered in #{format('%.3f', answer.seconds)} s " \
               "(#{answer.from.sub(/\Aslurm\z/, 'libslurm')}): #{jobs} the WCKey" \
               "#{' (this user sees only their own)' if asked.own?}."
        asked.said.each { |line| warn!(line, asked.target.wrapped? ? WRAPPERS : QUERY) }
        # The agent's account has no key for ssh.
        agent = asked.slurmrestd || !asked.target.over_ssh?
        return ok(told) if answer.seconds <= PAGE || (agent && site.settings.snapshot)

        quick = '; multitenant-agent with MULTITENANT_SNAPSHOT makes it quick' if agent
        quick += ', where the wrappers let its account in' if agent && asked.target.wrapped? && Commands.gave?(answer)
        warn!("#{told} That is over #{PAGE} s: pages show the last answer and don't wait for a new one.",
              "You can leave it so#{quick}.")
      end

      def no_answer(asked)
        return skip("#{asked.name}: dashboards read the snapshot (see there), not slurmrestd.") if agents?(asked)

        error = asked.answer.error || 'the answer was not complete.'
        if kept_out?(asked, error)
          return skip("#{asked.name}: run this as a user, as root may have no way there: #{error}")
        end

        silent = UNANSWERED.include?(asked.answer.code)
        fail!("#{asked.name}: #{error}", no_answer_fix(asked, silent), silent ? EX_UNAVAILABLE : EX_CONFIG)
      end

      # Users have keys or tickets of theirs for ssh. No dashboard is root's, whom a login node need not let in.
      def kept_out?(asked, error)
        site.root? && (error.start_with?('ssh to ') || (asked.target.wrapped? && error.match?(DENIED)))
      end

      def no_answer_fix(asked, silent)
        return 'Fix what that sentence names; slurmrestd\'s own log says more.' if asked.slurmrestd
        return 'Fix what that sentence names, and try `multitenant jobs`.' unless silent

        down = '`scontrol ping` and `sacctmgr show cluster` which daemon is down: slurmctld, slurmdbd or munged.'
        return "See with #{down}" unless asked.target.over_ssh?

        "Check that `ssh #{asked.target.job['submit_host']}` works for this user; if it does, see there with #{down}"
      end

      # ---- slurmrestd ----

      # Of a host that has a snapshot the agent alone needs it.
      def agents?(asked)
        asked.slurmrestd && site.settings.snapshot && !asked.slurmrestd.token?
      end

      def unused
        warn!('MULTITENANT_SLURMRESTD is of no cluster, since Open OnDemand knows several, so it is not asked.',
              'Write it into the file of its cluster, as `custom: {multitenant: {slurmrestd: …, token: …}}`.')
      end

      def token(asked)
        return skip('this user may not read the token, and has the snapshot (see there).') if agents?(asked)

        slurmrestd = asked.slurmrestd
        token = slurmrestd.token
        left = token.expires && (token.expires - Time.now)
        told = "#{slurmrestd.url} is asked with #{token}"
        return warn!(told + ROOTS[0], ROOTS[1]) if site.root? && site.settings.snapshot && token.roots?
        return fail!(token.expiry.sentence, token.expiry.fix) if token.expired?
        return administrators(told, token) if token.administrator?
        return ok("#{told}, which has no end.") unless left
        return ok("#{told}, which is good until #{at(token.expires)}.") if left > SOON

        warn!("#{told}, which ends at #{at(token.expires)}.", RENEW)
      rescue Failure => e
        fail!(e.sentence, e.fix || 'Correct that, and run doctor as the account that asks, the agent\'s say.')
      end

      def administrators(told, token)
        warn!("#{told}: whoever gets it can do everything in Slurm.",
              "Make one of an account that is an operator at most: `#{token.command}`.")
      end

      def no_operator(asked)
        warn!("#{asked.name}: the user of that token may not see all jobs, so the cards of services that ended stay.",
              'Make them an operator: `sacctmgr modify user NAME set adminlevel=operator`. Or, where Slurm has no ' \
              'PrivateData=jobs, write `sees: all` beside `slurmrestd:`, and restart the agent and the dashboards, ' \
              'which read that as they begin.')
      end

      def at(time)
        time.utc.strftime('%F %T UTC')
      end

      # ---- WCKeys ----

      # @yield [Slurm::Asked, Hash]
      def each_config
        return unless core?

        site.slurm.asked.each do |asked|
          next skip("#{asked.name}: slurmrestd does not tell how Slurm is configured.") if asked.slurmrestd

          config = site.slurm.config(asked.target)
          config.is_a?(Failure) ? skip("#{asked.name}: #{config.message}") : yield(asked, config)
        end
      end

      def tracked(name, config)
        unless config['AccountingStorageType'].to_s.include?('slurmdbd')
          return fail!("#{name} has no accounting (AccountingStorageType), so no job is found by its WCKey.",
                       'Set AccountingStorageType=accounting_storage/slurmdbd in slurm.conf.')
        end
        return ok("#{name} tracks and enforces WCKeys.") if enforced?(config)

        open_to_all(name, config['AccountingStorageEnforce'].to_s.split(',').grep_v(/\Anone\z/i))
      end

      def enforced?(config)
        config['AccountingStorageEnforce'].to_s.split(',').include?('wckeys') &&
          config['TrackWCKey'].to_s.casecmp?('yes')
      end

      # @param enforced [Array<String>] what stays so, such as a site's limits
      def open_to_all(name, enforced)
        keys = site.settings.wckeys.join(', ')
        if site.settings.publishers
          return ok("#{name} does not enforce WCKeys, but only members of #{site.settings.publishers} may publish " \
                    '(MULTITENANT_PUBLISHERS).')
        end

        warn!("#{name} does not enforce WCKeys: anybody may publish under #{keys}.",
              'Name who may publish: MULTITENANT_PUBLISHERS=GROUP. Or enforce keys in the order of doc/wckeys.md, as ' \
              'users without one can\'t submit then: TrackWCKey=yes and AccountingStorageEnforce=' \
              "#{(enforced | %w[associations wckeys]).join(',')} in slurm.conf, TrackWCKey=yes in slurmdbd.conf.")
      end

      def users_of_keys(asked)
        keys = site.settings.wckeys
        args = ['--noheader', '--parsable2', 'show', 'wckey', "wckeys=#{keys.join(',')}", 'format=wckey,cluster']
        text = SlurmCommand.new(asked.target.job || {}).call('sacctmgr', args, MultiTenant.clock + Site::PATIENCE)
        there = text.b.lines.map { |line| line.chomp.split('|') }
        missing = keys.reject { |key| there.any? { |name, at| name.delete_prefix('*') == key && here?(asked, at) } }
        if missing.empty?
          return ok("#{asked.name}: slurmdbd knows users of #{keys.join(', ')}. Before you take it from one, cancel " \
                    'their jobs, also those that wait, or it comes back (doc/wckeys.md).')
        end

        warn!("#{asked.name}: slurmdbd knows no user of #{list(missing)}.",
              "Run `sacctmgr add user NAME wckeys=#{missing[0]}` for everyone who may publish, and make sure that " \
              'it does not become their default key (doc/wckeys.md).')
      rescue Failure => e
        refused = "only Slurm's operators can see who may use a key." if e.message.match?(REFUSED)
        skip("#{asked.name}: #{refused || e.message}")
      end

      def here?(asked, cluster)
        name = asked.stream&.cluster
        name.nil? || cluster.to_s.casecmp?(name)
      end
    end
  end
end
