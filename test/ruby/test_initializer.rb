# frozen_string_literal: true

require_relative 'helper'
require_relative 'starting'

# The initializer in a dashboard's process, which is a user's: whatever is missing or broken, the
# dashboard starts, in time, with its cards, and the log says in one line what to fix.
class TestInitializer < MultiTenantTest
  include Starting

  # ---- not enabled ----

  [nil, '', 'false', 'TRUE', '1', 'true '].each do |value|
    define_method(:"test_nothing_is_touched_where_enable_is_#{value.inspect}") do
      lib = gem_with("touch #{File.join(@viewer.home, 'ran')}")
      File.write(File.join(lib, 'multitenant.rb'), "File.write(File.join(Dir.home, 'loaded'), '')\n")
      start = start({ 'MULTITENANT_ENABLE' => value, 'REFRESH' => '1' })
      assert_equal [{}, {}, {}, [], [], true],
                   [start.specs, start.report, start.refreshed, start.loaded, start.log, start.same]
      assert_equal [['Loader'], ''], [start.names, start.err]
      assert_empty Dir.children(@viewer.home)
      assert start.frozen
    end
  end

  # ---- the site is switched off, and the cards are to go ----

  def test_remove_removes_our_cards_and_nothing_else
    @viewer.look(stream(job(7), job(8)))
    @viewer.own_session(uuid(9))
    gem_with("touch #{File.join(@viewer.home, 'ran')}")
    start = start({ 'MULTITENANT_ENABLE' => 'remove', 'REFRESH' => '1' })
    assert_equal [[uuid(9)], {}, true, true, ''], [@viewer.listed, start.specs, start.frozen, start.same, start.err]
    refute_path_exists @viewer.output(uuid(7))
    refute_path_exists File.join(@viewer.home, 'ran')
    assert_equal [['info', 'multitenant: MULTITENANT_ENABLE is remove: removed 2 cards.']], start.log
    assert_empty start({ 'MULTITENANT_ENABLE' => 'remove' }).log
    assert_equal [uuid(9)], @viewer.listed
  end

  # @param told [String] members.json
  # @return [String] the directory of a client's session
  def client(id, told: '{"service":"7","of":"1001@hpc","members":[]}', **changes)
    token = 'sys/multitenant-jupyter'
    @viewer.own_session(uuid(id), token: token, **changes)
    { 'members.json' => told, 'service.sh' => 'export MT_PASSWORD=x' }.each do |name, text|
      @viewer.write(@viewer.output(uuid(id), name, token: token), text)
    end
    @viewer.output(uuid(id), token: token)
  end

  def test_remove_takes_what_services_told_clients_that_have_ended
    gem_with(nil)
    ended, unlisted, running = [true, true, nil].map.with_index(9) { |over, id| client(id, cache_completed: over) }
    File.unlink(@viewer.db(uuid(10)))
    others = ['["ann"]', '{', '{"people":[]}'].map.with_index(12) do |told, id|
      client(id, told: told, cache_completed: true)
    end
    log = start({ 'MULTITENANT_ENABLE' => 'remove' }).log
    assert_equal [['info', 'multitenant: MULTITENANT_ENABLE is remove: removed what services told 2 clients.']], log
    [ended, unlisted].each { |dir| assert_equal ['connection.yml'], Dir.children(dir) }
    [running, *others].each { |dir| assert_equal %w[connection.yml members.json service.sh], Dir.children(dir).sort }
    @viewer.own_session(uuid(11), token: 'sys/multitenant-jupyter', cache_completed: true)
    assert_equal 1, start({ 'MULTITENANT_ENABLE' => 'remove' }).log.size
    assert_equal ['connection.yml'], Dir.children(running)
  end

  def test_remove_without_a_data_root_makes_none
    gem_with(nil)
    assert_empty start({ 'MULTITENANT_ENABLE' => 'remove' }).log
    assert_empty Dir.children(@viewer.home)
  end

  def test_remove_while_another_process_is_at_the_cards
    @viewer.look(stream(job(7)))
    gem_with(nil)
    @viewer.while_locked do
      start = start({ 'MULTITENANT_ENABLE' => 'remove' })
      assert_equal [[uuid(7)], ['warn']], [@viewer.listed, start.log.map(&:first)]
      assert_match(/could not be removed, which the next start tries again/, start.log[0][1])
    end
    start({ 'MULTITENANT_ENABLE' => 'remove' })
    assert_empty @viewer.listed
  end

  # ---- enabled, and all is well ----

  def test_specs_and_cards
    gem_that_prints(stream(job(7)))
    start = start({ 'REFRESH' => '1' })
    assert_equal [['7'], [], true, ''], [start.specs.keys, start.log, start.same, start.err]
    assert_equal [uuid(7)], @viewer.listed
    assert_equal [['written', uuid(7), nil]], start.report['cards']
    assert_equal [['kept', uuid(7), nil]], start.refreshed['cards']
  end

  def test_per_cluster_data_root
    gem_that_prints(stream(job(7)))
    start({ 'PER_CLUSTER' => 'true' })
    assert_path_exists @viewer.path('hpc/sys/multitenant-delivery_default/output', uuid(7), 'connection.yml')
  end

  def test_the_slurm_conf_that_ood_names
    gem_with('echo "conf is $SLURM_CONF" >&2; exit 78')
    assert_off start({ 'OOD_CONF' => '/ood/slurm.conf' }), 'conf is /ood/slurm.conf', level: 'warn'
  end

  def test_settings_that_make_no_sense_are_a_line_each
    gem_that_prints(stream)
    start = start({ 'MULTITENANT_TTL' => 'x', 'MULTITENANT_WCKEY' => "a\xFFb" })
    assert_equal %w[warn warn], start.log.map(&:first)
    assert_match(/MULTITENANT_WCKEY=.* makes no sense/, start.log[0][1])
  end

  def test_where_rails_has_no_logger_the_line_goes_to_standard_error
    start = start({ 'NO_LOGGER' => '1' })
    assert_match(/\Amultitenant: off until this is fixed: .*\n\z/, start.err)
  end

  # ---- the gem ----

  def test_no_gem
    assert_off start, "LoadError: no gem ood_multitenant .* in #{@home}"
  end

  def test_another_gem_of_the_projects_name
    dir = File.join(@home, 'gems/multitenant-9.9.9')
    FileUtils.mkdir_p(dir)
    Tree.copy(dir)
    assert_off start, 'LoadError: no gem ood_multitenant'
  end

  INSECURE = {
    'a file of the users' => ->(lib, _) { File.chown(2001, 2001, File.join(lib, 'multitenant/sources/query.rb')) },
    'a file that a group may write' => ->(lib, _) { File.chmod(0o664, File.join(lib, 'multitenant.rb')) },
    'a library that all may write' => ->(lib, _) { File.chmod(0o757, File.join(lib, 'multitenant/multitenant.so')) },
    'a directory of the users' => ->(lib, _) { File.chown(2001, 2001, File.join(lib, 'multitenant')) },
    'a gem directory that a group may write' => ->(lib, _) { File.chmod(0o775, File.dirname(lib)) },
    'a gem home that a group may write' => ->(_, home) { File.chmod(0o775, home) },
    'a gem home of the users' => ->(_, home) { File.chown(2001, 2001, home) }
  }.freeze

  INSECURE.each do |what, change|
    define_method(:"test_#{what.tr(' ', '_')}_is_refused") do
      lib = gem_that_prints(stream(job(7)))
      change.call(lib, @home)
      start = start()
      assert_off start, 'LoadError: no gem ood_multitenant whose every file belongs to root'
      assert_empty(start.loaded.grep(/ood_multitenant/))
    end
  end

  def test_a_link_to_what_is_the_users
    lib = gem_that_prints(stream(job(7)))
    elsewhere = @viewer.write(File.join(@viewer.home, 'query.rb'), "File.write(File.join(Dir.home, 'ran'), '')")
    File.unlink(File.join(lib, 'multitenant/sources/query.rb'))
    File.symlink(elsewhere, File.join(lib, 'multitenant/sources/query.rb'))
    assert_off start, 'LoadError'
    refute_path_exists File.join(@viewer.home, 'ran')
    File.chown(0, 0, elsewhere) # the directory that it is in is still the user's
    assert_off start, 'LoadError'
    refute_path_exists File.join(@viewer.home, 'ran')
  end

  # Gem.path begins with a directory of the user's own.
  def user_gem(files)
    dir = File.join(@viewer.home, 'gems/gems/ood_multitenant-9.9.9/lib')
    @viewer.do { FileUtils.mkdir_p(dir) }
    files.each { |name, text| @viewer.write(File.join(dir, name), text, mode: 0o644) }
    { 'GEM_PATH' => "#{File.join(@viewer.home, 'gems')}:#{@home}" }
  end

  def test_a_newer_gem_of_the_users_own_is_passed_over
    gem_that_prints(stream(job(7)))
    env = user_gem('multitenant.rb' => "File.write(File.join(Dir.home, 'ran'), '')")
    assert_equal ['7'], start(env).specs.keys
    refute_path_exists File.join(@viewer.home, 'ran')
  end

  # Every file of an empty directory belongs to root.
  def test_a_newer_gem_of_the_users_own_that_is_empty_is_passed_over
    gem_that_prints(stream(job(7)))
    assert_equal ['7'], start(user_gem({})).specs.keys
    assert_equal ['7'], start(user_gem('.hidden' => '')).specs.keys
  end

  def test_the_newest_one_is_taken
    %w[0.9.0 0.10.0 0.2.0].each_with_index { |version, i| gem_that_prints(stream(job(i + 1)), version) }
    assert_equal ['2'], start.specs.keys
  end

  def test_a_newer_one_that_is_not_roots_is_passed_over
    gem_that_prints(stream(job(1)))
    File.chmod(0o666, File.join(gem_that_prints(stream(job(2)), '9.9.9'), 'multitenant.rb'))
    assert_equal ['1'], start.specs.keys
  end

  BROKEN = {
    'a library that is none' => ['multitenant/multitenant.so', "\x7fELFrubbish", 'LoadError'],
    'a library that is empty' => ['multitenant/multitenant.so', '', 'LoadError'],
    'a syntax error' => ['multitenant/receiver.rb', 'def', 'SyntaxError'],
    'an error at load' => ['multitenant/settings.rb', "raise 'at load'", 'RuntimeError: at load'],
    'an error that is no text' => ['multitenant/settings.rb', 'raise "\xFF no \xFE"', 'RuntimeError: . no '],
    'an error of no standard' => ['multitenant/settings.rb', "raise Exception, 'strange'", 'Exception: strange'],
    'an exit' => ['multitenant/settings.rb', 'exit 3', 'SystemExit'],
    'an abort' => ['multitenant.rb', "$stderr = File.open('/dev/null', 'w'); abort 'no'", 'SystemExit: no'],
    'nothing in it' => ['multitenant.rb', '', 'NoMethodError']
  }.freeze

  BROKEN.each do |what, (file, text, sentence)|
    define_method(:"test_a_gem_with_#{what.tr(' ', '_')}") do
      lib = gem_that_prints(stream(job(7)))
      File.unlink(File.join(lib, file))
      File.binwrite(File.join(lib, file), text)
      start = start()
      assert_equal [{}, ['error'], 1], [start.specs, start.log.map(&:first), start.log[0][1].lines.size]
      assert_match(/\Amultitenant: off until this is fixed: #{sentence}/, start.log[0][1])
    end
  end

  def test_a_file_of_the_gem_is_missing
    File.unlink(File.join(gem_that_prints(stream(job(7))), 'multitenant/multitenant.so'))
    assert_off start, 'LoadError: cannot load such file.*multitenant/multitenant'
  end

  # ---- OOD is another than we know ----

  def test_without_ood_appkit
    gem_that_prints(stream(job(7)))
    assert_off start({ 'NO_APPKIT' => '1' }), 'NameError: uninitialized constant .*OodAppkit'
  end

  def test_with_clusters_that_raise
    gem_that_prints(stream(job(7)))
    assert_off start({ 'BAD_CLUSTERS' => 'bad yaml' }), 'RuntimeError: bad yaml'
  end

  # ---- as it is installed ----

  # The dashboard's Bundler knows our gem as little as its Gemfile does.
  def test_the_installed_gem_under_bundler
    @home = GemHomes.installed
    gemfile = File.join(temporary, 'Gemfile')
    File.write(gemfile, '')
    File.write("#{gemfile}.lock", "GEM\n  specs:\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n")
    File.write(@dashboard, "require 'bundler/setup'\n#{DASHBOARD}", mode: 'w')
    File.chmod(0o755, temporary)
    start = start({ 'BUNDLE_GEMFILE' => gemfile, 'BUNDLE_USER_CONFIG' => '/dev/null', 'BUNDLE_FROZEN' => 'true',
                    'SLURM_CONF' => '/nonexistent/slurm.conf' })
    assert_equal [['warn'], {}], [start.log.map(&:first), start.specs]
    assert_includes start.report['error'], '/nonexistent/slurm.conf' if File.exist?(installed_program)
    ours = start.loaded.grep(%r{/ood_multitenant-[^/]+/})
    assert_includes ours, File.join(@home, "gems/ood_multitenant-#{MultiTenant::VERSION}/lib/multitenant/multitenant.so")
    assert_empty(start.path.grep(/ood_multitenant/))
  end

  def installed_program
    File.join(@home, "gems/ood_multitenant-#{MultiTenant::VERSION}/lib/multitenant/multitenant-query")
  end

  # No gem that the dashboard's lock may have in another version comes with ours.
  def test_nothing_but_the_standard_library_is_loaded
    gem_that_prints(stream(job(7)))
    start = start()
    assert_includes start.loaded.join(' '), '/ood_multitenant-'
    assert_empty(start.loaded.grep(%r{/gems/}).reject { |path| path.start_with?(@home) })
  end
end
