# frozen_string_literal: true

require_relative 'rails_test'

# What forms offer, although OOD keeps them for six hours.
class TestForms < RailsTest
  def app(name, form)
    @site.app(name, 'form.yml.erb' => form)
  end

  def choices(name)
    @dashboard.form("sys/#{name}").choices
  end

  def test_the_attribute
    app('chat', "form: [auto_multitenant_services]\n")
    app('code', "form: [auto_multitenant_services]\nattributes: {auto_multitenant_services: {apps: [Ollama, Code]}}\n")
    start
    assert_equal [''], choices('chat')
    assert_includes @dashboard.form('sys/chat').body, 'No service is shared with you at this time'
    slurm_says(fresh(job(1), job(2, message: { mta: 'Ollama' }, connection: { mt_title: 'Spanish 301' }),
                     job(3, message: { mtm: 'form' })))
    ttl_passes
    assert_equal [['', '1', '2', '3'], %w[2]], [choices('chat').sort, choices('code')]
    assert_equal ['prof: Spanish 301'], options(@dashboard.form('sys/code'), SELECT).map(&:first)
    slurm_says(fresh)
    ttl_passes
    assert_equal [[''], ['']], [choices('chat'), choices('code')]
  end

  SELECT = 'auto_multitenant_services'

  # To a required select Rails adds an option without a text, which no other than these is.
  def test_a_client_chooses_the_only_service_and_asks_for_one_of_several
    clients = install_apps('clients')
    start
    none = [['No service is shared with you at this time', '', true]]
    one = [['prof: App', '1', true]]
    several = [['Choose a service', '', true], ['prof: App', '1', false], ['prof: Ollama (gemma)', '3', false],
               ['prof: Ollama (llama)', '2', false]]
    ollama = { 2 => 'llama', 3 => 'gemma' }.map do |id, model|
      job(id, message: { mta: 'Ollama' }, connection: { model: model })
    end
    { [] => none, [job(1)] => one, [job(1), *ollama] => several }.each do |jobs, wanted|
      slurm_says(fresh(*jobs))
      ttl_passes
      clients.each { |client| assert_equal wanted, options(@dashboard.form("sys/#{client}"), SELECT) }
    end
  end

  def test_a_client_is_refused_without_a_service_of_now
    clients = install_apps('clients')
    slurm_says(fresh(job(1), job(2)))
    start
    clients.each do |client|
      { '' => /No service was chosen: choose one in the form/, '3' => /that was chosen has ended/ }.each do |key, why|
        refused = @dashboard.submit("sys/#{client}", SELECT => key)
        assert_match why, refused.body
        assert_equal ['Choose a service', '', true], options(refused, SELECT).first
      end
      assert_includes @dashboard.submit("sys/#{client}", SELECT => '2').body, '--nodes=1'
    end
    slurm_says(fresh(job(1)))
    ttl_passes
    refused = @dashboard.submit("sys/#{clients[0]}", SELECT => '2')
    assert_equal ['Choose a service', '', true], options(refused, SELECT).first
  end

  def test_the_service_that_was_chosen
    slurm_says(fresh(job(1, connection: { host: 'n1' }), job(2, message: { mta: 'Ollama' })))
    start
    assert_equal 'n1', @dashboard.ruby("MultiTenant.service('1')['host']")
    assert_equal '2', @dashboard.ruby("MultiTenant.service('2', 'Code', 'Ollama')['jobid']")
    { "'3'" => /has ended, or is not shared/, "'1', 'Ollama'" => /has ended/, 'nil' => /was chosen: choose/ }
      .each do |key, why|
      assert_match why, @dashboard.ruby("begin; MultiTenant.service(#{key}); rescue StandardError => e; e.message; end")
    end
  end

  # Both kinds of key lead to it, and hand over the other members for when the chosen one doesn't answer.
  def test_a_service_of_several_jobs_is_one_choice
    app('chat', "form: [auto_multitenant_services]\n")
    jobs = [1, 2].map { |id| job(id, connection: { host: "n#{id}", mt_service: 'spanish', mt_title: 'Spanish 301' }) }
    slurm_says(fresh(*jobs, job(3)))
    start
    key = 'prof/spanish@students'
    offered = options(@dashboard.form('sys/chat'), SELECT).map { |text, value,| [text, value] }
    assert_equal [['Choose a service', ''], ['prof: App', '3'], ['prof: Spanish 301', key]], offered
    told = JSON.parse(@dashboard.ruby(<<~RUBY))
      JSON.generate(['#{key}', '1', '2'].map { |key| [MultiTenant.service(key), MultiTenant.service_environment(key)] } +
                    [MultiTenant.service_environment('3'), MultiTenant.service_name('#{key}'), MultiTenant.service_owner('1')])
    RUBY
    first, second, third, alone, name, owner = told
    assert_equal [first, first], [second, third]
    members = JSON.parse(first[1]['MT_MEMBERS'])
    assert_equal first[0].except('mt_members'), members[0]
    assert_equal %w[1 2], members.map { |one| one['jobid'] }.sort
    assert_equal first[0]['host'], first[1]['MT_HOST']
    assert_equal(%w[3], JSON.parse(alone['MT_MEMBERS']).map { |one| one['jobid'] })
    assert_equal ['prof: Spanish 301', 'prof'], [name, owner]
  end

  # A variable of more than 128 KiB would keep every program of the client's job from starting.
  def test_all_members_have_room_in_a_variable
    long = (1..8).to_h { |i| ["k#{i}", 'x' * 4000] }
    slurm_says(fresh(*(1..4).map { |id| job(id, connection: { mt_service: 'spanish', **long }) }))
    start
    members = JSON.parse(@dashboard.ruby("MultiTenant.service('1')['mt_members']"))
    assert_equal([10, 10], members.map(&:size))
  end

  # Dashboards of publishers at work live for as long.
  def test_a_form_follows_its_site_yml
    name = 'multitenant-gradio'
    set = ->(apps) { @site.app(name, 'site.yml' => "cluster: hpc\nservices: \"#{apps}\"\n") }
    app(name, "form: [service]\nattributes:\n  service:\n    widget: select\n    options: " \
              "<%= MultiTenant.site(File.dirname(__FILE__))['services'].to_json %>\n")
    set.call('A')
    start
    assert_equal %w[A], choices(name)
    set.call('A,Own')
    2.times { assert_equal %w[A Own], choices(name) }
  end

  SITES_OWN = <<~YAML
    # <%= File.write(File.join(Dir.home, 'rendered'), '.', mode: 'a') %>
    form: [service]
    attributes:
      service:
        widget: select
        options:
        <%- MultiTenant.specs.each do |id, spec| -%>
          - ["<%= spec['accounting']['mta'] %>", "<%= id %>"]
        <%- end -%>
  YAML

  # A form is rendered once for each change, and a card of the app is no reason to render it again.
  def test_a_sites_own_form
    app('own', SITES_OWN)
    slurm_says(fresh(job(1)))
    start
    2.times { assert_equal ['1'], choices('own') }
    ttl_passes
    assert_equal ['1'], choices('own')
    assert_equal 1, File.size(File.join(@viewer.home, 'rendered'))
    slurm_says(fresh(job(2)))
    ttl_passes
    2.times { assert_equal ['2'], choices('own') }
    assert_equal 2, File.size(File.join(@viewer.home, 'rendered'))
  end
end
