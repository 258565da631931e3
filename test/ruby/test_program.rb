# frozen_string_literal: true

require_relative 'helper'

# What MultiTenant::Program makes of a program: its result, one sentence, one code. How it is run, bounded and
# killed is in test_query.
class TestProgram < MultiTenantTest
  def call(body, *args, seconds: 5, fix: nil, **options)
    MultiTenant::Program.new(program(body), name: 'The test', fix: fix).call(*args, seconds: seconds, **options)
  end

  def test_a_result
    result = call('printf "%s\\377" "$*"; cat; echo "error: odd" >&2', 'a b', 'c', input: 'in')
    assert_equal ["a b c\xffin".b, 'error: odd', nil, 0, 0], result.to_a.first(5)
    assert_predicate result, :success?
    assert_operator result.seconds, :>, 0
  end

  # What it does, and the code, status and sentence that come of it.
  { 'exit 3' => [3, 3, /\AThe test failed with status 3\.\z/], 'kill -9 $$' => [69, nil, /ended by signal 9\.\z/],
    'echo out; echo why >&2; exit 75' => [75, 75, /\AThe test failed: why\z/],
    'echo multitenant-x: why. >&2; exit 65' => [65, 65, /\Awhy\.\z/], 'sleep 60' => [75, nil, /within 0\.5 s/],
    'echo no such library >&2; exit 127' => [78, 127, /\AThe test could not be started \(no such library\): do it\.\z/],
    'exec cat /dev/zero' => [65, nil, /more than 64 MiB/] }.each do |body, (code, status, error)|
    define_method(:"test_#{body.gsub(/\W+/, '_')}") do
      result = call(body, seconds: body.include?('sleep') ? 0.5 : 20, fix: 'do it')
      assert_equal [code, status, false], [result.code, result.exit, result.success?]
      assert_match error, result.error
    end
  end

  # The sentence of a program of ours is the last one, whatever a library says; of others the first cause counts.
  { "multitenant-x: one\nmultitenant-x: two\nerror: three" => 'multitenant-x: two',
    "\n one \nx: error: two\nx: fatal: three\nfatal: four" => 'x: fatal: three',
    "one\nx: error: two\nerror: three\nfour" => 'x: error: two', "one\n\e[31m\xc3\xa9\n \n" => '?[31m??' }
    .each.with_index do |(text, line), i|
    define_method(:"test_the_line_that_tells_most_#{i}") do
      assert_equal line, call('cat >&2', input: text).said
    end
  end

  def test_the_environment
    from = { 'PATH' => ENV.fetch('PATH'), 'SECRET' => 's', 'HOME' => '/h', 'SLURM_CONF' => '/a', 'LC_ALL' => 'de' }
    slurm = { 'SLURM_CONF_SERVER' => 'ctl:6817', 'SLURM_SACK_SOCKET' => '/sack' } # no slurm.conf here
    from.update(slurm)
    seen = lambda do |**options|
      call('env', from: from, **options).out.lines(chomp: true).to_h { |line| line.split('=', 2) }
                                        .except('PWD', 'SHLVL', '_', 'OLDPWD')
    end
    assert_equal({ 'PATH' => from['PATH'], 'SLURM_CONF' => '/a', 'LC_ALL' => 'C', **slurm }, seen.call)
    assert_equal ['/h', '/b'], seen.call(pass: %w[HOME], set: { 'SLURM_CONF' => '/b' }).values_at('HOME', 'SLURM_CONF')
    assert_equal '/a', seen.call(set: { 'SLURM_CONF' => nil })['SLURM_CONF']
  end

  def test_a_command_is_looked_for_in_the_path_that_it_gets
    path = program('echo here')
    FileUtils.mkdir_p(File.join(temporary, 'a', File.basename(path))) # a directory is none
    command = MultiTenant::Program.new(File.basename(path), fix: 'look')
    from = { 'PATH' => ":#{temporary}/a:#{temporary}" }
    assert_equal "here\n", command.call(seconds: 5, from: from).out
    result = command.call(seconds: 5, from: {})
    assert_equal ['', '', 78, nil], [result.out, result.said, result.code, result.exit]
    assert_match(/\A(program-\d+) could not be started \(\1 is not in PATH\): look\.\z/, result.error)
  end

  def test_a_path_that_leads_nowhere
    result = MultiTenant::Program.new('/nonexistent/x').call(seconds: 5)
    assert_equal ['x could not be started (/nonexistent/x: No such file or directory).', 78],
                 [result.error, result.code]
  end

  def test_a_program_of_ours_gives_up_before_it_is_killed
    timeouts = [0, 0.5, 1, 10, 86_400].map { |seconds| MultiTenant::Program.timeout(seconds) }
    assert_equal %w[0.1 0.45 0.9 9.8 3600.0].map { |text| ['--timeout', text] }, timeouts
  end

  HELD = <<~RUBY
    require 'multitenant'
    held = ENV.fetch('HELD')
    thread = Thread.new { MultiTenant::Program.new('/bin/echo').call('here', seconds: 60) }
    sleep 0.01 until Dir.exist?(held) || !thread.alive?
    Dir.rmdir(held)
    print thread.value.error, thread.value.out
  RUBY

  # As one does that is on a file system which does not answer.
  def test_one_that_hangs_as_it_starts_holds_up_no_other_thread
    library = File.join(temporary, 'held_start.so')
    assert system('gcc', '-shared', '-fPIC', '-D_GNU_SOURCE', '-o', library, File.join(__dir__, 'held_start.c'), '-ldl')
    env = { 'LD_PRELOAD' => library, 'HELD' => File.join(temporary, 'held') }
    said, = Open3.capture2e(env, RbConfig.ruby, "-I#{File.expand_path('../../lib', __dir__)}", '-e', HELD)
    assert_equal "here\n", said
  end

  # But for what the installer does without the core (it asks the dashboard's Ruby, tries munge as a member of a group,
  # and makes the agent's account and starts it), and what renders a lesson.
  def test_nothing_else_starts_a_program
    files = Dir.glob(File.join(Tree::ROOT, '{lib,exe}/**/*')).select { |file| File.file?(file) && !binary?(file) }
    starting = files.select { |file| File.read(file).match?(/Native\.run|Open3|popen|spawn|\bfork\b|\bsystem\(|%x/) }
    assert_equal %w[agent_setup.rb child.rb dashboard_ruby.rb envelope_choice.rb program.rb],
                 starting.map { |file| File.basename(file) }.sort
  end

  def test_exit_codes_stand_in_one_place
    files = Dir.glob(File.join(Tree::ROOT, 'lib/**/*.rb')).grep_v(/errors\.rb\z/)
    code = /(?:Failure\.new\(|fail!\(|complain\(.*, |code:? (?:==|=>|=)? ?|EX_[A-Z]+ = )\d/
    assert_empty(files.flat_map do |file|
      File.readlines(file).grep_v(/^ *#/).grep(code).map do |line|
        "#{file}: #{line}"
      end
    end)
  end

  private

  def binary?(file)
    File.binread(file, 4) == "\x7fELF".b
  end
end
