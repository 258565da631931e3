# frozen_string_literal: true

require_relative '../ruby/images'
require_relative 'axe'
require_relative 'cards_test'
require_relative 'layout'
require 'multitenant/card/image_size'
require 'uri'

# The cards in a browser: what a hostile publisher can make it do, and who can read them.
class TestCards < CardsTest
  extend CardViews::Corpus

  KEYS = %w[host port user password database jdbc_url ollama_url ollama_model base_url model api_key proxy any].freeze
  APPS = %w[Ollama_API Ollama_Code DB_Conn DB_JDBC App_API RShiny_App other].freeze
  URLS = ['http://n1/"><script>alert(1)</script>', "http://n1/'onmouseover='alert(1)"].freeze

  LESSON = <<~MARKDOWN
    # Lesson 1: sorting

    Read the table, then *try it* yourself. See <https://example.org/sorting>.

    | algorithm | steps |
    |-----------|-------|
    | bubble    | `n²`  |
    | merge     | `n log n` |

    ```python
    print(sorted([3, 1, 2]))  # a line that is long enough to need a bar to scroll it from one side to the other side of the card
    ```

    1. Write it.
    2. Measure it.
  MARKDOWN

  OPEN = 'document.querySelectorAll("details").forEach((details) => { details.open = true; })'

  # Every card is opened, pointed at, focused, and once put in as OOD's poll does, which runs scripts.
  STIR = <<~JS
    const list = document.getElementById('batch_connect_sessions');
    const stir = () => list.querySelectorAll('*').forEach((element) => {
      if (element.tagName === 'DETAILS') element.open = true;
      for (const name of ['mouseover', 'focus', 'load', 'error', 'toggle', 'animationstart'])
        element.dispatchEvent(new Event(name));
    });
    stir();
    list.innerHTML = list.innerHTML;
    list.querySelectorAll('script').forEach((old) => {
      const script = document.createElement('script');
      script.textContent = old.textContent;
      old.replaceWith(script);
    });
    stir();
  JS

  # ---- hostile publishers ----

  def assert_quiet(cards)
    [true, false].each do |csp|
      show(cards, csp: csp)
      @browser.evaluate(STIR)
      @browser.listen(1)
      assert_empty @browser.evaluate('window.ran'), "csp: #{csp}"
      assert_equal 1, @browser.evaluate('document.scripts.length'), 'more than ours'
      assert_empty @server.asked - @server.own
      asked = @browser.all('Network.requestWillBeSent').map { |event| event['request']['url'] }
      assert_empty(asked.reject { |url| url.start_with?(@server.url, 'data:') })
      assert_empty @browser.all('Log.entryAdded'), 'something that CSP forbids, or that was not found'
      assert_empty @browser.all('Runtime.exceptionThrown')
      assert_equal [@server.url], @browser.all('Page.frameNavigated').map { |event| event['frame']['url'] }.uniq
    end
  end

  def test_hostile_values_do_nothing
    values = [*self.class.corpus('values'), *URLS]
    assert_quiet(html(APPS.product(values).map do |app, value|
      fixed = value.start_with?('http') ? {} : { 'host' => 'n1', 'port' => '80' }
      ['default', KEYS.to_h { |key| [key, value] }.merge(fixed, 'mt_appname' => app), true]
    end))
    assert_quiet(html(values.map { |value| ['debug', { 'any' => value }, true] }))
  end

  def test_hostile_files_do_nothing
    lessons = self.class.corpus('lessons')
    assert_quiet(%w[md html txt].product(lessons.each_with_index.to_a).map do |ending, (text, index)|
      file(lesson("#{index}.#{ending}", "before\n\n#{text}\n\nafter"))
    end)
  end

  # Pixels that the browser makes of each source; 0: it shows none.
  PIXELS = <<~JS
    Promise.all(%s.map((source) => new Promise((done) => {
      const image = new Image();
      image.onload = () => done(image.naturalWidth * image.naturalHeight);
      image.onerror = () => done(0);
      image.src = source;
    })))
  JS

  # What is counted of an image is what the browser makes of it, also where its bytes are odd. (It shows some of which
  # we count none: they don't come to it.)
  def test_images_are_of_the_size_that_the_browser_makes
    random = Random.new(2)
    images = Images.all.flat_map do |_, bytes|
      places = [60, bytes.size].min
      changed = Array.new(400) { bytes.dup.tap { |copy| copy.setbyte(random.rand(places), random.rand(256)) } }
      [bytes, *changed]
    end
    show([], csp: false)
    counts = images.map { |bytes| MultiTenant::Card::ImageSize.pixels(bytes) }
    seen = @browser.evaluate(format(PIXELS, JSON.generate(images.map { |bytes| Images.url(bytes) })))
    assert_operator seen.count(&:positive?), :>, images.size / 3
    assert_empty(images.zip(counts, seen).select { |_, count, pixels| count && pixels.positive? && count != pixels })
  end

  # The watch sees what it has to see.
  def test_the_watch_itself
    show(['<script>alert(1)</script>', '<img src="/nginx/stop" onerror="evil()">', '<img src="http://evil.example/x">'],
         csp: false)
    @browser.evaluate(STIR)
    @browser.listen(1)
    assert_equal %w[alert evil], @browser.evaluate('window.ran').uniq.sort
    assert_includes @server.asked, '/nginx/stop'
    assert(@browser.all('Network.requestWillBeSent').any? { |event| event['request']['url'].include?('evil.example') })
  end

  # ---- people ----

  # @return [Hash{String => String}] name => HTML of every card
  def every_card
    services = { 'ollama-api' => ['Ollama_API', LLM.merge('ollama_url' => 'http://gpu01:11434')],
                 'openai-api' => ['Ollama_API', LLM.merge('api_key' => 'sk-1234567890')],
                 'ollama-code' => ['Ollama_Code', LLM.merge('ollama_url' => 'http://gpu01:11434')],
                 'openai-code' => ['Ollama_Code', LLM.merge('api_key' => 'sk-1234567890')],
                 'database' => ['DB_Conn', DATABASE], 'jdbc' => ['DB_JDBC', DATABASE],
                 'jdbc-options' => ['DB_JDBC', DATABASE.merge('jdbc_url' => 'jdbc:mysql://n/d?allowLocalInfile=true')],
                 'web' => ['RShiny_App', { 'host' => 'node17', 'port' => '8080', 'password' => 'x' }],
                 'programs' => ['App_API', DATABASE.slice('host', 'port', 'password')
                                                   .merge('kind' => 'qdrant', 'proxy' => 'rnode')],
                 'other' => ['Queue', { 'host' => 'node17', 'port' => '5672', 'vhost' => '/', 'token' => 'x' * 200 }] }
    asked = services.values.map do |app, values|
      ['default', values.merge('mt_appname' => app), SOON]
    end
    services.keys.zip(html(asked)).to_h.merge(
      **gated,
      'over' => html([['default', DATABASE, { 'end' => (Time.now.to_i - 60).to_s }]])[0],
      'debug' => html([['debug', DATABASE, true]])[0], 'unknown' => html([['default', DATABASE, false]])[0],
      'lesson' => file(lesson('lesson.md', LESSON)), 'text' => file(lesson('lesson.txt', LESSON)),
      'missing' => file('/nonexistent/lesson.md'), **owners, **clients
    )
  end

  # @return [Hash{String => String}] name => HTML of the cards of services with a gateway
  def gated
    services = { 'gate-llm' => ['Ollama_API', LLM], 'gate-code' => ['Ollama_Code', LLM],
                 'gate-database' => ['DB_Conn', DATABASE],
                 'gate-web' => ['RShiny_App', { 'host' => 'node17', 'port' => '8443', 'proxy' => 'rnode' }] }
    asked = services.values.map { |app, values| ['default', values.merge('mt_appname' => app), GATE] }
    services.keys.zip(html(asked)).to_h
  end

  # @return [Hash{String => String}] name => HTML of the cards that clients of a service have once it has ended
  def clients
    values = { 'host' => 'node17', 'port' => '8888', 'password' => 'x', 'mt_notebook' => 'multitenant/llm.ipynb',
               'mt_service' => "prof: #{'Spanish 301 ' * 5}", 'mt_job' => '7' }
    asked = %w[gradio jupyter].map { |name| [File.join(CLIENTS, "multitenant-#{name}/view.html.erb"), values, {}] }
    %w[chat jupyter].zip(views(asked)).to_h do |name, card|
      assert_includes card['text'], 'That service has ended'
      [name, card['html']]
    end
  end

  # @return [Hash{String => String}] name => HTML of the cards that owners of services have
  def owners
    values = LLM.merge(DATABASE, 'api_key' => 'sk-1', 'key_note' => 'Without the key: /health.',
                                 'content_path' => '/home/prof/lesson.md', 'mt_title' => 'Spanish 301',
                                 'proxy' => 'rnode',
                                 'mt_shared' => 'shared card munge 3 students')
    asked = %w[database dashboard llm instruction].map { |name| [name, values] }
    asked.zip(own_cards(asked)).to_h { |(name, _), card| ["own-#{name}", card['html']] }
  end

  def test_accessibility
    every_card.each do |name, html|
      %w[light dark].product([false, true]).each do |theme, opened|
        show([html], csp: true, theme: theme)
        @browser.evaluate(OPEN) if opened
        assert_empty Axe.findings(@browser), "#{name}, #{theme}, #{opened}"
        @browser.picture("#{name}-#{theme}#{'-open' if opened}")
      end
    end
  end

  def test_each_part_has_its_own_place
    [1200, 400].each do |width|
      @browser.size(width)
      every_card.each do |name, html|
        show([html], csp: true)
        2.times do
          [Layout::COVERED, Layout::OUTSIDE].each { |wrong| assert_empty @browser.evaluate(wrong), "#{name}, #{width}" }
          @browser.evaluate(OPEN)
        end
      end
    end
  end

  # Tab leads to the secret, and Enter shows it.
  def test_by_keyboard
    show([every_card['database']], csp: true)
    shown = 'document.body.innerText.includes("correct-horse-battery")'
    refute @browser.evaluate(shown)
    20.times do
      @browser.press('Tab')
      break if @browser.evaluate('document.activeElement.textContent') == 'Show password'
    end
    @browser.press('Enter', text: "\r")
    assert @browser.evaluate(shown)
  end

  # ---- OOD's poll ----

  # What it does with the cards that it gets: 3.1 replaces those that changed, later releases all, and 4.2 looks for
  # what had the focus.
  POLLS = {
    '3.1' => <<~JS,
      (html) => $(html).filter('.session-panel').each((i, panel) => $(`#${panel.id}`).replaceWith(panel.outerHTML))
    JS
    '4.0 and 4.1' => '(html) => { list.innerHTML = html; }',
    '4.2' => <<~JS
      (html) => {
        const had = document.activeElement;
        const inside = $.contains(list, had);
        const classes = [...had.classList].map((name) => `.${name}`).join('');
        const panel = $(had).closest('.session-panel').attr('id');
        const like = `#${panel} ${had.localName}${classes}:contains("${$(had).text()}")`;
        list.innerHTML = html;
        if (!inside) return;
        const same = document.getElementById(had.id);
        if (same) same.focus(); else $(like).focus();
      }
    JS
  }.freeze

  # How a page looks to who is in the middle of it.
  LOOK = <<~JS
    const list = document.getElementById('batch_connect_sessions');
    const look = () => JSON.stringify([
      window.scrollY, [...list.querySelectorAll('details')].map((details) => details.open),
      document.activeElement.id,
      [...list.querySelectorAll('pre, .overflow-auto')].map((part) => part.scrollLeft),
      list.querySelectorAll('button').length,
    ]);
    const frame = () => new Promise((done) => requestAnimationFrame(done));
  JS

  # In the middle of it: all but one is open, some lines are scrolled, a button in the last card has the focus, and what
  # has it is out of sight.
  MIDDLE = <<~JS
    (async () => {
      const all = [...list.querySelectorAll('details')];
      all.slice(1).forEach((details) => { details.open = true; });
      await frame();
      list.querySelectorAll('pre').forEach((lines) => { lines.scrollLeft = 40; });
      const buttons = [...list.querySelectorAll('.session-panel:last-child button')];
      buttons[1].focus();
      window.scrollTo({ top: 300, behavior: 'instant' });
      await frame();
      await frame();
      return look();
    })()
  JS

  # As many polls as there are in a minute; what is painted between them counts too.
  MINUTE = <<~JS
    (async () => {
      const seen = [];
      for (let i = 0; i < 6; i += 1) {
        poll(%s);
        await frame();
        seen.push(look());
        await frame();
        seen.push(look());
      }
      return seen;
    })()
  JS

  def test_polls_leave_an_open_card_as_it_is
    cards = every_card.values_at('lesson', 'ollama-api', 'database')
    POLLS.each do |release, poll|
      show(cards, csp: true)
      @browser.evaluate(File.read(JQUERY))
      @browser.evaluate("#{LOOK}; const poll = #{poll}; 0")
      before = @browser.evaluate(MIDDLE)
      assert_match(/\A\[300,\[false,true.*"id_2-button-2",\[.*40/, before)
      assert_equal [before], @browser.evaluate(format(MINUTE, JSON.generate(@server.list))).uniq, release
    end
  end

  # Whoever copies from a card has clicked into it. In 4.2 the poll looks for that by its text where its id has gone.
  def test_a_card_that_goes_while_it_has_the_focus_ends_no_poll
    cards = every_card.values_at('lesson', 'ollama-api', 'database')
    parts = 'document.querySelectorAll(".session-panel [tabindex]")'
    show(cards, csp: true)
    count = @browser.evaluate("#{parts}.length")
    assert_operator count, :>, 5
    count.times do |i|
      show(cards, csp: true)
      @browser.evaluate(File.read(JQUERY))
      @browser.evaluate("#{LOOK}; #{OPEN}; const poll = #{POLLS['4.2']}; const part = #{parts}[#{i}]; part.focus(); 0")
      assert @browser.evaluate('document.activeElement === part'), i
      said = @browser.evaluate('(() => { try { poll(""); return null; } catch (error) { return error.message; } })()')
      assert_nil said, i
      assert_equal 0, @browser.evaluate('document.querySelectorAll("body > span").length')
    end
  end

  # A publisher may share under another id in every round, and a page stay open for days.
  def test_cards_that_are_gone_take_no_memory
    show(every_card.values_at('lesson'), csp: true)
    @browser.evaluate("#{LOOK}; const poll = #{POLLS['4.0 and 4.1']}; 0")
    nodes = [5, 50].map do |polls|
      polls.times { |i| @browser.evaluate("poll(#{JSON.generate(@server.list.gsub('id_0', "id_#{polls}#{i}"))}); 0") }
      @browser.call('HeapProfiler.collectGarbage')
      @browser.call('Memory.getDOMCounters')['nodes']
    end
    assert_operator nodes[1], :<, 2 * nodes[0]
  end

  def test_polls_leave_an_owners_card_as_it_is
    show(owners.values, csp: true)
    @browser.evaluate("#{LOOK}; #{OPEN}; const poll = #{POLLS['4.0 and 4.1']}; 0")
    before = @browser.evaluate('look()')
    assert_match(/\[true,true,true,true\].*,11\]\z/, before)
    assert_equal [before], @browser.evaluate(format(MINUTE, JSON.generate(@server.list))).uniq
  end

  # Another credential stands in it every minute.
  def test_polls_leave_a_card_open_whose_credential_has_changed
    before, = gated.values_at('gate-llm')
    after = before.gsub('MUNGE&#x3A;a', 'MUNGE&#x3A;z')
    refute_equal before, after
    POLLS.each do |release, poll|
      show([after], csp: true)
      renewed = @server.list
      show([before], csp: true)
      @browser.evaluate(File.read(JQUERY))
      @browser.evaluate("#{LOOK}; #{OPEN}; const poll = #{poll}; document.querySelector('form button').focus(); 0")
      looked = @browser.evaluate('look()')
      assert_match(/\[true,true.*"id_0-button-\d"/, looked)
      assert_equal [looked], @browser.evaluate(format(MINUTE, JSON.generate(renewed))).uniq, release
      assert_match(/\AMUNGE:z/, @browser.evaluate('document.querySelector("[name=credential]").value'))
    end
  end

  def test_a_button_sends_who_the_viewer_is_and_no_key
    { 'gate-llm' => ['gpu01', { 'show' => 'key' }], 'gate-web' => ['node17', {}] }.each do |name, (host, more)|
      show([gated[name]], csp: true)
      @server.sent.clear
      @browser.evaluate("#{OPEN}; document.querySelector('form button').focus(); 0")
      @browser.press('Enter', text: "\r")
      wait_until { @server.sent.any? }
      path, body = @server.sent[0]
      assert_equal "/rnode/#{host}/8443/multitenant/login", path
      assert_equal({ 'credential' => 'MUNGE:a+b/c=:', 'base' => "/rnode/#{host}/8443/", **more },
                   URI.decode_www_form(body).to_h)
    end
  end

  # What each button says then, and what was copied.
  COPY = <<~JS
    (async () => {
      const read = [];
      for (const button of document.querySelectorAll('td button')) {
        button.click();
        await new Promise((done) => setTimeout(done, 100));
        read.push([button.textContent, await navigator.clipboard.readText()]);
      }
      return read;
    })()
  JS

  # A secret, too, and without showing it.
  def test_each_value_has_a_button_that_copies_it
    @browser.call('Browser.grantPermissions', permissions: %w[clipboardReadWrite clipboardSanitizedWrite])
    values = [['Copied Host', 'node17'], ['Copied Port', '5432'], ['Copied Database', 'course'],
              ['Copied User', 'student'], ['Copied Password', 'correct-horse-battery']]
    cards = every_card
    show([cards['database']], csp: true)
    assert_equal values, @browser.evaluate(COPY)
    assert_equal 'Copied Password', @browser.evaluate('document.querySelector("[role=status]").textContent')
    refute @browser.evaluate('document.body.innerText.includes("correct-horse-battery")')
    show([cards['own-database']], csp: true)
    assert_equal [*values, ['Copied JDBC URL', DATABASE['jdbc_url']]], @browser.evaluate(COPY)
    refute @browser.evaluate('document.body.innerText.includes("correct-horse-battery")')
  end

  def test_a_narrow_screen_needs_no_scrolling_sideways
    @browser.size(400, 800, mobile: true)
    every_card.each do |name, html|
      show([html], csp: true)
      @browser.evaluate(OPEN)
      assert_equal 400, @browser.evaluate('document.documentElement.scrollWidth'), name
    end
  end
end
