# frozen_string_literal: true

require_relative 'helper'
require_relative 'gate_host'

# multitenant-gate as a real process between a real nginx and a real munged: who gets in, and what closes.
class TestGate < MultiTenantTest
  def setup
    super
    need_root
    skip_unless(File.executable?(GateHost::PROGRAM), 'multitenant-gate is not built')
    skip_unless(File.executable?('/usr/sbin/nginx'), 'nginx is not here')
  end

  def teardown
    @host&.stop
    super
  end

  # @return [GateHost] one that answers
  def host(**config)
    @host ||= GateHost.new(temporary, **config).tap do |host|
      host.start
      wait_until { host.answers? }
    end
  end

  def refused(code, credential)
    answer = host.login(credential)
    assert_equal [code, code], [answer['X-MultiTenant-Reason'], JSON.parse(answer.body)['code']]
    assert_match(/ #{code} uid=/, wait_for_log(code))
    answer
  end

  def wait_for_log(code)
    wait_until { host.log.include?(" #{code} ") }
    host.log
  end

  # ---- logins ----

  def test_a_member_logs_in_and_the_server_learns_their_name
    answer = host.login
    said = JSON.parse(answer.body)
    assert_equal ['200', 'ann', 'application/json'], [answer.code, said['user'], answer['Content-Type']]
    assert_match(/\Amt1\.2001\.#{said['expires']}\.[\w-]{43}\z/, said['token'])
    assert_in_delta Time.now.to_i + (12 * 3600), said['expires'], 60
    page = host.get('/v1/models', said['token'], 'X-MultiTenant-User': 'prof')
    assert_equal ['200', ['ann']], [page.code, page.body.scan(/X-MultiTenant-User: (.*)\r/i).flatten]
    refute_match(/mt1|Authorization/i, page.body)
  end

  def test_without_a_token
    assert_equal '401', host.get('/').code
    assert_equal '401', host.get('/', "mt1.2001.9999999999.#{'A' * 43}").code
  end

  # ---- logins that let nobody in ----

  def test_a_credential_is_used_once
    credential = host.credential
    assert_equal '200', host.login(credential).code
    refused('login_replayed', credential)
    # Another munged with the same key does not know it; the gate does.
    again = Munged.new(File.join(temporary, 'again').tap { |dir| Dir.mkdir(dir) }, like: host.munged)
    FileUtils.ln_sf(again.socket, host.munged.socket)
    refused('login_replayed', credential)
    assert_equal '200', host.login(host.credential(munged: again)).code
  ensure
    again&.stop
  end

  def test_what_a_credential_must_say
    refused('login_purpose', host.credential(text: host.payload(purpose: 'x')))
    refused('login_purpose', host.credential(text: host.payload(more: 1)))
    refused('login_purpose', host.credential(text: 'x'))
    refused('login_purpose', host.credential(text: ''))
    refused('login_job', host.credential(text: host.payload(job: 4712)))
    refused('login_job', host.credential(text: host.payload(cluster: 'gpu')))
    refused('login_job', host.credential(text: host.payload(restarts: 1)))
    refused('login_door', host.credential(text: host.payload(door: 'A' * 43)))
    refused('login_ttl', host.credential(ttl: 3600))
    refused('login_ttl', host.credential(ttl: 181))
    refused('login_ttl', host.credential(ttl: 0))
    refused('login_restriction', host.credential(restrict: nil))
    refused('login_restriction', host.credential(restrict: 2002))
    refused('login_restriction', host.credential(options: %w[--cipher=none]))
  end

  def test_credentials_of_another_time_or_cluster
    old = host.credential(ttl: 1)
    other = Munged.new(File.join(temporary, 'other').tap { |dir| Dir.mkdir(dir) })
    ahead = Munged.new(File.join(temporary, 'ahead').tap { |dir| Dir.mkdir(dir) }, like: host.munged, ahead: '+3600s')
    refused('login_invalid', host.credential(munged: other))
    refused('login_rewound', host.credential(munged: ahead))
    sleep 2.1
    refused('login_expired', old)
  ensure
    [other, ahead].each { |munged| munged&.stop }
  end

  def test_who_may_not_come_in
    refused('not_recipient', host.credential('eve'))
    assert_equal '200', host.login(host.credential('prof')).code
  end

  def test_only_for_some_of_the_group
    host(to: [2002, 2999])
    refused('not_recipient', host.credential('ann'))
    refused('not_recipient', host.credential('eve'))
    assert_equal(%w[200 200], %w[bob prof].map { |user| host.login(host.credential(user)).code })
  end
end
