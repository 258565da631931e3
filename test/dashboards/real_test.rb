# frozen_string_literal: true

require_relative '../rails/rails_test'
require_relative '../browser/browser'
require_relative '../browser/layout'
require_relative 'real_site'
require_relative 'served'
require_relative 'submitting'

# The base of the tests in Open OnDemand's own dashboards: in a browser, with Slurm's commands and our query program as
# the test wants them. test/dashboards/run starts them.
class RealTest < RailsTest
  DIRECTORY = ENV.fetch('MULTITENANT_DASHBOARD')
  WIDTHS = [1200, 400].freeze
  PANELS = '[...document.querySelectorAll(".session-panel")]'

  OPEN = 'document.querySelectorAll("details").forEach((details) => { details.open = true; })'
  # How the page stands.
  STANDS = <<~JS
    (() => {
      const count = (parts) => document.querySelectorAll(parts).length;
      return { scrolled: scrollY, height: document.body.scrollHeight, all: count('details'), open: count('details[open]'),
               buttons: count('button') };
    })()
  JS

  LLM = { host: 'n1', port: '11434', base_url: 'http://n1:11434/v1', model: 'llama3.1:8b' }.freeze
  DATABASE = { host: 'n1', port: '5432', user: 'student', password: 'correct-horse-battery', database: 'course',
               jdbc_url: 'jdbc:postgresql://n1:5432/course' }.freeze

  def setup
    super
    FileUtils.cp_r(File.join(Tree::ROOT, 'libexec'), File.dirname(@lib))
    @site.link('pupil', @viewer.home)
    @browser = Browser.new
  end

  def teardown
    unknown = @served ? log.grep(/multitenant: this Open OnDemand/) : []
    @browser&.quit
    @served&.stop
    @site&.leave
    super
    assert_empty unknown, 'a hook did not find its place'
  end

  def site
    RealSite.new(File.join(temporary, 'site'), gem_home: @home, directory: DIRECTORY,
                                               gems: ENV.fetch('MULTITENANT_DASHBOARD_GEMS'))
  end

  def slurm
    Submitting.new(File.join(temporary, 'bin'))
  end

  def start(env = {})
    unless @site.plugins?
      FileUtils.rm_rf(@site.path('etc/ood/config/plugins/multitenant'))
      @site.initializer
    end
    env = { 'MULTITENANT_ENABLE' => 'true', 'MULTITENANT_TTL' => '1', 'MULTITENANT_TIMEOUT' => '30',
            'MULTITENANT_PUMA' => ENV.fetch('MULTITENANT_PUMA') }.merge(env)
    @log = File.join(temporary, 'log')
    @served = Served.new(@site, uid: @viewer.uid, home: @viewer.home, log: @log, env: env)
  end

  def log
    File.readlines(@log, chomp: true)
  end

  # Opens a page, at that many pixels.
  def at(path, width = WIDTHS[0])
    @browser.size(width)
    @browser.open("#{@served.url}#{path}")
  end

  def js(text)
    @browser.evaluate(text)
  end

  # Opens the page of cards; in 4.0 it is empty for a moment.
  def sessions(count, width = WIDTHS[0])
    at('/batch_connect/sessions', width)
    wait_until { @browser.listen(0.1) || js("#{PANELS}.length") == count }
  end

  def cards_text
    js("#{PANELS}.map((card) => card.innerText).join('\\n')")
  end

  # The block opens a page, which is looked at.
  # @param name [String] of the pictures
  def at_each_width(name)
    WIDTHS.each do |width|
      yield width
      assert_page("#{name}-#{width}")
    end
  end

  # Nothing failed in it, and everything has its place.
  def assert_page(name)
    @browser.picture("#{File.basename(File.dirname(DIRECTORY))}-#{name}")
    assert_empty(@browser.all('Runtime.exceptionThrown').map { |event| event['exceptionDetails'] })
    assert_empty(refused, log.grep(/FATAL/).last)
    assert_operator js('document.scrollingElement.scrollWidth'), :<=, js('innerWidth'), name
    assert_empty js(Layout::OUTSIDE), name
    assert_empty js(Layout::COVERED), name
  end

  # @return [Integer] how often the open page has asked since
  def polls
    asked = @browser.all('Network.requestWillBeSent').map { |event| event['request']['url'] }
    asked.grep(%r{batch_connect/sessions(?:\.js)?(?:\?|\z)}).size
  end

  # What is open stays so, and nothing moves, while the page asks for news.
  def assert_stays(seconds)
    js(OPEN)
    js('scrollTo(0, 300)')
    before = js(STANDS)
    assert_equal [300, before['all']], before.values_at('scrolled', 'open')
    @browser.events.clear
    @browser.listen(seconds)
    assert_operator polls, :>=, (seconds / 10) - 1
    assert_equal before, js(STANDS)
    assert_page('polled')
  end

  # @return [Array] address and status of what the page did not get, but for an icon that the web server has
  def refused
    answers = @browser.all('Network.responseReceived').map { |event| event['response'].values_at('url', 'status') }
    answers.reject { |url, status| status < 400 || url.end_with?('/favicon.ico') }
  end
end
