# frozen_string_literal: true

require_relative '../ruby/proxied'
require_relative '../ruby/gate_host'
require 'minitest/mock'
require_relative 'browser'
require_relative 'chat_servers'

# From a card to a web application at its address outside Open OnDemand, in a browser: a real gateway, behind a real
# nginx by our file. Both hosts have a name of one university's, and somebody else's page has another.
class TestProxyPage < MultiTenantTest
  include Proxied

  PORTAL = 'ondemand.university.localhost'
  SERVICES = 'services.university.localhost'
  STRANGER = 'elsewhere.localhost'
  BASE = "#{A}/".freeze

  def setup
    super
    need_root
    needed = [GateHost::PROGRAM, '/usr/sbin/nginx', Browser::PROGRAM]
    skip_unless(needed.all? { |path| File.executable?(path) }, 'needs what script/setup installs')
    @page = Proxy.new
    @gate = GateHost.new(temporary, bases: [BASE]).start
    wait_until { @gate.answers? }
    keeper('nginx').call(answer(asking(4711, "a:web:#{@gate.port}")))
    @proxy = spawn('/usr/sbin/nginx', '-c', nginx_file, '-p', temporary, %i[out err] => File.join(temporary, 'log'))
    wait_until { status(BASE) == '401' }
    @browser = Browser.new
  end

  def teardown
    [@browser&.quit, @gate&.stop, @page&.stop]
    Process.kill(:TERM, @proxy) && Process.wait(@proxy) if @proxy
    super
  end

  # Where the site's proxy has the service.
  def address
    "http://#{SERVICES}:#{@port}#{BASE}"
  end

  # @return [String] HTML of the button that the card of that user's has
  def button
    info = { 'host' => '127.0.0.1', 'uid' => '61001', 'cluster' => 'hpc', 'job' => '4711', 'restarts' => '0' }
    gateway = MultiTenant::Gateway.new({ 'port' => @gate.port.to_s, 'door' => @gate.door }, info)
    made = @gate.credential('ann', text: gateway.payload)
    MultiTenant::Card::Credentials.stub(:of, made) do
      MultiTenant::Card::Login.new(gateway).button('Open', address, icon: 'eye')
    end
  end

  # What JavaScript does on a page of that host leads to, in the same tab.
  def go(host, javascript)
    @page.card = button
    @browser.open("http://#{host}:#{@page.port}/")
    @browser.follow("#{javascript}; 0")
    @browser.evaluate('document.body.innerText')
  end

  PRESS = 'document.forms[0].target = ""; document.forms[0].querySelector("button").click()'

  def test_its_button_opens_it_and_no_page_of_another_site_does
    link = "location = #{address.to_json}"
    assert_match(/\ANot let in\s.*\scross_site\z/m, go(STRANGER, PRESS))
    assert_empty @browser.call('Network.getAllCookies')['cookies']
    assert_match(%r{^GET / .*^X-MultiTenant-User: ann}im, go(PORTAL, PRESS))
    assert_equal address, @browser.evaluate('location.href')
    cookie, = @browser.call('Network.getAllCookies')['cookies'].select { |one| one['name'] == 'multitenant_token' }
    assert_equal [SERVICES, BASE, true, 'Strict'], cookie.values_at('domain', 'path', 'httpOnly', 'sameSite')
    # By a link, too; the browser keeps the cookie to itself where that is on somebody else's page.
    assert_match(/^X-MultiTenant-User: ann/i, go(PORTAL, link))
    refute_match(/X-MultiTenant-User/i, go(STRANGER, link))
    # What a page of a host of the same domain sends has the cookie, which does not count for it.
    @browser.open("http://#{PORTAL}:#{@page.port}/")
    before = @gate.log.scan('token_missing').size
    @browser.evaluate("fetch(#{address.to_json}, { mode: 'no-cors', credentials: 'include' }).then(() => 0)")
    wait_until { @gate.log.scan('token_missing').size > before }
  end
end
