# frozen_string_literal: true

module MultiTenant
  # Keeps what a viewer sees up to date while their dashboard runs. A page that needs it calls this on its own thread:
  # where an answer is due, a background thread asks Slurm, and the page waits a moment for it and then goes on with
  # what is known. The background thread ends with its question and writes no file; the page's thread writes the cards.
  class Renewal
    # Seconds that a page waits for an answer. Writing may wait 0.1 s more for another process of the viewer's
    # (ext/multitenant/store.c), so that no page loses more than a quarter of a second.
    WAIT = 0.12

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
      @sources.expire if cards && @receiver.touched?
      started&.join(WAIT)
      @receiver.choose
      @receiver.deliver_changes if cards
    rescue StandardError => e # such as: no thread could be started
      @log.call(:warn, "nothing was renewed: #{e.class}: #{e.message}")
    end

    private

    # @return [Thread, nil] one that this call started; nil also where the sources failed before: a page that waits for
    #   them is likely to wait in vain
    def started
      @mutex.synchronize do
        return if @thread&.alive? || !@sources.due?

        healthy = @sources.healthy?
        @thread = Thread.new { @receiver.ask }
        @thread.report_on_exception = false
        @thread if healthy
      end
    end
  end
end
