# frozen_string_literal: true

require_relative '../host/clock'

module MultiTenant
  # Keeps what a viewer sees up to date while their dashboard runs. A page that needs it calls this on its own thread:
  # where an answer is due, a background thread asks Slurm, and the page waits a moment for it and then goes on with
  # what is known. That thread ends with its question and changes no file. The cards' files are written by another one,
  # which a page begins that is about to list them: a home may be slow, so what is not there after a moment is on the
  # next page. Files go only while no page reads them (decision 22).
  class Renewal
    # Seconds that a page waits for an answer.
    WAIT = 0.12

    # Seconds beyond its deadline after which an answer is waited for no longer.
    LATE = 0.3

    # Seconds after which a page goes on in any case, so that none loses more than a quarter of a second.
    PAGE = 0.2

    # @param receiver [Receiver]
    # @param sources [Sources]
    # @param log [#call]
    def initialize(receiver, sources, log:)
      @receiver = receiver
      @sources = sources
      @log = log
      @mutex = Mutex.new
    end

    # @param cards [Boolean] the page is about to list the cards: bring their files up to date
    # @return [void]
    def call(cards: false)
      logged { cards ? renew_cards(MultiTenant.clock + PAGE) : renew }
    end

    # Asks now, however long ago the last answer was.
    # @param seconds [Float] what that, and then writing the cards, may take
    # @return [void]
    def refresh(seconds)
      ends = MultiTenant.clock + seconds
      logged do
        @sources.expire
        ask(seconds)
        write([ends, MultiTenant.clock + PAGE].max) { @receiver.deliver_changes(anyway: true) }
      end
    end

    private

    # Beside this thread, too: programs end at their deadline, but what is looked at before and after may be on a file
    # system that hangs.
    def ask(seconds)
      @mutex.synchronize { begin_asking(seconds) unless @thread&.alive? }
      return if @thread.join(seconds + LATE)

      @log.call(:warn, 'what is shared is still asked for: something hangs on this host, such as a file system.')
    end

    def begin_asking(*seconds)
      @thread = Thread.new { @receiver.ask(*seconds) }
      @thread.report_on_exception = false
    end

    def renew
      started&.join(WAIT)
      @receiver.choose
    end

    def renew_cards(ends)
      return if idle?

      write(ends) do
        @sources.expire if @receiver.touched?
        renew
        @receiver.deliver_changes
      end
    end

    # What most pages find costs them no thread.
    def idle?
      !@writing&.alive? && !@thread&.alive? && !@sources.due? && @receiver.idle?
    end

    # Runs the block beside the page, after what an earlier page began; the page goes on when it ends, or at `ends`.
    def write(ends, &block)
      return unless written?(ends)

      @receiver.deliver_removals
      @writing = Thread.new { logged(&block) }
      @writing.report_on_exception = false
      @receiver.deliver_removals if written?(ends)
    end

    # What it failed with, as for want of memory, is raised on one page, not on each that follows.
    def written?(ends)
      @writing.nil? || !@writing.join([ends - MultiTenant.clock, 0].max).nil?
    ensure
      @writing = nil unless @writing&.alive?
    end

    def logged
      yield
    rescue StandardError, NoMemoryError => e # such as: no thread could be started
      @log.call(:warn, "nothing was renewed: #{e.class}: #{e.message}")
    end

    # @return [Thread, nil] one that this call started; nil also where the sources failed before: a page that waits for
    #   them is likely to wait in vain
    def started
      @mutex.synchronize do
        return if @thread&.alive? || !@sources.due?

        healthy = @sources.healthy?
        begin_asking
        @thread if healthy
      end
    end
  end
end
