# frozen_string_literal: true

require_relative 'helper'
require 'minitest/mock'

# Services of several jobs: what forms and programs get, what the commands say, and the one card.
class TestServices < MultiTenantTest
  KEY = 'prof/spanish@students'
  NOW = 1_800_000_000

  # What 2001 is sent to of jobs of hpc: the largest weight first.
  def ranked(*job_ids)
    job_ids.sort_by { |id| OpenSSL::Digest.hexdigest('SHA256', "2001\0hpc\0#{id}\0") }.reverse
  end

  def member(job_id, connection: {}, **changes)
    job(job_id, connection: { host: "n#{job_id}", mt_service: 'spanish' }.merge(connection), **changes)
  end

  def services_of(*jobs)
    core.tap { |core| decide(core, stream(*jobs)) }.services
  end

  # ---- MultiTenant.services ----

  def test_a_service_is_its_members_and_the_chosen_one
    services = services_of(member(1), member(2), member(3, connection: { mt_title: 'Spanish 301' }), job(4))
    first, *others = ranked(1, 2, 3).map(&:to_s)
    assert_equal [KEY, '4'], services.keys
    assert_equal({ 'title' => 'Spanish 301', 'user' => 'prof', 'uid' => '1001', 'app' => 'App', 'group' => 'students',
                   'end' => '0', 'members' => [first, *others], 'member' => first,
                   'connection' => { 'host' => "n#{first}", 'jobid' => first, 'mt_appname' => 'App' } }, services[KEY])
    assert_equal({ 'title' => 'App', 'user' => 'prof', 'uid' => '1001', 'app' => 'App', 'group' => 'students',
                   'end' => '0', 'members' => ['4'], 'member' => '4',
                   'connection' => { 'host' => 'n1', 'port' => '5432', 'jobid' => '4', 'mt_appname' => 'App' } },
                 services['4'])
  end

  def test_specs_stay_one_entry_a_job
    core = core()
    decide(core, stream(member(1), member(2)))
    assert_equal %w[1 2], core.specs.keys
    ids = core.specs.values.map { |spec| File.basename(spec['info']['db']) }.uniq
    assert_equal 1, ids.size
    assert_match(/\A\h{8}-\h{4}-8/, ids[0])
  end

  def test_they_are_frozen_throughout
    services = services_of(member(1), job(2))
    all = [services, *services.values, *services.values.flat_map(&:values), *services[KEY]['members']]
    assert_empty all.reject(&:frozen?)
    assert_empty core.services
    assert_predicate core.services, :frozen?
  end

  # Its publisher may have written anything; the core said so in test/vectors.
  def test_a_stranger_is_no_member
    strangers = [member(5, user: 'mallory'), member(6, uid: 1002), member(7, user: 'mallory', uid: 1002)]
    services = services_of(member(8), *strangers)
    alone = services.values.map { |service| service['members'] }
    assert_equal [['5'], ['6'], ['7'], ['8']], alone.sort
  end

  # ---- by the clock ----

  # Without a new answer: the member that leaves is left, and the card follows in place.
  def test_the_choice_changes_with_time_alone
    first, second = ranked(1, 2)
    jobs = [member(first, end: NOW + 700), member(second)]
    viewer = Viewer.new(self)
    told = viewer.do do
      receiver = viewer.receiver_of(Feed.new(stream(*jobs)), [])
      at(NOW) { receiver.refresh }
      [NOW + 100, NOW + 101].map do |now|
        at(now) do
          receiver.choose
          receiver.deliver_changes
        end
        id = viewer.listed[0]
        [receiver.services[KEY]['member'], viewer.listed.size, id, viewer.connection(id)['host'], receiver.generation]
      end
    end
    assert_equal([[first.to_s, "n#{first}"], [second.to_s, "n#{second}"]], told.map { |one| one.values_at(0, 3) })
    assert_equal([1, 1], told.map { |one| one[1] })
    assert_equal told[0][2], told[1][2]
    refute_equal told[0][4], told[1][4]
  end

  def at(now, &block)
    Time.stub(:now, Time.at(now), &block)
  end

  # ---- the card ----

  def test_the_card_is_one_over_all_generations
    viewer = Viewer.new(self)
    ids = [[1], [1, 2], [2], [2, 3], [3]].map do |running|
      viewer.look(stream(*running.map { |id| member(id) }))
      assert_equal 1, viewer.listed.size
      assert_includes running.map { |id| "n#{id}" }, viewer.connection(viewer.listed[0])['host']
      viewer.listed[0]
    end
    assert_equal 1, ids.uniq.size
    assert_equal 'prof: App', JSON.parse(File.read(viewer.db(ids[0])))['title']
    viewer.look(stream)
    assert_empty viewer.listed
  end

  def test_a_dismissal_holds_for_the_service_and_is_taken_back_by_its_key
    viewer = Viewer.new(self)
    id = viewer.look(stream(member(1))).cards.dig(0, 1)
    viewer.session(stream(member(1))) do |receiver|
      receiver.refresh
      assert receiver.dismiss(id)
    end
    assert_equal [{ 'cluster' => 'hpc', 'wckey' => 'multitenant', 'job' => 1, 'id' => id, 'service' => KEY }],
                 JSON.parse(File.read(viewer.path('multitenant.dismissed')))
    assert_equal({ '2' => %w[ok dismissed] }, viewer.look(stream(member(2))).codes)
    done = viewer.multitenant('cards', '--restore', KEY)
    assert_equal [0, "restored #{KEY}\n"], [done.code, done.out], done.err
    assert_equal [[:written, id, nil]], viewer.look(stream(member(2))).cards
  end

  # A member may be on the cluster that did not answer, to this process never yet.
  def test_a_dismissal_ends_once_every_cluster_answered
    viewer = Viewer.new(self)
    viewer.clusters = %w[hpc gpu].map { |name| MultiTenant::Clusters::Cluster.new(name, name, nil) }
    id = viewer.look(stream(member(1)), stream(cluster: 'gpu')).cards.dig(0, 1)
    viewer.session(stream(member(1))) { |receiver| receiver.refresh && receiver.dismiss(id) }
    { [stream] => true, [stream, stream(cluster: 'gpu', whole: false)] => true,
      [stream, stream(cluster: 'gpu', sees: 'own')] => true, [stream, stream(cluster: 'gpu')] => false }
      .each do |texts, there|
      viewer.look(*texts)
      assert_equal there, File.exist?(viewer.path('multitenant.dismissed')), texts
    end
  end

  # ---- the commands ----

  def said(*argv, jobs:)
    multitenant(*argv, '--records', '-', stdin: stream(*jobs))
  end

  # As root, who is a member of no such group but sees what is theirs.
  def own(job_id, **changes)
    member(job_id, uid: 0, user: 'root', group_gid: 3000, **changes)
  end

  def test_the_command
    done = said('services', jobs: [own(1), own(2), job(3, uid: 0, user: 'root')])
    keys = [1, 2].sort_by { |id| OpenSSL::Digest.hexdigest('SHA256', "0\0hpc\0#{id}\0") }.reverse
    assert_equal <<~TABLE, done.out
      SERVICE                TITLE  FROM  GROUP     JOBS  YOURS  TIME LEFT
      root/spanish@students  App    root  students  #{keys.join(' ')}   #{keys[0]}      no limit
      3                      App    root  students  3     3      no limit
    TABLE
    assert_equal [0, ''], [done.code, done.err]
    assert_equal ["There is no service.\n", "{}\n"],
                 [said('services', jobs: []).out, said('services', '--json', jobs: []).out]
  end

  # As on a login node, or a hub's host, without the groups' keys.
  def test_what_can_not_be_opened_here_is_not_called_nothing
    viewer = Viewer.new(self)
    keys = { 'MULTITENANT_KEYS' => File.join(temporary, 'none') }
    sealed = "l|students|MTK1:#{["\xa1\xb2\xc3\xd4#{'x' * 41}"].pack('m0').tr('+/', '-_')}"
    told = ->(*argv, text) { viewer.multitenant(*argv, '--records', '-', env: keys, stdin: text) }
    one = stream(job(7, name: sealed))
    assert_match(/\AThere is no service\. What a job shares can't be opened on this host now: `multitenant list` /,
                 told['services', one].out)
    assert_equal "There is no service.\n", told['services', '--mine', one].out
    done = told['login', 'spanish', one]
    assert_match(/No service `spanish` is shared with you\. What a job shares can't be opened /, done.err)
    assert_equal 64, done.code
    assert_match(/ 7 .* no: envelope_unavailable - /, " #{told['list', one].out.lines[1]}")
    strangers = stream(job(7, name: sealed, group_gid: 4000), job(8, name: sealed, publisher_in_group: false))
    assert_equal "There is no service.\n", told['services', strangers].out
  end

  # A login node, or a hub's host, of a site with PrivateData=jobs.
  def test_what_slurm_hides_is_not_called_nothing
    viewer = Viewer.new(self)
    told = ->(*argv) { viewer.multitenant(*argv, '--records', '-', stdin: stream(sees: 'own')) }
    assert_match(/\AThere is no service\. Slurm shows you your own jobs alone on hpc \(PrivateData\), .* ask your/,
                 told['services'].out)
    assert_equal "There is no service.\n", told['services', '--mine'].out
    assert_match(/No service `spanish` is shared with you\. Slurm shows you your /, told['login', 'spanish'].err)
    done = told['services', '--environment']
    assert_equal [0, "{}\n"], [done.code, done.out]
    assert_match(/\Amultitenant: Slurm shows you your own jobs alone /, done.err)
    assert_equal '', told['services', '--mine', '--json'].err
  end

  def test_the_command_as_json_and_of_ones_own
    viewer = Viewer.new(self)
    text = stream(member(1), member(2), member(3, uid: 2001, user: 'me'))
    told = JSON.parse(viewer.multitenant('services', '--json', '--records', '-', stdin: text).out)
    assert_equal %w[me/spanish@students prof/spanish@students], told.keys.sort
    assert_equal ranked(1, 2).map(&:to_s), told[KEY]['members']
    refute told[KEY].key?('connection')
    mine = viewer.multitenant('services', '--mine', '--records', '-', stdin: text).out
    assert_equal(['SERVICE', 'me/spanish@students'], mine.lines.map { |line| line[/\S+/] })
  end

  # As a JupyterHub's hook reads it.
  def test_the_command_with_what_clients_read
    connection = { host: 'n1', port: '5432', user: 'reader', password: 's3cret', jdbc_url: 'jdbc:postgresql://n1/a' }
    jobs = [own(1), job(3, uid: 0, user: 'root', connection: connection)]
    told = JSON.parse(said('services', '--environment', jobs: jobs).out)
    assert_equal %w[root App students], told.fetch('root/spanish@students').values_at('user', 'app', 'group')
    refute told['3'].key?('connection')
    assert_equal [%w[PG PSQL MT_], %w[n1]], told['3'].values_at('forget', 'direct')
    variables = told['3']['environment'].values_at('PGHOST', 'PGUSER', 'PGPASSWORD', 'MT_PASSWORD', 'PGPASSFILE')
    assert_equal ['n1', 'reader', 's3cret', 's3cret', File::NULL], variables
  end

  # Keys of those that a JupyterHub's server gets, of services with values so long.
  def told_in(bytes, jobs)
    done = said('services', '--environment', '--bytes', bytes.to_s, jobs: jobs)
    [JSON.parse(done.out).keys, done]
  end

  def long(job_id, text, **record)
    job(job_id, connection: { a: text, b: text }, message: { mtu: Process.uid.to_s }, group_gid: Process.gid, **record)
  end

  # Colluding publishers, each with no more than counts of one; what is refused takes no room.
  def test_many_services_push_out_nobody_elses
    many = (1..96).map { |id| long(id, 'x' * 50, uid: 1100 + (id % 3), user: "u#{id % 3}") }
    keys, done = told_in(30_000, [*many, long(200, 'x' * 1500)])
    assert_includes keys, '200'
    assert_operator keys.size, :>, 30
    assert_operator JSON.generate(JSON.parse(done.out)).bytesize, :<=, 30_000
    assert_equal [65, "multitenant: #{97 - keys.size} services more have no room in 30000 bytes.\n"],
                 [done.code, done.err]
  end

  # They come before another's by their keys, and a name may carry 64 KiB.
  def test_large_services_of_one_publisher_push_out_nobody_elses
    large = (1..9).map { |id| long(id, 'é' * 2000, uid: 1100, user: 'mallory') }
    keys, = told_in(40_000, [*large, long(20, 'x' * 1500)])
    assert_equal %w[1 20], keys
    keys, done = told_in(40_000, [long(20, 'x' * 1500)])
    assert_equal [%w[20], 0, ''], [keys, done.code, done.err]
  end

  def test_list_puts_the_jobs_of_a_service_together
    told = said('list', jobs: [own(1, connection: { mt_title: 'Old' }), job(2, uid: 0, user: 'root'),
                               own(3, connection: { mt_title: 'New' })])
    rows = told.out.lines(chomp: true)
    assert_equal([%w[1 New], ['3', '+ the same service'], %w[2 App]], rows[1..3].map do |row|
      row.split(/ {2,}/).first(2)
    end)
    assert_match(/\A2 services, 2 visible to you;/, rows[4])
    json = JSON.parse(said('list', '--json', jobs: [own(1), job(2, uid: 0, user: 'root')]).out)['services']
    assert_equal(['root/spanish@students', nil], json.map { |share| share['service'] })
  end
end
