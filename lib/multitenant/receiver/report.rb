# frozen_string_literal: true

require_relative '../host/clock'

module MultiTenant
  # What became of a receiver's refreshes: {#to_h} for whoever asks, and lines of the log for what is new.
  class Report
    # Refusals that are the normal state of a job; they are counted and not logged.
    QUIET = %w[ok not_member not_recipient malformed_name].freeze

    # Refusals that one refresh logs, and an hour: publishers may have others in each refresh.
    LOGGED = 20
    LOGGED_HOUR = 100
    HOUR = 3600

    # @return [Hash] see {MultiTenant.report}; frozen
    attr_reader :to_h

    # @param log [#call] takes a level (:info, :warn) and a sentence
    def initialize(log)
      @log = log
      @to_h = {}.freeze
      @logged = {}
      @failed = []
    end

    # Nothing was decided.
    # @param answer [Answer, nil]
    # @return [void]
    def failed(error, answer, code)
      error = error.dup.force_encoding(Encoding::UTF_8).scrub('?').gsub(/\s+/, ' ').sub(/(?<![.?!])\z/, '.')
      warn_of("#{error} Specs and cards stay as they were.")
      add('error' => error, 'code' => code, 'failed_at' => Time.now.to_i,
          'from' => answer&.from || to_h['from'], 'seconds' => answer&.seconds || to_h['seconds'])
    end

    # @param shares [Array<Hash>] {Core#shares}
    # @param error [String, nil] what was not whole
    # @param warning [String, nil] the same for the log
    # @return [void]
    def decided(answer, streams, shares, error, code, warning)
      log_refusals(shares)
      warn_of(warning)
      refused = shares.map { |share| share[:specs] }.tally
      @to_h = {
        'at' => Time.now.to_i, 'from' => answer.from, 'seconds' => answer.seconds.round(4),
        'accepted' => refused.delete('ok') || 0, 'refused' => refused.freeze,
        'clusters' => to_h.fetch('clusters', {}).merge(states(streams)).freeze,
        'cards' => to_h.fetch('cards', []), 'error' => error, 'code' => code
      }.freeze
    end

    # Nothing was decided, as nothing else would be than was.
    # @return [void]
    def remained(answer)
      warn_of(nil)
      @to_h = to_h.except('failed_at').merge('at' => Time.now.to_i, 'from' => answer.from, 'error' => nil,
                                             'code' => EX_OK, 'seconds' => answer.seconds.round(4)).freeze
    end

    # What failed is tried again after each answer, and told once.
    # @param events [Array] {Core#deliver}
    # @return [void]
    def delivered(events)
      failed = events.filter_map { |action, path, why| "card #{path}: #{why}" if action == :failed }.uniq
      (failed - @failed).each { |sentence| @log.call(:warn, sentence) }
      @failed = events.any? { |action,| action == :left } ? @failed | failed : failed
      add('cards' => events)
    end

    private

    def add(values)
      @to_h = to_h.merge(values).freeze
    end

    def states(streams)
      streams.to_h { |stream| [stream.cluster, stream.complete ? stream.sees : 'incomplete'] }
    end

    # Says a sentence once, and again only after another one or none; with other numbers in it it is the same one.
    def warn_of(sentence)
      said = sentence&.gsub(/\d+/, '')
      @log.call(:warn, sentence) if sentence && said != @warned
      @warned = said
    end

    # One line for each job whose refusal is new, but no more than an admin would read.
    def log_refusals(shares)
      now = shares.to_h { |share| [share[:key], share[:specs]] }.reject { |_, code| QUIET.include?(code) }
      new = now.reject { |id, code| @logged[id] == code }.to_a
      told = new.first(room)
      told.each { |id, code| @log.call(:info, "job #{id}: #{code}: #{Native.reasons.fetch(code).first}") }
      more = new.size - told.size
      @log.call(:info, "and #{more} more jobs; `multitenant specs --explain` tells them") if more.positive? && told.any?
      @room -= told.size
      @logged = now
    end

    # @return [Integer] how many may be logged now
    def room
      now = MultiTenant.clock
      if @since.nil? || now - @since >= HOUR
        @room = LOGGED_HOUR
        @since = now
      end
      [LOGGED, @room].min
    end
  end
end
