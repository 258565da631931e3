# frozen_string_literal: true

require_relative 'helper'
require 'pathname'

# The table of kinds of servers: what a row makes of a job, and what programs of tenants then find.
class TestKinds < MultiTenantTest
  Kinds = MultiTenant::Kinds
  APP = File.join(Tree::ROOT, 'apps-services/multitenant-dashboard')
  SERVER = File.join(__dir__, 'kind_server.py')
  # Real ones are in jobs of test/apps.
  OTHERS = %w[shiny streamlit python command redis].freeze
  Answers = Struct.new(:version, :app_path, :command, :proxy, :enable_multitenant, :mt_delivery_select, :mt_title,
                       keyword_init: true)
  Session = Struct.new(:id, :staged_root, :app)
  App = Struct.new(:root)

  # As OOD's batch script, with what stands for a gateway, and for the sender. It tells what is there at its end.
  SCRIPT = <<~'BASH'
    clean_up() {
      source ./clean.sh
      [[ ! $SCRIPT_PID ]] || pkill -P "$SCRIPT_PID"
      pkill -P $$
      ls -A "${TMPDIR:-.}" >~/there
      exit "$1"
    }
    find_port() { python3 -c 'import socket; a = socket.socket(); a.bind(("", 0)); print(a.getsockname()[1])'; }
    create_passwd() { printf 'generated%.0s' {1..3}; }
    host=127.0.0.1 SCRIPT_PID=
    source ./before.sh
    ./script.sh &
    SCRIPT_PID=$!
    watch_port() { :; }
    multitenant_share() {
      local key
      for key; do [[ ! $key =~ ^[a-z]+$ ]] || printf '%s=%s\n' "$key" "${!key}"; done >shared
      mt_shared='shared card munge group g'
    }
    source ./after.sh
    echo "$mt_shared" >note
    [[ -z $HELD ]] || exec {HELD}<&-
    stop_service
  BASH
  # In a job multitenant-gateway does it.
  GATEWAY = <<~BASH
    plan_gateway() {
      export mt_guard=$GUARD mt_server_socket=$CALLED
      mt_address=${ADDRESS-}
      [[ $1$GUARD != *port ]] || mt_server_port=$(find_port)
      [[ -z ${mt_server_port-} ]] || export mt_server_port mt_reach="--connect-to ::127.0.0.1:$mt_server_port"
    }
    stable_path() { echo /prof/a@students/; }
    isolate() { "$@"; }
    export -f isolate
  BASH

  # @param guard [String] port, socket, or '' where the site has no gateway
  # @return [Array(Hash, Hash, String, String)] what the server was called with, what was shared but host and port, the
  #   note on sharing, and what the job said
  def run_job(kind, guard: '', site: '', set: {}, **answers)
    root = File.join(temporary, "#{kind}#{guard}", 'multitenant-dashboard')
    dir = File.join(root, 'template')
    FileUtils.mkdir_p(File.dirname(root))
    FileUtils.cp_r(APP, root)
    File.write(File.join(root, 'site.yml'), "cluster: c\norigin: https://ood.example.edu\n#{site}")
    File.write(File.join(dir, 'before.sh'), before(root, dir, kind, guard, answers))
    File.write(File.join(dir, 'data.sh'), ERB.new(File.read(File.join(dir, 'data.sh.erb'))).result)
    env = { 'GUARD' => guard, 'CALLED' => File.join(root, 'called'), 'SLURM_JOB_ID' => Process.pid.to_s,
            'SLURM_CLUSTER_NAME' => 'test', 'HOME' => root, 'PATH' => "#{programs}:#{ENV.fetch('PATH')}", **set }
    out, = Open3.capture2e(env, 'bash', '-c', SCRIPT, chdir: dir)
    told = %w[called template/shared template/note].map { |name| File.join(root, name) }
    called, shared, note = told.map { |path| File.exist?(path) ? File.read(path) : '' }
    shared = shared.lines(chomp: true).to_h { |line| line.split('=', 2) }.except('host', 'port')
    [called.empty? ? {} : JSON.parse(called), shared, note, out]
  end

  # @return [String] the directory that the form names, unless it says otherwise
  def data(kind, guard = '')
    File.join(temporary, "#{kind}#{guard}", 'data').tap { |dir| FileUtils.mkdir_p(dir) }
  end

  def before(root, dir, kind, guard, answers)
    context = Answers.new(version: kind, app_path: data(kind, guard), enable_multitenant: 'none', **answers)
    session = Session.new('0', Pathname.new(dir), App.new(root))
    text = ERB.new(File.read(File.join(root, 'template/before.sh.erb')), trim_mode: '-')
              .result_with_hash(session: session, context: context)
    text.sub(/^(?=export proxy=)/, "#{GATEWAY unless guard.empty?}take_data() { echo taken >>~/taken; }\n")
  end

  def programs
    @programs ||= File.join(temporary, 'bin').tap do |bin|
      FileUtils.mkdir_p(bin)
      Kinds::TABLE.except(*OTHERS).each_value { |row| FileUtils.ln_sf(SERVER, File.join(bin, row['program'])) }
    end
  end

  # @return [Hash{String => Array}] by kind what {run_job} gives
  def run_all(kinds, **options)
    programs
    temporary
    kinds.map { |kind| [kind, Thread.new { run_job(kind, **options) }] }.to_h { |kind, job| [kind, job.value] }
  end

  def test_each_row_says_what_a_row_may_say
    Kinds::TABLE.each do |name, row|
      assert_match Kinds::ROW, "kind_#{name}"
      row.each do |field, text|
        form, = Kinds::FIELDS.fetch(field)
        assert_match(form, text, "#{name} #{field}") if form
      end
      assert row['start'] || name == 'command', name
      row['environment'].to_h.each_key { |variable| assert_match(Kinds::VARIABLE, variable) }
    end
    shipped = File.read(File.join(APP, 'site.yml'))
    Kinds::TABLE.each_key { |name| assert_match(/^modules_#{name}: ""$/, shipped) }
    said = File.read(File.join(APP, 'README.md'))
    Kinds::TABLE.each_key { |name| assert_match(/^\| `#{name}` \|/, said) }
  end

  # The server stands in each one's place: the row's options and variables lead it to the port, and what shows that it
  # is ready is what it answers.
  def test_each_kind_starts_on_its_port_and_is_shared_once_it_is_ready
    kinds = Kinds::TABLE.except(*OTHERS).reject { |_, row| row['gateway'] == 'namespace' }.keys
    run_all(kinds).each do |kind, (called, shared, _, out)|
      row = Kinds::TABLE[kind]
      assert_equal row['proxy'], shared['proxy'], out
      assert_equal row.key?('environment'), shared['kind'] == kind, out
      assert_equal row['start'].include?('password'), shared.key?('password'), out
      refute_match(/generated/, [*called['words'], out].join(' '))
      assert_equal data(kind), called['directory'] if row['path'] == 'directory'
    end
  end

  def test_what_lets_everybody_in_starts_behind_a_gateway_in_a_network_of_its_own_alone
    kinds = Kinds::TABLE.select { |_, row| row['gateway'] == 'namespace' }.keys
    assert_equal %w[mlflow rstudio jupyterhub ray], kinds
    run_all(kinds, guard: 'socket').each do |kind, (_, shared, _, out)|
      assert_equal Kinds::TABLE[kind]['proxy'], shared['proxy'], out
    end
    ports = %w[ray mlflow].map { |kind| run_job(kind, guard: 'port') }
    [*run_all(kinds).values, *ports].each do |called, shared, _, out|
      assert_equal [{}, {}], [called, shared]
      assert_match(/it is started only behind a gateway, in a network of its own/, out)
    end
  end

  # ---- data that one server alone can have ----

  # What Slurm says of another job.
  def slurm_says(state)
    { 'squeue' => squeue_says(state), 'scontrol' => 'echo "ClusterName = test"' }.each do |name, body|
      File.write(File.join(programs, name), "#!/bin/bash\n#{body}\n", perm: 0o755)
    end
  end

  # Two that keep what they have in files write over what the other one wrote.
  def test_a_directory_that_another_jobs_server_has_is_left_to_it
    slurm_says('RUNNING')
    alone = Kinds::TABLE.select { |_, row| row['alone'] }
    assert_equal %w[mlflow labelstudio qdrant minio redis jupyterhub], alone.keys
    alone = alone.except(*OTHERS).reject { |_, row| row['gateway'] == 'namespace' }.keys
    alone.each { |kind| File.symlink('6 test elsewhere', File.join(data(kind), '.multitenant-job')) }
    run_all(alone).each do |kind, (called, shared, _, out)|
      assert_equal [{}, {}], [called, shared], kind
      assert_match(/Job 6 on elsewhere serves #{data(kind)} already: cancel that job first/, out)
      assert_equal '6 test elsewhere', File.readlink(File.join(data(kind), '.multitenant-job'))
    end
  end

  def test_who_serves_a_directory_has_its_lock_until_the_server_has_ended
    looks = "kind_qdrant:\n  ready: |\n    readlink \"$app_path/.multitenant-job\" >>~/held || :\n"
    _, shared, _, out = run_job('qdrant', site: looks)
    assert_equal 'qdrant', shared['kind'], out
    held = File.readlines(File.join(temporary, 'qdrant', 'multitenant-dashboard', 'held'), chomp: true)
    assert_equal "#{Process.pid} test #{Etc.uname[:nodename][/[^.]+/]}", held.last
    assert_equal %w[multitenant.yaml], Dir.children(data('qdrant'))
  end

  # Its owner lets the link lead to the next version of the data, say, to serve that beside the server that runs.
  def test_a_server_keeps_the_directory_that_a_link_led_to_when_it_began
    one, two = %w[one two].map { |name| File.join(temporary, name).tap { |dir| Dir.mkdir(dir) } }
    File.symlink(one, link = File.join(temporary, 'link'))
    moves = "kind_qdrant:\n  ready: |\n    ln -sfn #{two} #{link}; readlink #{one}/.multitenant-job >>~/held\n"
    _, shared, _, out = run_job('qdrant', site: moves, app_path: link)
    assert_equal 'qdrant', shared['kind'], out
    held = File.read(File.join(temporary, 'qdrant/multitenant-dashboard/held'))
    assert_match(/\A#{Process.pid} test /, held)
    assert_equal([%w[multitenant.yaml], []], [one, two].map { |dir| Dir.children(dir) })
  end

  # The form offers files, too.
  def test_of_a_file_the_server_has_the_directory
    row = "kind_keeper:\n  title: Keeper\n  alone: \"yes\"\n  " \
          "start: exec python3 -m http.server --bind $listen $port\n  " \
          "ready: readlink #{data('keeper')}/.multitenant-job >>~/held\n"
    File.write(file = File.join(data('keeper'), 'dump.rdb'), '')
    run_job('keeper', site: row, app_path: file)
    held = File.join(temporary, 'keeper/multitenant-dashboard/held')
    assert_match(/\A#{Process.pid} test /, File.exist?(held) ? File.read(held) : '')
    assert_equal %w[dump.rdb], Dir.children(data('keeper'))
  end

  # The job before it ends its server first. Copies would find the directory taken.
  def test_a_successor_waits_for_the_data_and_there_are_no_copies
    { 'minio' => true, 'tensorboard' => false }.each do |kind, waits|
      run_job(kind)
      assert_equal waits, File.exist?(File.join(temporary, kind, 'multitenant-dashboard', 'taken')), kind
      copies = Kinds::Answers.new(Struct.new(:mt_copies).new('3'), Kinds::TABLE[kind]).mt_copies
      assert_equal waits ? '1' : '3', copies
    end
  end

  # A choice in forms alone would be in no form.
  def test_what_has_pages_alone_has_a_card
    told = %w[shiny command codeserver redis mlflow].product(%w[form card]).map do |kind, method|
      Kinds::Answers.new(Struct.new(:mt_method).new(method), Kinds::TABLE[kind]).mt_method
    end
    assert_equal [*%w[card card] * 3, *%w[form card] * 2], told
  end

  # The next job's server would begin empty, and tenants' data end with the one before.
  def test_what_keeps_data_is_kept_running_with_a_directory_alone
    answers = Struct.new(*Answers.members, :mt_method, :auto_multitenant_groups, :mt_until, keyword_init: true)
    stage = lambda do |kind, **told|
      FileUtils.mkdir_p(root = File.join(temporary, 'multitenant-dashboard'))
      File.write(File.join(root, 'site.yml'), "cluster: c\n")
      told = { version: kind, app_path: '', enable_multitenant: 'mt', mt_delivery_select: 'RShiny_App sys/x',
               mt_method: 'card', auto_multitenant_groups: 'lab', mt_until: '2099-01-01' }.merge(told)
      ERB.new(File.read(File.join(APP, 'template/before.sh.erb')), trim_mode: '-')
         .result_with_hash(session: Session.new('0', Pathname.new(temporary), App.new(root)),
                           context: answers.new(**told))
    end
    error = assert_raises(MultiTenant::Failure) { stage.call('redis') }
    assert_match(/\AWhat is kept running needs a directory of yours as Path/, error.message)
    [{ app_path: '/d' }, { mt_until: ' ' }, { enable_multitenant: 'user' }].each { |told| stage.call('redis', **told) }
    assert stage.call('command', command: 'true')
  end

  # A Redis without a path keeps nothing.
  def test_without_a_directory_nothing_is_locked
    skip_unless(MultiTenant::Program.find('redis-server', ENV.fetch('PATH')), 'needs Redis')

    _, shared, _, out = run_job('redis', app_path: '')
    assert_equal 'redis', shared['kind'], out
    refute_path_exists File.join(temporary, 'redis', 'multitenant-dashboard', 'taken')
  end

  # ---- what others may do ----

  # Users' umask leaves files open, which the server would ask for a password or key.
  def test_what_is_kept_behind_a_key_no_other_user_reads
    keeping = %w[labelstudio qdrant minio]
    called = run_all(keeping).merge(run_all(%w[mlflow jupyterhub], guard: 'socket'))
    called.each { |kind, (is, *, out)| assert_equal 0o077, is['umask'], "#{kind}: #{out}" }
    assert_match(/\Aumask 077$/, Kinds::TABLE['redis']['start'])
  end

  # A configuration that another user of the node puts there has its programs run as the publisher.
  def test_what_a_kind_makes_for_itself_nobody_puts_another_one_in_place_of
    open, group, ours = { 'open' => 0o777, 'group' => 0o770, 'ours' => 0o755 }.map do |name, mode|
      File.join(temporary, name).tap { |dir| Dir.mkdir(dir) && File.chmod(mode, dir) }
    end
    told = [open, group, ours].map { |dir| run_job('shinyserver', set: { 'TMPDIR' => dir })[0].fetch('file') }
    assert_equal(['/tmp', '/tmp', ours], told.map { |file| File.dirname(file, 2) })
  end

  # A node's /tmp would fill with what each job leaves there. Whoever is ended by a signal, as R, removes nothing.
  def test_what_a_server_makes_for_a_while_goes_with_it
    Dir.mkdir(tmp = File.join(temporary, 't'))
    leaving = 'touch "$(mktemp -d)/left"; realpath "$TMPDIR"/* >~/left; ' \
              'exec python3 -m http.server --bind $listen $port'
    _, shared, _, out = run_job('command', set: { 'TMPDIR' => tmp }, command: leaving)
    assert_equal 'rnode', shared['proxy'], out
    left = File.read(File.join(temporary, 'command/multitenant-dashboard/left'))
    assert_match(%r{\A#{tmp}/multitenant\.\w+/tmp\.\w+\n\z}, left)
    assert_empty Dir.children(tmp)
  end

  # Slurm kills all that is left as soon as the batch script has ended.
  def test_what_a_server_made_for_a_while_has_gone_where_its_job_is_refused
    Dir.mkdir(tmp = File.join(temporary, 't'))
    open = 'touch "$(mktemp -d)/left" ~/made; exec python3 -m http.server --bind 0.0.0.0 $port'
    _, shared, _, out = run_job('command', guard: 'port', set: { 'TMPDIR' => tmp }, command: open)
    assert_match(/The server listens on all addresses/, out)
    assert_empty shared
    assert_path_exists File.join(temporary, 'commandport/multitenant-dashboard/made')
    assert_empty File.read(File.join(temporary, 'commandport/multitenant-dashboard/there'))
  end

  # code-server's has the longest name, as that of Visual Studio Code.
  def test_a_socket_has_its_place_in_a_directory_with_a_long_name
    Dir.mkdir(tmp = File.join(temporary, 't' * 80))
    name = "vscode-ipc-#{'0' * 36}.sock"
    socket = %(import os, socket; socket.socket(socket.AF_UNIX).bind(os.environ["TMPDIR"] + "/#{name}"))
    command = "python3 -c '#{socket}' && (echo \"$TMPDIR\" && ls #{tmp}/*) >~/seen\n" \
              'exec python3 -m http.server --bind $listen $port'
    _, shared, _, out = run_job('command', set: { 'TMPDIR' => tmp }, command: command)
    assert_equal 'rnode', shared['proxy'], out
    link, *there = File.readlines(File.join(temporary, 'command/multitenant-dashboard/seen'), chomp: true)
    assert_equal [name], there, out
    refute_path_exists File.dirname(link)
    assert_empty Dir.children(tmp)
  end

  def test_a_shiny_server_keeps_bookmarks_where_its_owner_may_write
    config = run_job('shinyserver', set: { 'TMPDIR' => temporary })[0].fetch('configuration')
    kept = config[/^bookmark_state_dir "(.+)";$/, 1]
    assert_equal [File.join(temporary, 'shinyserver/multitenant-dashboard/.local/share/shiny-server'), 0o700],
                 [kept, kept && (File.stat(kept).mode & 0o777)]
  end

  # Another one, at another time, may have left a dump in its owner's home.
  def test_a_redis_without_a_path_shares_nothing_of_its_owners
    skip_unless(MultiTenant::Program.find('redis-server', ENV.fetch('PATH')), 'needs Redis')

    Dir.mkdir(home = File.join(temporary, 'home'))
    earlier = 'redis-server --port 0 --unixsocket s --daemonize yes; for i in {1..300}; do ' \
              '! redis-cli -s s set verb ser || break; sleep 0.1; done; redis-cli -s s shutdown save'
    assert system('bash', '-c', earlier, chdir: home, out: File::NULL, err: File::NULL)
    assert_path_exists File.join(home, 'dump.rdb')
    looks = "kind_redis:\n  ready: |\n    REDISCLI_AUTH=$password redis-cli -p \"$port\" get verb >~/said\n"
    _, shared, _, out = run_job('redis', site: looks, app_path: '', set: { 'HOME' => home })
    assert_equal 'redis', shared['kind'], out
    assert_empty File.read(File.join(home, 'said')).strip
  end

  # Where the gateway gives the server its key, no tenant is told that.
  def test_a_servers_own_key_is_shared_with_nobody_where_the_gateway_has_it
    programs
    plain, guarded = ['', 'port'].map { |guard| Thread.new { run_job('qdrant', guard: guard) } }.map(&:value)
    assert_equal 'generated' * 3, plain[1]['password']
    assert_equal %w[kind proxy], guarded[1].keys.sort, guarded[3]
    keys, hosts = %w[API_KEY HOST].map do |name|
      [plain, guarded].map { |called,| called['environment']["QDRANT__SERVICE__#{name}"] }
    end
    assert_equal [['generated' * 3] * 2, %w[0.0.0.0 127.0.0.1]], [keys, hosts]
  end

  def test_what_can_have_no_gateway_says_so
    _, shared, note, out = run_job('minio', guard: 'port')
    assert_equal 'minio', shared['kind'], out
    assert_equal "'It has no gateway: whoever knows its password can use it.|shared card munge group g'\n", note
  end

  def test_a_row_of_the_sites_own_is_all_that_a_kind_takes
    row = "kind_panel:\n  title: Panel\n  path: file\n  proxy: node\n  ready: /panel/ready\n  " \
          "start: |\n    python3 \"$app_path\" \"$listen\" $port $base_path/panel/ready\n  environment:\n    " \
          "PANEL_URL: '{url}/x'\n"
    page = File.join(temporary, 'page.py')
    File.write(page, <<~PYTHON)
      import http.server, sys
      class Page(http.server.BaseHTTPRequestHandler):
          def do_GET(self):
              self.send_response(200 if self.path == sys.argv[3] else 404)
              self.end_headers()
      http.server.HTTPServer((sys.argv[1], int(sys.argv[2])), Page).serve_forever()
    PYTHON
    _, shared, _, out = run_job('panel', site: row, app_path: page)
    assert_equal({ 'proxy' => 'node', 'kind' => 'panel' }, shared, out)
  end

  # As redis-cli may: they are loaded in script.sh alone.
  def test_what_shows_that_it_is_ready_may_come_by_modules
    Dir.mkdir(tools = File.join(temporary, 'tools'))
    File.write(File.join(tools, 'is-up'), "#!/bin/sh\n", perm: 0o755)
    load = "() { [[ $1 != load ]] || PATH=#{tools}:$PATH; }"
    row = "modules_panel: tools\nkind_panel:\n  title: Panel\n  environment:\n    PANEL_URL: '{url}'\n  " \
          "start: exec python3 -m http.server --bind $listen $port\n  " \
          "ready: is-up || { echo >>~/missed; (($(wc -l <~/missed) > 2)); }\n"
    _, shared, _, out = run_job('panel', site: row, set: { 'BASH_FUNC_module%%' => load })
    assert_equal 'panel', shared['kind'], out
    refute_path_exists File.join(temporary, 'panel/multitenant-dashboard/missed'), out
  end

  # A command that shows it may tell the password, as Redis' does, to whoever has the port by then. The stranger here is
  # of no job, and the row's server never listens.
  def test_nobody_elses_server_is_told_a_password_to_see_whether_ours_is_ready
    stranger = 'env -u SLURM_JOB_ID setsid --fork timeout 4 python3 -m http.server --bind 127.0.0.1 $port'
    row = "kind_slow:\n  title: Slow\n  ready: echo $password >>$HOME/told\n  " \
          "start: |\n    #{stranger} &>/dev/null\n    sleep 6\n"
    _, shared, _, out = run_job('slow', site: row)
    assert_empty shared
    assert_match(/The service ended before it was ready/, out)
    refute_path_exists File.join(temporary, 'slow', 'multitenant-dashboard', 'told')
  end

  # Its administrator is whoever has the password, and has it fetch and start another program where it may be replaced.
  def test_whoever_has_the_password_of_an_s3_storage_does_not_change_its_program
    assert_equal 'off', run_job('minio')[0].dig('environment', 'MINIO_UPDATE')
    assert_match(/, whose users act as you\z/, Kinds::TABLE.dig('minio', 'choice'))
  end

  # They are for servers of the owner's own, and mean other data, a password that others know, or files of theirs.
  def test_nothing_that_owners_export_for_servers_of_their_own_reaches_a_shared_one
    theirs = { 'mlflow' => %w[MLFLOW_REGISTRY_STORE_URI MLFLOW_GUNICORN_OPTS],
               'labelstudio' => %w[LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED HEARTEX_DATABASE_NAME DEBUG SECRET_KEY
                                   USER_TOKEN STORAGE_TYPE],
               'qdrant' => %w[QDRANT__STORAGE__STORAGE_PATH QDRANT__SERVICE__ALT_API_KEY],
               'minio' => %w[MINIO_CONFIG_ENV_FILE MINIO_VOLUMES] }
    set = theirs.values.flatten.to_h { |name| [name, 'theirs'] }
    run_all(theirs.keys, guard: 'socket', set: set).each do |kind, (called, *, out)|
      assert_equal set.keys - theirs[kind], set.keys & called['environment'].to_h.keys, "#{kind}: #{out}"
    end
  end

  # By FLASK_DEBUG=1 of a start-up file Flask serves /console, and the program's lines with each error, and by
  # GRADIO_SHARE=1 Gradio has an address on the Internet.
  def test_what_owners_export_to_look_for_mistakes_shows_nobody_their_program
    program = File.join(temporary, 'app.py')
    File.write(program, <<~PYTHON)
      import http.server, json, os
      with open(os.environ["CALLED"], "w") as file:
          json.dump(dict(os.environ), file)
      http.server.HTTPServer(("", int(os.environ["PORT"])), http.server.SimpleHTTPRequestHandler).serve_forever()
    PYTHON
    theirs = %w[FLASK_DEBUG FLASK_ENV DASH_DEBUG WERKZEUG_DEBUG_PIN GRADIO_SHARE GRADIO_ALLOWED_PATHS GRADIO_TEMP_DIR
                GRADIO_EXAMPLES_CACHE GRADIO_VIBE_MODE GRADIO_MCP_SERVER FLASK_OTHER].to_h { |name| [name, 'theirs'] }
    called, _, _, out = run_job('python', app_path: program, set: theirs)
    assert_equal %w[FLASK_OTHER], theirs.keys & called.keys, out
  end

  def test_whoever_has_the_key_of_a_qdrant_reads_and_writes_no_file_of_its_owners
    served = MultiTenant::Kinds::TABLE['qdrant']['start'][/^\[\[ ! .*\]\]/]
    told = %w[0.11.0 1.9.7 1.15.5 1.16.3 1.17.0 1.17.1 1.18.0 1.100.0 2.0.0].select do |version|
      system('bash', '-c', "qdrant() { echo 'qdrant #{version}'; }; #{served}")
    end
    assert_equal %w[1.17.1 1.18.0 1.100.0 2.0.0], told
    _, shared, _, out = run_job('qdrant', set: { 'VERSION' => '1.17.0' })
    assert_empty shared
    assert_match(/^Whoever has the key of a Qdrant before 1\.17\.1 can read files of yours, or write to them: it/, out)
  end

  # Those before take what a task calls its picture for one of the directory's.
  def test_whoever_has_the_password_of_a_label_studio_reads_no_file_of_its_owners
    served = MultiTenant::Kinds::TABLE['labelstudio']['start'][/^\[\[ ! .*\]\]/]
    told = %w[0.9.1 1.9.2.post0 1.13.1 1.15.0 1.16.0 1.20.0 2.0.0].select do |version|
      says = "Update available 1.9.1 → 1.9.2\n\nLabel Studio version: #{version} \n\n{}"
      system('bash', '-c', "label-studio() { printf '#{says}'; }; #{served}")
    end
    assert_equal %w[1.16.0 1.20.0 2.0.0], told
    _, shared, _, out = run_job('labelstudio', set: { 'VERSION' => '1.15.0' })
    assert_empty shared
    assert_match(/^Whoever has the password of a Label Studio before 1\.16 can read any file of yours: it is not/, out)
  end

  # It offers what is in a directory called mydata where it is told neither yes nor no.
  def test_a_label_studio_gives_no_files_by_itself
    called, *, out = run_job('labelstudio')
    assert_equal 'false', called.dig('environment', 'LOCAL_FILES_SERVING_ENABLED'), out
  end

  # Whoever adds a storage of a cloud's and leaves its keys blank would use its owner's.
  def test_nobody_uses_the_keys_of_a_cloud_that_the_owner_of_a_label_studio_has
    theirs = %w[AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_PROFILE AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_ROLE_ARN
                AZURE_BLOB_ACCOUNT_NAME AZURE_BLOB_ACCOUNT_KEY GOOGLE_APPLICATION_CREDENTIALS S3_ENDPOINT]
    files = %w[AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE BOTO_CONFIG CLOUDSDK_CONFIG NETRC]
    called, *, out = run_job('labelstudio', set: [*theirs, *files].to_h { |name| [name, 'theirs'] })
    environment = called['environment'].to_h
    assert_empty theirs & environment.keys, out
    assert_equal ['/dev/null'] * files.size, environment.values_at(*files), out
    assert_equal %w[true true], environment.values_at('AWS_EC2_METADATA_DISABLED', 'NO_GCE_CHECK'), out
    node = %w[GCE_METADATA_HOST GCE_METADATA_ROOT GCE_METADATA_IP]
    assert_equal ['127.0.0.1:1'] * node.size, environment.values_at(*node), out
  end

  # Its directory may have a user from before, whose password those have whom it was shared with then.
  def test_who_knows_the_password_of_an_earlier_label_studio_does_not_get_in
    _, shared, _, out = run_job('labelstudio')
    assert_equal 'generated' * 3, shared['password'], out
    assert_equal "--data-dir . --username owner@localhost #{'generated' * 3}\n",
                 File.read(File.join(temporary, 'labelstudio', 'multitenant-dashboard', 'called.password'))
  end

  # Through a visitor's browser, which sends cookies along from any page of the same domain.
  def test_pages_of_other_origins_change_nothing_in_mlflow
    address = 'https://services.example.edu/{user}/{service}@{group}/'
    told = [{}, { 'ADDRESS' => address }].map { |set| run_job('mlflow', guard: 'socket', set: set)[0] }
    assert_equal(%w[https://ood.example.edu https://services.example.edu],
                 told.map { |called| called.dig('environment', 'MLFLOW_SERVER_CORS_ALLOWED_ORIGINS') })
  end

  # They ask in place of what shows that it is ready. What was dumped elsewhere is read by code that trusts it, a server
  # that connects does so as its owner, from their node, and one that is told a directory writes there.
  def test_whoever_has_the_password_of_a_redis_neither_sends_its_owner_elsewhere_nor_brings_a_dump
    skip_unless(MultiTenant::Program.find('redis-server', ENV.fetch('PATH')), 'needs Redis')

    words = ['set a b', 'migrate 127.0.0.1 1 a 0 100', 'restore c 0 x',
             "eval \"return redis.call('restore','c',0,'x')\" 0", 'config set dir /', 'save', 'replicaof 127.0.0.1 1',
             'module list', "acl setuser default '>x'", 'shutdown nosave']
    row = "kind_redis:\n  ready: |\n    ask() { REDISCLI_AUTH=$password redis-cli -p \"$port\" \"$@\"; }\n    " \
          "ask ping | grep -q PONG || return\n#{words.map { |word| "    ask #{word} >>$HOME/said 2>&1\n" }.join}"
    _, shared, _, out = run_job('redis', site: row)
    assert_equal %w[kind password], shared.keys.sort, out
    said = File.readlines(File.join(temporary, 'redis', 'multitenant-dashboard', 'said'), chomp: true).reject(&:empty?)
    assert_equal 'OK', said.shift
    said.each { |line| assert_match(/NOPERM|can't run this command|ACL failure/, line) }
    assert_equal words.size - 1, said.size
  end

  # It would end for all, with what others have just written. What is there can be read, and removed.
  def test_who_writes_more_into_a_redis_than_its_job_has_memory_for_is_refused
    skip_unless(MultiTenant::Program.find('redis-server', ENV.fetch('PATH')), 'needs Redis')

    words = ['set a b', 'setrange large 20000000 x', 'set a c', 'get a', 'del large', 'set a c']
    row = "kind_redis:\n  ready: |\n    ask() { REDISCLI_AUTH=$password redis-cli -p \"$port\" \"$@\"; }\n    " \
          "ask ping | grep -q PONG || return\n#{words.map { |word| "    ask #{word} >>$HOME/said 2>&1\n" }.join}"
    _, shared, _, out = run_job('redis', site: row, set: { 'SLURM_MEM_PER_NODE' => '32' })
    assert_equal %w[kind password], shared.keys.sort, out
    said = File.readlines(File.join(temporary, 'redis', 'multitenant-dashboard', 'said'), chomp: true).reject(&:empty?)
    assert_match(/^OOM command not allowed/, said.delete_at(2))
    assert_equal %w[OK 20000001 b 1 OK], said
  end

  def test_without_its_program_or_its_path_a_job_ends_with_a_sentence
    _, shared, _, out = run_job('tensorboard', app_path: SERVER)
    assert_empty shared
    assert_match(/kind_server.py is not a directory: choose one for its files\./, out)
    _, _, _, out = run_job('redis', site: "kind_redis:\n  program: no-such-server\n")
    assert_match(/This node has no no-such-server in PATH: see modules_redis in the app's site\.yml\./, out)
  end

  # ---- what is shared ----

  def answers(kind, **told)
    context = Answers.new(mt_delivery_select: 'RShiny_App sys/multitenant-delivery_default', **told)
    Kinds::Answers.new(context, Kinds::TABLE[kind])
  end

  def test_what_programs_use_is_an_app_of_its_own_and_has_its_name
    assert_equal ['App_API sys/multitenant-delivery_default', 'MLflow'],
                 [answers('mlflow').mt_delivery_select, answers('mlflow').mt_title]
    assert_equal ['RShiny_App sys/multitenant-delivery_default', ''],
                 [answers('shiny').mt_delivery_select, answers('shiny').mt_title]
    assert_equal 'Ours', answers('mlflow', mt_title: ' Ours ').mt_title
    assert_equal 'debug sys/x', answers('mlflow', mt_delivery_select: 'debug sys/x').mt_delivery_select
  end

  # ---- what programs find ----

  SHARED = { 'host' => 'n1', 'port' => '5000', 'proxy' => 'rnode' }.freeze

  def variables(kind, **more)
    MultiTenant::ServiceEnvironment.of(SHARED.merge('kind' => kind).merge(more.transform_keys(&:to_s)))
                                   .reject { |name, _| name.start_with?('MT_') }
  end

  def mlflow(key)
    { 'MLFLOW_TRACKING_URI' => 'http://n1:5000', 'MLFLOW_TRACKING_TOKEN' => key,
      'MLFLOW_TRACKING_USERNAME' => 'multitenant', 'MLFLOW_TRACKING_PASSWORD' => key }
  end

  def test_programs_find_a_kind_by_the_names_that_they_know
    assert_equal mlflow('none'), variables('mlflow')
    assert_equal({ 'QDRANT_URL' => 'http://n1:5000', 'QDRANT_API_KEY' => 'p' }, variables('qdrant', password: 'p'))
    assert_equal({ 'REDIS_URL' => 'redis://default:p@n1:5000/0', 'REDISCLI_AUTH' => 'p' },
                 variables('redis', password: 'p'))
    assert_equal({ 'AWS_ENDPOINT_URL_S3' => 'http://n1:5000', 'AWS_ACCESS_KEY_ID' => 'multitenant',
                   'AWS_SECRET_ACCESS_KEY' => 'p', 'AWS_DEFAULT_REGION' => 'us-east-1' },
                 variables('minio', password: 'p'))
    assert_empty variables('shiny')
    assert_empty variables('nothing')
  end

  # At a gateway each has a key of their own, and the publisher's is for nobody.
  def test_at_a_gateway_the_key_is_the_tenants_own
    gate = { 'mt_gate' => 'n1 5000', 'mt_gates' => 'n1 5000' }
    assert_equal mlflow('mine'), variables('mlflow', **gate, api_key: 'mine')
    assert_equal({ 'QDRANT_URL' => 'http://n1:5000', 'QDRANT_API_KEY' => 'none' },
                 variables('qdrant', **gate, password: 'theirs'))
    { 'mlflow' => %w[MLFLOW_TRACKING_PASSWORD mt1.1],
      'ray' => ['RAY_JOB_HEADERS', '{"Authorization": "Bearer mt1.1"}'] }.each do |kind, (name, value)|
      script = MultiTenant::ServiceEnvironment.script(SHARED.merge(gate, 'kind' => kind))
      assert_includes environment(script), "#{name}=#{value}"
    end
  end

  # @return [Array<String>] what a client's job has of this, behind what the user has of the kinds
  def environment(script)
    theirs = { 'MLFLOW_TRACKING_PASSWORD' => 'theirs', 'RAY_ADDRESS' => 'theirs', 'REDISCLI_AUTH' => 'theirs' }
    script = script.sub(/^use_login$/, 'export MT_API_KEY=mt1.1')
    out, = Open3.capture2(theirs, 'bash', '-c', "unset_client_variables() { :; }\n#{script}env")
    out.lines(chomp: true)
  end

  # Of the kinds that it is not about, the user's own stays.
  def test_nothing_of_the_users_own_leads_these_programs_elsewhere
    left = { 'mlflow' => %w[RAY_ADDRESS REDISCLI_AUTH], 'redis' => %w[MLFLOW_TRACKING_PASSWORD RAY_ADDRESS] }
    left.each do |kind, names|
      found = environment(MultiTenant::ServiceEnvironment.script(SHARED.merge('kind' => kind)))
      assert_equal names.map { |name| "#{name}=theirs" }, found.grep(/=theirs/).sort
    end
    lines = MultiTenant::ServiceEnvironment.shell(SHARED.merge('kind' => 'ray'), env: { 'RAY_ADDRESS' => 'x' }) { true }
    assert_includes lines, 'unset RAY_ADDRESS'
  end

  # MLflow's clients then send those of ~/.mlflow/credentials, and others those of a profile.
  def test_no_key_of_the_users_own_goes_to_a_publisher_who_tells_none
    Kinds::TABLE.each do |kind, row|
      [{}, { password: '' }, { api_key: '' }, { 'mt_gate' => 'n1 5000' }].each do |told|
        assert_equal row['environment'].to_h.keys, variables(kind, **told).reject { |_, value| value.empty? }.keys
      end
    end
  end

  # A publisher chooses a row, and what is in it is a host, a port and a key; nothing of it is a program's or another's.
  def test_a_publisher_has_no_say_in_names_or_addresses
    ['n1/', 'n1@evil', '$(id)', "n1\nx", ''].each { |host| assert_empty variables('mlflow', host: host) }
    ['0', '99999999', '80/x', ' 80'].each { |port| assert_empty variables('mlflow', port: port) }
    %w[LD_PRELOAD BASH_ENV PYTHONPATH PATH IFS MT_KEY http_proxy AWS].each do |name|
      refute_match(Kinds::VARIABLE, name)
    end
    { '{host}{url}' => '%7Bhost%7D%7Burl%7D', 'x@n2:1/' => 'x%40n2%3A1%2F' }.each do |password, text|
      assert_equal "redis://default:#{text}@n1:5000/0", variables('redis', password: password)['REDIS_URL']
      assert_equal password, variables('minio', password: password)['AWS_SECRET_ACCESS_KEY']
      assert_nil snippet('kind' => 'redis', 'password' => password)
    end
  end

  # ---- on cards ----

  def snippet(values)
    MultiTenant::Card.new(SHARED.merge(values), specs: {}).snippets.variables
  end

  def test_a_card_offers_the_variables_and_asks_for_the_key
    assert_includes snippet('kind' => 'mlflow'), "\nexport MLFLOW_TRACKING_URI=http://n1:5000\n"
    text = snippet('kind' => 'redis', 'password' => 'hush')
    refute_match(/hush/, text)
    out, = Open3.capture2('bash', '-c', "#{text}env", stdin_data: "it's $x\n")
    assert_match(%r{^REDIS_URL=redis://default:it's \$x@n1:5000/0$}, out)
    assert_nil snippet('kind' => 'shiny')
    assert_nil snippet('kind' => 'mlflow', 'host' => '$(id)')
  end

  # Else a publisher who tells no key is sent the one by which the viewer knows another server, and the site's proxy
  # reads it.
  def test_what_a_card_offers_sends_none_of_the_viewers_own_and_nothing_by_a_proxy
    names = %w[MLFLOW_TRACKING_USERNAME MLFLOW_TRACKING_PASSWORD MLFLOW_TRACKING_TOKEN MLFLOW_TRACKING_AUTH
               QDRANT_API_KEY AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN LABEL_STUDIO_API_KEY]
    theirs = { 'NO_PROXY' => 'near', **names.to_h { |name| [name, 'theirs'] } }
    { 'mlflow' => 'MLFLOW', 'qdrant' => 'QDRANT', 'minio' => 'AWS', 'labelstudio' => 'LABEL' }.each do |kind, family|
      out, = Open3.capture2(theirs, 'bash', '-c', "#{snippet('kind' => kind)}env")
      assert_empty out.lines.grep(/\A#{family}_.*theirs/), kind
      assert_match(/^NO_PROXY=near,(?:.*,)?n1$/, out)
    end
  end
end
