# frozen_string_literal: true

require_relative 'helper'
require 'rubygems/package'

# The gem: what is in it, what it links, and how it installs where something is missing.
class TestGem < MultiTenantTest
  def installed(*parts)
    need_root
    File.join(GemHomes.installed, *parts)
  end

  def installed_lib(*parts)
    installed("gems/ood_multitenant-#{MultiTenant::VERSION}/lib/multitenant", *parts)
  end

  # ---- contents ----

  PARTS = %w[ext lib exe initializer doc libexec systemd apps-services apps-delivery apps-clients].freeze
  BUILT = /\.(so|o)\z|multitenant-(gate|munge|names|query|seal)\z/

  def built
    need_root
    Gem::Package.new(GemHomes.built)
  end

  def test_it_holds_all_of_its_parts_and_nothing_else
    files = PARTS.flat_map { |part| Dir.glob("#{part}/**/*", base: Tree::ROOT) }
                 .select { |path| File.file?(File.join(Tree::ROOT, path)) }.grep_v(BUILT)
    assert_operator files.size, :>, 50
    assert_equal (files + %w[CHANGELOG.md CONTRIBUTING.md LICENSE README.md SECURITY.md]).sort, built.contents.sort
  end

  def test_what_it_says_of_itself
    spec = built.spec
    assert_equal ['ood_multitenant', MultiTenant::VERSION, %w[MIT GPL-2.0-or-later]],
                 [spec.name, spec.version.to_s, spec.licenses]
    assert_equal [%w[multitenant multitenant-agent], []], [spec.executables, spec.dependencies]
    %w[3.0.0 3.4.0].each { |ruby| assert spec.required_ruby_version.satisfied_by?(Gem::Version.new(ruby)) }
    spec.extensions.each { |path| assert_includes built.contents, path }
  end

  # ---- what was built ----

  def dynamic(path, *argv)
    out, err, status = Open3.capture3(*argv, path)
    assert status.success?, err
    out
  end

  def test_the_extension_shows_one_symbol
    symbols = dynamic(built_extension, 'nm', '-D', '--defined-only')
    assert_equal(['Init_multitenant'], symbols.lines.map { |line| line.split.last })
  end

  def built_extension
    $LOADED_FEATURES.grep(%r{/multitenant/multitenant\.so\z})[0]
  end

  # Nothing that blocks, and nothing of Slurm's, is in the dashboard's process.
  def test_what_the_extension_is_linked_with
    libraries = dynamic(built_extension, 'readelf', '-d').scan(/NEEDED.*\[(.+?)\.so/).flatten
    assert_equal %w[libc libcrypto libjansson libz], (libraries - %w[libm ld-linux-x86-64]).grep_v(/\Alibruby/).sort
  end

  def test_the_extension_has_no_executable_stack_and_no_run_path
    out = dynamic(built_extension, 'readelf', '-lWd')
    assert_match(/GNU_STACK.* RW /, out)
    refute_match(/RUNPATH|RPATH/, out.lines.grep(%r{/work|/home|/tmp}).join)
  end

  # ---- installed ----

  def test_the_command_of_the_installed_gem
    done = run_as(2001, RbConfig.ruby, installed('bin/multitenant'), '--version',
                  env: { 'GEM_HOME' => installed, 'GEM_PATH' => installed })
    assert_equal ["multitenant #{MultiTenant::VERSION}\n", '', 0], done.to_a.first(3)
  end

  def test_what_is_installed_is_roots_alone
    odd = Find.find(installed).reject do |path|
      File.lstat(path).then do |s|
        s.symlink? || (s.uid.zero? && s.mode.nobits?(0o022))
      end
    end
    assert_empty odd
    assert_predicate File.stat(installed_lib('multitenant.so')), :world_readable?
  end

  def test_the_query_program_is_where_it_is_looked_for
    skip_unless(system('pkg-config --exists slurm') || File.exist?('/usr/include/slurm/slurmdb.h'),
                'libslurm is not here: the query program can not be built')
    out, status = Open3.capture2e(installed_lib('multitenant-query'), '--version')
    assert_predicate status, :success?
    assert_match(/\Amultitenant-query #{MultiTenant::VERSION} \(Slurm \d+\.\d+/, out)
    assert_match(/libslurm/, dynamic(installed_lib('multitenant-query'), 'readelf', '-d'))
  end

  def test_the_names_program_is_where_it_is_looked_for
    program = installed_lib('multitenant-names')
    assert_equal "multitenant-names #{MultiTenant::VERSION}\n", Open3.capture2e(program, '--version')[0]
    libraries = dynamic(program, 'readelf', '-d').scan(/NEEDED.*\[(.+?)\.so/).flatten
    assert_equal %w[libc libjansson], (libraries - %w[libpthread]).sort
  end

  # ---- where something is missing ----

  # An environment whose compiler does not find these headers.
  def without(*headers)
    dir = File.join(temporary, 'include')
    headers.each do |header|
      path = File.join(dir, header)
      FileUtils.mkdir_p(File.dirname(path))
      File.write(path, "#error \"#{header} is not here\"\n")
    end
    { 'CPATH' => dir }
  end

  # The Slurm side is not needed where another host keeps the records.
  def test_it_installs_without_libslurm_and_says_so
    need_root
    home, said = GemHomes.install(without('slurm/slurm.h', 'slurm/slurmdb.h'))
    ['multitenant-query, which asks Slurm, is therefore not built', 'apt install libslurm-dev',
     'dnf install slurm-devel', '--with-slurm-dir=DIR'].each do |words|
      assert_includes said, words
    end
    lib = File.join(home, "gems/ood_multitenant-#{MultiTenant::VERSION}/lib")
    refute_path_exists File.join(lib, 'multitenant/multitenant-query')
    done = multitenant_process('jobs', lib: lib)
    assert_equal 78, done.code
    assert_match(/\Amultitenant: .*libslurm-dev or slurm-devel, then run `gem pristine ood_multitenant`/, done.err)
    assert_equal "{}\n", multitenant_process('specs', '--records', '-', stdin: stream, lib: lib).out
  end

  # @return [Done] of an extconf.rb
  def configure(name, env)
    dir = File.join(temporary, 'build')
    Dir.mkdir(dir)
    run_as(nil, RbConfig.ruby, File.join(Tree::ROOT, 'ext', name, 'extconf.rb'), env: env, dir: dir)
  end

  { 'openssl/evp.h' => %w[libcrypto libssl-dev openssl-devel openssl], 'zlib.h' => %w[libz zlib1g-dev zlib-devel zlib],
    'jansson.h' => %w[libjansson libjansson-dev jansson-devel jansson] }.each do |header, (library, deb, rpm, name)|
    define_method(:"test_the_core_without_#{header.tr('/.', '__')}") do
      done = configure('multitenant', without(header))
      assert_equal 1, done.code
      assert_includes done.err, "#{library} is missing: install #{deb} (Debian, Ubuntu) or #{rpm} (EL), or say " \
                                "--with-#{name}-dir=DIR."
      assert_match(/mkmf\.log/, done.err)
      assert_equal 1, done.err.lines.grep(/is missing/).size
    end
  end

  def test_the_core_with_a_jansson_that_is_too_old
    env = without('jansson.h')
    File.write(File.join(env['CPATH'], 'jansson.h'),
               "#include_next <jansson.h>\n#undef JANSSON_VERSION_HEX\n#define JANSSON_VERSION_HEX 0x020a00\n")
    done = configure('multitenant', env)
    assert_equal 1, done.code
    assert_includes done.err, 'jansson is older than 2.11'
  end

  def test_the_query_program_without_jansson
    done = configure('multitenant_query', without('jansson.h'))
    assert_equal 0, done.code
    assert_includes done.err, 'jansson has no header jansson.h'
    assert system('make', '-s', chdir: File.join(temporary, 'build'))
    refute_path_exists File.join(temporary, 'build/multitenant-query')
  end

  def test_the_query_program_with_a_slurm_that_is_too_old
    dir = File.join(temporary, 'include/slurm')
    FileUtils.mkdir_p(dir)
    File.write(File.join(dir, 'slurm.h'), "#define SLURM_VERSION_NUMBER 0x150800\n")
    File.write(File.join(dir, 'slurmdb.h'), "\n")
    done = configure('multitenant_query', { 'CPATH' => File.dirname(dir) })
    assert_equal 0, done.code
    assert_includes done.err, 'libslurm is older than 22.05'
  end
end
