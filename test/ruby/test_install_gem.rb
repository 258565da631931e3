# frozen_string_literal: true

require_relative 'site'

# The gem, and the Ruby that it is for.
class TestInstallGem < InstallTest
  def gem_home(enable = Site::RPM)
    site.at(Site::HOMES[enable])
  end

  # Nothing of the compiled core is needed to install.
  def test_it_runs_without_the_core
    lib = File.join(temporary, 'bare')
    FileUtils.mkdir_p(lib)
    lib = Tree.copy(lib)
    FileUtils.rm(Dir.glob("#{lib}/multitenant/{multitenant.so,multitenant-query}"))
    script = "require 'multitenant/installer'; exit MultiTenant::Installer.new({}, out: $stdout, root: ARGV[0]).install"
    done = run_as(nil, RbConfig.ruby, '-I', lib, '-e', script, site.root)
    assert_equal [0, ''], [done.code, done.err]
    assert_equal [Site::PLUGIN], site.active
  end

  # On EL it is among Open OnDemand's gems, which the packages' `enable` file does not put into PATH.
  def test_an_admins_shell_finds_the_command_as_the_page_says
    page = File.read(File.join(Tree::ROOT, 'doc/admins.md'), encoding: 'UTF-8')
    line = page[%r{`(source /opt/ood/ondemand/enable; [^`]+)`}, 1].sub('/opt/ood/ondemand/enable', site.at('\\&'))
    path, = Open3.capture2('bash', '-c', "#{line}; echo $PATH", unsetenv_others: true)
    assert_includes path.chomp.split(':'), "#{Site::HOMES[Site::RPM]}/bin"
  end

  def test_a_gem_that_is_missing_is_named_with_the_command
    FileUtils.rm_r(gem_home)
    enable = site.at('/opt/ood/ondemand/enable')
    assert_refused 78, "#{gem_home}.*`multitenant install --gem ood_multitenant-#{MultiTenant::VERSION}.gem`.*" \
                       "bash -c 'umask 022; source #{enable}; export GEM_HOME=#{gem_home}; gem install --local"
  end

  def test_a_gem_that_others_may_write
    path = File.join(site.gem, 'lib/multitenant/sources/query.rb')
    File.chmod(0o664, path)
    assert_refused 78, "can change #{path} or a directory above it, so .* Run `chown root #{path}; chmod go-w"
  end

  # RubyGems keeps the modes that the files had where the gem was built, for `gem pristine`, too.
  def test_a_gem_that_users_can_not_read
    path = File.join(site.gem, 'lib/multitenant/sources/query.rb')
    File.chmod(0o640, path)
    assert_refused 78, "Not all users can read #{path}, so .* Run `chmod -R a\\+rX #{site.gem}`"
  end

  # A gem that was installed with another umask before left its directories like that.
  def test_a_gem_below_a_directory_that_users_can_not_enter
    gems = File.dirname(site.gem)
    assert_installed
    { gems => [0o700, 0o750, 0o711], File.dirname(gems) => [0o700, 0o750], File.expand_path('../..', gems) => [0o700] }
      .each do |dir, modes|
      modes.each do |mode|
        File.chmod(mode, dir)
        assert_refused 78, "Not all users can read #{dir}, so .* Run `chmod a\\+rx #{dir}`"
      end
      File.chmod(0o750, dir)
      FileUtils.chown(nil, 'daemon', dir)
      assert_installed
      File.chmod(0o755, dir)
    end
    File.chmod(0o700, site.root)
    assert_installed
  end

  # With an ACL a directory's bits for its group are what that may give at most.
  def test_a_gem_below_a_directory_that_an_acl_opens_to_users
    need_root
    gems = File.dirname(site.gem)
    File.chmod(0o700, gems)
    # Version 2: the owner rwx, group 12 r-x, the owner's group and others nothing, a mask of r-x.
    acl = [[1, 7, -1], [4, 0, -1], [8, 5, 12], [16, 5, -1], [32, 0, -1]].map { |entry| entry.pack('S<S<l<') }
    set = 'import os, sys; os.setxattr(sys.argv[1], "system.posix_acl_access", sys.stdin.buffer.read())'
    out, status = Open3.capture2e('python3', '-c', set, gems, stdin_data: [2].pack('L<') + acl.join, binmode: true)
    skip "no ACL can be set here: #{out.lines.last}" unless status.success?
    assert_equal 0o750, File.stat(gems).mode & 0o777
    assert_installed
    File.chmod(0o700, gems)
    assert_refused 78, "Not all users can read #{gems}, so "
  end

  def test_a_newer_gem_and_an_older_one
    GemHomes.add(gem_home, '0.0.1')
    assert_installed
    GemHomes.add(gem_home, '99.0.0')
    assert_refused 78, 'would load the newer .*ood_multitenant-99.0.0.*gem uninstall ood_multitenant --version 99.0.0'
  end

  def test_a_file_that_is_another_gem
    path = File.join(temporary, 'multitenant.gem')
    File.write(path, 'x')
    assert_refused 64, '--gem: .* is not there, or no gem', '--gem', path
    assert_refused 64, '--gem: .* is not there, or no gem', '--gem', '/nonexistent'
    File.write(File.join(temporary, 'x.gemspec'), <<~RUBY)
      Gem::Specification.new { |s| s.name = 'multitenant'; s.version = '1'; s.summary = s.author = 'x'; s.files = [] }
    RUBY
    Open3.capture2e('gem', 'build', 'x.gemspec', '--output', path, chdir: temporary)
    assert_refused 64, 'is the gem multitenant, not ood_multitenant', '--gem', path
  end

  # A dashboard's Ruby that says it is 3.3, and a core that it can't load.
  def test_a_core_for_another_ruby
    File.write(File.join(temporary, 'other.rb'), "RbConfig::CONFIG['ruby_version'] = '3.3.0'\n")
    File.write(File.join(temporary, 'ruby'),
               "#!/bin/sh\nexec #{RbConfig.ruby} -r rbconfig -r #{temporary}/other.rb \"$@\"\n", perm: 0o755)
    site.write('/opt/ood/ondemand/enable', "#{Site::RPM}export PATH=#{temporary}:$PATH\n")
    File.binwrite(File.join(site.gem, 'lib/multitenant/multitenant.so'), "\x7fELFof another")
    assert_refused 78, 'dashboard\'s Ruby \(3.3.0\) can\'t load the core of .*: LoadError: '
    FileUtils.mkdir_p(File.join(gem_home, 'extensions/x86_64-linux/3.1.0', File.basename(site.gem)))
    assert_refused 78, 'dashboard\'s Ruby \(3.3.0\) can\'t load the core of .*: it was built for Ruby 3.1.0\. ' \
                       'Run `bash -c .* gem pristine ood_multitenant'
  end

  def test_what_the_admin_has_in_his_own_environment_does_not_count
    site
    old = ENV.to_h
    ENV.update('GEM_HOME' => '/nonexistent', 'GEM_PATH' => '/nonexistent', 'RUBYOPT' => '-rnonexistent')
    assert_installed
  ensure
    ENV.replace(old)
  end

  def test_etc_ood_profile_has_the_last_word
    FileUtils.mkdir_p(site.at('/srv'))
    FileUtils.mv(gem_home, site.at('/srv/gems'))
    assert_refused 78, 'is not where the dashboard\'s Ruby'
    site.write('/etc/ood/profile', "export GEM_HOME=/srv/gems\n")
    assert_installed
  end

  # A shell without a locale, as cron's and a container's are; compilers quote in UTF-8 all the same.
  def test_what_the_dashboards_ruby_says_is_told_whatever_the_locale_is
    File.write(File.join(temporary, 'ruby'), <<~'SH' + "exec #{RbConfig.ruby} \"$@\"\n", perm: 0o755)
      #!/bin/sh
      [ "$1" != -S ] || { printf 'ERROR: \342\200\230jansson.h\377\n' >&2; exit 1; }
    SH
    site.write('/etc/ood/profile', "echo hello\nexport PATH=#{temporary}:$PATH\n")
    FileUtils.rm_r(gem_home)
    file = GemHomes.built
    before = Encoding.default_external
    silently { Encoding.default_external = Encoding::US_ASCII }
    assert_refused 78, 'gem install --local .* failed: ERROR: .*jansson\.h', '--gem', file
  ensure
    silently { Encoding.default_external = before }
  end

  # As script/test has it: what was compiled before is not compiled again.
  def keep_compiled
    site.write('/etc/ood/profile', "export PATH=#{Tree::ROOT}/tmp/ccache/bin:$PATH\n")
  end

  # Built, installed, and loaded under Bundler by a dashboard of the packages' environment.
  def test_the_gem_for_an_rpm_dashboard
    keep_compiled
    FileUtils.rm_r(gem_home)
    before = state
    assert_equal 0, site.run(:install, '--gem', GemHomes.built, '--dry-run'), site.err
    assert_match(/^would run .*gem install --local --no-document #{GemHomes.built}/, site.out)
    assert_tree before
    assert_equal 0, site.run(:install, '--gem', GemHomes.built), site.err
    assert_equal ["#{Site::HOMES[Site::RPM]}/gems/ood_multitenant-#{MultiTenant::VERSION}", Site::PLUGIN],
                 site.told('written').grep(/ood_multitenant|\.rb/)
    assert_match(/LoadError|off until/, dashboard('GEM_HOME' => temporary, 'GEM_PATH' => temporary))
    assert_match(/\Aloaded #{gem_home}.*multitenant\.so$/, dashboard('GEM_HOME' => gem_home, 'GEM_PATH' => gem_home))
    assert_equal 0, site.run(:install, '--gem', GemHomes.built), site.err
    assert_includes site.out, 'Nothing was changed.'
  end

  # As operating_system.rb of EL has it: root's gems go to /usr/local whatever GEM_HOME says, and what is compiled goes
  # into a directory of its own, and not into lib.
  def rubygems_of_el
    path = File.join(temporary, 'el.rb')
    elsewhere = "--install-dir=#{temporary}/usr/local --bindir #{temporary}/usr/local/bin"
    File.write(path, <<~RUBY)
      def Gem.operating_system_defaults = { 'gem' => '#{elsewhere}' }

      def Gem.install_extension_in_lib = false
    RUBY
    site.write('/opt/ood/ondemand/enable', "#{Site::RPM}export RUBYOPT=-r#{path}\n")
  end

  # Also by the command that is told where the core can't be loaded.
  def test_the_gem_for_a_dashboard_on_el
    rubygems_of_el
    keep_compiled
    FileUtils.rm_r(gem_home)
    assert_equal 0, site.run(:install, '--gem', GemHomes.built), site.err
    refute_path_exists "#{temporary}/usr/local"
    core, names = %w[multitenant.so multitenant-names].map { |name| File.join(site.gem, 'lib/multitenant', name) }
    assert_path_exists names
    %w[bin/multitenant bin/multitenant-agent extensions].each { |path| assert_path_exists File.join(gem_home, path) }
    assert_match(/\Aloaded #{core}$/, dashboard('GEM_HOME' => gem_home, 'GEM_PATH' => gem_home))
    FileUtils.rm(core)
    assert_refused 78, 'LoadError: .* Run `bash -c .*gem pristine ood_multitenant'
    out, status = Open3.capture2e(site.err[/Run `(bash -c '.*')`/, 1])
    assert_predicate status, :success?, out
    assert_installed
    assert_path_exists core
    refute_path_exists "#{temporary}/usr/local"
  end

  # As Ruby 3.0 came with it.
  def test_gem_pristine_of_an_old_rubygems_is_given_no_option_that_it_does_not_know
    File.write(File.join(temporary, 'old.rb'), "Gem.send(:remove_const, :VERSION)\nGem::VERSION = '3.2.32'\n")
    site.write('/opt/ood/ondemand/enable', "#{Site::RPM}export RUBYOPT=-r#{temporary}/old.rb\n")
    FileUtils.rm(File.join(site.gem, 'lib/multitenant/multitenant.so'))
    assert_refused 78, "LoadError: .* Run `bash -c .*gem pristine ood_multitenant --bindir #{gem_home}/bin"
  end

  # @return [String] what a process with no gems but its own says when it loads the initializer
  def dashboard(env)
    File.write(File.join(temporary, 'Gemfile'), '')
    script = "require 'bundler/setup'; load ARGV[0]; puts \"loaded \#{$LOADED_FEATURES.grep(/multitenant.so/).first}\""
    env = { **env, 'MULTITENANT_ENABLE' => 'true' }
    done = run_as(nil, RbConfig.ruby, '-e', script, site.at(Site::PLUGIN), env: env, dir: temporary)
    done.out.include?('loaded /') ? done.out : done.err
  end

  # RubyGems keeps the modes of a clone that was made with another umask.
  def gem_that_a_group_may_write
    clone = File.join(temporary, 'clone')
    FileUtils.mkdir(clone)
    FileUtils.cp_r(Dir.glob(File.join(Tree::ROOT, '*')) - [File.join(Tree::ROOT, 'build')], clone)
    FileUtils.chmod_R('g+w', clone)
    path = File.join(temporary, 'ood_multitenant.gem')
    out, status = Open3.capture2e('gem', 'build', 'multitenant.gemspec', '--output', path, chdir: clone)
    assert_predicate status, :success?, out
    path
  end

  def test_the_gem_for_a_deb_dashboard
    site(enable: Site::DEB)
    keep_compiled
    FileUtils.rm_r(gem_home(Site::DEB))
    assert_equal 0, site.run(:install, '--gem', gem_that_a_group_may_write), site.err
    home = site.at(Gem.default_dir)
    assert_path_exists File.join(home, "gems/ood_multitenant-#{MultiTenant::VERSION}/lib/multitenant/multitenant.so")
  end
end
