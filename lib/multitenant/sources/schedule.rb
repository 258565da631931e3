# frozen_string_literal: true

module MultiTenant
  # One source of records and when it is asked next: after its time to live, or, while it fails, after
  # pauses that double up to five minutes. Up to a fifth is taken off at random, so that the dashboards
  # of a host don't ask all at once.
  class Schedule
    FIRST_PAUSE = 5
    LONGEST_PAUSE = 300

    # @param source [#call] seconds -> {Answer}
    # @param ttl [Float]
    # @param clock [#call] monotonic seconds
    def initialize(source, ttl, clock: MultiTenant.method(:clock))
      @source = source
      @ttl = ttl
      @clock = clock
      @failures = 0
      @late = [] # its cluster where it did not answer in time
      @next = clock.call
    end

    # @return [Float] seconds that an answer lives, its own or of those that it asks in its turn: the longest
    def ttl
      [@ttl, *(@source.ttl if @source.respond_to?(:ttl))].max
    end

    # @return [Boolean] it is to be asked
    def due?
      @clock.call >= @next
    end

    # It is to be asked now, and so are those that it asks in its turn.
    # @return [void]
    def expire
      @next = @clock.call
      @source.expire if @source.respond_to?(:expire)
    end

    # @return [Boolean] it answered last time, or was never asked: a page may wait for it
    def healthy?
      @failures.zero?
    end

    # @return [Boolean] the same of it, and of those that it asks in its turn
    def answering?
      healthy? && (!@source.respond_to?(:answering?) || @source.answering?)
    end

    # @return [String, nil] see {ClusterSource#cluster}
    def cluster
      @source.cluster
    end

    # @param cluster [String] Slurm's name
    # @return [Boolean] the last question to it, or to one whose name is not known yet, was not answered in time
    def hanging?(cluster)
      return @source.hanging?(cluster) if @source.respond_to?(:hanging?)

      [[nil], [cluster]].include?(@late)
    end

    # @param seconds [Float] the deadline
    # @return [Answer]
    def call(seconds)
      answer = ask(seconds)
      failed = failed?(answer)
      @late = (failed && answer.code == EX_TEMPFAIL ? [answer.cluster] : [])
      @failures = failed ? @failures + 1 : 0
      @next = @clock.call + (pause * rand(0.8..1.0))
      answer
    end

    private

    def ask(seconds)
      @source.call(seconds)
    rescue StandardError => e
      Answer.new(texts: [], from: 'slurm', seconds: 0.0, error: "#{e.class}: #{e.message}.", code: EX_SOFTWARE)
    end

    # A stream that is not complete changes nothing, and is no better than none; a complete one beside
    # others that are missing is an answer.
    def failed?(answer)
      answer.records.none? { |records| records.whole.any? } && !(answer.records.empty? && answer.error.nil?)
    end

    def pause
      return @ttl if healthy?

      shortest = [@ttl, FIRST_PAUSE].max
      (shortest * (2**[@failures - 1, 20].min)).clamp(shortest, [@ttl, LONGEST_PAUSE].max)
    end
  end
end
