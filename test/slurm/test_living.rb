# frozen_string_literal: true

require_relative 'bed'
require_relative 'page'
require_relative '../promise'
require_relative '../ruby/helper'
require_relative '../rails/site'

# A dashboard that runs on while services come, move and go: the application of test/rails with the
# real query program, Slurm and users. An open page asks each second, and its times are kept.
class TestLiving < BedTest
  include Promise

  TTL = 5

  def setup
    super
    @directory = Dir.mktmpdir('multitenant-living-', '/var/lib')
    File.chmod(0o755, @directory)
    home = GemHomes.make
    GemHomes.add(home)
    @site = Site.new(File.join(@directory, 'site'), gem_home: home)
    @site.cluster('hpc', { conf: ENV.fetch('SLURM_CONF'), bin: '/usr/bin' })
    @site.plugin
    @site.app('client', 'form.yml' => "---\nform: [auto_multitenant_services]\n")
  end

  def teardown
    @dashboards.to_a.each(&:stop)
    FileUtils.remove_entry(@directory)
  end

  def dashboard(user, env = {})
    env = { 'MULTITENANT_ENABLE' => 'true', 'MULTITENANT_TTL' => TTL.to_s }.merge(env)
    made = Dashboard.new(@site, uid: Bed.uid(user), gid: Etc.getpwnam(user).gid, home: Bed.home(user),
                                log: File.join(@directory, "log-#{user}-#{@dashboards.to_a.size}"), env: env)
    (@dashboards ||= []) << made
    made
  end

  # @yieldparam page [Page] of a dashboard that was started without any share
  def open_page(user = 'hpcstudent')
    page = Page.new(dashboard(user))
    yield page
  ensure
    page&.close
    assert_equal([200], page.answers.map(&:status).uniq) if page
  end

  # Seconds until the block is true of the open page.
  def takes(what, &block)
    start = MultiTenant.clock
    Bed.wait(what, &block)
    MultiTenant.clock - start
  end

  def report(line)
    puts "    #{name}: #{line}"
  end

  def test_a_service_comes_moves_and_goes
    job_id = Bed.running(Bed.submit('hpcfaculty'))
    open_page do |page|
      said = Bed.accounting
      id = Bed.publish('hpcfaculty', job_id, said, { 'host' => 'n1', 'port' => '5432' })
      came = takes('the card comes') { page.cards[id] }
      assert_equal ['Running', 'Reach it at n1:5432'], page.cards[id]
      assert_includes page.meanwhile { |one| one.form('sys/client') }.choices, job_id.to_s
      Bed.publish('hpcfaculty', job_id, said, { 'host' => 'n2', 'port' => '5433' })
      moved = takes('the card moves') { page.cards[id]&.last == 'Reach it at n2:5433' }
      system('scancel', job_id.to_s)
      gone = takes('the card goes') { page.cards[id].nil? }
      assert_equal [''], page.meanwhile { |one| one.form('sys/client') }.choices
      report format('came after %.1f s, moved after %.1f s, went after %.1f s; longest page %.2f s', came, moved, gone,
                    page.longest)
    end
  end

  def test_withdrawn_and_narrowed
    job_id, id = Bed.share
    other, still = Bed.share
    open_page do |page|
      takes('both are there') { page.cards.keys.sort == [id, still].sort }
      Bed.rename('hpcfaculty', job_id, 'plain')
      takes('the withdrawn one goes') { page.cards.keys == [still] }
      Bed.publish('hpcfaculty', other, Bed.accounting(id: still, to: %w[hpcstudent2]))
      takes('so does the one that is for another now') { page.cards.empty? }
    end
  end

  def test_suspended_and_requeued
    job_id, id = Bed.share('hpcfaculty', '--requeue')
    open_page do |page|
      takes('it comes') { page.cards[id] }
      system('scontrol', 'suspend', job_id.to_s)
      takes('it goes while it is suspended') { page.cards.empty? }
      system('scontrol', 'resume', job_id.to_s)
      takes('it comes back') { page.cards[id] }
      system('scontrol', 'requeue', job_id.to_s)
      takes('it goes while it waits to run again') { page.cards.empty? }
    end
  end

  # From a publication to the open page: at most TTL + 5 s + one page.
  def test_twenty_publications
    job_ids = Array.new(20) { |i| Bed.submit(%w[hpcfaculty hpcfaculty2][i % 2], '--mem=1M', '--oversubscribe') }
    job_ids.each { |job_id| Bed.running(job_id) }
    seconds = []
    open_page do |page|
      takes('the page is there') { page.answers.any? }
      job_ids.each_with_index do |job_id, i|
        assert_promised(TTL + 5 + page.longest) do
          id = Bed.publish(%w[hpcfaculty hpcfaculty2][i % 2], job_id, Bed.accounting)
          seconds << takes("card #{i}") { page.cards[id] }
          seconds.last
        end
        sleep rand(0.0..0.5)
      end
      report format('median %.1f s, longest %.1f s; longest page %.2f s', seconds.sort[seconds.size / 2], seconds.max,
                    page.longest)
    end
  end

  # Two minutes of daemons that die and come back: no page fails and no card is lost.
  def test_chaos
    ids = Array.new(3) { Bed.share[1] }
    sleep 10 # a rename that is younger may be lost with slurmctld
    open_page do |page|
      takes('all are there') { page.cards.size == 3 }
      first = page.answers.size
      finish = MultiTenant.clock + 120
      %w[slurmdbd slurmctld munged].cycle do |daemon|
        break if MultiTenant.clock > finish

        Bed.testbed('stop', daemon)
        sleep 8
        Bed.testbed('start', daemon)
        sleep 6
      end
      shown = page.answers.drop(first)
      assert_equal [ids.sort], shown.map { |answer| answer.cards.keys.sort }.uniq
      takes('it is fresh again') { page.meanwhile { |one| one.ruby('MultiTenant.report')['error'].nil? } }
      report format('%d pages, longest %.2f s, median %.3f s', shown.size, shown.map(&:seconds).max,
                    shown.map(&:seconds).sort[shown.size / 2])
    end
  end

  # Whoever may end the job must not do so by sending its card away.
  def test_a_coordinator_sends_a_card_away
    job_id, id = Bed.share
    other = Bed.running(Bed.submit('hpcfaculty'))
    manage('add')
    open_page do |page|
      takes('it comes') { page.cards[id] }
      assert_equal 0, Bed.as('hpcstudent', 'scancel', other).code
      Bed.wait('a coordinator ends any job') { !Bed.squeue('%T', '-j', other).include?('RUNNING') }
      assert_equal 302, page.meanwhile { |one| one.delete(id) }.status
      takes('the card goes') { page.cards.empty? }
    end
    assert_includes Bed.squeue('%T', '-j', job_id), 'RUNNING'
    again = dashboard('hpcstudent')
    assert_empty again.sessions.cards
    assert_equal ["restored #{id}"], Bed.multitenant('hpcstudent', 'cards', '--restore', id).out.lines(chomp: true)
    Bed.wait('it is back') { again.sessions.cards[id] }
  ensure
    manage('delete')
  end

  def manage(verb)
    system('sacctmgr', '--immediate', verb, 'coordinator', 'account=hpc', 'names=hpcstudent', out: File::NULL)
  end

  # Two hosts of one site, each with a key of its own, and one home.
  def test_two_keys_and_one_home
    _, one = Bed.share
    _, two = Bed.share('hpcfaculty', wckey: 'shared2')
    first = dashboard('hpcstudent', 'MULTITENANT_WCKEY' => 'multitenant', 'MULTITENANT_TTL' => '1')
    second = dashboard('hpcstudent', 'MULTITENANT_WCKEY' => 'shared2', 'MULTITENANT_TTL' => '1')
    Bed.wait('both are there') { first.sessions && second.sessions.cards.size == 2 }
    5.times do
      sleep 1
      [first, second].each { |host| assert_equal [one, two].sort, host.sessions.cards.keys.sort }
    end
  end
end
