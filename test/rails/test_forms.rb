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
    assert_includes @dashboard.form('sys/code').body, 'prof: Spanish 301 (2)'
    slurm_says(fresh)
    ttl_passes
    assert_equal [[''], ['']], [choices('chat'), choices('code')]
  end

  def test_the_service_that_was_chosen
    slurm_says(fresh(job(1, connection: { host: 'n1' }), job(2, message: { mta: 'Ollama' })))
    start
    assert_equal 'n1', @dashboard.ruby("MultiTenant.service('1')['host']")
    assert_equal '2', @dashboard.ruby("MultiTenant.service('2', 'Code', 'Ollama')['jobid']")
    ["'3'", 'nil', "'1', 'Ollama'"].each do |key|
      assert_match(/has ended, or is not shared/,
                   @dashboard.ruby("begin; MultiTenant.service(#{key}); rescue StandardError => e; e.message; end"))
    end
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
