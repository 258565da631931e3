# frozen_string_literal: true

require_relative 'rails_test'
require_relative 'card_views'

# The cards of services with a gateway: each viewer is let in as themselves. munged is not asked here.
class TestGatewayCards < RailsTest
  include CardViews

  DOOR = 'D' * 43
  GATE = { 'port' => '8443', 'door' => DOOR }.freeze
  INFO = { 'user' => 'prof', 'uid' => '1001', 'end' => '0', 'host' => 'n1', 'cluster' => 'hpc', 'job' => '7',
           'restarts' => '0', 'title' => 'T' }.freeze
  THEIRS = 'the publishers'
  SHARED = { 'host' => 'n1', 'port' => '8443', 'api_key' => THEIRS, 'password' => THEIRS, 'user' => THEIRS,
             'my_token' => THEIRS, 'note' => 'x' }.freeze
  LLM = { 'base_url' => 'http://n1:8443/v1', 'ollama_url' => 'http://n1:8443', 'model' => 'm' }.freeze
  DATABASE = { 'database' => 'd', 'jdbc_url' => 'jdbc:postgresql://n1:5432/d', 'port' => '5432' }.freeze
  KINDS = { 'Ollama_API' => LLM, 'Ollama_Code' => LLM, 'DB_Conn' => DATABASE, 'DB_JDBC' => DATABASE, 'other' => {},
            'App_API' => { 'kind' => 'mlflow' } }.freeze

  def setup
    super
    deliveries
    @asked = File.join(temporary, 'asked')
    munge_says("(cat; echo) >>#{@asked}; echo '{\"credential\":\"MUNGE:a+b/c=:\"}'; echo '{\"end\":1}'")
  end

  def munge_says(body)
    program_says('munge', body)
    File.write(@asked, '')
    File.chmod(0o666, @asked)
  end

  # @return [Array<Hash>] what munged was asked for
  def asked
    File.readlines(@asked, chomp: true).map { |line| JSON.parse(line) }
  end

  def question(app, shared, gate: GATE, delivery: 'default', info: {})
    connection = { **SHARED, **shared, 'mt_appname' => app, 'jobid' => '7' }
    spec = { 'info' => INFO.merge(info), 'accounting' => {}, 'connection' => connection, 'gate' => gate }.compact
    [File.join(APPS, "multitenant-delivery_#{delivery}/view.html.erb"), connection, { '7' => spec }]
  end

  # @return [Array<Hash>] of each form its attributes, its fields as :fields, and its text as :text
  def forms(tree)
    tree.grep(Array).flat_map do |name, attributes, children|
      next forms(children) unless name == 'form'

      inputs = elements(children).filter_map { |element, given| given if element == 'input' }
      fields = inputs.to_h { |given| given.values_at('name', 'value') }
      [{ **attributes, fields: fields, text: content(children).strip }]
    end
  end

  # The viewer has an account on the host only while a test bed is up.
  def viewers_account
    @dashboard.ruby("def Etc.getpwuid(*) = Etc::Passwd.new('ann', 'x', Process.uid); " \
                    'MultiTenant::Card.instance_variable_set(:@account, nil)')
    "mt_#{@viewer.uid}_#{OpenSSL::Digest::SHA256.hexdigest('ann')[0, 8]}"
  end

  def test_each_has_a_key_of_their_own_and_nobody_sees_the_publishers
    start
    KINDS.each do |app, shared|
      card = views([question(app, shared)])[0]
      refute_match(/#{THEIRS}|#{DOOR}/, card['source'], app)
      assert_equal card['source'].strip, card['html'].strip
      form = forms(card['tree'])[0]
      assert_equal %w[post _blank /rnode/n1/8443/multitenant/login], form.values_at('method', 'target', 'action'), app
      assert_equal({ 'credential' => 'MUNGE:a+b/c=:', 'base' => '/rnode/n1/8443/', 'show' => 'key' }, form[:fields])
      assert_match(/open it only if you trust who shares it/, card['text'])
      assert_equal "Show my #{app.start_with?('DB') ? 'password' : 'key'}", form[:text]
    end
    said = { 'purpose' => 'multitenant-login', 'cluster' => 'hpc', 'job' => 7, 'restarts' => 0, 'door' => DOOR }
    assert_equal [said], asked
  end

  def test_what_is_to_be_pasted_is_for_the_viewers_own_account
    start
    account = viewers_account
    card, python = views([question('DB_Conn', DATABASE), question('Ollama_API', LLM)])
    assert_includes card['text'], "postgresql://#{account}@n1:5432/d"
    assert_includes python['text'], 'getpass.getpass("API key: ")'
    refute_match(/from ollama import|Ollama URL/, python['text'])
  end

  def test_a_web_application_opens_with_a_login
    start
    rnode, node = views([question('RShiny_App', { 'proxy' => 'rnode' }), question('RShiny_App', { 'proxy' => 'node' })])
    open = forms(rnode['tree'])[0]
    assert_equal ['/rnode/n1/8443/multitenant/login', { 'credential' => 'MUNGE:a+b/c=:', 'base' => '/rnode/n1/8443/' }],
                 open.values_at('action', :fields)
    assert_equal 'Open the application of prof', open[:text]
    assert_equal '/node/n1/8443/', forms(node['tree'])[0][:fields]['base']
    assert_empty links(rnode['tree'])
    # The application's own password, which it asks for behind the gateway.
    assert_includes rnode['text'], THEIRS
  end

  # Which the site's proxy hands to the job for which the credential is.
  def test_a_web_application_opens_outside_open_ondemand_where_it_has_an_address_there
    start
    at = 'https://x.example/prof/a@b%20c/'
    card = views([question('RShiny_App', { 'proxy' => 'node' }, info: { 'address' => at })])[0]
    member = "7-#{OpenSSL::Digest::SHA256.hexdigest('hpc')[0, 6]}"
    assert_equal ["#{at}multitenant/login?member=#{member}",
                  { 'credential' => 'MUNGE:a+b/c=:', 'base' => '/prof/a@b%20c/' }],
                 forms(card['tree'])[0].values_at('action', :fields)
    refute_includes card['text'], 'session in reach'
    model = views([question('Ollama_API', LLM, info: { 'address' => at })])[0]
    assert_equal '/rnode/n1/8443/multitenant/login', forms(model['tree'])[0]['action']
  end

  # What answers there is a program of the publisher's.
  def test_no_button_leads_to_a_gateway_where_cards_open_nothing_of_others
    start({ 'MULTITENANT_WEB_APPS' => 'off' })
    KINDS.merge('RShiny_App' => { 'proxy' => 'rnode' }).each do |app, shared|
      card = views([question(app, shared)])[0]
      assert_empty forms(card['tree']), app
      refute_includes card['source'], 'MUNGE:'
      assert_includes card['text'], 'multitenant login 7', app
    end
    assert_empty asked
  end

  def test_a_card_without_a_gateway_is_as_it_was
    start
    KINDS.merge('RShiny_App' => { 'proxy' => 'rnode' }).each do |app, shared|
      plain, elsewhere = views([question(app, shared, gate: nil), question(app, shared, info: { 'host' => '' })])
      [plain, elsewhere].each do |card|
        assert_empty forms(card['tree']), app
        assert_includes card['text'], THEIRS
      end
    end
    assert_empty asked
  end

  def test_the_debug_card_shows_neither_door_nor_secret
    start
    card = views([question('other', {}, delivery: 'debug')])[0]
    refute_match(/#{THEIRS}|#{DOOR}/, card['source'])
    assert_includes card['text'], '"note": "x"'
  end

  # OOD asks for the page every ten seconds.
  def test_a_credential_is_made_once_a_minute_for_each_card
    start
    pages = Array.new(3) do
      views([question('other', {}), question('other', {}, info: { 'job' => '8' })]).map { |card| card['html'] }
    end
    assert_equal 1, pages.uniq.size
    assert_equal [7, 8], asked.map { |credential| credential['job'] }.sort
    @dashboard.ruby('late = MultiTenant.clock + 61; MultiTenant.singleton_class.define_method(:clock) { late }; nil')
    views([question('other', {})])
    assert_equal 3, asked.size
  end

  def test_a_page_waits_for_munged_once
    munge_says("echo . >>#{@asked}; sleep 60")
    start
    cards = views((1..9).map { |job| question('other', {}, info: { 'job' => job.to_s }) })
    cards.each do |card|
      assert_empty forms(card['tree'])
      assert_match(/can't be let in at this moment/, card['text'])
    end
    assert_equal 1, File.readlines(@asked).size
  end
end
