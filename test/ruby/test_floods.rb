# frozen_string_literal: true

require_relative 'helper'
require_relative 'sealing_v2'

# What a flood of shares costs a dashboard, in counts and in memory: doc/performance.md. No time is asserted, as the
# machine may be busy.
class TestFloods < MultiTenantTest
  # KiB that a job may take, whoever's it is; how often the message of one that counts may be held: by the core, in
  # specs and in services, and those of before until Ruby's collector is there; and KiB for that to be late.
  JOB = 20
  TIMES = 12
  LATE = 4096

  ROUNDS = ENV.key?('MULTITENANT_LONG') ? 40 : 4

  # Shares of one viewer that count, and whose messages are kept: mt_limits.h.
  KEPT = 256

  # A dashboard's process: reads and decides what it is given, over and over, and says what that took.
  DASHBOARD = <<~'RUBY'
    require 'multitenant/multitenant'
    before, flood, opened, settings, installed, rounds = Marshal.load($stdin.binmode.read)
    def peak = Integer(File.read('/proc/self/status')[/VmHWM:\s+(\d+)/, 1])
    core = MultiTenant::Core.new(settings)
    core.installed = installed
    look = lambda do |text, said = ''|
      core.read([MultiTenant::Records.new(text)])
      core.decide([%w[hpc hpc]], said, 0)
      [core.shares.to_h { |share| [share[:key], share[:specs]] }, core.specs.size,
       core.services.transform_values { |service| service['members'].size }]
    end
    look[before]
    least = peak
    rounds.times { look[flood, opened] && look[before] }
    $stdout.binmode.write(Marshal.dump([look[flood, opened], peak - least]))
  RUBY

  # @param message [Integer] KiB that is in each of those that count
  # @return [Array(Hash, Integer, Hash)] codes, and the number of specs, and of each service's members
  def told(*flood, message: 1, opened: '', installed: nil)
    settings = { **MultiTenant::Settings.new({}).to_core(dataroot: nil), uid: 2001, gids: [2001, 3000] }
    input = Marshal.dump([stream(job(1)), stream(*flood), opened, settings, installed, ROUNDS])
    argv = [RbConfig.ruby, '--disable=gems', '-I', File.join(Tree::ROOT, 'lib'), '-e', DASHBOARD]
    out, err, status = Open3.capture3(*argv, stdin_data: input, binmode: true)
    assert_predicate status, :success?, err[0, 2000]
    told, grown = Marshal.load(out) # rubocop:disable Security/MarshalLoad -- our own child's
    most = (flood.size * JOB) + ((installed ? KEPT : told[1]) * message * TIMES) + LATE
    warn "#{name}: #{grown} KiB, and it may be #{most}" if ENV.key?('MULTITENANT_LONG')
    assert_operator grown, :<, most
    told
  end

  def shares(count, publishers:, **changes)
    (1..count).map { |id| job(id, uid: 1001 + (id % publishers), user: "u#{id % publishers}", **changes) }
  end

  # Of one who has thousands of them the first 32 count, and of others all.
  def test_one_publisher_with_5000_shares
    codes, specs, = told(*shares(5000, publishers: 1), job(6000, uid: 1999, user: 'other'))
    assert_equal [{ 'ok' => 33, 'too_many' => 4968 }, 33, 'ok'], [codes.values.tally, specs, codes['6000']]
  end

  def test_500_publishers_with_a_share_each
    codes, specs, = told(*shares(500, publishers: 500))
    assert_equal [{ 'ok' => 256, 'too_many' => 244 }, 256], [codes.values.tally, specs]
  end

  def test_1000_members_of_a_service
    members = shares(1000, publishers: 1, connection: { host: 'n1', port: '1', mt_service: 'llm' })
    codes, specs, services = told(*members)
    assert_equal [{ 'ok' => 32, 'too_many' => 968 }, 32], [codes.values.tally, specs]
    assert_equal({ 'u0/llm@students' => 32 }, services)
  end

  # Names of some hundred bytes that hold as much as a message may, or one byte more.
  def test_messages_as_long_as_they_may_be
    texts = [0, 1].map { |more| longest(more) }
    most = shares(260, publishers: 260).map { |one| one.merge(name: name_of(one, texts[0])) }
    codes, = told(*most, job(600, start: 1).then { |one| { **one, name: name_of(one, texts[1]) } }, message: 64)
    assert_equal [{ 'ok' => 256, 'too_many' => 4, 'too_large' => 1 }, 'too_large'], [codes.values.tally, codes['600']]
  end

  # Where a hundred users join: no more is kept of what they share than of what eight do, also of shares whose app is
  # not installed, which a later round may let in.
  def test_the_longest_messages_of_100_publishers
    text = longest(0)
    flood = shares(3200, publishers: 100).map { |one| one.merge(name: name_of(one, text)) }
    codes, specs, = told(*flood, message: 24)
    assert_equal [{ 'ok' => KEPT, 'too_many' => 2944 }, KEPT], [codes.values.tally, specs]
    codes, specs, = told(*flood, message: 24, installed: [])
    assert_equal [{ 'delivery_not_allowed' => KEPT, 'too_many' => 2944 }, 0], [codes.values.tally, specs]
  end

  # Texts that are far longer than any of the kind may be.
  def test_messages_that_are_refused_for_their_size
    long = 'a' * 60_000
    { bad_app_name: [{ mta: long }], bad_title: [{}, { mt_title: long }], not_recipient: [{ mtu: '1', mta: long }],
      bad_connection_value: [{}, { host: long }] }.each do |code, (message, connection)|
      codes, = told(*shares(32, publishers: 1, message: message, connection: connection || { host: 'n1' }))
      assert_equal({ code.to_s => 32 }, codes.values.tally)
    end
  end

  # @return [String] a message that has all keys and is filled up, and has some bytes more
  def longest(more)
    keys = (2..MultiTenant::Core::LIMITS[:conn_keys]).map { |number| "k#{number}".ljust(64, 'x') }
    left = MultiTenant::Core::LIMITS[:message] + more - filled(keys, 0).bytesize
    filled(keys, left / keys.size, left % keys.size).tap { |text| raise unless text.bytesize == (1 << 16) + more }
  end

  def filled(keys, length, rest = 0)
    values = keys.to_h { |key| [key, 'a' * length] }
    v1_text(accounting(0), { 'host' => 'n1', **values, keys[0] => 'a' * (length + rest) })
  end

  def name_of(job, text)
    "l|students|#{seal(text.sub(uuid(0), uuid(job[:job_id])), job_id: job[:job_id], user: job[:user])}"
  end

  # As many users as a list may name, in what munged may tell.
  def test_recipients_as_many_as_they_may_be
    recipients = SealingV2.code((2001..6096).to_a)
    all = shares(300, publishers: 300)
    said = all.map { |one| sealed_for(one, recipients) }
    sealed = all.zip(said).map { |one, credential| { **one, name: "l|students|#{credential[:payload]}" } }
    codes, = told(*sealed, message: 8, opened: opened(*said))
    assert_equal({ 'ok' => 256, 'too_many' => 44 }, codes.values.tally)
  end

  def sealed_for(job, recipients)
    text = SealingV2.message({ **job, group: 'students' }, id: uuid(job[:job_id]), app: 'App', method: 'card',
                                                           delivery: 'sys/multitenant-delivery_default',
                                                           conn: { host: 'n1' }, to: recipients)
    { payload: format('MUNGE:%04d:', job[:job_id]), uid: job[:uid], gid_only: 3000, text: text }
  end
end
