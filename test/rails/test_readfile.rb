# frozen_string_literal: true

require_relative 'rails_test'
require_relative 'card_views'
require_relative '../ruby/images'
require_relative '../ruby/rendering_turns'

# A publisher's file, read as the viewer and shown in their page.
class TestReadfile < RailsTest
  include CardViews
  extend CardViews::Corpus
  include RenderingTurns

  PROF = 1001
  PNG = 'data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7'

  # What may be in the page, and with which values.
  ALLOWED = {
    'href' => %r{\Ahttps?://}, 'rel' => /\Anoopener noreferrer nofollow\z/, 'target' => /\A_blank\z/,
    'src' => %r{\Adata:image/(png|jpeg|gif|webp);base64,}, 'alt' => //, 'tabindex' => /\A0\z/,
    'dir' => /\A(?:ltr|rtl)\z/,
    'class' => /\A(table table-sm|bg-transparent|overflow-auto|bg-light text-dark p-2 rounded|mt-3|d-block)\z/,
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
    # A child that a busy machine gives no time is none that hangs, and a publisher of a whole test has much to show.
    limit(READ: 60, STEP: 60, PUBLISHER_SECONDS: 1000)
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
    600.times do
      card = cards([['readfile', { 'content_path' => path }, specs]])[0]
      return card unless card['text'].include?('is being prepared: it is shown here in some seconds.')

      sleep 0.1
    end
  end

  # @return [String] what stands before the note
  def says(path, specs: true)
    card = shown(path, specs: specs)['tree'][0][2].grep(Array)[0]
    card[2].grep(Array)[-2].then { |_, _, children| content(children) }
  end

  # What is a card's own, and in no lesson.
  OURS = [['multitenant-card', { 'class' => 'd-block' }],
          ['i', { 'class' => 'fa fa-book-open', 'aria-hidden' => 'true' }]].freeze

  def assert_harmless(card, what)
    assert_equal card['source'].strip, card['html'].strip, what
    assert_equal 1, card['tree'].grep(Array).size, what
    all = elements(card['tree'])
    OURS.each { |element| assert_equal 1, all.count(element), what }
    (all - OURS).each do |name, attributes|
      refute_includes FORBIDDEN, name, what
      assert_match(/\A[a-z][a-z0-9]*\z/, name)
      attributes.each do |key, value|
        assert_match(ALLOWED.fetch(key) { flunk("#{what}: #{name} has #{key}") }, value, what)
      end
    end
  end

  def test_hostile_files
    HOSTILE.each_with_index do |text, index|
      (index < 9 ? %w[md html markdown HTM txt] : %w[md html txt]).each do |ending|
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

  # @return [Array(Array<String>, String)] sources of the images of a lesson with these, and what it says
  def images(*sources)
    lines = sources.map.with_index { |source, i| "![image #{i}.](#{source})\n" }
    card = shown(lesson("#{@images = @images.to_i + 1}.md", lines.join("\n")))
    assert_harmless(card, sources)
    [elements(card['tree']).filter_map { |_, attributes| attributes['src'] }, card['text']]
  end

  # A file of 23 KB took 670 MiB of a browser's. What a publisher calls it does not count, as in browsers.
  def test_images_have_as_many_pixels_as_a_browser_bears
    Images.all(4096, 4096).each_value do |bytes|
      assert_equal [Images.url(bytes, type: 'gif')], images(Images.url(bytes, type: 'gif'))[0]
    end
    [Images.all(4097, 4096), Images.all(12_000, 12_000)].flat_map(&:to_a).each do |kind, bytes|
      sources, text = images(Images.url(bytes), Images.url(Images.png))
      assert_equal [Images.url(Images.png)], sources, kind
      assert_includes text, 'image 0. (An image is not shown: those of a file may have 16 megapixels.)'
    end
  end

  def test_images_of_a_file_share_what_it_may_have
    two = [[4096, 2048], [2048, 4095]].map { |size| Images.url(Images.gif(*size)) }
    small = Images.url(Images.lossy(2048, 1))
    sources, text = images(*two, two[0], small, Images.url(Images.gif(1, 1)))
    assert_equal [*two, small], sources
    assert_match(/image 2\. \(.*16 megapixels\.\)\s+image 4\. \(.*16 megapixels\.\)/, text)
  end

  # A page of many files, each with as many pixels as one may have, took as many times 64 MiB. Their text stays, and the
  # image of who wants no more than a third of them.
  def test_images_of_a_page_and_of_a_publisher_share_what_they_may_have
    asked = [1001, 1001, 1001, 1002, 1002, 1003].map.with_index do |uid, i|
      lines = "before ![a \"<b>#{i}\"](#{Images.url(Images.gif(4096, 4096))}) after #{i}"
      path = lesson("page#{i}.md", lines, uid: uid)
      shown(path, specs: { 'uid' => uid.to_s })
      ['readfile', { 'content_path' => path }, { 'uid' => uid.to_s }]
    end
    limit(POLL: 1000) # on a busy machine a card may take so long that another page would seem to begin
    2.times do
      @dashboard.ruby('MultiTenant::Card::Budget.new_page; nil')
      cards = cards(asked, one_page: true)
      cards.each.with_index do |card, i|
        assert_harmless(card, i)
        assert_equal [2, 4].include?(i) ? 0 : 1, elements(card['tree']).map(&:first).count('img'), i
        assert_match(/before .* after #{i}/m, card['text'])
      end
      assert_includes cards[2]['text'], 'before (An image is not shown: those of a page may have 64 megapixels,'
    end
    assert_equal %w[img], elements(shown(File.join(@dir, 'page2.md'))['tree']).map(&:first) & %w[img]
  end

  # Each kept a browser for as long as one may, and 32 of them did so together.
  def test_files_of_a_publisher_share_what_they_may_cost_a_browser
    heavy = "\u05d0" * 11_000
    files = [*(0..4).map { |i| ["heavy#{i}.md", heavy] }, ['long.txt', "\u05d0" * 24_000], ['light.md', 'some words'],
             ['other.md', heavy, 1002]]
    asked = files.map do |name, text, uid = 1001|
      path = lesson(name, text, uid: uid)
      shown(path, specs: { 'uid' => uid.to_s })
      ['readfile', { 'content_path' => path }, { 'uid' => uid.to_s }]
    end
    limit(POLL: 1000) # as above
    2.times do
      @dashboard.ruby('MultiTenant::Card::Budget.new_page; nil')
      full = cards(asked, one_page: true).map { |card| card['text'].include?('this page is full of what is shared') }
      assert_equal [*[false] * 4, true, true, false, false], full
    end
    card = shown(File.join(@dir, 'long.txt'))
    assert_includes card['text'], "\u05d0" * 4096
    # A line may have no letter.
    lines = @dashboard.ruby(<<~RUBY)
      require MultiTenant::Card::Rendering.method(:of).source_location[0].sub('rendering.rb', 'scrubber.rb')
      MultiTenant::Card::Scrubber.sanitize("<p>\#{'<mark>' * 15}\#{'<br>' * 7900}")[2]
    RUBY
    assert_operator lines, :>, 400
  end

  def test_what_is_no_image_of_the_four_kinds_is_named
    ['<svg xmlns="http://www.w3.org/2000/svg" width="90000" height="90000"/>', "BM#{'x' * 60}", "\0\0\1\0#{'x' * 60}",
     "\0\0\0\x1Cftypavif#{'x' * 60}", Images.png[0, 20], Images.jpeg[0, 100], 'x'].each do |bytes|
      sources, text = images(Images.url(bytes))
      assert_empty sources, bytes
      assert_includes text, 'image 0. (An image that is not PNG, JPEG, GIF or WebP is not shown.)'
    end
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

  # Those in one another cost more and more, the deeper the more.
  def test_no_ruby_is_within_another
    tree = shown(lesson('a.html', '<ruby>漢<rt>kan<ruby>字<rt>ji</rt></ruby></rt></ruby><ruby>a<rt>b'))['tree']
    assert_equal 2, elements(tree).map(&:first).count('ruby')
    assert_includes content(tree), '漢kan字jiab'
  end

  # Browsers have a box of each for each line.
  def test_elements_of_a_line_are_within_so_many_others_and_no_more
    tree = shown(lesson('a.html', "<p>#{'<mark>' * 200}word<p>#{'<em>' * 20}two"))['tree']
    names = elements(tree).map(&:first)
    assert_equal [16, 16], [names.count('mark'), names.count('em')]
    assert_includes content(tree), 'wordtwo'
  end

  # Its corners are round, and browsers look at all of its lines for each of them.
  def test_a_key_has_no_thousands_of_lines
    tree = shown(lesson('a.html', "<p><kbd>Ctrl</kbd> <kbd>#{'a ' * 50}</kbd> <kbd>#{'b ' * 60_000}</kbd>"))['tree']
    assert_equal(2, elements(tree).count { |name, _| name == 'kbd' })
    assert_includes content(tree), 'b ' * 60_000
    # Nor a sentence in the place of each image, where a page is full of these.
    tree = shown(lesson('b.html', "<p><kbd><img src=\"#{PNG}\"></kbd> <kbd><b>F</b>1</kbd>"))['tree']
    assert_equal(%w[b img kbd], elements(tree).map(&:first).grep(/\A(?:b|img|kbd)\z/).sort)
  end

  # Browsers count those of a whole page, and take a minute for some ten thousand.
  def test_quotations_are_none_that_a_browser_counts
    tree = shown(lesson('a.html', '<p>He said <q>I <q>know</q></q><q></q>.</p>'))['tree']
    refute_includes elements(tree).map(&:first), 'q'
    assert_includes content(tree), 'He said “I “know””“”.'
  end

  # A browser looks at a whole line for these, and at each poll anew.
  def test_a_page_that_a_browser_needs_long_for_is_shown_as_text
    turns = "a\u05d0" * 300
    marks = "<i>\u0301\u0301</i>" * 100
    images = { 'refused.html' => 'AAAA', 'small.html' => [Images.gif(1, 1)].pack('m0') }
             .transform_values { |data| "<p>\u05d0 a #{"<img src=\"data:image/gif;base64,#{data}\">" * 2000}" }
    { 'turns.md' => turns * 40, 'numbers.md' => "\u05d0\n\n#{'1! ' * 12_000}", 'marks.html' => "<p>a#{marks}</p>",
      'thai.md' => "\u0e01" * 12_000, 'cell.md' => "|a|b|\n|-|-|\n|#{"\u0e01" * 3000}|b|\n",
      'cells.md' => "|a|b|\n|-|-|\n#{"|#{"\u0e01" * 500}|b|\n" * 30}",
      'mixed.md' => "#{"\u0e01" * 4000}a" * 4,
      'brackets.html' => "<p>\u05d0 a #{'(' * 65_000}#{'!' * 190_000}",
      'ruby.html' => "<ruby>#{'a ' * 9000}<rt>#{'b ' * 9000}",
      'arabic.md' => "\u0628" * 12_000, 'open.html' => '<b><i><u><p>' * 700,
      'boxes.html' => "<pre>#{'<mark>' * 12}#{"x\n" * 60_000}",
      'image.md' => "![#{turns * 40}](http://a/b)", 'piled.html' => "<img alt=\"a#{"\u0301" * 200}\">", **images,
      'columns.html' => "<table><tr><td>#{'<kbd>' * 12}#{'a ' * 60_000}<td>#{'x' * 5000}" }.each do |name, text|
      assert_includes shown(lesson(name, text))['text'], 'too intricate to be shown as a page', name
    end
    ["#{turns}\n\n" * 20, "|a|b|\n|-|-|\n#{"|#{"#{"\u0e01" * 50} " * 6}|b|\n" * 100}",
     "![#{turns}](http://a/b)\n\n" * 20, "\u05d0\n\n#{"![1](#{PNG})\n\n" * 1000}",
     "<p>a<b>\u0301</b></p>" * 100, '<ruby>漢字<rt>かんじ</ruby>' * 2000, '<hr>' * 7500,
     '<p>x' * 3900, "<pre>#{'<span>' * 2}#{'x ' * 120_000}"].each_with_index do |text, i|
      refute_includes shown(lesson("#{i}.md", text))['text'], 'too intricate', text[0, 20]
    end
    # Its lines stay what they are.
    long = shown(lesson('turns.txt', "#{turns}\n" * 20))
    assert_equal 4, long['html'].scan('<span class="d-block"><bdi dir="ltr">').size
    assert_includes long['text'].delete("\u2068\u2069"), "#{turns}\n" * 20
  end

  # Each word of these, up to a blank, and all pieces of a line, a browser looks at more than once.
  def test_a_paragraph_may_have_so_much_between_two_blanks_or_ends_of_lines
    { 'words.md' => "\u0e01" * 3000, 'scripts.md' => "\u6f22a" * 6000 }.each do |name, text|
      assert_includes shown(lesson(name, text))['text'], 'too intricate to be shown as a page', name
    end
    ["#{"#{"\u0e01" * 50} " * 30}\n\n" * 50, "#{"\u1780" * 5}\u200b" * 600, "\u6f22\u5b57\u304b\u306a<br>\n" * 4000,
     "<pre>#{"\u251c\u2500 a \u2713\n" * 8000}</pre>"].each_with_index do |text, i|
      refute_includes shown(lesson("#{i}.md", text))['text'], 'too intricate', text[0, 20]
    end
  end

  # @return [Array(String, Boolean)] the page's beginning, and whether a browser needs too long for it
  def scrubbed(html)
    @dashboard.ruby(<<~RUBY)
      require MultiTenant::Card::Rendering.method(:of).source_location[0].sub('rendering.rb', 'scrubber.rb')
      scrubber = MultiTenant::Card::Scrubber.new
      html = Rails::Html::SafeListSanitizer.new.sanitize(#{html.dump}, scrubber: scrubber)
      [html.delete("\n")[0, 400], scrubber.cost.nil?]
    RUBY
  end

  # Unless it is within an element of a line.
  def test_what_stands_between_two_headings_is_laid_out_alone
    { '<h2>a</h2>%s' => false, '<b>%s</b>' => true }.each do |part, heavy|
      assert_equal heavy, scrubbed(format(part, "\u6f22a" * 400) * 20)[1], part
    end
  end

  # Parsers of HTML 4 keep these where they stand, and browsers leave them out: what was in them is one line. So is what
  # they leave in a table beside its cells.
  def test_parts_of_tables_without_a_table_end_no_line
    assert_equal ['a<b>b</b>', false], scrubbed('<caption>a</caption><tr><td><b>b</b></td></tr>')
    table = '<caption>a</caption><tbody><tr><th>b</th></tr></tbody></table>'
    assert_equal ["<table class=\"table table-sm\">#{table}", false], scrubbed("<table>#{table}")
    assert_operator scrubbed("<table><tr>#{'<i>' * 15}" * 2)[0].scan('<i>').size, :<=, 16
    turns = "a\u05d0" * 499
    { 'caption' => true, 'p' => false }.each do |name, heavy|
      assert_equal heavy, scrubbed("<#{name}>#{turns}</#{name}>" * 100)[1]
    end
    { "<tr>#{turns}</tr>" => true, "<td>#{turns}</td>" => true, "<tr><td>#{turns}</td></tr>" => false,
      "<tr><p>#{turns}</p></tr>" => false }.each do |rows, heavy|
      assert_equal heavy, scrubbed("<table>#{rows * 100}</table>")[1], rows[0, 12]
    end
    # As programs write a table, it has more blanks than letters.
    indented = "<tr>#{"#{' ' * 300}<td>a</td>" * 5}</tr>" * 100
    assert_equal false, scrubbed("<table><tbody>#{indented}</tbody></table>")[1]
    assert_equal true, scrubbed("<pre>#{'<mark>' * 3}<tr>#{"\n" * 150_000}</tr>")[1]
  end

  # Left to a browser, that looks for it anew with each element, from the beginning on.
  def test_the_direction_of_a_page_is_told
    { '1. a' => 'ltr', "1. \u05d0 a" => 'rtl', '12 34' => 'ltr', "<b>5</b> &amp; \u0633" => 'rtl', "\u200f a" => 'rtl' }
      .each_with_index do |(text, direction), i|
        found = elements(shown(lesson("#{i}.html", "#{text}<p><bdi>#{text}</bdi>"))['tree'])
        told = found.filter_map { |name, attributes| [name, attributes['dir']] if attributes['dir'] }
        assert_equal [['div', direction], ['bdi', direction]], told, text
      end
    { "<bdi>\u05d0<bdi>5</bdi>\u05d0</bdi> a" => 'ltr', "<bdi>a</bdi> \u05d0 <bdi>a</bdi>" => 'rtl',
      "<bdi>\u05d0" => 'ltr' }.each_with_index do |(text, direction), i|
      assert_includes shown(lesson("apart#{i}.html", text))['html'], %(<div class="overflow-auto" dir="#{direction}")
    end
  end

  # Browsers keep each crossing of a row and a column, and 500 cells that span more are enough for minutes.
  def test_a_table_of_more_rows_and_columns_than_a_browser_bears_is_shown_as_text
    wide = '<td colspan=99 rowspan=999>x'
    { 'both' => "<tr>#{wide}" * 500, 'columns' => "<tr>#{wide * 600}", 'rows' => '<tr><th rowspan=999>x' * 500,
      'stairs' => "<tr>#{'<td>x' * 1000}#{'<tr><td>x' * 1000}", 'named' => "#{'<col>' * 1000}#{'<tr>' * 1000}",
      'groups' => "#{'<colgroup></colgroup>' * 1000}#{'<tr>' * 1000}",
      'apart' => "</table><table><tr>#{wide * 20}#{'<tr><td>x' * 5}" * 30 }.each do |name, rows|
      assert_includes shown(lesson("#{name}.html", "<table>#{rows}</table>"))['text'], 'too intricate', name
    end
    { 'large' => "<tr>#{'<td>x' * 10}" * 300, 'parts' => '<tr><td rowspan=3>x<td>x<tr><td>x<tr><td>x' * 300,
      'head' => '<tr><th colspan=99 rowspan=2>x<tr><td>x', 'zero' => '<tr><td rowspan=00>x' * 500 }.each do |name, rows|
      refute_includes shown(lesson("#{name}.html", "<table>#{rows}</table>"))['text'], 'too intricate', name
    end
  end

  # Nor is a row made for a cell by the browser, where the one that makes a lesson safe has none.
  def test_a_cell_without_a_row_is_no_cell
    rows = '<tbody><td>x</tbody>' * 1000
    html = shown(lesson('rows.html', "<table>#{rows}<tr>#{'<td>x' * 1000}</table>"))
    assert(html['text'].include?('too intricate') || html['html'].scan('<td').size == 1000)
  end

  def test_text_is_shown_as_it_is
    text = "\uFEFF# no *heading*\r\n\r\n\t<b>&amp; end\n"
    assert_equal "# no *heading*\n\n\t<b>&amp; end\n", says(lesson('a.txt', text))
  end

  def test_what_is_changed_is_seen_at_once
    2.times { assert_includes says(lesson('a.md', 'one')), 'one' }
    lesson('a.md', 'two')
    wait_until { says(File.join(@dir, 'a.md')).include?('two') }
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

  SOURCE = MultiTenant::Card::Limits::SOURCE

  # For parsers that need the square of a text's length, or its memory: of the largest size that is read, and of the
  # largest that is rendered.
  BOMBS = {
    'definition.md' => "[a]: http://e/#{'a' * 9000}\n\n#{'[a] ' * 3900}",
    'links.md' => '[' * SOURCE, 'stars.md' => '*a ' * (SOURCE / 3),
    'table.md' => "#{'|' * 200}\n#{'|-' * 200}\n#{"#{'|' * 200}\n" * 1000}",
    'attributes.html' => "<p#{(1..30_000).map { |i| " x#{i}=1" }.join}>",
    'cells.html' => '<td>' * 180_000, 'paragraphs.html' => '<p>' * 240_000, 'links.html' => '[a](b)' * 120_000,
    'pairs.md' => '[a](b)' * 120_000, 'rows.md' => "|a|b|\n|-|-|\n#{"|a|b|\n" * 120_000}",
    'brackets.md' => '[' * (1 << 20), 'mails.md' => 'a@' * (1 << 19), 'deep.html' => '<b>' * 300_000,
    'formats.html' => (1..390).map { |i| "<b a=#{i}>" }.join + ('<p>' * 340_000)
  }.freeze

  # What the dashboard holds: resident KiB; threads, children, descriptors.
  STATE = <<~RUBY
    children = Dir.glob('/proc/self/task/*/children').flat_map { |path| File.read(path).split }
    [File.read('/proc/self/status')[/VmRSS:\\s+(\\d+)/, 1].to_i,
     [Thread.list.size, children, Dir.children('/proc/self/fd').size]]
  RUBY

  def test_what_takes_too_much_neither_holds_the_page_nor_grows_the_dashboard
    shown(lesson('a.md', 'one'))
    before, (threads, children, descriptors) = @dashboard.ruby(STATE)
    BOMBS.each do |name, text|
      assert_match(/too intricate/, shown(lesson(name, text))['text'][0, 400], name)
      # On a busy host they would have taken all time of their publisher before the last one.
      @dashboard.ruby('MultiTenant::Card::Rendering.instance_variable_get(:@spent).clear; nil')
    end
    # On a busy host the first child may not have been reaped when that was asked.
    wait_until do
      now = @dashboard.ruby(STATE)[1]
      now[0] <= threads && (now[1] - children).empty? && now[2] <= descriptors
    end
    assert_operator @dashboard.ruby(STATE)[0] - before, :<, 200_000
  end

  # Each link of 24 KB became 9 KB of HTML, which the dashboard had from one child and gave to the next.
  def test_a_few_lines_that_become_megabytes_do_not_grow_the_dashboard
    shown(lesson('a.md', 'one'))
    before, = @dashboard.ruby(STATE)
    assert_match(/too intricate/, shown(lesson('definition.md', BOMBS['definition.md']))['text'][0, 400])
    assert_operator @dashboard.ruby(STATE)[0] - before, :<, 30_000
  end

  # 720 KB of the first four took 600 MB and 12 s of each viewer, at each change.
  MEMORY = { 'a.html' => '<table><tr><td>', 'b.html' => '<p>', 'c.md' => "[a](b)\n",
             'd.md' => "|a|b|\n|-|-|\n|a|b|\n\n", 'e.html' => '<a href="http://a/" x=1>',
             'f.html' => '<p a=1 b=2 c=3>' }.freeze

  # @return [Hash] pid => KiB that each child of the dashboard's has for itself. One that is being started has its
  #   parent's for a while, on a busy machine for a long one, and is left out.
  def memory_of_children
    parents = private_memory(@dashboard.pid)
    children = Dir.glob("/proc/#{@dashboard.pid}/task/*/children").flat_map { |path| File.read(path).split }
    children.to_h { |pid| [pid, private_memory(pid)] }.reject { |_, kib| (kib - parents).abs < parents / 50 }
  rescue SystemCallError
    {}
  end

  def private_memory(pid)
    File.read("/proc/#{pid}/smaps_rollup")[/Private_Dirty:\s+(\d+)/, 1].to_i
  end

  # @return [Integer] KiB that a child had, at most, while the block ran; one that is being started has its parent's
  def most_memory_of_children
    most = 0
    watch = Thread.new do
      before = {}
      loop do
        after = memory_of_children
        most = [most, *(before.keys & after.keys).map { |pid| [before[pid], after[pid]].min }].max
        before = after
        sleep 0.004
      end
    end
    yield
    most
  ensure
    watch.kill.join
  end

  def test_a_lesson_takes_some_tens_of_megabytes_at_most
    limit(CPU: 60)
    shown(lesson('first.md', 'one'))
    most = most_memory_of_children do
      MEMORY.each do |name, unit|
        [720_000 / unit.size, SOURCE / unit.size, 7900, 7900 / 2, 7900 / 28].each_with_index do |n, i|
          assert_includes shown(lesson("#{i}#{name}", "start\n\n#{unit * n}"))['text'], 'start'
        end
      end
    end
    assert_operator most, :>, 5_000, 'the watch has seen nothing'
    assert_operator most, :<, 80_000
  end

  # Whoever counts its tags before is not all that stands between a page and the host's memory.
  def test_a_parser_has_as_much_memory_as_it_may_and_no_more
    ruby = "MultiTenant::Card::Rendering.send(:safe, MultiTenant::Card::Content.new('/a.html', owner: 1), 'page', %s)"
    assert_kind_of Array, @dashboard.ruby(format(ruby, "'<p>' * 4000"))
    assert_equal 'never', @dashboard.ruby(format(ruby, "'<p>' * 40_000")).to_s
  end

  def limit(**values)
    values.each do |name, value|
      @dashboard.ruby("MultiTenant::Card::Limits.send(:remove_const, :#{name}); " \
                      "MultiTenant::Card::Limits.const_set(:#{name}, #{value}); nil")
    end
  end

  def test_a_file_that_took_too_much_is_not_tried_again_when_it_is_rewritten
    limit(CPU: 1)
    bomb = lesson('a.md', BOMBS['links.md'])
    assert_match(/too intricate/, shown(bomb)['text'][0, 400])
    assert_match(/too intricate/, shown(lesson('a.md', 'harmless'))['text'][0, 400])
    assert_includes says(lesson('b.md', 'another of theirs')), 'another'
    # One that is begun by a page is on a later one.
    5.times { sleep(0.2) && assert_match(/too intricate/, shown(bomb)['text'][0, 400]) }
    limit(PAUSE: 0)
    kept = 'MultiTenant::Card::Rendering.instance_variable_get(:@kept)'
    @dashboard.ruby("#{kept}.each_value { |one| one.until = 0 }; nil")
    wait_until { says(bomb).include?('harmless') }
  end

  def test_files_of_one_publisher_take_a_share_of_time_and_others_go_on
    limit(CPU: 1, PUBLISHER_SECONDS: 1)
    assert_match(/too intricate/, shown(lesson('a.md', BOMBS['links.md']))['text'][0, 400])
    assert_match(/take too long/, says(lesson('c.md', 'one more')))
    other = lesson('d.md', 'of another', uid: 1002)
    assert_includes says(other, specs: { 'uid' => '1002' }), 'of another'
  end

  def test_lessons_wait_while_others_render_and_what_was_rendered_is_shown
    assert_includes says(lesson('kept.md', 'kept')), 'kept'
    USERS.times { |i| assert_equal 'yes', turn_of(5000 + i) }
    %w[a.md a.html].each do |name|
      card = cards([['readfile', { 'content_path' => lesson(name, 'hello') }, true]])[0]
      assert_match(/being prepared/, card['text'])
      assert_includes says(lesson('a.txt', 'plain')), 'plain'
      assert_includes says(File.join(@dir, 'kept.md')), 'kept'
    end
    bomb = ['readfile', { 'content_path' => lesson('links.md', BOMBS['links.md']) }, true]
    limit(CPU: 1)
    2.times do
      assert_match(/being prepared/, cards([bomb])[0]['text'][0, 400])
      @dashboard.ruby('MultiTenant::Card::Rendering.instance_variable_get(:@running).join; nil')
    end
    let_go
    %w[a.md a.html].each { |name| assert_includes says(File.join(@dir, name)), 'hello' }
  end

  # A file system that answers nobody: its daemon reads no request.
  def with_dead_directory
    skip_unless(File.exist?('/dev/fuse'), 'needs /dev/fuse')
    directory = File.join(temporary, 'dead')
    Dir.mkdir(directory)
    File.open('/dev/fuse', 'r+') do |fuse|
      options = 'fd=3,rootmode=40755,user_id=0,group_id=0,allow_other'
      assert system('mount', '-i', '-t', 'fuse', '-o', options, 'none', directory, 3 => fuse)
      yield directory, fuse
    ensure
      system('umount', '-l', directory)
    end
  end

  def assert_page_lives(dead)
    limit(READ: 3)
    ['lesson.md', 'other.txt'].each do |name|
      path = File.join(dead, name)
      start = now
      card = cards([['readfile', { 'content_path' => path }, true]])[0]
      assert_operator now - start, :<, 2
      assert_match(/being prepared/, card['text'])
      assert_match(/does not answer on this host/, shown(path)['text'])
    end
    limit(READ: 60)
    assert_includes says(lesson('a.md', 'alive')), 'alive'
    assert_match(/does not answer/, says(File.join(dead, 'lesson.md')))
  end

  def test_a_path_that_does_not_answer_holds_no_page
    with_dead_directory { |directory| assert_page_lives(directory) }
  end

  # A daemon that has taken the request and died: whoever waits can't even be killed.
  def with_directory_that_holds
    with_dead_directory do |directory, fuse|
      hello = fuse.sysread(1 << 17)
      fuse.syswrite([80, 0].pack('Ll') + hello[8, 8] + [7, 31, 0, 0, 0, 0, 1 << 16].pack('L4SSL').ljust(64, "\0"))
      taker = Thread.new { loop { fuse.sysread(1 << 17) } }
      yield directory
    ensure
      taker&.kill
    end
  end

  def test_a_path_that_holds_its_reader_for_good_holds_no_page
    with_directory_that_holds { |directory| assert_page_lives(directory) }
  end

  # @return [Integer] children of the dashboard's that can't be killed now
  def held_children
    children = Dir.glob("/proc/#{@dashboard.pid}/task/*/children").flat_map { |path| File.read(path).split }
    children.count do |pid|
      File.read("/proc/#{pid}/stat")[/.*\) (\S)/m, 1] == 'D'
    rescue SystemCallError
      false
    end
  end

  # Each is a process of the host's, for each viewer, and each try would add one.
  def test_of_paths_that_hold_their_readers_for_good_few_are_tried
    with_directory_that_holds do |directory|
      limit(READ: 1, REAP: 0.3)
      name = 0
      try = -> { shown("#{directory}/#{name += 1}.md")['text'] }
      wait_until { try.call && held_children == 3 }
      5.times { assert_match(/is not shown at this time/, try.call) }
      assert_equal 3, held_children
      limit(READ: 60)
      other = lesson('b.md', 'of another', uid: 1002)
      assert_includes says(other, specs: { 'uid' => '1002' }), 'of another'
    end
    wait_until { says(lesson('a.md', 'alive')).include?('alive') }
  end

  # Once for each publisher within some minutes: they may name another file in each round.
  def test_where_the_parser_can_not_run_it_is_logged
    @dashboard.ruby('MultiTenant::Card::Rendering.instance_variable_set(:@parser, ["-rnone"]); nil')
    { 'a.md' => 1001, 'b.md' => 1001, 'c.md' => 1002 }.each do |name, uid|
      assert_match(/does not answer/, says(lesson(name, 'hello', uid: uid), specs: { 'uid' => uid.to_s }))
    end
    assert_equal 2, @dashboard.log.grep(/not shown as it is meant: ruby\S* failed: .*\(LoadError\)/).size
  end

  # As Open OnDemand's SELinux policy has it.
  def test_lessons_are_shown_where_no_hard_limit_can_be_changed
    path = File.join(@dir, 'soft.rb')
    File.write(path, <<~RUBY)
      Process.singleton_class.prepend(Module.new do
        def setrlimit(resource, soft, hard = soft)
          raise Errno::EACCES, 'setrlimit' unless hard == getrlimit(resource)[1]

          super
        end
      end)
    RUBY
    @dashboard.ruby("load #{path.inspect}; rendering = MultiTenant::Card::Rendering; " \
                    "rendering.instance_variable_set(:@parser, ['-r#{path}', *rendering.send(:parser)]); nil")
    %w[a.md a.html a.txt].each { |name| assert_includes says(lesson(name, 'hello')), 'hello' }
    limit(CPU: 1)
    assert_match(/too intricate/, shown(lesson('b.md', BOMBS['links.md']))['text'][0, 400])
  end

  # A page of several hostile cards waits for one of them.
  def test_other_files_wait_for_one_that_takes_long
    bomb = lesson('a.md', BOMBS['links.md'])
    first, other = cards([bomb, lesson('b.md', 'hello')].map { |path| ['readfile', { 'content_path' => path }, true] })
    [first, other].each { |card| assert_match(/being prepared/, card['text']) }
    assert_includes shown(File.join(@dir, 'b.md'))['text'], 'hello'
    assert_match(/too intricate/, shown(bomb)['text'][0, 400])
  end

  # What waits longest comes next: a page with many files shows all of them, and then what becomes of them.
  def test_many_files_of_a_page_each_have_their_turn
    limit(WAIT: 0.2, POLL: 0.4)
    page = (1..24).map { |i| ['readfile', { 'content_path' => lesson("#{i}.txt", "first #{i}.") }, true] }
    %w[first second].each do |word|
      (1..24).each { |i| lesson("#{i}.txt", "#{word} #{i}.") }
      wait_until do
        sleep 0.2
        cards(page).each_with_index.all? { |card, i| card['text'].include?("#{word} #{i + 1}.") }
      end
    end
  end

  # A site may have its pages ask each minute, to spare Slurm.
  def test_where_pages_ask_seldom_a_file_has_its_turn_beside_one_that_changes_all_the_time
    limit(WAIT: 0.05, POLL: 1)
    files = [lesson('a.html', ''), lesson('b.txt', 'hello')]
    page = files.map { |path| ['readfile', { 'content_path' => path }, true] }
    wait_until do
      lesson('a.html', "#{rand} #{'<p>x' * 100}")
      @dashboard.ruby('MultiTenant::Card::Budget.new_page; nil')
      cards(page, one_page: true)[1]['text'].include?('hello') || (sleep(2.5) && nil) # more than two polls
    end
  end

  # Whatever goes wrong is that card's alone.
  def test_what_goes_wrong_reaches_no_page
    @dashboard.ruby('MultiTenant::Card::Rendering.instance_variable_set(:@parser, ["a\0"]); nil')
    assert_match(/can't be shown at this time/, shown(lesson('a.md', 'hello'))['text'])
    assert_equal 1, @dashboard.log.grep(/a file that was shared is not shown: ArgumentError/).size
    @dashboard.ruby('Thread.define_singleton_method(:new) { |*| raise ThreadError, "none left" }; nil')
    assert_match(/can't be shown at this time/, shown(lesson('b.md', 'hello'))['text'])
  end

  def test_a_file_of_the_largest_size
    text = "# Title\n\nSome *text* with `code`, #{'and more words, ' * 53}\n\n| a | b |\n|--|--|\n| 1 | 2 |\n\n" * 280
    card = shown(lesson('a.md', text))
    assert_in_delta SOURCE, text.bytesize, SOURCE / 20
    assert_equal(280, elements(card['tree']).count { |name, _| name == 'h3' })
    assert_equal card['source'].strip, card['html'].strip
  end
end
