# frozen_string_literal: true

require_relative 'helper'

# Memory: the binding under a collector that runs at every chance and moves what it may, and what a
# dashboard that refreshes for days keeps.
class TestGc < MultiTenantTest
  # What a refresh does, 2001's card files too; every kind of result and of error.
  WORK = <<~'RUBY'
    require 'multitenant'
    STREAMS, NAME, ROOT = Marshal.load(STDIN.binmode.read)
    CORE = { uid: 2001, gids: [2001, 3000], deliveries: ['sys/multitenant-delivery_*'], envelopes: %w[v1 munge],
             publisher_in_group: true, one_directory: true, publishers: 'staff', node_domains: [], dataroot: ROOT, per_cluster_dataroot: false }

    OPENED = %({"payload":"MUNGE:AAAA:","reason":"bad_cipher"}\n{"end":1}\n)

    RECORDS = MultiTenant::Records.new(STREAMS[0])

    def looks(core)
      STREAMS.map do |text|
        records = [text, "rubbish\n"].map { |one| MultiTenant::Records.new(one) }
        told = core.read(records)
        told << core.decide(told[0].map { |stream| [stream.cluster.dup, "o#{stream.cluster}"] }, OPENED, 0)
        told << core.refused << core.delivery?('sys/multitenant-delivery_default') << core.delivery?('sys/x')
        later = records.map { |one| one.at(one.streams.map(&:generated)) }
        [told, later.flat_map { |one| one.of('hpc') + one.lines('hpc') }, core.shares, core.specs, core.deliver(false),
         core.deliver(true), core.choose(0), core.services, core.card_ids]
      end
    end

    def work(core = MultiTenant::Core.new(CORE))
      out = looks(core)
      out << core.dismiss('00000004-0000-4000-8000-0123456789ab') << core.restore('00000004-0000-4000-8000-0123456789ab')
      out << core.deliver_nothing(false) << MultiTenant::Native.open(1, 'prof', NAME) << MultiTenant::Native.open(1, 'x', NAME)
      out << MultiTenant::Native.reasons.size << errors(core) << run
    end

    def run
      MultiTenant::Native.run(['/bin/sh', '-c', 'echo out; echo err >&2; exit 3'], ['A=b'], 20).except(:seconds)
    end

    def errors(core)
      [-> { core.read([nil]) }, -> { core.decide([], '', 0) },
       -> { core.read([RECORDS]) && core.decide([['a', 5]], '', 0) }, -> { MultiTenant::Core.new({}) },
       -> { MultiTenant::Core.new(CORE.merge(gids: ['x'])) }, -> { MultiTenant::Native.open(1, 'u' * 300, '') },
       -> { MultiTenant::Native.run([], [], 1) }, -> { MultiTenant::Core.new(CORE.merge(dataroot: nil)).deliver(false) },
       -> { MultiTenant::Core.new(CORE.merge(envelopes: [5])) }].map do |wrong|
        wrong.call
        'nothing'
      rescue StandardError => e
        e.class.name
      end
    end
  RUBY

  def streams
    jobs = (1..4).map { |id| job(id, publisher_allowed: true, connection: { host: "n#{id}", text: 'é' * 50 }) }
    odd = [job(7, publisher_allowed: true, message: { mti: uuid(1) }, uid: 1002), job(8, name: 'bash'),
           job(9, name: "\u00ff|g|AAAA", binary: true), job(10, message: { mtm: 'form' }, publisher_allowed: true),
           job(11, name: 'l|g|MUNGE:AAAA:', publisher_allowed: true)]
    [stream(*jobs, *odd, publishers: 'staff'), stream(*jobs.first(2), cluster: 'b', publishers: 'staff'),
     stream(*jobs.last(2), publishers: 'staff'), stream(jobs[0], whole: false)]
  end

  # @return what the script prints, by Marshal
  def ruby(script)
    input = Marshal.dump([streams, job(1)[:name], File.join(temporary, 'root')])
    out, err, status = Open3.capture3(RbConfig.ruby, '-I', File.join(Tree::ROOT, 'lib'), '-e', "#{WORK}\n#{script}",
                                      stdin_data: input, binmode: true)
    assert_predicate status, :success?, err[0, 2000]
    Marshal.load(out) # rubocop:disable Security/MarshalLoad -- our own child's
  end

  def plain
    ruby('STDOUT.binmode.write(Marshal.dump(work))')
  end

  def test_the_work_is_what_it_should_be
    *looks, dismissed, restored, gone, opened, unopened, reasons, errors, run = plain
    assert_equal([6, 8, 4, 4], looks.map { |look| look[3].size }) # of two clusters from the second on
    assert_equal %i[kept removed written], looks.flat_map { |look| look[4].map(&:first) }.uniq.sort
    assert_equal [true, true], [dismissed, restored]
    assert_includes gone.map(&:first), :removed
    assert_equal ['ok', ['bad_cipher']], [opened[0], unopened]
    assert_equal [MultiTenant::Native.reasons.size, :ok, 3], [reasons, run[:status], run[:exit]]
    refute_includes errors, 'nothing'
  end

  def test_the_same_under_gc_stress
    stressed = ruby(<<~RUBY)
      core = MultiTenant::Core.new(CORE)
      GC.stress = true
      out = work(core)
      GC.stress = false
      STDOUT.binmode.write(Marshal.dump(out))
    RUBY
    assert_equal plain, stressed
  end

  def test_the_same_while_objects_move
    skip_unless(GC.respond_to?(:compact), 'this Ruby does not compact')
    moved = ruby(<<~RUBY)
      GC.auto_compact = true if GC.respond_to?(:auto_compact=)
      core = MultiTenant::Core.new(CORE)
      mover = Thread.new { loop { GC.compact; sleep 0.001 } }
      out = Array.new(5) { work(core) }.last
      mover.kill
      GC.compact
      GC.verify_compaction_references(expand_heap: true, toward: :empty) rescue NotImplementedError
      out = work
      STDOUT.binmode.write(Marshal.dump(out))
    RUBY
    assert_equal plain, moved
  end

  # @return [Array] KiB and descriptors that 200 more refreshes keep
  def growth(body)
    ruby(<<~RUBY)
      def rss = Integer(File.read('/proc/self/status')[/VmRSS:\\s+(\\d+)/, 1])
      def fds = Dir.children('/proc/self/fd').size
      core = MultiTenant::Core.new(CORE)
      200.times { #{body} }
      GC.start
      before = [rss, fds]
      200.times { #{body} }
      GC.start
      STDOUT.binmode.write(Marshal.dump([rss - before[0], fds - before[1]]))
    RUBY
  end

  # One look of what is shared here is some 30 KiB: a leak of one in ten shows.
  { 'refreshes' => 'looks(core)', 'processes' => 'run', 'errors' => 'errors(core)',
    'openings' => 'MultiTenant::Native.open(1, "prof", NAME)' }.each do |what, body|
    define_method(:"test_200_#{what}_keep_nothing") do
      kib, fds = growth(body)
      assert_operator kib, :<, 1024
      assert_equal 0, fds
    end
  end

  def test_a_core_that_is_not_needed_any_more_is_freed
    made = "c.read(STREAMS.map { |s| MultiTenant::Records.new(s) }); c.decide([], '', 0)"
    kib, = growth("5.times { c = MultiTenant::Core.new(CORE); #{made} }; GC.start")
    assert_operator kib, :<, 2048
  end
end
