# frozen_string_literal: true

require_relative 'helper'
require_relative 'sealing_v2'

# multitenant-seal: what it makes of what is shared, and what it says where it can't.
class TestSeal < MultiTenantTest
  PROGRAM = File.expand_path('../../lib/multitenant/multitenant-seal', __dir__)
  GROUP = Etc.getgrgid(100)
  KEY = (0..31).map(&:chr).join.b
  LINES = "a1b2c3d4 #{[KEY].pack('m0')} 1700000000\n".freeze
  JOB = { cluster: 'hpc', job_id: 4711, group: GROUP.name, restarts: 2 }.freeze
  SHARED = { id: '0c3a8b1e-7d42-4c8e-9a51-2b6f0d9e8c11', app: 'Ollama_API', method: 'card',
             delivery: 'sys/multitenant-delivery_default', conn: { host: 'n1', note: "it's \"ü\"" } }.freeze
  PREFIX = "sys/dashboard|#{GROUP.name}|".freeze

  def setup
    super
    need_root
    @program = File.join(temporary, 'multitenant-seal').tap { |path| FileUtils.cp(PROGRAM, path) }
    @keys = File.join(temporary, 'keys').tap { |dir| Dir.mkdir(dir) }
    write_keys(LINES)
  end

  def write_keys(text, mode: 0o440)
    path = File.join(@keys, GROUP.gid.to_s)
    FileUtils.rm_f(path)
    File.write(path, text)
    File.chown(0, GROUP.gid, path)
    File.chmod(mode, path)
  end

  def arguments(**changes)
    { group: GROUP.name, label: 'sys/dashboard', cluster: 'hpc', job: 4711, restarts: 2, keys: @keys }
      .merge(changes).compact.flat_map { |name, value| ["--#{name}", value.to_s] }
  end

  # As user 1001, a member of the group.
  def seal(shared = SHARED, *more, groups: GROUP.gid, **changes)
    input = shared.is_a?(String) ? shared : JSON.generate(shared)
    argv = ['setpriv', '--reuid', '1001', '--regid', '1001', '--groups', groups.to_s, '--', @program]
    out, err, status = Open3.capture3(*argv, *arguments(**changes), *more, stdin_data: input)
    Done.new(out.force_encoding('UTF-8'), err, status.exitstatus)
  end

  def open_sealed(payload)
    SealingV2.open_key(PREFIX + payload.chomp, { **JOB, uid: 1001 }, secret: KEY).force_encoding('UTF-8')
  end

  def assert_refused(code, sentence, done)
    assert_equal [code, ''], [done.code, done.out], done.err
    assert_match(/\Amultitenant-seal: [^\n]*\n\z/, done.err)
    assert_match sentence, done.err
  end

  # ---- what it makes ----

  def test_it_seals_for_the_job_and_the_user
    done = seal
    assert_equal [0, ''], [done.code, done.err]
    assert_equal SealingV2.message(JOB, **SHARED), open_sealed(done.out)
    refute_equal done.out, seal.out
  end

  def test_a_title_is_sealed_and_checked
    titled = SHARED.merge(title: 'Spanish 301 ñ')
    assert_equal SealingV2.message(JOB, **titled), open_sealed(seal(titled).out)
    assert_refused 65, /The title is not/, seal(SHARED.merge(title: 'a<b'))
    assert_refused 65, /"title" where it has one/, seal(SHARED.merge(title: 301))
  end

  def test_the_keys_of_a_service_are_those_that_readers_take
    Vectors.read('service').each do |vector|
      done = seal(SHARED.merge(vector['keys']))
      case vector['reason']
      when 'ok'
        assert_equal vector['keys'], JSON.parse(open_sealed(done.out)).slice('service', 'until', 'lead')
      when 'bad_service' then assert_refused 65, /The service's name is not/, done
      else assert_refused 65, /"lead" of a service/, done
      end
    end
  end

  def test_the_gateways_are_those_that_readers_take
    Vectors.read('gateway').each do |vector|
      done = seal(SHARED.merge(vector['keys']))
      case vector['reason']
      when 'ok' then assert_equal vector['keys'], JSON.parse(open_sealed(done.out)).slice('door', 'gate')
      when 'bad_service' then assert_refused 65, /door or gate is out of range/, done
      else assert_refused 65, /"door" and "gate" of its gateway/, done
      end
    end
  end

  def test_the_newest_key_seals
    write_keys("00000001 #{['x' * 32].pack('m0')} 1800000000\n#{LINES}")
    assert_equal ['00000001'].pack('H*'), seal.out.delete_prefix('MTK1:').tr('-_', '+/').unpack1('m')[0, 4]
  end

  def test_recipients_in_any_order
    to = [1_234_500_001, 1001, 1002, 1001]
    coded = ->(uids) { JSON.parse(open_sealed(seal(SHARED.merge(to: uids)).out))['to'] }
    assert_equal [SealingV2.code(to.uniq.sort), ''], [coded[to], coded[[]]]
  end

  # 400 of 10,000, with what an LLM server shares.
  def test_400_recipients_fit
    llm = { host: 'gpu-a100-17.cluster.example.edu', port: '11434', model: 'llama3.3:70b-instruct-q4_K_M',
            url: 'http://gpu-a100-17.cluster.example.edu:11434/v1', api_key: 'Qx7vK2mZp9Lr4TtW8sYbN3cJhD6fGaEu' }
    sizes = (0...20).map do |seed|
      to = (1000...11_000).to_a.sample(400, random: Random.new(seed))
      PREFIX.bytesize + seal(SHARED.merge(to: to, conn: llm)).out.chomp.bytesize
    end
    assert_operator sizes.min, :>, 500
    assert_operator sizes.max, :<=, 1024
  end

  # ---- what it refuses ----

  {
    'nothing' => '', 'no JSON' => 'x', 'a list' => '[]', 'no connection' => JSON.generate(SHARED.except(:conn)),
    'a key that is ours' => JSON.generate(SHARED.merge(job: 1)), 'more' => JSON.generate(SHARED.merge(doors: 'x')),
    'a number' => JSON.generate(SHARED.merge(conn: { port: 1 })),
    'to as text' => JSON.generate(SHARED.merge(to: 'JvT')),
    'a uid below 0' => JSON.generate(SHARED.merge(to: [-1])),
    'a uid of 33 bits' => JSON.generate(SHARED.merge(to: [1 << 32])),
    'NUL' => JSON.generate(SHARED.merge(app: "a\0"))
  }.each do |what, input|
    define_method(:"test_input_with_#{what.tr(' ', '_')}") { assert_refused 65, /standard input is not/, seal(input) }
  end

  def test_what_readers_would_refuse
    { { id: 'x' } => /session id/, { app: '<b>' } => /app name/, { method: 'x' } => /method/,
      { delivery: 'dev/x' } => /delivery/, { conn: { 'a-b': '1' } } => /connection key/,
      { conn: { a: "\n" } } => /connection value/ }.each do |changes, sentence|
      assert_refused 65, sentence, seal(SHARED.merge(changes))
    end
    assert_refused 65, /more uids/, seal(SHARED.merge(to: (1..4097).to_a))
    assert_refused 65, /64 KiB/, seal(SHARED.merge(conn: { a: 'x' * 65_536 }))
  end

  def test_too_long_for_a_name
    random = ->(bytes) { Random.new(1).bytes(bytes).unpack1('H*') }
    assert_refused 65, /is \d+ bytes too long for a job name of 1024/, seal(SHARED.merge(conn: { a: random[700] }))
    assert_refused 65, /too long for a job name/, seal(SHARED.merge(conn: { a: random[2000] }))
  end

  def test_keys_that_can_not_be_used
    assert_refused 78, %r{/keys/100 can't be read by this user}, seal(groups: 3000)
    write_keys(LINES, mode: 0o444)
    assert_refused 78, %r{/keys/100 has another mode than 0440}, seal
    write_keys('x')
    assert_refused 78, %r{/keys/100 is not lines of KEYID KEY CREATED}, seal
    assert_refused 78, %r{/keys/none is not there}, seal(keys: "#{@keys}/none")
  end

  def test_a_group_that_is_not_there
    assert_refused 65, /no group mt-nobody/, seal(group: 'mt-nobody')
  end

  # The change, and what the sentence names.
  def test_arguments
    [{ group: nil }, { label: nil }, { cluster: nil }, { job: nil }, { restarts: nil }, { job: 0 }, { job: 'x' },
     { job: 1 << 32 }, { restarts: -1 }, { cluster: '' }, { other: 1 }].each do |changes|
      assert_refused 64, /--#{changes.keys[0]}.*; see multitenant-seal --help$/, seal(**changes)
    end
    [{ label: 'a|b' }, { group: 'a|b' }, { group: '' }, { label: 'x' * 1024 }].each do |changes|
      assert_refused 64, /LABEL.*; see multitenant-seal --help$/, seal(**changes)
    end
    assert_equal "multitenant-seal #{MultiTenant::VERSION}\n", Open3.capture2(@program, '--version')[0]
  end

  # ---- what the core tells of keys ----

  def test_ids_of_keys
    assert_equal [['a1b2c3d4', 1_700_000_000]], MultiTenant::Native.keys(@keys, GROUP.gid)
    assert_match(/\AThe keys of group 101 can't be used: .*; copy it .* \(multitenant key new makes .*\)\.\z/,
                 MultiTenant::Native.keys(@keys, 101))
  end

  # What was sealed is in the dashboard of a member, by way of the core's setting `keys`.
  def test_a_member_sees_it
    name = PREFIX + seal.out.chomp
    settings = { uid: 2001, gids: [2001, GROUP.gid], deliveries: ['sys/*'], envelopes: %w[key],
                 publisher_in_group: true, one_directory: true, publishers: nil, node_domains: [], dataroot: temporary,
                 per_cluster_dataroot: false, keys: @keys }
    core = MultiTenant::Core.new(settings)
    decide(core, stream(job(4711, name: name, restarts: 2, group_gid: GROUP.gid)), clusters: [])
    spec = core.specs['4711']
    assert_equal ['*', 'n1'], [spec['accounting']['mtu'], spec['connection']['host']]
    decide(core, stream(job(4711, name: name, restarts: 3, group_gid: GROUP.gid)), clusters: [])
    assert_equal 'stale', core.shares[0][:specs].to_s
  end
end
