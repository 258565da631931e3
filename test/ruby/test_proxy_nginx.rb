# frozen_string_literal: true

require_relative 'proxied'

# A real nginx that includes our file, in front of servers that come, go and are killed.
class TestProxyNginx < MultiTenantTest
  include RunningProxy

  NGINX = MultiTenant::Program.find('nginx', "#{ENV.fetch('PATH')}:/usr/sbin")

  def setup
    super
    skip_unless(NGINX, 'needs nginx')
  end

  # Reloads the running one, if there is one.
  def configure(*jobs)
    keeper = keeper('nginx', **(@proxy ? { reload: "/bin/kill -HUP #{@proxy}" } : {}))
    keeper.call(answer(*jobs))
    start unless @proxy
  end

  def start
    @proxy = spawn(NGINX, '-c', nginx_file, '-p', temporary, %i[out err] => File.join(temporary, 'nginx.log'))
  end

  def test_paths_lead_to_services_and_to_nothing_else
    serve('j1')
    configure(*of('j1', kind: 'web'), asking(7, 'b:web:1025'), asking(8, 'c:web:1026', group: 'Domain Users'))
    wait_until { status("#{A}/") == '200' }
    assert_equal(['j1 /', 'j1 /x/y?z=%2f', 'j1 /x%2Fy//z%20'],
                 ["#{A}/", "#{A}/x/y?z=%2f", "#{A}/x%2Fy//z%20"].map { |path| get(path).body })
    assert_equal ['301', "#{A}/?x=1"], [get("#{A}?x=1").code, get("#{A}?x=1")['Location']]
    others = ['/', '/prof/x@students/', '/prof/a@other/', '//evil.example/a@students', "#{A}/../../b"]
    assert_equal %w[404], others.map { |path| status(path) }.uniq
    assert_match(%r{service prof/b@students .*by prof}, get('/prof/b@students/').body)
    assert_equal '503', status('/prof/c@Domain%20Users/')
  end

  # A browser sends there what it has of the first one, be it a token that no script may read.
  def test_below_the_path_of_a_service_no_other_one_is_met
    %w[j1 j2].each { |name| serve(name) }
    configure(*of('j1', kind: 'web'), asking(2, "b:web:#{@served['j2'].last}", user: 'eve', uid: 1002))
    wait_until { status("#{A}/") == '200' }
    climbs = %w[..%2f..%2f ..%2F..%2F %2e%2e%2f%2E.%2f x/..%2f..%2f..%2f ../../]
    paths = ['eve/b@students/', 'eve/b@students/multitenant/login?member=x']
    assert_equal %w[404], climbs.product(paths).map { |climb, path| status("#{A}/#{climb}#{path}") }.uniq
    assert_equal ['200', 'j1 /x/..%2fy'], [status('/eve/b@students/'), get("#{A}/x/..%2fy").body]
  end

  # What another publisher's job says would stand at this one's address.
  def test_no_job_of_another_service_answers_a_login
    %w[j1 j2].each { |name| serve(name) }
    configure(*of('j1', kind: 'web'), asking(2, "b:web:#{@served['j2'].last}", user: 'eve', uid: 1002))
    wait_until { status("#{A}/") == '200' }
    names = [1, 2].map { |job| MultiTenant::Gateway.member(job, 'hpc') }
    said = names.map { |name| get("#{A}/multitenant/login?member=#{name}").body[/\w+/] }
    assert_equal [%w[j1 j1], 'j2'], [said, get("/eve/b@students/multitenant/login?member=#{names[1]}").body[/\w+/]]
  end

  # They are the host's nginx's own, which as root's would be another user's then.
  def test_the_check_makes_no_directory_where_nginx_has_its_own
    need_root
    parent = File.dirname(`#{NGINX} -V 2>&1`[/--http-client-body-temp-path=(\S+)/, 1])
    skip_unless(system('unshare', '--mount', 'mount', '-t', 'tmpfs', 'none', parent), 'needs mount')
    File.write(File.join(temporary, 'records'), stream(asking(1, 'a:web:8001')))
    exe = File.expand_path('../../exe/multitenant', __dir__)
    there, status = Open3.capture2(
      'unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none "$0" && "$@" && ls -A "$0"', parent,
      RbConfig.ruby, '-I', Tree.lib, exe, 'proxy-config', '--engine', 'nginx', '--check', '--output', config,
      '--records', File.join(temporary, 'records'), err: File::NULL
    )
    assert_equal [true, ''], [status.success?, there]
  end

  def test_an_nginx_that_was_built_without_a_module_checks_too
    fake = "#!/bin/sh\n[ \"$1\" != -V ] || { echo --without-http_uwsgi_module >&2; exit; }\n" \
           "shift 3; cat \"$1\" >#{temporary}/tried\n"
    File.write(File.join(temporary, 'nginx'), fake, perm: 0o755)
    File.write(File.join(temporary, 'records'), stream(asking(1, 'a:web:8001')))
    multitenant('proxy-config', '--engine', 'nginx', '--check', '--output', config, '--records', "#{temporary}/records",
                env: { 'PATH' => "#{temporary}:#{ENV.fetch('PATH')}" })
    tried = File.read(File.join(temporary, 'tried'))
    assert_equal %w[client_body fastcgi proxy scgi], tried.scan(/(\w+)_temp_path/).flatten.sort
  end

  def test_a_member_that_is_killed_costs_nobody_a_request
    serve_all('j1', 'j2')
    seen = Array.new(20) { get("#{A}/").body[/\w+/] }
    kill('j1')
    codes = Array.new(100) { status("#{A}/") }
    assert_equal [%w[j1 j2], %w[200]], [seen.uniq.sort, codes.uniq]
    kill('j2')
    assert_equal '503', status("#{A}/")
  end

  # One that leaves is left out while another one serves, and one that is gone says whose it was.
  def test_a_job_that_leaves_gets_nobody_new
    %w[j1 j2].each { |name| serve(name) }
    configure(*of('j1', kind: 'web', end: Time.now.to_i + 60), *of('j2', kind: 'web'))
    wait_until { status("#{A}/") == '200' }
    assert_equal ['j2 /'], Array.new(10) { get("#{A}/").body }.uniq
    configure(asking(9, 'b:tcp:1025'))
    wait_until { get("#{A}/").then { |got| got.code == '503' && got.body.include?('started by prof') } }
  end

  # As at the far end of a tunnel, where no user may have the port.
  def test_a_file_for_a_port_of_roots_is_tried_by_an_account_that_may_not_have_it
    need_root
    File.chmod(0o711, temporary)
    File.write(config, MultiTenant::Proxy::Nginx.new('127.0.0.1:899').render([]))
    File.write("#{config}.bad", File.read(config).sub('server_tokens', 'no_such_word'))
    said = [config, "#{config}.bad"].map do |file|
      IO.popen([RbConfig.ruby, '-I', Tree.lib, '-rmultitenant', '-rmultitenant/proxy', '-e', <<~RUBY, file], &:read)
        Process::Sys.setuid(990)
        print MultiTenant::Proxy::Nginx.new('127.0.0.1:899').objection(ARGV[0])
      RUBY
    end
    assert_empty said.first
    assert_match(/does not take .*unknown directive "no_such_word"/, said.last)
  end
end
