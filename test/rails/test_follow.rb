# frozen_string_literal: true

require_relative 'rails_test'

# A dashboard that runs follows Slurm: its pages and the files of the cards.
class TestFollow < RailsTest
  CARD = ['Running', 'Reach it at n1:5432'].freeze

  def test_a_card_appears_changes_and_goes_while_the_dashboard_runs
    start
    assert_empty @dashboard.sessions.cards
    slurm_says(fresh(job(7)))
    ttl_passes
    assert_equal({ uuid(7) => CARD }, @dashboard.sessions.cards)
    slurm_says(fresh(job(7, connection: { host: 'n2', port: '99' })))
    ttl_passes
    assert_equal 'Reach it at n2:99', @dashboard.poll.cards[uuid(7)][1]
    slurm_says(fresh)
    ttl_passes
    assert_empty @dashboard.sessions.cards
    assert_empty @viewer.listed
  end

  def test_the_poll_alone_and_the_home_page_alone_are_enough
    start
    %i[poll home].each.with_index(1) do |page, id|
      slurm_says(fresh(job(id)))
      ttl_passes
      assert_equal({ uuid(id) => CARD }, @dashboard.public_send(page).cards)
      slurm_says(fresh)
      ttl_passes
      assert_empty @dashboard.public_send(page).cards
    end
  end

  def test_a_share_that_is_withdrawn_and_one_whose_recipients_change
    slurm_says(fresh(job(1), job(2)))
    start
    assert_equal [uuid(1), uuid(2)], @dashboard.sessions.cards.keys.sort
    slurm_says(fresh(job(1, name: 'sys/dashboard'), job(2, message: { mtu: '2002' })))
    ttl_passes
    assert_empty @dashboard.sessions.cards
  end

  def test_an_answer_that_is_incomplete_changes_nothing
    slurm_says(fresh(job(7)))
    start
    before = snapshot(@viewer.home)
    slurm_says(fresh(whole: false))
    ttl_passes
    assert_equal({ uuid(7) => CARD }, @dashboard.sessions.cards)
    assert_equal before, snapshot(@viewer.home)
  end

  # ---- the page itself ----

  # OOD's page asks no more once nothing runs; a viewer who waits for a service has nothing.
  def test_a_page_without_sessions_goes_on_asking_for_an_hour
    start
    refute_predicate @dashboard.poll, :polls?
    assert_predicate @dashboard.sessions, :polls?
    assert_predicate @dashboard.poll, :polls?
    @dashboard.ruby('MultiTenant::Dashboard::Poll.instance_eval { @opened -= 3590 }')
    assert_predicate @dashboard.poll, :polls?
    @dashboard.ruby('MultiTenant::Dashboard::Poll.instance_eval { @opened -= 10 }')
    refute_predicate @dashboard.poll, :polls?
  end

  # ---- several clusters ----

  def test_two_clusters_with_one_job_id_of_which_one_stops_answering
    cluster('gpu')
    slurm_says(fresh(job(7)))
    slurm_says(fresh(job(7, message: { mti: uuid(8) }, connection: { host: 'g1', port: '1' }), cluster: 'gpu'),
               cluster: 'gpu')
    start({ 'OOD_PER_CLUSTER_DATAROOT' => 'true' }, hurried: true)
    cards = { uuid(7) => CARD, uuid(8) => ['Running', 'Reach it at g1:1'] }
    assert_equal cards, @dashboard.sessions.cards
    assert_path_exists @viewer.path("gpu/sys/#{Site::DELIVERY}/output", uuid(8), 'connection.yml')
    slurm_does('[ "$cluster" = gpu ] && sleep 60; cat "$dir/records$cluster"')
    slurm_says(fresh)
    ttl_passes
    assert_equal cards, @dashboard.sessions.cards
    quiet # once the deadline has ended the one that hangs
    assert_equal cards.slice(uuid(8)), @dashboard.sessions.cards
  end

  # ---- a group that is lost ----

  def name_service_says(*gids)
    program_says('names', %(printf '{"viewer":{"gids":[#{gids.join(',')}]}}\\n{"end":1}\\n'))
  end

  # As if five minutes had passed.
  def membership_is_due
    @dashboard.ruby('MultiTenant.instance_variable_get(:@receiver).instance_variable_get(:@membership)' \
                    '.instance_variable_set(:@next, 0)')
    ttl_passes
  end

  def test_who_leaves_the_group_loses_the_card
    name_service_says(2001, 3000)
    slurm_says(fresh(job(7)))
    start
    program_says('names', 'exit 69')
    membership_is_due
    assert_equal [uuid(7)], @dashboard.sessions.cards.keys
    name_service_says(2001)
    membership_is_due
    assert_empty @dashboard.sessions.cards
    assert_empty @dashboard.ruby('MultiTenant.specs')
    assert_empty @viewer.listed
  end
end
