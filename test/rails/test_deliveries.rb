# frozen_string_literal: true

require_relative 'rails_test'
require_relative 'card_views'

# What the delivery apps make of what a publisher shared, in the page that OOD makes of it.
class TestDeliveries < RailsTest
  include CardViews
  extend CardViews::Corpus

  KEYS = %w[host port user password database jdbc_url ollama_url ollama_models ollama_model base_url model api_key proxy
            content_path note].freeze
  APPS = %w[Ollama_API Ollama_Code DB_Conn DB_JDBC App_API RShiny_App other].freeze

  LONG = ['x' * 4096, '<b>' * 1000].freeze
  HOSTILE = [*corpus('values'), *LONG.map { |text| text[0, 200] }].freeze

  # URLs and addresses that are what they have to be, and hostile.
  URLS = %w[http://n1:1/"><script>alert(1)</script> http://n1/'onclick='a http://n1/`a`*b*_c_[d](e) https://n1/&#x22;
            http://[::1]:8080/%0a%0a#x].freeze

  def setup
    super
    deliveries
  end

  # The same class of text, and harmless.
  def twin(value)
    return 'http://twin' if value.match?(MultiTenant::Card::URL)

    value.match?(MultiTenant::Card::Snippets::VISIBLE) ? 'twin' : "tw\u200Bin"
  end

  # The tree is that of harmless values; where those stand in it, the hostile ones stand.
  def assert_same_page(app, values, twins, specs)
    hostile, harmless = cards([['default', values.merge('mt_appname' => app), specs],
                               ['default', twins.merge('mt_appname' => app), specs]])
    assert_equal skeleton(harmless['tree']), skeleton(hostile['tree']), "#{app} #{values.first.inspect}"
    assert_equal hostile['source'].strip, hostile['html'].strip
    shown = texts(hostile['tree'], 'td')
    originals = twins.to_h { |key, text| [text, values[key]] }
    assert_equal texts(harmless['tree'], 'td').map { |text| originals.fetch(text, text) }, shown
  end

  def test_whatever_was_shared_is_text
    start
    HOSTILE.each_slice(6) do |slice|
      slice.each do |value|
        values = KEYS.to_h { |key| [key, value] }
        twins = KEYS.to_h { |key| [key, twin(value)] }
        assert_same_page('other', values, twins, false)
        assert_same_page('other', values, twins, true)
      end
    end
  end

  def test_where_the_site_has_addresses_they_stand_beside_the_direct_one
    start
    stable = { 'address' => 'https://x.example/prof/a@b/' }
    model = { 'mt_appname' => 'Ollama_API', 'base_url' => 'http://n1:1/v1', 'model' => 'm', 'host' => 'n1', 'port' => '1' }
    shown = cards([['default', model, stable], ['default', model, true],
                   ['default', { 'mt_appname' => 'RShiny_App', 'host' => 'n1', 'port' => '1' }, stable]])
    assert_equal [stable['address']], links(shown[2]['tree'])
    shown = shown.map { |card| texts(card['tree'], 'td') }
    assert_equal %w[http://n1:1/v1 https://x.example/prof/a@b/v1], shown[0].grep(/\Ahttp/)
    assert_equal([%w[http://n1:1/v1], %w[https://x.example/prof/a@b/]], shown[1..].map { |texts| texts.grep(/\Ahttp/) })
  end

  def test_a_long_value_is_text
    start
    KEYS.product(LONG).each do |key, value|
      [true, false].each { |specs| assert_same_page('other', { key => value }, { key => 'twin' }, specs) }
    end
  end

  # ---- what it costs ----

  # As long as the core lets through, each character an entity.
  LARGEST = (1..15).to_h { |i| ["key#{i}", '<' * 4096] }.freeze
  REST = /Not all of it is shown here, .* the rest is in connection\.yml/

  def test_a_card_shows_some_kilobytes_whatever_was_shared
    start
    APPS.product(%w[default debug]).each do |app, delivery|
      largest = KEYS.to_h { |key| [key, "http://n1/#{'<' * 4000}"] }
      [LARGEST, largest, largest.merge('host' => 'n1', 'port' => '1')].each do |values|
        card = cards([[delivery, values.merge('mt_appname' => app), true]])[0]
        assert_operator card['html'].bytesize, :<, 40_000, app
        assert_match(/From prof\./, card['text'])
        assert_match(REST, card['text']) if delivery == 'debug' || (app == 'other' && values.equal?(LARGEST))
      end
    end
    ordinary = cards([['default', { 'host' => 'n1', 'port' => '1', 'note' => 'x' * 4096 }, true]])[0]
    refute_match(REST, ordinary['text'])
    assert_includes ordinary['text'], 'x' * 4096
  end

  def test_what_does_not_fit_is_named
    start
    card = cards([['default', LARGEST.merge('password' => '<' * 4096), true]])[0]
    assert_equal %w[key1 key2], elements_with(card['tree'], 'th').first(2)
    assert_includes card['text'], 'too long to be shown here'
  end

  # @return [Array<String>] texts of the elements of that name
  def elements_with(tree, name)
    tree.grep(Array).flat_map do |found, _, children|
      found == name ? [content(children)] : elements_with(children, name)
    end
  end

  def test_many_cards_of_one_publisher_leave_room_for_others
    start
    hostile = (1..9).flat_map { |i| [['default', LARGEST, { 'user' => "evil#{i}", 'uid' => (6000 + i).to_s }]] * 32 }
    ours = ['default', { 'mt_appname' => 'DB_Conn', 'host' => 'n1', 'port' => '5432', 'user' => 'u', 'database' => 'd',
                         'password' => 'secret' }, true]
    page = cards([*hostile, ours], one_page: true)
    assert_operator page.first(32).sum { |card| card['html'].bytesize }, :<, 850_000
    assert_operator page.sum { |card| card['html'].bytesize }, :<, 2_700_000
    assert_equal cards([ours])[0]['html'], page.last['html']
  end

  # From the jobs' names to the page, again and again.
  def test_a_page_of_the_longest_shares_is_small_each_time
    slurm_says(fresh(*(1..32).map { |id| job(id, connection: LARGEST) }))
    start
    pages = Array.new(3) { @dashboard.poll }
    assert_equal 32, pages[0].cards.size
    assert_match(/connection\.yml/, pages[0].body)
    pages.each { |page| assert_operator page.body.bytesize, :<, 900_000 }
    assert_equal 1, pages.map { |page| page.body.bytesize }.uniq.size
    # Open OnDemand itself shows the host.
    slurm_says(fresh(*(1..32).map { |id| job(id, connection: { **LARGEST, 'host' => '<' * 253 }) }))
    ttl_passes
    assert_includes 850_000..900_000, @dashboard.poll.body.bytesize
    slurm_says(fresh(*(1..32).map { |id| job(id, connection: { host: '<' * 254 }) }))
    ttl_passes
    assert_empty @dashboard.poll.cards
  end

  # ---- its presets ----

  def test_every_preset_with_hostile_values
    start
    APPS.product(HOSTILE).each do |app, value|
      fixed = { 'host' => 'n1', 'port' => '5432' }
      values = KEYS.to_h { |key| [key, value] }.merge(fixed)
      twins = KEYS.to_h { |key| [key, twin(value)] }.merge(fixed)
      assert_same_page(app, values, twins, true)
    end
    assert_empty texts(cards([['default', { 'mt_appname' => 'DB_Conn' }, true]])[0]['tree'], 'td')
  end

  def test_urls
    start
    %w[Ollama_API Ollama_Code].product(URLS).each do |app, url|
      values = { 'ollama_url' => url, 'base_url' => "#{url}v1", 'model' => 'm', 'api_key' => 'k' }
      twins = { 'ollama_url' => 'http://n1/o', 'base_url' => 'http://n1/v1', 'model' => 'm', 'api_key' => 'k' }
      assert_same_page(app, values, twins, true)
      assert_same_page(app, values.merge('api_key' => ''), twins.merge('api_key' => ''), true)
    end
    ['javascript:alert(1)', 'data:text/html,a', '//n1/', 'ftp://n1/', 'http://n1 x', 'http://'].each do |url|
      card = cards([['default', { 'mt_appname' => 'Ollama_API', 'base_url' => url, 'model' => 'm' }, true]])[0]
      assert_equal ['m'], texts(card['tree'], 'td')
    end
  end

  def test_what_a_card_says_beside_the_service
    start
    stop = Time.now.to_i + 3600
    told, forever, unknown = cards([['default', { 'host' => 'n1' }, { 'end' => stop.to_s }],
                                    ['default', { 'host' => 'n1' }, true], ['default', { 'host' => 'n1' }, false]])
    assert_match(/From prof, until .*#{Time.at(stop).strftime('%H:%M')}.* at the latest\..*ask prof;/m, told['text'])
    assert_match(/From prof\..*If it does not work, ask prof; the card goes/m, forever['text'])
    assert_match(/not known at this time: it may have ended.*Look again in a minute/m, unknown['text'])
    assert_match(/If it does not work, ask who shared it/, unknown['text'])
    refute_match(/Its time is over|not known/, told['text'] + forever['text'])
  end

  def test_a_card_says_that_its_service_is_over
    start
    over = cards([['default', { 'host' => 'n1' }, { 'end' => (Time.now.to_i - 60).to_s }]])[0]
    assert_includes over['text'], 'Its time is over: it has ended, or does so now, and this card goes.'
  end

  def test_a_card_says_that_its_database_is_handed_over
    start
    shared = { 'mt_appname' => 'DB_Conn', 'host' => 'n1', 'port' => '5432' }
    now, before = cards([['default', shared.merge('handing_over' => 'yes'), true], ['default', shared, true]])
    sentence = 'It is handed over to its next job now, and answers again in some minutes.'
    assert_equal([true, false], [now, before].map { |card| card['text'].include?(sentence) })
    refute_includes now['text'], 'handing_over'
  end

  # Two of a kind differ in what they are called, or in when they began, without their jobs' numbers.
  def test_two_of_a_kind_can_be_told_apart
    start
    cards = cards([{}, { 'title' => 'Spanish 301' }, { 'start' => '1795200000' }].map do |info|
      ['default', { 'mt_appname' => 'Ollama_API', 'model' => 'm<1>', 'base_url' => 'http://n1/v1' }, info]
    end)
    first = cards.map { |card| card['text'].strip.lines.first.strip }
    assert_equal ['Language model (m<1>). From prof.', 'Spanish 301 (m<1>). From prof.'], first.first(2)
    assert_match(/\ALanguage model \(m<1>\)\. From prof, since \w{3} \d+ \w{3}, \d\d:\d\d\.\z/, first[2])
  end

  # With an app to open the service in, its address is folded; else it is all that there is.
  def test_what_most_people_want_comes_first
    start
    open = lambda do
      elements(cards([['default', { 'mt_appname' => 'Ollama_API', 'base_url' => 'http://n1/v1' }, true]])[0]['tree'])
        .find { |name, _| name == 'details' }[1].key?('open')
    end
    assert open.call
    @site.app('multitenant-gradio', 'manifest.yml' => "name: Chat\n")
    refute open.call
  end

  # A service's name is its publisher's; somebody else's words are not taken for theirs.
  def test_a_card_is_of_the_publisher_whose_words_it_shows
    start
    card = cards([['default', { 'host' => 'n1' }, true, { 'host' => 'n2', 'jobid' => '7' }]])[0]
    refute_includes card['text'], 'prof'
  end

  def test_a_card_is_of_its_own_job_where_others_shared_the_same
    start
    @dashboard.ruby(<<~RUBY)
      specs = %w[8 7 7@other].to_h do |key|
        [key, { 'info' => { 'user' => "of-\#{key}" }, 'connection' => { 'host' => key[/@/].to_s, 'jobid' => key.to_i.to_s } }]
      end
      MultiTenant.singleton_class.define_method(:specs) { specs }
    RUBY
    { '' => 'of-7.', '@' => 'of-7@other.' }.each do |host, publisher|
      card = cards([['default', { 'host' => host }, nil]])[0]
      assert_includes card['text'], "From #{publisher}"
    end
  end

  SHOWN = ['Show password', 'Show API key'].freeze

  def test_secrets_are_behind_something_to_click
    start
    APPS.each do |app|
      values = { 'password' => 'hush-1', 'api_key' => 'hush-2', 'web' => 'http://n1/?token=hush-3', 'host' => 'n1',
                 'port' => '1', 'base_url' => 'http://n1/v1', 'model' => 'm', 'user' => 'u', 'database' => 'd' }
      card = cards([['default', values.merge('mt_appname' => app), true]])[0]
      refute_match(/hush/, texts_outside(card['tree'], 'details').join(' '), app)
      asks = card['html'].scan(%r{(?<=<summary><bdi>)Show .*?(?=</summary>)})
                         .map { |html| CGI.unescapeHTML(html.gsub(/<[^>]*>/, '')) }
      refute_empty asks
      assert_empty asks - (app == 'other' ? ['Show password', 'Show api_key', 'Show web'] : SHOWN), app
    end
    debug = cards([['debug', { 'password' => 'hush' }, true]])[0]
    refute_match(/hush/, texts_outside(debug['tree'], 'details').join(' '))
    assert_equal 'hush', JSON.parse(texts(debug['tree'], 'pre')[0])['connection']['password']
  end

  def test_buttons_are_for_apps_that_are_here_and_for_the_viewer
    start
    hrefs = -> { links(cards([['default', { 'mt_appname' => 'Ollama_API' }, true]])[0]['tree']) }
    assert_empty hrefs.call
    @site.app('multitenant-jupyter', 'manifest.yml' => "name: Jupyter\n")
    @site.app('multitenant-gradio', 'manifest.yml' => "name: Chat\n")
    File.chmod(0o750, @site.path('var/www/ood/apps/sys/multitenant-gradio'))
    assert_equal ['/pun/sys/dashboard/batch_connect/sys/multitenant-jupyter/session_contexts/new'], hrefs.call
  end

  def test_a_web_application
    start
    { {} => '/rnode/n1/8080/', { 'proxy' => 'node' } => '/node/n1/8080/', { 'proxy' => '//evil' } => '/rnode/n1/8080/',
      { 'host' => '//evil' } => nil, { 'host' => 'n1/../..' } => nil, { 'port' => '8080/../x' } => nil,
      { 'port' => '65536' } => nil }.each do |changes, path|
      values = { 'host' => 'n1', 'port' => '8080', 'mt_appname' => 'RShiny_App' }.merge(changes)
      assert_equal [path].compact, links(cards([['default', values, true]])[0]['tree']), changes
    end
  end

  # A publisher writes the service's name, Slurm says theirs.
  def test_the_button_names_whose_web_application_it_opens
    start
    values = { 'host' => 'n1', 'port' => '8080', 'mt_appname' => 'RShiny_App', 'title' => 'from dean' }
    known, unknown = cards([['default', values, true], ['default', values, false]])
    assert_match(/Open the application of prof$/, known['text'])
    assert_empty links(unknown['tree'])
  end

  def test_a_site_may_open_no_web_application_from_cards
    start({ 'MULTITENANT_WEB_APPS' => 'off' })
    [{ 'mt_appname' => 'RShiny_App' }, { 'mt_appname' => 'App', 'proxy' => 'node' }].each do |values|
      card = cards([['default', { 'host' => 'n1', 'port' => '8080', **values }, true]])[0]
      assert_empty links(card['tree'])
      assert_includes card['text'], 'Here no card opens a web application of others.'
    end
    refute_includes cards([['default', { 'host' => 'n1', 'port' => '1' }, true]])[0]['text'], 'Here no card'
  end

  def test_a_button_leads_only_to_a_host_of_the_job
    start
    values = { 'host' => 'n1', 'port' => '8080', 'mt_appname' => 'RShiny_App' }
    own, other = cards([['default', values, { 'host' => 'n1' }], ['default', values, { 'host' => '' }]])
    assert_equal [['/rnode/n1/8080/'], []], [links(own['tree']), links(other['tree'])]
    refute_includes own['text'], 'No button leads to its host'
    assert_includes other['text'], 'No button leads to its host, which is not known to be one of its job\'s.'
    assert_equal %w[n1 8080], texts(other['tree'], 'td')
  end

  # Those of the framework that this one replaces.
  def test_old_publishers
    start
    card = cards([['default', { 'mt_appname' => 'Ollama_API', 'host' => 'n1', 'ollama_url' => 'http://n1:11434',
                                'ollama_models' => '/models', 'ollama_model' => 'none' }, true]])[0]
    assert_equal ['http://n1:11434', 'http://n1:11434/v1'], texts(card['tree'], 'td')
    assert_includes card['text'], 'http://n1:11434/v1/models tells'
  end

  def test_a_jdbc_url_with_options_is_warned_of
    start
    { 'jdbc:mariadb://n1:3306/data' => false, 'jdbc:postgresql://n1:5432/a%20b' => false,
      'jdbc:mysql://n1:1/d?allowLoadLocalInfile=true' => true, 'jdbc:h2:mem:x;INIT=RUNSCRIPT FROM 1' => true,
      "jdbc:mysql://n1:1/d\n?x" => true }.each do |url, odd|
      card = cards([['default', { 'mt_appname' => 'DB_JDBC', 'jdbc_url' => url }, true]])[0]
      assert_equal odd, card['text'].include?('Be careful'), url
      assert_equal [url], texts(card['tree'], 'td')
    end
  end

  # Cards may outlive the gem, and the old initializer has a module of our name.
  def test_without_us_there_is_one_sentence
    start({ 'MULTITENANT_ENABLE' => nil })
    2.times do
      cards(%w[default debug readfile].map { |app| [app, { 'host' => '<b>', 'content_path' => '/etc/passwd' }, nil] })
        .each { |card| assert_match(/\AThis card can't be shown, .* tell its administrators\.\z/, card['text'].strip) }
      @dashboard.ruby('module MultiTenant; end; nil')
    end
  end

  # Views are new from an update on, the dashboards' gem once they have been started again.
  def test_a_dashboard_of_before_an_update_says_what_to_do
    start
    @dashboard.ruby('MultiTenant::Card.send(:undef_method, :heading); nil')
    cards(%w[default debug readfile].map { |app| [app, { 'host' => 'n1' }, true] })
      .each { |card| assert_match(/\AThis card can't be shown .*Restart Web Server\.\z/, card['text'].strip) }
  end

  # From the job's name to the page.
  def test_in_the_list_of_sessions
    value = "</div>\n\n<script>alert(1)</script>".tr("\n", "\u2028")
    slurm_says(fresh(job(7, connection: { host: 'n1', port: '5432', user: value, password: '"><b>' })))
    start
    page = @dashboard.sessions
    refute_match(/<script>|"><b>/, page.body[/<body>.*/m])
    assert_match(/From .*prof.*If it does not work/m, page.cards[uuid(7)][1])
  end

  # What keeps cards open over OOD's poll. A policy without a nonce has none.
  def test_pages_with_cards_have_the_script_and_polls_do_not
    slurm_says(fresh(job(7)))
    start
    tags = ->(page) { page.body.scan(/<script[^>]*>/) }
    assert_equal [['<script>'], ['<script>'], []], [@dashboard.sessions, @dashboard.home, @dashboard.poll].map(&tags)
    start
    @dashboard.ruby(<<~RUBY)
      Rails.application.config.content_security_policy { |policy| policy.script_src :self }
      Rails.application.config.content_security_policy_nonce_generator = ->(_) { 'nonce' }
      nil
    RUBY
    page = @dashboard.sessions
    assert_equal ['<script nonce="nonce">'], tags.call(page)
    assert_includes page.body, 'customElements.define'
    assert_includes page.cards[uuid(7)][1], 'From prof'
  end

  def test_there_is_nothing_to_start
    start
    %w[default debug readfile].each do |name|
      app = "BatchConnect::App.from_token('sys/multitenant-delivery_#{name}')"
      assert_equal false, @dashboard.ruby("#{app}.valid?")
      manifest = YAML.safe_load_file(@site.path("var/www/ood/apps/sys/multitenant-delivery_#{name}/manifest.yml"))
      assert_equal %w[name role icon description], manifest.keys
    end
  end
end
