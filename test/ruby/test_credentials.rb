# frozen_string_literal: true

require_relative 'helper'
require_relative 'munged'
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

  # ---- the program ----

  def test_a_member_opens_it_more_than_once_and_an_outsider_never
    credential = @munged.encode(TEXT, '-g', GROUP.to_s, as: faculty)
    there = { 'uid' => 1001, 'gid_only' => GROUP, 'text' => TEXT }
    assert_equal [there.merge('status' => 0), there.merge('status' => 17)], told(credential, credential)
    assert_equal [there.merge('status' => 17)], told(credential)
    assert_equal [{ 'status' => 18 }], told(credential, uid: 2999, gid: 3001)
    assert_equal [{ 'status' => 18 }], told(credential, uid: 0, gid: 0)
  end

  def test_one_that_has_expired_is_told_to_members_alone
    credential = @munged.encode(TEXT, '-g', GROUP.to_s, '-t', '1', as: faculty)
    sleep 2.1
    assert_equal([[15, TEXT]], told(credential).map { |line| line.values_at('status', 'text') })
    assert_equal [{ 'status' => 18 }], told(credential, uid: 2999, gid: 3001)
  end

  # From a node whose clock is ahead.
  def test_one_from_the_future
    ahead = Munged.new(File.join(temporary, 'ahead').tap { |dir| Dir.mkdir(dir) }, like: @munged, ahead: '+3600s')
    credential = ahead.encode(TEXT, '-g', GROUP.to_s)
    assert_equal([[16, TEXT]], told(credential).map { |line| line.values_at('status', 'text') })
    assert_equal [{ 'status' => 18 }], told(credential, uid: 2999, gid: 3001)
  ensure
    ahead&.stop
  end

  def test_restrictions
    assert_equal [{ 'status' => 0, 'uid' => 1001, 'text' => '' }], told(@munged.encode('', as: faculty))
    alone = @munged.encode(TEXT, '-u', '2001', as: faculty)
    assert_equal [2001, nil], told(alone)[0].values_at('uid_only', 'gid_only')
    assert_equal [{ 'status' => 18 }], told(alone, uid: 2002)
  end

  # Another key's, a broken one, and none.
  def test_what_is_no_credential_of_this_munged
    other = Munged.new(File.join(temporary, 'other').tap { |dir| Dir.mkdir(dir) })
    good = @munged.encode(TEXT)
    statuses = told(other.encode(TEXT), good.sub(/.{4}:\z/, 'AAAA:'), 'MUNGE:xx:', 'x', good).map do |line|
      line['status']
    end
    assert_equal [14, 14, 8, 8, 0], statuses
  ensure
    other&.stop
  end

  def test_every_byte_counts
    good = @munged.encode(TEXT, '-g', GROUP.to_s)
    changed = (0...good.size).map { |i| good.dup.tap { |text| text[i] = text[i] == 'A' ? 'B' : 'A' } }
    assert_equal(good.size, told(*changed, good).count { |line| line['status'].between?(8, 14) })
  end

  # 8 KiB; compressed, half a megabyte fits into a job's name.
  def test_text_that_is_too_large
    most, more, bomb = [8192, 8193, 1 << 19].map { |size| @munged.encode('x' * size) }
    sizes = [most, more, bomb].map { |one| told(one)[0]['text']&.size }
    assert_equal [8192, nil, nil], sizes
    assert_equal({ 'munge_reason' => 'too_large' }, added(record(more))[0])
  end

  def test_text_that_is_none
    assert_equal([nil, "a\0b"], told(@munged.encode("\xff"), @munged.encode("a\0b")).map { |line| line['text'] })
  end

  def test_input_that_is_not_credentials
    ["\n", "MUNGE:a:\n\n", "#{'x' * 1025}\n", "a\0b\n"].each do |input|
      _, err, status = Open3.capture3(@program, '--socket', @munged.socket, stdin_data: input)
      assert_equal [65, "multitenant-munge: standard input is not credentials, one a line\n"], [status.exitstatus, err]
    end
    assert_equal 64, Open3.capture3(@program, '--timeout', 'x')[2].exitstatus
    assert_equal "multitenant-munge #{MultiTenant::VERSION}\n", Open3.capture2(@program, '--version')[0]
  end

  # ---- what runs it ----

  def credentials(program: PROGRAM)
    @credentials ||= MultiTenant::Credentials.new(socket: @munged.socket, program: program)
  end

  # @return [String] a record of a job whose name holds this
  def record(payload, job_id: 1, uid: 1001, group_gid: GROUP, label: 'sys/é')
    "#{JSON.generate(job_id: job_id, uid: uid, start: job_id, group_gid: group_gid, name: "#{label}|g|#{payload}")}\n"
  end

  # @return [Array<Hash>] what was added to each record
  def added(*records, seconds: 5)
    text = credentials.call([records.join], seconds, gids: [GROUP])[0]
    text.force_encoding('UTF-8').lines.zip(records).map { |line, was| JSON.parse(line).except(*JSON.parse(was).keys) }
  end

  def test_one_that_was_opened_is_not_opened_again
    ours, others = [%w[-g 0], %w[-u 2001]].map { |only| @munged.encode(TEXT, *only) }
    opened = { 'munge_uid' => 0, 'munge_for_gid' => 0, 'munge_text' => TEXT }
    refused = { 'munge_reason' => 'envelope_unavailable' }
    assert_equal [opened, refused, { 'munge_reason' => 'bad_cipher' }],
                 added(record(ours), record(others), record('MUNGE:xx:'))
    @munged.stop
    assert_equal [opened, refused, {}], added(record(ours, label: 'other'), record(others), record('MUNGE:zz:'))
    assert_match(/\Amunged could not be asked: .*Socket communication error/, credentials.error)
    @munged.start
    assert_equal [opened, refused], added(record(ours), record(others))
    MultiTenant.stub(:clock, MultiTenant.clock + 301) do
      assert_equal [opened, refused], added(record(ours), record(others))
    end
    assert_nil credentials.error
    assert_equal [{}], added(record('v1'))
    @munged.stop
    assert_equal [opened], added(record(ours))
    added(record('MUNGE:yy:'))
    assert_equal [{}], added(record(ours))
  end

  # Others are not munged's business: neither what the viewer is not meant to see nor what is no name of a share.
  def test_those_of_the_viewers_groups_and_his_own_are_opened
    good = @munged.encode(TEXT)
    records = [record(good, group_gid: 4000), record(good, group_gid: nil), record("#{good}|x"),
               record("MUNGE:\u0000:"), record("MUNGE:#{'x' * 1025}:")]
    assert_equal [{}] * 5, added(*records)
    outsiders = record(good).sub('}', ',"publisher_in_group":false}')
    assert_equal [{}], added(outsiders)
    assert_equal TEXT, added(record(good, uid: Process.euid, group_gid: -1))[0]['munge_text']
    assert_equal ["not JSON |MUNGE:\n\xff".b], credentials.call(["not JSON |MUNGE:\n\xff"], 1, gids: [])
    assert_equal [nil], credentials.call([nil], 1, gids: [])
  end

  def test_the_oldest_thirty_two_of_a_publisher_are_opened
    records = (1..40).map { |n| record(@munged.encode(n.to_s), job_id: 41 - n) } << record(@munged.encode('y'), uid: 7)
    texts = added(*records).filter_map { |keys| keys['munge_text'] }
    assert_equal [*'9'..'40', 'y'].sort, texts.sort
  end

  def test_a_munged_that_hangs_costs_the_deadline
    payload = @munged.encode(TEXT)
    @munged.freeze_it
    start = now
    assert_equal [{}], added(record(payload), seconds: 0.5)
    assert_operator now - start, :<, 0.9
    assert_nil credentials.error
  end

  # What was opened in time counts, and the next call goes on from there.
  def test_a_munged_that_is_slow
    slow = File.join(temporary, 'slow')
    File.write(slow, <<~SH, perm: 0o755)
      #!/bin/sh
      read first; echo '{"status":0,"uid":1001,"text":"x"}'; echo '{"end":1}'; exit 75
    SH
    credentials(program: slow)
    records = %w[MUNGE:a: MUNGE:b:].map.with_index { |payload, i| record(payload, job_id: i + 1) }
    assert_equal(['x', nil], added(*records).map { |keys| keys['munge_text'] })
    assert_equal(%w[x x], added(*records).map { |keys| keys['munge_text'] })
  end

  def test_without_the_program
    credentials(program: '/nonexistent')
    assert_equal [{}], added(record('MUNGE:x:'))
    assert_match(/could not be started.*gem pristine/, credentials.error)
  end
end
