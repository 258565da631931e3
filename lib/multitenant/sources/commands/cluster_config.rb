# frozen_string_literal: true

require_relative 'slurm_command'

module MultiTenant
  # What Slurm's commands tell of a cluster: its name, and whether they show others' jobs. Asked once
  # and kept until {#forget}.
  class ClusterConfig
    # Since this release `sacctmgr show config` prints the PrivateData of slurm.conf twice and that of
    # slurmdbd.conf never (slurmdb_config_get_keypairs, src/api/extra_get_functions.c). There slurm.conf's
    # is the answer, as it is to the query program.
    SILENT = [26, 5].freeze

    # @param command [SlurmCommand]
    def initialize(command)
      @command = command
    end

    # @param until_at [Float] the deadline, by {MultiTenant.clock}
    # @return [Hash{String => String}] `scontrol show config`, asked now
    # @raise [Failure]
    def all(until_at)
      pairs(@command.call('scontrol', %w[show config], until_at))
    end

    # @param until_at [Float] the deadline, by {MultiTenant.clock}
    # @return [String] Slurm's name of the cluster
    # @raise [Failure]
    def name(until_at)
      name = slurm(until_at)['ClusterName'].to_s
      return name unless name.empty?

      raise Failure.new(EX_UNAVAILABLE, 'scontrol show config names no cluster.')
    end

    # Lets the next call ask again.
    # @return [void]
    def forget
      @slurm = @dbd_hides = nil
    end

    # Whether the commands show all jobs, so that one that is missing has ended. What can't be learned
    # counts as no, which takes nothing away. So does an operator, although Slurm shows them everything: only
    # the query program asks who is an operator.
    # @param accounting [Boolean] slurmdbd was asked, too
    # @return [String] "all" or "own"
    # @raise [Failure]
    def sees(until_at, accounting: true)
      privileged?(until_at) || private_jobs(until_at, accounting: accounting) == false ? 'all' : 'own'
    end

    # @return [Boolean, nil] whether users see their own jobs alone; nil: could not be learned
    # @raise [Failure]
    def private_jobs(until_at, accounting: true)
      return true if hides?(slurm(until_at)['PrivateData'])
      return false unless accounting

      @dbd_hides = dbd_hides(until_at) if @dbd_hides.nil?
      @dbd_hides
    end

    # @return [Boolean] nothing tells whether slurmdbd hides jobs: there is no sacctmgr that could
    def mute?
      @mute || false
    end

    private

    def slurm(until_at)
      @slurm ||= all(until_at).tap do |pairs|
        next if pairs['AccountingStorageType'].to_s.include?('slurmdbd')

        raise Failure.new(EX_CONFIG, "Slurm's accounting is off, so that no job can be found by its WCKey; set " \
                                     'AccountingStorageType=accounting_storage/slurmdbd in slurm.conf.')
      end
    end

    # @return [Boolean, nil] nil: not told now, asked again next time
    def dbd_hides(until_at)
      text = @command.call('sacctmgr', %w[--noheader show config], until_at)
      dbd = pairs(text.b.partition("\nSlurmDBD configuration:").last)
      version = dbd['SLURMDBD_VERSION'].to_s.scan(/\d+/).first(2).map(&:to_i)
      return if version.empty? || dbd['PrivateData'].nil?

      (version <=> SILENT).negative? && hides?(dbd['PrivateData'])
    rescue Failure => e
      @mute = e.is_a?(SlurmCommand::NotThere) || @command.useless?('sacctmgr', e)
      nil
    end

    # On another host we may be somebody else.
    def privileged?(until_at)
      return false if @command.elsewhere?

      Process.euid.zero? || slurm(until_at)['SlurmUser'].to_s[/\((\d+)\)\z/, 1] == Process.euid.to_s
    end

    # "none", or some of accounts,events,jobs,…
    def hides?(value)
      value.nil? || value.split(',').include?('jobs')
    end

    def pairs(text)
      text.b.scan(/^(\w+) *= (.*)$/).to_h { |key, value| [key, value.strip.force_encoding(Encoding::UTF_8).scrub('?')] }
    end
  end
end
