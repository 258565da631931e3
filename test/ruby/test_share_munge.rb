# frozen_string_literal: true

require_relative 'fake_job'
require_relative 'munged'

# The sender's MUNGE envelope with a real munged, and how many recipients fit.
class TestShareMunge < MultiTenantTest
  include FakeJob

  LLM = ['host=gpu-node-042.cluster.example.edu', 'port=49152', 'base_url=http://gpu-node-042.cluster.example.edu:49152/v1',
         'model=meta-llama/Llama-3.1-8B-Inst', 'api_key'].freeze

  def setup
    super
    need_root
    a_job
    @munged = Munged.new(File.join(temporary, 'munge').tap { |dir| Dir.mkdir(dir) })
  end

  def teardown
    @munged&.stop
    super
  end

  # @return [Hash] what is in the name that it would give the job
  def sealed(*argv)
    plain = %w[--group root --app Ollama_Own --method card --delivery sys/multitenant-delivery_default --session]
    env = { 'api_key' => Random.new(1).alphanumeric(32), 'SLURM_JOB_NAME' => 'sys/dashboard' }
    @name = share!('--print', *plain, ID, '--envelope', 'munge', '--munge-socket', @munged.socket, *argv,
                   env: env).out.chomp
    JSON.parse(@munged.decode(@name.split('|')[2]))
  end

  def test_the_message
    text = %(#{(0x20..0x7e).map(&:chr).join} €😀)
    told = sealed("text=#{text}", '--to', '7,3')
    assert_equal({ 'v' => 2, 'cluster' => CLUSTER, 'job' => 4711, 'group' => 'root', 'restarts' => 0, 'id' => ID,
                   'app' => 'Ollama_Own', 'method' => 'card', 'delivery' => 'sys/multitenant-delivery_default',
                   'conn' => { 'text' => text } }, told.except('to'))
    refute_nil told['to']
    refute sealed('host=n1').key?('to')
    assert_equal({}, sealed['conn'])
    assert_equal 'Spanish 301 ñ', sealed('--title', 'Spanish 301 ñ')['title']
    told = sealed(*%w[--service spanish-301 --until 2000000000 --lead 15 host=n1])
    assert_equal ['spanish-301', 2_000_000_000, 15, { 'host' => 'n1' }], told.values_at(*%w[service until lead conn])
    assert_equal %w[service], sealed('--service', 'spanish').keys & %w[service until lead]
  end

  # @return [Hash] what munged says of the credential in the last name; `as` is what setpriv is told of who asks
  def metadata(*as)
    asked = ['unmunge', "--socket=#{@munged.socket}", '--output=/dev/null']
    asked = ['setpriv', *as, '--', *asked] if as.any?
    out, = Open3.capture2(*asked, stdin_data: @name.split('|')[2])
    out.scan(/^(\w+): +(.*?)(?: \(\d+\))?$/).to_h
  end

  # Encrypted, for one user or one group alone: what is neither everybody reads.
  def test_who_alone_can_read_it
    [[%w[--only-me], 'UID_RESTRICTION'], [[], 'GID_RESTRICTION']].each do |argv, restriction|
      sealed('host=n1', *argv)
      assert_equal({ 'CIPHER' => 'aes256', restriction => 'root' },
                   metadata.select { |key, _| key.match?(/RESTRICTION|CIPHER/) })
    end
  end

  # As Host#munge_socket: test_host.rb.
  def test_one_munged_for_the_sender
    argv = [*COMMON, '--envelope', 'munge', '--group', 'root', '--print']
    asked = ->(env = {}, *more) { share(*argv, *more, env: env).code }
    config = ->(info) { fake('scontrol', "[[ $2 != config ]] || printf 'AuthAlt = x\nAuthInfo      = %s\n' #{info}") }
    ["cred_expire=10,socket=#{@munged.socket},ttl=5", @munged.socket].each do |info|
      config.call(info)
      assert_equal [0, 69, 69], [asked.call, asked.call({ 'MULTITENANT_MUNGE_SOCKET' => '/nonexistent' }),
                                 asked.call({}, '--munge-socket', '/nonexistent')]
    end
    config.call('socket=/nonexistent')
    assert_equal [69, 0, 0], [asked.call, asked.call({ 'MULTITENANT_MUNGE_SOCKET' => @munged.socket }),
                              asked.call({ 'MULTITENANT_MUNGE_SOCKET' => '/n' }, '--munge-socket', @munged.socket)]
  end

  # Nobody but its members can open it, and dashboards say whether it is taken: test_credentials.rb.
  def test_a_publisher_outside_of_the_group
    group = Etc.enum_for(:group).find { |one| one.mem.empty? && ![Process.egid, *Process.groups].include?(one.gid) }
    done = share(*COMMON, '--group', group.name, '--envelope', 'munge', '--munge-socket', @munged.socket, '--print',
                 'host=n1')
    assert_equal 0, done.code, done.err
    assert_match(/: you are not in the group #{group.name}: dashboards take this only where/, done.err)
    @name = done.out.chomp
    assert_equal group.name, metadata('--regid', group.gid.to_s, '--clear-groups')['GID_RESTRICTION']
  end

  # munged opens it for whose primary group it is, and may know of no others.
  def test_auto_takes_the_key_of_ones_primary_group_first
    keys = in_job('keys').tap { |dir| Dir.mkdir(dir) }
    fake('multitenant-seal', "exec #{Tree::ROOT}/lib/multitenant/multitenant-seal --keys #{keys} \"$@\"")
    other = Etc.enum_for(:group).find { |one| one.mem.empty? && ![Process.egid, *Process.groups].include?(one.gid) }
    auto = lambda do |group, *argv|
      share('--print', *PLAIN, '--group', group.name, '--envelope', 'auto', '--munge-socket', @munged.socket, *argv,
            'host=n1').out[/\|(\w+):/, 1]
    end
    own = Etc.getgrgid(Process.egid)
    assert_equal 'MUNGE', auto[own]
    [own, other].each do |group|
      File.write(path = File.join(keys, group.gid.to_s), "a1b2c3d4 #{['k' * 32].pack('m0')} 1700000000\n", perm: 0o440)
      File.chown(0, group.gid, path)
    end
    assert_equal %w[MTK1 MTK1 MUNGE MUNGE], [auto[own], auto[own, '--to', '2001'], auto[own, '--only-me'], auto[other]]
    assert_equal 'MTK1', auto[other, '--munge-socket', '/nonexistent']
  end

  def test_what_is_read_is_opened_by_slurm_s_munged
    sealed('host=n1')
    conf = in_job('slurm.conf').tap { |path| File.write(path, "AuthInfo=socket=#{@munged.socket}\n") }
    read = stream(job(4711, name: @name, user: 'root', uid: 0, group_gid: 0), cluster: CLUSTER)
    specs = multitenant('specs', '--records', '-', stdin: read, env: { 'SLURM_CONF' => conf, 'OOD_CLUSTERS' => '/n' })
    assert_equal 'n1', JSON.parse(specs.out).dig('4711', 'connection', 'host'), specs.err
  end

  def test_four_hundred_recipients_of_ten_thousand_fit_with_an_llms_connection
    sizes = (1..20).map do |seed|
      uids = (10_000..19_999).to_a.sample(400, random: Random.new(seed)).sort
      coded = sealed(*LLM, '--to', uids.join(','))['to']
      assert_operator @name.bytesize, :<=, 1024
      [@name.bytesize, coded.size]
    end
    assert_operator sizes.map(&:first).max, :>, 900
  end

  def test_what_is_too_large_for_readers
    done = share(*COMMON, '--envelope', 'munge', '--group', 'root', '--munge-socket', @munged.socket,
                 *%w[a b c].map { |key| "#{key}=#{key * 4000}" })
    assert_equal 65, done.code
    assert_match(/too long for a MUNGE message of 8192 bytes/, done.err)
  end
end
