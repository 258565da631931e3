# frozen_string_literal: true

require_relative 'site'
require_relative 'old_version'
require 'multitenant/agent'

# What this version wrote on a web host, when 0.1.0 comes back to it. Homes: test/rails/test_versions.rb.
class TestDowngrade < InstallTest
  def setup
    skip OldVersion.missing if OldVersion.missing
    super
  end

  # Puts the gem of a version onto the host. @return [String] its directory
  def gem_of(tree)
    version = File.read(File.join(tree, 'lib/multitenant/version.rb'))[/'(.*)'/, 1]
    dir = File.join(site.at(Site::HOMES[Site::RPM]), 'gems', "ood_multitenant-#{version}")
    FileUtils.mkdir_p(dir)
    FileUtils.cp_r(Dir.glob(File.join(tree, '{lib,exe,initializer,libexec,systemd,apps-*}')), dir)
    FileUtils.chmod_R('a+rX,go-w', dir)
    dir
  end

  # The gem's own command. @return [String] what it said
  def command(gem, *argv, as: nil, env: {})
    done = run_as(as, RbConfig.ruby, '-I', File.join(gem, 'lib'), File.join(gem, 'exe/multitenant'), *argv, env: env)
    assert_equal 0, done.code, done.err
    done.out
  end

  # @return [Hash] app => the fields of its form, as that gem renders it
  def forms(gem)
    done = run_as(nil, RbConfig.ruby, '-rerb', '-ryaml', '-rjson', '-e', <<~RUBY, gem, site.at(Site::SYS))
      require File.join(ARGV[0], 'lib/multitenant')
      forms = Dir.glob(File.join(ARGV[1], '*/form.yml.erb')).to_h do |path|
        erb = ERB.new(File.read(path), trim_mode: '-').tap { |one| one.filename = path }
        [File.basename(File.dirname(path)).delete_prefix('multitenant-'), YAML.safe_load(erb.result)]
      end
      print JSON.generate(forms)
    RUBY
    assert_equal 0, done.code, done.err
    JSON.parse(done.out)
  end

  def kinds(forms, app)
    forms[app]['attributes']['version']['options'].map { |option| option[1] }
  end

  def test_a_host_goes_back_and_forth
    site(files: {})
    FileUtils.rm_rf(site.gem)
    before = state
    old = gem_of(OldVersion.tree)
    command(old, 'install', '--root', site.root, '--services-group', 'daemon', '--cluster', 'hpc')
    path = "#{Site::SYS}/multitenant-llm/site.yml"
    site.write(path, site.read(path).sub(/^servers:.*/, 'servers: "ollama, vllm"'))
    2.times do
      new = gem_of(Tree::ROOT)
      command(new, 'install', '--root', site.root)
      assert_equal %w[ollama vllm], kinds(forms(new), 'llm')
      FileUtils.rm_rf(new)
      command(old, 'install', '--root', site.root)
      assert_equal 6, forms(old).size
      assert_includes command(old, 'install', '--root', site.root), 'Nothing was changed.'
    end
    command(old, 'uninstall', '--root', site.root)
    FileUtils.rm_rf([old, site.at('/var/lib/multitenant')])
    assert_tree before
  end

  # The manifest that 0.1.0 leaves names all that this version wrote.
  def test_what_this_version_installed_is_removed
    site(files: {})
    FileUtils.rm_rf(site.gem)
    before = state
    new = gem_of(Tree::ROOT)
    command(new, 'install', '--root', site.root, '--services-group', 'daemon', '--cluster', 'hpc', '--agent')
    old = gem_of(OldVersion.tree)
    command(old, 'uninstall', '--root', site.root)
    FileUtils.rm_rf([new, old, site.at('/var/lib/multitenant')])
    assert_tree before
  end

  # On a node, where nobody renewed it. The sender knows it by these words.
  def test_its_multitenant_seal_takes_no_title
    seal = [File.join(OldVersion.tree, 'lib/multitenant/multitenant-seal'), '--message', '--group', 'root',
            '--label', 'l', '--cluster', 'hpc', '--job', '7', '--restarts', '0']
    shared = { id: uuid(7), app: 'App', method: 'card', delivery: 'sys/multitenant-delivery_default', conn: {} }
    asked = ->(more) { run_as(nil, *seal, stdin: JSON.generate(shared.merge(more))) }
    assert_equal 0, asked[{}].code, asked[{}].err
    assert_match(/: standard input is not \{/, asked[{ title: 'Spanish 301' }].err)
  end

  # Dashboards of 0.1.0 that run on beside the new agent, and the other way round: test_upgrade.rb.
  def test_a_snapshot_is_read
    directory = GemHomes.make
    clusters = File.join(temporary, 'clusters.d')
    FileUtils.mkdir_p(clusters)
    File.write(File.join(clusters, 'hpc.yml'), "v2:\n  job:\n    adapter: slurm\n    cluster: hpc\n")
    feed = Feed.new
    agent = MultiTenant::Agent.new(MultiTenant::Settings.new({}), source: feed, directory: directory, log: ->(_) {})
    env = { 'MULTITENANT_SNAPSHOT' => directory, 'OOD_CLUSTERS' => clusters, 'HOME' => temporary }
    # Of the last one's group nothing is known, which the header tells.
    [[7], [7], [7, 8]].each do |jobs|
      all = [*jobs.map { |id| job(id, wckey: 'multitenant') }, job(9, wckey: 'multitenant', group_gid: nil)]
      feed.texts = [stream(*all, generated: Time.now.to_i)]
      assert agent.round
      assert_includes File.read(File.join(directory, 'state')), '"undetermined":[9]'
      specs = JSON.parse(command(OldVersion.tree, 'specs', as: 2001, env: env))
      assert_equal jobs.map(&:to_s), specs.keys
    end
  end
end
