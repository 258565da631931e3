# frozen_string_literal: true

require_relative '../programs/names'

module MultiTenant
  # The groups that count for the viewer. A process keeps the groups that it was started with; one that the name
  # service listed for its user earlier, and lists no more, does not count from then on. Those that it never listed
  # (given by PAM) do, and a look-up that fails changes nothing.
  class Membership
    # Seconds between two look-ups.
    INTERVAL = 300

    # Seconds that a look-up may take.
    PATIENCE = 1.0

    # @return [Array<Integer>] gids
    attr_reader :gids

    # @param gids [Array<Integer>] of the process
    # @param names [Names]
    # @param clock [#call] monotonic seconds
    def initialize(gids, names: Names.new, clock: MultiTenant.method(:clock))
      @process = gids.dup.freeze
      @gids = @process
      @names = names
      @clock = clock
      @known = []
      @next = clock.call
    end

    # Asks again where it is time to. Not from two threads at once.
    # @param seconds [Float] that may be spent in all; a quarter of them is spent here at most
    # @return [Array<Integer>] gids
    def renew(seconds)
      return gids if @clock.call < @next

      @next = @clock.call + INTERVAL
      now = @names.viewer([PATIENCE, seconds / 4].min)
      # A user that the name service does not know is one that it can't look up.
      return gids if now.nil? || now.empty?

      @known |= now
      @gids = (@process - (@known - now)).freeze
    end
  end
end
