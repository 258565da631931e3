# frozen_string_literal: true

require_relative 'helper'

# Record streams: what is complete, what is not, and which line does not belong.
class TestRecords < MultiTenantTest
  def records_of(text)
    MultiTenant::Records.new(text)
  end

  # @return [Array] whether each stream is complete, and the first bad line of each text
  def read(*texts)
    streams, bad_lines = core.read(texts.map { |text| records_of(text) })
    [streams.map(&:complete), bad_lines]
  end

  def header(**changes)
    stream(whole: false, **changes)
  end

  def record(job_id = 1, **changes)
    "#{JSON.generate(job(job_id, name: 'n', **changes))}\n"
  end

  # ---- what is told of a stream ----

  def test_what_is_told
    records = records_of(stream(job(1), job(2), cluster: 'a', sees: 'own', generated: 5))
    streams, bad_lines, payloads = core.read([records])
    told = { cluster: 'a', complete: true, sees: 'own', private_jobs: nil, generated: 5, wckeys: ['multitenant'],
             publishers: nil, round: nil, groups: [], undetermined: nil, count: 2 }
    assert_equal [told], streams.map(&:to_h)
    assert_equal [streams, [nil], []], [records.streams, bad_lines, payloads]
  end

  def test_what_a_text_tells_by_itself
    text = stream(job(1), cluster: 'a', publishers: 'staff', round: 'r', groups: [3000, '1', nil]) +
           stream(job(2), cluster: 'b', whole: false)
    records = records_of(text)
    assert_equal [true, false], records.streams.map(&:complete)
    assert_equal ['staff', 'r', [3000]], records.streams[0].to_h.values_at(:publishers, :round, :groups)
    assert_equal([[1], [], []], %w[a b c].map { |cluster| records.of(cluster).map(&:job_id) })
    assert_equal [text, nil], [records.text, records.bad_line]
    assert_equal 1, records_of("rubbish\n").bad_line
  end

  def test_what_a_record_tells
    key = "MTK1:#{["\xa1\xb2\xc3\xd4#{'x' * 41}"].pack('m0').tr('+/', '-_')}"
    text = stream(job(1, name: "é|g|#{key}", wckey: 'class', group_gid: nil),
                  job(2, name: 'n|ÿ|x', binary: true, group_gid: -1, publisher_in_group: nil), job(3, name: 'bash'))
    one, two, three = records_of(text).of('hpc')
    assert_equal [1, 'prof', 1001, "é|g|#{key}".b, 'g', nil, true, 'class', 'a1b2c3d4'],
                 one.to_h.except(:line, :start).values
    assert_equal ["n|\xff|x".b, "\xff".b, -1, nil, nil, nil],
                 two.to_h.except(:line, :job_id, :user, :uid, :start).values
    assert_equal [nil, nil], [three.group, three.key_id]
    assert_equal text.lines(chomp: true)[1..3], [one, two, three].map(&:line)
  end

  def test_several_streams_in_one_text_and_in_several
    assert_equal [[true, true, true], [nil, nil]],
                 read(stream(cluster: 'a') + stream(job(1), cluster: 'b'), stream(cluster: 'c'))
  end

  def test_nothing
    assert_equal [[], []], read
    assert_equal [[], [nil]], read('')
    assert_equal [[], [nil]], read("\n\n")
  end

  def test_the_last_newline_and_empty_lines_do_not_matter
    assert_equal [[true], [nil]], read("\n#{stream(job(1)).gsub("\n", "\n\n").chomp}")
  end

  def test_keys_that_we_do_not_know_are_ignored
    assert_equal [[true], [nil]], read(stream(job(1, racks: ['r1'], state: { a: 1 }), version: 'x'))
  end

  # ---- incomplete ----

  def test_without_its_last_line
    assert_equal [[false], [nil]], read(stream(job(1), whole: false))
  end

  def test_cut_in_the_last_line
    assert_equal [[false], [3]], read(stream(job(1)).delete_suffix("}\n"))
  end

  def test_wrong_counts
    [0, 2, -1, '1', 1.0, nil, true].each do |count|
      assert_equal [[false], [3]], read("#{header}#{record}#{JSON.generate(end: count)}\n"), count.inspect
    end
  end

  def test_a_second_stream_after_an_incomplete_one
    assert_equal [[false], [2]], read(header(cluster: 'a') + stream(cluster: 'b'))
  end

  def test_two_streams_of_one_cluster
    assert_equal [[true, false], [nil, 1]], read(stream, stream)
  end

  def test_more_clusters_than_one_input_may_hold
    texts = (1..65).map { |n| stream(cluster: "c#{n}") }
    done, bad_lines = read(texts.join)
    assert_equal [[true] * 64, [129]], [done, bad_lines]
  end

  # ---- lines that do not belong ----

  BAD_LINES = {
    'rubbish' => 'sacct: error', 'a half line' => '{"cluster":', 'a number' => '1', 'null' => 'null', 'a list' => '[]',
    'two objects' => '{"end":0}{"end":0}', 'a key twice' => '{"end":0,"end":0}',
    'bytes that are no UTF-8' => "\"\xff\"", 'an object of nothing' => '{}', 'end and more' => '{"end":0,"x":1}'
  }.freeze

  BAD_LINES.each do |what, line|
    define_method(:"test_a_line_of_#{what.tr(' ', '_')}") do
      assert_equal [[false], [2]], read("#{header}#{line}\n{\"end\":0}\n")
    end
  end

  def test_a_job_or_an_end_outside_of_a_stream
    assert_equal [[], [1]], read(record)
    assert_equal [[], [1]], read("{\"end\":0}\n")
    assert_equal [[true], [3]], read("#{stream}{\"end\":0}\n")
  end

  def test_a_line_of_64_kib_and_no_more
    room = (64 * 1024) - record(pad: '').bytesize + 1 # without its newline
    assert_equal [true], read("#{header}#{record(pad: 'x' * room)}{\"end\":1}\n")[0]
    assert_equal [[false], [2]], read("#{header}#{record(pad: 'x' * (room + 1))}{\"end\":1}\n")
  end

  def test_over_64_mib_is_an_error
    error = assert_raises(MultiTenant::Error) { read("\n" * ((64 << 20) + 1)) }
    assert_equal 'The input is larger than its limit.', error.message
  end

  HEADERS = {
    multitenant: [0, 2, '1', nil, 1.0], cluster: ['', 5, nil, 'x' * 257, "a\0b"], sees: ['', 'some', nil, 1],
    wckeys: [[], nil, 'multitenant', [1], [''], ['x' * 257], ['k'] * 33], generated: [-1, '0', nil, 1.5],
    publishers: ['', 1, nil]
  }.freeze

  HEADERS.each do |key, values|
    values.each_with_index do |value, i|
      define_method(:"test_a_header_with_bad_#{key}_#{i}") do
        assert_equal [[], [1]], read(stream(key => value))
      end
    end
  end

  RECORDS = {
    job_id: [0, -1, 4_294_967_296, '1', nil, 1.0], cluster: ['other', nil, ''], user: [nil, 5, 'u' * 257, "a\0"],
    uid: [-1, 4_294_967_296, '0', nil], name: [nil, 5], start: [-1, '1', nil, 1.5], end: [-1, nil, '0'],
    restarts: [-1, nil, 4_294_967_296], group_gid: [-2, 4_294_967_296, '3000', true], publisher_in_group: ['true', 1],
    publisher_allowed: ['yes', 0], wckey: ['', 5, nil]
  }.freeze

  RECORDS.each do |key, values|
    values.each_with_index do |value, i|
      define_method(:"test_a_record_with_bad_#{key}_#{i}") do
        bad = JSON.generate({ **job(1, name: 'n'), key => value })
        assert_equal [[false], [2]], read("#{header}#{bad}\n{\"end\":1}\n")
      end
    end
  end

  # publisher_allowed and wckey may be missing; null in group_gid and the like is an answer.
  %i[cluster job_id user uid name start end restarts group_gid publisher_in_group].each do |key|
    define_method(:"test_a_record_without_#{key}") do
      bad = JSON.generate(job(1, name: 'n').except(key))
      assert_equal [[false], [2]], read("#{header}#{bad}\n{\"end\":1}\n")
    end
  end

  def test_one_job_twice
    assert_equal [[false], [4]], read(stream(job(1), job(1)))
  end

  def test_a_binary_name_holds_bytes_only
    assert_equal [[true], [nil]], read(stream(job(1, name: 'aÿ', binary: true)))
    assert_equal [[false], [2]], read(stream(job(1, name: 'aĀ', binary: true)))
  end

  def test_numbers_at_their_limits
    limits = job(4_294_967_295, name: 'n', uid: 4_294_967_295, start: 0, end: 2**62, restarts: 4_294_967_295,
                                group_gid: 4_294_967_295, user: 'u' * 256)
    assert_equal [[true], [nil]], read(stream(limits))
  end

  # ---- misuse ----

  def test_arguments_of_another_kind
    assert_raises(TypeError) { MultiTenant::Records.new(nil) }
    assert_raises(TypeError) { core.read('text') }
    assert_raises(TypeError) { core.read([nil]) }
    assert_raises(TypeError) { core.read(['text']) }
    ready = core.tap { |one| one.read([records_of(stream)]) }
    assert_raises(TypeError) { ready.decide(5, '', 0) }
    assert_raises(TypeError) { ready.decide([], nil, 0) }
  end

  # What is wrong with the arguments must not leave the core in use.
  def test_a_core_is_usable_after_it_raised
    core = core()
    core.read([records_of(stream(job(1)))])
    assert_raises(TypeError) { core.decide([nil], '', 0) }
    core.read([records_of(stream(job(1)))])
    core.decide([%w[hpc hpc]], '', 0)
    assert_equal ['1'], core.specs.keys
  end

  def test_what_was_read_is_decided_once
    core = core()
    assert_raises(MultiTenant::Error) { core.decide([], '', 0) }
    core.read([records_of(stream(job(1)))])
    assert_nil core.decide([%w[hpc hpc]], '', 0)
    error = assert_raises(MultiTenant::Error) { core.decide([], '', 0) }
    assert_equal ['There is nothing to decide: nothing was read.', ['1']], [error.message, core.specs.keys]
  end

  # An exception from outside comes while the second text is looked at.
  def test_what_was_not_read_to_its_end_is_not_decided
    core = core()
    first, second = [stream(job(1)), stream].map { |text| records_of(text) }
    core.read([first])
    Thread.handle_interrupt(Interrupt => :on_blocking) do
      assert_raises(Interrupt) do
        Thread.current.raise(Interrupt)
        core.read([second])
      end
    end
    assert_raises(MultiTenant::Error) { core.decide([%w[hpc hpc]], '', 0) }
  end

  # What is converted may run Ruby, which could use the core meanwhile.
  def test_group_ids_are_integers
    core = core()
    assert_raises(TypeError) { core.gids = [Struct.new(:to_int).new(2001)] }
    assert_raises(RangeError) { core.gids = [1 << 40] }
  end

  def test_an_argument_that_changes_another
    user = 'x' * 200
    sealed = job(1)[:name]
    name = Object.new
    name.define_singleton_method(:to_str) { user.replace('prof') && sealed }
    assert_equal 'ok', MultiTenant::Native.open(1, user, name)[0]
    directory = "/#{'x' * 200}"
    gid = Object.new
    gid.define_singleton_method(:to_int) { directory.replace('/nosuch') && 3000 }
    assert_match(%r{/nosuch}, MultiTenant::Native.keys(directory, gid))
  end

  def test_records_are_read_once
    records = records_of(stream(job(1)))
    assert_raises(MultiTenant::Error) { records.send(:initialize, stream) }
    assert_predicate records, :frozen?
    2.times do
      core = core()
      core.read([records])
      core.decide([%w[hpc hpc]], '', 0)
      assert_equal ['1'], core.specs.keys
    end
  end

  def test_the_same_records_at_another_time
    first = MultiTenant::Records.new(stream(job(1), job(2), generated: 10) +
                                     stream(job(3), cluster: 'gpu', generated: 20))
    second = first.at([11, 21]).at([12, 22])
    assert_equal([[10, 20], [12, 22]], [first, second].map { |one| one.streams.map(&:generated) })
    assert first.same?(second)
    GC.start
    assert_equal([[1, 2], [3]], %w[hpc gpu].map { |cluster| second.of(cluster).map(&:job_id) })
    assert_equal second.of('hpc').map(&:line), second.lines('hpc')
    assert_equal [12, 22], core.read([second])[0].map(&:generated)
    assert_raises(ArgumentError) { first.at([1]) }
    assert_raises(TypeError) { first.at([1, nil]) }
  end

  def test_a_core_without_settings_refuses_to_work
    assert_raises(MultiTenant::Error) { MultiTenant::Records.allocate.streams }
    assert_raises(MultiTenant::Error) { core.read([MultiTenant::Records.allocate]) }
    raw = MultiTenant::Core.allocate
    assert_raises(MultiTenant::Error) { raw.specs }
    assert_raises(MultiTenant::Error) { raw.read([]) }
    assert_raises(MultiTenant::Error) { raw.decide([], '', 0) }
    assert_raises(MultiTenant::Error) { raw.shares }
    assert_raises(KeyError) { MultiTenant::Core.new({}) }
    assert_raises(MultiTenant::Error) { core.send(:initialize, {}) }
  end
end
