# frozen_string_literal: true

require_relative 'helper'
require_relative 'gate_host'
require_relative 'nfs_home'

# multitenant-gate as a real process between a real nginx and a real munged: who gets in, and what closes.
class TestGate < MultiTenantTest
  include GateTest
  include NfsHome

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
    assert_match(/\Amt1\.62001\.#{said['expires']}\.[\w-]{43}\z/, said['token'])
    assert_in_delta Time.now.to_i + (12 * 3600), said['expires'], 60
    page = host.get('/v1/models', said['token'], 'X-MultiTenant-User': 'prof')
    assert_equal ['200', ['ann']], [page.code, page.body.scan(/X-MultiTenant-User: (.*)\r/i).flatten]
    refute_match(/mt1|Authorization/i, page.body)
  end

  def test_without_a_token
    assert_equal '401', host.get('/').code
    assert_equal '401', host.get('/', "mt1.62001.9999999999.#{'A' * 43}").code
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
    refused('login_restriction', host.credential(restrict: 62_002))
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
    host(to: [62_002, 62_999])
    refused('not_recipient', host.credential('ann'))
    refused('not_recipient', host.credential('eve'))
    assert_equal(%w[200 200], %w[bob prof].map { |user| host.login(host.credential(user)).code })
  end

  def test_a_node_without_a_directory
    host(to: [77_777])
    uid = 77_777
    credential = host.munged.encode(host.payload, '-t', '60', '-u', GateHost::PUBLISHER.to_s, as: %W[--reuid #{uid}])
    assert_equal 'uid_77777', JSON.parse(host.login(credential).body)['user']
  end

  def test_what_is_no_login
    bad = lambda do |body, type, **headers|
      host.verdict(host.post(body, 'Content-Type' => type, **headers))
    end
    refused = [%w[400 bad_request]]
    good = "{\"credential\":\"#{host.credential}\"}"
    assert_equal refused, ['', '{}', '[]', "\0", "#{good}x", 'x' * 4096].map { |body|
      bad[body, 'application/json']
    }.uniq
    assert_equal refused, ['text/plain', ''].map { |type| bad[good, type] }.uniq
    assert_equal '400', host.form(base: '/elsewhere/').code
    assert_equal '405', host.get('/multitenant/login').code
    assert_equal '413', host.post('x' * 4097, 'Content-Type' => 'application/json').code
    assert_match(/\AStatus: 400 .*bad_request/m, ask_the_gate('x' * 60_000))
    assert_equal '200', bad[good, 'application/json; charset=utf-8'][0]
  end

  # @return [String] what the gate answers where nginx takes more than it does
  def ask_the_gate(body)
    headers = { CONTENT_LENGTH: body.size, SCGI: 1, DOCUMENT_URI: '/multitenant/login' }.map { |pair| pair.join("\0") }
    headers = "#{headers.join("\0")}\0"
    UNIXSocket.open(File.join(temporary, 'run/gate')) do |socket|
      socket.write("#{headers.size}:#{headers},#{body}")
      socket.read
    end
  end

  # As Slurm sends it to all processes of a job.
  def test_term_of_the_keeper_of_files_is_not_its_end
    children = IO.popen(['pgrep', '--parent', host.pid.to_s, '--full', 'multitenant-gate'], &:readlines).map(&:to_i)
    assert_equal 1, children.size
    Process.kill(:TERM, *children)
    host.list('banned', "62002\n")
    wait_until { host.seen? }
  end

  # ---- browsers ----

  def test_a_browser_gets_a_cookie_for_the_service_alone
    answer = host.form
    assert_equal ['303', '../'], [answer.code, answer['Location']]
    name, *attributes = answer['Set-Cookie'].split('; ')
    assert_match(/\Amultitenant_token=mt1\.62001\.\d+\.[\w-]{43}\z/, name)
    assert_equal ["Path=#{GateHost::BASE}", 'HttpOnly', 'SameSite=Strict'], attributes.grep_v(/Max-Age=43[12]\d\d\z/)
    assert_match(/; Secure\z/, host.form(host.credential, { 'X-Forwarded-Proto' => 'https' })['Set-Cookie'])
    cookie = answer['Set-Cookie'][/[^;]+/]
    assert_equal '200', host.get('/', nil, Cookie: "a=b; multitenant_token=mt1.1.2.x; #{cookie}; c=d").code
    assert_equal '401', host.get('/', nil, Cookie: 'multitenant_token=').code
  end

  def test_a_reloaded_login_is_let_in_by_its_cookie_alone
    credential = host.credential
    cookie = host.form(credential)['Set-Cookie'][/[^;]+/]
    again = host.form(credential, { 'Cookie' => cookie })
    assert_equal ['303', nil], [again.code, again['Set-Cookie']]
    page = host.form(credential)
    assert_equal ['403', 'text/html; charset=utf-8'], [page.code, page['Content-Type']]
    assert_match(/reload the page.*login_replayed/, page.body)
    bob = host.form(host.credential('bob'))['Set-Cookie'][/[^;]+/]
    assert_equal '403', host.form(credential, { 'Cookie' => bob }).code
  end

  def test_a_key_is_shown_on_a_page
    page = host.form(show: 'key')
    assert_equal %w[200 no-store no-referrer], [page.code, page['Cache-Control'], page['Referrer-Policy']]
    key = page.body[/OPENAI_API_KEY=(\S+)/, 1]
    assert_equal '200', host.get('/', key).code
    assert_match(%r{OPENAI_BASE_URL=http://127\.0\.0\.1:#{host.port}/v1}, page.body)
    refute_match(/<script/, page.body)
  end

  # The user's own accounts go to no publisher, and the site's proxy reads no token.
  def test_the_lines_of_a_key_leave_out_the_users_own_and_the_proxy
    lines = host.form(show: 'key').body.scan(%r{<pre>(.*?)</pre>}m).dig(1, 0)
    # Some lead a client elsewhere, with the key, and some tell the service what is for another one.
    theirs = %w[BASE_URL API_BASE PROXY ORG_ID PROJECT_ID ORGANIZATION CUSTOM_HEADERS].to_h do |name|
      ["OPENAI_#{name}", "http://own\nOPENAI_X: own"]
    end
    %w[bash sh].product([theirs, {}]).each do |shell, own|
      out, status = Open3.capture2({ 'NO_PROXY' => 'a', 'no_proxy' => 'b', **own }, shell, '-ec', "#{lines}\nenv -0")
      assert_predicate status, :success?
      said = out.split("\0").grep(/\A(?:OPENAI_|no_proxy)/i).to_h { |pair| pair.split('=', 2) }
      key = said.delete('OPENAI_API_KEY')
      assert_match(/\Amt1\./, key)
      assert_equal({ 'OPENAI_BASE_URL' => "http://127.0.0.1:#{host.port}/v1", 'NO_PROXY' => 'a,b,127.0.0.1',
                     'no_proxy' => 'a,b,127.0.0.1' }, said)
    end
  end

  # The same credential stands on the card for a minute.
  def test_a_key_is_shown_once_more_to_the_browser_that_has_seen_it
    credential = host.credential
    pages = [host.form(credential, show: 'key')]
    cookie = pages[0]['Set-Cookie'][/\A[^;]*/]
    pages << host.form(credential, { 'Cookie' => cookie }, show: 'key')
    assert_equal [cookie.split('=')[1]], pages.map { |page| page.body[/OPENAI_API_KEY=(\S+)/, 1] }.uniq
    assert_match(/; Path=#{GateHost::BASE};.*; HttpOnly; SameSite=Strict\z/, pages[0]['Set-Cookie'])
    assert_nil host.form(host.credential, show: 'key', base: '/')['Set-Cookie']
    assert_match(/login_replayed/, host.form(credential, show: 'key').body)
  end

  def test_a_login_of_another_site_or_of_somebody_else
    assert_match(/cross_site/, host.form(host.credential, { 'Sec-Fetch-Site' => 'cross-site' }).body)
    assert_match(/other_user/, host.form(host.credential, { 'X-Forwarded-User' => 'bob' }).body)
    assert_equal '303',
                 host.form(host.credential, { 'X-Forwarded-User' => 'ann', 'Sec-Fetch-Site' => 'same-origin' }).code
    assert_equal %w[403 other_user], host.verdict(host.get('/', host.token, 'X-Forwarded-User': 'bob'))
    assert_equal '200', host.get('/', host.token, 'X-Forwarded-User': 'ann').code
  end

  # ---- tokens ----

  def test_where_a_token_may_stand
    token = host.token
    basic = ["any:#{token}"].pack('m0')
    portal = ['ann:portal-password'].pack('m0')
    assert_equal '200', host.get('/', nil, 'X-MultiTenant-Token': token).code
    assert_equal '200', host.get('/', nil, Authorization: "Basic #{basic}").code
    assert_equal '200', host.get('/', nil, Authorization: "bearer  #{token}").code
    # The portal's own password may be there, too.
    assert_equal '200', host.get('/', nil, Authorization: "Basic #{portal}", Cookie: "multitenant_token=#{token}").code
    assert_equal '401', host.get('/', nil, Authorization: "Basic #{portal}").code
    assert_equal '401', host.get('/', token, 'X-MultiTenant-Token': 'x').code
    assert_equal '401', host.get("/?multitenant_token=#{token}&access_token=#{token}").code
    # Each takes time of the gate's.
    { 7 => '200', 8 => '401' }.each do |others, code|
      cookies = "#{'multitenant_token=x; ' * others}multitenant_token=#{token}"
      assert_equal code, host.get('/', nil, Cookie: cookies).code
    end
  end

  # A page of another host of the same domain sets its author's for a longer path, which browsers send first.
  def test_of_the_cookies_of_two_users_none_counts
    ann, bob = %w[ann bob].map { |user| "multitenant_token=#{host.token(user)}; " }
    other = 'multitenant_token=mt1.1.2.x; '
    { ann + ann => '200', other + ann + other => '200', bob + ann => '401', ann + other + bob => '401',
      bob + (other * 7) => '200', bob + (other * 7) + ann => '401' }.each do |cookies, code|
      assert_equal code, host.get('/', nil, Cookie: cookies.chomp('; ')).code, cookies
    end
  end

  def hmac(text, key: [File.read(File.join(host.state, 'token.key')).chomp].pack('H*'))
    "#{text}.#{[OpenSSL::HMAC.digest('SHA256', key, text)].pack('m0').tr('+/', '-_').delete('=')}"
  end

  # Of another host of the same domain, for which a cookie is not another site's. Who goes there from one is let in, but
  # not in a frame, which nobody may see, or which lies below a button of that page's.
  def test_a_cookie_does_not_count_for_what_another_hosts_page_sends
    cookie = { 'Cookie' => "multitenant_token=#{host.token}" }
    sent = { %w[same-origin cors] => '200', %w[same-origin websocket] => '200', %w[none navigate] => '200',
             %w[same-site navigate] => '200', %w[same-site websocket] => '401', %w[same-site no-cors] => '401',
             %w[cross-site cors] => '401' }
    sent.each do |(site, mode), code|
      headers = { 'Sec-Fetch-Site' => site, 'Sec-Fetch-Mode' => mode }
      assert_equal code, host.get('/', nil, **cookie, **headers).code, "#{site} #{mode}"
      assert_equal '200', host.get('/', cookie['Cookie'][/mt1.*/], **headers).code
    end
    { %w[same-site document] => '200', %w[same-site iframe] => '401', %w[same-site object] => '401',
      %w[same-origin iframe] => '200' }.each do |(site, dest), code|
      headers = { 'Sec-Fetch-Site' => site, 'Sec-Fetch-Mode' => 'navigate', 'Sec-Fetch-Dest' => dest }
      assert_equal code, host.get('/', nil, **cookie, **headers).code, "#{site} #{dest}"
    end
    form = { 'Sec-Fetch-Site' => 'same-site', 'Sec-Fetch-Mode' => 'navigate', 'Content-Type' => 'text/plain', **cookie }
    assert_equal '401', host.request(Net::HTTP::Post, '/', form, 'a=b').code
  end

  def test_tokens_that_let_nobody_in
    token = host.token
    _, uid, expires, tag = token.split('.')
    wait_for_log('login') # all lines before it are there
    said = lambda do |text|
      before = host.log.lines.size
      assert_equal '401', host.get('/', text).code
      wait_until { host.log.lines.size > before }
      host.log.lines.last[/\S+Z (\S+)/, 1]
    end
    assert_equal 'token_bad', said["mt1.62002.#{expires}.#{tag}"]
    assert_equal 'token_bad', said["mt1.#{uid}.#{expires.to_i + 1}.#{tag}"]
    assert_equal 'token_bad', said[hmac("mt1.#{uid}.#{expires}", key: 'x' * 32)]
    assert_equal 'token_malformed', said[token[0..-2]]
    assert_equal 'token_malformed', said["#{token}A"]
    assert_equal 'token_malformed', said['x' * 8000]
    assert_equal 'token_expired', said[hmac("mt1.#{uid}.#{Time.now.to_i - 1}")]
    assert_equal '200', host.get('/', hmac("mt1.#{uid}.#{Time.now.to_i + 60}")).code
    assert_equal '400', host.get('/', 'x' * (1 << 20)).code
    assert_equal '200', host.get('/', token).code
  end

  def test_a_token_ends_with_the_service
    host(expires: Time.now.to_i + 100)
    assert_in_delta Time.now.to_i + 100, JSON.parse(host.login.body)['expires'], 60
  end

  # Who ceases to be a recipient while no gate knows it has a token for so long.
  def test_a_token_holds_for_some_hours_however_long_the_service_does
    host(expires: Time.now.to_i + (365 * 86_400))
    assert_operator JSON.parse(host.login.body)['expires'], :<=, Time.now.to_i + (12 * 3600)
  end

  # ---- the publisher's word ----

  def test_a_ban_acts_at_once_and_on_what_is_open
    tokens = { 'ann' => host.token, 'bob' => host.token('bob') }
    ann, bob = tokens.values.map { |token| host.open_stream(token) }
    wait_until { host.seen? }
    host.list('banned', "62001\n")
    wait_until { host.seen? }
    assert_equal %w[403 banned], host.verdict(host.get('/', tokens['ann']))
    assert_equal '200', host.get('/', tokens['bob']).code
    refused('banned', host.credential)
    assert_stream_ends(ann)
    assert_includes bob.readpartial(1 << 20), 'data: '
    assert_match(/ streams_cut count=1\n/, wait_for_log('streams_cut'))
    host.list('banned', '')
    wait_until { host.seen? }
    assert_equal '200', host.get('/', tokens['ann']).code
  ensure
    [ann, bob].each { |socket| socket&.close }
  end

  # Where owners run their commands on another host than that of the job.
  def test_lists_that_are_written_on_another_host_act_at_once_by_nfs
    host(env: nfs("#{temporary}/state/@(banned|limits)"))
    token = host.token
    { "62002\n" => '200', "62001\n62002\n" => '403', '' => '200' }.each do |list, code|
      wait_until { host.seen? }
      host.list('banned', list)
      wait_until { host.seen? }
      assert_equal code, host.get('/', token).code
    end
  end

  # The gate remembers so many connections: theirs is pushed out by others of theirs.
  def test_a_ban_cuts_a_stream_whose_connection_was_forgotten
    token = host.token
    stream = host.open_stream(token)
    place = place_of(stream.local_address.ip_port)
    (20_000..60_000).select { |port| place_of(port) == place }.first(30).each { |port| ask_from(port, token) }
    bob = host.open_stream(host.token('bob'))
    host.list('banned', "62001\n")
    assert_stream_ends(stream)
    wait_until { host.seen? }
    assert_includes bob.readpartial(1 << 20), 'data: '
  ensure
    [stream, bob].each { |socket| socket&.close }
  end

  # Where streams.c keeps a port of 127.0.0.1.
  def place_of(port)
    addr = [0, 0xffff0000, 0x0100007f].reduce(:^)
    (((((addr * 31) + port) * 2_654_435_761) & 0xffffffff) >> 16) & 1023
  end

  def ask_from(port, token)
    socket = Socket.new(:INET, :STREAM)
    socket.setsockopt(:SOCKET, :REUSEADDR, true)
    socket.bind(Addrinfo.tcp('127.0.0.1', port))
    socket.connect(Addrinfo.tcp('127.0.0.1', host.port))
    socket.write("GET / HTTP/1.1\r\nHost: n1\r\nConnection: close\r\nX-MultiTenant-Token: #{token}\r\n\r\n")
    socket.read
  rescue Errno::EADDRINUSE
    # Somebody else's.
  ensure
    socket&.close
  end

  def assert_stream_ends(socket)
    limit = now + 60
    assert_raises(EOFError, Errno::ECONNRESET) do
      socket.readpartial(1 << 20) while now < limit && socket.wait_readable(60)
    end
  end

  # What can't be read changes nothing, and the commands are not told that it acts.
  def test_lists_that_are_not_of_their_form
    token = host.token
    bob = host.token('bob')
    host.list('banned', "62001\n")
    wait_until { host.seen? }
    host.list('banned', "ann\n")
    host.list('limits', "* 1\n")
    wait_until { host.get('/', bob).code == '429' }
    refute_predicate host, :seen?
    assert_equal %w[403 banned], host.verdict(host.get('/', token))
  end

  def test_a_limit_and_its_retry
    host(rate: 3)
    token = host.token
    answers = Array.new(4) { host.get('/', token) }
    assert_equal %w[200 200 200 429], answers.map(&:code)
    assert_equal [%w[429 rate_limited], true],
                 [host.verdict(answers[3]), answers[3]['Retry-After'].to_i.between?(1, 20)]
    assert_equal '200', host.get('/', host.token('bob')).code
    host.list('limits', "62001 0\n")
    wait_until { host.seen? }
    assert_equal %w[200] * 9, Array.new(9) { host.get('/', token).code }
  end

  def test_who_left_the_group_is_out_within_a_minute
    database = with_account
    ann = host.token
    bob = host.token('bob')
    stream = host.open_stream(ann)
    # Who has one open, and asks for nothing more; a member's stays.
    silent = %w[pupil1 bob].map { |name| host.open_stream(host.token(name)) }
    [host, database].each { |one| one.members('prof', 'bob') }
    left = now
    sleep 0.5 until (out = host.get('/', ann).code == '403') || now - left > 120
    assert out
    assert_equal %w[403 not_recipient], host.verdict(host.get('/', ann))
    assert_equal '200', host.get('/', bob).code
    assert_stream_ends(stream)
    refused('not_recipient', host.credential)
    assert_stream_ends(silent[0])
    assert_includes silent[1].read_nonblock(1 << 20), 'data: '
    wait_until { told.last == 'ban 62001' }
    assert_equal(%w[login ban], told.map { |line| line[/\w+/] })
  ensure
    [stream, *silent].each { |socket| socket&.close }
    database&.stop
  end

  # @return [GateHost] another one, of a database, where ann has logged in
  def with_account
    dir = File.join(temporary, 'database').tap { |path| Dir.mkdir(path) && File.chmod(0o755, path) }
    GateHost.new(dir, kind: 'accounts', accounts: [program("cat >>#{made}")]).tap do |one|
      one.start
      wait_until { one.answers? && one.login.code == '200' }
    end
  end

  # More at once than there may be processes that ask: they wait for each other. (On a busy machine one of these may be
  # late, which the tenant is told, and comes again.)
  def test_a_class_that_comes_at_once
    credentials = GateHost::CLASS.keys.to_h { |name| [name, Array.new(5) { host.credential(name) }] }
    tokens = in_threads(credentials) { |_, tries| JSON.parse(in_time(tries) { |one| host.login(one) }.body)['token'] }
    assert_closes { kill_the_gate }
    host.start
    wait_until { host.answers? }
    pages = in_threads(tokens * 3) { |token| in_time([token] * 5) { |one| host.get('/', one) } }
    assert_equal(GateHost::CLASS.keys * 3, pages.map { |page| page.body[/X-MultiTenant-User: (.*)\r/i, 1] })
    refute_match(/ too_busy /, host.log)
  end

  # @return the first answer but "try again"
  def in_time(tries)
    tries.each { |try| (answer = yield try).code == '503' || (return answer) }
  end

  def in_threads(items)
    items.map { |item| Thread.new { yield item } }.map(&:value)
  end

  # ---- what does not answer ----

  def test_a_munged_that_hangs_costs_a_login_alone
    token = host.token
    credential = host.credential('bob')
    host.munged.freeze_it
    logins = Array.new(12) { Thread.new { host.verdict(host.login(credential)) } }
    assert_let_in(token) while logins.any?(&:alive?)
    assert_equal [%w[503 munge_unavailable]], logins.map(&:value).uniq
  end

  def assert_let_in(token)
    assert_equal '200', host.get('/', token).code
    sleep 0.05
  end

  def test_a_name_service_that_hangs
    token = host.token
    host.hang_name_service
    login = Thread.new { host.verdict(host.login(host.credential('bob'))) }
    assert_let_in(token) while login.alive?
    assert_equal %w[503 lookup_failed], login.value
  end

  # It is asked by itself about those who have a connection: so many at a time that places are left, be it for log-ins.
  def test_what_the_gate_asks_by_itself_leaves_places_while_a_name_service_hangs
    streams = GateHost::CLASS.keys.first(8).map { |name| host.open_stream(host.token(name)) }
    host.hang_name_service
    wait_until { asking.positive? }
    assert_includes 1..3, Array.new(20) { asking.tap { sleep 0.1 } }.max
    streams.each { |stream| assert_includes stream.readpartial(1 << 20), 'data: ' }
  ensure
    streams&.each(&:close)
  end

  # @return [Integer] processes of the gate's that wait for an answer: all but itself and the keeper of files
  def asking
    IO.popen(['pgrep', '--parent', host.pid.to_s, '--full', 'multitenant-gate'], &:readlines).size - 1
  end

  def test_a_gate_that_hangs_lets_nobody_in
    host(patience: 1)
    token = host.token
    Process.kill(:STOP, host.pid)
    assert_equal '503', host.get('/', token).code
    Process.kill(:CONT, host.pid)
    wait_until { host.get('/', token).code == '200' }
  end

  # nginx takes each of them for a yes.
  def test_an_answer_without_a_status_leads_nowhere
    @host = GateHost.new(temporary)
    text = +''
    @host.start_nginx(text)
    wait_until { host_code != 'closed' }
    ["\r\n", "X: y\r\n\r\n", "X-MultiTenant-Uid: 1\r\n\r\n", "Status: 200 OK\r\n\r\n"].each do |answer|
      text.replace(answer)
      assert_equal '502', host_code
    end
    text.replace("Status: 200 OK\r\nX-MultiTenant-User: ann\r\n\r\n")
    assert_equal '200', host_code
  end

  def host_code
    @host.get('/').code
  rescue SystemCallError, EOFError
    'closed'
  end

  # ---- what ends ----

  # @yield ends something
  def assert_closes
    host.token
    group = host.master
    yield
    wait_until { host_code == 'closed' }
    wait_until { host.processes(group).empty? }
  end

  def test_sigterm_ends_both
    assert_closes do
      Process.kill(:TERM, host.pid)
      assert_equal 0, host.wait.exitstatus
    end
    assert_empty host.said
  end

  # With scancel TERM comes to all processes of a job, in any order.
  def test_a_process_of_the_gates_that_has_term_first_is_no_failure
    keepers = IO.popen(['pgrep', '-P', host.pid.to_s], &:readlines).map(&:to_i) - [host.master]
    assert_equal 1, keepers.size
    Process.kill(:TERM, *keepers)
    host.list('banned', "61000\n")
    wait_until { host.seen? || !host.answers? }
    Process.kill(:TERM, host.pid)
    assert_equal [0, ''], [host.wait.exitstatus, host.said]
  end

  def test_where_nginx_is_killed_nothing_is_left
    assert_closes do
      Process.kill(:KILL, host.master)
      assert_equal 70, host.wait.exitstatus
    end
    assert_equal "multitenant-gate: nginx was ended by signal 9, and so the service is closed\n", host.said
  end

  def test_a_worker_that_is_killed_is_replaced
    token = host.token
    worker = host.worker
    Process.kill(:KILL, worker)
    wait_until { ![nil, worker].include?(host.worker) }
    assert_equal '200', host.get('/', token).code
  end

  def kill_the_gate
    Process.kill(:KILL, host.pid)
    host.wait
  end

  def test_where_the_gate_is_killed_nginx_ends
    assert_closes { kill_the_gate }
  end

  def test_a_gate_that_starts_again_knows_the_same_tokens
    token = host.token
    host.list('banned', "62002\n")
    bob = hmac("mt1.62002.#{Time.now.to_i + 60}")
    assert_closes { kill_the_gate }
    host.start
    wait_until { host.answers? }
    assert_equal '200', host.get('/', token).code
    assert_equal %w[403 banned], host.verdict(host.get('/', bob))
  end

  def test_an_nginx_that_can_not_start
    @host = GateHost.new(temporary)
    def @host.nginx = ['/bin/false']
    @host.start
    assert_equal 70, @host.wait.exitstatus
    assert_match(/nginx ended with 1/, @host.said)
  end

  # ---- secrets ----

  def test_its_memory_is_closed_and_its_logs_hold_no_secret
    token = host.token
    host.form
    host.get('/?key=secret', token)
    secrets = [token.split('.')[3], host.door, 'MUNGE:', File.read(File.join(host.state, 'token.key')).chomp,
               'key=secret']
    wait_until { host.log.include?(' login uid=62001 addr=127.0.0.1') }
    logs = Dir[File.join(host.state, 'log/*')]
    assert_equal(%w[600 600], logs.map { |file| format('%o', File.stat(file).mode & 0o777) })
    assert_empty(secrets.select { |secret| logs.any? { |file| File.read(file).include?(secret) } })
    children = File.read("/proc/#{host.pid}/task/#{host.pid}/children").split.map(&:to_i) - [host.master]
    [host.pid, *children].each do |pid|
      %w[maps environ mem].each do |file|
        refute system(*host.publisher('head', '-c1', "/proc/#{pid}/#{file}"), %i[out err] => File::NULL)
      end
    end
  end

  # @return [Boolean] whether these bytes are in what a process has written to memory
  def remembers?(pid, bytes)
    File.open("/proc/#{pid}/mem", 'rb') do |memory|
      File.readlines("/proc/#{pid}/maps").grep(/ rw/).any? do |line|
        from, to = line[/\A\S+/].split('-').map(&:hex)
        memory.pread(to - from, from).include?(bytes)
      rescue SystemCallError, EOFError
        false
      end
    end
  end

  # It reads what the publisher's commands write.
  def test_the_keeper_of_files_has_no_key_and_no_core_has_one
    key = [File.read(File.join(host.tap(&:token).state, 'token.key')).chomp].pack('H*')
    keeper = File.read("/proc/#{host.pid}/task/#{host.pid}/children").split.map(&:to_i) - [host.master]
    assert_equal([true, false], [host.pid, keeper[0]].map { |pid| remembers?(pid, key) })
    assert_match(/^Max core file size +0 +0 /, File.read("/proc/#{host.pid}/limits"))
  end

  def test_a_socket_in_a_directory_that_others_may_enter_is_not_listened_at
    @host = GateHost.new(temporary)
    File.chmod(0o711, File.join(temporary, 'run'))
    @host.start
    wait_until { !@host.said.empty? }
    assert_equal 78, @host.wait.exitstatus
    assert_match(/ is not in a directory of this user's alone$/, @host.said)
  end

  def test_logs_that_have_grown
    token = host.token
    log = File.join(host.state, 'log/4711@hpc.jsonl')
    File.truncate(log, 17 << 20)
    wait_until { File.exist?("#{log}.1") && File.exist?(log) }
    host.get('/after', token)
    wait_until { File.read(log).include?('"path":"/after"') }
    File.truncate(log, 17 << 20)
    wait_until { File.exist?("#{log}.2") }
    assert_equal([17 << 20] * 2, %w[1 2].map { |old| File.size("#{log}.#{old}") >> 20 << 20 })
  end

  # ---- databases ----

  # @param body [String] of the program that makes accounts
  def database(body)
    accounts = program(body)
    host(kind: 'accounts', accounts: [accounts])
  end

  def told
    File.readlines(made, chomp: true)
  end

  # Where it writes what it was told.
  def made
    File.join(temporary, 'made').tap { |file| File.open(file, 'a') { |io| io.chmod(0o666) } }
  end

  def test_accounts
    database("cat >>#{made}")
    account = "mt_62001_#{OpenSSL::Digest::SHA256.hexdigest('ann')[0, 8]}"
    said = Array.new(2) { JSON.parse(host.login.body) }
    password = hmac("account\0#{account}").split('.')[-1][0, 32]
    assert_equal([[account, password]] * 2, said.map { |one| one.values_at('user', 'password') })
    assert_equal ["login #{account} #{password} ann"] * 2, told
    credential = host.credential
    page = host.form(credential, show: 'key')
    again = host.form(credential, { 'Cookie' => page['Set-Cookie'][/\A[^;]*/] }, show: 'key')
    [page, again].each { |one| assert_match(/user: #{account}\npassword: #{password}/, one.body) }
    refute_match(/until 20/, page.body)
    wait_until { host.seen? }
    host.list('banned', "62001\n62002\n")
    wait_until { host.seen? }
    # Also who is in no directory any more, and may have an account all the same.
    host.list('banned', "62001\n62002\n69999\n")
    wait_until { host.seen? }
    assert_equal ['ban 62001', 'ban 62002', 'ban 69999'], told.last(3).sort
    refused('banned', host.credential)
  end

  # The ban has locked an account that was not there yet.
  def test_who_is_banned_while_an_account_is_made_is_not_told_it
    database("read -r act _; echo $act >>#{made}; [ $act = ban ] || until [ -e #{temporary}/go ]; do sleep 0.05; done")
    login = Thread.new { host.login }
    wait_until { told.any? }
    host.list('banned', "62001\n")
    wait_until { host.seen? }
    FileUtils.touch(File.join(temporary, 'go'))
    assert_equal %w[403 banned], host.verdict(login.value)
    wait_until { told == %w[login ban ban] }
  end

  # Who has left the group meanwhile neither: their account was locked before it was opened once more.
  def test_who_leaves_while_an_account_is_made_is_not_told_it
    database("read -r act _; echo $act >>#{made}; [ $act = ban ] || [ ! -e #{temporary}/slow ] || " \
             "for i in $(seq 80); do [ ! -e #{temporary}/go ] || break; sleep 0.05; done")
    assert_equal '200', host.login.code
    host.members('prof', 'bob')
    FileUtils.touch(File.join(temporary, 'slow'))
    # One of both is under way in any case.
    logins = [0, 2].map { |seconds| Thread.new { sleep(seconds) && log_in_until_locked } }
    wait_until { told.include?('ban') }
    FileUtils.touch(File.join(temporary, 'go'))
    assert_equal [%w[403 not_recipient]], logins.map(&:value).uniq
    wait_until { told.count('ban') > 1 && told.last == 'ban' }
  end

  def log_in_until_locked
    said = host.verdict(host.login) until told.include?('ban')
    said
  end

  def test_an_account_that_can_not_be_made
    database('exit 1')
    refused('account_failed', host.credential)
  end

  def test_a_database_that_hangs
    database('sleep 1000')
    refused('account_failed', host.credential)
  end
end
