# frozen_string_literal: true

require_relative 'axe'
require_relative 'chat_test'

# The chat page in a browser, behind a proxy as Open OnDemand's, with a server as llama.cpp's.
class TestChatPage < ChatTest
  def test_it_tells_whose_model_it_is
    assert_equal ChatJob::SERVICE, text('service')
    assert_includes text('owner'), 'a job of hpcfaculty, who can read what you write'
    assert_equal 'so be it', answer('so **be** it')
    assert_includes text('messages'), "You\nso **be** it\n#{ModelServer::MODEL}\n"
  end

  def test_nothing_is_sent_before_the_page_can_do_so
    came = 'fetch("./").then((page) => page.text())' \
           '.then((text) => new DOMParser().parseFromString(text, "text/html").getElementById("send").disabled)'
    assert @browser.evaluate(came)
    refute @browser.evaluate('document.getElementById("send").disabled')
  end

  def test_the_conversation_is_kept_and_begins_anew
    answer('one')
    answer('two')
    assert_equal([%w[user one], %w[assistant one], %w[user two]],
                 [@model.asked.pop, @model.asked.pop].last.map(&:values))
    @browser.evaluate('document.getElementById("clear").click()')
    answer('three')
    assert_equal [%w[user three]], @model.asked.pop.map(&:values)
  end

  def test_its_first_token_shows_as_it_comes
    ask('pause')
    wait_for('document.querySelector("article.assistant").innerText.includes("first")')
    assert_equal 'The model answers…', text('state')
    @model.more << true
    wait_for('!running')
    assert_includes text('messages'), 'first and last'
  end

  def test_thoughts_are_folded_and_a_cut_answer_is_called_that
    assert_equal 'then a word', answer('think')
    refute_includes text('messages'), 'first a *thought*'
    @browser.evaluate('document.querySelector("summary").click()')
    assert_includes text('messages'), 'first a *thought*'
    answer('cut')
    assert_includes text('error'), 'The answer ends here because it reached the length'
    refute_includes @browser.evaluate('JSON.stringify(messages)'), 'thought'
  end

  WORDS = {
    'error' => 'The service says: out of memory',
    'deep' => "The service's answer can't be understood.",
    'nothing' => 'The model ended its answer before it began. Your message is below again',
    'refused' => 'The service refuses the key that was shared',
    'busy' => 'The service is busy, or still loads its model: try again in a minute. It says: Loading model',
    'long' => 'This is too long for the model: begin a new conversation, or write less.'
  }.freeze

  def test_what_goes_wrong_is_said_and_the_message_stays
    WORDS.each do |message, sentence|
      answer(message)
      assert_includes text('error'), sentence
      assert_equal message, box
    end
    assert_equal 'fine', answer('fine')
    assert_empty text('error')
    @model.stop
    answer('ended')
    assert_includes text('error'), 'The service does not answer: it may have ended.'
    @job.stop
    @job = nil
    answer('gone')
    assert_includes text('error'), "The chat's own job does not answer"
    assert_includes text('messages'), 'fine'
  end

  # A tab has no more memory than its computer.
  def test_an_answer_without_an_end_ends
    assert_operator answer('endless').size, :<=, 1 << 19
    assert_includes text('error'), 'The answer is longer than this page shows; it ends here.'
    assert_equal 'fine', answer('fine')
  end

  # While it waits in the server's queue, and before its first token.
  def test_what_is_stopped_the_server_is_told
    %w[queue silent].each do |message|
      ask(message)
      @model.asked.pop
      wait_for('document.getElementById("state").innerText.startsWith("Still waiting: the service may be busy")')
      @browser.evaluate('document.getElementById("text").value = "next"; document.getElementById("stop").click()')
      wait_until { !@model.left.empty? }
      @model.left.clear
      wait_for('!running')
      assert_equal 'Stopped.', text('state')
      assert_equal "#{message}\n\nnext", box
    end
  end

  def test_what_a_closed_page_asked_for_the_server_is_told
    ask('queue')
    @model.asked.pop
    @browser.open('about:blank')
    wait_until { !@model.left.empty? }
  end

  MARKDOWN = <<~TEXT.freeze
    # Title

    A *word*, `<b>code</b>` and [a link](https://example.org/a "t").

    ```python
    print("<i>hello</i>")#{' # a line that has to be scrolled' * 4}
    ```

    1. one
       - [x] inside

    | a | b |
    |---|---|
    | c | d |

    > said
  TEXT

  HOSTILE = <<~TEXT
    <script>ran()</script><img src=x onerror=ran()> **<u>u</u>**

    <iframe src="javascript:ran()"></iframe>

    ![i](http://127.0.0.1:1/x.png) [j](javascript:ran()) [k](data:text/html,x) [l](/nginx/stop) <javascript:ran()>

    ```<script>ran()</script>
    </code></pre><script>ran()</script>
    ```
  TEXT

  def test_markdown_is_shown_and_copied
    answer(MARKDOWN)
    found = @browser.evaluate('[..."h3 em code a pre ol ul table blockquote".split(" ")]' \
                              '.filter((name) => !document.querySelector(`article.assistant ${name}`))')
    assert_empty found
    assert_equal '<b>code</b>', @browser.evaluate('document.querySelector("p code").textContent')
    @browser.call('Emulation.setFocusEmulationEnabled', enabled: true)
    @browser.call('Browser.grantPermissions', permissions: %w[clipboardReadWrite clipboardSanitizedWrite])
    { 'figure' => MARKDOWN[/^print.*/], 'article.assistant >' => MARKDOWN.strip }.each do |where, copied|
      @browser.evaluate("document.querySelector('#{where} button').click()")
      wait_for("document.querySelector('#{where} button').textContent === 'Copied'")
      assert_equal copied, @browser.evaluate('navigator.clipboard.readText()')
    end
  end

  def test_what_is_nested_very_deep_is_shown_as_it_was_written
    ['- ', '> '].each do |mark|
      assert_match(/#{mark * 1000}so deep\s*\z/, answer("#{mark * 1500}so deep").tr("\n", ' '))
    end
    assert_equal 'fine', answer('fine')
  end

  # Marked takes a minute and more for these, each time that the page is drawn.
  def test_what_takes_the_library_long_is_shown_as_it_was_written
    assert_equal '*a_' * 40_000, answer('*a_' * 40_000).delete("\n")
    assert_equal 'fine', answer('fine')
  end

  # The page's clock stands still: nothing is slow because the machine is busy.
  # @return what JavaScript gives that looks at an answer, `one`, that was all there at once
  def drawn(text, look)
    @browser.evaluate("(() => { performance.now = () => 0; const one = new Answer('m'); " \
                      "one.take({ text: #{JSON.generate(text)} }); one.draw(); return #{look}; })()")
  end

  # Whether an answer is in parts, how many letters these have, and whether none is long.
  BLOCKS = '(() => { const all = [...one.body.children].map((made) => [...made.textContent].length); ' \
           'return [one.body.slow, all.reduce((sum, size) => sum + size, 0), all.every((size) => size <= 1024)]; })()'

  def test_more_elements_than_a_browser_bears_are_shown_as_they_were_written
    table = ->(columns, rows) { ['|a', '|-', *['|'] * rows].map { |cell| "#{cell * (cell == '|' ? 1 : columns)}|\n" } }
    { table[500, 900].join => 0, "> #{table[150, 140].join('> ')}" => 0, "#{table[10, 10].join}\n" * 200 => 0,
      "- #{table[150, 140].join('  ')}" => 0, "#{table[10, 10].join}\n" * 120 => 120, '<b>' * 70_000 => 0,
      "```\na\n```\n" * 3000 => 0, "```\na\n```\n" * 500 => 500, "```\n#{"\n" * 30_000}" => 0,
      "```\n#{"a\n" * 5000}```\n" => 1, "|a|b|\n|-|-|\n|#{'a ' * 30_000}|b|\n" => 0 }.each do |text, shown|
      assert_equal shown, drawn(text, 'one.body.querySelectorAll("table, pre").length'), text[0, 20]
    end
    assert_equal 'fine', answer('fine')
  end

  # A cell, and what is in dozens of lists, may be one letter wide, and a browser has a box of each for each line.
  def test_more_lines_than_a_browser_bears_are_shown_as_they_were_written
    made = 'one.body.querySelector("table, ul, blockquote, em, strong") !== null'
    { "|a|b|\n|-|-|\n|#{'漢' * 100_000}|b|\n" => false, "#{'- ' * 24}#{'x' * 100_000}" => false,
      "#{'> ' * 40}#{'x' * 100_000}" => false, "#{'*a _a ' * 24}#{"a\n" * 5000}#{' a_ a*' * 24}" => false,
      "|a|b|\n|-|-|\n|#{'漢' * 5000}|b|\n" => true, "#{'- ' * 5}#{'x ' * 10_000}" => true,
      "#{'- ' * 24}#{'x' * 1000}" => true, "- a\n\n#{'x ' * 1000}\n\n" * 20 => true, "**#{"a\n" * 2000}b**" => true,
      "*a **b `c` #{'x ' * 10_000} b** a*" => true,
      "|a|b|\n|-|-|\n|#{'漢a' * 9000}|b|\n" => false, "|a|b|\n|-|-|\n|#{'漢a' * 1000}|b|\n" => true,
      "|a|b|\n|-|-|\n|#{"\u0e01" * 4000}|b|\n" => false, "|a|b|\n|-|-|\n|#{"#{"\u0e01" * 99} " * 40}|b|\n" => true,
      "|a|b|\n|-|-|\n|#{"#{"\u0e01" * 49}\u00a0" * 150}|b|\n" => false,
      "|a|b|\n|-|-|\n|#{'漢1' * 9000}|b|\n" => false, "|a|b|\n|-|-|\n|#{'漢1' * 1000}|b|\n" => true,
      "#{'- ' * 24}#{'漢a' * 9000}" => false, "#{'- ' * 24}#{'漢a' * 1000}" => true,
      "|a|b|\n|-|-|\n#{"|#{'word ' * 20}|#{'слово ' * 20}|\n" * 200}" => true }.each do |text, as_markdown|
      assert_equal as_markdown, drawn(text, made), text[0, 20]
    end
  end

  # A browser reads the address of each link, of which any number may share one.
  def test_addresses_that_are_too_long_are_no_links
    text = "[x]: http://a/#{'b' * 400_000}\n\n#{'[x] ' * 3000}[y](http://a/b)"
    assert_equal ['http://a/b'], drawn(text, '[...one.body.querySelectorAll("a")].map((link) => link.href)')
    # Nor does one stand for each label that is missing.
    assert_equal '![][x] [][x]', drawn("[x]: http://a/#{'b' * 2000}\n\n![][x] [][x]", 'one.body.textContent')
    assert_equal 'http://a/b', drawn('![](http://a/b)', 'one.body.textContent')
  end

  # They are counted as they are shown.
  def test_letters_that_are_written_as_numbers_stay_so
    text = '*R&D* & &#1488;a&#769; - [&#233;](http://a/b)'
    assert_equal 'R&D & &#1488;a&#769; - &#233;', drawn(text, 'one.body.textContent')
  end

  # Else all of it would be one line.
  def test_html_in_quotations_and_items_is_in_blocks
    { "> <p>a\n>\n> [x]: http://a/b\n> <p>b\n" => 'blockquote', "- <p>a\n\n  [x]: http://a/b\n  <p>b\n" => 'li' }
      .each do |text, around|
      look = "[...one.body.querySelectorAll('#{around} > div')].map((made) => made.textContent.trim())"
      assert_equal %w[<p>a <p>b], drawn(text, look), around
      assert_equal '<p>a<p>b', drawn(text, 'one.body.textContent').delete("\n"), around
    end
  end

  def test_thoughts_of_more_lines_than_a_browser_bears_are_shown_without_these
    { 30_000 => '', 5000 => 'plain' }.each do |lines, shown|
      said = @browser.evaluate("(() => { const one = new Answer('m'); one.take({ thought: 'a\\n'.repeat(#{lines}) });" \
                               'one.draw(); return [one.thoughts.className, one.thoughts.textContent.length]; })()')
      assert_equal [shown, 2 * lines], said
    end
  end

  # What its browser needs minutes to lay out, where it is one paragraph. Marks that pile up go; the box for a message
  # would need as long.
  def test_what_takes_the_browser_long_is_shown_in_blocks
    [["a\u05d0", 6000], ["\u200e\u200f", 6000], ["\u2067-\u2069-", 60_000], ["\u05d01! ", 6000],
     ["\u05d0 \u05d1, ", 30_000], ["\u0e01", 50_000], ["\u0628", 50_000], ["#{"\u0e01" * 4095} ", 100],
     ["#{"\u0e01" * 4095}a", 100], ["#{"\u0628" * 4095}\u0640", 100], ["\uaa60", 400_000],
     ["\u05d0 a #{'(' * 65_000}#{'!' * 400_000}", 1], ["\u6f22a", 20_000], ["\u0436 a ", 20_000],
     ["a\u2192", 20_000], ["\u6f22\u2192", 20_000]].each do |text, times|
      assert_equal [true, text.size * times, true], drawn(text * times, BLOCKS), text[0, 20]
    end
    { "a#{"\u0301" * 9}" => [500, 5000], "\u0301" => [200_000, 32], "#{"\u05d0\u05d1 " * 300}\n\n" => [20, 18_000],
      'x ' => [10_000, 20_000], "\u6f22" => [20_000, 20_000], '1! (a) ' => [3000, 21_000],
      "\u6f22\u5b57 word \u0436\u0436 " => [2000, 22_000],
      "\u05d0a" => [3000, 6000] }.each do |text, (times, shown)|
      of, count, = drawn(text * times, BLOCKS)
      assert_equal [false, shown], [of, count], text[0, 20]
    end
    assert_equal 'fine', answer('fine')
  end

  # What has been drawn of it is not drawn again.
  def test_blocks_stay_while_a_text_grows
    { 'text' => 'one.body', 'thought' => 'one.thoughts' }.each do |kind, place|
      said = drawn('', <<~SCRIPT)
        (() => {
          one.take({ #{kind}: "\u0e01\u0e02 ".repeat(9000) });
          one.draw();
          const before = [...#{place}.children];
          one.take({ #{kind}: "and more" });
          one.draw();
          return [before.length > 20, before.slice(0, -1).every((made, index) => made === #{place}.children[index]),
                  #{place}.textContent.endsWith("\u0e02 and more")];
        })()
      SCRIPT
      assert_equal [true, true, true], said, kind
    end
  end

  # Its lines end where they did, and where the window does.
  def test_a_long_message_is_in_blocks_only_if_it_takes_the_browser_long
    answer("#{'word ' * 1000}end")
    assert_equal 1, @browser.evaluate('document.querySelector("article.user > div").children.length')
    heavy = '(() => { const { body } = show("user", ""); plain(body, "\u0e01".repeat(9000)); ' \
            'return body.children.length; })()'
    assert_equal 9, @browser.evaluate(heavy)
  end

  def test_what_a_model_is_called_takes_no_browser_long
    @model.names = ["a#{"\u0301" * 400}"]
    enter
    assert_equal [33, 401], @browser.evaluate('[...document.getElementById("model").options].flatMap(' \
                                              '(one) => [one.text.length, one.value.length])')
    assert_equal 'fine', answer('fine')
    assert_equal 33, @browser.evaluate('document.querySelector("article.assistant h2").textContent.length')
  end

  def test_what_the_model_says_is_text
    @browser.evaluate('window.ran = () => { window.hit = true; }')
    answer(HOSTILE)
    @browser.listen(1)
    assert_nil @browser.evaluate('window.hit')
    assert_equal %w[http://127.0.0.1:1/x.png],
                 @browser.evaluate('[...document.querySelectorAll("article.assistant a")].map((link) => link.href)')
    assert_nil @browser.evaluate('document.querySelector("article :is(img, script, iframe, u)")')
    assert_includes text('messages'), '<script>ran()</script><img src=x onerror=ran()>'
    assert_empty @browser.all('Log.entryAdded')
    assert_empty @browser.all('Runtime.exceptionThrown')
    answer("#{'>' * 20_000}deep")
    assert_empty @browser.all('Runtime.exceptionThrown')
  end

  def test_accessibility_light_and_dark_at_400_pixels
    %w[light dark].each do |theme|
      @browser.call('Emulation.setEmulatedMedia', features: [{ name: 'prefers-color-scheme', value: theme }])
      @browser.size(400, 800)
      enter
      answer(MARKDOWN)
      answer('think')
      answer('busy')
      assert_empty Axe.findings(@browser), theme
      assert_operator @browser.evaluate('document.documentElement.scrollWidth'), :<=, 400
    end
  end

  def test_by_keyboard
    'hi'.each_char { |char| @browser.call('Input.insertText', text: char) }
    @browser.press('Enter', text: "\r")
    wait_for('messages.length === 2')
    assert_equal 'text', @browser.evaluate('document.activeElement.id')
  end

  def test_pictures
    @browser.size(700, 640)
    answer('How do I sort numbers in Python?')
    @browser.picture('chat')
    @model.stop
    answer('And from the largest to the smallest?')
    @browser.picture('chat-ended')
  end

  # What stands beside the page is what its authors published.
  def test_the_library_is_unchanged
    assert_equal File.binread(LIBRARY), File.binread(File.join(ChatJob::TEMPLATE, 'marked.js'))
  end
end
