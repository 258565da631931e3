# frozen_string_literal: true

require_relative '../host/clock'

module MultiTenant
  # The card files as the last delivery left them: other processes of the user (a second dashboard, the command) change
  # them, too.
  class CardFiles
    # Seconds after which they are looked at although no change was seen.
    SWEEP = 300

    # Changes that are looked at in that time: two hosts that disagree about a card would undo each other's work, and
    # ask Slurm, with every page.
    TOUCHES = 10

    # @param dataroot [String, nil] OOD's
    def initialize(dataroot)
      @dataroot = dataroot.to_s
      @left = []
      @touches = []
    end

    # Whether another process changed them since they were left: true once for each change, unless there are too many.
    # @return [Boolean]
    def touched?
      now = @left.map { |path, *| state_of(path) }
      return false if now == @left || (@touches.size == TOUCHES && MultiTenant.clock - @touches.first < SWEEP)

      @touches = [*@touches, MultiTenant.clock].last(TOUCHES)
      @left = now
      @touched = true
    end

    # @return [Boolean] the next delivery has to look at them although nothing else is shown
    def due?
      @touched || MultiTenant.clock - @looked >= SWEEP
    end

    # @return [Array] of the list of dismissed cards, for {#leave}: taken before the core reads it
    def dismissed
      state_of(File.join(@dataroot, Core::PATHS[:dismissed]))
    end

    # A delivery is over.
    # @param dismissed [Array] {#dismissed}, of the list that was decided by
    # @param cards [Array<Hash>] "info" of the specs that have a card
    # @return [void]
    def leave(dismissed, cards)
      places = [File.join(@dataroot, Core::PATHS[:db]), *cards.flat_map { |info| info.values_at('db', 'output') }]
      @left = [dismissed, *places.map { |path| state_of(path) }]
      @touched = false
      @looked = MultiTenant.clock
    end

    private

    # @return [Array] path, and what changes with what is there
    def state_of(path)
      stat = File.lstat(path)
      [path, stat.ino, stat.size, stat.mtime]
    rescue SystemCallError
      [path]
    end
  end
end
