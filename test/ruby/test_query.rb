# frozen_string_literal: true

require_relative 'helper'
require 'fcntl'
require 'timeout'

# Running the query program: whatever it does, it costs no more than its deadline, leaves nothing
# behind, and is one sentence. The programs here are the test's, but for the last one.
class TestQuery < MultiTenantTest
  # The path is the same in every thread.
  def setup
    super
    @pid_file = File.join(temporary, 'pid')
  end

  # @return [Hash] of Native.run
  def run_program(body, seconds: 5, env: ["PATH=#{ENV.fetch('PATH')}"], argv: [])
    MultiTenant::Native.run([program(body), *argv], env, seconds)
  end

  # @return [MultiTenant::Answer]
  def ask(body, seconds: 5, env: {}, **options)
    path = body.is_a?(String) ? program(body) : File.join(temporary, 'none')
    MultiTenant::Query.new(MultiTenant::Settings.new(env), program: path, **options).call(seconds)
  end

  # Whether the process whose id the program wrote to `file` is gone.
  def assert_gone(file)
    pid = Integer(File.read(file))
    wait_until do
      File.read("/proc/#{pid}/stat")[/\) (.)/, 1] == 'Z' # init reaps what is not our child
    rescue SystemCallError
      true
    end
    pass
  end

  # Up to `most` seconds and half of one more for a busy machine.
  def assert_within(most)
    result = nil
    assert_promised(most + 0.5) do
      start = now
      result = yield
      now - start
    end
    result
  end

  # ---- how it ended ----

  def test_what_it_printed_and_its_exit_code
    result = run_program('echo out; echo err >&2; exit 3')
    assert_equal [:ok, 3, nil, nil, "out\n", "err\n"], result.values_at(:status, :exit, :signal, :error, :out, :err)
    assert_operator result[:seconds], :>, 0
  end

  def test_a_signal
    assert_equal [:ok, nil, 9], run_program('kill -9 $$').values_at(:status, :exit, :signal)
  end

  def test_bytes_come_as_they_are
    assert_equal "\x00\xFF\n".b, run_program("printf '\\000\\377\\n'")[:out]
  end

  def test_standard_error_is_cut_and_does_not_block
    result = run_program('head -c 1000000 /dev/zero | tr "\0" e >&2; echo out')
    assert_equal [:ok, 4096, "out\n"], [result[:status], result[:err].size, result[:out]]
  end

  def test_63_mib_come_whole
    assert_equal([:ok, 63 << 20], run_program('head -c 66060288 /dev/zero').then { |r| [r[:status], r[:out].size] })
  end

  def test_70_mib_are_too_much
    result = run_program("echo $$ >#{@pid_file}; head -c 73400320 /dev/zero; sleep 60", seconds: 30)
    assert_equal :too_large, result[:status]
    assert_operator result[:seconds], :<, 20
    assert_gone(@pid_file)
  end

  # ---- what it is given to read ----

  def test_the_input_comes_as_it_is
    read = ->(input) { MultiTenant::Native.run(['/bin/cat'], [], 5, input).values_at(:status, :exit, :out) }
    ["a\0b\xff\n".b, '', "\0" * (1 << 20)].each { |input| assert_equal [:ok, 0, input], read[input] }
    assert_equal [:ok, 0, ''], read[nil]
    assert_raises(ArgumentError) { MultiTenant::Native.run(['/bin/cat'], [], 5, '', '') }
  end

  # More than a pipe holds.
  def test_a_program_that_does_not_read_its_input
    before = descriptors
    ['echo out', 'exec <&-; echo out', 'head -c 1 >/dev/null; echo out'].each do |body|
      result = MultiTenant::Native.run([program(body)], ["PATH=#{ENV.fetch('PATH')}"], 5, 'x' * (1 << 20))
      assert_equal [:ok, 0, "out\n"], result.values_at(:status, :exit, :out)
    end
    assert_empty descriptors - before
  end

  # ---- what can not be started ----

  { 'missing' => nil, 'not executable' => 0o644, 'a directory' => :dir }.each do |what, mode|
    define_method(:"test_a_program_that_is_#{what.tr(' ', '_')}") do
      path = File.join(temporary, 'p')
      mode == :dir ? Dir.mkdir(path) : mode && File.write(path, "#!/bin/sh\n", perm: mode)
      result = MultiTenant::Native.run([path], [], 1)
      assert_equal [:spawn, nil, nil], result.values_at(:status, :exit, :signal)
      assert_match(/No such file|Permission denied/, result[:error])
    end
  end

  def test_a_program_of_another_format
    path = File.join(temporary, 'p')
    File.write(path, "\x7fELFrubbish", perm: 0o755)
    assert_equal :spawn, MultiTenant::Native.run([path], [], 1)[:status]
  end

  def test_arguments_that_are_none
    assert_raises(ArgumentError) { MultiTenant::Native.run([], [], 1) }
    [-1, 86_401, Float::NAN, Float::INFINITY].each do |seconds|
      assert_raises(ArgumentError) { MultiTenant::Native.run(['/bin/true'], [], seconds) }
    end
    assert_raises(ArgumentError) { MultiTenant::Native.run(["/bin/true\0x"], [], 1) }
    assert_raises(ArgumentError) { MultiTenant::Native.run(['/bin/true'], ["A=\0"], 1) }
    assert_raises(TypeError) { MultiTenant::Native.run('/bin/true', [], 1) }
  end

  # ---- the deadline ----

  def test_a_program_that_hangs
    result = assert_within(0.5) { run_program("echo $$ >#{@pid_file}; sleep 60", seconds: 0.5) }
    assert_equal :timeout, result[:status]
    assert_operator result[:seconds], :>=, 0.5
    assert_gone(@pid_file)
  end

  def test_a_program_that_ignores_every_signal_it_can
    body = "trap '' TERM INT HUP QUIT PIPE; echo $$ >#{@pid_file}; while :; do sleep 1; done"
    assert_equal :timeout, assert_within(0.4) { run_program(body, seconds: 0.4) }[:status]
    assert_gone(@pid_file)
  end

  def test_a_program_that_never_stops_to_print_a_little
    assert_equal :timeout, assert_within(0.4) {
      run_program('while :; do echo x; sleep 0.05; done', seconds: 0.4)
    }[:status]
  end

  def test_a_program_that_closes_its_output_and_stays
    result = assert_within(0.4) { run_program('exec >&- 2>&-; sleep 60', seconds: 0.4) }
    assert_equal :timeout, result[:status]
  end

  # Its end is not the end while another holds its output; and that one goes too.
  def test_a_program_that_leaves_a_child_behind
    body = "sh -c 'echo $$ >#{@pid_file}; exec sleep 60' & exit 0"
    assert_equal :timeout, assert_within(0.5) { run_program(body, seconds: 0.5) }[:status]
    assert_gone(@pid_file)
  end

  def test_no_time_at_all
    assert_equal :timeout, assert_within(0) { run_program('sleep 60', seconds: 0) }[:status]
  end

  # ---- nothing is left, nothing is changed ----

  def state
    traps = %w[CHLD INT TERM USR1].to_h do |name|
      [name, trap(name, 'DEFAULT').tap do |old|
        trap(name, old || 'DEFAULT')
      end]
    end
    [traps, File.umask, Dir.pwd, ENV.to_h, Process.getpgid(0), Process.getpriority(Process::PRIO_PROCESS, 0),
     children, Thread.list.size]
  end

  def test_the_process_is_as_before
    handler = proc {}
    old = %w[CHLD INT].to_h { |name| [name, trap(name, handler)] }
    before = state
    before_descriptors = descriptors
    run_program('echo out; exit 1')
    run_program('sleep 60', seconds: 0.1)
    run_program('head -c 73400320 /dev/zero')
    MultiTenant::Native.run(['/nonexistent'], [], 1)
    ask('exit 75')
    assert_equal before, state
    assert_empty descriptors - before_descriptors
    assert_same handler, before[0]['CHLD']
  ensure
    old&.each { |name, was| trap(name, was || 'DEFAULT') }
  end

  # The dashboard may have handlers; the end of our own child must not look like an interruption.
  def test_a_handler_of_sigchld_does_not_end_the_wait
    calls = 0
    old = trap('CHLD') { calls += 1 }
    results = Array.new(30) { run_program('exec >&- 2>&-; exit 5') }
    assert_equal [[:ok, 5]], results.map { |result| result.values_at(:status, :exit) }.uniq
    assert_operator calls, :>, 0
  ensure
    trap('CHLD', old || 'DEFAULT')
  end

  def test_a_signal_that_the_dashboard_handles_does_not_end_the_wait
    calls = 0
    old = trap('USR1') { calls += 1 }
    result = run_program("kill -USR1 #{Process.pid}; sleep 0.2; kill -USR1 #{Process.pid}; sleep 0.2; exit 5")
    assert_equal [:ok, 5, 2], [*result.values_at(:status, :exit), calls]
  ensure
    trap('USR1', old || 'DEFAULT')
  end

  def test_what_the_program_is_started_with
    old = trap('TERM', 'IGNORE')
    seen = run_program('env | sort | head -n 2; umask; readlink /proc/self/fd/0; echo "$@"; echo $$; ' \
                       'ps -o pgid= -p $$ | tr -d " "; grep -E "^Sig(Blk|Ign)" /proc/self/status',
                       env: ['ONLY=this'], argv: ['a b', '$(id)'])[:out].lines(chomp: true)
    assert_includes seen.first(2), 'ONLY=this'
    refute_includes seen.join, 'HOME='
    assert_equal [format('%04o', File.umask), File::NULL, 'a b $(id)'], seen[2, 3]
    assert_equal seen[5], seen[6] # a process group of its own
    signals = seen.last(2).map { |line| line.split.last.hex & 0x7fffffff } # libc keeps 32 and 33 for itself
    assert_equal [0, 0], signals
  ensure
    trap('TERM', old || 'DEFAULT')
  end

  # A library of the dashboard's may have opened them without close-on-exec.
  def test_the_program_gets_no_descriptor_of_ours
    libc = Gem::Version.new(Etc.confstr(Etc::CS_GNU_LIBC_VERSION).split.last)
    skip 'this C library can not close them (glibc before 2.34)' if libc < Gem::Version.new('2.34')
    open = IO.for_fd(File.open(File::NULL) { |file| file.fcntl(Fcntl::F_DUPFD, 77) })
    open.close_on_exec = false
    there = "if [ -e /proc/$$/fd/#{open.fileno} ]; then echo yes; else echo no; fi"
    assert_equal %W[yes\n no\n], [`#{there}`, run_program(there)[:out]]
  ensure
    open&.close
  end

  # ---- other threads ----

  def test_other_threads_run_meanwhile
    count = 0
    running = true
    counter = Thread.new { (count += 1) && sleep(0.001) while running }
    run_program('sleep 0.4')
    running = false
    counter.join
    assert_operator count, :>, 20
  end

  def test_killing_the_thread_kills_the_program
    others = children
    thread = Thread.new { run_program("echo $$ >#{@pid_file}; exec sleep 60", seconds: 60) }
    wait_until { File.size?(@pid_file) }
    assert_within(0.5) { thread.kill.join }
    assert_gone(@pid_file)
    assert_empty children - others
  end

  def test_a_timeout_ends_the_wait_and_kills_the_program
    assert_within(0.5) do
      assert_raises(Timeout::Error) do
        Timeout.timeout(0.5) { run_program("echo $$ >#{@pid_file}; exec sleep 60", seconds: 60) }
      end
    end
    assert_gone(@pid_file)
  end

  def test_an_exception_of_another_thread
    thread = Thread.new { run_program("echo $$ >#{@pid_file}; exec sleep 60", seconds: 60) }
    thread.report_on_exception = false
    wait_until { File.size?(@pid_file) }
    thread.raise(IOError, 'enough')
    assert_raises(IOError) { assert_within(0.5) { thread.join } }
    assert_gone(@pid_file)
  end

  def test_two_at_once
    results = Array.new(4) { |i| Thread.new { run_program("sleep 0.3; echo #{i}") } }.map(&:value)
    assert_equal(%w[0 1 2 3], results.map { |result| result[:out].chomp })
  end

  # ---- what is made of it ----

  def test_a_whole_answer
    path = File.join(temporary, 'records')
    File.write(path, stream(job(1)))
    answer = ask("cat #{path}")
    assert_equal [[stream(job(1))], 'slurm', nil, 0], [answer.texts, answer.from, answer.error, answer.code]
  end

  # Exit code of the program, what it says, and the sentence and code that come of it.
  [[64, 'a usage error', 'a usage error', 64], [69, 'slurmdbd refuses', 'slurmdbd refuses', 69],
   [75, 'out of time', 'out of time', 75], [78, 'no slurm.conf', 'no slurm.conf', 78], [1, 'odd', 'odd', 1],
   [69, '', 'The query program failed with status 69.', 69],
   [0, 'a warning', nil, 0]].each do |status, said, sentence, code|
    define_method(:"test_status_#{status}_saying_#{said.tr(' .', '__')}") do
      answer = ask("#{"echo 'multitenant-query: #{said}' >&2;" unless said.empty?} exit #{status}")
      assert_equal [[sentence], code], [[answer.error], answer.code]
    end
  end

  # 127 is what the dynamic linker gives where a library is gone since the gem was built.
  def test_a_library_that_is_gone
    answer = ask("echo 'libslurm.so.38: cannot open shared object file' >&2; exit 127")
    assert_equal 78, answer.code
    assert_match(/libslurm\.so\.38.*gem pristine ood_multitenant/, answer.error)
  end

  def test_the_program_was_not_built
    answer = ask(nil)
    assert_equal [[''], 78], [answer.texts, answer.code]
    assert_match(/could not be started \(.*none: No such file.*libslurm-dev.*slurm-devel.*gem pristine ood_multitenant/,
                 answer.error)
  end

  def test_killed_by_a_signal
    assert_equal(['The query program was ended by signal 11.', 69], ask('kill -11 $$').then { |a| [a.error, a.code] })
  end

  def test_late
    answer = assert_within(0.4) { ask('sleep 60', seconds: 0.4) }
    assert_equal ['The query program did not answer within 0.4 s and was killed.', 75], [answer.error, answer.code]
  end

  def test_too_much
    assert_equal(['The query program printed more than 64 MiB and was killed.', 65],
                 ask('head -c 73400320 /dev/zero').then { |answer| [answer.error, answer.code] })
  end

  # It ends in a log and on terminals.
  def test_what_is_said_is_one_printable_line
    answer = ask(%q(printf 'first\n\nmultitenant-query: \033[31mrot\377\303\244\007\t\n\n' >&2; exit 69))
    assert_equal '?[31mrot????', answer.error
    assert_equal Encoding::UTF_8, answer.error.encoding
    long = ask("head -c 3000 /dev/zero | tr '\\0' x >&2; exit 69").error
    assert_equal "The query program failed: #{'x' * 500}", long
  end

  # ---- how it is asked ----

  def asked(env: {}, **options)
    ask('echo "multitenant-query: $@" >&2; exit 1', env: env, **options).error
  end

  def test_the_arguments
    assert_equal '--wckey multitenant --timeout 4.8', asked
    assert_equal '--wckey a,b --timeout 4.8 --publishers staff --cluster c2',
                 asked(env: { 'MULTITENANT_WCKEY' => 'a,B', 'MULTITENANT_PUBLISHERS' => 'staff' }, cluster: 'c2')
  end

  # The program can say where it was; we can only kill it.
  def test_it_is_told_to_give_up_a_little_before_us
    assert_equal %w[--timeout 0.45], asked(seconds: 0.5).split.last(2)
    assert_equal %w[--timeout 9.8], asked(seconds: 10).split.last(2)
  end

  def with_env(changes)
    old = ENV.to_h
    ENV.update(changes)
    yield
  ensure
    ENV.replace(old)
  end

  def environment(changes, **options)
    with_env(changes) { ask('env', **options).texts[0].lines(chomp: true).to_h { |line| line.split('=', 2) } }
  end

  def test_the_environment_is_what_slurm_needs_and_no_more
    seen = environment({ 'SECRET_KEY_BASE' => 's', 'SLURM_CONF' => '/c', 'LD_PRELOAD' => '', 'SLURM_JWT' => 't',
                         'TZ' => 'UTC', 'LC_ALL' => 'de_DE' })
    assert_equal %w[LC_ALL PATH PWD SLURM_CONF SLURM_JWT TZ], (seen.keys - %w[_ SHLVL OLDPWD LD_LIBRARY_PATH]).sort
    assert_equal ['C', '/c'], seen.values_at('LC_ALL', 'SLURM_CONF')
  end

  def test_oods_slurm_conf_goes_before_the_environments
    assert_equal '/ood', environment({ 'SLURM_CONF' => '/env' }, slurm_conf: '/ood')['SLURM_CONF']
    assert_equal '/ood', environment({ 'SLURM_CONF' => nil }, slurm_conf: '/ood')['SLURM_CONF']
    assert_nil environment({ 'SLURM_CONF' => nil })['SLURM_CONF']
  end

  # ---- what it is told of nodes ----

  # @return [#call] what the program says, and its exit status -> what it is told on standard input; nil: nothing
  def told_to(query)
    lambda do |says, code = 0|
      FileUtils.rm_f("#{temporary}/known")
      File.write("#{temporary}/says", says)
      File.write("#{temporary}/code", code)
      assert_equal [says], query.call(5).texts
      File.read("#{temporary}/known") if File.exist?("#{temporary}/known")
    end
  end

  def query_that_is_told
    MultiTenant::Query.new(MultiTenant::Settings.new({}), program: program(<<~SH))
      case "$*" in *--known) cat >#{temporary}/known ;; esac
      cat #{temporary}/says
      exit "$(cat #{temporary}/code)"
    SH
  end

  def test_what_it_printed_last_tells_it_of_nodes_for_minutes
    told = told_to(query = query_that_is_told)
    one, two = [1, 2].map { |id| stream(job(id)) }
    assert_equal [nil, one], [told[one], told[two]]
    assert_equal [two, two], [told[one, 69], told[one, 69]] # what failed tells nothing
    query.instance_variable_set(:@asked, MultiTenant.clock - MultiTenant::Query::NODES_KEPT - 1)
    assert_nil told[one]
  end

  # A queue of thousands is not kept by each dashboard.
  def test_of_what_it_printed_only_nodes_are_kept
    told = told_to(query_that_is_told)
    told[stream(job(1), job(2, name: 'plain, "nodes":').except(:nodes))]
    assert_equal stream(job(1)), told[stream(job(1))]
  end

  def test_the_same_nodes_are_told_once
    told = told_to(query_that_is_told)
    there, elsewhere = %w[n1 n2].map { |name| [{ name: name, host: name, addr: nil }] }
    told[stream(job(1, nodes: there), job(2, nodes: there), job(3, nodes: elsewhere), job(4, nodes: there + elsewhere))]
    assert_equal stream(job(1, nodes: there), job(3, nodes: elsewhere), job(4, nodes: there + elsewhere)),
                 told[stream(job(1))]
  end

  # ---- the real one ----

  # Where the loader no longer gives libslurm these, everything works, only slower.
  def test_libslurm_reads_slurm_conf_by_the_functions_of_the_program
    skip_unless(File.executable?(MultiTenant::Query::PROGRAM), 'multitenant-query is not built: is libslurm there?')
    env = { 'LD_BIND_NOW' => '1', 'LD_DEBUG' => 'bindings' }
    told, = Open3.capture2e(env, MultiTenant::Query::PROGRAM, '--version')
    bound = told.scan(/file \S*libslurm\S* \[0\] to \S*multitenant-query \[0\]: normal symbol `(\w+)'/).flatten
    assert_empty %w[regcomp regexec regfree] - bound
  end

  def test_the_real_program_without_slurm_conf
    skip_unless(File.executable?(MultiTenant::Query::PROGRAM), 'multitenant-query is not built: is libslurm there?')
    answer = with_env('SLURM_CONF' => nil) do
      MultiTenant::Query.new(MultiTenant::Settings.new({}), slurm_conf: '/nonexistent/slurm.conf').call(3)
    end
    assert_equal 78, answer.code
    assert_match(%r{SLURM_CONF names /nonexistent/slurm\.conf}, answer.error)
  end
end
