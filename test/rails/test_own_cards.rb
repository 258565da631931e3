# frozen_string_literal: true

require_relative 'rails_test'
require_relative 'card_views'

# What the card of their own session tells the owner of a service.
class TestOwnCards < RailsTest
  include CardViews
  extend CardViews::Corpus

  KEYS = %w[host port user password database jdbc_url ollama_url ollama_model base_url model api_key key_note proxy
            content_path mt_title mt_shared mt_state mt_gate_state].freeze
  SERVICES = %w[dashboard database instruction llm].freeze
  SHARED = { 'mt_title' => '', 'mt_shared' => 'shared card munge 3 students' }.freeze
  WEB = { 'host' => 'n1', 'port' => '8080', 'proxy' => 'rnode' }.freeze
  WHOM = 'Shared with 3 other members of students, as a card and a choice in forms.'

  def own(app, values)
    own_cards([[app, SHARED.merge(values)]])[0]
  end

  def test_it_says_what_it_is_and_with_whom_it_is_shared
    start
    { 'dashboard' => ['Web application', {}], 'database' => ['Database (course)', { 'database' => 'course' }],
      'instruction' => ['Lesson', {}], 'llm' => ['Language model (m<1>)', { 'model' => 'm<1>' }] }
      .each do |app, (words, values)|
        assert_match(/\A\s*#{Regexp.escape(words)}\. *#{WHOM}Nobody else/, own(app, values)['text'])
        titled = own(app, values.merge('mt_title' => 'Spanish 301', 'mt_shared' => 'Not shared: <b>.'))
        assert_match(/\A\s*Spanish 301(?: \([^)]*\))?\. *Not shared: <b>\./, titled['text'])
      end
  end

  def test_whatever_the_job_wrote_is_text
    start
    self.class.corpus('values').each do |value|
      SERVICES.each do |app|
        hostile, harmless = [value, value.match?(/\A\s*\z/) ? value : 'twin'].map do |text|
          own(app, KEYS.to_h { |key| [key, text] }.merge('base_url' => '', 'ollama_url' => ''))
        end
        assert_equal skeleton(harmless['tree']), skeleton(hostile['tree']), "#{app} #{value.inspect}"
      end
    end
  end

  def test_a_state_that_no_path_can_name_is_none
    start
    assert_includes own('dashboard', WEB.merge('mt_state' => "/a\0b"))['text'], WHOM
  end

  # Of those whom the gateway let in.
  def test_how_many_used_it_today
    start
    gate = File.join(@viewer.home, '7@hpc/gate')
    row = ->(uid, time) { "#{JSON.generate('time' => time, 'user' => "u#{uid}", 'uid' => uid)}\n" }
    @viewer.write(File.join(gate, 'log/7@hpc.jsonl'), row.call(5, 0) + (row.call(6, Time.now.to_i) * 2))
    text = own('dashboard', WEB.merge('mt_gate_state' => gate))['text']
    assert_match(/#{WHOM}.*1 person has used it today: multitenant tenants 7@hpc, on the machine that runs Open/, text)
    refute_includes own('dashboard', WEB.merge('mt_gate_state' => "#{gate}/none"))['text'], 'used it'
    # As nginx makes one when it starts, and when a full one has been given another name.
    @viewer.write(File.join(gate, 'log/7@hpc.jsonl'), '')
    assert_includes own('dashboard', WEB.merge('mt_gate_state' => gate))['text'], '0 people have used it today'
    service = File.join(@viewer.home, '.local/state/multitenant/services/spanish@domain%20users')
    @viewer.write(File.join(service, 'gate/log/7@hpc.jsonl'), row.call(6, Time.now.to_i))
    before = WEB.merge('mt_state' => service)
    refute_includes own('dashboard', before)['text'], 'used it'
    assert_match(/1 person has used it today: multitenant tenants spanish@domain\\ users, on/,
                 own('dashboard', before.merge('mt_gate_state' => "#{service}/gate"))['text'])
  end

  def test_owners_of_databases_have_a_user_of_their_own_too
    start
    values = { 'database' => 'course', 'mt_gate_state' => '/none' }
    assert_includes own('database', values)['text'], 'on the machine that runs Open OnDemand, prints yours'
    refute_includes own('database', values.merge('user' => 'all'))['text'], 'multitenant login'
  end

  def test_owners_are_told_how_their_programs_get_a_key_where_each_has_one
    start
    values = WEB.merge('base_url' => 'http://n1:8080/v1', 'model' => 'm')
    %w[llm dashboard].each do |app|
      assert_match(/a key of their own, and so do you: multitenant login with the name of the service or/,
                   own(app, values.merge('mt_gate_state' => '/none'))['text'])
      refute_includes own(app, values.merge('api_key' => 'hush'))['text'], 'multitenant login'
    end
  end

  def test_the_button_of_an_application_leads_to_a_host_and_a_port
    start
    { {} => '/rnode/n1/8080/', { 'proxy' => 'node' } => '/node/n1/8080/', { 'proxy' => '<' } => '/rnode/n1/8080/',
      { 'host' => 'x/../..' } => nil, { 'host' => '' } => nil, { 'port' => '65536' } => nil }.each do |changes, path|
      card = own('dashboard', WEB.merge(changes))
      assert_equal [path].compact, links(card['tree']), changes
      assert_equal path.nil?, card['text'].include?('The job named no address')
    end
  end

  # As tenants do: through their own gateway, if there is one, and where the site has an address for it.
  def test_an_address_outside_open_ondemand_is_on_the_owners_card_too
    deliveries
    program_says('munge', "cat >/dev/null; echo '{\"credential\":\"MUNGE:x:\"}'; echo '{\"end\":1}'")
    start
    at = 'https://x.example/prof/a@b/'
    info = { 'uid' => @viewer.uid.to_s, 'user' => 'ann', 'host' => 'n1', 'cluster' => 'hpc', 'job' => '7',
             'restarts' => '0', 'address' => at }
    spec = { 'info' => info, 'connection' => WEB.slice('host', 'port') }
    gate = { 'gate' => { 'port' => '8080', 'door' => 'D' * 43 } }
    llm = { 'base_url' => 'http://n1:8080/v1' }
    shown = ->(app, values, one) { own_cards([[app, SHARED.merge(values)]], specs: { '7' => one })[0] }
    open, guarded = [spec, spec.merge(gate)].map { |one| shown.call('dashboard', WEB, one) }
    model = shown.call('llm', { **WEB, **llm }, spec)
    other = shown.call('dashboard', WEB, spec.merge('info' => { **info, 'uid' => '1' }))
    assert_equal([[at], ['/rnode/n1/8080/']], [open, other].map { |card| links(card['tree']) })
    assert_includes texts(open['tree'], 'td'), at
    assert_includes texts(model['tree'], 'td'), "#{at}v1"
    form = elements(guarded['tree']).find { |name, _| name == 'form' }[1]
    assert_match(%r{\A#{at}multitenant/login\?member=7-\h{6}\z}, form['action'])
  end

  def test_owners_open_their_own_application_everywhere
    start({ 'MULTITENANT_WEB_APPS' => 'off' })
    assert_equal ['/rnode/n1/8080/'], links(own('dashboard', WEB)['tree'])
  end

  def test_a_secret_is_there_to_be_shown_where_there_is_one
    start
    { 'dashboard' => 'password', 'database' => 'password', 'llm' => 'api_key' }.each do |app, key|
      with = own(app, WEB.merge(key => 'hush'))
      refute_includes texts_outside(with['tree'], 'details').join, 'hush'
      assert_includes with['text'], 'hush'
      assert_includes with['text'], "Show #{key == 'password' ? key : 'API key'}"
      refute_match(/Show (?:password|API)/, own(app, WEB)['text'])
    end
  end

  # Nobody chooses in a form what is not shared.
  def test_a_chat_is_offered_where_it_finds_the_model
    start
    @site.app('multitenant-gradio', 'manifest.yml' => "name: Chat\n")
    chat = ['/pun/sys/dashboard/batch_connect/sys/multitenant-gradio/session_contexts/new']
    { {} => chat, { 'mt_shared' => 'Shared with nobody.' } => [] }.each do |values, wanted|
      assert_equal wanted, links(own('llm', values)['tree'])
    end
  end

  def test_a_session_of_before_an_upgrade
    start
    own_cards(SERVICES.map { |app| [app, { 'host' => 'n1', 'port' => '80' }] })
      .each { |card| refute_match(/Shared|shown/, card['text']) }
  end

  def test_without_us_there_is_one_sentence
    start({ 'MULTITENANT_ENABLE' => nil })
    own_cards(SERVICES.map { |app| [app, { 'password' => '<b>' }] }).each do |card|
      assert_match(/\AThis card can't be shown, .*connection\.yml, .* leads to\.\z/, card['text'].strip)
    end
  end
end
