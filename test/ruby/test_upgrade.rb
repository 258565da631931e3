# frozen_string_literal: true

require_relative 'site'
require 'multitenant/cli/key_file'
require 'multitenant/sources/snapshot'

# What version 0.1.0 wrote (test/vectors/upgrade.json), and the old initializer's cards, are taken over. The way back,
# and both versions beside each other: test/rails/test_versions.rb.
class TestUpgrade < InstallTest
  OLD_VERSION = JSON.parse(File.read(File.join(Vectors::PATH, 'upgrade.json')))
  DISMISSED = 'batch_connect/multitenant.dismissed'
  SERVICES = %w[llm database dashboard instruction].freeze
  CLIENTS = %w[jupyter gradio].freeze

  def setup
    super
    @viewer = Viewer.new(self)
    @viewer.env = { 'MULTITENANT_KEYS' => File.join(GemHomes.make, 'keys') }
    OLD_VERSION['keys'].each { |name, text| write_for(0, File.join(@viewer.env.values[0], name), text, 0o440, name) }
  end

  def write_for(uid, path, text, mode, gid)
    FileUtils.mkdir_p(File.dirname(path), mode: 0o755)
    File.write(path, text, perm: mode)
    File.chown(uid, Integer(gid), path)
  end

  def home_of_before
    OLD_VERSION['home'].each { |path, text| @viewer.write(File.join(@viewer.dataroot, path), text) }
  end

  # The jobs of that time, as Slurm tells of them now. @param ended [Array<Integer>]
  def running(ended: [])
    lines = OLD_VERSION['records'].lines.map { |line| JSON.parse(line) }
    jobs = lines[1...-1].reject { |job| ended.include?(job['job_id']) }
    stream(*jobs.map { |job| job.transform_keys(&:to_sym).merge(nodes: NODES) }, generated: Time.now.to_i + 1)
  end

  def cards
    @viewer.listed.to_h { |id| [id, JSON.parse(File.read(@viewer.db(id))).values_at('job_id', 'title')] }
  end

  # ---- homes ----

  def test_cards_keep_their_ids_and_are_called_as_they_are_now
    home_of_before
    before = snapshot(@viewer.dataroot).select { |path, _| path.end_with?('connection.yml') }
    round = @viewer.look(running)
    assert_empty round.ids(:failed)
    kept = { uuid(7) => ['7', 'prof: App'], uuid(8) => ['8', 'prof: Database'],
             uuid(9) => ['9', 'prof: Database'], uuid(10) => ['10', 'prof: Database'] }
    assert_equal kept, cards.slice(*kept.keys)
    assert_equal(before.slice(*kept.keys.map { |id| @viewer.output(id, 'connection.yml') }),
                 snapshot(@viewer.dataroot).slice(*kept.keys.map { |id| @viewer.output(id, 'connection.yml') }))
    assert_equal ['pw "x": \'#'], kept.keys.drop(1).map { |id| @viewer.connection(id)['password'] }.uniq
    assert_empty @viewer.look(running).ids(:written)
  end

  # 0.1.0 knew of no services: each job had a card.
  def test_the_cards_of_the_jobs_of_a_service_become_one
    home_of_before
    @viewer.look(running)
    assert_equal 5, cards.size
    assert_empty cards.keys & [uuid(11), uuid(12)]
    assert_equal(1, cards.count { |_, (job, title)| %w[11 12].include?(job) && title == 'prof: App' })
  end

  def test_what_was_dismissed_stays_so_until_it_is_restored
    home_of_before
    @viewer.look(running)
    refute_includes cards.keys, uuid(13)
    assert_equal "restored #{uuid(13)}\n", @viewer.multitenant('cards', '--restore', uuid(13)).out
    @viewer.look(running)
    assert_includes cards.keys, uuid(13)
  end

  def test_cards_and_dismissals_go_with_their_jobs
    home_of_before
    @viewer.look(running(ended: [7, 13]))
    refute_includes cards.keys, uuid(7)
    refute_path_exists File.join(@viewer.dataroot, DISMISSED)
    @viewer.look(stream(generated: Time.now.to_i + 2))
    assert_empty files
  end

  def test_all_of_it_can_be_removed
    home_of_before
    @viewer.remove_all
    assert_empty files
  end

  def files
    Dir.glob(File.join(@viewer.dataroot, '**/*'), File::FNM_DOTMATCH).select { |path| File.file?(path) }
  end

  # The old initializer's own words: no mark, no quotes in YAML, a title that ends in a blank.
  def test_cards_of_the_old_initializer
    db = { id: uuid(7), cluster_id: 'hpc', job_id: '7', created_at: 1_700_000_007,
           token: 'sys/multitenant-delivery_default',
           title: 'App from prof ', script_type: 'basic', cache_completed: nil, completed_at: nil }
    @viewer.write(@viewer.db(uuid(7)), JSON.generate(db), mode: 0o644)
    @viewer.write(@viewer.output(uuid(7), 'connection.yml'), "host: n1\nport: 5432\njobid: 7\nmt_appname: App\n",
                  mode: 0o644)
    @viewer.look(running)
    assert_equal ['7', 'prof: App'], cards[uuid(7)]
    assert_equal %w[n1 5432], @viewer.connection(uuid(7)).values_at('host', 'port')
    assert_path_exists @viewer.output(uuid(7), '.multitenant')
    assert_equal '600', format('%o', File.stat(@viewer.output(uuid(7), 'connection.yml')).mode & 0o777)
    @viewer.look(stream(generated: Time.now.to_i + 2))
    assert_empty files
  end

  # ---- a web host ----

  # As long as an agent of before runs.
  def test_a_snapshot_is_read
    directory = GemHomes.make
    OLD_VERSION['snapshot'].each do |name, text|
      text = text.gsub(/"generated":\d+/, "\"generated\":#{Time.now.to_i}")
      write_for(0, File.join(directory, name), text, *(name == 'state' ? [0o644, 0] : [0o640, name[/\d+/]]))
    end
    read = as_user do
      settings = MultiTenant::Settings.new('MULTITENANT_SNAPSHOT' => directory)
      source = MultiTenant::Snapshot.new(settings, fallback: ->(_) { raise 'Slurm was asked' })
      source.call(1).records.flat_map { |records| records.of('hpc').map(&:job_id) }
    end
    assert_equal (7..14).to_a, read.sort
  end

  def test_keys_are_rotated
    file = MultiTenant::KeyFile.new(3000, directory: @viewer.env.values[0])
    old = file.keys
    file.add
    assert_equal old, file.keys.drop(1)
    assert_equal 2, old.size
  end

  def host_of_before
    site(files: {})
    FileUtils.cp_r(Dir.glob(File.join(Tree::ROOT, 'apps-*')), site.gem)
    entries = OLD_VERSION['manifest']['entries']
    entries.select { |entry| entry['kind'] == 'directory' }.each do |entry|
      FileUtils.mkdir_p(site.at(entry['path']), mode: entry['mode'].to_i(8))
    end
    OLD_VERSION['host'].each { |path, text| site.write(path, text) }
    site.write('/var/lib/multitenant/manifest.json', JSON.generate(OLD_VERSION['manifest']))
  end

  def settings(app)
    MultiTenant::SiteSettings.read(site.at("#{Site::SYS}/multitenant-#{app}"))
  end

  # Also where an app's form would show a sentence in its place: settings are read as forms read them.
  def test_a_host_keeps_its_settings_and_nothing_else
    host_of_before
    assert_equal 0, site.run(:install), site.err
    assert_empty site.told('saved')
    assert_includes site.told('removed'), "#{Site::SYS}/multitenant-gradio/template/gradio_page.py"
    assert_equal [Site::PLUGIN], site.active
    [*SERVICES, *CLIENTS].each { |app| assert_equal 'hpc', settings(app)['cluster'], app }
    assert_equal [%w[ollama vllm], %w[vllm/0.6], false],
                 settings('llm').values_at('kinds', 'modules_vllm', 'old_readers')
    assert_equal [%w[postgresql], %w[postgresql/16]], settings('database').values_at('kinds', 'modules_postgresql')
    assert_equal 'off', settings('llm')['gateway']
    assert_installed
    assert_includes site.out, 'Nothing was changed.'
    assert_equal 0, site.uninstall, site.err
    assert_empty Dir.children(site.at(Site::SYS))
  end

  # Its install appends the keys that it misses, by their names of then.
  def test_a_host_that_went_back_for_a_while
    host_of_before
    assert_equal 0, site.run(:install), site.err
    { 'llm' => "servers: \"ollama,openai\"\n", 'database' => "engines: \"mariadb\"\nmysql_modules: \"\"\n",
      'gradio' => "page: \"own\"\n" }.each do |app, text|
      File.write(site.at("#{Site::SYS}/multitenant-#{app}/site.yml"), text, mode: 'a')
    end
    assert_equal 0, site.run(:install), site.err
    assert_equal %w[ollama vllm], settings('llm')['kinds']
    assert_equal %w[postgresql], settings('database')['kinds']
    assert_equal 'python3', settings('gradio')['python']
    assert_match(/^# servers: "ollama,openai"$/, site.read("#{Site::SYS}/multitenant-llm/site.yml"))
  end
end
