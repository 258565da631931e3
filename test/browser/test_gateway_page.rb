# frozen_string_literal: true

require_relative '../ruby/free_port'
require_relative '../ruby/helper'
require_relative '../ruby/gate_host'
require 'minitest/mock'
require_relative 'browser'
require_relative 'chat_servers'

# From a card to a web application behind a real gateway, in a browser. What is in front is as Open OnDemand's proxy.
class TestGatewayPage < MultiTenantTest
  def setup
    super
    need_root
    needed = [GateHost::PROGRAM, '/usr/sbin/nginx', Browser::PROGRAM]
    skip_unless(needed.all? { |path| File.executable?(path) }, 'needs what script/setup installs')
    @proxy = Proxy.new
    port = FreePort.get
    @base = "/rnode/127.0.0.1/#{port}/"
    @host = GateHost.new(temporary, bases: [@base])
    @host.port = port
    @host.start
    wait_until { @host.answers? }
    @browser = Browser.new
  end

  def teardown
    [@browser&.quit, @host&.stop, @proxy&.stop]
    super
  end

  # @return [String] HTML of the button that the card of that user's has
  def button(user)
    info = { 'host' => '127.0.0.1', 'uid' => '61001', 'cluster' => 'hpc', 'job' => '4711', 'restarts' => '0' }
    gateway = MultiTenant::Gateway.new({ 'port' => @host.port.to_s, 'door' => @host.door }, info)
    made = @host.credential(user, text: gateway.payload)
    MultiTenant::Card::Credentials.stub(:of, made) do
      MultiTenant::Card::Login.new(gateway).button('Open', @base, icon: 'eye')
    end
  end

  # In the same tab, which is the one that is watched.
  def press
    @browser.open(@proxy.url)
    @browser.follow('document.forms[0].target = ""; document.forms[0].querySelector("button").click(); 0')
    @browser.evaluate('document.body.innerText')
  end

  def test_a_card_opens_an_application_behind_a_real_gateway
    @proxy.card = button('ann')
    assert_match(/^X-MultiTenant-User: ann/i, press)
    assert_equal "#{@proxy.url.chomp('/')}#{@base}", @browser.evaluate('location.href')
    cookie, = @browser.call('Network.getAllCookies')['cookies'].select { |one| one['name'] == 'multitenant_token' }
    assert_equal [@base.chomp('/'), true, 'Strict'], cookie.values_at('path', 'httpOnly', 'sameSite')
    assert_equal '', @browser.evaluate('document.cookie')
    refute_match(/mt1\./, @browser.evaluate('document.referrer + location.href'))
    # Again, by the same button, and by a link.
    assert_match(/^X-MultiTenant-User: ann/i, press)
    @browser.open("#{@proxy.url}#{@base.delete_prefix('/')}more")
    assert_match(%r{^GET /more .*^X-MultiTenant-User: ann}im, @browser.evaluate('document.body.innerText'))
  end

  def test_who_is_not_let_in_sees_a_sentence
    @proxy.card = button('eve')
    assert_match(/\ANot let in\s.*\snot_recipient\z/m, press)
    assert_empty @browser.call('Network.getAllCookies')['cookies']
  end
end
