# frozen_string_literal: true

require_relative 'healthy_host'

# What doctor says of gateways, and of what the portal hands to services.
class TestDoctorGateway < DoctorTest
  APPS = '/var/www/ood/apps/sys'
  PORTAL = '/etc/httpd/conf.d/ood-portal.conf'

  def host
    super.tap { |one| FileUtils.cp_r(File.join(Tree::ROOT, 'libexec'), File.dirname(one.lib)) unless @copied }
         .tap { @copied = true }
  end

  def app(text)
    host.write("#{APPS}/multitenant-llm/site.yml", "cluster: hpc\n#{text}")
  end

  def test_who_asks_tenants_who_they_are
    assert_told 'Gateway', 'ok', 'Gateways', /no service app is to have one: whoever can reach a service/
    app("gateway: auto\nenvelope: munge\n")
    assert_told 'Gateway', 'ok', 'Gateways', /multitenant-llm asks each tenant who they are/
    app("gateway: required\n")
    assert_told 'Gateway', 'warn', 'Gateways', /multitenant-llm shares in v1, .* with `required` nothing can be shared/,
                /old_readers: "no".* where munged knows .* else `envelope: "key"`.*"Envelopes that protect"/
  end

  # Modules and munged's socket are in what they can't read.
  def test_who_may_not_start_service_apps_is_told_nothing_of_them
    app("gateway: required\nenvelope: munge\nmodules_nginx: nginx\n")
    File.chmod(0o750, host.at("#{APPS}/multitenant-llm"))
    host.program('srun', 'cat >/dev/null; echo "guard this node has no nginx with auth_request"; echo asked')
    ['Gateways', 'Gateway on a node'].each do |check|
      assert_told 'Gateway', 'skip', check, /this user may not start service apps/, node: true
    end
    # Another app is open to all.
    host.write("#{APPS}/multitenant-database/site.yml", "cluster: hpc\ngateway: auto\nenvelope: munge\n")
    assert_told 'Gateway', 'ok', 'Gateways', /multitenant-database asks each tenant who they are/
  end

  # What a job says, in the words of libexec/multitenant-gateway, which it is given.
  def test_what_a_node_can_do_is_asked_by_a_job
    told = { node: true }
    assert_told 'Gateway', 'skip', 'Gateway on a node', /`multitenant doctor --node` tries it/
    host.program('srun', 'cat >"${0%/*}/asked"; echo asked')
    FileUtils.touch(host.at('/bin/asked')) && File.chmod(0o666, host.at('/bin/asked'))
    assert_told 'Gateway', 'ok', 'Gateway on a node', /a node has nginx, munge and multitenant-gate/, **told
    assert_match(%r{^can_guard\(\) \{.*^can_isolate\(\) \{.*^mt_gate_programs=/}m, File.read(host.at('/bin/asked')))
    host.program('srun', "cat >/dev/null; echo 'guard this node has no nginx with auth_request'; echo asked")
    assert_told 'Gateway', 'warn', 'Gateway on a node', /this node has no nginx with auth_request\. .* with `required`/,
                /Compute nodes/, **told
    host.program('srun', "cat >/dev/null; echo 'isolate this node gives users no network namespace'; echo asked")
    assert_told 'Gateway', 'warn', 'Gateway on a node', /no network namespace\. With `gateway: auto` users of the same/,
                /max_user_namespaces/, **told
    host.program('srun', "echo 'srun: error: Unable to allocate resources' >&2; exit 1")
    assert_told 'Gateway', 'skip', 'Gateway on a node', /no job told: .*Unable to allocate/, **told
    assert_told 'Gateway', 'skip', 'Gateway on a node', /run it as a user/, as: nil, **told
  end

  # As Open OnDemand submits to the cluster that an app is of.
  def test_a_node_of_the_apps_own_cluster_is_asked
    { 'alpha' => '', 'gpu' => 'cluster: gpu, ' }.each do |name, said|
      host.write("/etc/ood/config/clusters.d/#{name}.yml",
                 "v2: {job: {adapter: slurm, #{said}conf: #{host.at("/#{name}.conf")}, bin: #{host.at('/opt/bin')}}}\n")
    end
    app("gateway: required\nenvelope: munge\nmodules_nginx: nginx\n")
    host.write("#{APPS}/multitenant-database/site.yml", "cluster: gpu\ngateway: auto\nenvelope: munge\n")
    host.write("#{APPS}/multitenant-instruction/site.yml", "cluster: alpha\nenvelope: munge\n")
    host.program('srun', "grep -q '^mt_modules_nginx=nginx$' && [ \"$1\" = --clusters=hpc ] && echo asked")
    gpu = "[ \"$1$SLURM_CONF\" = --clusters=gpu#{host.at('/gpu.conf')} ]"
    host.write('/opt/bin/srun', "#!/bin/sh\ncat >/dev/null; #{gpu} && echo guard gpu9 lacks it; echo asked\n",
               mode: 0o755)
    assert_told 'Gateway', 'warn', 'Gateway on a node', /gpu: gpu9 lacks it\./, /Compute nodes/, node: true
    assert_includes done.out, 'ok    Gateway on a node: hpc: a node has nginx'
    refute_match(/alpha/, done.out)
  end

  # One rule for doctor and the job: site.yml, else MULTITENANT_MUNGE_SOCKET, else what the node's slurm.conf says.
  def test_a_node_is_asked_about_the_munged_that_jobs_take
    host.program('srun', 'cat >"${0%/*}/asked"; echo asked')
    FileUtils.touch(host.at('/bin/asked')) && File.chmod(0o666, host.at('/bin/asked'))
    asked = lambda do
      assert_told 'Gateway', 'ok', 'Gateway on a node', /munge/, node: true
      File.read(host.at('/bin/asked'))[/^mt_munge_socket=(.*)/, 1]
    end
    assert_nil asked.call
    env_file('MULTITENANT_MUNGE_SOCKET=/run/site.socket')
    assert_equal '/run/site.socket', asked.call
    app("munge_socket: /run/own.socket\n")
    assert_equal '/run/own.socket', asked.call
  end

  # The words of the job itself, here.
  def test_what_a_job_is_given_runs
    parts = MultiTenant::Doctor::Gateway::PARTS.map { |path| File.read(path) }.join("\n")
    done = run_as(nil, 'bash', '-s', stdin: "#{parts}#{MultiTenant::Doctor::Gateway::ASK}",
                                     env: { 'SLURM_JOB_ID' => '7', 'SLURM_CLUSTER_NAME' => 'hpc' })
    assert_equal 'asked', done.out.lines.last.chomp, done.err
    assert_empty(done.out.lines(chomp: true).grep_v(/\A(?:guard|isolate) .|\Aasked\z/))
  end

  # ---- the portal ----

  def portal(*lines, auth: 'AuthType openid-connect')
    host.write(PORTAL, <<~APACHE)
      <LocationMatch "^/node/(?<host>[^/]+)/(?<port>\\d+)">
        #{[auth, 'Require valid-user', *lines].join("\n  ")}
        LuaHookFixups node_proxy.lua node_proxy_handler
      </LocationMatch>
      <LocationMatch "^/rnode/(?<host>[^/]+)/(?<port>\\d+)(?<uri>/.*|)">
        #{[auth, *lines].join("\n  ")}
      </LocationMatch>
      <Location "/pun">
        #{auth}
      </Location>
    APACHE
  end

  def test_paths_that_cards_and_clients_do_not_know
    assert_told 'Gateway', 'skip', "Portal's paths", /no portal of Open OnDemand's/
    portal('RequestHeader unset Cookie')
    assert_told 'Gateway', 'ok', "Portal's paths", %r{leads to services below /node, /rnode\.}
    text = File.read(host.at(PORTAL))
    host.write(PORTAL, text.sub('^/rnode/', '^/reverse/'))
    assert_told 'Gateway', 'warn', "Portal's paths", %r{services below /rnode, .*below /node, /reverse alone},
                %r{node_uri: '/node' and rnode_uri: '/rnode' into ood_portal\.yml}
    host.write(PORTAL, text.gsub(%r{<LocationMatch.*?</LocationMatch>}m, ''))
    assert_told 'Gateway', 'ok', "Portal's paths", /leads to no services/
  end

  def assert_leaks(*lines)
    portal(*lines)
    assert_told 'Gateway', 'warn', "Portal's secrets",
                %r{below /node, /rnode a service is given the portal's session cookie \(mod_auth_openidc_session\)},
                /custom_location_directives.*RequestHeader edit\* Cookie/
  end

  def assert_keeps(*lines)
    portal(*lines)
    assert_told 'Gateway', 'ok', "Portal's secrets", /keeps its own cookie and passwords from services/
  end

  def test_the_portals_session_cookie
    assert_told 'Gateway', 'skip', "Portal's secrets", /no portal of Open OnDemand's/
    assert_leaks
    # It leaves the last cookie where it is.
    assert_leaks 'RequestHeader edit* Cookie "mod_auth_openidc_session[^;]*;\s*" ""'
    assert_leaks 'RequestHeader edit Cookie "^mod_auth_openidc_session=[^;]*" ""'
    assert_leaks 'RequestHeader edit* Cookie "(" ""'
    assert_keeps 'RequestHeader edit* Cookie "(^|;\s*)mod_auth_openidc_session[^;]*" ""'
    assert_keeps 'OIDCStripCookies mod_auth_openidc_session mod_auth_openidc_session_0'
    assert_keeps 'RequestHeader unset Cookie'
  end

  # As Open OnDemand's page on OpenID Connect has it; what stands in another section means nothing here.
  def test_what_the_whole_portal_keeps
    strip = "OIDCStripCookies mod_auth_openidc_session\n"
    portal
    text = File.read(host.at(PORTAL))
    host.write(PORTAL, "<VirtualHost *:443>\n<Location /pun>\n#{strip}</Location>\n#{text}</VirtualHost>\n")
    assert_told 'Gateway', 'warn', "Portal's secrets", /session cookie/, /RequestHeader/
    host.write(PORTAL, "<VirtualHost *:443>\n#{strip}#{text}</VirtualHost>\n")
    assert_told 'Gateway', 'ok', "Portal's secrets", /keeps its own/
    host.write(PORTAL, text)
    host.write('/etc/httpd/conf.d/auth_openidc.conf', strip)
    assert_told 'Gateway', 'ok', "Portal's secrets", /keeps its own/
  end

  def test_a_session_cookie_with_a_name_of_the_sites
    portal('RequestHeader edit* Cookie "(^|;\s*)mod_auth_openidc_session[^;]*" ""')
    text = File.read(host.at(PORTAL))
    host.write(PORTAL, "OIDCCookie our_session\n#{text}")
    assert_told 'Gateway', 'warn', "Portal's secrets", /session cookie \(our_session\)/, /\(\^\|;\\s\*\)our_session/
    host.write(PORTAL, "OIDCCookie our_session\nOIDCStripCookies our_session\n#{text}")
    assert_told 'Gateway', 'ok', "Portal's secrets", /keeps its own/
  end

  def test_the_cure_that_is_told_is_one
    cure = format(MultiTenant::Doctor::Gateway::CURE, 'mod_auth_openidc_session')[/'(RequestHeader.*)'/, 1]
    assert_keeps cure
  end

  # Open OnDemand's page on Shibboleth has such a line; those on CAS and Mellon have none.
  def test_session_cookies_of_other_modules
    { 'shibboleth' => '_shibsession_', 'CAS' => 'MOD_AUTH_CAS', '"Mellon"' => 'mellon-' }.each do |type, cookie|
      portal(auth: "AuthType #{type}")
      assert_told 'Gateway', 'warn', "Portal's secrets", /is given the portal's session cookie \(#{cookie}\)/,
                  /RequestHeader edit\* Cookie "\(\^\|;\\s\*\)#{cookie}\[\^;\]\*" ""/
      portal(%(RequestHeader edit* Cookie "(^|;\\s*)#{cookie}[^;]*" ""), auth: "AuthType #{type}")
      assert_told 'Gateway', 'ok', "Portal's secrets", /keeps its own cookie/
    end
    lines = ['RequestHeader edit* Cookie "(^_shibsession_[^;]*(;\s*)?|;\s*_shibsession_[^;]*)" ""',
             'RequestHeader unset Cookie "expr=-z %{req:Cookie}"']
    portal(*lines, auth: 'AuthType shibboleth')
    assert_told 'Gateway', 'ok', "Portal's secrets", /keeps its own cookie/
    portal(lines[1], auth: 'AuthType shibboleth')
    assert_told 'Gateway', 'warn', "Portal's secrets", /session cookie/, /RequestHeader/
    portal(auth: 'AuthType form')
    assert_told 'Gateway', 'skip', "Portal's secrets", /which cookie AuthType form has is not known here/
    portal(auth: '')
    assert_told 'Gateway', 'skip', "Portal's secrets", /which cookie a portal without AuthType has is not known here/
  end

  def test_passwords_of_the_portal
    basic = 'AuthType Basic'
    portal(auth: basic)
    assert_told 'Gateway', 'ok', "Portal's secrets", /keeps its own cookie and passwords/
    host.write('/opt/ood/VERSION', "4.0.8\n")
    assert_told 'Gateway', 'warn', "Portal's secrets", %r{/node, /rnode a service is given the password that they log},
                /RequestHeader unset Authorization/
    portal('RequestHeader unset Authorization', auth: basic)
    assert_told 'Gateway', 'ok', "Portal's secrets", /keeps its own cookie and passwords/
    beside = '/etc/httpd/conf.d/auth_openidc.conf'
    host.write(beside, '')
    [beside, PORTAL].each do |path| # there may be a secret of its own in the other one
      File.chmod(0o600, host.at(path))
      assert_told 'Gateway', 'skip', "Portal's secrets", /only root can read #{host.at(path)}\./
    end
  end

  # A card has no word of warning there.
  def test_addresses_of_services_on_the_portals_own_host
    portal('OIDCStripCookies mod_auth_openidc_session', 'ServerName https://Ondemand.example.edu:443')
    { 'services' => ['ok', /keeps its own/], 'ondemand' => ['warn', /portal's own host/] }.each do |name, (state, said)|
      env_file("MULTITENANT_ADDRESS=https://#{name}.example.edu:443/{user}/{service}@{group}/")
      assert_told 'Gateway', state, "Portal's secrets", said, (/host name of their own/ if state == 'warn')
    end
  end
end
