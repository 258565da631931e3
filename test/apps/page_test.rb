# frozen_string_literal: true

require_relative 'app_test'
require_relative '../browser/browser'
require_relative '../browser/chat_servers'

# Web applications behind their jobs' gateways, as hpcstudent opens them from a card: in a browser, with what stands for
# Open OnDemand's proxy.
class PageTest < AppTest
  APP = 'multitenant-dashboard'
  # What the card of whoever runs it shows.
  CARD = <<~RUBY
    require 'json'
    require 'multitenant'
    def MultiTenant.munge_socket = ENV.fetch('MULTITENANT_MUNGE_SOCKET')
    specs = JSON.parse($stdin.read)
    puts MultiTenant::Card.new(specs.fetch(ARGV[0])['connection'], specs: specs).web_button
  RUBY

  def setup
    super
    @site = File.join(AppJobs.root(APP), 'site.yml')
    @was = File.read(@site)
    AppJobs.configure(@site, 'envelope' => 'munge', 'gateway' => 'auto')
    @proxy = Proxy.new(user: 'hpcstudent')
    @browser = Browser.new
  end

  def teardown
    [@browser&.quit, @proxy&.stop]
    Bed.cancel_all
    File.write(@site, @was) if @was
  end

  # @return [AppJob]
  def serve(user, values)
    values = { 'mt_delivery_select' => 'RShiny_App sys/multitenant-delivery_default', 'proxy' => 'rnode' }.merge(values)
    AppJob.new(AppJobs.ood('submit', APP, SHARED.merge(values), user: user))
  end

  # A card has none while munged is slow.
  def button(job)
    env = { 'MULTITENANT_MUNGE_SOCKET' => ENV.fetch('MULTITENANT_TESTBED_MUNGE_SOCKET') }
    specs = JSON.generate(Bed.specs('hpcstudent'))
    Bed.wait("the button of job #{job.job_id}", 120) do
      Bed.as('hpcstudent', RbConfig.ruby, '-e', CARD, job.job_id, input: specs, env: env).out[/<form.*/m]
    end
  end

  # Presses that card's button, in the tab that is watched.
  # @return [String] path of the page that it leads to
  def press(number)
    @browser.open(@proxy.url)
    @browser.follow("form = document.forms[#{number}]; form.target = ''; form.querySelector('button').click(); 0")
    @browser.evaluate('location.pathname')
  end
end
