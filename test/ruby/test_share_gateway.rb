# frozen_string_literal: true

require_relative 'fake_job'
require_relative 'munged'
require_relative 'sealing_v2'

# The sender with a gateway: what it puts into the envelopes that protect, by a real munged and multitenant-seal.
class TestShareGateway < MultiTenantTest
  include FakeJob

  SEAL = File.join(Tree::ROOT, 'lib/multitenant/multitenant-seal')
  SECRET = (0..31).map(&:chr).join.b
  DOOR = SecureRandom.urlsafe_base64(32).freeze
  ENVELOPES = %w[munge key].freeze
  IN_ROOT = [*PLAIN, '--group', 'root'].freeze

  def setup
    super
    need_root
    a_job
    @munged = Munged.new(File.join(temporary, 'munged').tap { |dir| Dir.mkdir(dir) })
    keys = File.join(temporary, 'keys').tap { |dir| Dir.mkdir(dir) }
    File.write(File.join(keys, '0'), "a1b2c3d4 #{[SECRET].pack('m0')} 1700000000\n", perm: 0o440)
    fake('multitenant-seal', "printf '%s\\n' \"$@\" >>#{in_job('argv')}; exec #{SEAL} --keys #{keys} \"$@\"")
    fake('munge', "printf '%s\\n' \"$@\" >>#{in_job('argv')}; exec #{`which munge`.chomp} \"$@\"")
    File.write(in_job('door'), "#{DOOR}\n", perm: 0o600)
  end

  def teardown
    @munged&.stop
    super
  end

  def gateway(port: 18_080, door: 'door')
    ['--gate', port.to_s, '--door-file', in_job(door)]
  end

  def sent(envelope, *argv, **options)
    share('--print', *IN_ROOT, '--envelope', envelope, '--munge-socket', @munged.socket, *argv, **options)
  end

  # @return [Hash] what is in the name that it would give the job
  def opened(envelope, name)
    return JSON.parse(@munged.decode(name.chomp.split('|').last)) if envelope == 'munge'

    JSON.parse(SealingV2.open_key(name.chomp, { cluster: CLUSTER, job_id: 4711, uid: 0 }, secret: SECRET))
  end

  ENVELOPES.each do |envelope|
    define_method(:"test_#{envelope}_holds_door_and_gate_and_no_argument_does") do
      done = sent(envelope, *gateway, 'host=n1')
      assert_equal [0, ''], [done.code, done.err]
      told = opened(envelope, done.out)
      assert_equal [DOOR, 18_080, { 'host' => 'n1' }], told.values_at('door', 'gate', 'conn')
      refute_includes File.read(in_job('argv')), DOOR
      refute_match(/door|gate/, opened(envelope, sent(envelope, 'host=n1').out).to_s)
    end
  end

  # A port comes as text, and only the first line of a file counts.
  def test_the_gateways_are_those_that_readers_take
    told = Vectors.read('gateway').reject { |vector| vector['keys']['door'].to_s.match?(/\0|\n\z/) }
    assert_operator told.size, :>, 25
    told.each do |vector|
      door, port = vector['keys'].values_at('door', 'gate')
      File.write(in_job('door'), "#{door}\n")
      options = [*(['--gate', port.to_s] if port), *(['--door-file', in_job('door')] if door)]
      done = sent('munge', *options, 'host=n1')
      next assert_equal [0, ''], [done.code, done.err] if vector['reason'] == 'ok' || port == '18080'

      assert_includes [64, 65], done.code, vector['label']
      assert_match(/\A[^\n]*--(?:gate|door-file)[^\n]*\n\z/, done.err)
    end
  end

  # What an LLM server shares. Behind a gateway it keeps its key to itself.
  LLM = ['host=gpu-node-042.cluster.example.edu', 'port=49152', 'base_url=http://gpu-node-042.cluster.example.edu:49152/v1',
         'model=meta-llama/Llama-3.1-8B-Inst', '--label', 'sys/dashboard'].freeze
  SERVICE = ['--service', 'spanish-301', '--title', 'Spanish 301', '--until', '2000000000', '--lead', '15'].freeze
  KEY = { 'api_key' => Random.new(1).alphanumeric(32) }.freeze

  def drawn(count, seed)
    (10_000..19_999).to_a.sample(count, random: Random.new(seed))
  end

  ENVELOPES.each do |envelope|
    { 'its_key_too' => ['api_key'], 'all_keys_of_a_service' => SERVICE }.each do |what, more|
      define_method(:"test_300_recipients_of_10000_fit_beside_a_gateway_and_#{what}_with_#{envelope}") do
        sizes = (1..10).map do |seed|
          done = sent(envelope, *gateway(port: 49_152), *LLM, *more, '--to', drawn(300, seed).join(','), env: KEY)
          assert_equal [0, ''], [done.code, done.err]
          done.out.chomp.bytesize
        end
        assert_operator sizes.min, :>, 600
      end
    end
  end

  # So many less, in rising order, and it fits; it does not with some more, as what munge makes differs by a block.
  [*ENVELOPES, 'v1'].each do |envelope|
    define_method(:"test_too_many_recipients_are_told_by_how_many_with_#{envelope}") do
      uids = drawn(700, 1)
      send = ->(few) { sent(envelope, *LLM, 'api_key', '--to', few.join(','), env: KEY) }
      done = send.call(uids)
      assert_equal 65, done.code, done.err
      assert_match(/\A.* bytes too long for .*; leave out \d+ of the 700 recipients, or shorten .*\n\z/, done.err)
      fit = uids.sort.first(700 - Integer(done.err[/leave out (\d+)/, 1]))
      assert_equal [0, 65], [send.call(fit).code, send.call(uids.sort.first(fit.size + 75)).code], fit.size
    end
  end

  # What munge makes of one message is a block longer one time than another.
  def test_what_munge_makes_too_long_by_a_block_is_made_again
    long = "MUNGE:#{'A' * 999}:"
    fake('munge', "echo x >>#{in_job('made')}; [[ $(wc -l <#{in_job('made')}) == 3 ]] && exec " \
                  "#{`which munge`.chomp} \"$@\"; echo #{long}")
    assert_equal [0, 3], [sent('munge', 'host=n1', '--label', 'x' * 20).code, File.readlines(in_job('made')).size]
  end

  def test_a_list_that_no_reader_takes_is_told_by_how_many_too
    done = sent('munge', 'host=n1', '--to', (5000..9100).to_a.join(','))
    assert_equal [65, "multitenant-share: --to: leave out 5 of the 4101 recipients, or share with the whole group\n"],
                 [done.code, done.err]
    assert_equal 0, sent('munge', 'host=n1', '--to', (5000..9095).to_a.join(',')).code
  end

  def test_a_gateway_needs_what_hides_its_door_and_tells_where_it_is
    { ['--envelope', 'v1'] => /v1, whose key .*--envelope munge, key or auto$/, ['--gate', ''] => /belong together/,
      ['--door-file', ''] => /belong together/, ['--gate', '80'] => /--gate must be a port, 1024 to 65535$/,
      ['--gate', '018080'] => /must be a port/, ['--gate', '18080x'] => /must be a port/ }.each do |argv, why|
      refute_shared 64, why, *IN_ROOT, '--envelope', 'munge', *gateway, *argv, 'host=n1'
    end
    refute_shared 64, /v1, whose key/, *IN_ROOT, *gateway, 'host=n1'
    refute_shared 64, /--gate wants the KEY host/, *IN_ROOT, '--envelope', 'munge', *gateway, 'port=18080'
    refute_shared 65, /none can't be read/, *IN_ROOT, '--envelope', 'munge', *gateway(door: 'none'), 'host=n1'
    refute_shared 65, /base64url/, *IN_ROOT, '--envelope', 'munge', *gateway(door: 'name'), 'host=n1'
  end
end
