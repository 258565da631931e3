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
    here = File.join(temporary, 'here')
    asking = Thread.new { CHILD.ask(1001) { |parent| File.write(here, parent.write(CHILD::READ)) && sleep } }
    wait_until { File.exist?(here) }
    [writer, start].each(&:close)
    Timeout.timeout(60) { assert_equal ['', ''], [reader, started].map(&:read) }
    assert_predicate asking, :alive?
  ensure
    asking&.kill&.join
    [reader, writer, started, start].compact.each(&:close)
  end

  def test_a_child_answers_and_leaves_nothing_behind
    before = descriptors
    others = children # of other tests, about to be waited for
    20.times do |i|
      answer = asked { |parent| parent.write(CHILD::READ) && { i: i } }
      assert_equal [true, { 'i' => i }], answer
    end
    GC.start
    assert_empty descriptors - before
    wait_until { (children - others).empty? }
    assert_equal([false, nil], CHILD.ask(1001) { raise NoMemoryError })
  end

  # A parser of Markdown knows no limit. What earlier tests have freed is in the child's heap too, and is not counted.
  def test_a_child_has_as_much_memory_as_it_may_and_no_more
    most = MultiTenant::Card::Limits::MEMORY
    assert_equal([false, { 'size' => most / 2 }], asked { { size: size_of(most / 2) } })
    assert_equal([false, { 'size' => 0 }], asked { { size: size_of(most * 20) } })
  end

  # Each `<` may be a node of the parser's tree.
  def test_a_page_has_as_many_tags_as_a_parser_bears_and_no_more
    most = MultiTenant::Card::Limits::TAGS
    content = MultiTenant::Card::Content.new('/a.html', owner: 1001)
    { most => 'page', most + 1 => 'beginning' }.each do |tags, kind|
      assert_equal kind, content.source('<b>' * tags, rendered: true)[0]
    end
  end

  private

  # A child is nice to all others, so that on a busy machine one may be too late.
  def asked(&block)
    wait_until do
      answer = CHILD.ask(1001, &block)
      answer if answer[1]
    end
  end

  # 0: there is not so much memory.
  def size_of(bytes)
    ('x' * bytes).size
  rescue NoMemoryError
    0
  end
end

