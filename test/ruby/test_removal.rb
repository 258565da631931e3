# frozen_string_literal: true

require_relative 'helper'
require_relative 'sealing_v2'

# When a card goes: its job has ended, as a whole answer of the right cluster and WCKey says, or is
# refused for a final reason. In every other case it stays.
class TestRemoval < MultiTenantTest
  ID = '00000007-0000-4000-8000-0123456789ab'

  def setup
    super
    @viewer = Viewer.new(self)
    @viewer.look(stream(job(7)))
  end

  def assert_kept(*texts, **options)
    before = snapshot(@viewer.home)
    round = @viewer.look(*texts, **options)
    assert_equal before, snapshot(@viewer.home)
    assert_includes [[[:kept, ID, nil]], nil], round.cards
  end

  def assert_removed(round)
    assert_equal [[:removed, ID, nil]], round.cards
    assert_empty @viewer.listed
    refute_path_exists @viewer.output(ID)
  end

  # ---- the job has ended ----

  def test_a_whole_answer_without_the_job
    assert_removed @viewer.look(stream)
    assert_empty @viewer.look(stream).cards
  end

  def test_in_the_process_that_wrote_it
    round = @viewer.session(stream(job(7))) do |receiver, feed|
      receiver.refresh
      feed.texts = [stream]
      receiver.refresh
    end
    assert_removed round
    assert_empty round.specs
  end

  def test_only_the_job_that_has_ended
    @viewer.look(stream(job(7), job(8)))
    assert_equal [[:kept, uuid(8), nil], [:removed, ID, nil]], @viewer.look(stream(job(8))).cards.sort_by(&:first)
    assert_equal [uuid(8)], @viewer.listed
  end

  def test_the_job_id_went_round_to_another_user
    round = @viewer.look(stream(job(7, uid: 1002, user: 'other', message: { mti: uuid(9) })))
    assert_equal [[ID], [uuid(9)]], [round.ids(:removed), round.ids(:written)]
  end

  # Whatever may be learned of the new job later, the old one has ended.
  def test_the_job_id_went_round_to_a_job_of_which_nothing_is_known_yet
    assert_removed @viewer.look(stream(job(7, uid: 1002, user: 'other', group_gid: nil, publisher_in_group: nil)))
  end

  def test_the_publisher_named_another_session
    round = @viewer.look(stream(job(7, message: { mti: uuid(9) })))
    assert_equal [[ID], [uuid(9)]], [round.ids(:removed), round.ids(:written)]
    refute_path_exists @viewer.output(ID)
  end

  # ---- it may not have ended ----

  def test_no_answer
    assert_kept
    assert_kept('')
    assert_kept("slurm_load_jobs error\n")
    assert_kept(error: 'Slurm does not answer.')
  end

  def test_an_incomplete_answer
    assert_kept(stream(whole: false))
    assert_kept(stream(job(8)).sub('"end":1', '"end":0'))
  end

  # Another web host of the user's, with a newer answer, made the card. What they dismiss goes all the same.
  def test_an_answer_that_is_older_than_the_one_that_made_the_card
    at = ->(text, seconds) { text.sub('1700000000', (1_700_000_000 + seconds).to_s) }
    @viewer.look(stream)
    @viewer.look(at[stream(job(7)), 30])
    assert_kept(at[stream, 0])
    assert_kept(at[stream, 29])
    assert_kept(at[stream(job(7)), 40])
    assert_removed @viewer.look(at[stream, 30])
    round = @viewer.session(at[stream(job(7)), 30]) do |receiver, feed|
      receiver.refresh
      feed.texts = [at[stream(job(7)), 0]]
      receiver.dismiss(ID)
      receiver.refresh
    end
    assert_equal 'dismissed', round.codes['7'][1]
    refute_path_exists @viewer.output(ID)
  end

  # PrivateData hides the jobs of others: that one is not seen says nothing.
  def test_an_answer_that_sees_own_jobs_only
    assert_kept(stream(sees: 'own'))
  end

  def test_an_answer_of_another_cluster
    assert_kept(stream(cluster: 'other'))
    assert_kept(stream(cluster: 'other') + stream(whole: false))
  end

  def test_an_answer_for_another_wckey
    assert_kept(stream(wckeys: ['other']))
    assert_kept(stream(wckeys: %w[multitenan multitenant2]))
    assert_removed @viewer.look(stream(wckeys: %w[other multitenant]))
  end

  # Where the record did not say which of two keys the job has, both have to be asked for.
  def test_an_answer_for_one_of_two_wckeys
    @viewer.look(stream)
    @viewer.look(stream(job(7), wckeys: %w[a b]))
    assert_kept(stream(wckeys: ['a']))
    assert_removed @viewer.look(stream(wckeys: %w[b a]))
  end

  def test_an_answer_for_the_wckey_of_the_record
    @viewer.look(stream)
    @viewer.look(stream(job(7, wckey: 'a'), wckeys: %w[a b]))
    assert_kept(stream(wckeys: ['b']))
    assert_removed @viewer.look(stream(wckeys: ['a']))
  end

  def test_a_cluster_that_ood_does_not_know_any_more
    @viewer.clusters = [MultiTenant::Clusters::Cluster.new('other', 'other', nil)]
    assert_equal %w[ok unknown_cluster], @viewer.look(stream(job(7)), deliver: false).codes['7']
    assert_removed @viewer.look(stream(job(7)))
  end

  # Without `cluster:` its slurm.conf says which it is. From a snapshot nobody asks Slurm, and a process that has just
  # started has not read it before.
  def test_a_cluster_whose_slurm_conf_can_not_be_read_now
    conf, other = %w[hpc other].map { |name| File.join(temporary, "#{name}.conf") }
    File.write(other, "ClusterName=other\n")
    File.chmod(0o755, temporary)
    @viewer.clusters = { 'a' => conf, 'b' => other }.map { |id, path| MultiTenant::Clusters::Cluster.new(id, nil, path) }
    File.write(conf, "ClusterName=hpc\n")
    @viewer.look(stream(job(7)))
    assert_includes File.read(@viewer.db(ID)), '"cluster_id":"a"'
    [nil, "Include gone.conf\nClusterName=hpc\n", "# being written\n"].each do |text|
      text ? File.write(conf, text) : File.unlink(conf)
      assert_kept stream(job(7))
    end
    File.write(conf, "ClusterName=elsewhere\n")
    assert_removed @viewer.look(stream(job(7)))
  end

  # A login node that shares the home is not a dashboard's host.
  def test_where_no_cluster_of_oods_is_known_at_all
    @viewer.clusters = []
    assert_equal %w[ok unknown_cluster], @viewer.look(stream(job(7)), deliver: false).codes['7']
    assert_kept stream(job(7))
  end

  # A process that has just started knows of no job that a silent cluster had.
  def test_a_first_look_without_the_cards_cluster
    round = @viewer.look(stream(job(8), cluster: 'other') + stream(whole: false))
    assert_equal [[:kept, ID, nil]], round.cards
  end

  # ---- refused: every final reason takes the card away, every temporary one keeps it ----

  # What job 7 may turn into, by the card code it then has.
  def turns
    v1 = v1_text(accounting(7), { a: '1' })
    sealed = ->(text, **as) { "l|students|#{seal(text, job_id: 7, user: 'prof', **as)}" }
    refused_by_message.merge(refused_by_credential).merge(
      'not_member' => { group_gid: 3001 }, 'publisher_not_member' => { publisher_in_group: false },
      'publisher_not_allowed' => { publisher_allowed: false }, 'lookup_failed' => { group_gid: nil },
      'out_of_time' => { publisher_in_group: nil, out_of_time: true },
      'malformed_name' => { name: 'bash' }, 'name_too_long' => { name: "l|students|#{'A' * 1024}" },
      'envelope_unavailable' => { name: 'l|students|MUNGE:AAAA:' }, 'bad_base64' => { name: 'l|students|!' },
      'bad_cipher' => { name: sealed[v1, job_id: 8] }, 'bad_gzip' => { name: sealed[v1, packed: v1] },
      'too_large' => { name: sealed['x' * 65_537] }, 'bad_message' => { text: '{}|{}' }, 'own_session' => { uid: 2001 }
    )
  end

  def refused_by_message
    { 'not_recipient' => { mtu: '1' }, 'bad_session_id' => { mti: 'x' }, 'bad_app_name' => { mta: '<b>' },
      'bad_method' => { mtm: 'x' }, 'delivery_not_allowed' => { mtd: 'sys/x' }, 'form_only' => { mtm: 'form' } }
      .transform_values { |changes| { message: changes } }
      .merge('bad_connection_key' => { connection: { 'a-b': 1 } },
             'bad_connection_value' => { connection: { a: "\n" } }, 'bad_title' => { connection: { mt_title: '<b>' } },
             'bad_service' => { connection: { mt_service: '../x' } })
  end

  def refused_by_credential
    text = SealingV2.message({ cluster: 'hpc', job_id: 7, group: 'students', restarts: 0 }, conn: { host: 'n1' },
                                                                                            **message_parts)
    said = { payload: 'MUNGE:AAAA:', uid: 1001, gid_only: 3000, text: text }
    { 'wrong_job' => [{ text: text.sub(':7,', ':8,') }, {}], 'wrong_publisher' => [{ uid: 1002 }, {}],
      'stale' => [{}, { restarts: 1 }] }.transform_values do |munged, changes|
      { name: 'l|students|MUNGE:AAAA:', munged: opened({ **said, **munged }), **changes }
    end
  end

  def message_parts
    { id: ID, app: 'App', method: 'card', delivery: 'sys/multitenant-delivery_default' }
  end

  # What the others need a settings or a second job for is tested by itself.
  BY_THEMSELVES = %w[ok too_many dismissed other_member service_taken duplicate_session unknown_cluster
                     envelope_not_accepted].freeze
  # These take an address outside Open OnDemand away, and no card.
  ADDRESSES = %w[no_address bad_address port_not_allowed address_open other_kind no_node].freeze

  def test_a_turn_for_every_reason
    assert_equal MultiTenant::Native.reasons.keys.sort, (turns.keys + BY_THEMSELVES + ADDRESSES).sort
  end

  (MultiTenant::Native.reasons.keys - BY_THEMSELVES - ADDRESSES).each do |code|
    define_method(:"test_a_job_that_turns_#{code}") do
      @viewer.env = { 'MULTITENANT_PUBLISHERS' => 'staff' } if code == 'publisher_not_allowed'
      changes = turns.fetch(code)
      @viewer.opened = changes[:munged]
      round = @viewer.look(stream(job(7, **changes.except(:munged)), publishers: 'staff'))
      assert_equal code, round.codes['7'][1]
      if MultiTenant::Native.reasons.fetch(code)[1]
        assert_equal [[[:kept, ID, nil]], [ID]], [round.cards, @viewer.listed]
      else
        assert_removed round
      end
    end
  end

  # A refusal is known also where the jobs of others are hidden.
  def test_a_final_reason_where_own_jobs_only_are_seen
    assert_removed @viewer.look(stream(job(7, publisher_in_group: false), sees: 'own'))
  end

  def test_too_many
    older = (101..132).map { |id| job(id, start: id, message: { mtm: 'form' }) }
    round = @viewer.look(stream(job(7), *older))
    assert_equal 'too_many', round.codes['7'][1]
    assert_removed round
  end

  def test_an_envelope_that_is_not_accepted_any_more
    @viewer.env = { 'MULTITENANT_ENVELOPES' => 'munge' }
    assert_removed @viewer.look(stream(job(7)))
  end

  def test_duplicate_session
    round = @viewer.look(stream(job(7), job(6, start: 1, message: { mti: ID }, connection: { host: 'n6' })))
    assert_equal({ '6' => %w[ok ok], '7' => %w[ok duplicate_session] }, round.codes)
    assert_equal [[ID], 'n6'], [@viewer.listed, @viewer.connection(ID)['host']]
  end

  # The app's page tells a site that does not want it to take it out of the setting.
  def test_a_delivery_app_of_the_gems_that_is_allowed_no_more
    @viewer.env = { 'MULTITENANT_DELIVERY' => 'sys/other' }
    assert_kept(stream(sees: 'own'))
    assert_removed @viewer.look(stream(job(7)))
  end

  def test_a_job_that_has_ended_since_its_delivery_app_is_allowed_no_more
    @viewer.env = { 'MULTITENANT_DELIVERY' => 'sys/other' }
    assert_removed @viewer.look(stream)
  end

  SPANISH = { host: 'n7', mt_service: 'spanish' }.freeze

  # The card of the job alone goes in the delivery that writes the service's.
  def test_a_job_that_becomes_one_of_several_of_a_service
    jobs = [job(7, connection: SPANISH), job(8, connection: { **SPANISH, host: 'n8' })]
    round = @viewer.look(stream(*jobs))
    assert_equal [%w[ok ok], %w[ok other_member]], round.codes.values.sort
    refute_includes @viewer.listed, ID
    assert_equal 1, @viewer.listed.size
  end

  def test_a_service_of_another_app_has_the_name
    older = job(6, start: 1, message: { mta: 'Other' }, connection: SPANISH)
    round = @viewer.look(stream(older, job(7, connection: SPANISH)))
    assert_equal({ '6' => %w[ok ok], '7' => %w[ok service_taken] }, round.codes)
    refute_includes @viewer.listed, ID
    assert_equal 1, @viewer.listed.size
  end

  # ---- half-way ----

  # The secret goes first, and a card that could not be removed whole is removed the next time.
  def test_the_connection_is_gone_even_where_the_rest_cannot_go
    File.chmod(0o500, @viewer.path('db'))
    round = @viewer.look(stream)
    assert_equal [:failed], round.cards.map(&:first)
    assert_match(/Permission denied/, round.cards[0][2])
    assert_equal [['.multitenant'], [ID]], [Dir.children(@viewer.output(ID)), @viewer.listed]
    File.chmod(0o700, @viewer.path('db'))
    assert_removed @viewer.look(stream)
  end

  def test_no_secret_is_orphaned_when_ood_deletes_the_db_file
    @viewer.do { File.unlink(@viewer.db(ID)) }
    assert_removed @viewer.look(stream)
  end

  def test_what_else_the_user_put_beside_the_card_stays
    note = @viewer.write(@viewer.output(ID, 'notes.txt'), 'mine')
    assert_equal [[:removed, ID, nil]], @viewer.look(stream).cards
    assert_equal ['notes.txt'], Dir.children(File.dirname(note))
    assert_empty @viewer.look(stream).cards
  end

  BAD_MARKS = ['', '{', '[]', '{}', '{"cluster":"hpc","wckey":"multitenant","job":0,"uid":1}',
               '{"cluster":"hpc","wckey":"multitenant","job":"7","uid":1001}',
               '{"cluster":"hpc","wckey":"multitenant","job":7,"uid":-1}',
               '{"cluster":5,"wckey":"multitenant","job":7,"uid":1001}'].freeze

  # Whose it is can't be told: nothing is removed.
  def test_a_mark_that_says_nothing
    BAD_MARKS.each do |mark|
      @viewer.write(@viewer.output(ID, '.multitenant'), mark)
      before = snapshot(@viewer.home)
      assert_empty @viewer.look(stream).ids(:removed), mark
      assert_equal before, snapshot(@viewer.home), mark
    end
  end

  # ---- remove all ----

  def test_remove_all_takes_every_card_and_nothing_else
    @viewer.own_session(uuid(1))
    @viewer.own_session(uuid(2), token: 'sys/multitenant-delivery_default') # the old initializer's
    @viewer.look(stream(job(7), job(8)))
    own = [@viewer.db(uuid(1)), @viewer.output(uuid(1), 'connection.yml', token: 'sys/jupyter')]
    assert_equal [uuid(2), ID, uuid(8)].sort, @viewer.remove_all.map { |_, id| id }.sort
    assert_equal own.sort, Dir.glob(@viewer.path('**/*'), File::FNM_DOTMATCH).select { |path| File.file?(path) }.sort
  end

  def test_remove_all_takes_the_cards_of_apps_that_are_allowed_no_more
    own = @viewer.own_session(uuid(2), token: 'sys/multitenant-delivery_default') # without a mark
    @viewer.env = { 'MULTITENANT_DELIVERY' => 'sys/multitenant-delivery_default,sys/lab-*' }
    @viewer.look(stream(job(7), job(8, message: { mtd: 'sys/lab-card' })))
    @viewer.env = { 'MULTITENANT_DELIVERY' => 'sys/other' }
    assert_equal [ID, uuid(8)], @viewer.remove_all.map { |_, id| id }.sort
    assert_equal [File.basename(own)], @viewer.listed
    refute_path_exists @viewer.path('sys/lab-card')
  end

  # A cluster that was taken out of Open OnDemand, or whose file this user may not read any more.
  def test_remove_all_takes_the_cards_of_clusters_that_ood_knows_no_more
    @viewer.per_cluster = true
    @viewer.look(stream(job(7)))
    @viewer.clusters = [MultiTenant::Clusters::Cluster.new('other', 'other', nil)]
    assert_equal [[:removed, ID, nil]], @viewer.remove_all
    refute_path_exists @viewer.path('hpc', 'sys/multitenant-delivery_default')
    assert_empty @viewer.listed
  end

  # That list stands beside the directories of clusters, and it is none.
  def test_remove_all_where_a_card_was_dismissed
    @viewer.session(stream(job(7))) do |receiver,|
      receiver.refresh
      receiver.dismiss(ID)
    end
    assert_path_exists @viewer.path('multitenant.dismissed')
    assert_empty @viewer.remove_all
    refute_path_exists @viewer.path('multitenant.dismissed')
  end

  def test_remove_all_where_there_is_nothing
    FileUtils.rm_rf(File.join(@viewer.home, 'ondemand'))
    assert_empty @viewer.remove_all
    assert_empty Dir.children(@viewer.home)
  end
end
