# frozen_string_literal: true

require_relative 'helper'
require 'multitenant/dashboard/tenant_groups'

# A dashboard whose locale is C, as it is where Apache's is, with Rails' encodings: what Ruby has of the environment and
# of the name service is bytes then, where it has other letters than English ones.
class TestLocale < MultiTenantTest
  DASHBOARD = <<~RUBY
    Encoding.default_external = Encoding.default_internal = 'UTF-8'
    require 'json'
    require 'multitenant'
  RUBY

  # @return what the text prints, as JSON
  def dashboard(text, env)
    lib = File.expand_path('../../lib', __dir__)
    env = { 'LANG' => 'C', 'LC_ALL' => 'C', **env }
    said, = Open3.capture2e(env, RbConfig.ruby, "-I#{lib}", '-e', DASHBOARD + text)
    JSON.parse(said)
  rescue JSON::ParserError
    flunk(said)
  end

  def test_what_sbatch_was_called_with_is_kept
    Dir.mkdir(kept = File.join(temporary, 'submission'), 0o700)
    names = dashboard(<<~'RUBY', 'OOD_DASHBOARD_TITLE' => 'Universität', 'STAGED' => temporary)
      arguments = ['-D', ENV.fetch('STAGED'), '-J', "Sp\u00e4t"]
      MultiTenant::Dashboard::Submission.keep("#!\n\u00e4", arguments, { 'SBATCH_COMMENT' => "\u00e4" }, nil)
      puts JSON.generate(Dir.children(File.join(ENV.fetch('STAGED'), 'submission')).sort)
    RUBY
    assert_equal %w[arguments environment script], names
    read = names.to_h { |name| [name, File.binread(File.join(kept, name)).force_encoding('UTF-8').split("\0")] }
    assert_equal [['-D', temporary, '-J', 'Spät'], ["#!\nä"]], read.values_at('arguments', 'script')
    assert_empty %w[OOD_DASHBOARD_TITLE=Universität SBATCH_COMMENT=ä] - read['environment']
  end

  def test_cards_follow_below_a_data_root_with_other_letters
    root = File.join(temporary, 'Räume')
    { 'first' => stream(job(7)), 'last' => stream }.each { |name, text| File.write(File.join(temporary, name), text) }
    seen = dashboard(<<~RUBY, 'OOD_DATAROOT' => root, 'RECORDS' => temporary)
      settings = MultiTenant::Settings.new({})
      root = ENV.fetch('OOD_DATAROOT')
      clusters = MultiTenant::Clusters.new([MultiTenant::Clusters::Cluster.new('hpc', 'hpc', nil)])
      name = 'first'
      source = lambda do |_|
        text = File.read(File.join(ENV.fetch('RECORDS'), name))
        MultiTenant::Answer.new(texts: [text], from: 'test', seconds: 0.0, error: nil, code: 0)
      end
      core = { **settings.to_core(dataroot: root), uid: 2001, gids: [2001, 3000] }
      receiver = MultiTenant::Receiver.new(settings, source: source, clusters: clusters, core: core, log: ->(*) {})
      puts JSON.generate(%w[first first last].map do |one|
        name = one
        error = receiver.refresh['error']
        [error, Dir.glob(File.join(root, 'batch_connect/db/*')).size, receiver.touched?]
      end)
    RUBY
    assert_equal [[nil, 1, false], [nil, 1, false], [nil, 0, false]], seen
  end

  # Open OnDemand's page with the sessions writes it as JSON.
  def test_the_state_of_a_service_is_text
    seen = dashboard(<<~RUBY, 'HOME' => '/home/Räume', 'XDG_STATE_HOME' => nil)
      require 'multitenant/apps/service_state'
      puts JSON.generate([MultiTenant::ServiceState.root.encode('UTF-8')])
    RUBY
    assert_equal ['/home/Räume/.local/state/multitenant/services'], seen
  end

  # A form would hold them beside what else is on its page.
  def test_groups_of_a_form_are_text
    names = Object.new
    names.define_singleton_method(:others) { |_, groups, _| groups.to_h { |group| [group, 2] } }
    groups = MultiTenant::TenantGroups.new(names: names)
    assert_equal [['klässe (2 other people)', 'klässe'], ['l? (2 other people)', 'l?']],
                 groups.choices(["kl\u00e4sse".b, "l\xE4".b], nil)
  end
end
