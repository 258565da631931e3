# frozen_string_literal: true

require_relative 'tenants'
require 'cgi'
require 'date'

# Two jobs of one service, side by side, of which one is lost: what a tenant notices, who has the page of cards open,
# and a chat that asks each second; and what the owner sees, whose Delete ends all.
class TestCopies < AppTest
  include Tenants
  include Kept

  APP = 'multitenant-llm'
  SERVICE = 'hpcfaculty/spanish-301@hpcGrp'
  ANSWERS = { **SHARED, 'version' => 'openai', 'ollama_model' => 'm', 'mt_title' => 'Spanish 301',
                        'mt_copies' => '2', 'command' => "exec python3 #{DIR}/server.py \"$port\"",
                        'mt_delivery_select' => 'Ollama_API sys/multitenant-delivery_default' }.freeze

  def setup
    super
    set('keep_days' => '30', 'copies_max' => '2')
    FileUtils.rm_rf(state)
  end

  def teardown
    super
    set('keep_days' => '0', 'copies_max' => '4')
  end

  def set(settings)
    AppJobs.configure(File.join(AppJobs.root(APP), 'site.yml'), settings)
  end

  # @return [AppJob] the first of two that serve
  def serve
    submit(APP, ANSWERS.merge('mt_until' => (Date.today + 7).to_s)).shared.tap do |job|
      job.wait('another copy', 120) { kept('chains/2/shared') != '' }
    end
  end

  # Their dashboard has the session, as Open OnDemand writes it.
  def owners_dashboard(job)
    session = { id: job.id, cluster_id: 'hpc', job_id: job.job_id.to_s, created_at: Time.now.to_i, token: "sys/#{APP}",
                title: 'LLM', script_type: 'basic', cache_completed: nil, completed_at: nil }
    FileUtils.mkdir_p(Bed.db('hpcfaculty'))
    File.write(File.join(Bed.db('hpcfaculty'), job.id), JSON.generate(session), perm: 0o600)
    FileUtils.chown_R('hpcfaculty', 'hpcfaculty', Bed.db('hpcfaculty'))
    dashboard('hpcfaculty') do |site|
      files = Dir.glob(File.join(AppJobs.root(APP), '*')).select { |file| File.file?(file) }
      site.app(APP, files.to_h { |file| [File.basename(file), File.read(file)] })
    end
  end

  # @return [Array<Hash>] the connections that the tenant's dashboard has told the chat
  def told
    JSON.parse(File.read(MEMBERS))['members']
  end

  # What a tenant has while the block, which gets the answers so far, does something.
  # @return [Array<Array>] the different cards that were there, and the answers
  def watch(page)
    Bed.wait('the card') { page.poll.cards.size == 1 }
    tell(page, SERVICE)
    cards = [page.poll.cards.keys]
    answers = []
    chat = client('who')
    reader = Thread.new { chat.each_line(chomp: true) { |line| answers << line } }
    looker = Thread.new { look(page, cards) until @over }
    Bed.wait('an answer') { answers.any? }
    yield answers
    @over = true
    looker.join
    [cards.uniq, answers]
  ensure
    @over = true
    [looker, reader].compact.each(&:kill)
  end

  def look(page, cards)
    cards << page.poll.cards.keys
    tell(page, SERVICE)
    sleep 1
  end

  # @return [Integer] the copy whose job answers
  def copy_of(answers)
    [1, 2].find { |number| kept("chains/#{number}/shared") == answers.last } or flunk(answers.last(5).inspect)
  end

  # Until the job that follows is shared, and the chat was told of it.
  def kill_server(copy)
    lost = kept("chains/#{copy}/shared")
    port = told.find { |one| one['jobid'] == lost }['base_url'][/:(\d+)/, 1]
    Process.kill('KILL', Integer(IO.popen(['ss', '-4Hltnp', "sport = :#{port}"], &:read)[/pid=(\d+)/, 1]))
    Bed.wait("another job follows #{lost}", 120) { ![lost, ''].include?(kept("chains/#{copy}/shared")) }
    Bed.wait('the chat knows of it', 60) { told.any? { |one| one['jobid'] == kept("chains/#{copy}/shared") } }
  end

  # Requests that were under way may be lost.
  def assert_answered(answers, losses)
    failed = answers.grep_v(/\A\d+\z/)
    puts "#{answers.size} answers of #{answers.tally.inspect}"
    assert_operator failed.size, :<=, losses, failed.inspect
  end

  # What takes minutes.
  module Long
    def test_killed_servers_cost_the_request_under_way_and_delete_ends_all
      job = serve
      page = dashboard
      cards, answers = watch(page) do |said|
        first = copy_of(said)
        [first, 3 - first].each { |copy| kill_server(copy) }
      end
      assert_answered(answers, 2)
      assert_equal 1, cards.size, cards.inspect
      assert_operator answers.uniq.size, :>, 1
      assert_delete_ends_all(owners_dashboard(job), job)
      Bed.wait('no card is left') { page.poll.cards.empty? }
    end

    # Two that serve, and two that wait.
    def assert_delete_ends_all(owner, job)
      status, text = owner.sessions.cards.fetch(job.id)
      assert_equal 'Running', status
      [1, 2].each do |copy|
        assert_match(/Job #{kept("chains/#{copy}/shared")}\s*serves on node\d/, CGI.unescapeHTML(text))
      end
      Bed.wait('two serve, and two wait') { Bed.left.size == 4 }
      start = MultiTenant.clock
      assert_equal 'done', owner.delete(job.id).flash['notice']
      Bed.wait('nothing runs or waits') { Bed.squeue('%A', '-t', 'PENDING,RUNNING').strip.empty? }
      puts "nothing runs or waits #{(MultiTenant.clock - start).round(1)} s after Delete"
      Bed.wait('nothing is left', 60) { Bed.left.empty? }
      assert_empty owner.sessions.cards
    end

    # What Slurm starts again by itself is the same job, which has the next one that it had. A copy that keeps off the
    # other one's node waits for its own one here.
    def test_a_node_that_dies_costs_the_request_under_way
      Bed.configured('slurm.conf' => 'SlurmdTimeout=20') do
        serve
        cards, answers = watch(dashboard) do |said|
          copy = copy_of(said)
          lost, following, node = %w[shared next node].map { |name| kept("chains/#{copy}/#{name}") }
          start = MultiTenant.clock
          kill_node(node, lost)
          Bed.wait('the chat knows that it is gone', 120) { told.size == 1 }
          puts "its tenants are elsewhere after #{(MultiTenant.clock - start).round} s"
          Bed.testbed('start', 'slurmd')
          Bed.wait('it is back', 180) { told.size == 2 }
          assert_equal [lost, following], [kept("chains/#{copy}/shared"), kept("chains/#{copy}/next")]
        ensure
          Bed.testbed('start', 'slurmd')
        end
        assert_answered(answers, 1)
        assert_equal 1, cards.size, cards.inspect
        Bed.cancel_all
      end
    end
  end
  include Long if ENV.key?('MULTITENANT_LONG')
end
