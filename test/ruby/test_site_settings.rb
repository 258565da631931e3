# frozen_string_literal: true

require_relative 'helper'
require 'erb'

# What an app makes of the site.yml that an admin has written.
class TestSiteSettings < MultiTenantTest
  ROOT = File.expand_path('../..', __dir__)
  APPS = Dir.glob(File.join(ROOT, 'apps-{services,clients}/*/')).to_h { |path| [File.basename(path), path] }
  ODD = ['', '~', 'null', 'yes', 'no', '12', '1.5', '0777', '2024-01-01', '12:30:45', '[]', '[a, b]', '[[a]]', '{a: b}',
         '*x', '&x', '!ruby/object:Object {}', ':a', '"', "'a", '|', "\n  - a\n  - no\n", "\n  a: b", '%', "\xff",
         "\u0085", '?', '<<'].freeze

  # An installed app, with this site.yml.
  def app(name, text)
    @root ||= temporary
    dir = File.join(@root, name)
    FileUtils.cp_r(APPS.fetch(name), @root) unless File.directory?(dir)
    File.binwrite(File.join(dir, 'site.yml'), text)
    dir
  end

  def read(name, text)
    MultiTenant.site(app(name, text))
  end

  def shipped(name)
    File.read(File.join(APPS.fetch(name), 'site.yml')).sub('cluster: ""', 'cluster: hpc')
  end

  # As Open OnDemand renders it.
  def form(dir)
    file = File.join(dir, 'form.yml.erb')
    erb = ERB.new(File.read(file), trim_mode: '-')
    erb.filename = file
    YAML.safe_load(erb.result)
  end

  def assert_refused(line, sentence, text, name: 'multitenant-llm')
    error = assert_raises(MultiTenant::Failure, text) { form(app(name, text)) }
    place = "#{@root}/#{name}/site.yml#{", line #{line}" if line}: "
    assert error.message.start_with?(place), error.message
    assert_match sentence, error.message.delete_prefix(place)
  end

  def test_each_app_knows_the_keys_that_it_ships
    assert_equal APPS.keys.sort, MultiTenant::SiteSettings::APPS.keys.sort
    APPS.each_key do |name|
      assert_equal YAML.safe_load(shipped(name)).keys.sort, read(name, shipped(name)).keys.sort, name
      assert_equal 'hpc', form(app(name, shipped(name)))['cluster']
    end
  end

  def test_a_value_is_what_an_admin_means
    site = read('multitenant-database', <<~YAML)
      cluster: 007
      wckey: 1e3   # the lab's
      old_readers: no
      share_superuser: Yes
      kinds:
        - mysql
        - "postgresql , mariadb"
      modules_mysql: [mysql/8.0, 12]
      modules_mariadb:
    YAML
    told = { 'cluster' => '007', 'wckey' => '1e3', 'old_readers' => false, 'share_superuser' => true,
             'kinds' => %w[mysql postgresql mariadb], 'modules_mysql' => %w[mysql/8.0 12], 'modules_mariadb' => [],
             'modules_postgresql' => [], 'envelope' => 'auto', 'munge_socket' => '', 'keep_days' => '0',
             'generations_max' => '1000', 'lead' => '10', 'gateway' => 'off', 'modules_nginx' => [],
             'gate_rate' => '0', 'connections_max' => '10' }
    assert_equal told, site
    assert_equal 'auto', MultiTenant.share_envelope(site)
    assert_equal 'v1', MultiTenant.share_envelope(read('multitenant-database', 'cluster: hpc'))
    ['no', 'off', 'False', '"no"'].each do |no|
      refute read('multitenant-llm', "cluster: a\nold_readers: #{no}\n")['old_readers'], no
    end
  end

  def test_an_empty_value_is_the_default
    ['', '""', '~', '[]', '[""]', '" , "'].each do |empty|
      site = read('multitenant-llm', "cluster: hpc\nkinds: #{empty}\n")
      assert_equal %w[ollama llamacpp vllm openai], site['kinds'], empty
    end
    site = read('multitenant-gradio', "cluster: hpc\npython:\nservices:\n")
    assert_equal ['python3', []], site.values_at('python', 'services')
  end

  def test_a_gateway_is_off_wanted_or_required
    { "cluster: hpc\ngateway: on\n" => [2, /\Agateway takes off, auto or required, not "on"/],
      "cluster: hpc\ngate_rate: many\n" => [2, /\Agate_rate takes a number of requests a minute/],
      # Which a shell would take for 48.
      "cluster: hpc\ngate_rate: 060\n" => [2, /\Agate_rate takes a number of requests a minute, or 0, not "060"/],
      "cluster: hpc\nkeep_days: 014\n" => [2, /\Akeep_days takes a number of days/],
      "cluster: hpc\nlead: 1\n" => [2, /\Alead takes a number of minutes from 2 to 999, not "1"/],
      "cluster: hpc\nkinds: nginx\n" => [2, /\Akinds takes some of ollama, /] }
      .each { |text, (line, sentence)| assert_refused(line, sentence, text) }
  end

  def test_what_makes_no_sense_is_told_with_file_line_and_key
    { "cluster: hpc\n\nmodel: x\n" => [3, /\Athis app has no key "model"; it has cluster, wckey,/],
      "cluster: hpc\nservers: x\n" => [2, /\Athe key servers is now called kinds/],
      "cluster: hpc\nkinds: vllm,olama\n" => [2, /\Akinds takes some of ollama, .* not "olama"/],
      "cluster: hpc\nold_readers: maybe\n" => [2, /\Aold_readers takes yes or no, not "maybe"/],
      "cluster: hpc\nenvelope: none\n" => [2, /\Aenvelope takes auto, munge, key or v1/],
      "cluster: hpc\nwckey: [a, b]\n" => [2, /\Awckey takes one value/],
      "cluster: hpc\nwckey: *multitenant\n" => [2, /\Awckey takes texts alone: put quotes/],
      "cluster: hpc\nmodels: [{a: b}]\n" => [2, /\Amodels takes texts alone/],
      "cluster: hpc\nslots_vllm: many\n" => [2, /\Aslots_vllm takes a number from 1, not "many"/],
      "cluster: hpc\ncontext_ollama: 4k\n" => [2, /\Acontext_ollama takes a number from 1/],
      "cluster: hpc\nmodels_directory: models\n" => [2, /\Amodels_directory takes a path/],
      "cluster: hpc\ncluster: b\n" => [2, /\Acluster is there for the second time/],
      "cluster: ../etc\n" => [1, /\Acluster takes the id/],
      "cluster: hpc\nscratch: \"\\e[2J\"\n" => [2, /\Ascratch holds/],
      "cluster: hpc\nkinds: \"vllm\n" => [2, /\Athat is no YAML \(/], "- cluster\n" => [1, /lines KEY: VALUE/],
      "? [a]\n: b\n" => [1, /lines KEY: VALUE/], '' => [nil, /\Ait has no cluster/],
      "wckey: a\n" => [nil, /\Ait has no cluster/],
      "\uFEFFkinds: vllm\n" => [nil, /\Ait has no cluster/],
      "\uFEFFcluster: hpc\n".encode('UTF-16LE').b => [1, /\Athat is no YAML \(/],
      "cluster: \"\"\n" => [nil, /no cluster/] }.each { |text, (line, sentence)| assert_refused(line, sentence, text) }
    assert_refused(2, /\Aorigin takes an address/, "cluster: a\norigin: https://a/\n", name: 'multitenant-jupyter')
    File.unlink(File.join(app('multitenant-llm', ''), 'site.yml'))
    error = assert_raises(MultiTenant::Failure) { form(File.join(@root, 'multitenant-llm')) }
    assert_match(/site\.yml: it can't be read \(ENOENT\)/, error.message)
  end

  # A MySQL has no gateway, and so nobody has rights of their own.
  def test_a_form_asks_nothing_of_others_rights_in_a_database_where_nobody_has_any
    asked = %w[off auto].map do |gateway|
      text = "cluster: hpc\nenvelope: key\nold_readers: no\nkinds: postgresql,mysql,mariadb\ngateway: #{gateway}\n"
      form(app('multitenant-database', text))
    end
    hidden = asked.map { |one| one['attributes']['version']['options'] }
    kinds = [%w[PostgreSQL postgresql], %w[MySQL mysql], %w[MariaDB mariadb]]
    hides = { 'data-hide-db-rights' => true, 'data-hide-db-own' => true }
    assert_equal [kinds, [kinds[0], [*kinds[1], hides], kinds[2]]], hidden
    assert_empty %w[db_rights db_own] - asked[1]['form']
  end

  # ---- rows of the site's own ----

  ROW = "kind_panel:\n  title: Panel\n  start: |\n    exec panel\n    # more\n"

  def rows(text)
    MultiTenant.kinds(read('multitenant-dashboard', "cluster: hpc\n#{text}"))
  end

  def choices(text)
    found = form(app('multitenant-dashboard', "cluster: hpc\n#{text}"))
    found['attributes']['version']['options'].map { |one| one[0, 2] }
  end

  def test_a_site_adds_changes_and_leaves_out_rows
    assert_equal [['Any command', 'command'], %w[Panel panel], %w[Qdrant qdrant]],
                 choices("#{ROW}kinds: [command, panel, qdrant]\nmodules_panel: panel/1\n")
    assert_equal [['R Shiny', 'shiny'], %w[Streamlit streamlit], ['Dash, or any Python file', 'python'],
                  ['Any command', 'command']], choices('')
    changed = rows("kind_mlflow:\n  start: exec ours\n")
    assert_equal MultiTenant::Kinds::TABLE['mlflow'].merge('start' => 'exec ours'), changed['mlflow']
    assert_equal MultiTenant::Kinds::TABLE.keys, changed.keys
    assert_equal "exec panel\n# more\n", rows(ROW)['panel']['start']
    jupyter = read('multitenant-jupyter', "cluster: hpc\n#{ROW}  environment: {PANEL_URL: '{url}'}\n")
    assert_equal({ 'PANEL_URL' => '{url}' }, MultiTenant.kinds(jupyter)['panel']['environment'])
  end

  def test_a_row_that_makes_no_sense_is_told_with_file_line_and_field
    { "#{ROW}  titel: x\n" => [7, /\Akind_panel has no field "titel"; it may have title, choice,/],
      "kind_panel: {title: R&D, start: x}\n" => [2, /\Atitle of kind_panel takes a line of at most 64 .*none of/],
      "#{ROW}  proxy: door\n" => [7, /\Aproxy of kind_panel takes node or rnode/],
      "#{ROW}  gateway: maybe\n" => [7, /\Agateway of kind_panel takes none or namespace/],
      "#{ROW}  ready: [a]\n" => [7, /\Aready of kind_panel takes a text/],
      "#{ROW}  program: \"a\\e\"\n" => [7, /\Aprogram of kind_panel takes a text/],
      "#{ROW}  environment: x\n" => [7, /\Aenvironment of kind_panel takes lines NAME: VALUE/],
      "#{ROW}  environment: {LD_PRELOAD: x}\n" => [7, /\A"LD_PRELOAD" can be no variable of kind_panel/],
      "kind_panel: x\n" => [2, /\Akind_panel takes lines FIELD: VALUE, of title/],
      "kind_panel: {title: x}\n" => [2, /\Akind_panel needs start, and title or choice/],
      "kind_Panel: {title: x}\n" => [2, /\Athis app has no key "kind_Panel"/],
      "kinds: panel\n" => [2, /\Akinds takes some of shiny, .*ray, not "panel"/],
      "kinds: shiny,ray\n" => [nil, /\Akinds has ray, which asks nobody who they are: it is served behind/],
      "kinds: redis\ngateway: required\n" => [nil, /\Akinds has redis, which works behind no gateway/],
      "kinds: labelstudio\n" => [nil, /\Akinds has labelstudio, whose pages name this portal's address/] }
      .each do |text, (line, sentence)|
        assert_refused(line, sentence, "cluster: hpc\n#{text}", name: 'multitenant-dashboard')
      end
    assert_refused(2, /has no key "kind_panel"/, "cluster: hpc\n#{ROW}")
  end

  # Never an error of Ruby's, in whichever line.
  def test_a_form_is_there_or_a_sentence
    APPS.each_key do |name|
      keys = YAML.safe_load(shipped(name)).keys
      keys += %w[kind_mlflow kind_panel] if name == 'multitenant-dashboard'
      keys.product(ODD).each do |key, value|
        text = "#{shipped(name).gsub(/^#{key}:.*\n/, '')}#{key}: #{value}\n"
        form(app(name, text))
      rescue MultiTenant::Failure => e
        assert_includes e.message, "#{name}/site.yml", "#{key}: #{value}"
      end
    end
  end

  # A copy of the site's own, by another name.
  def test_an_app_of_the_sites_own_has_the_keys_of_any
    dir = File.join(temporary, 'multitenant-vllm')
    Dir.mkdir(dir)
    File.write(File.join(dir, 'site.yml'), "cluster: hpc\nkinds: vllm\npython: python3.11\n")
    assert_equal [%w[vllm], 'python3.11'], MultiTenant.site(dir).values_at('kinds', 'python')
  end
end
