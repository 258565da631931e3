# frozen_string_literal: true

# What is promised about time, for all tests.
module Promise
  # A busy machine may let a process wait for as long: one try in five must keep it, each from the beginning.
  # @yieldreturn [Float] seconds that it took
  def assert_promised(most)
    tries = []
    until tries.last&.<=(most)
      assert_operator tries.size, :<, 5, "#{most} s are promised, it took #{tries}"
      tries << yield
    end
  end

  # What a process does by itself: the time for which its main thread was ready to run, and a busy machine had no
  # processor for it, is not its own.
  # @return [Float] seconds that the block took
  def self.seconds
    start = Process.clock_gettime(Process::CLOCK_MONOTONIC) - kept_waiting
    yield
    Process.clock_gettime(Process::CLOCK_MONOTONIC) - kept_waiting - start
  end

  # The second number of schedstat, in nanoseconds (Documentation/scheduler/sched-stats.rst).
  def self.kept_waiting
    File.read('/proc/self/schedstat').split[1].to_i / 1e9
  end
end
