# frozen_string_literal: true

require_relative 'rails_test'
require_relative '../ruby/old_version'
require_relative '../ruby/sealing_v2'

# Two web hosts of one home, one with this version and one with 0.1.0: no page of either fails, and what both can read
# is the same card in both. What came with this version is on its host alone.
class TestVersions < RailsTest
  SECRET = ('0123456789abcdef' * 2).freeze
  PREFIX = 'sys/dashboard|students|'
  DELIVERY = 'sys/multitenant-delivery_default'
  # A view that raises is told in its card's place.
  FAILED = /Cannot render|undefined|Error/

  # 0.1.0 had one of these pauses.
  WAITS = PATIENT.sub('.each', '.select { |name| MultiTenant::Renewal.const_defined?(name) }.each').freeze

  # A web host: what is on its disk, where its query program reads, and the log of the viewer's dashboard.
  Web = Struct.new(:site, :lib, :log)

  def setup
    skip OldVersion.missing if OldVersion.missing
    super
    @keys = File.join(GemHomes.make, 'keys')
    Dir.mkdir(@keys, 0o755)
    File.write(File.join(@keys, '3000'), "00000001 #{[SECRET].pack('m0')} 1700000000\n", perm: 0o440)
    File.chown(0, 3000, File.join(@keys, '3000'))
    @webs = []
    @open = []
  end

  def teardown
    @open.to_a.each(&:stop)
    super
  end

  # @param tree [String] of the gem
  # @param apps [String] tree of the apps, which are installed apart from it
  def web(tree, apps: tree)
    home = GemHomes.make
    version = File.read(File.join(tree, 'lib/multitenant/version.rb'))[/'(.*)'/, 1]
    dir = File.join(home, 'gems', "ood_multitenant-#{version}")
    FileUtils.mkdir_p(dir)
    FileUtils.cp_r(%w[lib initializer libexec].map { |part| File.join(tree, part) }, dir)
    FileUtils.chmod_R('a+rX,go-w', dir)
    site = Site.new(File.join(temporary, "web-#{@webs.size}"), gem_home: home)
    put(site, apps)
    site.cluster('hpc', { bin: @slurm.bin })
    site.plugin('multitenant', File.read(File.join(tree, 'initializer/multitenant.rb')))
    @lib = File.join(dir, 'lib')
    program_says('query', 'cat "$dir/records$cluster"')
    Web.new(site, @lib, File.join(temporary, "log-#{@webs.size}")).tap { |web| @webs << web }
  end

  def put(site, tree)
    Dir.glob(File.join(tree, 'apps-*/*')).each do |root|
      files = Dir.children(root).select { |name| File.file?(File.join(root, name)) }
      site.app(File.basename(root), files.to_h { |name| [name, text(File.join(root, name))] })
    end
  end

  def text(path)
    File.read(path).sub(/^cluster: ""/, 'cluster: "hpc"')
  end

  # To all hosts.
  def all_say(text)
    @webs.each do |web|
      @lib = web.lib
      slurm_says(text)
    end
    ttl_passes
  end

  # @return [Dashboard] the viewer's, on that host
  def start_on(web)
    env = { 'MULTITENANT_ENABLE' => 'true', 'MULTITENANT_TTL' => '1', 'MULTITENANT_TIMEOUT' => '30',
            'MULTITENANT_KEYS' => @keys, 'USERS_GROUPS' => 'prof,students' }
    dashboard = Dashboard.new(web.site, uid: @viewer.uid, gids: @viewer.gids, home: @viewer.home, log: web.log,
                                        env: env)
    dashboard.ruby(WAITS)
    @open << dashboard
    dashboard
  end

  # In a key envelope.
  def sealed(job_id, **told)
    job = { cluster: 'hpc', job_id: job_id, uid: 1001, group: 'students', restarts: 0 }
    message = SealingV2.message(job, id: uuid(job_id), app: 'DB_Conn', method: 'card', delivery: DELIVERY,
                                     conn: { host: 'n1', port: '5432', user: 'u', password: 'p' }, **told)
    sealed = SealingV2.seal_key(message, job, key: ['00000001', SECRET], nonce: format('%012d', job_id), prefix: PREFIX)
    job(job_id, name: PREFIX + sealed)
  end

  # Both can read them.
  def plain
    [job(7), job(8, message: { mta: 'Ollama_API' }, connection: { ollama_url: 'http://n1:1', model: 'm' }), sealed(9)]
  end

  # 0.1.0 refuses those, or has a card for each job.
  def newer
    [sealed(20, title: 'Spanish 301'), sealed(21, service: 'two'), sealed(22, service: 'two'),
     job(23, connection: { host: 'n1', mt_service: 'one' }), job(24, connection: { host: 'n1', mt_service: 'one' }),
     job(25, connection: { host: 'n1', mt_title: 'Titled' })]
  end

  # @return [Array<String>] card ids
  def cards(dashboard)
    pages = [dashboard.sessions, dashboard.poll]
    assert_equal [200, 200], pages.map(&:status)
    pages.each { |page| page.cards.each_value { |_, view| refute_match FAILED, view } }
    assert_equal(*pages.map { |page| page.cards.keys.sort })
    pages[0].cards.keys
  end

  def files
    Dir.glob(@viewer.path('**/*'), File::FNM_DOTMATCH).select { |path| File.file?(path) }
  end

  def test_both_in_turn
    old, new = [OldVersion.tree, Tree::ROOT].map { |tree| web(tree) }
    all_say(fresh(*plain))
    dashboards = [old, new].map { |one| start_on(one) }
    ours = plain.map { |job| uuid(job[:job_id]) }
    [[], newer, newer.drop(2), newer.first(3), newer].each do |jobs|
      all_say(fresh(*plain, *jobs))
      2.times do
        dashboards.each { |dashboard| assert_empty ours - cards(dashboard) }
        dashboards.reverse!
      end
    end
    new, old = dashboards.sort_by { |dashboard| dashboard.equal?(@open[1]) ? 0 : 1 }
    # Titled ones and services stand in the new one, whatever the old one did before.
    assert_equal(ours.size + 4, cards(new).count { |id| ![uuid(23), uuid(24)].include?(id) })
    assert_equal 302, new.delete(uuid(7)).status
    refute_includes cards(old), uuid(7)
    assert_equal 302, old.delete(uuid(9)).status
    refute_includes cards(new), uuid(9)
    all_say(fresh)
    2.times { dashboards.each { |dashboard| assert_empty cards(dashboard) } }
    assert_empty files
  end

  def test_a_home_goes_back
    slurm = fresh(*plain, *newer)
    new = web(Tree::ROOT)
    all_say(slurm)
    dashboard = start_on(new)
    services = cards(dashboard).select { |id| id[14] == '8' }
    assert_equal 2, services.size
    dashboard.delete(services[0])
    @open.pop.stop
    old = web(OldVersion.tree)
    all_say(slurm)
    dashboard = start_on(old)
    assert_empty plain.map { |job| uuid(job[:job_id]) } - cards(dashboard)
    all_say(fresh(*plain))
    assert_equal plain.map { |job| uuid(job[:job_id]) }, cards(dashboard).sort
    all_say(fresh)
    assert_empty cards(dashboard)
    assert_empty files
  end

  # Apps are new at once, or old again; the gem is once a dashboard is started.
  def test_dashboards_that_run_on
    [[OldVersion.tree, Tree::ROOT], [Tree::ROOT, OldVersion.tree]].each do |gem, apps|
      web = web(gem, apps: apps)
      @viewer.own_session(uuid(900), token: 'sys/multitenant-llm')
      @viewer.own_session(uuid(901), token: 'sys/multitenant-database', job_id: '901')
      [7, 8, 9, 900, 901].each { |id| @slurm.run(id) }
      all_say(fresh(*plain))
      dashboard = start_on(web)
      assert_empty [*plain.map { |job| uuid(job[:job_id]) }, uuid(900), uuid(901)] - cards(dashboard)
      Dir.glob(File.join(apps, 'apps-{services,clients}/*')).each do |app|
        assert_equal 200, dashboard.form("sys/#{File.basename(app)}").status, app
      end
    end
  end
end
