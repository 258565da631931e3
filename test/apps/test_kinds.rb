# frozen_string_literal: true

require_relative 'client_test'

# Kinds of servers in jobs of hpcfaculty's, and what programs of hpcstudent's find of them in Jupyter.
class TestKinds < ClientTest
  include KindJobs

  APP = 'multitenant-jupyter'
  # What MLflow's clients do.
  ASK = 'curl -q -s -o /dev/null -w "%{http_code} " ${MLFLOW_TRACKING_TOKEN:+-H "Authorization: Bearer ' \
        '$MLFLOW_TRACKING_TOKEN"} "$MLFLOW_TRACKING_URI/health"'

  FileUtils.cp(File.join(Bed::ROOT, 'test/ruby/kind_server.py'), BIN)
  FileUtils.ln_sf('kind_server.py', File.join(BIN, 'mlflow'))

  # @return [Hash{String => String}] of programs in a Jupyter of hpcstudent's with this service
  def found(job)
    environment(ood('stage', job.job_id)['dir'])
  end

  # @return [String] what a program of this user's prints there
  def program(*words, env: {}, user: STUDENT)
    Bed.as(user, *words, env: env).then { |done| "#{done.out}#{done.err}".strip }
  end

  def redis(env, *words)
    program('redis-cli', '--no-auth-warning', '-u', env.fetch('REDIS_URL'), *words)
  end

  def test_a_real_redis_is_found_by_its_clients_and_keeps_what_they_write
    job = serve_kind('redis')
    assert_equal %w[host kind password port], job.specs.keys.sort
    assert_equal 'Redis', Bed.specs(STUDENT).dig(job.job_id.to_s, 'info', 'title')
    env = found(job)
    assert_equal %w[OK ser], [redis(env, 'set', 'verb', 'ser'), redis(env, 'get', 'verb')]
    [%w[config set dir /tmp], %w[save], %w[shutdown]].each { |words| assert_match(/\ANOPERM/, redis(env, *words)) }
    open = "redis://#{env['MT_HOST']}:#{env['MT_PORT']}"
    assert_match(/\ANOAUTH/, redis({ 'REDIS_URL' => open }, 'get', 'verb'))
    arguments.each { |words| refute_includes words, env['MT_PASSWORD'] }
    job.cancel
    env = found(serve_kind('redis'))
    assert_equal 'ser', redis(env, 'get', 'verb')
  end

  # It takes minutes: the job that follows starts one after the first, whose limit is longer than TERM comes early.
  def test_a_hand_over_of_redis_keeps_what_was_written_last
    skip 'it takes minutes: script/test --long' unless ENV['MULTITENANT_LONG']

    AppJobs.configure(@site, 'keep_days' => '30')
    first = serve_kind('redis', 'mt_until' => (Date.today + 1).to_s, 'bc_num_hours' => '0.1')
    env = address(first.specs)
    written = 0
    Bed.wait('another job serves', 300) do
      written += 1 if redis(env, 'set', 'last', (written + 1).to_s) == 'OK'
      Bed.specs(STUDENT).keys.any? { |job| job != first.job_id.to_s }
    end
    assert_operator written, :>, 1
    Bed.wait('the first one is not shared', 60) { Bed.specs(STUDENT).size == 1 }
    env = address(Bed.specs(STUDENT).values.first['connection'])
    assert_equal written.to_s, redis(env, 'get', 'last')
    Bed.wait('the first one ends', 150) { first.ended? }
    assert_equal ['COMPLETED', written.to_s], [first.state, redis(env, 'get', 'last')]
  end

  def address(specs)
    { 'REDIS_URL' => "redis://default:#{specs['password']}@#{specs['host']}:#{specs['port']}/0" }
  end

  # A stand-in for MLflow behind a real gateway.
  def test_behind_a_gateway_programs_have_a_key_of_the_tenants_own
    env = found(guarded(SERVERS) { serve_kind('mlflow') })
    assert_match(/\Amt1\.#{Bed.uid(STUDENT)}\./, env['MLFLOW_TRACKING_TOKEN'])
    told = env.slice('MLFLOW_TRACKING_URI', 'MLFLOW_TRACKING_TOKEN')
    assert_equal '200', program('bash', '-c', ASK, env: told)
    assert_equal '401', program('bash', '-c', ASK, env: told.except('MLFLOW_TRACKING_TOKEN'))
  end

  def test_a_real_jupyterhub_knows_each_tenant_by_the_gateways_word
    skip 'it installs much: script/test --long' unless ENV['MULTITENANT_LONG']

    job = guarded(SERVERS) { serve_kind('jupyterhub') }
    host, port = job.specs.values_at('host', 'port')
    base = "http://#{host}:#{port}/node/#{host}/#{port}"
    key = { 'KEY' => token(job) }
    page = program('bash', '-c', "curl -q -s -L -b '' -H \"Authorization: Bearer $KEY\" #{base}/hub/home", env: key)
    assert_match(/class="navbar-text">#{STUDENT}</, page)
    spawned = program('bash', '-c', "curl -q -s -L -b '' -H \"Authorization: Bearer $KEY\" -o /dev/null " \
                                    "-w '%{http_code} %{url_effective}' --max-time 60 #{base}/hub/spawn", env: key)
    assert_match(%r{\A200 #{base}/(?:hub/spawn-pending/#{STUDENT}|user/#{STUDENT}/)}, spawned)
    assert_equal '401', program('curl', '-q', '-s', '-o', File::NULL, '-w', '%{http_code}', "#{base}/hub/home")
  end

  # @return [String] hpcstudent's own
  def token(job)
    env = { 'MULTITENANT_MUNGE_SOCKET' => ENV.fetch('MULTITENANT_TESTBED_MUNGE_SOCKET') }
    done = Bed.multitenant(STUDENT, 'login', job.job_id, env: env)
    done.out[/^export MT_API_KEY=(\S+)/, 1] || flunk(done.err)
  end
end