# Text that a browser would need seconds for, at each poll.
class TestRenderingLayout < MultiTenantTest
  LAYOUT = MultiTenant::Card::Layout
  HEBREW = 'שָׁלוֹם, הקובץ main.py רץ ב-3 שניות'

  def elements
    Object.new.extend(MultiTenant::Card::Elements)
  end

  def heavy?(texts)
    LAYOUT.weight(texts) > MultiTenant::Card::Limits::WEIGHT
  end

  def test_values_that_turn_around_all_the_time_stand_as_they_were_written
    ["#{HEBREW}. " * 10, "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 " * 200, '1, 2; ' * 600].each do |text|
      assert_match(%r{\A<bdi>.*</bdi>\z}, elements.text(text))
    end
    ["a\u05d0", "\u05d01", "\u05d0! a! ", "a\u200f", "\u2067a\u2069", "\u200e\u200f", "\u05d0\u2801",
     "\u05d0\u0964", "\u0663!"].each do |text|
      assert_match(%r{\A<bdo dir="ltr">.*</bdo>\z}, elements.text(text * 500), text.inspect)
    end
  end

  def test_marks_that_pile_up_are_left_out
    assert_equal "<bdi>a#{'&#x301;' * 32}b</bdi>", elements.text("a#{"\u0301" * 2000}b")
    assert_equal HEBREW.scan(/\p{M}/).size, elements.encode(HEBREW).scan(/&#x5[B-C]\h;/).size
  end

  # Of these Chromium needs seconds, up to a minute.
  def test_what_the_blocks_of_a_page_may_have
    ["a#{"\u0300" * 100_000}", "a\u05d0" * 90_000, "\u0e01" * 120_000, "#{"\u0e01" * 4095}a" * 20,
     "#{"\u0628" * 4095}\u0640" * 20, "\u05d0 a #{'(' * 65_000}#{'!' * 190_000}"].each do |text|
      assert heavy?([text]), text[0, 20]
    end
    # Numbers turn beside what is written from right to left, be it in another block, and brackets are compared.
    ['1! ' * 90_000, "#{'(' * 65_000}#{'!' * 190_000}"].each do |text|
      assert heavy?(["\u05d0", text])
      refute heavy?([text])
    end
    refute heavy?(["\u05d0", *['1! ' * 1000] * 20])
  end

  # As large as a file may be, in paragraphs.
  def test_what_people_write_is_shown_as_a_page
    ["#{HEBREW}. " * 25, "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 " * 100, "\u0e01" * 800].each do |text|
      refute heavy?([text] * (MultiTenant::Card::Limits::SOURCE / text.bytesize)), text[0, 20]
    end
    refute heavy?(["#{HEBREW}. " * 20, *["puts(a[1], 2)\n" * 100] * 100, "puts(a[1], 2)\n" * 1000])
    ['x' * 250_000, "\u4e00" * 80_000, "\u30ab\uac00" * 40_000, "\u00e9\u044f" * 60_000,
     "\u{1f600}\u2713 \u201cx\u201d \u2502" * 10_000].each do |text|
      refute heavy?([text]), text[0, 20]
    end
  end

  # For each line Chromium looks at all pieces of a block that are in one script.
  def test_scripts_that_take_turns
    pieces = ->(texts) { LAYOUT.pieces(texts) > MultiTenant::Card::Limits::WEIGHT }
    ["\u6f22a", "\u0436 a ", "a\u2192", "\u30ab\uac00", "\u6f22\u2192", "\u{1f600}\u2192", "\u6f221", "\uac00 ",
     "a\uff21", "a\u2042 ", "\u6f22\u{20000}"].each do |two|
      text = two * 6000
      assert pieces[[text]], text[0, 20]
      assert pieces[["#{text[0, 5000]}\n" * 20]], text[0, 20]
      refute pieces[["#{text[0, 100]}\n" * 500]], text[0, 20]
    end
    japanese = "\u6f22\u5b57\u3068\u304b\u306a\u3068\u30ab\u30bf\u30ab\u30ca\u3001Ruby\u3082\u3002"
    ["#{japanese * 40}\n" * 100, 'some words, (a1). ' * 14_000, "\u6f22\u5b57\u3001" * 30_000,
     "\u05d0\u05d1 " * 300, "#{"\u2500" * 80}\n" * 300,
     "\u251c\u2500\u2500 src \u2713\n" * 15_000, "\u0441\u043b\u043e\u0432\u043e Ruby " * 500].each do |text|
      refute pieces[[text]], text[0, 20]
    end
    ["\u0561\u0562\u0563\u0564 ", "\uac00\ub098\ub2e4 1 "].each { |words| refute pieces[[words * 300] * 80], words }
  end

  # A file's text is laid out in parts of whole lines, where that may take long.
  def test_a_long_text_has_blocks_of_its_own
    lines = "#{HEBREW}\n\n" * 1000
    blocks = LAYOUT.blocks(lines)
    assert_equal lines, blocks.join
    assert(blocks.all? { |block| block.end_with?("\n") && block.size <= 4096 })
    assert_equal [4096, 4096, 2], LAYOUT.blocks("\u0e01" * 8194).map(&:size)
    ['x' * 40_000, "\u4e00" * 40_000, "#{HEBREW}\n" * 100].each { |text| assert_equal [text], LAYOUT.blocks(text) }
    assert_match(%r{\A(?:<span class="d-block"><bdi dir="rtl">[^<]+</bdi></span>){9,}\z}, elements.long(blocks))
    assert_match(%r{\A<bdi>[^<]+</bdi>\z}, elements.long(["#{HEBREW}\n" * 100]))
  end
end

# An answer of a chat is laid out by the same browsers.
class TestChatLayout < MultiTenantTest
  PAGE = File.read(File.join(Tree::ROOT, 'apps-clients/multitenant-gradio/template/markdown.js'))
  LIMITS = MultiTenant::Card::Limits

  def test_a_chats_page_knows_what_a_card_knows
    assert_equal LIMITS::PILED, PAGE[/^const PILED = .*\{(\d+)\}/, 1].to_i
    layout = MultiTenant::Card::Layout
    { 'SIMPLE' => layout::SIMPLE, 'SIGNS' => layout::SIGNS, 'WIDE' => layout::WIDE, 'OTHERS' => layout::OTHERS.join,
      'ALPHABETS' => layout::ALPHABETS.join }.each do |name, known|
      assert_equal known, PAGE[/^const #{name} = (.*?);$/m, 1].scan(/"([^"]*)"/).join.gsub('\\\\', '\\')
    end
    assert_operator 2**PAGE[/^const WEIGHT = 2 \*\* (\d+);$/, 1].to_i, :<=, LIMITS::WEIGHT
  end
end

# Whose file is next, and what is kept of those that were rendered.
class TestRenderingKept < MultiTenantTest
  RENDERING = MultiTenant::Card::Rendering

  def teardown
    %i[@kept @waiting @looked].each { |name| RENDERING.instance_variable_get(name).clear }
    RENDERING.instance_variable_set(:@running, nil)
    super
  end

  # @param files [Array<Array(String, Integer)>] those of a page, of which one takes as long as the page does
  # @return [Array(String, Integer)] that one
  def turn_on_a_page(files)
    whose = files.select do |file|
      next unless RENDERING.send(:turn?, file)

      RENDERING.instance_variable_set(:@running, Thread.new { sleep })
    end
    RENDERING.instance_variable_get(:@running).kill.join
    whose
  end

  # Else a lesson would never be shown beside those of somebody who shares others in every round.
  def test_publishers_take_turns_whatever_their_files_are_called
    turns = (1..4).flat_map do |round|
      turn_on_a_page([*(1..32).map { |i| ["/#{round}/#{i}.md", 1002] }, ['/lesson.md', 1001]])
    end
    assert_equal [1002, 1001, 1002, 1001], turns.map(&:last)
  end

  def test_who_has_most_of_what_is_kept_pushes_out_nobody_elses
    page = RENDERING::Kept.new('x' * MultiTenant::Card::Limits::FILE_HTML, 0, 0, nil, 0)
    RENDERING.send(:keep, ['/lesson.md', 1001], page.dup)
    64.times { |i| RENDERING.send(:keep, ["/#{i}.md", 1002], page.dup) }
    kept = RENDERING.instance_variable_get(:@kept).keys
    assert_includes kept, ['/lesson.md', 1001]
    assert_equal ['/63.md', 1002], kept.last
  end

  # Whose path is another one in every round gets a sentence each time.
  def test_long_paths_of_which_little_is_said_are_not_kept_without_end
    3000.times { |i| RENDERING.send(:keep, ["/#{i}/#{'x' * 4000}", 1001], RENDERING::Kept.new('<p>', 0, 0, nil, 0)) }
    kept = RENDERING.instance_variable_get(:@kept)
    assert_operator kept.sum { |(path, _), one| path.bytesize + one.html.bytesize }, :<=, MultiTenant::Card::Limits::KEPT
    assert_includes kept.keys.last.first, '/2999/'
  end
end
