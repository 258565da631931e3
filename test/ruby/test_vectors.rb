# frozen_string_literal: true

require_relative 'helper'
require_relative 'sealing_v2'

# The known answers in test/vectors: what v1 names open to, what becomes of hostile ones, and every
# reason a job can be refused for.
class TestVectors < MultiTenantTest
  V1 = Vectors.read('v1')
  HOSTILE = Vectors.read('hostile')
  REASONS = Vectors.read('reasons')

  # ---- v1.json ----

  V1.each do |vector|
    define_method(:"test_opens_#{vector['label']}_of_job_#{vector['job_id']}") do
      done = multitenant('open', '--job-id', vector['job_id'].to_s, '--user', vector['user'], stdin: vector['job_name'])
      assert_equal [0, ''], [done.code, done.err]
      assert_equal vector.slice('accounting', 'connection'), JSON.parse(done.out)
    end

    # The helper's envelope is right too, so the vectors made with it are.
    define_method(:"test_unseals_#{vector['label']}_of_job_#{vector['job_id']}") do
      text = unseal(vector['job_name'], job_id: vector['job_id'], user: vector['user'])
      assert_equal v1_text(vector['accounting'], vector['connection']).gsub('\u0020', ' '), text
    end
  end

  # ---- recipients.json, message_v2.json, key.json (the core's own tests read them, too) ----

  def test_lists_of_recipients_are_what_the_description_makes_of_them
    Vectors.read('recipients').each { |vector| assert_equal vector['text'], SealingV2.code(vector['uids']) }
  end

  def key_file
    path = File.join(Vectors::PATH, 'key.json')
    JSON.parse(File.read(path))['keys'].lines.to_h { |line| line.split.then { |id, key, _| [id, key.unpack1('m0')] } }
  end

  def test_key_envelopes_open_with_the_key_that_they_name
    Vectors.read('key').each do |vector|
      job = vector.slice('cluster', 'job_id', 'uid').transform_keys(&:to_sym)
      text = SealingV2.open_key(vector['job_name'], job, secret: key_file.fetch(vector['keyid']))
      assert_equal vector['message'], text.force_encoding('UTF-8'), vector['label']
      assert_operator vector['job_name'].bytesize, :<=, 1024
    end
  end

  # ---- hostile.json ----

  # A home some levels down, so that a path that climbs out of the data root stays in our tree.
  def hostile_world
    deep = File.join(temporary, 'a/b/c/d/e/f')
    FileUtils.mkdir_p(deep)
    viewer = Viewer.new(self)
    FileUtils.mv(viewer.home, deep)
    home = File.join(deep, File.basename(viewer.home))
    records = HOSTILE.map { |vector| job(vector['job_id'], user: vector['user'], name: vector['job_name']) }
    [home, stream(*records)]
  end

  def ood_clusters
    dir = File.join(temporary, 'clusters.d')
    Dir.mkdir(dir)
    File.write(File.join(dir, 'hpc.yml'), YAML.dump('v2' => { 'metadata' => { 'title' => 'x' },
                                                              'job' => { 'adapter' => 'slurm', 'cluster' => 'hpc' } }))
    dir
  end

  def check_hostile(env, cards)
    home, records = hostile_world
    env = { 'HOME' => home, 'OOD_CLUSTERS' => '/nonexistent' }.merge(env)
    done = multitenant('specs', '--records', '-', '--explain', stdin: records, env: env, as: 2001)
    told = done.out.lines.to_h { |line| line.split("\t").then { |id, *codes| [id, codes.first(2)] } }
    wrong = HOSTILE.reject do |vector|
      specs, card = told[vector['job_id'].to_s]
      vector['expect'].include?(specs) && vector['expect_card'].include?(card)
    end
    assert_empty(wrong.map { |vector| [vector['label'], told[vector['job_id'].to_s]] })
    assert_equal cards, told.values.map(&:last).tally.slice('ok', 'unknown_cluster')
    check_hostile_cards(home, records, env, cards.fetch('ok', 0))
  end

  def check_hostile_cards(home, records, env, cards)
    root = File.join(home, 'ondemand/data/sys/dashboard')
    before = snapshot(temporary)
    done = multitenant('cards', '--records', '-', stdin: records, env: env, as: 2001)
    assert_equal [0, ''], [done.code, done.err]
    changed = (snapshot(temporary).to_a - before.to_a).map(&:first)
    made_root = root.delete_prefix("#{home}/").split('/').inject([home]) { |dirs, part| dirs << "#{dirs.last}/#{part}" }
    outside = changed.reject { |path| path.start_with?("#{root}/") } - made_root
    assert_empty outside
    assert_equal cards, done.out.lines.size
    assert_equal(cards, changed.count { |path| path.include?('/batch_connect/db/') })
  end

  def test_hostile_names_where_ood_knows_the_cluster
    check_hostile({ 'OOD_CLUSTERS' => ood_clusters }, { 'ok' => 2 })
  end

  def test_hostile_names_where_it_knows_none
    check_hostile({}, { 'unknown_cluster' => 2 })
  end

  # ---- reasons.json ----

  def record_of(vector, record)
    defaults = { 'user' => 'prof', 'uid' => 1001, 'start' => 1_700_000_000 }.merge(record.except(*Vectors::SEALING))
    job(record['job_id'], name: record.fetch('job_name'), **defaults.transform_keys(&:to_sym), **cluster_of(vector))
  end

  def cluster_of(vector)
    { cluster: vector.fetch('header', {}).fetch('cluster', 'hpc') }
  end

  # The command line in a process of the viewer's, without the time that starting Ruby takes.
  def explain(viewer, vector)
    records = vector['records'].map { |record| record_of(vector, record) }
    text = stream(*records, **vector.fetch('header', {}).transform_keys(&:to_sym))
    file = viewer.write(File.join(viewer.home, 'records'), text)
    said = viewer.write(File.join(viewer.home, 'opened'), opened(*vector.fetch('opened', [])))
    env = { 'OOD_CLUSTERS' => ood_clusters }.merge(vector.fetch('settings', {}))
    viewer.do do
      ENV.update(env)
      $stdout = StringIO.new
      code = MultiTenant::CLI.run(['specs', '--records', file, '--opened', said, '--dataroot', viewer.dataroot,
                                   '--explain'])
      [code, $stdout.string]
    end
  end

  REASONS.each do |vector|
    define_method(:"test_reason_of_#{vector['label'].tr(' ', '_')}") do
      viewer = Viewer.new(self, gids: vector.fetch('gids', [3000]))
      vector.fetch('dataroot', {}).each { |path, text| viewer.write(File.join(viewer.dataroot, path), text) }
      code, out = explain(viewer, vector)
      lines = out.lines(chomp: true).map { |line| line.split("\t") }
      assert_equal [0, vector['expect']], [code, lines.map { |line| line.first(3) }]
      lines.each do |_, specs, card, sentence|
        assert_equal MultiTenant::Native.reasons.fetch(specs == 'ok' ? card : specs)[0], sentence
      end
    end
  end

  # Those of addresses are in address.json, and in the tests of the proxy.
  OF_ADDRESSES = %w[no_address bad_address port_not_allowed address_open other_kind no_node].freeze

  def test_every_reason_has_a_vector
    used = OF_ADDRESSES + REASONS.flat_map { |vector| vector['expect'].flat_map { |_, *codes| codes } }.uniq
    assert_equal MultiTenant::Native.reasons.keys.sort, used.sort
  end

  def test_labels_and_job_ids_of_the_vectors_are_unique
    assert_equal REASONS.size, REASONS.map { |vector| vector['label'] }.uniq.size
    ids = REASONS.flat_map { |vector| vector['records'].map { |record| record['job_id'] } }
    assert_equal ids.size, ids.uniq.size
  end

  # What stands beside a sealed name for the reader is what the name carries.
  def test_the_messages_beside_the_names_are_true
    readable = REASONS.flat_map { |vector| vector['records'] }.select { |record| record['message'] }
    assert_operator readable.size, :>, 60
    readable.each do |record|
      job_id = record['sealed_for'] || record['job_id']
      cipher = v1_cipher(job_id, record.fetch('user', 'prof'), :decrypt)
      packed = cipher.update(record['job_name'].split('|')[2].unpack1('m0')) + cipher.final
      text = record['packed'] == false ? packed : Zlib.gunzip(packed)
      assert_equal Vectors.plain(record).b, text.b, record['job_id']
    end
  end

  # ---- the table of reasons ----

  def test_reasons_have_a_code_a_sentence_and_say_whether_they_pass
    MultiTenant::Native.reasons.each do |code, (sentence, temporary)|
      assert_match(/\A[a-z0-9_]+\z/, code)
      assert_match(/\A[A-Z][^\n]{10,110}\.\z/, sentence)
      assert_includes [true, false], temporary
    end
  end

  def test_which_reasons_pass
    temporary = MultiTenant::Native.reasons.select { |_, (_, passes)| passes }.keys
    assert_equal %w[envelope_unavailable lookup_failed no_node out_of_time], temporary.sort
  end
end
