# frozen_string_literal: true

require_relative '../rails/rails_test'
require_relative '../rails/card_views'
require_relative 'axe'
require_relative 'browser'
require_relative 'page_server'

# The cards in a browser: what a hostile publisher can make it do, and who can read them.
class TestCards < RailsTest
  include CardViews
  extend CardViews::Corpus

  STYLES = File.join(Site::GEMS, 'ruby', RbConfig::CONFIG['ruby_version'],
                     'gems/ood_appkit-2.2.1/app/assets/stylesheets/ood_appkit/_markdown.scss')
  # Below this directory, pictures of the cards.
  PICTURES = ENV.fetch('MULTITENANT_PICTURES', nil)

  KEYS = %w[host port user password database jdbc_url ollama_url ollama_model base_url model api_key proxy any].freeze
  APPS = %w[Ollama_API Ollama_Code DB_Conn DB_JDBC RShiny_App other].freeze
  URLS = ['http://n1/"><script>alert(1)</script>', "http://n1/'onmouseover='alert(1)"].freeze

  LLM = { 'host' => 'gpu01', 'port' => '11434', 'base_url' => 'http://gpu01:11434/v1', 'model' => 'llama3.1:8b' }.freeze
  DATABASE = { 'host' => 'node17', 'port' => '5432', 'user' => 'student', 'password' => 'correct-horse-battery',
               'database' => 'course', 'jdbc_url' => 'jdbc:postgresql://node17:5432/course' }.freeze
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

  # What runs before all else: whatever hostile text calls is told.
  TELL = 'window.ran = []; for (const f of ["alert", "evil", "a", "id"]) window[f] = () => window.ran.push(f); ' \
         'addEventListener("submit", () => window.ran.push("submit"), true);'

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

  def setup
    super
    skip_unless(File.exist?(Axe::SCRIPT) && File.exist?(Browser::PROGRAM), 'needs what script/setup installs')
    deliveries
    %w[multitenant-jupyter multitenant-gradio code-server cloudbeaver dbeaver].each do |name|
      @site.app(name, 'manifest.yml' => "name: #{name}\n")
    end
    start
    @server = PageServer.new(STYLES)
    @browser = Browser.new
    @browser.call('Page.addScriptToEvaluateOnNewDocument', source: TELL)
  end

  def teardown
    @browser&.quit
    @server&.stop
    super
  end

  # @return [String] path of the publisher's file
  def lesson(name, text)
    path = File.join(temporary, name)
    File.binwrite(path, text)
    File.chown(1001, 1001, path)
    path
  end

  def file(path)
    card = nil
    wait_until do
      card = cards([['readfile', { 'content_path' => path }, true]])[0]
      !card['text'].include?('being prepared')
    end
    card['html']
  end

  # @param asked [Array] as {CardViews#cards} takes it
  # @return [Array<String>] HTML
  def html(asked)
    cards(asked).map { |card| card['html'] }
  end

  def show(cards, csp:, theme: 'light')
    @server.cards = cards.each_with_index.map { |html, index| ["Card #{index}", html] }
    @server.csp = csp
    @server.theme = theme
    @server.asked.clear
    @browser.open(@server.url)
  end

  # ---- hostile publishers ----

  def assert_quiet(cards)
    [true, false].each do |csp|
      show(cards, csp: csp)
      @browser.evaluate(STIR)
      @browser.listen(1)
      assert_empty @browser.evaluate('window.ran'), "csp: #{csp}"
      assert_equal 0, @browser.evaluate('document.scripts.length')
      assert_equal %w[/ /bootstrap.css /markdown.css], @server.asked.sort
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
                 'other' => ['Queue', { 'host' => 'node17', 'port' => '5672', 'vhost' => '/', 'token' => 'x' * 200 }] }
    asked = services.values.map do |app, values|
      ['default', values.merge('mt_appname' => app), { 'end' => '1795232255' }]
    end
    services.keys.zip(html(asked)).to_h.merge(
      'debug' => html([['debug', DATABASE, true]])[0], 'unknown' => html([['default', DATABASE, false]])[0],
      'lesson' => file(lesson('lesson.md', LESSON)), 'text' => file(lesson('lesson.txt', LESSON)),
      'missing' => file('/nonexistent/lesson.md')
    )
  end

  def test_accessibility
    every_card.each do |name, html|
      %w[light dark].product([false, true]).each do |theme, opened|
        show([html], csp: true, theme: theme)
        @browser.evaluate(OPEN) if opened
        assert_empty Axe.findings(@browser), "#{name}, #{theme}, #{opened}"
        picture("#{name}-#{theme}#{'-open' if opened}")
      end
    end
  end

  def picture(name)
    return unless PICTURES

    FileUtils.mkdir_p(PICTURES)
    @browser.picture(File.join(PICTURES, "#{name}.png"))
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
end
