# frozen_string_literal: true

require 'open3'
require_relative '../ruby/helper'
require_relative 'chat_servers'
require_relative 'own_keys'

# The first cells of the notebooks, as a kernel runs them, with services of several jobs.
class TestNotebooks < MultiTenantTest
  include OwnKeys

  TEMPLATE = File.expand_path('../../apps-clients/multitenant-jupyter/template', __dir__)
  # A cell ends as it does in Jupyter; then the kernel does what it reads.
  KERNEL = <<~PYTHON
    import json, sys
    cells = [c["source"] for c in json.load(open(sys.argv[1]))["cells"] if c["cell_type"] == "code"]
    names = {"__name__": "__main__"}
    for line in sys.stdin:
        try:
            exec("".join(cells[int(line)]) if line.strip().isdigit() else line, names)
        except (Exception, SystemExit) as error:
            print("ended:", error)
        print("", flush=True)
        print("done", flush=True)
  PYTHON

  def setup
    @servers = { '1' => ModelServer.new, '2' => ModelServer.new }
  end

  def teardown
    @servers.each_value(&:stop)
    super
  end

  def members(servers)
    JSON.generate(servers.map { |id, server| { 'jobid' => id, 'base_url' => server.url, 'api_key' => "sekret #{id}" } })
  end

  # The block is given what runs a cell, by its number, or a line of Python, and returns what that says.
  def notebook(name, env)
    file = File.join(temporary, 'members.json')
    kernel = ['python3', '-c', KERNEL, File.join(TEMPLATE, name)]
    Open3.popen2({ 'mt_members' => file, **env }, *kernel) do |input, output, _|
      yield(lambda { |cell|
        input.puts(cell)
        output.each_line(chomp: true).take_while { |line| line != 'done' }.join("\n").strip
      }, file)
    end
  end

  def model(**more, &block)
    notebook('llm.ipynb', { 'OPENAI_BASE_URL' => @servers['1'].url, 'OPENAI_API_KEY' => 'sekret 1', **more }, &block)
  end

  # It is kept, with what it prints. A card folds these.
  def test_the_notebook_of_anything_else_prints_no_secret
    secrets = %w[PWD AUTH DB_PWD CREDENTIALS API_KEY WEB_PASSWORD].to_h { |name| ["MT_#{name}", 'hush'] }
    urls = { 'MT_URL' => 'https://n1/?token=hush', 'MT_ADDRESS' => 'redis://default:hush@n1:1/0' }
    notebook('other.ipynb', { 'MT_HOST' => 'n1', 'MT_AT' => 'https://n1/', **secrets, **urls }) do |run,|
      said = run[0].lines(chomp: true)
      hidden = [*secrets.keys, *urls.keys].map { |name| "#{name} = …" }
      assert_empty ['MT_HOST = n1', 'MT_AT = https://n1/', *hidden] - said
      assert_empty said.grep(/hush/)
    end
  end

  WORDS = 'a part of the work only'

  def test_another_job_answers_where_one_does_not
    model('MT_MEMBERS' => members(@servers), 'NO_PROXY' => 'localhost') do |run, file|
      assert_equal "Job 1 of the service answers.\nModels: #{ModelServer::MODEL}", run[0]
      assert_match(/\ABecause.*#{WORDS}/, run[1])
      @servers['1'].stop
      assert_match(/\AJob 1 does not answer. Job 2 of the service answers.\nBecause.*#{WORDS}/, run[1])
      assert_match(/\ABecause/, run[1])
      assert_equal "#{@servers['2'].url} sekret 2", run['print(os.environ["OPENAI_BASE_URL"], key)']
      assert_match(/,127.0.0.1\z/, run['print(os.environ["no_proxy"])'])
      @servers['2'].stop
      assert_match(/\Aended: The service does not answer; it may have ended: [^\n]*\z/, run[1])
      @servers['3'] = ModelServer.new
      File.write(file, %({"service":"prof/x@g","members":#{members(@servers.slice('3'))}}))
      assert_match(/\AJob 3 of the service answers.\nBecause/, run[1])
    end
  end

  # Programs that find it in the environment would hand its key to the node's proxy.
  def test_also_a_job_that_did_not_answer_is_reached_directly
    silent = [{ 'jobid' => '1', 'base_url' => 'http://127.0.0.9:9/v1' }]
    @servers['2'].stop
    ['[]', JSON.generate(silent)].each do |others|
      model('MT_MEMBERS' => JSON.generate(JSON.parse(members(@servers.slice('2'))) + JSON.parse(others)),
            'NO_PROXY' => 'localhost') do |run,|
        assert_match(/\Aended: The service does not answer/, run[0])
        host = run['print(urllib.parse.urlsplit(os.environ["OPENAI_BASE_URL"]).hostname)']
        assert_includes run['print(os.environ["NO_PROXY"])'].split(','), host
        assert_equal 'True', run['print(os.environ["no_proxy"] == os.environ["NO_PROXY"])']
      end
    end
  end

  def test_another_job_answers_where_one_still_loads
    @servers['1'].loading = true
    model('MT_MEMBERS' => members(@servers)) do |run,|
      run[0]
      assert_match(/\AJob 1 does not answer. Job 2 of the service answers.\nBecause/, run[1])
    end
  end

  def test_a_job_that_is_the_only_one_needs_no_name
    [{}, { 'MT_MEMBERS' => '[]' }, { 'MT_MEMBERS' => members(@servers.slice('1')) }].each do |env|
      model(**env) { |run,| assert_equal "Models: #{ModelServer::MODEL}", run[0] }
    end
    @servers['1'].stop
    model { |run,| assert_match(/\Aended: The service does not answer; it may have ended: .*refused/, run[0]) }
  end

  # The driver is a stand-in; what it is told is what libpq reads.
  DRIVER = <<~PYTHON
    import os
    def connect(text):
        if os.environ["PGPORT"] == "2":
            return "connected to %s" % os.environ["PGPASSWORD"]
        raise OSError("refused")
  PYTHON

  def test_a_database_that_is_handed_over_is_waited_for
    File.write(File.join(temporary, 'psycopg.py'), DRIVER)
    one, two = %w[1 2].map { |n| { 'host' => 'n', 'port' => n, 'user' => 'u', 'password' => "secret #{n}" } }
    env = { 'PGHOST' => 'n', 'PGPORT' => '1', 'PGUSER' => 'u', 'PGPASSWORD' => 'x', 'PYTHONPATH' => temporary,
            'MT_MEMBERS' => JSON.generate([one]) }
    notebook('database.ipynb', env) do |run, file|
      assert_equal 'ended: refused', run[0]
      told = ->(*members) { File.write(file, JSON.generate('service' => 'prof/x@g', 'members' => members)) }
      told[one.merge('handing_over' => 'yes')]
      run["import builtins, time; time.sleep = lambda _: open(#{file.dump}, 'w').write(" \
          "#{JSON.generate('members' => [one.merge('handing_over' => 'yes'), two]).dump})"]
      assert_match(/\AThe database is handed over to another job of its service, and this waits/, run[0])
      assert_equal 'connected to secret 2', run['print(connection)']
    end
  end

  # ---- kernels that begin as login shells, which read the user's start-up files once more ----

  def test_a_key_of_the_users_own_is_not_for_a_model_without_one
    shared = [{ 'base_url' => @servers['1'].url }, { 'ollama_url' => @servers['1'].url.delete_suffix('/v1') }]
    shared.zip([@servers['1'].url, 'http://127.0.0.1:1/v1']) do |one, base|
      env = { 'MT_MEMBERS' => JSON.generate([{ 'jobid' => '1', **one }]), 'OPENAI_BASE_URL' => base }
      model(**env, 'OLLAMA_HOST' => 'http://127.0.0.1:1', 'OPENAI_API_KEY' => 'own') do |run,|
        assert_equal "Models: #{ModelServer::MODEL}", run[0]
        assert_equal 'none none', run['print(key, os.environ["OPENAI_API_KEY"])']
      end
    end
  end

  def test_nothing_of_the_users_own_leads_a_notebook_to_another_database
    File.write(File.join(temporary, 'psycopg.py'), "import os\ndef connect(text): return 'connected'\n")
    one = { 'host' => 'n', 'port' => '2', 'user' => 'u', 'database' => 'd' }
    own = %w[PGHOSTADDR PGSERVICE PGPASSWORD PGPASSFILE].to_h { |name| [name, 'own'] }
    env = { 'PGHOST' => 'own', 'PYTHONPATH' => temporary, 'MT_MEMBERS' => JSON.generate([one]), **own }
    notebook('database.ipynb', env) do |run,|
      assert_empty run[0]
      assert_equal 'PGDATABASE=d PGHOST=n PGPASSFILE=/dev/null PGPORT=2 PGUSER=u',
                   run['print(*sorted("=".join(pair) for pair in os.environ.items() if pair[0].startswith("PG")))']
    end
  end

  def test_a_mysql_is_one_also_where_the_user_has_a_postgresql_of_their_own
    File.write(File.join(temporary, 'pymysql.py'), "def connect(**more): return more['host']\n")
    one = { 'host' => 'n', 'port' => '2', 'user' => 'u', 'jdbc_url' => 'jdbc:mariadb://n:2/d' }
    env = { 'PGHOST' => 'own', 'MYSQL_HOST' => 'n', 'PYTHONPATH' => temporary, 'MT_MEMBERS' => JSON.generate([one]) }
    notebook('database.ipynb', env) do |run,|
      assert_empty run[0]
      assert_equal 'n', run['print(connection)']
    end
  end

  # ---- services with a gateway ----

  def with_gate(env, &block)
    members = [{ 'jobid' => '1', 'base_url' => @servers['1'].url, 'mt_gate' => 'gate 1', 'api_key' => nil }.compact]
    model('MT_MEMBERS' => JSON.generate(members), **env, &block)
  end

  def test_a_key_of_ones_own_is_renewed_before_it_ends_and_where_it_is_not_taken
    @servers['1'].keys = [token('a'), token('b')]
    with_gate('OPENAI_API_KEY' => token('a'), **log_in(token('b'), token('c'))) do |run,|
      assert_equal "Models: #{ModelServer::MODEL}", run[0]
      assert_empty logged_in
      run["os.environ['OPENAI_API_KEY'] = '#{token('a', left: 500)}'"]
      assert_match(/\ABecause/, run[1])
      assert_equal token('b'), run['print(key)']
      @servers['1'].keys = [token('c')]
      assert_match(/\ABecause/, run[1])
      assert_equal token('c'), run['print(os.environ["OPENAI_API_KEY"])']
      @servers['1'].keys = []
      assert_equal 'ended: Banned.', run[1]
      assert_equal ['gate 1'] * 3, logged_in
    end
  end

  def test_who_has_no_key_of_their_own_yet_logs_in
    @servers['1'].keys = [token('a')]
    with_gate('OPENAI_API_KEY' => 'none', **log_in(token('a'))) do |run,|
      assert_equal "Models: #{ModelServer::MODEL}", run[0]
    end
  end

  def test_an_account_of_ones_own_in_a_database
    File.write(File.join(temporary, 'psycopg.py'), DRIVER)
    one = { 'host' => 'n', 'port' => '2', 'database' => 'd', 'mt_gate' => 'gate 1' }
    env = { 'PGHOST' => 'n', 'PGPORT' => '1', 'PGUSER' => nil, 'PGPASSWORD' => nil, 'PYTHONPATH' => temporary,
            'MT_MEMBERS' => JSON.generate([one]) }
    notebook('database.ipynb', { **env, **log_in('mt_1_a own') }) do |run,|
      run[0]
      assert_equal 'connected to own', run['print(connection)']
      assert_equal 'mt_1_a d None',
                   run['print(os.environ["PGUSER"], os.environ["PGDATABASE"], os.environ.get("MYSQL_USER"))']
      assert_equal 'ended: Banned.', run[0]
    end
  end
end
