# frozen_string_literal: true

require_relative '../rails/rails_test'
require_relative '../rails/card_views'
require_relative 'axe'
require_relative 'browser'
require_relative 'page_server'

# The base of the tests that look at cards, as a dashboard renders them, in a browser.
class CardsTest < RailsTest
  include CardViews

  STYLES = File.join(Site::GEMS, 'ruby', RbConfig::CONFIG['ruby_version'],
                     'gems/ood_appkit-2.2.1/app/assets/stylesheets/ood_appkit/_markdown.scss')
  # OOD's own, in all releases.
  JQUERY = File.join(PageServer::MODULES, 'jquery/dist/jquery.min.js')

  LLM = { 'host' => 'gpu01', 'port' => '11434', 'base_url' => 'http://gpu01:11434/v1', 'model' => 'llama3.1:8b' }.freeze
  DATABASE = { 'host' => 'node17', 'port' => '5432', 'user' => 'student', 'password' => 'correct-horse-battery',
               'database' => 'course', 'jdbc_url' => 'jdbc:postgresql://node17:5432/course' }.freeze
  # In two hours it is over.
  SOON = { 'start' => (Time.now.to_i - 600).to_s, 'end' => (Time.now.to_i + 7200).to_s }.freeze

  # One that has a gateway besides.
  GATE = SOON.merge('gate' => { 'port' => '8443', 'door' => 'D' * 43 }, 'cluster' => 'hpc', 'job' => '7',
                    'restarts' => '0').freeze

  # What runs before all else: whatever hostile text calls is told.
  TELL = 'window.ran = []; for (const f of ["alert", "evil", "a", "id"]) window[f] = () => window.ran.push(f); ' \
         'addEventListener("submit", () => window.ran.push("submit"), true);'

  def setup
    super
    installed = [JQUERY, Axe::SCRIPT, Browser::PROGRAM].all? { |path| File.exist?(path) }
    skip_unless(installed, 'needs what script/setup installs')
    deliveries
    %w[multitenant-jupyter multitenant-gradio code-server cloudbeaver dbeaver].each do |name|
      @site.app(name, 'manifest.yml' => "name: #{name}\n")
    end
    credential('MUNGE:a+b/c=:')
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

  # What munged makes from now on.
  def credential(text)
    program_says('munge', "echo '#{JSON.generate(credential: text)}'; echo '{\"end\":1}'")
  end

  # @return [String] path of the publisher's file
  def lesson(name, text)
    path = File.join(temporary, name)
    File.binwrite(path, text)
    File.chown(1001, 1001, path)
    path
  end

  # @param specs [Boolean, Hash] as {CardViews#cards} takes them
  def file(path, specs: true)
    card = nil
    wait_until do
      card = cards([['readfile', { 'content_path' => path }, specs]])[0]
      !card['text'].include?('being prepared')
    end
    card['html']
  end

  # @param asked [Array] as {CardViews#cards} takes it
  # @return [Array<String>] HTML
  def html(asked)
    cards(asked).map { |card| card['html'] }
  end

  def show(cards, csp:, theme: 'light', titles: [])
    @server.cards = cards.each_with_index.map { |html, index| [titles[index] || "Card #{index}", html] }
    @server.csp = csp
    @server.theme = theme
    @server.asked.clear
    @browser.open(@server.url)
  end
end
