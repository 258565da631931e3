# frozen_string_literal: true

require_relative 'helper'
require 'timeout'

# The forked child that reads a publisher's file.
class TestRenderingChild < MultiTenantTest
  CHILD = MultiTenant::Card::Child

  # A command of the dashboard's would wait for the end of its input for as long as the child lives.
  def test_a_child_holds_nothing_else_open
    reader, writer = IO.pipe
    started, start = IO.pipe
    asking = Thread.new { CHILD.ask { |parent| parent.write(CHILD::READ).then { sleep 5 } } }
    sleep 0.5
    [writer, start].each(&:close)
    Timeout.timeout(2) { assert_equal ['', ''], [reader, started].map(&:read) }
    assert_predicate asking, :alive?
  ensure
    asking&.kill&.join
    [reader, writer, started, start].compact.each(&:close)
  end

  def test_a_child_answers_and_leaves_nothing_behind
    before = descriptors
    20.times do |i|
      answer = CHILD.ask { |parent| parent.write(CHILD::READ) && { i: i } }
      assert_equal [true, { 'i' => i }], answer
    end
    GC.start
    assert_empty descriptors - before
    assert_raises(Errno::ECHILD) { Process.wait }
    assert_equal([false, nil], CHILD.ask { raise NoMemoryError })
  end
end
