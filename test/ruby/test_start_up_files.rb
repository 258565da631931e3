# frozen_string_literal: true

require_relative 'helper'
require 'pathname'

# What users' start-up files set and export is in the batch script of each service app, by whatever names: none of it is
# shared, stands on the owner's card, or changes what is there.
class TestStartUpFiles < MultiTenantTest
  # Bash, Slurm and OOD set these, or a job could not run without them.
  GIVEN = /\A(?:BASH_\w+|BASHPID|HOME|HOSTNAME|IFS|PATH|PWD|RANDOM|SLURM_\w+|TMPDIR|UID|USER|host)\z/
  OTHERS = { 'POSIXLY_CORRECT' => '1', 'CDPATH' => '/', 'GREP_OPTIONS' => '-v', 'TMOUT' => '5', 'PS4' => '$(exit)',
             'LC_ALL' => 'C.UTF-8', 'TZ' => 'EVIL', 'GLOBIGNORE' => '*', 'FUNCNEST' => '50',
             'BASH_COMPAT' => '4.2' }.freeze
  ANSWERS = { enable_multitenant: 'none', app_path: '/a', command: 'password', proxy: 'node', db_data: '/d',
              db_name: 'd', db_user: 'u', db_pass: %q(a"b\\c'd), ollama_model: 'm', ollama_models: 'home' }.freeze
  Answers = Struct.new(*ANSWERS.keys, :version, :mt_instructional, :mt_delivery_select, :num_gpus, :slots,
                       :context_size, :ollama_custom, keyword_init: true)
  Session = Struct.new(:id, :staged_root, :app)
  App = Struct.new(:root)
  KINDS = { 'dashboard' => %w[shiny streamlit command qdrant redis], 'database' => %w[postgresql mariadb],
            'llm' => %w[ollama vllm openai], 'instruction' => [''] }.freeze

  # As OOD's batch script, in which the service is there at once, and what is shared goes into a file.
  SCRIPT = <<~'BASH'
    find_port() { echo 4711; }
    create_passwd() { echo generated; }
    clean_up() { exit 1; }
    host=node1
    set -fC
    IFS=_
    source ./before.sh
    await_service() { :; }
    watch_port() { :; }
    multitenant_share() {
      local key
      for key; do [[ ! $key =~ ^[a-z_]+$ ]] || printf '%s=%s\n' "$key" "${!key}"; done >shared
    }
    source ./after.sh
    for name in host port password CONN_PARAMS; do echo -e "$name: ${!name-}"; done >connection.yml
    [[ ! -v port ]] || ! others_listen || echo 'a stranger'
    declare -p mt_made 2>/dev/null
    exit 0
  BASH

  # @return [Array(Hash, String)] connection.yml, and what was shared
  def run_job(app, kind)
    root = File.join(temporary, kind, "multitenant-#{app}")
    FileUtils.mkdir_p(File.dirname(root))
    FileUtils.cp_r(File.join(Tree::ROOT, 'apps-services', File.basename(root)), root)
    File.write(File.join(root, 'site.yml'), 'cluster: c')
    dir = File.join(root, 'template')
    File.write(File.join(dir, 'before.sh'), before(root, dir, kind))
    done = run_as(nil, 'bash', '-c', SCRIPT.sub('CONN_PARAMS', conn_params(root)), env: exports(dir, root), dir: dir)
    assert_equal [0, '', ''], [done.code, done.out, done.err], [app, kind]
    [YAML.safe_load_file(File.join(dir, 'connection.yml')), File.read(File.join(dir, 'shared'))]
  end

  def before(root, dir, kind)
    lesson = File.join(dir, 'lesson').tap { |path| File.write(path, '') }
    File.write(File.join(dir, 'ready'), 'usable')
    session = Session.new('0', Pathname.new(dir), App.new(root))
    context = Answers.new(version: kind, mt_instructional: lesson, **ANSWERS)
    text = File.read(File.join(root, 'template/before.sh.erb'))
    ERB.new(text, trim_mode: '-').result_with_hash(session: session, context: context).sub('rm -f ready', '')
  end

  def conn_params(root)
    File.read(File.join(root, 'submit.yml.erb'))[/conn_params:\n((?: +- \w+\n)+)/, 1].scan(/\w+/).join(' ')
  end

  def exports(dir, root)
    bin = File.join(temporary, 'bin').tap { |path| FileUtils.mkdir_p(path) }
    File.write(File.join(bin, 'curl'), "#!/bin/sh\n", perm: 0o755)
    texts = [MultiTenant::Sharing.job, *Dir.glob(File.join(root, 'template/*')).map { |file| File.read(file) }]
    names = texts.flat_map { |text| text.scan(/\$\{?[!#]?([A-Za-z_]\w*)/).flatten }.grep_v(GIVEN)
    ours = [*names, *conn_params(root).split, 'port', 'password'].to_h { |name| [name, "EVIL: it's"] }
    ours.merge(OTHERS, functions(texts), 'PATH' => "#{bin}:#{ENV.fetch('PATH')}", 'HOME' => dir, 'SLURM_JOB_ID' => '1')
  end

  # By these we learn what a job has; clean_up is OOD's own, and use_port each app's.
  def functions(texts)
    names = texts.flat_map { |text| text.scan(/declare -F (\w+)/).flatten }.uniq - %w[clean_up use_port]
    refute_empty names
    names.to_h { |name| ["BASH_FUNC_#{name}%%", "() { echo EVIL; exit 9\n}"] }
  end

  KINDS.each do |app, kinds|
    define_method(:"test_nothing_of_theirs_is_in_what_the_app_#{app}_tells") do
      kinds.each do |kind|
        connection, shared = run_job(app, kind)
        refute_match(/EVIL/, connection.to_s + shared, kind)
        refute_empty shared
        assert_equal ANSWERS[:db_pass], connection['password'] if app == 'database'
      end
    end
  end
end
