# frozen_string_literal: true

require_relative 'helper'

# What programs find in their environment of a service that is shared.
class TestServiceEnvironment < Minitest::Test
  def of(connection)
    MultiTenant::ServiceEnvironment.of(connection)
  end

  def test_language_models
    vllm = { 'base_url' => 'http://n1:8000/v1', 'api_key' => 'k', 'model' => 'm', 'mt_appname' => 'Ollama_API' }
    assert_equal({ 'MT_BASE_URL' => 'http://n1:8000/v1', 'MT_API_KEY' => 'k', 'MT_MODEL' => 'm',
                   'MT_APPNAME' => 'Ollama_API', 'OPENAI_BASE_URL' => 'http://n1:8000/v1', 'OPENAI_API_KEY' => 'k' },
                 of(vllm))
    assert_equal 'none', of(vllm.except('api_key'))['OPENAI_API_KEY']
    assert_nil of(vllm.except('api_key').merge('mt_gate' => 'n1 8000'))['OPENAI_API_KEY']
    assert_equal({ 'MT_OLLAMA_URL' => 'u', 'MT_OLLAMA_MODEL' => 'm', 'OLLAMA_HOST' => 'u', 'MT_MODEL' => 'm' },
                 of('ollama_url' => 'u', 'ollama_model' => 'm'))
  end

  def test_databases
    given = { 'host' => 'h', 'port' => '1', 'user' => 'u', 'password' => 'p', 'database' => 'd' }
    postgresql = { 'PGHOST' => 'h', 'PGPORT' => '1', 'PGUSER' => 'u', 'PGPASSWORD' => 'p', 'PGDATABASE' => 'd',
                   'PGPASSFILE' => '/dev/null' }
    mysql = { 'MYSQL_HOST' => 'h', 'MYSQL_TCP_PORT' => '1', 'MYSQL_USER' => 'u', 'MYSQL_PWD' => 'p',
              'MYSQL_DATABASE' => 'd', 'MYSQL_TEST_LOGIN_FILE' => '/dev/null' }
    { 'jdbc:postgresql://h:1/d' => postgresql, 'jdbc:mariadb://h' => mysql, 'jdbc:mysql://h' => mysql,
      'jdbc:oracle:x' => {}, nil => { **postgresql, **mysql } }.each do |url, names|
      found = of(given.merge({ 'jdbc_url' => url }.compact))
      assert_equal(names, found.reject { |name, _| name.start_with?('MT_') })
    end
    assert_equal %w[MT_HOST MT_PORT], of(given.slice('host', 'port')).keys
  end

  def test_services_are_reached_directly
    { { 'base_url' => 'http://n1:8000/v1', 'host' => 'n1' } => 'n1', { 'ollama_url' => 'https://n2' } => 'n2',
      { 'base_url' => 'http://[::1]:80/v1', 'host' => 'gpu_1' } => '::1,gpu_1',
      { 'base_url' => 'http://a,*/', 'host' => '*' } => nil, { 'host' => '$(id)' } => nil, {} => nil }
      .each do |connection, hosts|
        script = MultiTenant::ServiceEnvironment.script(connection)
        assert_equal hosts.to_s, script[/\$no_proxy,\}(.*);/, 1].to_s, connection
      end
  end

  # Jupyter starts terminals in a job. Debian's bash has read /etc/bash.bashrc before. Of what the service is not for,
  # the user's own stays.
  def test_in_a_terminal_what_start_up_files_set_does_not_come_after_the_service
    terminal = File.expand_path('../../apps-clients/multitenant-jupyter/template/terminal.sh', __dir__)
    show = "export OPENAI_API_KEY=site no_proxy=site; . #{terminal}; " \
           "printf '%s|' \"$OPENAI_API_KEY\" \"${OPENAI_ORG_ID-}\" $PGHOST \"$no_proxy\" \"${!mt_@}\""
    script = MultiTenant::ServiceEnvironment.script({ 'base_url' => 'http://n1:8/v1', 'api_key' => "k'\"\\$(id)\n€" })
    Dir.mktmpdir do |home|
      theirs = 'export OPENAI_API_KEY=own OPENAI_ORG_ID=own PGHOST=own no_proxy=localhost'
      File.write(File.join(home, '.bash_profile'), "#{theirs}\n")
      env = { 'HOME' => home, 'NO_PROXY' => '', 'no_proxy' => '', 'SHOW' => show }
      out, = Open3.capture2(env, 'bash', '-c', "unset_client_variables() { :; }\n#{script}exec bash -c \"$SHOW\"")
      assert_equal "k'\"\\$(id)\n€||own|n1,localhost|mt_families|", out.force_encoding('UTF-8')
    end
  end

  # A publisher has no say in names but behind the prefix.
  def test_no_key_is_a_variable_of_its_own
    keys = %w[PATH LD_PRELOAD BASH_ENV ENV IFS PYTHONPATH PYTHONSTARTUP PGSERVICEFILE PGSSLMODE OPENAI_API_KEY
              http_proxy HOME mt_ MT_MT_PATH mt_modules password]
    names = of(keys.to_h { |key| [key, 'x'] }).keys
    assert_equal keys.size, names.size
    assert_empty(names.grep_v(/\AMT_[A-Z0-9_]*\z/))
  end

  # These say where credentials of the tenant's go, and for whom.
  def test_no_key_tells_of_other_jobs_or_gateways
    theirs = { 'mt_members' => 'ours', 'MEMBERS' => 'x', 'members' => 'x', 'Gates' => 'x', 'MT_GATES' => 'x' }
    assert_equal({ 'MT_MEMBERS' => 'ours' }, of(theirs))
    names = { 'mt_members' => 'x', 'mt_gates' => 'x', 'mt_gate' => 'x', 'host' => 'n1' }
    assert_equal({ 'host' => 'n1' }, MultiTenant::Gateway.connection('connection' => names))
  end
end
