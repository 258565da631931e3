# frozen_string_literal: true

require 'etc'
require 'open3'
require_relative '../host'

module MultiTenant
  # What the agent needs beside its unit: an account of the system's, systemd's word, and Slurm's. What is so already
  # stays; what can't be done here (below a DESTDIR, without systemd) is said, as commands.
  class AgentSetup
    UNIT = File.basename(Host::UNIT)
    RUNNING = '/run/systemd/system'
    USERADD = %w[useradd --system --no-create-home --shell /usr/sbin/nologin].freeze
    JOBS = %w[jobs --timeout 5].freeze

    # @param host [Host]
    # @param user [String] the unit's
    # @param out [IO] gets a line for each action
    # @param dry_run [Boolean]
    def initialize(host, user, out:, dry_run:)
      @host = host
      @user = user
      @out = out
      @dry_run = dry_run
      @left = []
    end

    # @return [Boolean] the account is to be made
    # @raise [Failure] where one of that name can't keep a snapshot
    def account_missing?
      return false unless here?

      uid = account&.uid
      return uid.nil? if uid.nil? || uid.between?(1, 999)

      fail!("The account #{@user} has the uid #{uid}, and dashboards trust only a snapshot of a system account (uid " \
            'below 1000).', "Make it anew: `userdel #{@user}; #{USERADD.join(' ')} #{@user}`.")
    end

    # Before the unit is written.
    # @return [void]
    def make_account
      return @left.push("#{USERADD.join(' ')} #{@user}", operator('only with PrivateData=jobs')) unless here?

      account ? @out.puts("kept account #{@user}") : run(*USERADD, @user)
    end

    # Once the unit is there.
    # @param changed [Boolean] its file is new or another
    # @return [void]
    def start(changed)
      return @left.push('systemctl daemon-reload', "systemctl enable --now #{UNIT}") unless systemd?

      runs = on?
      return @out.puts("kept #{UNIT}, which runs") if runs && !changed

      run('systemctl', 'daemon-reload') if changed
      run('systemctl', *(runs ? ['restart'] : ['enable', '--now']), UNIT)
    end

    # What Slurm tells the account, and what is left to do.
    # @param command [String, nil] the shell's line that runs `multitenant jobs` of the gem
    # @return [void]
    def finish(command)
      ask_slurm(command) if here? && command && !@dry_run
      @out.puts 'For the agent, run:', *@left.map { |line| "  #{line}" } if @left.any?
    end

    # Before the unit is removed.
    # @return [void]
    # @raise [Failure] where it is enabled and systemd does not run
    def stop
      return stop_here if systemd?

      fail!('The agent is enabled.', "Run `systemctl disable --now #{UNIT}` first.", EX_CANTCREAT) if enabled?
    end

    # @return [void]
    def remove_account
      run('userdel', @user) if here? && account
    end

    # Once the unit is gone.
    # @return [void]
    def forget
      run('systemctl', 'daemon-reload') if systemd?
    end

    private

    # systemctl disables no unit whose file is gone. It may run all the same.
    def stop_here
      return run('systemctl', 'disable', '--now', UNIT) if File.exist?(@host.at(Host::UNIT))

      run('systemctl', 'stop', UNIT) if is?('is-active')
    end

    def here?
      @host.root.empty?
    end

    def systemd?
      here? && File.directory?(RUNNING)
    end

    def enabled?
      Dir.glob(@host.at("#{File.dirname(Host::UNIT)}/*.wants/#{UNIT}")).any?
    end

    def on?
      %w[is-enabled is-active].all? { |what| is?(what) }
    end

    def is?(what)
      Open3.capture2e('systemctl', '--quiet', what, UNIT)[1].success?
    end

    def account
      Etc.getpwnam(@user)
    rescue ArgumentError
      nil
    end

    def operator(why)
      "sacctmgr add user #{@user} account=ACCOUNT adminlevel=operator    # #{why}"
    end

    # As the agent asks: with no rights but that account's.
    def ask_slurm(command)
      return unless (entry = account)

      out, err, status = Open3.capture3(
        { 'PATH' => '/usr/sbin:/usr/bin:/sbin:/bin', 'HOME' => '/nonexistent', 'LANG' => 'C.UTF-8' },
        'setpriv', "--reuid=#{entry.uid}", "--regid=#{entry.gid}", '--clear-groups', '/bin/bash', '-c',
        command, stdin_data: '', binmode: true, unsetenv_others: true, chdir: '/'
      )
      @out.puts status.success? ? sees(out) : "#{@user} could not ask Slurm: #{err.lines.last.to_s.strip}"
    end

    def sees(streams)
      return "Slurm shows all jobs to #{@user}." unless streams.match?(/^\{"multitenant":.*"sees":"own"/)

      "Slurm hides the jobs of others (PrivateData) from #{@user}, so there is no snapshot yet. The hosts of " \
        "slurmctld and slurmdbd must know that name with the same uid, #{account.uid}. #{another_uid} Run, as a " \
        "Slurm administrator:\n  #{operator("or: sacctmgr modify user #{@user} set adminlevel=operator")}\n" \
        'Where Slurm is asked by its commands that is not enough (doc/admins.md, "The agent").'
    end

    # Each of several web hosts makes its account with the uid that is free there.
    def another_uid
      'Where they have it with another one, as another web host\'s, leave that, and make it here anew: `systemctl ' \
        "stop #{UNIT}; userdel #{@user}; #{USERADD.join(' ')} --uid UID #{@user}; systemctl start #{UNIT}`."
    end

    def run(*argv)
      @out.puts "#{@dry_run ? 'would run' : 'ran'} #{argv.join(' ')}"
      return if @dry_run

      said, status = Open3.capture2e(*argv)
      fail!("`#{argv.join(' ')}` failed: #{said.lines.last.to_s.strip}") unless status.success?
    rescue Errno::ENOENT
      fail!("There is no #{argv[0]} to run `#{argv.join(' ')}`.")
    end

    def fail!(sentence, fix = nil, code = EX_CONFIG)
      raise Failure.new(code, sentence, fix: fix)
    end
  end
end
