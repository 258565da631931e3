# frozen_string_literal: true

require_relative '../ruby/helper'
require_relative 'axe'
require_relative 'browser'
require_relative 'chat_servers'

# The base of the tests that look at the chat page in a browser, behind a proxy as Open OnDemand's.
class ChatTest < MultiTenantTest
  LIBRARY = File.join(PageServer::MODULES, 'marked/lib/marked.umd.js')

  def setup
    skip_unless([Axe::SCRIPT, LIBRARY, Browser::PROGRAM].all? { |path| File.exist?(path) },
                'needs what script/setup installs')
    @model = ModelServer.new
    @proxy = Proxy.new
    @job = ChatJob.new(environment, temporary)
    wait_until { @job.ready? }
    @proxy.card = @job.card
    @browser = Browser.new
    enter
  end

  def teardown
    [@browser&.quit, @job&.stop, @proxy&.stop, @model&.stop]
    super
  end

  # What its job knows of the service.
  def environment
    { 'OPENAI_BASE_URL' => @model.url, 'OPENAI_API_KEY' => 'sekret' }
  end

  # By the card's button.
  def enter
    @browser.open(@proxy.url)
    @browser.follow('document.forms[0].target = ""; document.forms[0].requestSubmit()')
    wait_for('document.getElementById("model")?.value')
  end

  def wait_for(script)
    wait_until { @browser.evaluate("Boolean(#{script})") }
  end

  def text(id)
    @browser.evaluate("document.getElementById('#{id}').innerText")
  end

  def box
    @browser.evaluate('document.getElementById("text").value')
  end

  # Sends a message, and doesn't wait.
  def ask(message)
    @browser.evaluate("document.getElementById('text').value = #{JSON.generate(message)}; " \
                      'document.forms[0].requestSubmit(); new Promise((done) => setTimeout(done))')
  end

  # @return [String, nil] the last answer that there is, once it is whole
  def answer(message)
    ask(message)
    wait_for('!running')
    @browser.evaluate('[...document.querySelectorAll("article.assistant > div")].pop()?.innerText')
  end
end
