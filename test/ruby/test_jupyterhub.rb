# frozen_string_literal: true

require_relative 'helper'

# What a JupyterHub's pre-spawn hook makes of what the command says, or doesn't, and whom one behind a gateway lets in.
# In real hubs: test/apps/test_jupyterhub.rb, test/apps/test_kinds.rb.
class TestJupyterhub < MultiTenantTest
  # A spawn as a hub does it, as far as the hook sees it: prints the environment and the log. The arguments: the
  # directory of the hook, a user, what the hook's limits are to be, and how many begin at the same time.
  SPAWN = <<~PYTHON
    import asyncio, json, sys, types
    sys.path.insert(0, sys.argv[1])
    sys.dont_write_bytecode = True
    import multitenant_jupyterhub as hook
    vars(hook).update(json.loads(sys.argv[3]))
    log = []
    spawner = types.SimpleNamespace(environment={"KEPT": "1", "MT_SERVICES": "of the last time"},
                                    user=types.SimpleNamespace(name=sys.argv[2]),
                                    log=types.SimpleNamespace(warning=lambda text, *args: log.append(text % args)))
    async def spawns():
        await asyncio.gather(*[hook.pre_spawn_hook(spawner) for _ in range(int(sys.argv[4]))])
    asyncio.run(spawns())
    print(json.dumps([spawner.environment, log]))
  PYTHON
  SERVICES = { 'prof/spanish@students' => { 'environment' => { 'MT_PASSWORD' => 's3cret' } } }.freeze

  # @param body [String] what the command does
  # @return [Array(Object, Array<String>)] services of the server, nil where it has none, and the log
  def spawn(body, user: Etc.getpwuid.name, env: {}, times: 1, **limits)
    bin = File.join(temporary, 'bin').tap { |dir| FileUtils.mkdir_p(dir) }
    FileUtils.chmod(0o755, temporary)
    File.write(File.join(bin, 'multitenant'), "#!/bin/sh\n#{body}\n", perm: 0o755)
    done = run_as(nil, 'python3', '-c', SPAWN, File.join(Tree::ROOT, 'initializer'), user,
                  JSON.generate(limits.transform_keys(&:upcase)), times.to_s,
                  env: { 'PATH' => "#{bin}:#{ENV.fetch('PATH')}", **env })
    assert_equal ['', 0], [done.err, done.code]
    environment, log = JSON.parse(done.out)
    assert_equal '1', environment.delete('KEPT')
    assert_empty environment.keys - ['MT_SERVICES']
    [environment['MT_SERVICES']&.then { |text| JSON.parse(text) }, log]
  end

  def says(services)
    "cat <<'JSON'\n#{JSON.generate(services)}\nJSON"
  end

  def assert_without(sentence, body, **options)
    services, log = spawn(body, **options)
    assert_nil services
    assert_equal 1, log.size
    assert_match(/\Amultitenant: \S+ starts without services: #{sentence}\z/, log[0])
    refute_includes log[0], 's3cret'
  end

  def test_a_server_gets_what_the_command_says
    assert_equal [SERVICES, []], spawn(says(SERVICES))
    assert_equal [{}, []], spawn(says({}))
  end

  # One cluster did not answer.
  def test_what_is_known_counts_although_there_may_be_more
    services, log = spawn("#{says(SERVICES)}\necho 'multitenant: Slurm is away.' >&2\nexit 69")
    assert_equal SERVICES, services
    assert_match(/\Amultitenant: \S+ may lack services: multitenant: Slurm is away\.\z/, log.fetch(0))
  end

  # Slurm hides others' jobs, and nothing failed.
  def test_what_the_command_says_of_an_answer_is_logged
    services, log = spawn("#{says({})}\necho 'Ignoring x' >&2\necho 'multitenant: Slurm shows you your own jobs.' >&2")
    assert_equal({}, services)
    assert_equal 1, log.size
    assert_match(/may lack services: multitenant: Slurm shows you your own jobs\.\z/, log[0])
    assert_equal [SERVICES, []], spawn("#{says(SERVICES)}\necho 'Ignoring x' >&2")
  end

  def test_whatever_the_command_does_a_server_starts
    assert_without 'multitenant: \?\[31m away\.', "printf 'multitenant: \\033[31m away.\\nmore' >&2; exit 69"
    assert_without 'JSONDecodeError', 'echo "{\"s3cret\": "'
    assert_without 'ValueError', 'echo "[\"s3cret\"]"'
    assert_without 'the answer was empty', 'exit 0'
    # What it leaves behind has its pipes for a while.
    assert_without 'the answer is too large', 'setsid sleep 3 & exec yes s3cret', answer: 100_000
    assert_without '.*(?:does not exist|can\'t ask as another user).*', 'true', user: 'nobody-of-that-name'
  end

  def test_a_command_that_hangs_is_ended_with_what_it_began
    pids = File.join(temporary, 'pids')
    assert_without 'no answer in 1 s', "sleep 600 & echo \"$$ $!\" >#{pids}; wait", seconds: 1
    File.read(pids).split.each do |pid|
      wait_until { !File.exist?("/proc/#{pid}") || File.read("/proc/#{pid}/stat").include?(') Z ') }
    end
  end

  # As when a class begins: what all want of the processors at once comes too late for all.
  def test_some_are_asked_for_at_a_time
    running = File.join(temporary, 'running').tap { |dir| FileUtils.mkdir_p(dir) }
    body = "mkdir #{running}/$$; ls #{running} | wc -l >>#{temporary}/most; sleep 0.2; rmdir #{running}/$$; echo '{}'"
    assert_equal [{}, []], spawn(body, times: 9, at_once: 3, seconds: 60, patience: 60)
    most = File.readlines(File.join(temporary, 'most')).map(&:to_i)
    assert_equal 9, most.size
    assert_operator most.max, :<=, 3
  end

  def test_who_waits_for_others_starts_without_services_in_the_end
    services, log = spawn('sleep 600', times: 2, at_once: 1, seconds: 60, patience: 1)
    assert_equal [nil, ['no answer in 1 s'] * 2], [services, log.map { |line| line[/no answer.*/] }]
  end

  # Linux refuses a longer variable, and then no server would start.
  def test_as_much_as_there_is_room_for
    all = Array.new(9) { |i| [i.to_s, { 'environment' => { 'MT_TEXT' => 'x' * 20_000 } }] }.to_h
    assert_without 'the answer is too large', says(all)
    asked = "[ \"$*\" = 'services --environment --bytes 100000' ] || exit 1"
    services, log = spawn("#{asked}\n#{says(all.first(4).to_h)}\n" \
                          "echo 'multitenant: 5 services more have no room.' >&2\nexit 65")
    assert_equal %w[0 1 2 3], services.keys
    assert_match(/may lack services: multitenant: 5 services more have no room\.\z/, log.fetch(0))
  end

  # The hub's file of the app for dashboards is called jupyterhub.py.
  def test_the_page_finds_one_file_in_the_gem
    wanted = File.read(File.join(Tree::ROOT, 'doc/jupyterhub.md'))[/`gem contents ood_multitenant \| grep (\S+)`/, 1]
    files = Dir.chdir(Tree::ROOT) { Gem::Specification.load('multitenant.gemspec').files }
    assert_equal ['initializer/multitenant_jupyterhub.py'], files.grep(/#{wanted}/)
  end

  # What the page says to run in a notebook, where the server has variables of its user's and a proxy of the site's.
  def test_the_pages_lines_forget_what_leads_elsewhere_and_ask_no_proxy
    page = File.read(File.join(Tree::ROOT, 'doc/jupyterhub.md'), encoding: 'UTF-8')
    lines = page[/```python\n(import json.*?)```/m, 1]
    shared = { 'host' => 'n1', 'port' => '5432', 'user' => 'u', 'password' => 'p', 'database' => 'd' }
    one = { 'title' => 't', 'user' => 'hpcfaculty', **MultiTenant::ServiceEnvironment.for_program(shared) }
    env = { 'MT_SERVICES' => JSON.generate('hpcfaculty/spanish-301@hpcGrp' => one), 'PGHOSTADDR' => 'elsewhere',
            'LIBMYSQL_PLUGINS' => 'x', 'MT_OTHER' => 'x', 'OPENAI_ORG_ID' => 'kept', 'NO_PROXY' => '.edu' }
    done = run_as(nil, 'python3', '-c', "#{lines}\nprint(json.dumps(dict(os.environ)))", env: env)
    has = JSON.parse(done.out.lines.last)
    assert_equal ['n1', 'p', '.edu,n1', '.edu,n1', 'kept'],
                 has.values_at('PGHOST', 'MYSQL_PWD', 'NO_PROXY', 'no_proxy', 'OPENAI_ORG_ID'), done.err
    assert_empty has.keys & %w[PGHOSTADDR LIBMYSQL_PLUGINS MT_OTHER]
    assert_includes has, 'MT_SERVICES'
  end

  # The command is the user's, who may read its environment.
  def test_the_hubs_own_secrets_stay_with_the_hub
    seen = File.join(temporary, 'seen')
    secrets = %w[JUPYTERHUB_CRYPT_KEY JUPYTERHUB_API_TOKEN CONFIGPROXY_AUTH_TOKEN OAUTH_CLIENT_SECRET HOME]
    spawn("env >#{seen}\necho '{}'", env: { **secrets.to_h { |name| [name, 's3cret'] }, 'MULTITENANT_TTL' => '60' })
    assert_includes File.read(seen), 'MULTITENANT_TTL=60'
    refute_includes File.read(seen), 's3cret'
  end

  # Of JupyterHub, as much as the configuration uses; who may come in as 5.0 has it. Prints who is let in, or 403.
  HUB = <<~PYTHON
    import asyncio, os, sys, types
    class Authenticator:
        allow_all = False
        allowed_users = set()
    class HTTPError(Exception):
        pass
    class Any:
        def __getattr__(self, name):
            return self.__dict__.setdefault(name, types.SimpleNamespace())
    for name in ("jupyterhub", "jupyterhub.auth", "jupyterhub.handlers", "jupyterhub.handlers.login", "tornado"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["jupyterhub.auth"].Authenticator = Authenticator
    sys.modules["jupyterhub.handlers.login"].LoginHandler = object
    sys.modules["tornado"].web = types.SimpleNamespace(HTTPError=HTTPError)
    get_config = Any
    os.environ.update(app_path="/", port="1", base_path="/node/n1/1")
    exec(open(sys.argv[1]).read())
    for headers in {"X-MultiTenant-User": "ann"}, {}:
        handler = types.SimpleNamespace(request=types.SimpleNamespace(headers=headers))
        try:
            name = asyncio.run(Gateway().authenticate(handler, None))
            print(name if Gateway.allow_all or name in Gateway.allowed_users else "nobody")
        except HTTPError as error:
            print(error)
  PYTHON

  def test_a_hub_lets_in_whom_the_gateway_names_and_nobody_else
    configuration = File.join(Tree::ROOT, 'apps-services/multitenant-dashboard/template/jupyterhub.py')
    done = run_as(nil, 'python3', '-c', HUB, configuration)
    assert_equal ["ann\n403\n", ''], [done.out, done.err]
  end
end
