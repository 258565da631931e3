# frozen_string_literal: true

require_relative 'sources/cluster_source'
require_relative 'sources/query'
require_relative 'sources/snapshot'
require_relative 'sources/schedule'

module MultiTenant
  # All sources of a host as one: those that are due are asked at the same time. One that failed
  # last time is asked in a call of its own, so that a cluster that hangs costs the others nothing.
  # Beside a snapshot all that are due are asked in one call, for three quarters of the time.
  class Sources
    # Seconds that the answer of a source over ssh lives at least: each dashboard has one of its own.
    OVER_SSH = 300

    # The sources of a site's clusters.
    # @param settings [Settings]
    # @param clusters [Clusters]
    # @param gids [#call, nil] -> the viewer's groups; nil: no snapshot is read
    # @param over_ssh [Float] seconds that the answer of a source over ssh lives at least
    # @param log [#call] takes a level and a sentence
    # @return [Sources]
    def self.of(settings, clusters, log:, gids: nil, over_ssh: OVER_SSH)
      far = [settings.ttl, over_ssh].max
      return new(schedules(settings, clusters, settings.ttl, far, log)) unless settings.snapshot && gids

      # The snapshot's schedule alone says when it is time to ask.
      own = new(schedules(settings, clusters, 0, far, log))
      snapshot = Snapshot.new(settings, directory: settings.snapshot, gids: gids, others: own,
                                        fallback: own.method(:call_all))
      new([Schedule.new(snapshot, settings.ttl)])
    end

    def self.schedules(settings, clusters, near, far, log)
      clusters.targets.map do |target|
        source = ClusterSource.new(settings, target, clusters: clusters, log: log)
        Schedule.new(source, target.over_ssh? ? far : near)
      end
    end
    private_class_method :schedules

    # @param schedules [Array<Schedule>]
    def initialize(schedules)
      @schedules = schedules
    end

    # @return [Boolean] one of them is to be asked
    def due?
      @schedules.any?(&:due?)
    end

    # @return [Boolean] one that is to be asked answered last time
    def healthy?
      @schedules.any? { |schedule| schedule.due? && schedule.healthy? }
    end

    # @return [Boolean] each answered last time; a report has no error where one that fails was not asked
    def answering?
      @schedules.all?(&:answering?)
    end

    # @param cluster [String] Slurm's name
    # @return [Boolean] see {Schedule#hanging?}
    def hanging?(cluster)
      @schedules.any? { |schedule| schedule.hanging?(cluster) }
    end

    # @return [Boolean] there is none of them
    def none?
      @schedules.empty?
    end

    # @param names [Array<String>] Slurm's names of clusters
    # @return [Sources] those of other clusters; a source whose cluster is not known yet may be of any name that is left
    def except(names)
      known, unknown = @schedules.partition(&:cluster)
      left = names - known.map(&:cluster)
      Sources.new(known.reject { |one| names.include?(one.cluster) } + (left.size < unknown.size ? unknown : []))
    end

    # @return [Float] seconds that the longest-lived answer lives
    def ttl
      @schedules.map(&:ttl).max
    end

    # All of them are to be asked, whatever they answered before.
    # @return [void]
    def expire
      @schedules.each(&:expire)
    end

    # @param seconds [Float] the deadline of each
    # @return [Answer] no text and no error where none is to be asked; {due?} says whether there are more
    def call(seconds)
      healthy, failing = @schedules.select(&:due?).partition(&:healthy?)
      merge(ask(healthy.empty? ? failing : healthy, seconds))
    end

    # The same of all that are to be asked, those that failed last time, too: for who does not ask again at once.
    # @param seconds [Float]
    # @return [Answer]
    def call_all(seconds)
      merge(ask(@schedules.select(&:due?), seconds))
    end

    private

    def ask(schedules, seconds)
      schedules.one? ? [schedules[0].call(seconds)] : ask_at_once(schedules, seconds)
    end

    def ask_at_once(schedules, seconds)
      threads = schedules.map do |schedule|
        Thread.new { schedule.call(seconds) }.tap { |thread| thread.report_on_exception = false }
      end
      threads.map(&:value)
    ensure
      threads&.each(&:kill)
    end

    def merge(answers)
      return answers[0] if answers.one?

      failed = answers.find(&:error)
      Answer.new(records: without_doubles(answers.flat_map(&:records)), from: answers.map(&:from).uniq.join(', '),
                 seconds: answers.map(&:seconds).max || 0.0, error: failed&.error, code: failed&.code || EX_OK,
                 parts: answers)
    end

    # Two configurations may lead to one cluster, whose second stream would not belong.
    def without_doubles(records)
      records.uniq { |one| one.streams.first&.cluster || one }
    end
  end
end
