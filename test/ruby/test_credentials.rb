# frozen_string_literal: true

require_relative 'helper'
require_relative 'munged'
require 'multitenant/credentials'

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

  def test_one_that_was_opened_is_not_opened_again
    ours = @munged.encode(TEXT, '-g', '0')
    others = @munged.encode(TEXT, '-u', '2001')
    first = credentials.call([ours, others], 5)
    assert_equal([0, 18], [ours, others].map { |payload| first[payload]['status'] })
    @munged.stop
    second = credentials.call([ours, others, "MUNGE:bad\nline:"], 5)
    assert_equal [first[ours]], second.values
    assert_match(/\Amunged could not be asked \(.*Socket communication error/, credentials.error)
    @munged.start
    assert_equal([0, 18], credentials.call([ours, others], 5).values.map { |answer| answer['status'] })
    assert_nil credentials.error
    assert_empty credentials.call([], 5)
    @munged.stop
    assert_empty credentials.call([ours], 5)
  end

  def test_a_munged_that_hangs_costs_the_deadline
    payload = @munged.encode(TEXT)
    @munged.freeze_it
    start = now
    assert_empty credentials.call([payload], 0.5)
    assert_operator now - start, :<, 0.9
    assert_nil credentials.error
  end

  def test_without_the_program
    assert_empty credentials(program: '/nonexistent').call(['MUNGE:x:'], 1)
    assert_match(/could not be started.*gem pristine/, credentials.error)
  end
end
