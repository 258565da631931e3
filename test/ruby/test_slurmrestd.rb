# frozen_string_literal: true

require_relative 'fake_slurm'
require_relative 'fake_slurmrestd'
require 'multitenant/sources/slurmrestd/questions'

# The records that come of a slurmrestd's answers; how these lie, and that whoever lies costs nobody a card.
class TestSlurmrestd < MultiTenantTest
  include Slurmrestds

  def job(id, **changes)
    FakeSlurmrestd.job(id, **changes)
  end

  # @return [String] the bytes of a record's name
  def bytes(record)
    record['binary'] ? record['name'].codepoints.pack('C*') : record['name'].b
  end

  # ---- records ----

  RECORD = { 'cluster' => 'hpc', 'job_id' => 7, 'user' => 'prof', 'uid' => 1001, 'name' => 'sys|hpcGrp|payload',
             'start' => 1_700_000_000, 'end' => 1_700_003_600, 'restarts' => 0, 'group_gid' => 3000,
             'publisher_in_group' => true, 'wckey' => 'multitenant',
             'nodes' => [{ 'name' => 'n1', 'host' => 'n1.cluster', 'addr' => '10.0.0.1' }] }.freeze

  def test_a_stream_as_the_query_program_writes_it
    header, records = answered(answer = ask)
    assert_equal %w[multitenant generated cluster wckeys sees], header.keys
    assert_equal [1, 'hpc', ['multitenant'], 'all'], header.values_at('multitenant', 'cluster', 'wckeys', 'sees')
    assert_in_delta Time.now.to_i, header['generated'], 60
    assert_equal [RECORD], records
    assert_equal 'slurmrestd', answer.from
    assert_equal({ '7' => %w[bad_base64 bad_base64] }, decide(core, answer.texts[0]))
    assert_equal([%w[backup]] * rest.asked.size, rest.asked.map { |_, headers| headers.values_at('X-SLURM-USER-NAME') })
    assert_match(/\AeyJ/, rest.asked[0][1]['X-SLURM-USER-TOKEN'])
  end

  # In the words of 22.05, and of 23.11 and later: jobs of each kind, told alike.
  def test_versions_say_the_same
    jobs = [job(5, start: 300, state: %w[RUNNING SIGNALING]), job(1, start: 200),
            job(2, start: 200, wckey: '*multitenant'), job(3, limit: nil, restarts: 2),
            job(4, name: 'plain', user: 'dédé', uid: 1002, nodes: 'n[1-2]'), job(6, state: %w[RUNNING COMPLETING]),
            job(8, gone: true), job(9, wckey: 'other'), job(10, wckey: 'Multitenant'),
            *%w[COMPLETED SUSPENDED PENDING].map.with_index(11) { |state, id| job(id, state: [state]) },
            job(20, array: 20, nodes: 'n[1-2]'), job(21, array: 20)]
    rest(jobs: jobs)
    told = [42, 40, 45, 38].map do |version|
      rest.versions = [version]
      rest.asked.clear
      answered[1].tap { assert_equal ["v0.0.#{version}"], rest.paths.last(5).map { |path| path[/v[\d.]+/] }.uniq }
    end
    assert_equal [told[0]], told.uniq
    assert_equal([[1, 1_700_003_600], [2, 1_700_003_600], [5, 1_700_003_600], [3, 0], [4, 1_700_003_600],
                  [20, 1_700_003_600], [21, 1_700_003_600]], told[0].map { |record| record.values_at('job_id', 'end') })
    assert_equal [2, %w[multitenant], [['n2', nil, nil]]],
                 [told[0][3]['restarts'], told[0].map { |record| record['wckey'] }.uniq,
                  told[0][5]['nodes'].drop(1).map { |node| node.values_at('name', 'host', 'addr') }]
    assert_nil told[0][4]['nodes']
    refute_includes rest.paths.join(' '), 'job/21?' # it came with its array
  end

  # Of alice's job slurmdbd did not hear the end; today another user's has its id.
  def test_an_id_that_was_given_out_again_is_whose_slurmctld_says
    old = { user: 'alice', uid: 4711, gone: true }
    rest(versions: [38], jobs: [job(7), job(7, **old), job(8, **old)])
    assert_equal([[7, 1001, 'prof']], answered[1].map { |record| record.values_at('job_id', 'uid', 'user') })
  end

  def test_the_version_and_the_nodes_are_kept
    rest(versions: [40])
    one = source
    answered(one.call(60))
    assert_equal(%w[45 44 43 42 40], rest.paths.grep(/jobs\?/).map { |path| path[/v0\.0\.(\d+)/, 1] })
    rest.asked.clear
    assert_equal [RECORD], answered(one.call(60))[1]
    assert_equal(%w[jobs job user], rest.paths.map { |path| path[%r{v0\.0\.40/(\w+)}, 1] })
    rest.versions = [42] # it was upgraded
    assert_equal [RECORD], answered(one.call(60))[1]
    rest.versions = [37]
    refused 78, /offers none of the versions v0\.0\.42, 45/, one.call(60)
  end

  def test_what_is_asked
    rest.asked.clear
    answered(ask(env: { 'MULTITENANT_WCKEY' => 'multitenant,a+b' }))
    keys = 'multitenant%2C%2Amultitenant%2Ca%2Bb%2C%2Aa%2Bb'
    assert_match(/wckey=#{keys}&state=RUNNING&skip_steps=true&start_time=uts\d+&/, rest.paths[0])
    assert_includes rest.paths, '/slurm/v0.0.42/job/7?flags=LOCAL'
    assert_equal 1, (rest.asked.map { |_, headers| headers['Connection'] } | ['keep-alive']).size
  end

  # Slurm writes a name as it is: not UTF-8, the answer is no JSON to a strict parser.
  NAMES = ['dédé|hpcGrp|payload', "d\xe9|gr\xfcn|payload", "\u{1F600}", "a\xff\xfeb", "\xff" * 1024, "\0".b * 0,
           "quo\"te\\back|g|'x'", "tab\tnew\nline\r|g|x", "\x01\x1f|g|\x7f", '</script>|g|x', "a|b|c\u2028", '"}]}',
           '\\u00e9|g|x', "\xc3|g|x", "\xed\xa0\x80|g|x", 'x' * 1024, "\xf0\x9f|g|\x98", '{"name":"x"}|g|x', '%2F|g|x',
           "e\u0301|g|x", '\\ud800|g|x'].map(&:b).freeze

  def test_hostile_names_are_told_as_they_are
    rest(jobs: NAMES.each_with_index.map { |name, id| job(100 + id, name: name) } + [job(7)])
    [42, 38].each do |version|
      rest.versions = [version]
      records = answered[1].to_h { |record| [record['job_id'], record] }
      assert_equal NAMES, (100...(100 + NAMES.size)).map { |id| bytes(records[id]) }, version
      assert_equal RECORD, records[7]
    end
    assert_equal NAMES.size + 1, decide(core, ask.texts[0]).size
  end

  def test_who_sees_all
    rest
    told = { { admin: 'None' } => 'own', { admin: 'Administrator' } => 'all', { admin: 'None', sees: 'all' } => 'all',
             { admin: 'None', sees: 'own' } => 'own' }.map do |given, sees|
      rest.admin = given.delete(:admin)
      [answered(ask(**given))[0]['sees'], sees]
    end
    told.each { |is, should| assert_equal should, is }
    rest.say(/user/, '500 INTERNAL', rest.error(-1))
    assert_equal 'own', answered[0]['sees']
  end

  def test_the_cluster
    rest(versions: [38], jobs: [])
    assert_equal 'other', answered(ask(cluster: 'Other'))[0]['cluster']
    assert_equal 'hpc', answered(ask(cluster: nil))[0]['cluster']
    rest.say(/clusters/, FakeSlurmrestd::OK, { 'clusters' => [{ 'name' => 'a' }, { 'name' => 'b' }] })
    refused 78, /does not say which cluster.*`cluster: NAME`/, ask(cluster: nil)
    rest.jobs << job(7) # whose row says it
    assert_equal 'hpc', answered(ask(cluster: 'other'))[0]['cluster']
    rest.versions = [42]
    rest.jobs << job(8, cluster: 'elsewhere')
    header, records = answered(ask(cluster: 'other'))
    assert_equal ['hpc', [7]], [header['cluster'], records.map { |record| record['job_id'] }]
  end

  def test_nodes_in_short
    { 'n1' => %w[n1], 'n[1-3,7],m' => %w[n1 n2 n3 n7 m], 'n[08-11]x' => %w[n08x n09x n10x n11x], '' => [],
      'r[0-1]n[1-2]' => %w[r0n1 r0n2 r1n1 r1n2], 'a,b[' => %w[a b], 'n[1-1000000000]' => (1..32).map { |n| "n#{n}" } }
      .each do |text, names|
      assert_equal names, MultiTenant::Slurmrestd::Hostlist.expand(text, 32), text
    end
  end

  # ---- what answers mean ----

  def test_nothing_is_believed_only_where_it_is_said
    rest(jobs: [])
    { [42, FakeSlurmrestd::OK] => { 'errors' => [], 'warnings' => ['found nothing'], 'jobs' => [] },
      [38, FakeSlurmrestd::OK] => rest.error(9003), [42, '404 NOT FOUND'] => rest.error(9003) }
      .each do |(version, status), body|
      rest.versions = [version]
      rest.say(/jobs\?.*/, status, { 'meta' => { 'slurm' => { 'cluster' => 'hpc' } } }.merge(body))
      rest.answers.transform_keys! { |_| /v0\.0\.#{version}.jobs\?/ }
      assert_empty answered[1]
      rest.answers.clear
    end
  end

  # Status, body, the code and the sentence that come of it; of the question for all, and of that for one job.
  LIES = {
    'a token that is not taken' => ['200 OK', 1007, 77, /does not take the token in .*token \(of backup\): why/],
    'no header' => ['401 UNAUTHORIZED', 'Authentication failure', 77, /does not take the token/],
    'authentication is required' => ['511 NETWORK AUTHENTICATION REQUIRED', 1007, 77, /does not take the token/],
    'a bad gateway' => ['502 BAD GATEWAY', 1007, 77, /does not take the token/],
    'slurmdbd is down' => ['200 OK', 7000, 69, /slurmrestd failed: why, 7000/],
    'slurmctld is down' => ['500 INTERNAL', -1, 69, /slurmrestd failed: why, -1/],
    'a status alone' => ['500 INTERNAL', '', 69, /slurmrestd failed: 500/],
    'a redirect' => ["302 FOUND\r\nLocation: http://127.0.0.1:9/", '', 78, /redirect \(302\), which is not followed/]
  }.freeze
  LIES.each do |what, (status, body, code, sentence)|
    define_method(:"test_#{what.tr(' ', '_')}") do
      body = rest.error(body) if body.is_a?(Integer)
      [/jobs\?/, %r{job/}].each do |pattern|
        rest.answers.clear
        rest.say(pattern, status, body)
        refused code, sentence
      end
    end
  end

  def test_two_errors_of_which_one_means_nothing
    errors = [9003, 7000].map { |number| { 'error_number' => number } }
    rest.say(/jobs\?/, FakeSlurmrestd::OK, { **rest.error(9003), 'errors' => errors })
    refused 69, /failed: 9003/
    rest.say(/jobs\?/, FakeSlurmrestd::OK, { 'errors' => [{}], 'jobs' => [] })
    refused 69, /failed: 200/
  end

  def test_what_is_no_answer
    ['<html>hello</html>', '[]', '{}', '{"jobs":null,"errors":[]}', '{"jobs":[7],"errors":[]}', '{"jobs":[', '']
      .each do |body|
      rest.say(/jobs\?/, FakeSlurmrestd::OK, body)
      refused 65, /slurmrestd gave an answer (?:that is no JSON|without jobs)/
    end
  end

  # Whatever makes it so: its card stays, and all others are as they were.
  def test_one_job_that_cannot_be_read_costs_nobody_else_anything
    rest(jobs: [job(7), job(8), job(9)])
    { 'that is no JSON' => ->(socket) { socket.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"jobs\":[") },
      'without its numbers' => lambda { |socket|
        body = JSON.generate('jobs' => [{ 'job_id' => 8, 'cluster' => 'hpc', 'wckey' => 'multitenant',
                                          'job_state' => ['RUNNING'] }])
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: #{body.bytesize}\r\n\r\n#{body}")
      },
      'that is an error' => lambda { |socket|
        body = JSON.generate(rest.error(-1))
        socket.write("HTTP/1.1 500 INTERNAL\r\nContent-Length: #{body.bytesize}\r\n\r\n#{body}")
      },
      'that is no HTTP' => ->(socket) { socket.write("hello\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") },
      'that is none' => lambda(&:close),
      'too large' => ->(socket) { socket.write("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{") } }
      .each do |what, answer|
      rest.say(%r{job/8}, &answer)
      header, records = answered(told = ask)
      assert_equal [[8], [7, 9]], [header['undetermined'], records.map { |record| record['job_id'] }], what
      assert_equal [[8]], told.records[0].whole.map(&:undetermined)
    end
  end

  # They come with the answer to the array's id.
  def test_one_task_that_cannot_be_read_costs_the_others_of_its_array_nothing
    rest(jobs: [job(7, array: 7), job(8, array: 7, start: nil), job(9, array: 7)])
    header, records = answered(ask)
    assert_equal [[8], [7, 9]], [header['undetermined'], records.map { |record| record['job_id'] }]
  end

  # ---- limits ----

  # A publisher may run thousands of jobs, each of which slurmdbd tells with a hundred members.
  def test_of_an_answer_no_more_is_kept_than_is_read
    row = { 'job_id' => 7, 'submit_line' => 'x', 'wckey' => { 'wckey' => 'multitenant', 'flags' => [{ 'a' => 1 }] } }
    connection = Struct.new(:body) { def get(_path, **) = [200, body] }
    told = ['x', [255].pack('C')].map do |name|
      body = JSON.generate('jobs' => [row.merge('name' => 'N')], 'warnings' => []).b.sub('N', name)
      MultiTenant::Slurmrestd::Answers.new(connection.new(body), nil).get('/')
    end
    kept = { 'job_id' => 7, 'wckey' => { 'wckey' => 'multitenant' } }
    assert_equal(%w[x ÿ].map { |name| { 'jobs' => [kept.merge('name' => name)] } }, told)
  end

  # slurmdbd tells of all in one piece.
  def test_one_publisher_with_thousands_of_jobs_costs_nobody_else_anything
    rest(versions: [45])
    told = JSON.parse(rest.send(:of, '/slurmdb/v0.0.45/jobs?x')[1])
    many = told['jobs'][0].merge('user' => 'many', 'name' => 'x', 'submit_line' => 'x' * 4000)
    told['jobs'].unshift(*(1001..6000).map { |id| many.merge('job_id' => id) })
    rest.say(/jobs\?/, FakeSlurmrestd::OK, told)
    assert_operator rest.answers.values[0][1].bytesize, :>, 16 << 20
    assert_equal [RECORD], answered[1]
    assert_equal(%w[7 1001 1002], rest.paths.grep(%r{job/}).first(3).map { |path| path[/\d+(?=\?)/] })
  end

  def test_a_gigabyte_a_byte_a_second_and_half_an_answer
    big = 'x' * 1_000_000
    { "HTTP/1.1 200 OK\r\n\r\n" => [->(to) { loop { to.write(big) } }, 65, /more than 64 MiB/],
      "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" => [->(_) {}, 65, /more than 64 MiB/],
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" =>
        [->(to) { loop { to.write("f4240\r\n#{big}\r\n") } }, 65, /more than 64 MiB/],
      'HTTP/1.1 200 OK' => [->(to) { loop { to.write(big) } }, 69, /no whole answer: it is cut/],
      'hello' => [->(to) { to.write("\r\n") }, 69, /that is no HTTP/],
      "HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{" => [lambda(&:close), 69, /no whole answer: it is cut/],
      '' => [lambda(&:close), 69, /closed the connection/] }.each do |head, (rest_of_it, code, sentence)|
      rest.say(/jobs\?/) do |socket|
        socket.write(head)
        rest_of_it.call(socket)
      end
      refused code, sentence
    end
  end

  def test_a_byte_a_second
    rest.say(/jobs\?/) do |socket|
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n")
      loop { socket.write('x') && sleep(0.1) }
    end
    refused 75, /did not answer within \d/, ask(seconds: 3)
  end

  def test_an_answer_in_chunks_and_one_that_ends_with_its_connection
    rest
    whole = rest.send(:of, '/slurm/v0.0.42/job/7')[1]
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n#{format('%x', 9)}\r\n#{whole[0, 9]}\r\n" \
     "#{format('%x', whole.bytesize - 9)}\r\n#{whole[9..]}\r\n0\r\n\r\n",
     "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n#{whole}"].each do |text|
      rest.say(%r{job/7}) do |socket|
        socket.write(text)
        socket.close if text.include?('close')
      end
      assert_equal [RECORD], answered[1]
    end
  end

  # It is asked once more on a new connection.
  def test_a_connection_that_was_not_kept
    rest.say(%r{job/7}) do |socket|
      rest.answers.clear
      socket.close
    end
    assert_equal [RECORD], answered[1]
  end

  # One who has many jobs is told of the oldest, and the others are not kept waiting.
  def test_users_take_turns
    rest(jobs: (1..600).map { |id| job(id, name: 'x', user: 'many') } + [job(700), job(701)])
    records = answered[1]
    assert_equal 514, records.size
    assert_equal(%w[1 700 2 701 3], rest.paths.grep(%r{job/}).first(5).map { |path| path[/\d+(?=\?)/] })
  end

  def test_a_share_is_told_beside_many_other_jobs_of_its_publisher
    rest(jobs: (1..600).map { |id| job(id, name: 'x') } + [job(700)])
    assert_includes answered[1].map { |record| record['job_id'] }, 700
  end

  # Answers of which the one for job 2 takes all the time.
  Slow = Struct.new(:rest, :terms) do
    def get(path, **)
      terms['until'] = 0 if path.include?('job/2?')
      JSON.parse(rest.send(:of, path)[1])
    end
  end

  def questions(*jobs)
    rest.jobs.replace(jobs)
    terms = { 'wckeys' => ['multitenant'], 'until' => MultiTenant.clock + 600, 'slack' => 60, 'known' => [],
              'nodes_of_job' => 32 }
    MultiTenant::Slurmrestd::Questions.new(Slow.new(rest, terms), terms.update('version' => 42)).call
  end

  def answer_of(told)
    said = JSON.generate(told)
    ask(program: program("print #{said.dump.gsub('#', '\\#')}", shell: RbConfig.ruby))
  end

  def test_jobs_for_which_there_is_no_time_keep_their_cards
    told = questions(*(1..4).map { |id| job(id) })
    assert_equal [[3, 4], 2, [1, 2]], [*told.values_at(:undetermined, :late), told[:jobs].map { |one| one[:job_id] }]
    assert_empty told[:nodes]
    answer = answer_of(told)
    assert_equal [75, 'There was no time to ask slurmrestd for 2 jobs.'], [answer.code, answer.error]
    assert_equal [[3, 4]], answer.records[0].whole.map(&:undetermined)
  end

  # What is left out before may be anybody's only job.
  def test_all_that_count_are_told_where_only_jobs_of_one_who_has_many_are_left_out
    most = MultiTenant::Core::LIMITS[:shares_per_publisher]
    { most - 1 => false, most => true }.each do |before, all|
      many = (101...(100 + before)).map { |id| job(id) } + [2, 9].map { |id| job(id, name: 'x') }
      told = questions(*many, job(50, user: 'other'))
      assert_equal [[9], before, before + 1], [*told.values_at(:undetermined, :turn), told[:jobs].size]
      assert_equal all, answer_of(told).told?
    end
  end

  def test_a_program_that_prints_something_else
    { 'print "{"' => [70, /printed something else than JSON/], 'Process.kill(9, $$)' => [69, /ended by signal 9/] }
      .each { |text, (code, said)| refused code, said, ask(program: program(text, shell: RbConfig.ruby)) }
  end
end
