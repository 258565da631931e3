# frozen_string_literal: true

require_relative 'binding_input'

# Memory: the binding under a collector that runs at every chance and moves what it may, and what a
# dashboard that refreshes for days keeps.
class TestGc < MultiTenantTest
  include BindingWork

  # @return what the script prints, by Marshal
  def ruby(script)
    script = "out = begin\n#{script}\nend\n$stdout.binmode.write(Marshal.dump(out))"
    argv = [RbConfig.ruby, '--disable=gems', '-I', File.join(Tree::ROOT, 'lib'), '-r', BindingWork::PATH, '-e', script]
    env = { 'MALLOC_PERTURB_' => '165' } # libc writes over what is freed
    out, err, status = Open3.capture3(env, *argv, stdin_data: work_input, binmode: true)
    assert_predicate status, :success?, err[0, 2000]
    Marshal.load(out) # rubocop:disable Security/MarshalLoad -- our own child's
  end

  def plain
    ruby('work')
  end

  def test_the_work_is_what_it_should_be
    *looks, dismissed, restored, _would, gone, native, errors, run = plain
    # A round, what the records are, shares, specs, services, ids of cards, and what was delivered.
    assert_equal([9, 11, 4, 4], looks.map { |look| look[3].size }) # of two clusters from the second on
    assert_equal %i[kept left removed written], looks.flat_map { |look| look[6] + look[7] }.map(&:first).uniq.sort
    assert_equal [%w[14 13], 18_080], [looks[0][4].fetch('prof/spanish-301@students')['members'],
                                       looks[0][3]['15']['gate']['port'].to_i]
    assert_equal %w[ok ok], looks[0][10].map { |address| address.to_a.last }.grep('ok')
    assert_equal [true, true], [dismissed, restored]
    assert_includes gone.map(&:first), :removed
    assert_equal [%w[ok bad_cipher], { 'title' => 'Spanish 301' }],
                 [native.first(2).map(&:first), native[0][3].slice('title')]
    assert_equal([[:ok, 3], [:ok, nil], [:spawn, nil]], run.first(3).map { |one| one.values_at(:status, :exit) })
    refute_includes errors, 'nothing'
  end

  def test_the_work_calls_each_function_of_the_binding
    all, called = ruby('functions { work }')
    assert_operator all.size, :>, 30
    assert_empty all - called
  end

  def test_the_same_under_gc_stress
    assert_equal plain, ruby(<<~RUBY)
      core = MultiTenant::Core.new(CORE)
      GC.auto_compact = true if GC.respond_to?(:auto_compact=)
      GC.stress = true
      work(core).tap { GC.stress = false }
    RUBY
  end

  def test_the_same_while_objects_move
    skip_unless(GC.respond_to?(:compact), 'this Ruby does not compact')
    assert_equal plain, ruby(<<~RUBY)
      GC.auto_compact = true if GC.respond_to?(:auto_compact=)
      core = MultiTenant::Core.new(CORE)
      mover = Thread.new { loop { GC.compact; sleep 0.001 } }
      5.times { work(core) }
      mover.kill
      GC.compact
      GC.verify_compaction_references(expand_heap: true, toward: :empty) rescue NotImplementedError
      work
    RUBY
  end

  # @return [Array] KiB and descriptors that it keeps when it is done as often once more
  def growth(times, body)
    ruby(<<~RUBY)
      def rss = Integer(File.read('/proc/self/status')[/VmRSS:\\s+(\\d+)/, 1])
      def fds = Dir.children('/proc/self/fd').size
      core = MultiTenant::Core.new(CORE)
      #{times}.times { #{body} }
      GC.start
      before = [rss, fds]
      #{times}.times { #{body} }
      GC.start
      [rss - before[0], fds - before[1]]
    RUBY
  end

  # What one look reads of munged alone is some 100 KiB: a leak of one in ten shows.
  { 'refreshes' => [100, 'looks(core)'], 'processes' => [50, 'run'], 'errors' => [200, 'errors(core)'],
    'openings' => [200, 'MultiTenant::Native.open(13, "prof", NAME)'] }.each do |what, how|
    define_method(:"test_many_#{what}_keep_nothing") do
      kib, fds = growth(*how)
      assert_operator kib, :<, 1024
      assert_equal 0, fds
    end
  end

  def test_a_core_that_is_not_needed_any_more_is_freed
    made = "c.read(STREAMS.map { |s| MultiTenant::Records.new(s) }); c.decide([], '', 0)"
    kib, = growth(200, "5.times { c = MultiTenant::Core.new(CORE); #{made} }; GC.start")
    assert_operator kib, :<, 2048
  end
end
