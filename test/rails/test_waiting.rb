# frozen_string_literal: true

require_relative 'rails_test'

# What a page waits for, and what is left of us after it.
class TestWaiting < RailsTest
  # Seconds that a page may lose by us: what doc/admins.md promises.
  PROMISE = 0.25

  # Sums up what the pages spend in us.
  WATCH = <<~RUBY
    $waited = 0.0
    MultiTenant.singleton_class.prepend(Module.new do
      def renew(**)
        start = MultiTenant.clock
        super
      ensure
        $waited += MultiTenant.clock - start
      end
    end)
    nil
  RUBY

  # @return [Float] seconds that the pages of the block waited for us
  def waited
    @dashboard.ruby('$waited = 0.0')
    yield
    @dashboard.ruby('$waited')
  end

  # A page of a source that was healthy until now, and hangs.
  def assert_short(&page)
    assert_promised(PROMISE) do
      slurm_does('cat "$dir/records$cluster"')
      recovered
      slurm_does('sleep 60')
      everything_is_due
      waited(&page)
    end
  end

  # Without asking for anything.
  def receiver(text)
    @dashboard.ruby("MultiTenant.instance_variable_get(:@receiver).#{text}")
  end

  # Counts how often the query program was started.
  def counted(body)
    @count = File.join(@viewer.home, 'count')
    slurm_does("echo >> #{@count}; #{body}")
  end

  def count
    File.exist?(@count) ? File.size(@count) : 0
  end

  def start(env = {})
    super(env, hurried: true)
  end

  def setup
    super
    @site.app('chat', 'form.yml' => "form: [auto_multitenant_services]\n")
  end

  def test_no_page_waits_longer_than_promised
    slurm_says(fresh(job(1)))
    start
    @dashboard.ruby(WATCH)
    %i[sessions poll home].each { |page| assert_short { @dashboard.public_send(page) } }
    assert_short { @dashboard.form('sys/chat') }
  end

  F_OFD_SETLK = 37

  # Another process of the viewer's is writing, and does not end.
  def locked
    File.open(@viewer.write(@viewer.path('.multitenant.lock')), 'r+') do |file|
      file.fcntl(F_OFD_SETLK, [1, 0, 0, 0, 0].pack('ssx4qqlx4')) # all of it, for writing
      yield
    end
  end

  # The worst of both: Slurm's last answer is not written yet, and the next one does not come.
  def test_a_page_that_waits_for_slurm_and_for_another_process
    slurm_says(fresh(job(1)))
    start
    @dashboard.sessions
    @dashboard.ruby(WATCH)
    slurm_says(fresh(job(2)))
    ttl_passes
    @dashboard.form('sys/chat')
    locked do
      assert_short { @dashboard.sessions }
    end
    assert_equal [uuid(1)], @viewer.listed
    slurm_does('cat "$dir/records$cluster"')
    recovered
    assert_equal [uuid(2)], @dashboard.sessions.cards.keys
  end

  def test_what_comes_late_is_decided_in_the_background_and_written_by_a_later_page
    start
    @dashboard.sessions
    slurm_says(fresh(job(7)))
    slurm_does('sleep 0.7; cat "$dir/records$cluster"')
    ttl_passes
    assert_empty @dashboard.sessions.cards
    wait_until { receiver('specs.keys') == ['7'] }
    quiet
    assert_empty @viewer.listed
    assert_equal [uuid(7)], @dashboard.sessions.cards.keys
    assert_equal [uuid(7)], @viewer.listed
  end

  def test_a_form_writes_no_file
    start
    slurm_says(fresh(job(7)))
    ttl_passes
    assert_equal ['7'], @dashboard.form('sys/chat').choices
    assert_empty @viewer.listed
    assert_equal [uuid(7)], @dashboard.sessions.cards.keys
  end

  { 'refuses' => 'exit 69', 'hangs' => 'sleep 60', 'prints rubbish' => 'echo rubbish' }.each do |what, body|
    define_method(:"test_after_an_answer_that_#{what.tr(' ', '_')}_no_page_waits_and_slurm_is_left_alone") do
      slurm_says(fresh(job(7)))
      start({ 'MULTITENANT_TIMEOUT' => '1' })
      @dashboard.ruby(WATCH)
      counted(body)
      ttl_passes
      @dashboard.sessions
      wait_until { receiver("report['error']") }
      quiet
      assert_equal 1, count
      ttl_passes
      assert_equal [uuid(7)], @dashboard.sessions.cards.keys
      assert_equal asked = 1, count
      # Half of what a page waits for a source that is healthy.
      assert_promised(0.075) do
        quiet
        everything_is_due
        waited { @dashboard.sessions }.tap { wait_until { count == asked + 1 } && asked += 1 }
      end
    end
  end

  def test_it_recovers
    start
    slurm_does('exit 69')
    ttl_passes
    @dashboard.sessions
    slurm_does('cat "$dir/records$cluster"')
    slurm_says(fresh(job(7)))
    recovered
    assert_equal [uuid(7)], @dashboard.sessions.cards.keys
  end

  STATE = <<~RUBY
    children = Dir.glob('/proc/self/task/*/children').flat_map { |path| File.read(path).split }
    caught = File.read('/proc/self/status')[/SigCgt:.*|SigIgn:.*|SigBlk:.*/]
    [Thread.list.size, children, Dir.children('/proc/self/fd').size, caught, File.umask, Dir.pwd, ENV.to_h]
  RUBY

  def test_nothing_of_ours_is_left_after_a_page
    slurm_says(fresh(job(7)))
    start({ 'MULTITENANT_TIMEOUT' => '1' })
    pages = -> { [@dashboard.sessions, @dashboard.poll, @dashboard.home, @dashboard.form('sys/chat')] }
    pages.call
    quiet
    before = @dashboard.ruby(STATE)
    ['cat "$dir/records$cluster"', 'exit 69', 'sleep 60', 'sleep 60 & exit 0', 'sleep 0.4; exit 127'].each do |body|
      slurm_does(body)
      everything_is_due
      assert_equal([200] * 4, pages.call.map(&:status))
      quiet
      assert_equal before, @dashboard.ruby(STATE), body
    end
  end
end
