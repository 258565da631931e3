# frozen_string_literal: true

require_relative 'fake_slurm'

# The records that come of what Slurm's commands print: whatever a job is called and whatever they
# print, a record is of a job that is there, or there is no answer.
class TestCommands < MultiTenantTest
  include FakeSlurm

  # ---- records ----

  def test_a_stream_as_the_query_program_writes_it
    header, records = answered
    assert_equal %w[multitenant generated cluster wckeys sees private_jobs], header.keys
    assert_equal [1, 'hpc', ['multitenant']], header.values_at('multitenant', 'cluster', 'wckeys')
    assert_in_delta Time.now.to_i, header['generated'], 5
    assert_equal [{ 'cluster' => 'hpc', 'job_id' => 7, 'user' => 'prof', 'uid' => 1001, 'name' => 'sys|hpcGrp|payload',
                    'start' => 1_700_000_000, 'end' => 1_700_003_600, 'restarts' => 0, 'group_gid' => 3000,
                    'publisher_in_group' => true, 'wckey' => 'multitenant',
                    'nodes' => [{ 'name' => 'n1', 'host' => 'n1.cluster', 'addr' => '10.0.0.1' }] }], records
  end

  def test_the_core_reads_it
    assert_equal({ '7' => %w[bad_base64 bad_base64] }, decide(core, ask.texts[0]))
  end

  def test_nodes_of_several_jobs
    nodes('n1' => %w[10.0.0.1 n1], 'n2' => %w[10.0.0.2 h2])
    jobs(row(1, nodes: 'n1,n2'), row(2, nodes: 'n2'), row(3, nodes: 'n1', name: 'plain'), row(4, nodes: 'n9'),
         row(5, nodes: (1..40).map { |n| "m#{n}" }.join(',')), row(6, nodes: ''))
    told = told('nodes')
    names = told.map { |its| its&.map { |node| node['name'] } }
    assert_equal [%w[n1 n2], %w[n2], nil, %w[n9]], names.first(4)
    assert_equal [{ 'name' => 'n2', 'host' => 'h2', 'addr' => '10.0.0.2' }], told[1]
    assert_equal [{ 'name' => 'n9' }], told[3]
    assert_equal 32, told[4].size
    assert_nil told[5]
  end

  # As one whose partition this user may not use, or that has gone meanwhile.
  def test_a_node_that_is_not_shown_costs_the_others_nothing
    body = File.read(File.join(@bin, 'scontrol'))
    File.write(File.join(@bin, 'scontrol'), body.sub('/nodes; exit', '/nodes; echo "Node n9 not found"; exit 1'))
    jobs(row(7), row(8, nodes: 'n9'))
    assert_equal [[{ 'name' => 'n1', 'host' => 'n1.cluster', 'addr' => '10.0.0.1' }], [{ 'name' => 'n9' }]],
                 told('nodes')
  end

  def test_nodes_are_kept
    one = source
    asked = lambda do
      FileUtils.rm_f(File.join(@said, 'scontrol'))
      one.call(10)
      ran?('scontrol')
    end
    assert_equal [true, false], [asked.call, asked.call]
    jobs(row(7), row(8, nodes: 'n2'))
    assert_equal [true, false], [asked.call, asked.call]
  end

  # More than one command can be told.
  def test_jobs_on_many_nodes_cost_others_no_button
    many = (1..40).map { |n| row(10 + n, nodes: (1..900).map { |m| "x#{n}-#{m}" }.join(',')) }
    jobs(row(7), row(8, nodes: (1..20_000).map { |n| "m#{n}" }.join(',')), *many)
    told = told('nodes')
    assert_equal [[{ 'name' => 'n1', 'host' => 'n1.cluster', 'addr' => '10.0.0.1' }], nil], told.first(2)
    assert_equal([32] * 30, told[2, 30].map(&:size))
  end

  # What can't be learned of nodes costs no job.
  def test_a_slurm_that_tells_no_nodes
    body = File.read(File.join(@bin, 'scontrol'))
    File.write(File.join(@bin, 'scontrol'), body.sub(%r{cat \S*/nodes; exit}, 'echo denied >&2; exit 1'))
    assert_equal [[{ 'name' => 'n1' }]], told('nodes')
    jobs(row(7), row(8, nodes: 'n2'))
    { 'exit 0' => 'exit 1', /tr , [^;]*;/ => 'head -c 2;' }.each do |part, other|
      File.write(File.join(@bin, 'scontrol'), body.sub(part, other))
      assert_equal [nil, nil], told('nodes'), other
    end
    assert_equal %w[7 8], decide(core, ask.texts[0]).keys
  end

  def test_no_jobs
    jobs
    assert_empty answered[1]
    refute ran?('squeue')
  end

  def test_publishers_are_asked_for
    header, records = answered(env: { 'MULTITENANT_PUBLISHERS' => 'staff' })
    assert_equal ['staff', true], [header['publishers'], records[0]['publisher_allowed']]
    assert_equal [[[1001, 'hpcGrp']], 'staff'], @names.asked
  end

  def test_a_job_without_a_limit_a_requeued_one_and_a_user_that_sacct_does_not_know
    jobs(row(8, ends: 1_800_000_000, limit: 'UNLIMITED'), row(9, restarts: 3), row(10, user: ''))
    assert_equal([[8, 0, 0, 'prof'], [9, 1_700_003_600, 3, 'prof'], [10, 1_700_003_600, 0, 'prof']],
                 told('job_id', 'end', 'restarts', 'user'))
  end

  def test_the_oldest_come_first
    jobs(row(1, start: 300), row(3, start: 200), row(2, start: 200))
    assert_equal [2, 3, 1], told('job_id')
  end

  def test_the_key_is_exactly_one_of_those_asked_for
    jobs(row(1), row(2, wckey: '*multitenant'), row(3, wckey: 'Multitenant'), row(4, wckey: 'other'),
         row(5, wckey: "multitenant \n"), row(6, wckey: '**multitenant'))
    assert_equal [[1, 'multitenant'], [2, 'multitenant']], told('job_id', 'wckey')
  end

  # Of any bytes, each is a record, and the core reads all of them.
  def test_names_and_users_that_are_no_ascii
    names = ['dédé job', "d\xe9d\xe9 job".b, 'dédé|hpcGrp|payload', "d\xe9|gr\xfcn|payload".b, "\u{1F600}"]
    users = ['prof', "d\xe9d\xe9".b, 'dédé', 'prof', 'prof']
    jobs(*names.zip(users, 1..5).map { |name, user, id| row(id, name: name, user: user) })
    records = answered[1]
    assert_equal(names.map(&:b), records.map { |record| bytes(record) })
    assert_equal(%w[prof dédé dédé prof prof], records.map { |record| record['user'] })
    assert_equal %w[1 2 3 4 5], decide(core, *ask.texts).keys.sort
  end

  def test_only_jobs_that_sacct_named_by_id_and_owner_and_that_run
    jobs(row(1), row(2, uid: 1002), row(3), row(4, state: 'COMPLETING'), row(5, state: 'SIGNALING'), row(1),
         sacct: [row(1), row(2), row(4), row(5), row(6)])
    assert_equal [1, 5], told('job_id')
  end

  def test_257_shares_of_one_publisher
    shares = (1..258).map { |id| row(id, start: id) }
    jobs(*shares, row(259, name: 'plain', start: 259), row(260, uid: 1002, start: 260))
    names = answered[1].to_h { |record| [record['job_id'], record['name']] }
    assert_equal [257, 2], names.values.tally.values_at('sys|hpcGrp|payload', '')
    assert_equal ['sys|hpcGrp|payload', '', '', 'plain', 'sys|hpcGrp|payload'], names.values_at(256, 257, 258, 259, 260)
  end

  # A publisher with thousands of small jobs would fill the stream of everybody.
  def test_names_of_257_other_jobs_of_one_publisher
    plain = (1..258).map { |id| row(id, name: 'plain', start: id) }
    jobs(*plain, row(259, start: 259), row(260, name: 'plain', uid: 1002, start: 260))
    names = answered[1].map { |record| record['name'] }
    assert_equal ['plain', '', '', 'sys|hpcGrp|payload', 'plain'], names.last(5)
  end

  def test_many_ids_are_asked_for_in_pieces
    jobs(*(1..1500).map { |id| row(id, name: 'plain') })
    assert_equal (1..1500).to_a, told('job_id')
    assert_equal "--jobs=#{(1001..1500).to_a.join(',')}", argv('squeue').grep(/--jobs/)[0]
  end

  def test_one_job_that_has_ended_since
    says 'squeue', '', code: 1, err: "slurm_load_jobs error: Invalid job id specified\n"
    assert_empty answered[1]
  end

  def test_the_group_that_a_name_names
    { 'a|b|c' => 'b', '|b|c' => 'b', "\n|\xff|\0" => "\xff", "a|#{'b' * 256}|c" => 'b' * 256 }.each do |name, group|
      assert_equal group.b, MultiTenant::Native.group_of(name)
    end
    ['', 'a|b', 'a||c', 'a|b|', 'a|b|c|', "a|b\n|c", "a|#{'b' * 257}|c"].each do |name|
      assert_nil MultiTenant::Native.group_of(name), name
    end
    assert_raises(TypeError) { MultiTenant::Native.group_of(nil) }
  end

  # ---- names that would be more ----

  FORGED = Vectors.read('squeue_forged')

  def name_of(vector, mark)
    name = vector['base64'] ? vector['base64'].unpack1('m0') : vector['name'].gsub('{mark}', mark)
    name += name[-1] while name.bytesize < vector.fetch('fill', 0)
    name.b
  end

  # @return [String] the bytes of a record's name
  def bytes(record)
    record['binary'] ? record['name'].codepoints.pack('C*') : record['name'].b
  end

  FORGED.each do |vector|
    define_method(:"test_forged_#{vector['label'].gsub(/\W+/, '_')}") do
      ask
      name = name_of(vector, mark_of('squeue'))
      jobs(row(7, name: name), row(8, name: 'after|hpcGrp|it'))
      records = answered[1]
      assert_equal([[7, name], [8, 'after|hpcGrp|it']], records.map { |record| [record['job_id'], bytes(record)] })
      assert_equal !name.dup.force_encoding('UTF-8').valid_encoding?, records[0].key?('binary')
    end
  end

  def test_each_question_has_a_mark_of_its_own
    one = source
    marks = Array.new(3) { one.call(10) && [mark_of('sacct'), mark_of('squeue')] }.flatten
    assert_equal 6, marks.uniq.size
    marks.each { |mark| assert_match(/\Amt\h{32}\z/, mark) }
  end

  GOOD = '7{mark}1001{mark}RUNNING{mark}1700000000{mark}1700003600{mark}1:00:00{mark}n1{mark}0{mark}a|b|c{mark}'
  {
    'nothing_but_text' => 'hello', 'a_banner_before_it' => "Welcome\n#{GOOD}\n", 'another_after_it' => "#{GOOD}\nbye\n",
    'no_newline_at_the_end' => GOOD, 'a_row_that_is_cut' => "#{GOOD}\n7{mark}1001{mark}RUN",
    'a_row_without_a_newline_before_it' => "#{GOOD}#{GOOD}\n", 'a_field_less' => "#{GOOD.sub('0{mark}a', 'a')}\n",
    'a_field_more' => "#{GOOD}x{mark}\n", 'an_id_that_is_none' => "#{GOOD.sub('7', 'x')}\n",
    'an_array_s_id' => "#{GOOD.sub('7', '7_1')}\n", 'a_uid_that_is_none' => "#{GOOD.sub('1001', '-1')}\n",
    'a_time_as_text' => "#{GOOD.sub('1700000000', '2023-11-14')}\n",
    'a_time_that_is_none' => "#{GOOD.sub('1700000000', '2023-11-14T24:13:20')}\n",
    'a_nul' => "#{GOOD.sub('a|b', "a\0b")}\n", 'restarts_that_are_none' => "#{GOOD.sub('0{mark}a', ' 0{mark}a')}\n"
  }.each do |what, text|
    define_method(:"test_rows_with_#{what}") do
      says 'squeue', text
      refused 65, /\Asqueue printed something else/
    end
  end

  def test_rows_of_sacct_that_are_none
    says 'sacct', "7|1001|prof|multitenant\n"
    refused 65, /\Asacct printed something else/
  end

  # ---- the name service ----

  def test_a_name_service_that_does_not_answer
    def @names.call(*, **) = nil
    record = answered[1][0]
    assert_equal [nil, nil, true], record.values_at('group_gid', 'publisher_in_group', 'out_of_time')
  end

  def test_a_names_program_that_does_not_run
    @names = MultiTenant::Names.new(program: '/nonexistent')
    answer = ask
    assert_equal 78, answer.code
    assert_match(%r{\AThe names program could not be started \(/nonexistent: }, answer.error)
    record = JSON.parse(answer.texts[0].lines[1])
    assert_equal [nil, nil, nil], record.values_at('group_gid', 'publisher_in_group', 'out_of_time')
  end
end
