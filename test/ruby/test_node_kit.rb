# frozen_string_literal: true

require_relative 'helper'
require 'multitenant/node_kit'

# The directory of programs for compute nodes.
class TestNodeKit < MultiTenantTest
  def kit(dir = File.join(temporary, 'kit'), **options)
    MultiTenant::NodeKit.new(dir, **options)
  end

  def made
    @made ||= kit.tap(&:write).dir
  end

  def test_it_has_what_runs_on_a_node_and_nothing_else
    # Tests have loaded what a process of its own has not.
    done = multitenant_process('node-kit', File.join(temporary, 'kit'))
    assert_equal ['', 0], [done.err, done.code]
    assert_match(/\Awritten #{temporary}.kit: the programs that compute nodes need, for \w+/, done.out)
    files = Dir.glob('**/*', File::FNM_DOTMATCH, base: made).select { |path| File.file?(File.join(made, path)) }
    libexec = Dir.children(File.join(Tree::ROOT, 'libexec')).map { |name| name.delete_prefix('multitenant-') }
    scripts = %w[chain data gateway job keeper login nginx port share submission] & libexec
    version = MultiTenant::VERSION
    assert_equal [*%w[gate munge seal].union(scripts).map { |name| "bin/multitenant-#{name}" }, '.multitenant-node-kit',
                  'README.md', "modulefiles/multitenant-node-kit/#{version}",
                  "modulefiles/multitenant-node-kit/#{version}.lua"].sort, files.sort
    Dir.glob(File.join(made, 'bin/*')).each { |path| assert_equal 0o755, File.stat(path).mode & 0o7777, path }
    %w[gate munge seal].each do |name|
      done = run_as(nil, File.join(made, "bin/multitenant-#{name}"), '--version')
      assert_equal 0, done.code, name
    end
  end

  # As doc/reference.md has it. Jobs that follow may source what a later version has put there.
  def test_a_script_of_ones_own_has_what_it_sources_there
    sources = File.read(File.join(Tree::ROOT, 'doc/reference.md'))[/^source multitenant-job; .*/]
    done = run_as(nil, 'bash', '-euc', "#{sources}\ndeclare -F choose_port share_service keep_running",
                  env: { 'PATH' => "#{made}/bin:#{ENV.fetch('PATH')}" })
    assert_equal ["choose_port\nshare_service\nkeep_running\n", ''], [done.out, done.err]
  end

  # Wherever it is copied to.
  def test_modules_set_the_variable_and_path
    moved = File.join(temporary, 'elsewhere')
    FileUtils.cp_r(made, moved)
    file = File.join(moved, "modulefiles/multitenant-node-kit/#{MultiTenant::VERSION}")
    expected = "MULTITENANT_NODE_KIT=#{moved}\nPATH+=#{moved}/bin\n"
    if MultiTenant::Program.find('lua')
      assert_equal expected, run_as(nil, 'lua', '-', stdin: <<~LUA).out
        function help() end whatis = help
        function myFileName() return "#{file}.lua" end
        function setenv(name, value) print(name .. "=" .. value) end
        function prepend_path(name, value) print(name .. "+=" .. value) end
        dofile("#{file}.lua")
      LUA
    end
    skip 'there is no tclsh here' unless MultiTenant::Program.find('tclsh')
    assert_equal expected, run_as(nil, 'tclsh', stdin: <<~TCL).out
      proc module-whatis {text} {}
      proc setenv {name value} { puts "$name=$value" }
      proc prepend-path {name value} { puts "$name+=$value" }
      set ModulesCurrentModulefile #{file}
      source #{file}
    TCL
  end

  def test_it_is_not_made_where_others_could_change_it
    need_root
    Dir.mkdir(theirs = File.join(temporary, 'theirs'))
    Dir.mkdir(open = File.join(temporary, 'open'))
    File.chown(2001, 2001, theirs)
    File.chmod(0o777, open)
    File.symlink(theirs, link = File.join(temporary, 'link'))
    sentence = /can be changed by others, .* name one that only you can change\.\n\z/
    [theirs, link, File.join(theirs, 'kit'), File.join(open, 'kit')].each do |dir|
      done = multitenant('node-kit', dir)
      assert_match(sentence, done.err)
      assert_equal 73, done.code
    end
    assert_empty([theirs, open].flat_map { |dir| Dir.children(dir) })
  end

  def test_a_kit_is_renewed_and_nothing_else_is_touched
    seal = File.join(made, 'bin/multitenant-seal')
    File.open(seal) do |open|
      kit.write
      refute_equal open.stat.ino, File.stat(seal).ino
    end
    other = File.join(temporary, 'other')
    FileUtils.mkdir_p(other)
    File.write(File.join(other, 'mine'), '')
    done = multitenant('node-kit', other)
    assert_equal [73, "multitenant: #{other} holds something else than a kit: name a new directory.\n"],
                 [done.code, done.err]
    assert_equal ['mine'], Dir.children(other)
    [[], %w[a b]].each { |words| assert_equal 64, multitenant('node-kit', *words).code }
  end

  def test_where_it_runs_must_be_known
    before = Encoding.default_external
    file = File.join(temporary, 'os-release')
    failed = assert_raises(MultiTenant::Failure) { kit(os: file).write }
    assert_match(/os-release does not say which system this is/, failed.message)
    File.binwrite(file, "PRETTY_NAME=\"\xC3\xA9\xE9\"\nID=\"rocky\"\nVERSION_ID=\"9.4\"\n")
    [Encoding::US_ASCII, before].each do |encoding|
      silently { Encoding.default_external = encoding }
      assert_equal "rocky 9.4 #{Etc.uname[:machine]}", kit(os: file).system
    end
    broken = File.join(temporary, 'multitenant-gate')
    File.write(broken, "\x7fELF of another machine", perm: 0o755)
    with_programs(broken, File.join(temporary, 'none')) do |failure|
      assert_match(/is not there, or does not run here, as if built for another system\. .* run `gem pristine .* as `/,
                   failure.message)
    end
    refute_path_exists File.join(temporary, 'kit')
  ensure
    silently { Encoding.default_external = before }
  end

  def with_programs(*paths)
    paths.each do |path|
      known = MultiTenant::NodeKit::PROGRAMS
      MultiTenant::NodeKit.send(:remove_const, :PROGRAMS)
      MultiTenant::NodeKit.const_set(:PROGRAMS, [path])
      yield assert_raises(MultiTenant::Failure) { kit.write }
    ensure
      MultiTenant::NodeKit.send(:remove_const, :PROGRAMS)
      MultiTenant::NodeKit.const_set(:PROGRAMS, known)
    end
  end
end
