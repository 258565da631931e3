# frozen_string_literal: true

require_relative '../multitenant'
require_relative 'metrics/exposition'

module MultiTenant
  # What is shared and what is refused, for Prometheus: of each cluster what its last whole answer told. No envelope
  # is opened, so that nothing is told that `squeue` does not show; tenants, hosts, ports and connections are nowhere.
  # doc/admins.md lists the metrics.
  class Metrics
    # A viewer who is in every group and is nobody.
    NO_UID = 0xffffffff

    # Seconds before its end from which a job gets nobody new, where its publisher says nothing else.
    LEAD = Core::LIMITS[:lead_default] * 60

    # What is not known of a service.
    UNKNOWN = '?'

    # Open OnDemand's name of the job of an app: sys/dashboard/sys/NAME, or with the portal's name before it, or with -
    # where OOD_JOB_NAME_ILLEGAL_CHARS has the /.
    APP = %r{(?:\A|[/-])sys[/-]dashboard[/-](?:sys|dev)[/-]([\w.-]{1,64})(?: mt:\S*)?\z}

    # Seconds for which groups have as many people as the name service said, and that it may take.
    PEOPLE_KEPT = 300
    PATIENCE = 3

    # One cluster: whether its last answer was whole, how many there were by result, and what the last whole one told.
    Cluster = Struct.new(:up, :ok, :failed, :asked, :seconds, :stream, :shares) do
      def initialize
        super(0, 0, 0)
      end
    end
    private_constant :Cluster

    # @param settings [Settings]
    # @param anonymous [Boolean, nil] tell no users, groups and jobs; nil: of clusters whose PrivateData hides jobs, or
    #   that don't say
    # @param names [Names]
    def initialize(settings, anonymous: nil, names: Names.new)
      @core = Core.new(settings.to_core(dataroot: nil).merge(uid: NO_UID))
      @anonymous = anonymous
      @names = names
      @clusters = {}
      @people = {}
    end

    # Takes what a round of questions gave.
    # @param answer [Answer]
    # @return [void]
    def note(answer)
      answer.parts.each { |part| note_part(part) }
      judge(answer.records)
      count_people
    end

    # @return [String] in Prometheus' text format
    def to_s
      out = Exposition.new
      out.family('multitenant_build_info', 'gauge', 'The release, and the Slurm that its query program was built for.',
                 [[{ version: VERSION, slurm: slurm }, 1]])
      add_clusters(out)
      add_services(out)
      add_jobs(out)
      out.to_s
    end

    private

    # ---- what is noted ----

    def note_part(part)
      streams = part.records.flat_map(&:streams)
      return failed(part.cluster || UNKNOWN) if streams.empty?

      streams.each do |stream|
        next failed(stream.cluster) unless stream.complete

        @clusters.delete(UNKNOWN) unless @clusters.key?(stream.cluster)
        cluster = of(stream.cluster)
        cluster.up = 1
        cluster.ok += 1
        cluster.seconds = part.seconds
        cluster.stream = stream
      end
    end

    def failed(name)
      cluster = of(name)
      cluster.up = 0
      cluster.failed += 1
    end

    def of(name)
      @clusters[name] ||= Cluster.new
    end

    # What the core says of them before it opens any.
    def judge(records)
      told = records.flat_map { |one| one.whole.flat_map { |stream| one.of(stream.cluster) } }
      @core.gids = told.filter_map(&:group_gid).uniq.reject(&:negative?)
      streams, = @core.read(records)
      addresses = records.flat_map { |one| @core.addresses(one) }.to_h { |one| [[one.cluster, one.job_id], one] }
      shares = @core.begun.map { |share| share.merge(address: addresses[share.values_at(:cluster, :job_id)]) }
                    .group_by { |share| share[:cluster] }
      streams.select(&:complete).each { |stream| of(stream.cluster).shares = shares.fetch(stream.cluster, []) }
    end

    # How many there are in the groups, besides the publishers: at once for one that is new, else now and then.
    def count_people
      pairs = named.flat_map { |_, cluster| passed(cluster).map { |share| share.values_at(:uid, :group) } }.uniq
      return if pairs.empty? || ((pairs - @people.keys).empty? && MultiTenant.clock - @counted < PEOPLE_KEPT)

      @people = pairs.to_h { |pair| [pair, nil] }.merge(@names.others_of(pairs, PATIENCE).to_h)
      @counted = MultiTenant.clock
    end

    # ---- what is told ----

    # @return [Hash{String => Cluster}] those that ever gave a whole answer
    def told
      @clusters.select { |_, cluster| cluster.shares }
    end

    def passed(cluster)
      cluster.shares.select { |share| share[:specs] == 'ok' }
    end

    # @return [Hash{String => Cluster}] those whose users, groups and jobs are told
    def named
      told.reject { |_, cluster| @anonymous.nil? ? cluster.stream.private_jobs != false : @anonymous }
    end

    def slurm
      @slurm ||= Program.new(Query::PROGRAM, name: 'The query program', fix: Query::FIX)
                        .call('--version', seconds: PATIENCE).out.to_s[/\(Slurm ([\d.]+)\)/, 1] || UNKNOWN
    end

    # A sample of each cluster that has the value.
    def each_cluster(clusters)
      clusters.filter_map do |name, cluster|
        value = yield cluster
        [{ cluster: name }, value] if value
      end
    end

    def add_clusters(out)
      out.family('multitenant_source_up', 'gauge', 'Whether Slurm gave a whole answer when it was asked last.',
                 each_cluster(@clusters, &:up))
      out.family('multitenant_sees_all', 'gauge', 'Whether PrivateData lets the asker see the jobs of all users.',
                 each_cluster(told) { |cluster| cluster.stream.sees == 'all' ? 1 : 0 })
      out.family('multitenant_last_success_timestamp_seconds', 'gauge',
                 'When Slurm was asked for the last whole answer.',
                 each_cluster(told) { |cluster| cluster.stream.generated })
      out.family('multitenant_refresh_duration_seconds', 'gauge', 'How long the last whole answer took.',
                 each_cluster(told) { |cluster| cluster.seconds.round(4) })
      out.family('multitenant_refreshes_total', 'counter', 'Answers since this process began.',
                 @clusters.flat_map do |name, cluster|
                   %i[ok failed].map { |result| [{ cluster: name, result: result }, cluster[result]] }
                 end)
    end

    def add_services(out)
      out.family('multitenant_services', 'gauge', 'Jobs that share a service, by the app of their name and envelope.',
                 told.flat_map { |name, cluster| services(name, cluster) })
      out.family('multitenant_refused_jobs', 'gauge',
                 'Jobs of which something is refused, by what is known without opening envelopes.',
                 told.flat_map { |name, cluster| refused(name, cluster) })
    end

    # Of each envelope there is a sample, also where none is in use.
    def services(name, cluster)
      none = Settings::ENVELOPES.to_h { |envelope| [[UNKNOWN, envelope], 0] }
      counts = none.merge(passed(cluster).map { |share| [app(share), share[:envelope]] }.tally)
      counts.map { |(app, envelope), count| [{ cluster: name, app: app, envelope: envelope }, count] }
    end

    def refused(name, cluster)
      counts = cluster.shares.map { |share| reason(share) }.tally
      outer = Native.reasons.select { |_, (_, _, outer)| outer }.keys
      outer.map { |reason| [{ cluster: name, reason: reason }, counts.fetch(reason, 0)] }
    end

    # To one who is in all groups, not_member means that there is no such group, so its publisher is not in it either.
    # Of a job that is fine the address outside Open OnDemand may not be.
    def reason(share)
      return share[:address]&.reason if share[:specs] == 'ok'

      share[:specs] == 'not_member' ? 'publisher_not_member' : share[:specs]
    end

    def app(share)
      share[:label].to_s.b[APP, 1] || UNKNOWN
    end

    def add_jobs(out)
      jobs = named.flat_map do |name, cluster|
        passed(cluster).map { |share| [{ cluster: name, job_id: share[:job_id] }, share] }
      end
      out.family('multitenant_service_info', 'gauge', 'A job that shares a service.',
                 jobs.map { |labels, share| [{ **labels, **info(share) }, 1] })
      out.family('multitenant_service_start_timestamp_seconds', 'gauge', 'When the job began.',
                 jobs.map { |labels, share| [labels, share[:start]] })
      out.family('multitenant_service_end_timestamp_seconds', 'gauge', 'When its time limit ends the job.',
                 jobs.map { |labels, share| [labels, share[:end].zero? ? Float::INFINITY : share[:end]] })
      out.family('multitenant_service_recipients', 'gauge',
                 'People in the group that it is shared with, of whom its envelope may name but some.',
                 jobs.map { |labels, share| [labels, @people[share.values_at(:uid, :group)]] }.select(&:last))
      out.family('multitenant_service_members', 'gauge',
                 'Jobs of a service with an address outside Open OnDemand: serving, or in their last minutes.',
                 named.flat_map { |name, cluster| members(name, cluster) })
    end

    # Of others it is sealed which services they are of.
    def members(name, cluster)
      jobs = passed(cluster).select { |share| share[:address]&.service && share[:address].reason == 'ok' }
      jobs.group_by { |share| [*share.values_at(:user, :group), share[:address].service] }.flat_map do |service, all|
        labels = { cluster: name, **%i[user group service].zip(service).to_h }
        leaving, serving = all.partition { |share| (1..(cluster.stream.generated + LEAD)).cover?(share[:end]) }
        [[{ **labels, state: 'serving' }, serving.size], [{ **labels, state: 'leaving' }, leaving.size]]
      end
    end

    def info(share)
      { user: share[:user], group: share[:group], app: app(share), service: share[:address]&.service || UNKNOWN,
        envelope: share[:envelope] }
    end
  end
end
