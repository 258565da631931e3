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

    # Seconds in which a page looks at them itself.
    MOMENT = 0.002

    # @param dataroot [String, nil] OOD's
    def initialize(dataroot)
      # Where the locale is C, other letters in it are bytes, which no path of the core's can join.
      @dataroot = dataroot.to_s.dup.force_encoding(Encoding::UTF_8)
      @paths = @left = ''
      @touches = []
    end

    # Whether another process changed them since they were left: true once for each change, unless there are too many.
    # @return [Boolean]
    def touched?
      now = Native.versions(@paths, nil)
      return false if now == @left || (@touches.size == TOUCHES && MultiTenant.clock - @touches.first < SWEEP)

      @touches = [*@touches, MultiTenant.clock].last(TOUCHES)
      @left = now
      @touched = true
    end

    # @return [Boolean] {#touched?} has nothing to say, as was seen within a moment; a home may be slow
    def untouched?
      Native.versions(@paths, MOMENT) == @left
    end

    # @return [Boolean] the next delivery has to look at them although nothing else is shown
    def due?
      @touched || MultiTenant.clock - @looked >= SWEEP
    end

    # @return [String] the version of the list of dismissed cards, for {#leave}: taken before the core reads it
    def dismissed
      Native.versions(list, nil)
    end

    # @return [Array<String>] what may be the directories of clusters, where each has a data root of its own
    def clusters
      base = File.join(@dataroot, File.dirname(Core::PATHS[:db]))
      # What the user keeps beside them may have a name that is no text, which no pattern of text can be held against.
      names = Dir.children(base, encoding: Encoding::BINARY).grep(Clusters::ID)
      names.map { |name| name.force_encoding(Encoding::UTF_8) }.select do |name|
        path = File.join(base, name)
        File.directory?(path) && !File.symlink?(path)
      end
    rescue SystemCallError
      []
    end

    # A delivery is over.
    # @param failed [Boolean] not all of it was done
    # @param dismissed [String] {#dismissed}, of the list that was decided by
    # @param cards [Array<Hash>] "info" of the specs that have a card
    # @return [void]
    def leave(failed, dismissed, cards)
      # What stands in one directory stands together.
      cards = %w[db output].flat_map { |what| cards.map { |info| info[what] } }
      places = [File.join(@dataroot, Core::PATHS[:db]), *cards].map { |path| "#{path}\0" }.join
      @left = dismissed + Native.versions(places, nil)
      @paths = list + places
      @touched = failed
      @looked = MultiTenant.clock
    end

    private

    def list
      "#{File.join(@dataroot, Core::PATHS[:dismissed])}\0"
    end
  end
end
