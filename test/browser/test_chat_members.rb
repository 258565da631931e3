# frozen_string_literal: true

require_relative 'chat_test'

# A chat with a service of several jobs.
class TestChatMembers < ChatTest
  def setup
    @other = ModelServer.new
    super
  end

  def teardown
    super
    @other.stop
  end

  def environment
    { **super, 'MT_MEMBERS' => JSON.generate(members('1' => @model, '2' => @other)), 'mt_dashboard' => Proxy::DASHBOARD }
  end

  def members(servers)
    servers.map { |id, server| { 'jobid' => id, 'base_url' => server.url, 'api_key' => "sekret #{id}" } }
  end

  def test_another_job_answers_where_one_does_not
    assert_equal 'Job 1 answers.', text('note')
    assert_equal 'one', answer('one')
    @model.stop
    assert_equal 'two', answer('two')
    assert_equal 'Job 1 does not answer; job 2 of the same service does.', text('note')
    assert_empty text('error')
    assert_equal 'three', answer('three')
    assert_equal 'Job 2 answers.', text('note')
    assert_equal([1, 2], [@model, @other].map { |server| server.asked.size })
    enter
    assert_equal 'Job 2 answers.', text('note')
  end

  def test_a_job_that_was_gone_before_is_none_that_the_page_waits_for
    @model.stop
    enter
    assert_equal 'Job 1 does not answer; job 2 of the same service does.', text('note')
    assert_equal 'one', answer('one')
  end

  def test_another_job_answers_where_one_still_loads
    @model.loading = true
    assert_equal 'one', answer('one')
    @other.loading = true
    answer('two')
    assert_includes text('error'), 'The service is busy, or still loads its model'
    assert_equal 'two', box
  end

  # The other job is not told what the first one has begun to answer.
  def test_a_job_that_ends_within_its_answer_breaks_it_off
    ask('die')
    wait_for('document.querySelector("article.assistant").innerText.includes("so far")')
    @model.stop
    @model.more << true
    wait_for('!running')
    assert_equal 'The service broke its answer off: it may have ended. Your message is below again: send it once more.',
                 text('error')
    assert_equal 'die', box
    assert_includes text('messages'), 'so far'
    assert_empty @other.asked
    assert_equal 'again', answer('again')
    assert_equal [%w[user again]], @other.asked.pop.map(&:values)
  end

  def test_one_sentence_where_none_answers
    [@model, @other].each(&:stop)
    assert_nil answer('anybody?')
    assert_match(/\AThe service does not answer: it may have ended\. [^:]*\z/, text('error'))
    assert_equal 'anybody?', box
  end

  # As jobs that follow each other do, while nobody looks at the dashboard.
  def test_jobs_that_the_dashboard_knows_answer
    third = ModelServer.new
    [@model, @other].each(&:stop)
    told = JSON.generate('service' => 'prof/spanish@students', 'members' => members('3' => third))
    @proxy.dashboard = -> { File.write(File.join(temporary, 'members.json'), told) }
    assert_equal 'one', answer('one')
    assert_equal(['Job 3 answers.', '', ''], %w[note error state].map { |id| text(id) })
    enter
    assert_equal 'two', answer('two')
  ensure
    third&.stop
  end

  def test_what_is_stopped_no_other_job_is_asked
    ask('queue')
    @model.asked.pop
    @browser.evaluate('document.getElementById("stop").click()')
    wait_until { !@model.left.empty? }
    assert_equal 'one', answer('one')
    assert_equal [%w[one]], Array.new(@model.asked.size) { @model.asked.pop.map { |message| message['content'] } }
    assert_empty @other.asked
  end
end
