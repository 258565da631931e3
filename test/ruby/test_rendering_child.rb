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
    others = children # of other tests, about to be waited for
    20.times do |i|
      answer = CHILD.ask { |parent| parent.write(CHILD::READ) && { i: i } }
      assert_equal [true, { 'i' => i }], answer
    end
    GC.start
    assert_empty descriptors - before
    wait_until { (children - others).empty? }
    assert_equal([false, nil], CHILD.ask { raise NoMemoryError })
  end

  # A parser of Markdown knows no limit.
  def test_a_child_has_as_much_memory_as_it_may_and_no_more
    most = MultiTenant::Card::Limits::MEMORY
    assert_equal([false, { 'size' => most / 2 }], CHILD.ask { { size: ('x' * (most / 2)).size } })
    assert_equal([false, nil], CHILD.ask { { size: ('x' * most * 2).size } })
  end

  # Each `<` may be a node of the parser's tree.
  def test_a_page_has_as_many_tags_as_a_parser_bears_and_no_more
    most = MultiTenant::Card::Limits::TAGS
    content = MultiTenant::Card::Content.new('/a.html', owner: 1001)
    { most => 'page', most + 1 => 'beginning' }.each do |tags, kind|
      assert_equal kind, content.source('<b>' * tags, rendered: true)[0]
    end
  end
end

# What is kept of files that were rendered.
class TestRenderingKept < MultiTenantTest
  RENDERING = MultiTenant::Card::Rendering

  def teardown
    RENDERING.instance_variable_get(:@kept).clear
    super
  end

  # Whose path is another one in every round gets a sentence each time.
  def test_long_paths_of_which_little_is_said_are_not_kept_without_end
    3000.times { |i| RENDERING.send(:keep, ["/#{i}/#{'x' * 4000}", 1001], RENDERING::Kept.new('<p>', 0, nil, 0)) }
    kept = RENDERING.instance_variable_get(:@kept)
    assert_operator kept.sum { |(path, _), one| path.bytesize + one.html.bytesize }, :<=, MultiTenant::Card::Limits::KEPT
    assert_includes kept.keys.last.first, '/2999/'
  end
end
