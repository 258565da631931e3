# frozen_string_literal: true

require_relative 'proxied'

# A real HAProxy by our file, in front of servers that come, go and are killed.
class TestProxyHaproxy < MultiTenantTest
  include RunningProxy

  HAPROXY = MultiTenant::Program.find('haproxy', "#{ENV.fetch('PATH')}:/usr/sbin")

  def setup
    super
    skip_unless(HAPROXY, 'needs HAProxy')
  end

  # Reloads the running one, if there is one.
  def configure(*jobs)
    @keeper = keeper('haproxy', **(@proxy ? { reload: "/bin/kill -USR2 #{@proxy}" } : {}))
    told = @keeper.call(answer(*jobs))
    @proxy ||= spawn(HAPROXY, '-W', '-db', '-f', config, %i[out err] => File.join(temporary, 'haproxy.log'))
    told
  end

  def test_paths_lead_to_services_and_to_nothing_else
    serve('j1')
    configure(*of('j1', kind: 'web'), asking(7, 'b:web:1025'), asking(8, 'c:web:1026', group: 'Domain Users'))
    wait_until { status("#{A}/") == '200' }
    assert_equal(['j1 /', 'j1 /x/y?z=%2f', 'j1 /%2e%2e/c'],
                 ["#{A}/", "#{A}/x/y?z=%2f", "#{A}/%2e%2e/c"].map { |path| get(path).body })
    assert_equal ['308', "#{A}/"], [get(A).code, get(A)['Location']]
    others = ['/', '/prof/x@students/', '/prof/a@other/', '//evil.example/a@students']
    assert_equal %w[404], others.map { |path| status(path) }.uniq
    down = wait_until { get('/prof/b@students/').then { |got| got if got.code == '503' } }
    assert_match(%r{service prof/b@students .*by prof}, down.body)
    assert_equal('503', wait_until { status('/prof/c@Domain%20Users/').then { |code| code if code == '503' } })
  end

  # What was under way may be lost, and nothing else is.
  def test_a_member_that_is_killed_is_out_at_once
    serve_all('j1', 'j2')
    seen = Array.new(20) { get("#{A}/").body[/\w+/] }
    kill('j1')
    codes = Array.new(100) { status("#{A}/") }
    assert_equal %w[j1 j2], seen.uniq.sort
    assert_operator codes.count { |code| code != '200' }, :<=, 1
    kill('j2')
    wait_until { status("#{A}/") == '503' }
    serve('j3')
    configure(*of('j3'))
    wait_until { status("#{A}/") == '200' }
  end

  # Those who are there stay with it, new ones go to the other.
  def test_who_uses_a_web_application_stays_with_one_of_its_jobs
    serve_all('j1', 'j2', kind: 'web')
    met = wait_until { get("#{A}/").then { |got| got if got.body.start_with?('j1') } }
    cookie = met['Set-Cookie'][/\A[^;]+/]
    assert_equal ['j1 /'], Array.new(6) { get("#{A}/", cookie: cookie).body }.uniq
    configure(*of('j1', kind: 'web', end: Time.now.to_i + 60), *of('j2', kind: 'web'))
    wait_until { Array.new(6) { get("#{A}/").body }.uniq == ['j2 /'] }
    assert_equal ['j1 /'], Array.new(6) { get("#{A}/", cookie: cookie).body }.uniq
  end

  # Whoever keeps a stream open in each may be who changes what the file is made of.
  def test_processes_of_before_are_few_whatever_streams_stay_open
    serve('j1')
    configure(*of('j1'))
    reload = ['sed -i "s/max-reloads .*/max-reloads 2/"', config, "&& kill -USR2 #{@proxy}"].join(' ')
    streams = Array.new(5) do |n|
      wait_until { status("#{A}/") == '200' }
      stream = request('/events')
      read_until(stream, 'data: 1')
      keeper('haproxy', reload: "sh -c '#{reload}'").call(answer(*of('j1'), asking(9, "n-#{n}:tcp:1025")))
      wait_until { status("/prof/n-#{n}@students/") != '404' }
      stream
    end
    wait_until { `pgrep -P #{@proxy}`.lines.size <= 3 }
    assert_raises(EOFError, Errno::ECONNRESET) { loop { streams.first.readpartial(4096) } }
    said = streams.last.read_nonblock(1 << 20, exception: false).to_s.scan(/\d+(?=\n)/).last.to_i
    read_until(streams.last, "data: #{said + 20}\n")
  end
end
