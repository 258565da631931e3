# frozen_string_literal: true

require_relative 'rest_bed'

# What a viewer's cards go through where the host asks slurmrestd alone, which knows neither munge nor Slurm's settings.
class TestSlurmrestd < BedTest
  include RestBed

  def setup
    super
    @job_id, @id = Bed.share
    @token = rest('hpcstudent')[:token]
    assert_equal ["written #{@id}"], cards.out.lines(chomp: true)
  end

  def teardown
    end_agent if @agent
    super
  end

  def environment(url: UNIX, token: @token)
    { 'MULTITENANT_SLURMRESTD' => url, 'MULTITENANT_SLURMRESTD_TOKEN' => token, 'SLURM_CONF' => '/nonexistent',
      'MULTITENANT_TIMEOUT' => '30' }
  end

  def cards(also: {}, **how)
    Bed.multitenant('hpcstudent', 'cards', env: { **environment(**how), **also })
  end

  def assert_endured(sentence, code, **how)
    result = cards(**how)
    assert_equal [code, 1], [result.code, result.err.lines.size], result.err
    assert_match sentence, result.err
    assert_card 'hpcstudent', @id
  end

  def end_the_job
    system('scancel', @job_id.to_s, exception: true)
    Bed.wait('it has ended') { Bed.left.empty? }
    Bed.wait('slurmdbd has heard of it') { `sacct -a -X -n -P -o state -j #{@job_id}`.include?('CANCELLED') }
  end

  def test_a_card_goes_with_its_job
    assert_equal "kept #{@id}\n", cards(url: HTTP).out
    end_the_job
    assert_equal "removed #{@id}\n", cards.out
    refute_card 'hpcstudent', @id
  end

  # Such a token sees what the site lets its user see, which slurmrestd does not tell.
  def test_with_a_token_of_no_operator_s_a_card_stays
    token = token_file('hpcstudent', token_of('outsider'))
    end_the_job
    assert_equal "kept #{@id}\n", cards(token: token).out
    assert_card 'hpcstudent', @id
  end

  def test_tokens_that_are_not_good
    old = token_of(OPERATOR, seconds: 1)
    Bed.wait('it has expired') { JSON.parse(old.split('.')[1].unpack1('m'))['exp'] < Time.now.to_i }
    head, claims, seal = token_of('outsider').split('.')
    forged = claims.unpack1('m').sub('outsider', OPERATOR)
    { [old] => /expired at/, ["#{head}.#{[forged].pack('m0').delete('=')}.#{seal}"] => /does not take the token/,
      ['SLURM_JWT='] => /holds no token/, [token_of(OPERATOR), 0o644] => /is open to other users/ }
      .each do |(token, mode), sentence|
      file = token_file('hpcstudent', token, mode: mode || 0o600)
      assert_endured(sentence, sentence.source.match?(/expired|take/) ? 77 : 78, token: file)
    end
    assert_endured(/token of slurmrestd can't be read: Permission denied/, 78, token: TOKEN)
  end

  def test_what_it_asks_is_down
    [%w[slurmctld], %w[slurmctld slurmdbd], %w[slurmdbd], %w[slurmrestd]].each do |daemons|
      daemons.each { |name| Bed.testbed('stop', name) }
      result = cards(also: { 'MULTITENANT_TIMEOUT' => '5' })
      refute_equal 0, result.code
      assert_card 'hpcstudent', @id
    ensure
      daemons.reverse_each { |name| Bed.testbed('start', name) }
    end
    assert_equal "kept #{@id}\n", cards.out
  end

  # ---- the agent ----

  SNAPSHOT = File.join(Bed::DIR, 'snapshot')
  SAID = File.join(Bed::DIR, 'agent.err')
  READ = { 'MULTITENANT_SNAPSHOT' => SNAPSHOT, 'MULTITENANT_TTL' => '5' }.freeze

  def start_agent(token)
    Dir.mkdir(SNAPSHOT, 0o755)
    File.chown(Bed.uid(OPERATOR), nil, SNAPSHOT)
    caps = %w[--inh-caps --ambient-caps --bounding-set].flat_map { |set| [set, '-all,+chown'] }
    env = { **environment(token: token), 'RUBYLIB' => File.join(Bed::OURS, 'lib'), 'OOD_CLUSTERS' => Bed::CLUSTERS }
    @agent = spawn(env.merge(READ.slice('MULTITENANT_TTL')), 'setpriv', "--reuid=#{OPERATOR}", "--regid=#{OPERATOR}",
                   '--clear-groups', '--no-new-privs', *caps, RbConfig.ruby,
                   File.join(Bed::OURS, 'exe/multitenant-agent'), '--directory', SNAPSHOT, err: SAID, chdir: '/')
  end

  def end_agent
    Process.kill(:KILL, @agent)
    Process.wait(@agent)
    FileUtils.rm_rf([SNAPSHOT, SAID])
  end

  # Which its users can't read, so that a dashboard could not ask for itself.
  def test_an_agent_with_one_token_asks_for_all
    token = token_file(OPERATOR, File.read(TOKEN))
    start_agent(token)
    kept = -> { cards(also: READ, token: token) }
    Bed.wait('it keeps the card') { kept.call.then { |told| told.code.zero? && told.out == "kept #{@id}\n" } }
    token_file(OPERATOR, old = token_of(OPERATOR, seconds: 1))
    Bed.wait('it has expired, and the agent says so') { File.read(SAID).match?(/expired at/) }
    end_the_job
    refute_includes kept.call.out, 'removed'
    assert_card 'hpcstudent', @id
    refute_includes File.read(SAID), old
    token_file(OPERATOR, File.read(TOKEN))
    Bed.wait('it is removed') { kept.call.out == "removed #{@id}\n" }
    refute_card 'hpcstudent', @id
  end
end
