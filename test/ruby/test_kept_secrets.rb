# frozen_string_literal: true

require_relative 'helper'
require 'pathname'

# Programs keep what they were told, and an address outside Open OnDemand leads to any job of a service: what an app
# generates is the same in each, after a restart, too.
class TestKeptSecrets < MultiTenantTest
  ANSWERS = { enable_multitenant: 'none', auto_multitenant_groups: 'g', mt_delivery_select: 'A d', mt_title: '',
              app_path: '', command: 'serve', proxy: '', num_gpus: '0', slots: '', context_size: '',
              ollama_models: 'home', ollama_custom: '', ollama_model: 'm',
              db_data: '/x', db_name: 'd', db_user: 'u', db_pass: '' }.freeze
  Told = Struct.new(:version, *ANSWERS.keys, keyword_init: true)
  Session = Struct.new(:id, :staged_root, :app)
  App = Struct.new(:root)

  # As OOD's batch script.
  SCRIPT = <<~BASH
    umask 022
    clean_up() { exit "$1"; }
    find_port() { echo 1; }
    create_passwd() { tr -cd a-z </dev/urandom | head -c "$1"; }
    host=127.0.0.1
    source ./before.sh
    bash -c 'echo "${api_key-}${password-}"'
  BASH

  # @return [String] what a job of this app has in its programs' environment
  def generated(app, version)
    root = File.join(temporary, app, app)
    FileUtils.mkdir_p(dir = File.join(temporary, app, 'session'))
    FileUtils.cp_r(File.join(Tree::ROOT, 'apps-services', app), File.dirname(root)) unless File.exist?(root)
    File.write(File.join(root, 'site.yml'), "cluster: c\n")
    session = Session.new('0', Pathname.new(dir), App.new(root))
    text = ERB.new(File.read(File.join(root, 'template/before.sh.erb')), trim_mode: '-')
              .result_with_hash(session: session, context: Told.new(version: version, **ANSWERS))
    File.write(File.join(dir, 'before.sh'), text)
    out, = Open3.capture2e({ 'SLURM_JOB_ID' => '1' }, 'bash', '-c', SCRIPT, chdir: dir)
    out
  end

  def test_what_an_app_generates_is_the_same_in_each_job
    { 'llm' => 'openai', 'dashboard' => 'command', 'database' => 'postgresql' }.each do |app, version|
      first, second = Array.new(2) { generated("multitenant-#{app}", version) }
      assert_match(/\A[a-z]{24,32}\n\z/, first)
      assert_equal first, second
      kept, = Dir.glob(File.join(temporary, "multitenant-#{app}/session/{password,api_key}"))
      assert_equal 0o600, File.stat(kept).mode & 0o777
    end
  end

  # A server would take an empty one for none.
  def test_without_a_password_nothing_is_served
    FileUtils.mkdir_p(File.join(temporary, 'multitenant-dashboard/session/password'))
    said = generated('multitenant-dashboard', 'command')
    assert_match(/The file .*password can't be written, so there is no password\.\n\z/, said)
  end
end
