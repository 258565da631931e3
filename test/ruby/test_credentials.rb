# frozen_string_literal: true

require_relative 'helper'
require_relative 'munged'
require_relative 'sealing_v2'
require 'minitest/mock'
require 'multitenant/receiver/credentials'

# multitenant-munge and what runs it, with a real munged.
class TestCredentials < MultiTenantTest
  PROGRAM = MultiTenant::Credentials::PROGRAM
  TEXT = '{"v":2,"to":"é"}'
  GROUP = 3000

  def setup
    super
    need_root
    skip_unless(File.executable?(PROGRAM), 'multitenant-munge is not built')
    @munged = Munged.new(File.join(temporary, 'munge').tap { |dir| Dir.mkdir(dir) })
    @program = File.join(temporary, 'multitenant-munge').tap { |path| FileUtils.cp(PROGRAM, path) }
    File.chmod(0o755, temporary)
  end

  def teardown
    @munged&.stop
    super
  end

  # @return [Array<Hash>] what a process of this uid and gid is told
  def told(*credentials, uid: 2001, gid: GROUP)
    out, err, status = Open3.capture3('setpriv', '--reuid', uid.to_s, '--regid', gid.to_s, '--clear-groups', '--',
                                      @program, '--socket', @munged.socket, stdin_data: credentials.join("\n"))
    assert_predicate status, :success?, err
    *lines, last = out.lines.map { |line| JSON.parse(line) }
    assert_equal({ 'end' => credentials.size }, last)
    lines
  end

  def faculty
    %w[--reuid 1001 --regid 1001 --clear-groups]
  end

  # What is told of one that this user may not open.
  def shut(credential)
    { 'payload' => credential, 'reason' => 'envelope_unavailable' }
  end

  # ---- the program ----

  def test_a_member_opens_it_more_than_once_and_an_outsider_never
    credential = @munged.encode(TEXT, '-g', GROUP.to_s, as: faculty)
    there = { 'payload' => credential, 'uid' => 1001, 'gid_only' => GROUP, 'text' => TEXT }
    assert_equal [there, there], told(credential, credential)
    assert_equal [there], told(credential)
    assert_equal [shut(credential)], told(credential, uid: 2999, gid: 3001)
    assert_equal [shut(credential)], told(credential, uid: 0, gid: 0)
  end

  def test_one_that_has_expired_is_told_to_members_alone
    credential = @munged.encode(TEXT, '-g', GROUP.to_s, '-t', '1', as: faculty)
    sleep 2.1
    assert_equal([[nil, TEXT]], told(credential).map { |line| line.values_at('reason', 'text') })
    assert_equal [shut(credential)], told(credential, uid: 2999, gid: 3001)
  end

  # From a node whose clock is ahead.
  def test_one_from_the_future
    ahead = Munged.new(File.join(temporary, 'ahead').tap { |dir| Dir.mkdir(dir) }, like: @munged, ahead: '+3600s')
    credential = ahead.encode(TEXT, '-g', GROUP.to_s)
    assert_equal([[nil, TEXT]], told(credential).map { |line| line.values_at('reason', 'text') })
    assert_equal [shut(credential)], told(credential, uid: 2999, gid: 3001)
  ensure
    ahead&.stop
  end

  def test_restrictions
    empty = @munged.encode('', as: faculty)
    assert_equal [{ 'payload' => empty, 'uid' => 1001, 'text' => '' }], told(empty)
    alone = @munged.encode(TEXT, '-u', '2001', as: faculty)
    assert_equal [2001, nil], told(alone)[0].values_at('uid_only', 'gid_only')
    assert_equal [shut(alone)], told(alone, uid: 2002)
  end

  # Another key's, a broken one, and none.
  def test_what_is_no_credential_of_this_munged
    other = Munged.new(File.join(temporary, 'other').tap { |dir| Dir.mkdir(dir) })
    good = @munged.encode(TEXT)
    reasons = told(other.encode(TEXT), good.sub(/.{4}:\z/, 'AAAA:'), 'MUNGE:xx:', 'x', good).map do |line|
      line['reason']
    end
    assert_equal [*['bad_cipher'] * 4, nil], reasons
  ensure
    other&.stop
  end

  # munged calls it an internal error, which anyone who may name a job can bring about: Blowfish in FIPS mode.
  def test_one_that_munged_fails_at_costs_the_others_nothing
    strict = Munged.new(File.join(temporary, 'strict').tap { |dir| Dir.mkdir(dir) }, like: @munged, fips: true)
    @munged.stop
    @munged = strict
    blowfish = "MUNGE:#{[[3, 2, 3, 0, 0].pack('C*') + ('x' * 92)].pack('m0')}:"
    good = strict.encode(TEXT)
    first, last = told(blowfish, good)
    assert_equal [shut(blowfish), TEXT], [first, last['text']]
  end

  def test_every_byte_counts
    good = @munged.encode(TEXT, '-g', GROUP.to_s)
    changed = (0...good.size).map { |i| good.dup.tap { |text| text[i] = text[i] == 'A' ? 'B' : 'A' } }
    assert_equal(good.size, told(*changed, good).count { |line| line['reason'] == 'bad_cipher' })
  end

  # 8 KiB; compressed, half a megabyte fits into a job's name.
  def test_text_that_is_too_large
    most, more, bomb = [8192, 8193, 1 << 19].map { |size| @munged.encode('x' * size) }
    sizes = [most, more, bomb].map { |one| told(one)[0]['text']&.size }
    assert_equal [8192, nil, nil], sizes
    assert_equal(%w[too_large too_large], told(more, bomb).map { |line| line['reason'] })
  end

  def test_text_that_is_none
    assert_equal([nil, "a\0b"], told(@munged.encode("\xff"), @munged.encode("a\0b")).map { |line| line['text'] })
  end

  def test_input_that_is_not_credentials
    ["\n", "MUNGE:a:\n\n", "#{'x' * 1025}\n", "a\0b\n"].each do |input|
      _, err, status = Open3.capture3(@program, '--socket', @munged.socket, stdin_data: input)
      assert_equal [65, "multitenant-munge: standard input is not credentials, one a line\n"], [status.exitstatus, err]
    end
    most = "MUNGE:#{'x' * 1018}\n" * 512
    assert_equal 512, told(*most.lines(chomp: true)).size
    _, err, status = Open3.capture3(@program, '--socket', @munged.socket, stdin_data: most * 2)
    assert_equal [65, "multitenant-munge: standard input is too long: over 513 KiB\n"], [status.exitstatus, err]
    assert_equal 64, Open3.capture3(@program, '--timeout', 'x')[2].exitstatus
    assert_equal "multitenant-munge #{MultiTenant::VERSION}\n", Open3.capture2(@program, '--version')[0]
  end

  # ---- the program makes one ----

  # @return [Array(String, String, Integer)] standard output, standard error, exit status of it as this uid
  def made(*options, text: TEXT, uid: 2001)
    out, err, status = Open3.capture3('setpriv', '--reuid', uid.to_s, '--regid', GROUP.to_s, '--clear-groups', '--',
                                      @program, '--socket', @munged.socket, *options, stdin_data: text)
    [out, err, status.exitstatus]
  end

  def test_one_that_is_made_is_opened_by_its_reader_alone
    out, err, code = made('--for', '1001', '--ttl', '180')
    assert_equal ['', 0], [err, code]
    line, last = out.lines.map { |one| JSON.parse(one) }
    assert_equal [%w[credential], { 'end' => 1 }], [line.keys, last]
    assert_equal({ 'payload' => line['credential'], 'uid' => 2001, 'uid_only' => 1001, 'text' => TEXT },
                 told(line['credential'], uid: 1001)[0])
    [2001, 2002, 0].each { |uid| assert_equal [shut(line['credential'])], told(line['credential'], uid: uid) }
  end

  def test_one_is_made_for_a_moment_alone
    ttl = lambda do |*options|
      credential = JSON.parse(made('--for', '1001', *options)[0].lines[0])['credential']
      out, = Open3.capture2('setpriv', *faculty, '--', 'unmunge', "--socket=#{@munged.socket}", '--keys=TTL',
                            stdin_data: credential)
      out[/^TTL:\s+(\d+)/, 1]
    end
    assert_equal %w[60 7], [ttl.call, ttl.call('--ttl', '7')]
    { %w[--ttl 0] => 'ttl', %w[--ttl 181] => 'ttl', %w[--ttl -1] => 'ttl', %w[--ttl 1x] => 'ttl',
      %w[--for 4294967295] => 'for', %w[--for prof] => 'for', ['--for', ''] => 'for' }.each do |options, name|
      out, err, code = made(*options, '--for', '1001')
      assert_equal ['', 64], [out, code], options
      assert_match(/\Amultitenant-munge: --#{name} is not a /, err)
    end
    codes = [1025, 1024].map { |size| made('--for', '1001', text: 'x' * size)[2] }
    assert_equal [65, 0], codes
  end

  def test_one_is_made_in_time_or_not_at_all
    @munged.freeze_it
    assert_equal ['', "multitenant-munge: munged did not answer within 0.3 s; see that munged runs on this host\n", 75],
                 made('--for', '1001', '--timeout', '0.3')
    @munged.stop
    out, err, code = made('--for', '1001')
    assert_equal ['', 69], [out, code]
    assert_match(/\Amultitenant-munge: munged could not be asked: /, err)
  end

  # ---- what runs it ----

  def credentials(program: PROGRAM)
    @credentials ||= MultiTenant::Credentials.new(socket: -> { @munged.socket }, program: program)
  end

  # @return [Array<Array>] text or reason of each payload of which something was said
  def said(*payloads, seconds: 5)
    lines = credentials.call(payloads, seconds).lines.map { |line| JSON.parse(line) }
    credentials.pause(lines.filter_map { |line| line['payload'] if line['reason'] })
    lines.filter_map { |line| [line['payload'], line['text'] || line['reason']] if line['payload'] }
  end

  def test_one_that_was_refused_is_not_asked_about_for_a_while
    ours, others = [%w[-g 0], %w[-u 2001]].map { |only| @munged.encode(TEXT, *only) }
    assert_equal [[ours, TEXT], [others, 'envelope_unavailable'], ['MUNGE:xx:', 'bad_cipher']],
                 said(ours, others, 'MUNGE:xx:')
    assert_equal [[ours, TEXT]], said(ours, others, 'MUNGE:xx:')
    @munged.stop
    assert_equal [], said(others)
    assert_nil credentials.error
    assert_equal [], said(ours, others)
    assert_match(/\Amunged could not be asked: Socket communication error/, credentials.error)
    @munged.start
    MultiTenant.stub(:clock, MultiTenant.clock + 301) do
      assert_equal [[others, 'envelope_unavailable']], said(others)
      assert_equal [], said(others)
    end
    assert_nil credentials.error
    # One that went and comes again is asked about anew.
    assert_equal [[ours, TEXT]], said(ours)
    assert_equal [[others, 'envelope_unavailable']], said(others)
  end

  # ---- which ones are opened is the core's to say ----

  # @return [Hash] a record of a job whose name holds this
  def sealed(payload, job_id: 1, label: 'sys/é', **changes)
    job(job_id, name: "#{label}|g|#{payload}", start: job_id, **changes)
  end

  # @return [String] what may be a credential
  def munge(text)
    "MUNGE:#{text.to_s.rjust(4, 'y')}:"
  end

  # @return [Array<String>] what munged is to be asked about
  def payloads(*records, core: core(uid: Process.euid, gids: [GROUP]))
    core.read([MultiTenant::Records.new(stream(*records))])[2]
  end

  def test_those_of_the_viewers_groups_and_their_own_are_opened
    assert_equal %w[MUNGE:aaaa:], payloads(sealed('MUNGE:aaaa:'), sealed('MUNGE:aaaa:', job_id: 2))
    assert_equal %w[MUNGE:aaaa:], payloads(sealed('MUNGE:aaaa:', uid: Process.euid, group_gid: -1))
    shut = [sealed('MUNGE:aaaa:', group_gid: 4000), sealed('MUNGE:aaaa:', group_gid: nil), sealed('MUNGE:aaaa:|x'),
            sealed("MUNGE:\u0000:"), sealed("MUNGE:a\nbcd:"), sealed("MUNGE:#{'x' * 1025}:"), sealed('v1'),
            sealed('MUNGE:aaaa:', publisher_in_group: false), sealed('MUNGE:aaaa:', publisher_in_group: nil)]
    shut.each { |record| assert_equal [], payloads(record), record.inspect }
    assert_equal [], payloads(sealed('MUNGE:aaaa:'), core: core(envelopes: %w[key v1]))
  end

  def test_the_oldest_thirty_two_of_a_publisher_are_opened
    records = (1..40).map { |n| sealed(munge(n), job_id: 41 - n) } << sealed(munge(''), uid: 7, job_id: 50)
    assert_equal [40, '', *39.downto(9)].map { |n| munge(n) }, payloads(*records)
  end

  # munged would refuse it for its form. One broken sender, and the others' good ones count as before.
  def test_what_is_no_credential_takes_no_place_of_one
    forms = ['MUNGE:', 'MUNGE::', 'MUNGE:x', 'MUNGE:xx:', 'MUNGE:xxxx', 'MUNGE:xx=x:', 'MUNGE:xxx=:x', 'MUNGE:x===:']
    broken = (1..64).map { |n| sealed(forms[n % forms.size], job_id: n) }
    good = (1..40).map { |n| sealed(munge(n), job_id: 100 + n) }
    core = core(uid: Process.euid, gids: [GROUP])
    assert_equal((1..32).map { |n| munge(n) }, payloads(*broken, *good, core: core))
    core.decide([%w[hpc hpc]], '', 0)
    codes = core.shares.to_h { |share| share.values_at(:job_id, :specs) }
    assert_equal %w[bad_base64], (1..64).map { |n| codes[n] }.uniq
    assert_equal %w[too_many], (133..140).map { |n| codes[n] }.uniq
  end

  # It has a credential's form, and munged has refused it for good.
  def test_what_munged_has_refused_takes_no_place_after_that
    records = (1..40).map { |n| sealed(munge(n), job_id: n) }
    core = core(uid: Process.euid, gids: [GROUP])
    payloads(*records, core: core)
    core.decide([%w[hpc hpc]], opened(*(1..10).map { |n| { payload: munge(n), reason: 'bad_cipher' } }), 0)
    assert_equal((11..40).map { |n| munge(n) }, payloads(*records, core: core))
    core.decide([%w[hpc hpc]], '', 0)
    assert_equal({ 'bad_cipher' => 10, 'envelope_unavailable' => 30 }, core.shares.map { |share| share[:specs] }.tally)
  end

  def test_as_many_as_munged_is_asked_about_at_once
    records = (1..600).map { |n| sealed(munge(n), job_id: n, uid: 1001 + (n % 20)) }
    assert_equal((1..512).map { |n| munge(n) }, payloads(*records))
  end

  # Sixteen with thirty-two credentials each, which nobody can open, come again and again.
  def test_publishers_take_turns_at_munged
    records = (1..512).map { |n| sealed(munge(n), job_id: n, uid: 1001 + (n % 16)) }
    asked = payloads(*records, sealed(munge(''), job_id: 600, uid: 7))
    assert_equal [*1..16, ''].map { |n| munge(n) }, asked.first(17)
    assert_equal 512, asked.size
  end

  # What munged said of those beyond them is not kept, and is not asked again in each round either.
  def test_once_the_viewers_shares_are_full_munged_is_asked_about_no_other
    records = (1..300).map { |n| sealed(munge(n), job_id: n, uid: n) }
    said = records.map do |one|
      text = SealingV2.message({ cluster: 'hpc', group: 'g', restarts: 0, **one },
                               id: uuid(one[:job_id]), app: 'App', method: 'card',
                               delivery: 'sys/multitenant-delivery_default', conn: { host: 'n1' })
      { payload: munge(one[:job_id]), uid: one[:uid], gid_only: 3000, text: text }
    end
    core = core(uid: 2001, gids: [3000])
    assert_equal 300, payloads(*records, core: core).size
    core.decide([%w[hpc hpc]], opened(*said), 0)
    assert_equal({ 'ok' => 256, 'too_many' => 44 }, core.shares.map { |share| share[:specs] }.tally)
    assert_equal [], payloads(*records, core: core)
    assert_equal [munge(257)], payloads(*records.drop(1), core: core).first(1)
  end

  def test_one_that_was_opened_is_not_opened_again
    core = core()
    records = [sealed('MUNGE:aaaa:'), sealed('MUNGE:bbbb:', job_id: 2), sealed('MUNGE:cccc:', job_id: 3)]
    assert_equal %w[MUNGE:aaaa: MUNGE:bbbb: MUNGE:cccc:], payloads(*records, core: core)
    core.decide([%w[hpc hpc]],
                opened({ payload: 'MUNGE:aaaa:', uid: 1, text: '' },
                       { payload: 'MUNGE:bbbb:', reason: 'bad_cipher' }), 0)
    assert_equal({ '1' => 'wrong_publisher', '2' => 'bad_cipher', '3' => 'envelope_unavailable' },
                 core.shares.to_h { |share| share.values_at(:key, :specs) })
    assert_equal %w[MUNGE:cccc:], payloads(*records, core: core)
    requeued = records.map { |record| { **record, restarts: 1 } }
    assert_equal %w[MUNGE:aaaa: MUNGE:bbbb: MUNGE:cccc:], payloads(*requeued, core: core)
  end

  def test_what_munged_refused_is_told
    core = core()
    payloads(sealed('MUNGE:aaaa:'), sealed('MUNGE:bbbb:', job_id: 2), core: core)
    core.decide([%w[hpc hpc]], opened({ payload: 'MUNGE:aaaa:', uid: 1, text: '' },
                                      { payload: 'MUNGE:bbbb:', reason: 'envelope_unavailable' }), 0)
    assert_equal %w[MUNGE:bbbb:], core.refused
    payloads(core: core)
    core.decide([%w[hpc hpc]], '', 0)
    assert_equal [], core.refused
  end

  # ---- the whole way ----

  def test_one_that_was_refused_is_asked_about_once_in_a_while
    asked = File.join(temporary, 'asked')
    File.write(program = File.join(temporary, 'refuses'), <<~SH, perm: 0o755)
      #!/bin/sh
      read payload; echo "$payload" >>#{asked}
      echo '{"payload":"'$payload'","reason":"envelope_unavailable"}'; echo '{"end":1}'
    SH
    text = stream(sealed('MUNGE:aaaa:', group_gid: 0))
    receiver = viewers_receiver([text], credentials: credentials(program: program))
    2.times { receiver.refresh }
    assert_equal ["MUNGE:aaaa:\n"], File.readlines(asked)
    MultiTenant.stub(:clock, MultiTenant.clock + 301) { receiver.refresh }
    assert_equal ["MUNGE:aaaa:\n"] * 2, File.readlines(asked)
  end

  def viewers_receiver(texts, env: {}, credentials: credentials())
    settings = MultiTenant::Settings.new(env)
    core = { **settings.to_core(dataroot: nil), gids: [GROUP, 0] }
    MultiTenant::Receiver.new(settings, source: Feed.new(*texts), clusters: MultiTenant::Clusters.new([]), core: core,
                                        log: ->(*) {}, credentials: credentials)
  end

  def credential_of(job_id)
    text = SealingV2.message({ cluster: 'hpc', job_id: job_id, group: 'g', restarts: 0 },
                             conn: { host: 'n1' }, id: uuid(job_id), app: 'App', method: 'card',
                             delivery: 'sys/multitenant-delivery_default')
    @munged.encode(text, '-g', '0', as: faculty)
  end

  # Where the site does not ask that the publisher belongs to the group, munged is asked, too.
  def test_a_publisher_outside_of_the_group
    text = stream(sealed(credential_of(7), job_id: 7, group_gid: 0, publisher_in_group: false))
    { 'true' => 'publisher_not_member', 'false' => 'ok' }.each do |asked, code|
      receiver = viewers_receiver([text], env: { 'MULTITENANT_PUBLISHER_IN_GROUP' => asked })
      receiver.refresh
      assert_equal code, receiver.shares[0][:specs]
    end
  end

  def test_what_does_not_belong_is_told_and_hides_no_other_share
    receiver = viewers_receiver([stream(sealed('MUNGE:aaaa:'), job(2, uid: Process.euid))],
                                credentials: Said.new("rubbish\n"))
    report = receiver.refresh
    assert_equal ['Line 1 of the opened credentials does not belong there.', 65], report.values_at('error', 'code')
    assert_equal(%w[envelope_unavailable ok], receiver.shares.map { |share| share[:specs] })
  end

  def test_a_munged_that_hangs_costs_the_deadline
    payload = @munged.encode(TEXT)
    @munged.freeze_it
    assert_promised(0.9) do
      start = now
      assert_equal [], said(payload, seconds: 0.5)
      now - start
    end
    assert_nil credentials.error
  end

  # What was opened in time counts, and the next call goes on from there.
  def test_a_munged_that_is_slow
    slow = File.join(temporary, 'slow')
    File.write(slow, <<~SH, perm: 0o755)
      #!/bin/sh
      read first; echo '{"payload":"'$first'","uid":1001,"text":"x"}'; echo '{"end":1}'; exit 75
    SH
    credentials(program: slow)
    assert_equal [['MUNGE:aaaa:', 'x']], said('MUNGE:aaaa:', 'MUNGE:bbbb:')
    assert_equal [['MUNGE:bbbb:', 'x']], said('MUNGE:bbbb:')
  end

  def test_without_the_program
    credentials(program: '/nonexistent')
    assert_equal [], said('MUNGE:x:')
    assert_match(/could not be started.*gem pristine/, credentials.error)
  end
end
