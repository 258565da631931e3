# frozen_string_literal: true

require_relative 'proxied'
require 'multitenant/agent'
require 'multitenant/cli/proxy_config'

# The file of a proxy: what stands in it is whole and right, or is what stood there before.
class TestProxyConfig < MultiTenantTest
  include Proxied

  A = 'a:openai:8001'

  def records(*jobs)
    File.join(temporary, 'records').tap { |path| File.write(path, stream(*jobs)) }
  end

  def fake(name, body)
    File.join(temporary, name).tap { |path| File.write(path, "#!/bin/sh\n#{body}\n", perm: 0o755) }
  end

  def proxy_config(*argv, jobs: [asking(1, A)], env: {})
    multitenant('proxy-config', '--records', records(*jobs), *argv, env: env)
  end

  def test_it_is_printed_or_written_where_it_changed_and_the_engine_told_of_it
    done = proxy_config('--engine', 'haproxy')
    assert_equal [0, "multitenant: The proxy has 1 service with 1 job.\n"], [done.code, done.err]
    assert_includes done.out, 'backend mt:prof:a:students'
    reload = fake('reload', "echo told >>#{temporary}/told")
    2.times { proxy_config('--engine', 'haproxy', '--output', config, '--reload', reload) }
    assert_equal [done.out, "told\n"], [File.read(config), File.read("#{temporary}/told")]
    proxy_config('--engine', 'haproxy', '--output', config, '--reload', reload, jobs: [asking(1, 'b:web:22')])
    assert_equal 2, File.readlines("#{temporary}/told").size
    assert_match(/status 503 .*service prof.a@students/, File.read(config))
  end

  def test_the_old_one_stays_where_the_engine_does_not_take_the_new_one_or_is_not_told
    proxy_config('--engine', 'haproxy', '--output', config)
    before = File.read(config)
    fake('haproxy', 'echo "[ALERT] it is wrong" >&2; exit 1')
    env = { 'PATH' => "#{temporary}:#{ENV.fetch('PATH')}" }
    bad = proxy_config('--engine', 'haproxy', '--output', config, '--check', jobs: [asking(2, 'b:web:8002')], env: env)
    assert_equal [65, before], [bad.code, File.read(config)]
    assert_match(/haproxy does not take .*it is wrong/, bad.err)
    untold = proxy_config('--engine', 'haproxy', '--output', config, '--reload', fake('reload', 'exit 3'),
                          jobs: [asking(2, 'b:web:8002')])
    assert_equal [69, before], [untold.code, File.read(config)]
    assert_match(/was not reloaded/, untold.err)
    assert_equal %w[haproxy proxy.cfg proxy.cfg.seen records reload], Dir.children(temporary).sort
  end

  # An empty one is what a crash of the machine may leave, or an admin who makes it beforehand.
  def test_what_was_seen_counts_for_nothing_where_it_can_not_be_read
    ['', '[', '[]', '{"prof/b@students":"x"}', "\0"].each do |text|
      File.write("#{config}.seen", text)
      done = proxy_config('--engine', 'haproxy', '--output', config)
      assert_equal [0, "multitenant: The proxy has 1 service with 1 job.\n"], [done.code, done.err], text
      refute_includes File.read(config), 'b@students'
    end
  end

  # Of each user 32 stay for a day: those of some hundred together push out nobody else's.
  def test_what_many_had_seen_of_theirs_costs_nobody_elses_page
    now = Time.now.to_i
    many = (1..700).to_a.product((1..32).to_a).to_h { |user, i| ["user-#{user}/service-of-theirs-#{i}@students", now] }
    [0, 60].each do |ago|
      File.write("#{config}.seen", JSON.generate({ **many, 'prof/b@students' => now - ago }))
      proxy_config('--engine', 'haproxy', '--output', config)
      assert_match(/status 503 .*service prof.b@students/, File.read(config))
    end
  end

  # A cluster that does not answer, or hides others' jobs, would leave the proxy with nothing.
  def test_nothing_is_written_by_half_an_answer
    proxy_config('--engine', 'haproxy', '--output', config)
    before = File.read(config)
    [stream(asking(1, A), whole: false), stream(sees: 'own'), ''].each do |text|
      File.write(File.join(temporary, 'half'), text)
      done = multitenant('proxy-config', '--engine', 'haproxy', '--output', config, '--records', "#{temporary}/half")
      assert_equal [65, 1, before], [done.code, done.err.lines.size, File.read(config)]
    end
  end

  def test_options_that_make_no_sense
    haproxy = %w[--engine haproxy]
    [[], [*haproxy, '--check'], [*haproxy, '--listen', "a\nb"], %w[--engine apache], [*haproxy, '--output', ''],
     *['', ' ', "''", "a 'b"].map { |no| [*haproxy, '--output', config, '--reload', no] }].each do |argv|
      done = proxy_config(*argv)
      assert_equal [64, 1, ''], [done.code, done.err.lines.size, done.out], argv
    end
  end

  # The engine's own check of what the worst labels leave of it, and of a thousand services.
  def worst
    labels = Vectors.read('address').map { |vector| vector['label'] }
    jobs = labels.each_with_index.map { |label, i| { **asking(i + 1, A), name: "#{label}|x'\"\\ $(a)%b|AAAA" } }
    jobs += (1..1000).map { |i| asking(1000 + i, "s-#{i}:web:8080", user: "u#{i / 30}", uid: 2000 + (i / 30)) }
    jobs << asking(9000, A, user: "a\nb\"}; #")
    answer(*jobs)
  end

  %w[haproxy nginx].each do |engine|
    define_method(:"test_#{engine}_takes_the_file_whatever_publishers_write") do
      assert_match(/\AThe proxy has 10\d\d services .*bad_address [4-9]\d/, keeper(engine).call(worst))
      assert_operator File.read(config).lines.size, :>, 5000
    end
  end

  # Two names with the same 16 digits are found in minutes, and cost everybody each later change of the file.
  def test_no_two_services_of_nginx_can_be_made_to_have_one_name
    names = proxy_config('--engine', 'nginx', jobs: [asking(1, A), asking(2, 'b:web:8002')]).out.scan(/^upstream (\S+)/)
    assert_equal [2, true], [names.uniq.size, names.flatten.all?(/\Amultitenant_\h{40}\z/)]
  end

  def test_nothing_of_a_label_can_mean_something_to_haproxy
    keeper('haproxy').call(worst)
    refute_match(/[^\n -~]|[$'\\{}]/, File.read(config).partition('backend mt:none').last)
  end

  # ---- Traefik ----

  SCHEMA = JSON.parse(File.read(File.join(Vectors::PATH, 'traefik.json')))['schema']
  TYPES = { 'object' => [Hash], 'array' => [Array], 'string' => [String], 'integer' => [Integer],
            'boolean' => [TrueClass, FalseClass] }.freeze

  # @return [Array<String>] what the schema objects to, and keys that it does not name
  def objections(value, schema = SCHEMA, place = '')
    return ["#{place} is no #{schema['type']}"] unless TYPES.fetch(schema['type']).any? { |one| value.is_a?(one) }

    case value
    when Hash then missing(value, schema, place) + value.flat_map { |key, one| in_object(key, one, schema, place) }
    when Array
      few = value.size < schema['minItems'].to_i ? ["#{place} has too few"] : []
      few + value.flat_map { |one| objections(one, schema['items'], place) }
    else schema['minimum']&.>(value) ? ["#{place} is too small"] : []
    end
  end

  def missing(value, schema, place)
    (schema['required'].to_a - value.keys).map { |key| "#{place} has no #{key}" }
  end

  def in_object(key, value, schema, place)
    known = schema['properties'].to_h.fetch(key) { schema.fetch('additionalProperties', false) }
    known ? objections(value, known, "#{place}/#{key}") : ["#{place} has #{key}"]
  end

  def test_traefiks_file_is_of_its_form
    jobs = [asking(1, A), asking(2, 'b:web:8002'), asking(3, 'b:web:8003', end: Time.now.to_i + 60),
            asking(4, 'c:web:8004', group: 'Domain Users')]
    done = proxy_config('--engine', 'traefik', jobs: jobs)
    assert_empty objections(YAML.safe_load(done.out))
    http = YAML.safe_load(done.out)['http']
    names = %w[multitenant-prof~a~students multitenant-prof~b~students]
    assert_equal [names, names, [*names, 'multitenant-retry']],
                 http.values_at('routers', 'services', 'middlewares').map(&:keys)
    assert_equal({ 'rule' => 'PathPrefix(`/prof/a@students/`)', 'service' => names[0],
                   'middlewares' => [names[0], 'multitenant-retry'] }, http['routers'][names[0]])
    assert_equal({ 'multitenant-once' => { 'maxIdleConnsPerHost' => -1 } }, http['serversTransports'])
    assert_equal({ 'loadBalancer' => { 'servers' => [{ 'url' => 'http://127.0.0.1:8002' }],
                                       'serversTransport' => 'multitenant-once',
                                       'sticky' => { 'cookie' => { 'httpOnly' => true } } } },
                 http['services'][names[1]])
    assert_equal({ 'stripPrefix' => { 'prefixes' => ['/prof/a@students'] } }, http['middlewares'][names[0]])
    assert_equal({}, YAML.safe_load(proxy_config('--engine', 'traefik', jobs: [job(1)]).out))
    assert_equal 65, proxy_config('--engine', 'traefik', '--output', config, '--check').code
  end

  def test_the_schema_objects_to_what_is_not_in_it
    router = { 'rule' => 'PathPrefix(`/a/`)', 'service' => 'a' }
    { router => [], router.merge('priority' => -1) => ['/http/routers/a/priority is too small'],
      router.except('rule') => ['/http/routers/a has no rule'], router.merge('x' => 1) => ['/http/routers/a has x'],
      router.merge('middlewares' => [1]) => ['/http/routers/a/middlewares is no string'] }.each do |told, objected|
      assert_equal objected, objections({ 'http' => { 'routers' => { 'a' => told } } })
    end
    servers = { 'http' => { 'services' => { 'a' => { 'loadBalancer' => { 'servers' => [] } } } } }
    assert_equal ['/http/services/a/loadBalancer/servers has too few'], objections(servers)
  end

  # There are dots in names of users and groups.
  def test_no_service_is_in_the_place_of_another_one_in_traefiks_file
    done = proxy_config('--engine', 'traefik', jobs: [asking(1, 'b:web:8001', user: 'a', group: 'c.d'),
                                                      asking(2, 'c:web:8002', user: 'a.b', uid: 1002, group: 'd')])
    rules = YAML.safe_load(done.out)['http']['routers'].values.map { |one| one['rule'] }
    assert_equal ['PathPrefix(`/a.b/c@d/`)', 'PathPrefix(`/a/b@c.d/`)'], rules.sort
  end

  def test_what_publishers_write_can_not_leave_its_place_in_traefiks_file
    keeper('traefik', check: false).call(worst)
    assert_empty objections(YAML.safe_load_file(config))
    http = YAML.safe_load_file(config)['http']
    assert_operator http['routers'].size, :>, 900
    http['routers'].each_value { |one| assert_match(%r{\APathPrefix\(`/[\w.-]+/[a-z0-9-]+@[\w.-]+/`\)\z}, one['rule']) }
  end

  # ---- multitenant-agent --proxy ----

  def test_the_agent_keeps_it_after_each_round_and_says_what_changed
    said = []
    answers = [answer(asking(1, A)), answer(asking(1, A)), answer(asking(2, A))]
    directory = File.join(temporary, 'snapshot').tap { |dir| Dir.mkdir(dir) }
    options = MultiTenant::Proxy::Keeper.parse("--engine haproxy --output #{config} --reload '/bin/false x'")
    proxy = MultiTenant::Proxy::Keeper.new(@settings, @clusters, options)
    agent = MultiTenant::Agent.new(@settings, source: ->(_) { answers.shift }, directory: directory,
                                              log: said.method(:push), files: [proxy])
    3.times { assert agent.round }
    assert_equal 1, said.grep(/The proxy was not reloaded/).size
    assert_path_exists File.join(directory, 'state')
  end

  # It may have come up while a cluster is away.
  def test_the_agent_begins_with_a_whole_answer
    proxy = keeper('haproxy')
    assert_match(/has what it had/, proxy.call(answer(asking(1, A), error: 'A cluster does not answer.')))
    [stream(asking(1, A), whole: false), stream(sees: 'own'), ''].each do |text|
      half = answer.tap { |one| one.records = [MultiTenant::Records.new(text)] }
      assert_match(/has what it had/, keeper('haproxy').call(half))
    end
    refute_path_exists config
    proxy.call(answer(asking(1, A)))
    proxy.call(answer(asking(2, 'b:web:8002'), cluster: 'other', error: 'A cluster does not answer.'))
    assert_equal %w[prof/a@students prof/b@students], proxy.services.map(&:path)
  end

  # One user with hundreds of jobs is enough for that, as long as they run.
  def test_jobs_that_slurmrestd_had_no_time_for_keep_the_agent_from_nothing
    late = out_of_time([*1001..1300], asking(1, A), surplus: true)
    other = answer(asking(2, 'b:web:8002'), cluster: 'other')
    both = MultiTenant::Answer.new(records: late.records + other.records, error: late.error, code: late.code,
                                   parts: [late, other])
    assert_match(/1 service/, keeper('haproxy').call(late))
    assert_match(/2 services/, keeper('haproxy').call(both))
    down = answer(error: 'It does not answer.').tap { |one| one.records = [] }
    both = MultiTenant::Answer.new(records: late.records, error: late.error, code: late.code, parts: [late, down])
    assert_match(/has what it had/, keeper('haproxy').call(both))
  end

  # Those for which it had no time are then whoever's.
  def test_the_agent_does_not_begin_while_slurm_is_slow
    keeper('haproxy').call(answer(asking(1, A), asking(2, 'b:web:8002')))
    before = File.read(config)
    proxy = keeper('haproxy')
    [[[1, 2]], [[2], asking(1, A)]].each { |told| assert_match(/has what it had/, proxy.call(out_of_time(*told))) }
    assert_equal before, File.read(config)
    assert_match(/2 services/, proxy.call(answer(asking(1, A), asking(2, 'b:web:8002'))))
    assert_match(/2 services/, proxy.call(out_of_time([2], asking(1, A))))
  end

  # As slurmrestd's where it had no time for these.
  def out_of_time(ids, *jobs, **options)
    MultiTenant::Answer.new(texts: [stream(*jobs, undetermined: ids)], from: 'slurmrestd', seconds: 0.0,
                            error: 'There was no time.', code: MultiTenant::EX_TEMPFAIL, **options)
  end

  # It begins anew each time, so that jobs for which there was no time would leave the proxy.
  def test_the_command_gives_slurm_time_for_all_jobs
    given = []
    source = ->(seconds) { answer(asking(1, A)).tap { given << seconds } }
    %w[3 60].each do |timeout|
      settings = MultiTenant::Settings.new({ 'MULTITENANT_TIMEOUT' => timeout })
      host = Struct.new(:settings, :sources).new(settings, source)
      MultiTenant::CLI::ProxyConfig.new('proxy-config', '').send(:whole, host)
    end
    assert_equal [30, 60], given
  end

  # Which is not asked in each round then, and is in no error of those.
  def test_the_agent_does_not_begin_without_a_cluster_that_fails
    down = answer(error: 'It does not answer.').tap { |one| one.records = [] }
    told = { hpc: [answer(asking(1, A))] * 3, other: [down, answer(asking(2, 'b:web:8002'), cluster: 'other')] }
    time = 0
    sources = MultiTenant::Sources.new(told.values.map do |answers|
      MultiTenant::Schedule.new(->(_) { answers.shift }, 1, clock: -> { time })
    end)
    proxy = MultiTenant::Proxy::Keeper.new(@settings, @clusters, { engine: 'haproxy', output: config },
                                           answering: sources.method(:answering?))
    2.times { assert_match(/has what it had: .*OOD_CLUSTERS/, proxy.call(sources.call(1)).tap { time += 2 }) }
    refute_path_exists config
    time += 10
    proxy.call(sources.call(1)) # those that are well, and then the other one
    assert_match(/2 services/, proxy.call(sources.call(1)))
  end

  def test_agents_options_that_make_no_sense
    haproxy = '--engine haproxy --output'
    ['--engine haproxy', '--output /x', "#{haproxy} /x y", "--engine 'x", "#{haproxy} ''",
     "#{haproxy} /x --reload ''", "#{haproxy} /x --reload \"a 'b\""].each do |text|
      assert_raises(OptionParser::ParseError, text) { MultiTenant::Proxy::Keeper.parse(text) }
    end
  end
end
