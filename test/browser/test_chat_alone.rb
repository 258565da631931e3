# frozen_string_literal: true

require_relative '../ruby/helper'
require_relative 'axe'
require_relative 'browser'
require_relative 'chat_servers'

# The chat page of the client image in a browser, from the form for its token on.
class TestChatAlonePage < MultiTenantTest
  def setup
    skip_unless([Axe::SCRIPT, Browser::PROGRAM].all? { |path| File.exist?(path) }, 'needs what script/setup installs')
    @model = ModelServer.new
    @chat = ChatAlone.new({ 'OPENAI_BASE_URL' => @model.url, 'JUPYTER_TOKEN' => 'sekret' }, temporary)
    wait_until { @chat.ready? }
    @browser = Browser.new
  end

  def teardown
    [@browser&.quit, @chat&.stop, @model&.stop]
    super
  end

  def give(token)
    @browser.follow("document.querySelector('[type=password]').value = '#{token}'; document.forms[0].requestSubmit()")
  end

  def test_its_form_leads_to_the_page
    @browser.open("http://127.0.0.1:#{@chat.port}/")
    assert_empty Axe.findings(@browser)
    give('guess')
    give('sekret')
    wait_until { @browser.evaluate('Boolean(document.getElementById("model")?.value)') }
    assert_equal 'Language model', @browser.evaluate('document.getElementById("service").innerText')
    @browser.evaluate('document.getElementById("text").value = "so be it"; document.forms[0].requestSubmit()')
    said = '[...document.querySelectorAll("article.assistant > div")].pop()?.innerText'
    wait_until { @browser.evaluate(said) == 'so be it' }
  end
end
