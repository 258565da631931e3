# frozen_string_literal: true

require_relative 'helper'
require_relative 'sealing_v2'

# MultiTenant.specs: its shape, who sees what, and what stays when Slurm has no answer.
class TestSpecs < MultiTenantTest
  def specs_of(*jobs, **settings)
    core = core(**settings)
    decide(core, stream(*jobs))
    core.specs
  end

  def connection_of(record)
    specs_of(record).fetch(record[:job_id].to_s).fetch('connection')
  end

  # ---- shape ----

  def test_the_whole_shape
    record = job(4711, connection: { port: '5432', host: 'n1' }, nodes: nil)
    root = '/home/me/ondemand/data/sys/dashboard'
    id = uuid(4711)
    assert_equal({ '4711' => {
                   'info' => {
                     'user' => 'prof', 'cluster' => 'hpc', 'db' => "#{root}/batch_connect/db/#{id}",
                     'output' => "#{root}/batch_connect/sys/multitenant-delivery_default/output/#{id}",
                     'message' => record[:name], 'message_size' => record[:name].bytesize,
                     'uid' => record[:uid].to_s, 'job' => '4711', 'restarts' => '0',
                     'start' => record[:start].to_s, 'end' => record[:end].to_s, 'group' => 'students',
                     'host' => '', 'title' => 'App'
                   },
                   'accounting' => { 'mtu' => '2001', 'mti' => id, 'mta' => 'App', 'mtm' => 'card',
                                     'mtd' => 'sys/multitenant-delivery_default' },
                   'connection' => { 'port' => '5432', 'host' => 'n1', 'jobid' => '4711', 'mt_appname' => 'App' }
                 } }, specs_of(record, dataroot: root))
  end

  def test_the_publishers_keys_come_in_his_order_and_ours_last
    assert_equal %w[zebra host ant jobid mt_appname],
                 connection_of(job(1, connection: { zebra: 1, host: 2, ant: 3 })).keys
  end

  def test_the_five_accounting_keys_alone_are_shown
    record = job(1, text: v1_text(accounting(1).merge(mtx: 'more'), { host: 'n1' }))
    assert_equal %w[mtu mti mta mtm mtd], specs_of(record)['1']['accounting'].keys
  end

  # Old records have no nodes, and a host of somebody else's is none.
  def test_info_tells_the_host_where_it_is_the_jobs_own
    hosts = specs_of(job(1), job(2, connection: { host: 'evil.example' }), job(3, nodes: nil), job(4, connection: {}))
    assert_equal(['n1', '', '', ''], hosts.values.map { |spec| spec['info']['host'] })
    one = core
    decide(one, stream(job(1), job(2, connection: { host: 'evil.example' }), job(3, nodes: nil)))
    told = one.shares.map { |share| share.values_at(:host, :own_host) }
    assert_equal [['n1', true], ['evil.example', false], ['n1', nil]], told
  end

  DOOR = SecureRandom.urlsafe_base64(32).freeze

  # In a munge envelope, as v1 has none.
  def with_a_gateway(job_id, host: 'n1', **record)
    record = job(job_id, name: "sys/dashboard|students|MUNGE:AAA#{job_id}:", **record)
    parts = { id: uuid(job_id), app: 'Ollama_API', method: 'card', delivery: 'sys/multitenant-delivery_default',
              door: DOOR, gate: 18_080, conn: { host: host, port: '18080' }.compact }
    text = SealingV2.message({ **record, group: 'students' }, **parts)
    [record, { payload: record[:name].split('|').last, uid: record[:uid], gid_only: 3000, text: text }]
  end

  # A dashboard sends credentials there, so a publisher may not say where that is.
  def test_a_gateway_is_told_of_where_the_host_is_the_jobs_own
    records, said = [with_a_gateway(1, restarts: 2), with_a_gateway(2, host: 'evil.example'),
                     with_a_gateway(3, host: 'n1.evil.example'), with_a_gateway(4, nodes: nil),
                     with_a_gateway(5, host: nil), with_a_gateway(6, host: '10.0.0.1')].transpose
    one = core
    decide(one, stream(*records, job(7)), opened: opened(*said))
    gate = { 'port' => '18080', 'door' => DOOR }
    assert_equal([gate, nil, nil, nil, nil, gate, nil], one.specs.values.map { |spec| spec['gate'] })
    assert_equal %w[info accounting connection], one.specs['2'].keys
    assert_predicate one.specs.dig('1', 'gate'), :frozen?
    gateways = one.specs.transform_values { |spec| MultiTenant::Gateway.of(spec)&.to_s }.compact
    assert_equal({ '1' => "n1 18080 1001 hpc 1 2 #{DOOR}", '6' => "10.0.0.1 18080 1001 hpc 6 0 #{DOOR}" }, gateways)
    assert_equal %w[1 2 1001 hpc n1], one.specs['1']['info'].values_at('job', 'restarts', 'uid', 'cluster', 'host')
    refute_includes one.services.to_s, DOOR
    decide(one, stream(*records, job(7)))
    assert_equal gate, one.specs.dig('1', 'gate'), 'what was opened once is kept'
  end

  # A card says it in the view's own words while its job is not known.
  def test_without_a_title_a_service_is_called_what_its_card_calls_it
    views = %w[default readfile].map { |app| "#{Tree::ROOT}/apps-delivery/multitenant-delivery_#{app}/view.html.erb" }
    words = views.map { |path| File.read(path) }.join.scan(/heading\('([^']+)'/).flatten
    apps = %w[Ollama_API Ollama_Code DB_Conn DB_JDBC App_API RShiny_App Class]
    specs = specs_of(*apps.map.with_index(1) { |app, id| job(id, message: { mta: app }) })
    assert_equal(words, specs.values.map { |spec| spec['info']['title'] })
  end

  def test_a_title_is_told_and_is_no_part_of_the_connection
    spec = specs_of(job(1, connection: { host: 'n1', mt_title: 'Spanish 301' }))['1']
    assert_equal ['Spanish 301', %w[host jobid mt_appname]], [spec['info']['title'], spec['connection'].keys]
  end

  def test_every_string_is_utf8_and_everything_is_frozen
    seen = []
    walk = lambda do |value|
      seen << value
      assert_predicate value, :frozen?, value.inspect
      assert_equal Encoding::UTF_8, value.encoding, value if value.is_a?(String)
      value.each { |pair| pair.each(&walk) } if value.is_a?(Hash)
    end
    walk.call(specs_of(job(1, connection: { host: 'nœud' })))
    assert_operator seen.size, :>, 30 # keys and values of all four levels
    assert_equal [Hash, Integer, String], seen.map(&:class).uniq.sort_by(&:name)
  end

  def test_no_jobs_is_an_empty_frozen_hash
    assert_equal({}, specs_of)
    assert_predicate specs_of, :frozen?
  end

  def test_there_is_nothing_before_the_first_answer
    assert_equal({}, core.specs)
    assert_empty core.shares
  end

  def test_message_size_counts_bytes
    name = "sys/tableau-été|students|#{job(1)[:name].split('|').last}"
    info = specs_of(job(1, name: name))['1']['info']
    assert_equal name, info['message']
    assert_equal name.bytesize, info['message_size']
    refute_equal name.size, info['message_size']
  end

  def test_a_per_cluster_data_root_is_in_output_and_not_in_db
    info = specs_of(job(1), dataroot: '/d', per_cluster_dataroot: true)['1']['info']
    assert_equal "/d/batch_connect/hpc/sys/multitenant-delivery_default/output/#{uuid(1)}", info['output']
    assert_equal "/d/batch_connect/db/#{uuid(1)}", info['db']
  end

  def test_the_largest_job_id
    assert_equal ['4294967295'], specs_of(job(4_294_967_295, message: { mti: uuid(1) })).keys
  end

  def test_the_name_of_a_user_may_be_as_long_as_a_mail_address
    assert_equal ['12345678'], specs_of(job(12_345_678, user: 'firstname.lastname@department.university.example')).keys
  end

  # ---- values ----

  def test_texts_arrive_as_they_were_sent
    texts = { quotes: %q(it's "so"), bar: 'a|b', backslash: 'a\b\\', blank: ' a  b ', emoji: '😀', yaml: 'a: b #c',
              erb: '<%= 1 %>', slash: 'a/b', empty: '', unicode: 'ümläut  x' }
    shown = connection_of(job(1, connection: texts))
    assert_equal texts.transform_keys(&:to_s), shown.slice(*texts.keys.map(&:to_s))
  end

  def test_messages_of_old_publishers_with_double_quotes_or_blanks
    text = "{\"mtu\" : \"2001\", 'mti': \"#{uuid(1)}\",'mta':'App'," \
           "'mtm':'form','mtd':'sys/multitenant-delivery_x'} | {'a':\"it's\"}"
    assert_equal({ 'a' => "it's", 'jobid' => '1', 'mt_appname' => 'App' }, connection_of(job(1, text: text)))
  end

  def test_integers_and_booleans_of_a_connection_become_their_text
    accounts = v1_text(accounting(1), {}).delete_suffix('{}')
    shown = connection_of(job(1, text: "#{accounts}{'i':5432,'n':-1,'t':true,'f':false}"))
    assert_equal({ 'i' => '5432', 'n' => '-1', 't' => 'true', 'f' => 'false' }, shown.slice('i', 'n', 't', 'f'))
  end

  %w[1.5 1e3 null [] {} [1] {'x':'y'}].each do |value|
    define_method(:"test_#{value}_is_no_connection_value") do
      accounts = v1_text(accounting(1), {}).delete_suffix('{}')
      assert_equal 'bad_message', codes_of(job(1, text: "#{accounts}{'a':#{value}}"))[0]
    end
  end

  # ---- who ----

  def test_the_publisher_sees_his_own_job_and_gets_no_card
    record = job(1, uid: 2001, message: { mtu: '' })
    assert_equal %w[ok own_session], codes_of(record)
    assert_equal ['1'], specs_of(record).keys
  end

  def test_the_publisher_needs_no_group_for_his_own_job
    record = job(1, uid: 2001, message: { mtu: '' }, group_gid: -1, publisher_in_group: false)
    assert_equal 'ok', codes_of(record, gids: [2001])[0]
  end

  def test_recipients_bind_forms_as_well_as_cards
    record = job(1, message: { mtm: 'form', mtu: '2000,20010,1,02001' })
    assert_equal %w[not_recipient not_recipient], codes_of(record)
    assert_empty specs_of(record)
  end

  def test_a_recipient_is_found_anywhere_in_the_list
    ['2001', '1,2001', '2001,1', ',,2001,', '1,2001,3'].each do |list|
      assert_equal 'ok', codes_of(job(1, message: { mtu: list }))[0], list
    end
  end

  def test_a_group_is_compared_by_number_with_the_viewers_groups
    assert_equal 'not_member', codes_of(job(1), gids: [2001])[0]
    assert_equal 'ok', codes_of(job(1, group_gid: 2001), gids: [2001])[0]
    assert_equal 'not_member', codes_of(job(1, group_gid: -1))[0]
    assert_equal 'ok', codes_of(job(1, group_gid: 4_294_967_295), gids: [4_294_967_295])[0]
  end

  # Else a stranger would learn, and we would pay for, what others sealed.
  def test_nothing_is_opened_for_who_is_not_in_the_group
    assert_equal 'not_member', codes_of(job(1, name: 'l|students|%%%'), gids: [2001])[0]
  end

  def test_a_publisher_outside_of_his_group_is_refused_unless_the_site_allows_it
    stranger = job(1, publisher_in_group: false)
    assert_equal 'publisher_not_member', codes_of(stranger)[0]
    assert_equal 'ok', codes_of(stranger, publisher_in_group: false)[0]
  end

  def test_the_site_may_name_who_may_publish
    allowed = stream(job(1, publisher_allowed: true), job(2, publisher_allowed: false), job(3), publishers: 'staff')
    assert_equal %w[ok publisher_not_allowed lookup_failed],
                 decide(core(publishers: 'staff'), allowed).values.map(&:first)
  end

  # A snapshot may have been made with another setting.
  def test_what_was_said_of_another_group_of_publishers_counts_for_nothing
    other = stream(job(1, publisher_allowed: true), publishers: 'others')
    assert_equal ['lookup_failed'], decide(core(publishers: 'staff'), other).values.map(&:first)
    assert_equal ['ok'], decide(core, other).values.map(&:first)
  end

  def test_publishers_binds_the_viewers_own_job_too
    own = stream(job(1, uid: 2001, publisher_allowed: false), publishers: 'staff')
    assert_equal ['publisher_not_allowed'], decide(core(publishers: 'staff'), own).values.map(&:first)
  end

  # ---- several clusters ----

  def test_one_job_id_in_two_clusters
    core = core()
    decide(core, stream(job(7), cluster: 'b') + stream(job(7), cluster: 'a'), clusters: [%w[b b], %w[a a]])
    assert_equal %w[7 7@a], core.specs.keys.sort
    assert_equal 'b', core.specs['7']['info']['cluster'] # the site's order, not the alphabet
    assert_equal 'a', core.specs['7@a']['info']['cluster']
  end

  def test_a_job_that_is_not_shown_takes_nobodys_key
    core = core()
    decide(core, stream(job(7, group_gid: 1), cluster: 'a'), stream(job(7), cluster: 'b'), clusters: [%w[a a], %w[b b]])
    assert_equal ['7'], core.specs.keys
    assert_equal 'b', core.specs['7']['info']['cluster']
  end

  def test_a_cluster_that_does_not_answer_keeps_its_jobs
    core = core()
    decide(core, stream(job(1), cluster: 'a'), stream(job(2), cluster: 'b'))
    decide(core, stream(job(3), cluster: 'a'), stream(job(4), cluster: 'b', whole: false))
    assert_equal %w[2 3], core.specs.keys.sort
    decide(core, stream(job(5), cluster: 'b'))
    assert_equal %w[3 5], core.specs.keys.sort
  end

  # What was refused there is not told again and again.
  def test_a_cluster_that_does_not_answer_keeps_no_refusals
    core = core()
    decide(core, stream(job(1), job(2, group_gid: 1), cluster: 'a'))
    assert_equal %w[1 3], decide(core, stream(job(3), cluster: 'b')).keys.sort
  end

  # ---- from round to round ----

  def test_a_complete_stream_replaces_what_was_there
    core = core()
    decide(core, stream(job(1), job(2)))
    decide(core, stream(job(2)))
    assert_equal ['2'], core.specs.keys
    decide(core, stream)
    assert_empty core.specs
  end

  def test_an_incomplete_stream_changes_nothing
    core = core()
    decide(core, stream(job(1)))
    [stream(job(2), whole: false), '', "rubbish\n", stream(job(2)).sub('"end":1', '"end":2')].each do |text|
      decide(core, text)
      assert_equal ['1'], core.specs.keys, text
    end
  end

  UNKNOWN = { group_gid: nil, publisher_in_group: nil }.freeze

  def test_a_temporary_reason_keeps_the_specs_of_an_unchanged_name
    core = core()
    decide(core, stream(job(1)))
    before = core.specs
    assert_equal({ '1' => %w[lookup_failed lookup_failed] }, decide(core, stream(job(1, **UNKNOWN))))
    assert_equal before, core.specs
    assert_equal({ '1' => %w[out_of_time out_of_time] }, decide(core, stream(job(1, **UNKNOWN, out_of_time: true))))
    assert_equal before, core.specs
  end

  # An empty user: the name service did not say whose uid it is.
  def test_a_user_that_could_not_be_learned_keeps_the_specs
    core = core()
    first = job(1)
    decide(core, stream(first))
    before = core.specs
    assert_equal({ '1' => %w[lookup_failed lookup_failed] }, decide(core, stream(first.merge(user: ''))))
    assert_equal before, core.specs
  end

  def test_a_temporary_reason_does_not_keep_another_name
    core = core()
    decide(core, stream(job(1)))
    decide(core, stream(job(1, connection: { host: 'n2' }, **UNKNOWN)))
    assert_empty core.specs
  end

  def test_a_temporary_reason_does_not_keep_another_users_job_of_that_id
    core = core()
    decide(core, stream(job(1)))
    decide(core, stream(job(1, uid: 1002, **UNKNOWN)))
    assert_empty core.specs
  end

  # The agent died, say: what was seen goes on being shown, but for the viewer's own, which they see.
  def test_what_is_hidden_all_of_a_sudden_stays
    both = core
    decide(both, stream(job(1), job(2, uid: 2001), job(3)))
    assert_equal %w[1 2 3], both.specs.keys.sort
    decide(both, stream(job(3, connection: { host: 'n9' }), sees: 'own'))
    assert_equal %w[1 3], both.specs.keys.sort
    assert_equal 'n9', both.specs['3']['connection']['host']
    decide(both, stream)
    assert_empty both.specs
  end

  def test_a_temporary_reason_shows_nothing_that_was_not_shown
    core = core()
    decide(core, stream(job(1, **UNKNOWN)))
    assert_empty core.specs
    decide(core, stream(job(1, message: { mtu: '5' })))
    decide(core, stream(job(1, message: { mtu: '5' }, **UNKNOWN)))
    assert_empty core.specs
  end

  def test_a_final_reason_takes_the_specs_at_once
    core = core()
    decide(core, stream(job(1)))
    decide(core, stream(job(1, publisher_in_group: false)))
    assert_empty core.specs
    decide(core, stream(job(1, **UNKNOWN)))
    assert_empty core.specs
  end

  def test_a_new_name_of_a_job_is_opened_anew
    core = core()
    decide(core, stream(job(1)))
    decide(core, stream(job(1, connection: { host: 'n2' })))
    assert_equal 'n2', core.specs['1']['connection']['host']
  end

  # The key of v1 holds the user's name: what was opened for one user was not opened for another.
  def test_what_was_opened_for_one_user_does_not_count_for_another
    core = core()
    first = job(1)
    decide(core, stream(first))
    assert_equal 'bad_cipher', decide(core, stream(first.merge(user: 'other', uid: 1002)))['1'][0]
  end

  # ---- limits ----

  def test_a_publisher_has_32_shares_and_the_oldest_win
    jobs = (1..34).map { |id| job(id, start: 1000 - id) }
    codes = decide(core, stream(*jobs, job(99, uid: 1002)))
    assert_equal %w[1 2], codes.select { |_, (specs, _)| specs == 'too_many' }.keys.sort
    assert_equal(33, codes.count { |_, (specs, _)| specs == 'ok' })
  end

  def test_a_viewer_has_256_shares_and_the_oldest_of_each_publisher_win
    jobs = (1..288).map { |id| job(id, uid: 1000 + (id / 32)) }
    codes = decide(core, stream(*jobs.reverse))
    turns = jobs.group_by { |job| job[:uid] }.values.flat_map { |theirs| theirs.each_with_index.to_a }
    late = turns.sort_by { |job, turn| [turn, job[:job_id]] }.drop(256).map { |job, _| job[:job_id].to_s }
    assert_equal late.sort, codes.select { |_, (specs, _)| specs == 'too_many' }.keys.sort
    assert_equal(256, codes.count { |_, (specs, _)| specs == 'ok' })
  end

  def test_what_one_publisher_spoils_costs_no_other_his_share
    bad = (1..300).map { |id| job(id, name: 'l|students|AAAA', uid: 1005) }
    assert_equal %w[ok ok], decide(core, stream(*bad, job(400)))['400']
  end

  def test_64_connection_keys_and_no_more
    keys = (1..65).to_h { |n| ["k#{n}", n] }
    assert_equal 'ok', codes_of(job(1, connection: keys.first(64).to_h))[0]
    assert_equal 'bad_connection_key', codes_of(job(1, connection: keys))[0]
  end

  def test_4096_bytes_of_a_value_and_no_more
    assert_equal 'ok', codes_of(job(1, connection: { a: 'é' * 2048 }))[0]
    assert_equal 'bad_connection_value', codes_of(job(1, connection: { a: "#{'é' * 2048}x" }))[0]
  end

  def test_64_kib_of_a_message_and_no_more
    room = 65_536 - v1_text(accounting(1), { a: '' }).bytesize
    assert_equal 'bad_connection_value', codes_of(job(1, connection: { a: 'x' * room }))[0]
    assert_equal 'too_large', codes_of(job(1, connection: { a: 'x' * (room + 1) }))[0]
  end

  def test_1024_bytes_of_a_name_and_no_more
    label = 'l' * (1024 - job(1)[:name].bytesize)
    assert_equal 'ok', codes_of(job(1, name: label + job(1)[:name]))[0]
    assert_equal 'name_too_long', codes_of(job(1, name: "l#{label}#{job(1)[:name]}"))[0]
  end

  # ---- forms of the name ----

  def test_a_name_that_is_not_utf8
    name = "caf\xE9|students|#{job(1)[:name].split('|').last}".b
    record = job(1, name: name.force_encoding('ISO-8859-1').encode('UTF-8'), binary: true)
    info = specs_of(record)['1']['info']
    assert_equal record[:name], info['message']
    assert_equal name.bytesize, info['message_size']
  end

  def test_a_name_with_nul_is_read_to_its_end
    payload = job(1)[:name].split('|').last
    assert_equal 'ok', codes_of(job(1, name: "a\0b|students|#{payload}"))[0]
    assert_equal 'bad_base64', codes_of(job(1, name: "a|students|#{payload}\0"))[0]
    assert_equal 'malformed_name', codes_of(job(1, name: "a|stu\0dents|#{payload}"))[0]
  end

  def test_names_that_are_no_shares
    ['', 'bash', 'a|b', '|students|', 'a||AAAA', 'a|students|AA|AA', "a|stu\ndents|AAAA"].each do |name|
      assert_equal 'malformed_name', codes_of(job(1, name: name))[0], name
    end
  end

  # ---- one session id ----

  def test_the_older_of_one_publishers_two_jobs_has_the_session
    jobs = [job(1, start: 20, message: { mti: uuid(5) }), job(2, start: 10, message: { mti: uuid(5) })]
    core = core()
    assert_equal({ '1' => %w[ok duplicate_session], '2' => %w[ok ok] }, decide(core, stream(*jobs)))
    assert_equal %w[1 2], core.specs.keys.sort
    assert_equal({ '1' => %w[ok ok] }, decide(core, stream(jobs[0])))
  end

  def test_nothing_is_left_in_openssls_error_queue
    OpenSSL.errors
    codes_of(job(1, name: "l|students|#{['x' * 48].pack('m0')}"))
    assert_empty OpenSSL.errors
  end
end
