# frozen_string_literal: true

require_relative 'rails_test'

# The session of an owner whose service has several jobs: it is one, whichever of them runs.
class TestOwnService < RailsTest
  TOKEN = 'sys/multitenant-dashboard'
  ID = '00000901-0000-4000-8000-0123456789ab'
  NAME = 'spanish@students'

  def setup
    super
    install_apps('services')
    @viewer.own_session(ID, job_id: '901', token: TOKEN)
    @viewer.write(staged('service.json'), JSON.generate(service: NAME))
    keep('session' => ID, 'lead' => '10', 'until' => '4102441199')
  end

  def staged(*parts)
    @viewer.output(ID, *parts, token: TOKEN)
  end

  def state(file)
    File.join(@viewer.home, '.local/state/multitenant/services', NAME, file)
  end

  # What the service's directory holds besides.
  def keep(files)
    files.each { |file, text| @viewer.write(state(file), "#{text}\n") }
  end

  # A generation of a copy, which has written where it is.
  def generation(dir, host, **values)
    values = { host: host, port: '8080', proxy: 'rnode', mt_title: 'Before', mt_shared: 'shared card munge 3 students',
               **values }
    @viewer.write(staged(*dir, 'connection.yml'), YAML.dump(values.transform_keys(&:to_s)))
  end

  # @return [Array(String, String)] status and text of the only card
  def card
    page = @dashboard.sessions
    assert_equal [ID], page.cards.keys
    page.cards[ID]
  end

  def cancelled
    @slurm.calls.grep(/scancel/)
  end

  def test_it_follows_its_jobs
    generation([], 'one')
    generation(['gen-1'], 'two')
    keep('chains/1/job' => '901', 'chains/1/shared' => '901', 'chains/1/served' => '0', 'chains/1/next' => '902')
    @slurm.run(901)
    @slurm.run(902, 'PD')
    start
    assert_equal ['Running', true], [card[0], card[1].include?('Open the application')]
    assert_includes @dashboard.sessions.body, '/rnode/one/8080/'
    @slurm.finish(901)
    assert_equal 'Queued', card[0]
    @slurm.run(902)
    keep('chains/1/job' => '902', 'chains/1/shared' => '902', 'chains/1/served' => '1', 'chains/1/next' => '903')
    assert_equal 'Running', card[0]
    assert_includes @dashboard.sessions.body, '/rnode/two/8080/'
    assert_nil JSON.parse(File.read(@viewer.db(ID)))['cache_completed']
  end

  # Of several copies one that runs is enough.
  def test_a_copy_that_runs_is_the_one_that_is_shown
    generation([], 'one')
    generation(['gen-4.2'], 'two')
    keep('chains/1/job' => '901', 'chains/1/shared' => '901', 'chains/1/served' => '0',
         'chains/2/job' => '912', 'chains/2/shared' => '912', 'chains/2/served' => '4')
    @slurm.run(912)
    start
    assert_equal 'Running', card[0]
    assert_includes @dashboard.sessions.body, '/rnode/two/8080/'
  end

  def test_it_has_ended_when_none_is_left
    generation([], 'one')
    why = 'Two jobs in a row ended within five minutes of their start.'
    keep('chains/1/job' => '902', 'chains/1/shared' => '902', 'chains/1/served' => '1', 'chains/1/ended' => why)
    start
    assert_equal 'Completed', card[0]
    assert JSON.parse(File.read(@viewer.db(ID)))['cache_completed']
    assert_includes @dashboard.ruby("MultiTenant.ended_note(BatchConnect::Session.find('#{ID}'))"),
                    '<p class="alert alert-warning"><bdi>Two jobs'
  end

  # OOD deletes what it has noted as ended a week ago, which would stop the service.
  def test_what_a_dashboard_without_us_has_noted_as_ended_goes_on
    @viewer.own_session(ID, job_id: '901', token: TOKEN, cache_completed: true)
    File.utime(0, 0, @viewer.db(ID))
    generation(['gen-1'], 'two')
    keep('chains/1/job' => '902', 'chains/1/shared' => '902', 'chains/1/served' => '1', 'chains/1/next' => '903')
    @slurm.run(902)
    start
    assert_equal 'Running', card[0]
    refute_path_exists state('stopped')
    keep('stopped' => 'Its owner.')
    @dashboard.sessions
    assert_empty @dashboard.sessions.cards
  end

  def test_where_slurm_does_not_answer_it_has_not_ended
    generation([], 'one')
    keep('chains/1/job' => '902', 'chains/1/shared' => '902', 'chains/1/served' => '1')
    File.write(File.join(@slurm.bin, 'squeue'), "#!/bin/sh\necho 'slurm_load_jobs error: down' >&2\nexit 1\n")
    start
    assert_equal 'Undetermined', card[0]
    assert_nil JSON.parse(File.read(@viewer.db(ID)))['cache_completed']
  end

  # ---- what the card says ----

  def test_the_card_says_which_jobs_serve_and_what_is_wrong
    generation([], 'one')
    keep('title' => 'Spanish <302>', 'chains/1/job' => '901', 'chains/1/shared' => '901', 'chains/1/served' => '0',
         'chains/1/next' => '902', 'chains/1/node' => 'node7', 'chains/1/start' => '1700000000',
         'chains/1/problem.share' => 'It is <too> long.', 'chains/2/next' => '911')
    @slurm.run(901)
    start({ 'TZ' => 'UTC' })
    text = card[1]
    assert_includes plain(text), 'Spanish <302>'
    assert_includes text, 'Shared with 3 other members of students'
    assert_match(/Job 901serves on node7, since Tue 14 Nov, 22:13/, plain(text))
    assert_match(/Job 902waits in the queue/, plain(text))
    assert_match(/Job 911waits in the queue/, plain(text))
    assert_match(/Kept running untilThu 31 Dec 2099, 22:59/, plain(text))
    assert_match(/It is <too> long\./, plain(text))
  end

  def plain(text)
    CGI.unescapeHTML(text)
  end

  def test_the_next_job_takes_over_one_lead_before_the_end
    generation([], 'one')
    ends = Time.now.to_i + 7200
    keep('chains/1/job' => '901', 'chains/1/shared' => '901', 'chains/1/served' => '0', 'chains/1/next' => '902')
    @slurm.run(901)
    slurm_says(fresh(job(901, uid: @viewer.uid, end: ends)))
    start({ 'TZ' => 'UTC' })
    at = ->(epoch) { Time.at(epoch).utc.strftime('%a %-d %b, %H:%M') }
    assert_includes plain(card[1]), "until #{at.call(ends)} at the latest"
    assert_includes plain(card[1]), "takes over #{at.call(ends - 600)}"
    # One whose time is shorter than that has a quarter of it.
    slurm_says(fresh(job(901, uid: @viewer.uid, start: ends - 640, end: ends)))
    wait_until { plain(card[1]).include?("takes over #{at.call(ends - 480)}") }
  end

  # Neither another user's nor one of the owner's own.
  def test_no_job_of_another_cluster_is_taken_for_one_of_the_services
    cluster('other')
    generation([], 'one')
    keep('cluster' => 'hpc', 'chains/1/job' => '901', 'chains/1/shared' => '901', 'chains/1/served' => '0',
         'chains/1/node' => 'node7', 'chains/1/next' => '902')
    @slurm.run(901)
    slurm_says(fresh(job(901, message: { mtm: 'form' })))
    slurm_says(fresh(job(901, uid: @viewer.uid, end: 4_000_000_000), cluster: 'other'), cluster: 'other')
    start
    assert_match(/Job 901serves on node7Job 902waits in the queue/, plain(card[1]).gsub(/\n|Copy/, ''))
  end

  def test_a_share_that_was_taken_back_says_so
    generation([], 'one')
    keep('unshared' => 'Its owner.', 'chains/1/job' => '901', 'chains/1/shared' => '901', 'chains/1/served' => '0')
    @slurm.run(901)
    start
    assert_includes plain(card[1]), 'Not shared: you have taken the share back. `multitenant unshare --undo spanish@'
    refute_includes card[1], '3 other members'
  end

  # ---- its end ----

  def run_three
    generation([], 'one')
    keep('chains/1/job' => '902', 'chains/1/shared' => '901', 'chains/1/served' => '0', 'chains/1/next' => '903')
    @slurm.run(901)
    @slurm.run(902)
    @slurm.run(903, 'PD')
    start
    assert_equal 'Running', card[0]
    @slurm.calls
  end

  def test_delete_ends_all_of_it
    run_three
    assert_equal 'done', @dashboard.delete(ID).flash['notice']
    assert_equal([901, 902, 903], cancelled.map { |line| line[/\d+/].to_i }.uniq.sort)
    assert_equal "The service was stopped: its owner deleted or cancelled its session.\n", File.read(state('stopped'))
    assert_empty @dashboard.sessions.cards
  end

  # As in a full home, where Open OnDemand's own Delete works.
  def test_so_does_delete_where_nothing_can_be_written
    run_three
    @viewer.do { File.chmod(0o500, File.dirname(state('stopped'))) }
    assert_equal 'done', @dashboard.delete(ID).flash['notice']
    assert_equal([901, 902, 903], cancelled.map { |line| line[/\d+/].to_i }.uniq.sort)
    refute_path_exists state('stopped')
  end

  def test_so_does_cancel
    run_three
    assert_equal 204, @dashboard.cancel(ID, accept: 'application/json').status
    assert_equal([901, 902, 903], cancelled.map { |line| line[/\d+/].to_i }.uniq.sort)
    assert_path_exists state('stopped')
    assert_equal 'Completed', card[0]
  end

  def test_what_can_not_be_cancelled_is_said
    run_three
    File.write(File.join(@slurm.bin, 'scancel'), "#!/bin/sh\necho 'scancel: error: down' >&2\nexit 1\n")
    page = @dashboard.delete(ID, accept: 'application/json')
    assert_equal 422, page.status
    assert_includes page.body, 'not all were cancelled'
    assert_path_exists state('stopped')
    assert_equal [ID], @dashboard.sessions.cards.keys
  end

  # ---- sessions that are not such a service's ----

  def test_an_older_session_of_a_service_is_its_own_job_alone
    generation([], 'one')
    keep('session' => uuid(5), 'chains/1/job' => '902', 'chains/1/shared' => '902', 'chains/1/served' => '1')
    @slurm.run(902)
    start
    assert_equal 'Completed', card[0]
    @dashboard.delete(ID)
    assert_equal [true, false], [@slurm.runs?(902), File.exist?(state('stopped'))]
  end

  def test_nor_does_a_file_that_makes_no_sense_change_it
    generation([], 'one')
    @slurm.run(901)
    start
    [nil, '', '[]', '7', '{"service":7}', '{"service":"../x@y"}', '{"service":"french@students"}',
     '{"state":"/etc"}'].each do |text|
      text ? @viewer.write(staged('service.json'), text) : @viewer.do { File.unlink(staged('service.json')) }
      assert_equal 'Running', card[0], text
    end
    @dashboard.delete(ID)
    assert_equal ['scancel 901'], cancelled
    refute_path_exists state('stopped')
  end
end
