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
end
