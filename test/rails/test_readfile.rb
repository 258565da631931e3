# frozen_string_literal: true

require_relative 'rails_test'
require_relative 'card_views'

# A publisher's file, read as the viewer and shown in their page.
class TestReadfile < RailsTest
  include CardViews
  extend CardViews::Corpus

  PROF = 1001
  PNG = 'data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7'

  # What may be in the page, and with which values.
  ALLOWED = {
    'href' => %r{\Ahttps?://}, 'rel' => /\Anoopener noreferrer nofollow\z/, 'target' => /\A_blank\z/,
    'src' => %r{\Adata:image/(png|jpeg|gif|webp);base64,}, 'alt' => //, 'dir' => /\Aauto\z/, 'tabindex' => /\A0\z/,
    'class' => /\A(table table-sm|bg-transparent|overflow-auto|bg-light text-dark p-2 rounded|mt-3)\z/,
    'start' => /\A\d+\z/, 'colspan' => /\A\d+\z/,
    'rowspan' => /\A\d+\z/, 'scope' => /\A(row|col)\z/
  }.freeze
  FORBIDDEN = %w[script style head title form iframe object svg math meta link base input button textarea h1 h2].freeze

  HOSTILE = [*corpus('lessons'), "<a#{' x=1' * 5000}>", '<b>' * 300].freeze

  def setup
    super
    deliveries
    @dir = File.join(temporary, 'lessons')
    Dir.mkdir(@dir, 0o755)
    start
  end

  # @return [String] path of the publisher's file
  def lesson(name, bytes, uid: PROF, mode: 0o644)
    path = File.join(@dir, name)
    File.binwrite(path, bytes)
    File.chown(uid, uid, path)
    File.chmod(mode, path)
    path
  end

  # @return [Hash] the card with that file
  def shown(path, specs: true)
    120.times do
      card = cards([['readfile', { 'content_path' => path }, specs]])[0]
      return card unless card['text'].include?('is being prepared: it is shown here in some seconds.')

      sleep 0.5
    end
  end

  # @return [String] what stands before the note
  def says(path, specs: true)
    shown(path, specs: specs)['tree'][0][2].grep(Array)[0].then { |_, _, children| content(children) }
  end

  def assert_harmless(card, what)
    assert_equal card['source'].strip, card['html'].strip, what
    assert_equal 1, card['tree'].grep(Array).size, what
    elements(card['tree']).each do |name, attributes|
      refute_includes FORBIDDEN, name, what
      assert_match(/\A[a-z][a-z0-9]*\z/, name)
      attributes.each do |key, value|
        assert_match(ALLOWED.fetch(key) { flunk("#{what}: #{name} has #{key}") }, value, what)
      end
    end
  end

  def test_hostile_files
    HOSTILE.each_with_index do |text, index|
      %w[md html markdown HTM txt].each do |ending|
        card = shown(lesson("#{index}.#{ending}", "before\n\n#{text}\n\nafter"))
        assert_harmless(card, text)
        assert_includes card['text'], 'before'
        assert_equal 1, card['text'].scan('From prof').size
      end
    end
  end

  def test_what_a_lesson_may_have
    card = shown(lesson('a.md', <<~MARKDOWN))
      # Lesson *one*

      | a | b |
      |:--|--:|
      | 1 | `2` |

      1. See <https://example.org/a?b=1&c=2>
      2. ![dot](#{PNG}) and ![far](https://example.org/far.png)

      ```make
      all:
      \ttouch $@

      # the end
      ```

      <details><summary>Answer</summary>42</details>
    MARKDOWN
    assert_harmless(card, 'lesson')
    names = elements(card['tree']).map(&:first)
    %w[h3 em table th td ol li a img pre code details summary].each { |name| assert_includes names, name }
    assert_includes card['text'], "all:\n    touch $@\n\n# the end\n"
    assert_equal ['https://example.org/a?b=1&c=2'], links(card['tree'])
    assert_equal([PNG], elements(card['tree']).filter_map { |_, attributes| attributes['src'] })
    assert_includes card['text'], 'far'
  end

  def test_what_is_no_text_goes_with_what_is_in_it
    text = '<script>x1</script><style>x2</style><title>x3</title><form>x4</form><svg><text>x5</text></svg>' \
           '<font>y</font>'
    assert_equal %w[y], says(lesson('a.html', text)).scan(/x\d|y/)
  end

  def test_a_lesson_in_html_keeps_its_lines
    card = shown(lesson('a.html', "<h1>a</h1>\n\n<pre>all:\n\ttouch $@\n\n# the end\n</pre>"))
    assert_harmless(card, 'html')
    assert_includes card['text'], "all:\n\ttouch $@\n\n# the end\n"
  end

  def test_text_is_shown_as_it_is
    text = "\uFEFF# no *heading*\r\n\r\n\t<b>&amp; end\n"
    assert_equal "# no *heading*\n\n\t<b>&amp; end\n", says(lesson('a.txt', text))
  end

  def test_what_is_changed_is_seen_at_once
    2.times { assert_includes says(lesson('a.md', 'one')), 'one' }
    assert_includes says(lesson('a.md', 'two')), 'two'
  end

  def test_whose_files
    assert_includes says(lesson('root.md', 'hello', uid: 0)), 'hello'
    assert_match(/belongs to somebody else/, says(lesson('other.md', 'hello', uid: 1002)))
    own = @viewer.write(File.join(@viewer.home, 'diary.md'), 'hush')
    assert_match(/belongs to somebody else/, says(own))
    File.symlink(own, File.join(@dir, 'link.md'))
    assert_match(/belongs to somebody else/, says(File.join(@dir, 'link.md')))
    assert_match(/Whose file this is can't be told/, says(lesson('a.md', 'hello'), specs: false))
    assert_match(/Whose file this is can't be told/, says(lesson('a.md', 'hello'), specs: { 'uid' => nil }))
  end

  def test_what_is_no_file_of_that_kind
    big = lesson('big.md', 'x')
    File.truncate(big, (1 << 20) + 1)
    File.symlink('loop', File.join(@dir, 'loop'))
    File.mkfifo(File.join(@dir, 'fifo'))
    File.chown(PROF, PROF, File.join(@dir, 'fifo'))
    {
      File.join(@dir, 'none.md') => /is not there any more/, "#{big}/x" => /is not there any more/,
      lesson('secret.md', 'x', mode: 0o600) => /let the group read it/, big => /has more than 1 MiB/,
      lesson('bad.md', "\xFF") => /is not text in UTF-8/, lesson('nul.md', "a\0b") => /is not text in UTF-8/,
      lesson('empty.md', "\n") => /is empty/, @dir => /is not a file/, File.join(@dir, 'fifo') => /is not a file/,
      '/dev/zero' => /is not a file/, '/dev/tty' => /can't be read|is not a file/,
      '/proc/self/environ' => /somebody else/,
      File.join(@dir, 'loop') => /can't be read \(ELOOP\)/, 'lesson.md' => /is no path/, '' => /is no path/,
      "#{@dir}/#{'x' * 300}" => /can't be read \(ENAMETOOLONG\)/
    }.each { |path, sentence| assert_match(sentence, says(path)) }
    assert_includes says(lesson('full.txt', 'x' * (1 << 20))), 'xxx'
  end

  # It says that it is small, and goes on.
  def test_a_file_that_is_larger_than_it_says
    skip_unless(File.readable?('/proc/kallsyms'), 'needs /proc/kallsyms')
    assert_equal 0, File.size('/proc/kallsyms')
    assert_match(/more than 1 MiB/, says('/proc/kallsyms'))
  end

  # For parsers that need the square of a text's length, or its memory.
  BOMBS = { 'brackets.md' => '[' * (1 << 20), 'mails.md' => 'a@' * (1 << 19), 'deep.html' => '<b>' * 300_000,
            'formats.html' => (1..390).map { |i| "<b a=#{i}>" }.join + ('<p>' * 340_000) }.freeze

  # What the dashboard holds: resident KiB; threads, children, descriptors.
  STATE = <<~RUBY
    children = Dir.glob('/proc/self/task/*/children').flat_map { |path| File.read(path).split }
    [File.read('/proc/self/status')[/VmRSS:\\s+(\\d+)/, 1].to_i,
     [Thread.list.size, children, Dir.children('/proc/self/fd').size]]
  RUBY

  def test_what_takes_too_much_neither_holds_the_page_nor_grows_the_dashboard
    shown(lesson('a.md', 'one'))
    before, state = @dashboard.ruby(STATE)
    BOMBS.each { |name, text| assert_match(/too intricate/, shown(lesson(name, text))['text'], name) }
    wait_until { @dashboard.ruby(STATE)[1] == state }
    assert_operator @dashboard.ruby(STATE)[0] - before, :<, 200_000
  end

  # A page of several hostile cards waits for one of them.
  def test_other_files_wait_for_one_that_takes_long
    bomb = lesson('a.md', BOMBS['brackets.md'])
    first, other = cards([bomb, lesson('b.md', 'hello')].map { |path| ['readfile', { 'content_path' => path }, true] })
    [first, other].each { |card| assert_match(/being prepared/, card['text']) }
    assert_includes shown(File.join(@dir, 'b.md'))['text'], 'hello'
    assert_match(/too intricate/, shown(bomb)['text'])
  end

  def test_a_file_of_the_largest_size
    text = "# Title\n\nSome *text* with `code`, #{'and more words, ' * 20}\n\n| a | b |\n|--|--|\n| 1 | 2 |\n\n" * 2500
    card = shown(lesson('a.md', text[0, 1 << 20]))
    assert_equal(2500, elements(card['tree']).count { |name, _| name == 'h3' })
    assert_equal card['source'].strip, card['html'].strip
  end
end
