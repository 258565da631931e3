# frozen_string_literal: true

require_relative 'helper'
require_relative 'starting'
require 'multitenant/agent'

# A dashboard that starts while what tells it of jobs is missing, fails, hangs or lies: it starts in time, its cards are
# as they were, and neither a process nor a descriptor is left.
class TestFaults < MultiTenantTest
  include Starting

  # What the query program does, and what is said of it.
  NO_ANSWER = {
    'missing' => [nil, 'could not be started .*libslurm-dev'],
    'hanging' => ['sleep 60', 'did not answer within 1.0 s'],
    'hanging deaf' => ["trap '' TERM; while :; do sleep 1; done", 'did not answer within 1.0 s'],
    'stopped' => ['kill -STOP $$', 'did not answer within 1.0 s'],
    'leaving a child' => ['sleep 60 & exit 0', 'did not answer within 1.0 s'],
    'leaving a child in a session of its own' => ['setsid sleep 5 & exit 0', 'did not answer within 1.0 s'],
    'printing rubbish' => ['echo rubbish', 'Line 1 of the records'],
    'printing nothing' => ['exit 0', 'no record stream'],
    'printing half' => [%q(echo '{"multitenant":1,"generated":1,"cluster":"hpc","wckeys":["k"],"sees":"all"}'),
                        'hpc have no last line'],
    'failing' => ["echo 'multitenant-query: slurmdbd refuses' >&2; exit 69", 'slurmdbd refuses'],
    'crashing' => ['kill -SEGV $$', 'ended by signal 11'],
    'flooding' => ['exec cat /dev/zero', '(64 MiB|within 1.0 s)'],
    'complaining without end' => ['exec cat /dev/zero >&2', 'did not answer within 1.0 s'],
    'without its library' => ['echo "libslurm.so.38: cannot open" >&2; exit 127', 'libslurm.so.38.*gem pristine']
  }.freeze

  NO_ANSWER.each do |what, (body, sentence)|
    define_method(:"test_a_query_program_that_is_#{what.tr(' ', '_')}") do
      gem_with(body)
      assert_endured(sentence)
    end
  end

  # The dashboard starts in time with its cards, and says one thing.
  def assert_endured(sentence, env = {})
    seconds = 1
    @viewer.look(stream(job(7)))
    cards = snapshot(@viewer.home)
    start = nil
    assert_promised(seconds + 0.5) { (start = start({ 'MULTITENANT_TIMEOUT' => seconds.to_s, **env })).seconds }
    assert_off start, sentence, level: 'warn'
    assert_match(/[.?] Specs and cards stay as they were\.\z/, start.log[0][1])
    refute_nil start.report['error']
    assert_equal cards, snapshot(@viewer.home)
    wait_until { running_programs.empty? }
  end

  def running_programs
    Dir.glob('/proc/[0-9]*/cmdline').select do |path|
      File.read(path).include?(@home)
    rescue SystemCallError
      false # it has ended
    end
  end

  def real_program
    program = File.join(GemHomes.add(@home), 'multitenant/multitenant-query')
    skip_unless(File.executable?(program), 'multitenant-query is not built: is libslurm there?')
  end

  def test_the_real_program_without_slurm_conf
    real_program
    assert_endured('SLURM_CONF names /nonexistent/slurm.conf', 'SLURM_CONF' => '/nonexistent/slurm.conf')
  end

  def test_the_real_program_with_a_slurm_conf_that_is_broken
    real_program
    path = File.join(temporary, 'slurm.conf')
    File.write(path, "ClusterName=hpc\nSlurmctldHost=localhost\nNoSuchKey=1\n", perm: 0o644)
    assert_endured("libslurm cannot use its configuration #{path} .*NoSuchKey", 'SLURM_CONF' => path)
  end

  # ---- the snapshot is no answer ----

  # It tells of another job: where it counts, the card goes.
  def keep(generated: Time.now.to_i)
    directory = File.join(temporary, 'snapshot')
    Dir.mkdir(directory, 0o755)
    feed = Feed.new(stream(job(1), generated: generated))
    settings = MultiTenant::Settings.new({})
    assert MultiTenant::Agent.new(settings, source: feed, directory: directory, log: ->(_) {}).round
    directory
  end

  def test_a_snapshot_that_is_whole_needs_no_slurm
    gem_with('sleep 60')
    @viewer.look(stream(job(7)))
    start = start({ 'MULTITENANT_SNAPSHOT' => keep })
    assert_includes start.report['cards'], ['removed', uuid(7), nil]
    assert_empty start.log
    assert start.same
  end

  HANGS = ['sleep 60', 'did not answer within [01]\.\d s'].freeze # less, where much was read
  REFUSES = ["echo 'multitenant-query: slurmdbd refuses' >&2; exit 69", 'slurmdbd refuses'].freeze
  TORN = ['sleep 60', '3000.records'].freeze # nobody else is asked

  # What is done to it, and what the query program does and is told of.
  NO_SNAPSHOT = {
    'not there' => [->(dir) { FileUtils.remove_entry(dir) }, HANGS],
    'without a state' => [->(dir) { File.unlink("#{dir}/state") }, REFUSES],
    'another users' => [->(dir) { File.chown(2002, nil, dir) }, REFUSES],
    'one that all may change' => [->(dir) { File.chmod(0o777, dir) }, REFUSES],
    'in part another users' => [->(dir) { File.chown(2002, nil, "#{dir}/state") }, REFUSES],
    'cut' => [->(dir) { File.truncate("#{dir}/state", File.size("#{dir}/state") - 3) }, REFUSES],
    'empty' => [->(dir) { File.truncate("#{dir}/state", 0) }, REFUSES],
    'a FIFO' => [->(dir) { File.rename("#{dir}/state", "#{dir}/x") && File.mkfifo("#{dir}/state", 0o644) }, HANGS],
    'larger than any' => [->(dir) { File.truncate("#{dir}/state", 1 << 40) }, HANGS],
    'cut in a group' => [->(dir) { File.truncate("#{dir}/3000.records", 40) }, TORN],
    'without a group' => [->(dir) { File.unlink("#{dir}/3000.records") }, REFUSES]
  }.freeze

  NO_SNAPSHOT.each do |what, (spoil, (body, sentence))|
    define_method(:"test_a_snapshot_that_is_#{what.tr(' ', '_')}") do
      gem_with(body)
      spoil.call(directory = keep)
      assert_endured(sentence, 'MULTITENANT_SNAPSHOT' => directory)
    end
  end

  def test_a_snapshot_of_another_time
    gem_with(HANGS[0])
    directory = keep(generated: Time.now.to_i - 600)
    assert_endured(HANGS[1], 'MULTITENANT_SNAPSHOT' => directory)
    FileUtils.remove_entry(directory)
    keep(generated: Time.now.to_i + 600)
    assert_endured(HANGS[1], 'MULTITENANT_SNAPSHOT' => directory)
  end
end
