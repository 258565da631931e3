# frozen_string_literal: true

require_relative 'helper'

# Session ids come from messages, so anyone may name any: a card displaces no session of the user's
# own, and no card of another publisher's.
class TestSessions < MultiTenantTest
  ID = '00000007-0000-4000-8000-0123456789ab'
  TOKEN = 'sys/multitenant-delivery_default'

  def setup
    super
    @viewer = Viewer.new(self)
  end

  # The id of a card that can't have its session's, written down a second time.
  def derived(job_id, session, cluster = 'hpc')
    hex = OpenSSL::Digest::SHA256.hexdigest("#{cluster}\0#{job_id}\0#{session}\0")[0, 32]
    hex[12] = '8'
    hex[16] = %w[8 9 a b][hex[16].hex & 3]
    hex.unpack('a8a4a4a4a12').join('-')
  end

  # @return [Hash] card id => the job that its three files say it is
  def cards
    @viewer.listed.to_h do |id|
      db = JSON.parse(File.read(@viewer.db(id)))
      jobs = [db['job_id'], @viewer.connection(id)['jobid'],
              JSON.parse(File.read(@viewer.output(id, '.multitenant')))['job'].to_s]
      assert_equal 1, jobs.uniq.size, "card #{id} is of jobs #{jobs}"
      assert_equal [id, TOKEN], db.values_at('id', 'token')
      [id, jobs[0].to_i]
    end
  end

  def honest(**changes)
    job(7, user: 'honest', uid: 1001, connection: { host: 'honest' }, **changes)
  end

  # A member of the group too, who names the other's session.
  def attack(job_id = 8, session: ID, **changes)
    job(job_id, user: 'attacker', uid: 1002, connection: { host: 'evil' }, message: { mti: session }, **changes)
  end

  # ---- two publishers ----

  [10, 30].each do |start|
    define_method(:"test_two_publishers_with_one_id_where_the_others_job_began_at_#{start}") do
      texts = [stream(honest(start: 20), attack(start: start)), stream(attack(start: start), honest(start: 20))]
      both = { derived(7, ID) => 7, derived(8, ID) => 8 }
      4.times do |i|
        round = @viewer.look(texts[i % 2])
        assert_equal both.sort.to_h, cards
        assert_equal i.zero? ? [:written] : [:kept], round.cards.map(&:first).uniq
      end
      assert_equal 'honest', @viewer.connection(derived(7, ID))['host']
    end

    define_method(:"test_a_card_that_was_there_before_the_others_job_that_began_at_#{start}") do
      @viewer.look(stream(honest(start: 20)))
      assert_equal({ ID => 7 }, cards)
      3.times do
        @viewer.look(stream(honest(start: 20), attack(start: start)))
        assert_equal [7, 8], cards.values.sort
        refute_equal 8, cards[ID]
      end
      @viewer.look(stream(honest(start: 20)))
      assert_equal({ ID => 7 }, cards)
    end
  end

  def test_in_one_process_as_well
    @viewer.session(stream(honest)) do |receiver, feed|
      receiver.refresh
      feed.texts = [stream(honest, attack)]
      3.times { receiver.refresh }
    end
    assert_equal({ derived(7, ID) => 7, derived(8, ID) => 8 }.sort.to_h, cards)
  end

  # Cluster, job id and session id are known to every member of the group, so the made id is too.
  def test_naming_the_made_id_of_anothers_card
    [10, 20_000].each do |start|
      text = stream(honest(start: 1000), attack(8, start: start), attack(9, start: start, session: derived(7, ID)))
      3.times do
        @viewer.look(text)
        assert_equal [7, 8, 9], cards.values.sort, "began at #{start}"
      end
      assert_equal 'honest', @viewer.connection(cards.key(7))['host']
    end
  end

  def test_naming_the_made_id_of_a_card_beside_a_session_of_the_users_own
    @viewer.own_session(ID)
    text = stream(honest, attack(9, session: derived(7, ID)))
    3.times do
      @viewer.look(text)
      made = cards_but_own
      assert_equal [7, 9], made.values.sort
      assert_equal 'honest', @viewer.connection(made.key(7))['host']
    end
  end

  def cards_but_own
    own = File.read(@viewer.db(ID))
    File.unlink(@viewer.db(ID))
    cards
  ensure
    @viewer.write(@viewer.db(ID), own)
  end

  def test_one_publishers_second_job_has_no_card_until_the_first_ends
    first = honest(start: 1)
    second = job(9, user: 'honest', uid: 1001, message: { mti: ID }, start: 2)
    3.times do
      assert_equal %w[ok duplicate_session], @viewer.look(stream(second, first)).codes['9']
      assert_equal({ ID => 7 }, cards)
    end
    @viewer.look(stream(second))
    assert_equal({ ID => 9 }, cards)
  end

  def test_one_job_id_and_one_session_id_in_two_clusters
    @viewer.clusters = %w[a b].map { |name| MultiTenant::Clusters::Cluster.new(name, name, nil) }
    text = stream(honest, cluster: 'a') + stream(honest(uid: 1003), cluster: 'b')
    2.times { @viewer.look(text) }
    assert_equal [derived(7, ID, 'a'), derived(7, ID, 'b')].sort, @viewer.listed
    assert_equal %w[a b], @viewer.listed.map { |id| JSON.parse(File.read(@viewer.db(id)))['cluster_id'] }.sort
  end

  # ---- sessions of the user's own ----

  def own_files
    snapshot(@viewer.home).select { |path, what| path.end_with?(ID) || (path.include?("#{ID}/") && what[0] == 'file') }
  end

  def test_a_session_of_the_users_own_is_not_touched
    @viewer.own_session(ID)
    before = own_files
    assert_operator before.size, :>=, 2
    3.times { assert_equal([derived(7, ID)], @viewer.look(stream(honest)).cards.map { |_, id| id }) }
    assert_equal before, own_files
    assert_equal 'honest', @viewer.connection(derived(7, ID))['host']
    @viewer.look(stream)
    @viewer.remove_all
    assert_equal before, own_files
    assert_equal [ID], @viewer.listed
  end

  def test_a_session_of_the_users_own_that_came_later
    @viewer.look(stream(honest))
    @viewer.do { FileUtils.rm_rf([@viewer.db(ID), @viewer.output(ID)]) }
    @viewer.own_session(ID)
    before = own_files
    @viewer.look(stream(honest))
    assert_equal before, own_files
    assert_equal [derived(7, ID), ID].sort, @viewer.listed
  end

  def test_a_card_takes_its_sessions_id_when_that_is_free_again
    @viewer.own_session(ID)
    @viewer.look(stream(honest))
    @viewer.do { File.unlink(@viewer.db(ID)) }
    @viewer.look(stream(honest))
    assert_equal({ ID => 7 }, cards)
  end

  # A session of the user's own in a delivery app's directory: it holds more than connection.yml.
  def test_a_session_of_the_users_own_under_our_token
    @viewer.own_session(ID, token: TOKEN, job_id: '7', cache_completed: true)
    @viewer.write(@viewer.output(ID, 'script.sh'), 'exit')
    before = own_files
    [stream(honest), stream].each { |text| @viewer.look(text) }
    @viewer.remove_all
    assert_equal before, own_files
  end

  # The forms show where the card's files are.
  def test_specs_name_the_id_that_the_card_has
    @viewer.own_session(ID)
    info = @viewer.look(stream(honest)).specs['7']['info']
    assert_equal [@viewer.db(derived(7, ID)), @viewer.output(derived(7, ID))], info.values_at('db', 'output')
  end

  # ---- cards of the initializer that was there before ----

  def legacy(job_id: '7', token: TOKEN, **changes)
    @viewer.own_session(ID, token: token, job_id: job_id, title: 'App from honest', cluster_id: 'slurm_hpc', **changes)
  end

  def test_an_old_card_is_taken_over
    legacy
    round = @viewer.look(stream(honest))
    assert_equal [[:written, ID, nil]], round.cards
    assert_equal({ ID => 7 }, cards)
    assert_equal 'hpc', JSON.parse(File.read(@viewer.db(ID)))['cluster_id']
    assert_equal 'honest', @viewer.connection(ID)['host']
    assert_equal [[:kept, ID, nil]], @viewer.look(stream(honest)).cards
  end

  def test_an_old_card_of_another_job_is_not_taken_over
    legacy(job_id: '6')
    before = own_files
    @viewer.look(stream(honest))
    assert_equal before, own_files
    assert_equal [derived(7, ID), ID].sort, @viewer.listed
  end

  def test_an_old_card_stays_until_ood_says_that_its_job_is_completed
    legacy
    before = own_files
    2.times { assert_empty @viewer.look(stream).cards }
    assert_equal before, own_files
    legacy(cache_completed: true, completed_at: 1_700_000_009)
    assert_equal [[:removed, ID, nil]], @viewer.look(stream).cards
    assert_empty own_files
  end

  def test_an_old_card_of_an_app_that_is_not_allowed_stays
    legacy(token: 'sys/jupyter', cache_completed: true)
    before = own_files
    @viewer.look(stream)
    @viewer.remove_all
    assert_equal before, own_files
  end

  def test_old_cards_in_per_cluster_data_roots
    @viewer.per_cluster = true
    @viewer.write(@viewer.path('hpc', TOKEN, 'output', ID, 'connection.yml'), 'host: old')
    @viewer.write(@viewer.db(ID), JSON.generate(id: ID, token: TOKEN, job_id: '7', cache_completed: true))
    assert_equal [[:removed, ID, nil]], @viewer.look(stream).cards
    refute_path_exists @viewer.path('hpc', TOKEN, 'output', ID)
  end
end
