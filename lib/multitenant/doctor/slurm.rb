# frozen_string_literal: true

require_relative '../errors'

module MultiTenant
  class Doctor
    # What Slurm said to this user, and what a dashboard would make of it; asked once. It takes the core.
    class Slurm
      # One cluster's answer; `said` is what was logged meanwhile, `slurmrestd` what asks its slurmrestd or nil.
      Asked = Struct.new(:target, :answer, :said, :slurmrestd, keyword_init: true) do
        # @return [Stream, nil]
        def stream
          answer.records.flat_map(&:streams).first
        end

        # @return [String] the cluster, for a person
        def name
          stream&.cluster || target.cluster || target.conf || 'this host\'s cluster'
        end

        # @return [Boolean] it is an answer, and complete
        def whole?
          answer.error.nil? && !stream.nil? && stream.complete
        end

        # @return [Boolean] Slurm hides the jobs of others
        def own?
          stream&.sees == 'own'
        end
      end

      # @param site [Site]
      def initialize(site)
        @site = site
      end

      # @return [Array<Asked>] one for each cluster of OOD's
      def asked
        @asked ||= @site.clusters.targets.map { |target| ask(target) }
      end

      # @return [Array<Asked>] those of which there is a whole stream
      def whole
        asked.select(&:whole?)
      end

      # With PrivateData Slurm shows a user their own jobs, and their dashboard reads the snapshot. Root's would be that
      # of root's groups, and Slurm shows root all.
      # @return [Array<Records>] what is shared, as this user's dashboard is told it
      def told
        @told ||= begin
          kept = @site.root? ? [] : snapshot
          names = kept.flat_map(&:whole).map(&:cluster)
          kept + whole.reject { |asked| names.include?(asked.stream.cluster) }.flat_map { |asked| asked.answer.records }
        end
      end

      # @return [Array<Record>] of all clusters
      def records
        @records ||= told.flat_map { |one| one.whole.flat_map { |stream| one.of(stream.cluster) } }
      end

      # @return [Array<Hash>] see {Receiver#shares}
      def shares
        receiver.shares
      end

      # @return [Hash{String => Array<String>}] token => job ids, of what is shared with this user; for
      #   root with anybody, as far as a v1 envelope tells
      def tokens
        named = receiver.specs.map { |key, spec| [key, spec['accounting']] }
        named += records.map { |record| [record.job_id, opened(record)] } if @site.root?
        named.each_with_object({}) do |(job, accounting), tokens|
          token = accounting['mtd'].to_s
          (tokens[token] ||= []) << job.to_s if receiver.delivery?(token)
        end.transform_values(&:uniq)
      end

      # @param target [Clusters::Target]
      # @return [Hash{String => String}, Failure] `scontrol show config`; a failure is kept, too: each would take
      #   its time
      def config(target)
        (@configs ||= {})[target] ||= begin
          ClusterConfig.new(SlurmCommand.new(target.job || {})).all(MultiTenant.clock + Site::PATIENCE)
        rescue Failure => e
          e
        end
      end

      private

      def opened(record)
        code, accounting, = Native.open(record.job_id, record.user, record.name)
        code == 'ok' ? accounting : {}
      end

      def ask(target)
        said = []
        source = ClusterSource.new(@site.settings, target, clusters: @site.clusters, log: ->(_, line) { said << line })
        answer = source.call(@site.settings.timeout)
        Asked.new(target: target, answer: answer, said: said, slurmrestd: source.slurmrestd)
      end

      # @return [Array<Records>] of those clusters that are fresh in it; why others are not {Machine} tells
      def snapshot
        directory = @site.settings.snapshot or return []
        Snapshot.new(@site.settings, directory: @site.at(directory), fallback: ->(_) {}).call(1)&.records.to_a
      end

      # Its source gives what was there already. It lets a message name what is not installed, which {Apps} tells.
      def receiver
        @receiver ||= begin
          known = Answer.new(records: told, from: 'slurm', seconds: 0.0, error: nil, code: EX_OK)
          @site.receiver(->(_seconds) { known }, dataroot: nil, installed: -> {}).tap(&:ask)
        end
      end
    end
  end
end
