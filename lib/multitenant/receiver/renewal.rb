# frozen_string_literal: true

module MultiTenant
  # Keeps what a viewer sees fresh while their dashboard runs. Called on the request's thread wherever
  # it matters; asks where it is time to, waits a moment, and lets what lasts longer end in the
  # background, without touching a file there. No thread outlives its refresh.
  class Renewal
    # Seconds that a page waits; with the 0.1 s for which writing may wait for another process of the
    # viewer's (ext/multitenant/store.c) no page loses more than a quarter of a second.
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

    # @param cards [Boolean] the page is about to list the card files: they follow what is known
    # @return [void]
    def call(cards: false)
      @sources.expire if cards && @receiver.touched?
      started&.join(WAIT)
      @receiver.deliver_changes if cards
    rescue StandardError => e # no thread could be started, say
      @log.call(:warn, "nothing was renewed: #{e.class}: #{e.message}")
    end

    private

    # @return [Thread, nil] a refresh that this call began, and that may be worth a moment
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
