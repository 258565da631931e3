# frozen_string_literal: true

require_relative 'rails_test'

# A card that is not the viewer's own: its job is not theirs to end, and its state is known.
class TestSharedCards < RailsTest
  DELIVERY = "sys/#{Site::DELIVERY}".freeze

  def setup
    super
    [7, 8].each { |id| @slurm.run(id) }
    slurm_says(fresh(job(7), job(8)))
  end

  # A shell of OOD's, to which a click leads.
  def hosts
    @dashboard.sessions.body.scan(%r{/ssh/([^"]*)"}).flatten.sort
  end

  def test_the_host_is_a_button_only_where_it_is_the_jobs_own
    nodes = [{ name: 'n1', host: 'h1.cluster', addr: '10.0.0.1' }]
    own = %w[10.0.0.1 N1.EDU h1.cluster h1.cluster.edu n1 n1.edu]
    others = %w[n1.evil.example evil.example 10.0.0.1.edu n1.edu.evil h1 n]
    told = [*own, *others].each_with_index.map { |host, i| job(20 + i, connection: { host: host }, nodes: nodes) }
    unknown = [job(50, connection: { host: 'n1' }, nodes: nil), job(51, connection: { port: '1' }, nodes: nodes)]
    @viewer.own_session(uuid(901), job_id: '901')
    @slurm.run(901)
    slurm_says(fresh(*told, *unknown))
    start({ 'MULTITENANT_NODE_DOMAINS' => 'example.org,edu' })
    assert_equal 15, @dashboard.sessions.cards.size
    assert_equal [*own, 'mine'].sort, hosts
  end

  # OOD makes a method of each key, and calls some of the connection's for the whole page.
  def test_keys_that_are_called_as_methods_that_there_are_break_no_page
    methods = Object.instance_methods + Object.private_instance_methods
    keys = (methods.grep(/\A[a-z_]\w*\z/).map(&:to_s) - MultiTenant::Core::RESERVED_KEYS).each_slice(50).to_a
    slurm_says(fresh(*keys.each_with_index.map do |some, i|
      job(20 + i, connection: { host: 'n1', port: '1', **some.to_h { |name| [name, 'x'] } })
    end))
    start
    page = @dashboard.sessions
    assert_equal 200, page.status
    assert_equal ['Reach it at n1:1'] * keys.size, page.cards.values.map(&:last)
  end

  def test_no_page_makes_methods_of_what_publishers_call_their_keys
    @viewer.own_session(own = uuid(901), job_id: '901')
    start
    kinds = @dashboard.ruby('BatchConnect::Session.all.to_h { |session| [session.id, session.connect.class.name] }')
    ours = 'MultiTenant::Dashboard::Connection'
    assert_equal({ uuid(7) => ours, uuid(8) => ours, own => 'OpenStruct' }, kinds)
  end

  # Where Open OnDemand's own would make JSON of what was shared, and in the same minute.
  STATES = <<~RUBY
    info = OodCore::Job::Info.new(id: '1', status: :running, wallclock_time: 60)
    BatchConnect::Session.all.to_h do |session|
      session.define_singleton_method(:info) { info }
      session.define_singleton_method(:connect) { raise 'all that was shared' } unless session.id == '%s'
      [session.id, session.to_hash]
    end
  RUBY

  def test_whether_a_card_has_changed_is_told_without_json_of_all_that_was_shared
    @viewer.own_session(own = uuid(901), job_id: '901')
    @slurm.run(901)
    start
    before = @dashboard.ruby(format(STATES, own))
    assert_equal [uuid(7), uuid(8), own].sort, before.keys.sort
    before.each_value { |state| assert_match(/\A\h{40}\z/, state) }
    slurm_says(fresh(job(7), job(8, connection: { host: 'n2', port: '5432' })))
    ttl_passes
    @dashboard.sessions
    after = @dashboard.ruby(format(STATES, own))
    assert_equal([uuid(8)], before.keys.reject { |id| before[id] == after[id] })
  end

  def member(job_id)
    job(job_id, connection: { host: "n#{job_id}", mt_service: 'spanish' })
  end

  # OOD's list at each poll, over two hand-overs: the same card, which names the job that runs.
  def test_the_card_of_a_service_is_there_at_each_poll
    [9, 10].each { |id| @slurm.run(id) }
    slurm_says(fresh(member(8)))
    start
    seen = [[8], [8, 9], [9], [9, 10], [10]].map do |running|
      slurm_says(fresh(*running.map { |id| member(id) }))
      ttl_passes
      cards = @dashboard.sessions.cards
      assert_equal 1, cards.size
      id = cards.keys[0]
      assert_includes running.map(&:to_s), JSON.parse(File.read(@viewer.db(id)))['job_id']
      id
    end
    assert_equal 1, seen.uniq.size
    @dashboard.delete(seen[0])
    slurm_says(fresh(member(11)))
    ttl_passes
    assert_empty @dashboard.sessions.cards
  end

  # scancel would succeed: the viewer might be an operator.
  def test_delete_and_cancel_send_the_card_away_and_leave_the_job
    start
    assert_equal 2, @dashboard.sessions.cards.size
    page = @dashboard.delete(uuid(7))
    assert_equal [302, 'done'], [page.status, page.flash['notice']]
    assert_equal [uuid(8)], @dashboard.sessions.cards.keys
    assert_equal 204, @dashboard.cancel(uuid(8), accept: 'application/json').status
    assert_empty @dashboard.sessions.cards
    assert_equal [true, true, []], [@slurm.runs?(7), @slurm.runs?(8), @slurm.calls]
  end

  def test_a_dismissal_outlives_the_dashboard_until_it_is_taken_back
    start
    @dashboard.delete(uuid(7))
    start
    assert_equal [uuid(8)], @dashboard.sessions.cards.keys
    done = @viewer.multitenant('cards', '--restore', uuid(7))
    assert_equal 0, done.code, done.err
    ttl_passes
    assert_equal [uuid(7), uuid(8)], @dashboard.sessions.cards.keys.sort
  end

  def test_delete_and_cancel_of_the_viewers_own_session_end_its_job
    [901, 902].each { |id| @slurm.run(id) }
    @viewer.own_session(uuid(901), job_id: '901')
    @viewer.own_session(uuid(902), job_id: '902', token: DELIVERY)
    @viewer.write(@viewer.output(uuid(902), 'script.sh'))
    start
    assert_equal 4, @dashboard.sessions.cards.size
    @slurm.calls
    @dashboard.delete(uuid(901))
    @dashboard.cancel(uuid(902))
    assert_equal ['scancel 901', 'scancel 902'], @slurm.calls.grep(/scancel/)
    assert_equal [uuid(7), uuid(8), uuid(902)], @dashboard.sessions.cards.keys.sort
    assert_equal [false, false], [@slurm.runs?(901), @slurm.runs?(902)]
  end

  # Without a directory that we can write, it is still not their job.
  def test_what_can_not_be_dismissed_is_not_ended_either
    start
    path = @viewer.path('multitenant.dismissed')
    @viewer.do { Dir.mkdir(path) }
    page = @dashboard.delete(uuid(7), accept: 'application/json')
    assert_equal 422, page.status
    assert_match(/could not be dismissed: try again, or tell the administrators/, page.body)
    assert_match(/can't be dismissed/, @dashboard.log.last)
    assert_equal [[], 2], [@slurm.calls, @dashboard.sessions.cards.size]
  end

  # What is left is Open OnDemand's own answer, as to any session that is not there.
  def test_a_card_that_has_just_gone_by_itself
    start
    slurm_says(fresh(job(8)))
    ttl_passes
    assert_equal [uuid(8)], @dashboard.sessions.cards.keys
    assert_equal(*[uuid(7), uuid(99)].map { |id| @dashboard.delete(id).status })
    assert_equal [true, []], [@slurm.runs?(7), @slurm.calls]
  end

  # OOD's own clean-up of old directories takes the mark away, and so may the viewer. A full sweep puts it back.
  def test_the_job_of_a_card_whose_directory_is_gone_is_not_ended
    start
    FileUtils.remove_entry(@viewer.output(uuid(7)))
    @dashboard.delete(uuid(7))
    @dashboard.ruby('MultiTenant.refresh; nil')
    assert_equal [uuid(7), uuid(8)], @dashboard.sessions.cards.keys.sort
    @dashboard.delete(uuid(7))
    assert_equal [uuid(8)], @dashboard.sessions.cards.keys
    assert_equal [true, []], [@slurm.runs?(7), @slurm.calls.grep(/scancel/)]
  end

  def test_nor_is_it_where_slurm_has_not_told_us_of_it
    start
    slurm_does('exit 69')
    start
    FileUtils.remove_entry(@viewer.output(uuid(7)))
    @dashboard.delete(uuid(7))
    @dashboard.cancel(uuid(7))
    assert_equal [true, []], [@slurm.runs?(7), @slurm.calls.grep(/scancel/)]
  end

  # OOD's own clean-up of sessions that ended a week ago deletes what squeue doesn't show.
  def test_an_old_card_that_slurm_hides_stays
    start
    File.utime(0, Time.now.to_i - (8 * 86_400), @viewer.db(uuid(7)))
    slurm_says(fresh(sees: 'own'))
    start
    page = @dashboard.sessions
    assert_equal %w[Undetermined Undetermined], page.cards.values.map(&:first)
    assert_empty @slurm.calls
    slurm_says(fresh(job(7), job(8)))
    @dashboard.ruby('MultiTenant.refresh; nil')
    assert_equal %w[Running Running], @dashboard.sessions.cards.values.map(&:first)
  end

  # Nobody else would: this host does not ask for that key.
  def test_ood_tidies_up_an_old_card_of_another_key
    slurm_says(fresh(job(7), wckeys: %w[other]))
    start({ 'MULTITENANT_WCKEY' => 'other' })
    slurm_says(fresh(job(8)))
    File.unlink(File.join(@slurm.bin, 'job-7'))
    start
    File.utime(0, Time.now.to_i - (6 * 86_400), @viewer.db(uuid(7)))
    assert_equal %w[Completed Running], @dashboard.sessions.cards.values.map(&:first).sort
    File.utime(0, Time.now.to_i - (8 * 86_400), @viewer.db(uuid(7)))
    assert_equal [uuid(8)], @dashboard.sessions.cards.keys
    refute_path_exists @viewer.output(uuid(7))
  end

  # Nor is a card of a site's own app looked for where messages may not name that any more.
  def test_ood_tidies_up_an_old_card_of_an_app_that_is_allowed_no_more
    @site.app('lab-card', 'form.yml' => "---\nform: []\n", 'view.html.erb' => Site::VIEW)
    slurm_says(fresh(job(7, message: { mtd: 'sys/lab-card' })))
    start({ 'MULTITENANT_DELIVERY' => 'sys/lab-card' })
    assert_equal [uuid(7)], @dashboard.sessions.cards.keys
    slurm_says(fresh(job(8)))
    @slurm.finish(7)
    start
    assert_equal %w[Completed Running], @dashboard.sessions.cards.values.map(&:first).sort
    File.utime(0, Time.now.to_i - (8 * 86_400), @viewer.db(uuid(7)))
    assert_equal [uuid(8)], @dashboard.sessions.cards.keys
    refute_path_exists @viewer.output(uuid(7), token: 'sys/lab-card')
  end

  def test_what_slurm_hides_from_now_on_stays_as_it_was
    start
    slurm_says(fresh(sees: 'own'))
    ttl_passes
    assert_equal [%w[Running], []], [@dashboard.sessions.cards.values.map(&:first).uniq, @slurm.calls]
    assert_equal %w[7 8], @dashboard.ruby('MultiTenant.specs.keys')
  end

  # ---- the status ----

  # OOD would wait ten seconds for each card at each poll.
  def test_where_slurm_hangs_it_is_not_asked_either
    start
    slurm_does('exit 75')
    start
    @slurm.calls
    page = @dashboard.sessions
    assert_equal [200, %w[Undetermined]], [page.status, page.cards.values.map(&:first).uniq]
    assert_empty @slurm.calls
    slurm_does('cat "$dir/records$cluster"')
    @dashboard.ruby('MultiTenant.refresh; nil')
    assert_equal %w[Running], @dashboard.sessions.cards.values.map(&:first).uniq
  end

  # The other one answers, and its round is the last.
  def test_nor_is_one_of_two_clusters_that_hangs
    cluster('gpu')
    @slurm.run(9)
    slurm_says(fresh(job(9), cluster: 'gpu'), cluster: 'gpu')
    start
    assert_equal 3, @dashboard.sessions.cards.size
    slurm_does('[ "$cluster" != gpu ] || exit 75; cat "$dir/records$cluster"')
    start
    slurm_says(fresh(job(7), job(8)))
    ttl_passes
    @slurm.calls
    assert_equal({ uuid(7) => 'Running', uuid(8) => 'Running', uuid(9) => 'Undetermined' },
                 @dashboard.sessions.cards.transform_values(&:first))
    assert_empty @slurm.calls
  end

  # As where the home is slow, or the machine busy: Slurm may be, too.
  def test_nor_is_it_of_a_card_that_goes_with_the_next_page
    start
    receiver = 'MultiTenant.instance_variable_get(:@receiver).singleton_class'
    @dashboard.ruby("#{receiver}.define_method(:deliver_removals) {}; nil")
    slurm_says(fresh(job(8)))
    ttl_passes
    @slurm.calls
    shown = @dashboard.sessions.cards.transform_values(&:first)
    assert_equal({ uuid(7) => 'Undetermined', uuid(8) => 'Running' }, shown)
    assert_empty @slurm.calls
    @dashboard.ruby("#{receiver}.remove_method(:deliver_removals); nil")
    assert_equal [uuid(8)], @dashboard.sessions.cards.keys
  end

  def test_the_status_of_shared_cards_is_not_asked_of_slurm
    @viewer.own_session(uuid(901), job_id: '901')
    @slurm.run(901)
    start
    statuses = { uuid(7) => 'Running', uuid(8) => 'Running', uuid(901) => 'Running' }
    [@dashboard.sessions, @dashboard.poll, @dashboard.home].each do |page|
      assert_equal statuses, page.cards.transform_values(&:first)
    end
    assert_equal ['squeue 901'], @slurm.calls.uniq
  end

  def test_ood_asks_again_where_the_records_are_too_old
    slurm_says(stream(job(7), generated: Time.now.to_i - 301))
    start
    assert_equal 'Running', @dashboard.sessions.cards[uuid(7)][0]
    assert_includes @slurm.calls, 'squeue 7'
  end

  # The job has ended and the records stopped coming: OOD itself finds out.
  def test_the_status_where_slurm_does_not_answer_us_any_more
    start
    slurm_does('exit 69')
    @dashboard.ruby('MultiTenant.instance_variable_get(:@receiver).instance_eval { @answered = { "hpc" => 1 } }')
    FileUtils.rm_f(File.join(@slurm.bin, 'job-7'))
    assert_equal %w[Completed Running], @dashboard.sessions.cards.values_at(uuid(7), uuid(8)).map(&:first)
    slurm_does('cat "$dir/records$cluster"')
    slurm_says(fresh(job(7), job(8)))
    recovered
    assert_equal %w[Running Running], @dashboard.sessions.cards.values.map(&:first)
  end
end
