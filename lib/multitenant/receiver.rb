# frozen_string_literal: true

require_relative 'receiver/card_files'
require_relative 'receiver/credentials'
require_relative 'receiver/report'

module MultiTenant
  # The receiving side for one user: asks a source, lets the core decide, has the card files written
  # and keeps the specs. {#refresh} never raises: its report says what went wrong.
  class Receiver
    # Seconds that munged gets in any case.
    SECONDS_MIN = 0.1

    # Seconds that a page waits for another thread that uses the core, which may hang in a file system.
    PATIENCE = 5.0

    # @return [Hash] MultiTenant.specs; frozen
    attr_reader :specs
    # @return [Hash] MultiTenant.services; frozen
    attr_reader :services
    # @return [Integer] changes with the specs and services
    attr_reader :generation

    # @param settings [Settings]
    # @param source [#call] seconds -> {Answer}
    # @param clusters [Clusters]
    # @param core [Hash] what {Settings#to_core} gives
    # @param log [#call] takes a level (:info, :warn) and a sentence
    # @param membership [Membership, nil] nil: the groups of the process
    # @param installed [#call] gives {Host#tokens}
    # @param credentials [Credentials]
    def initialize(settings, source:, clusters:, core:, log:, membership: nil, installed: -> {},
                   credentials: Credentials.new)
      @settings = settings
      @source = source
      @clusters = clusters
      @core = Core.new(core)
      @files = CardFiles.new(core[:dataroot]) if core[:dataroot]
      @log = log
      @membership = membership
      @installed = installed
      @credentials = credentials
      @specs = @services = {}.freeze
      @shares = [].freeze
      @report = Report.new(log)
      @generation = 0
      @answered = @unplaced = {}.freeze
      @asking = Mutex.new
      @using_core = Mutex.new
    end

    # @return [Hash] see {MultiTenant.report}; frozen
    def report
      @report.to_h
    end

    # Asks, decides and delivers. A second call while one runs gives the last report.
    # @param seconds [Float] deadline of the source
    # @param deliver [Boolean, :dry_run] write card files, not, or only tell
    # @return [Hash] the report
    def refresh(seconds: @settings.timeout, deliver: true)
      ask(seconds)
      self.deliver(dry_run: deliver == :dry_run) if deliver
      report
    end

    # Asks and decides; no file is changed.
    # @param seconds [Float] deadline of the source
    # @return [void]
    def ask(seconds = @settings.timeout)
      return unless @asking.try_lock

      begin
        renew(seconds)
      rescue StandardError, NoMemoryError => e
        give_up(e)
      ensure
        @asking.unlock
      end
    end

    # Makes the card files follow the last round, once.
    # @return [void]
    def deliver(dry_run: false)
      @using_core.synchronize do
        write_cards(whole: !dry_run) { @core.deliver(dry_run) } if @undelivered
      end
    rescue StandardError, NoMemoryError => e
      give_up(e)
    end

    # The same beside a page, whose reading of the files must not fail: nothing is removed. Nothing is done while
    # another thread uses the core, and no file is looked at where what is shown is what was shown the last time.
    # @param anyway [Boolean] also then
    # @return [void]
    def deliver_changes(anyway: false)
      unless_in_use { write_cards { @core.deliver_writes } if @undelivered && (anyway || !unchanged?) }
    end

    # Removes what {#deliver_changes} left. Before the page reads the files.
    # @return [void]
    def deliver_removals
      unless_in_use { write_cards { @core.deliver(false) } } if @left
    end

    # Members of services leave with time alone: where it has come, chooses anew.
    # @return [void]
    def choose
      return unless choice_due?

      unless_in_use do
        choose_members
        @undelivered = true
      end
    end

    # @return [Boolean] a page has nothing to choose, to write or to remove
    def idle?
      !@left && !choice_due? && (!@undelivered || unchanged?) && (@files.nil? || @files.untouched?)
    end

    # @return [Boolean] there may be cards yet that the next delivery removes
    def behind?
      @left || @using_core.locked? || (@undelivered && !unchanged?)
    end

    # @return [Boolean] see {CardFiles#touched?}
    def touched?
      @files ? @files.touched? : false
    end

    # @return [Array<Hash>] {Core#shares} of the last round; frozen
    attr_reader :shares

    # @param cluster [String] Slurm's name
    # @return [Integer] epoch of its last complete answer of all jobs; 0: none
    def answered(cluster)
      @answered.fetch(cluster, 0)
    end

    # Nobody but a service's own publisher can bring that about for it, unless a snapshot does not place their job.
    # @param key [String] of {services} or {specs}
    # @return [Boolean] a job that may be of it could not be looked at, or opened, the last time
    def unsure?(key)
      job_id = key.to_i unless key.include?('/')
      unplaced = @unplaced.each_value.reduce([], :|)
      return true if job_id ? unplaced.include?(job_id) : unplaced.any?

      reasons = Native.reasons
      @shares.any? do |share|
        mine = job_id ? share[:job_id] == job_id : key.start_with?("#{share[:user]}/")
        (mine || share[:user].empty?) && reasons.fetch(share[:specs])[1]
      end
    end

    # @return [Array<String>] WCKeys that are asked for
    def wckeys
      @settings.wckeys
    end

    # @return [Boolean] a message may name this delivery
    def delivery?(token)
      @core.delivery?(token.to_s)
    end

    # Sends a card away until its job ends, and removes its files.
    # @return [Boolean] see {Core#dismiss}; false also where the list can't be written, or the core is in use for long
    def dismiss(id)
      done = in_time { @core.dismiss(id).tap { publish } }
      @log.call(:warn, "card #{id} can't be dismissed: it is not found.") unless done
      done
    rescue StandardError => e
      @log.call(:warn, "card #{id} can't be dismissed: #{e.message}")
      false
    end

    # @return [Boolean] see {Core#restore}; false also where the list can't be written
    def restore(id)
      @using_core.synchronize { @core.restore(id) }
    rescue StandardError => e
      @log.call(:warn, "card #{id} can't be restored: #{e.message}")
      false
    end

    # Removes every card of ours, also of clusters that Open OnDemand knows no more, or does not let this user see.
    # @return [Array] as {Core#deliver}
    def remove_all(dry_run: false)
      @using_core.synchronize do
        @last = nil
        @core.read([])
        @core.decide(@clusters.pairs([]) | earlier, '', 0)
        @core.deliver_nothing(dry_run)
      end
    end

    private

    # For a page: runs the block, unless another thread uses the core.
    def unless_in_use
      return unless @using_core.try_lock

      begin
        yield
      ensure
        @using_core.unlock
      end
    rescue StandardError, NoMemoryError => e
      give_up(e)
    end

    # For a page that can't go on without: runs the block.
    # @raise [Error] another thread uses the core for long
    def in_time
      ends = MultiTenant.clock + PATIENCE
      until @using_core.try_lock
        raise Error, 'what is shared is being looked at, for long.' if MultiTenant.clock > ends

        sleep 0.01
      end
      begin
        yield
      ensure
        @using_core.unlock
      end
    end

    def renew(seconds)
      gids, seconds = membership(seconds)
      answer = @source.call(seconds)
      return if answer.records.empty? && answer.error.nil? # nothing was due

      return remain(answer) if same?(answer, gids)

      decide_anew(answer, gids, seconds)
    end

    def decide_anew(answer, gids, seconds)
      @last = nil
      streams, bad_lines, payloads = read(answer.records, gids)
      error, code = answer.error ? [answer.error, answer.code] : incomplete(streams, bad_lines)
      return @report.failed(error, answer, code) if streams.none?(&:complete)

      garbled = decide(streams, ask_munged(payloads, seconds - answer.seconds))
      warning = error ? "#{error} What is of that cluster stays as it was." : garbled || @credentials.error
      @report.decided(answer, streams, shares, error || garbled, garbled && !error ? EX_DATAERR : code, warning)
      remember(answer.records, gids) unless warning
    end

    # What was decided, and all that it was decided by; unless another look might decide otherwise.
    def remember(records, gids)
      reasons = Native.reasons
      return if shares.any? { |share| share.values_at(:specs, :card).any? { |code| reasons.fetch(code)[1] } }

      @last = [records, gids, @core_installed, @clusters_told, @dismissed]
    end

    # @return [Boolean] nothing else would be decided than was
    def same?(answer, gids)
      return false if @last.nil? || answer.error || @files&.due?

      records, *others = @last
      records.size == answer.records.size && records.zip(answer.records).all? { |one, other| other.same?(one) } &&
        others == [gids, @installed.call, clusters(@shown.map(&:first)), @files&.dismissed]
    end

    def remain(answer)
      @last[0] = answer.records
      note_answers(answer.records.flat_map(&:streams))
      @report.remained(answer)
    end

    def give_up(exception)
      @report.failed("#{exception.class}: #{exception.message}", nil, EX_SOFTWARE)
    end

    # The viewer's groups (nil: the process's), and the seconds that are left.
    def membership(seconds)
      return [nil, seconds] unless @membership

      start = MultiTenant.clock
      [@membership.renew(seconds), seconds - (MultiTenant.clock - start)]
    end

    def read(records, gids)
      @using_core.synchronize do
        @core.gids = gids if gids
        @core.installed = @core_installed = @installed.call
        @core.read(records)
      end
    end

    # What munged opens for the viewer. Of what it does not answer in time, the shares stay as they were.
    def ask_munged(payloads, seconds)
      @credentials.call(payloads, [seconds, SECONDS_MIN].max)
    end

    # @return [String, nil] what is wrong with what munged said, in a sentence
    def decide(streams, opened)
      @using_core.synchronize do
        whole = streams.select(&:complete)
        dismissed = @files&.dismissed
        @clusters_told = clusters(whole.map(&:cluster))
        # Where no cluster is known at all there is nothing to compare with.
        known = @clusters_told.empty? ? [] : @clusters_told | earlier
        bad_line = @core.decide(known, opened, Time.now.to_i)
        @credentials.pause(@core.refused)
        note_answers(whole)
        @dismissed = dismissed
        @shown = whole.map { |stream| [stream.cluster, stream.sees] }
        @unplaced = @unplaced.merge(whole.to_h { |stream| [stream.cluster, stream.undetermined.to_a] }).freeze
        @undelivered = true
        choose_members
        "Line #{bad_line} of the opened credentials does not belong there." if bad_line
      end
    end

    def note_answers(streams)
      all = streams.select { |stream| stream.sees == 'all' }
      @answered = @answered.merge(all.to_h { |stream| [stream.cluster, stream.generated] }).freeze
    end

    def clusters(names)
      pairs = @clusters.pairs(names)
      @clusters.silent? ? [*pairs, Clusters::SILENT] : pairs
    end

    # What may be data roots of clusters that have another id by now, so that the cards there are found.
    def earlier
      @files ? @files.clusters.map { |id| [Clusters::NOBODY, id] } : []
    end

    def choice_due?
      @next_choice && Time.now.to_i >= @next_choice
    end

    def choose_members
      @next_choice = @core.choose(Time.now.to_i)
      publish
    end

    def unchanged?
      now = [@specs, @shares, @shown]
      return false unless @delivered == now && !@files.due?

      @delivered = now # the next look has the same objects to compare
      true
    end

    def write_cards(whole: true)
      return unless @files

      @undelivered = false
      before = @core.card_ids
      events = yield
      publish unless before == @core.card_ids
      @report.delivered(events)
      @left = events.any? { |action,| action == :left }
      failed = events.any? { |action,| action == :failed }
      @delivered = whole && !@left && !failed ? [@specs, @shares, @shown] : nil
      cards = @shares.filter_map { |share| @specs.dig(share[:key], 'info') if share[:card_id] }
      @files.leave(failed, @dismissed, cards)
    end

    # Takes specs and shares over from the core: also after a delivery that gave a card another id.
    def publish
      told = [@core.specs, @core.services]
      @generation += 1 unless told == [@specs, @services]
      @specs, @services = told
      @shares = @core.shares
    end

    # A sentence about the first stream that is not whole, and its code.
    def incomplete(streams, bad_lines)
      line = bad_lines.compact.first
      return ["Line #{line} of the records does not belong there.", EX_DATAERR] if line
      return ['There is no record stream.', EX_DATAERR] if streams.empty?

      broken = streams.find { |stream| !stream.complete }
      return [nil, EX_OK] unless broken

      ["The records of cluster #{broken.cluster} have no last line: they are incomplete.", EX_DATAERR]
    end
  end
end
