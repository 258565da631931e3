# frozen_string_literal: true

module MultiTenant
  # The receiving side for one user: asks a source, lets the core decide, has the card files written
  # and keeps the specs. Nothing that goes wrong leaves it as an exception.
  class Receiver
    # Refusals that are the normal state of a job; they are counted and not logged.
    QUIET = %w[ok not_member not_recipient malformed_name].freeze

    # Refusals that one refresh logs.
    LOGGED = 20

    # @return [Hash] MultiTenant.specs; frozen
    attr_reader :specs
    # @return [Hash] see {MultiTenant.report}; frozen
    attr_reader :report

    # @param settings [Settings]
    # @param source [#call] seconds -> {Answer}
    # @param clusters [Clusters]
    # @param core [Hash] what {Settings#to_core} gives
    # @param log [#call] takes a level (:info, :warn) and a sentence
    def initialize(settings, source:, clusters:, core:, log:)
      @settings = settings
      @source = source
      @clusters = clusters
      @core = Core.new(core)
      @cards = !core[:dataroot].nil?
      @log = log
      @specs = {}.freeze
      @report = {}.freeze
      @logged = {}
      @mutex = Mutex.new
    end

    # Asks, decides and delivers. A second call while one runs gives the last report.
    # @param seconds [Float] deadline of the source
    # @param deliver [Boolean, :dry_run] write card files, not, or only tell
    # @return [Hash] the report
    def refresh(seconds: @settings.timeout, deliver: true)
      return report unless @mutex.try_lock

      begin
        renew(seconds, deliver)
      rescue StandardError, NoMemoryError => e
        fail_with("#{e.class}: #{e.message}", nil, EX_SOFTWARE)
      ensure
        @mutex.unlock
      end
      report
    end

    # @return [Array<Array(String, String, String)>] key, specs code, card code of each job
    def explain
      @core.explain
    end

    # @return [Boolean] see {Core#dismiss}; false also where the list can't be written
    def dismiss(id)
      @core.dismiss(id)
    rescue Error => e
      @log.call(:warn, "card #{id} can't be dismissed: #{e.message}")
      false
    end

    # @return [Boolean] see {Core#restore}; false also where the list can't be written
    def restore(id)
      @core.restore(id)
    rescue Error => e
      @log.call(:warn, "card #{id} can't be restored: #{e.message}")
      false
    end

    # Removes every card of ours.
    # @return [Array] as {Core#deliver}
    def remove_all(dry_run: false)
      @core.decide([]) { |names| @clusters.pairs(names) }
      @core.deliver_nothing(dry_run)
    end

    private

    def renew(seconds, deliver)
      answer = @source.call(seconds)
      streams, bad_lines = @core.decide(answer.texts) { |names| @clusters.pairs(names) }
      error, code = answer.error ? [answer.error, answer.code] : incomplete(streams, bad_lines)
      return fail_with(error, answer, code) if streams.none? { |stream| stream[:complete] }

      events = deliver && @cards ? @core.deliver(deliver == :dry_run) : []
      @specs = @core.specs
      log_refusals
      log_failures(events)
      @log.call(:warn, "#{error} What is of that cluster stays as it was.") if error
      @report = describe(answer, streams, events, error, code)
    end

    # Every stream is whole, or a sentence about the first that is not.
    def incomplete(streams, bad_lines)
      line = bad_lines.compact.first
      return ["Line #{line} of the records does not belong there.", EX_DATAERR] if line
      return ['There is no record stream.', EX_DATAERR] if streams.empty?

      broken = streams.find { |stream| !stream[:complete] }
      return [nil, EX_OK] unless broken

      ["The records of cluster #{broken[:cluster]} have no last line: they are incomplete.", EX_DATAERR]
    end

    def fail_with(error, answer, code = EX_DATAERR)
      error = error.gsub(/\s+/, ' ').sub(/(?<![.?!])\z/, '.')
      @log.call(:warn, "#{error} Specs and cards stay as they were.")
      @report = report.merge('error' => error, 'code' => code, 'failed_at' => Time.now.to_i,
                             'from' => answer&.from || report['from'],
                             'seconds' => answer&.seconds || report['seconds']).freeze
    end

    def describe(answer, streams, events, error, code)
      refused = explain.map { |_, specs_code, _| specs_code }.tally
      accepted = refused.delete('ok') || 0
      {
        'at' => Time.now.to_i, 'from' => answer.from, 'seconds' => answer.seconds.round(4),
        'accepted' => accepted, 'refused' => refused.freeze,
        'clusters' => streams.to_h { |s| [s[:cluster], s[:complete] ? s[:sees] : 'incomplete'] }.freeze,
        'cards' => events, 'error' => error, 'code' => code
      }.freeze
    end

    # One line for each job whose refusal is new, but no more than an admin would read.
    def log_refusals
      now = explain.to_h { |id, code, _| [id, code] }.reject { |_, code| QUIET.include?(code) }
      new = now.reject { |id, code| @logged[id] == code }.to_a
      new.first(LOGGED).each { |id, code| @log.call(:info, "job #{id}: #{code}: #{Core.reasons.fetch(code).first}") }
      more = new.size - LOGGED
      @log.call(:info, "and #{more} more jobs; `multitenant specs --explain` tells them") if more.positive?
      @logged = now
    end

    def log_failures(events)
      events.each { |deed, path, why| @log.call(:warn, "card #{path}: #{why}") if deed == :failed }
    end
  end
end
