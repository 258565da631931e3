# frozen_string_literal: true

require_relative 'rails_test'

# What a client's card says of the service that it was started with.
class TestClientCards < RailsTest
  CLIENTS = %w[multitenant-gradio multitenant-jupyter].freeze
  ROOT = File.expand_path('../../apps-clients', __dir__)

  # Run in the dashboard, as OOD does.
  BEFORE = <<~RUBY
    session = OpenStruct.new(staged_root: Pathname.new(Dir.mktmpdir), app: OpenStruct.new(root: %<app>p))
    context = OpenStruct.new(auto_multitenant_services: %<key>p)
    ERB.new(File.read(%<template>p), trim_mode: '-').result(binding)
  RUBY
  VIEW = <<~RUBY
    connect = OpenStruct.new(%<values>p)
    OodAppkit.markdown.render(ERB.new(File.read(%<view>p), trim_mode: '-').result(connect.instance_eval { binding }))
  RUBY

  def setup
    super
    FileUtils.cp_r(File.join(Tree::ROOT, 'libexec'), File.dirname(@lib))
    install_apps('clients')
  end

  # @return [Hash{String => String}] of what the job has, those that its card gets
  def staged(client)
    app = @site.path('var/www/ood/apps/sys', client)
    script = @dashboard.ruby(format(BEFORE, key: @key || '7', app: app,
                                            template: File.join(ROOT, client, 'template/before.sh.erb')))
    script.scan(/^(mt_service|mt_job)=(.*)$/).to_h { |name, word| [name, word.shellsplit.first] }
  end

  def card(client, values)
    values = { 'host' => 'n1', 'port' => '80', 'password' => 'x' }.merge(values)
    html = @dashboard.ruby(format(VIEW, values: values, view: File.join(ROOT, client, 'view.html.erb')))
    html.gsub(/<[^>]*>/, '')
  end

  GONE = 'That service has ended, or is not shared with you any more: delete this session'

  def test_it_is_named_by_publisher_and_title_and_its_end_is_told
    slurm_says(fresh(job(7, message: { mta: 'Ollama_API' }, connection: { mt_title: 'Spanish 301' })))
    start
    values = CLIENTS.to_h { |client| [client, staged(client)] }
    assert_equal [{ 'mt_service' => 'prof: Spanish 301', 'mt_job' => '7' }], values.values.uniq
    values.each { |client, told| refute_includes card(client, told), GONE }
    slurm_says(fresh)
    ttl_passes
    values.each do |client, told|
      assert_includes card(client, told), 'prof: Spanish 301'
      assert_includes card(client, told), GONE
    end
  end

  def test_a_service_of_several_jobs_is_named_by_its_key
    @key = 'prof/spanish@students'
    member = lambda { |id|
      job(id, message: { mta: 'Ollama_API' }, connection: { mt_title: 'Spanish 301', mt_service: 'spanish' })
    }
    slurm_says(fresh(member[7], member[8]))
    start
    values = CLIENTS.to_h { |client| [client, staged(client)] }
    assert_equal [{ 'mt_service' => 'prof: Spanish 301', 'mt_job' => @key }], values.values.uniq
    slurm_says(fresh(member[9]))
    ttl_passes
    values.each { |client, told| refute_includes card(client, told), GONE }
    slurm_says(fresh)
    ttl_passes
    values.each { |client, told| assert_includes card(client, told), GONE }
  end

  MEMBERS = <<~RUBY
    session = OpenStruct.new(staged_root: Pathname.new(%<dir>p))
    context = OpenStruct.new(auto_multitenant_services: %<key>p)
    session.staged_root.join('members.json').write(ERB.new(File.read(%<template>p), trim_mode: '-').result(binding))
  RUBY

  # @return [String] the file that tells a client's session, which began with this service, of its jobs
  def client(id, name, key, **changes)
    @viewer.own_session(uuid(id), token: "sys/#{name}", job_id: id.to_s, **changes)
    @slurm.run(id)
    dir = @viewer.output(uuid(id), token: "sys/#{name}")
    @dashboard.ruby(format(MEMBERS, dir: dir, key: key, template: File.join(ROOT, name, 'template/members.json.erb')))
    File.join(dir, 'members.json')
  end

  def members(file)
    JSON.parse(File.read(file))['members'].map { |one| one['host'] }
  end

  def test_a_client_that_runs_is_told_of_the_jobs_that_run_now
    member = ->(id) { job(id, connection: { host: "n#{id}", mt_service: 'spanish' }) }
    slurm_says(fresh(member[7], member[8]))
    start
    key = 'prof/spanish@students'
    files = CLIENTS.each_with_index.map { |name, i| client(901 + i, name, key) }
    files.each { |file| assert_equal %w[n7 n8], members(file).sort }
    slurm_says(fresh(member[9]))
    ttl_passes
    @dashboard.sessions
    files.each { |file| assert_equal [%w[n9], 0o600], [members(file), File.stat(file).mode & 0o777] }
    File.write(files[0], 'x')
    slurm_says(fresh)
    ttl_passes
    @dashboard.sessions
    assert_equal %w[n9], members(files[1])
    assert_equal 1, @dashboard.log.grep(/client #{uuid(901)} is not told of the jobs that run: JSON::ParserError"?\z/).size
  end

  # As a card's file goes with its job.
  def test_no_secret_of_a_service_stays_in_the_session_of_a_client_that_has_ended
    slurm_says(fresh(job(7)))
    start
    runs, ended = [false, true].map.with_index(901) do |completed, id|
      file = client(id, CLIENTS[0], '7', cache_completed: completed)
      File.write(File.join(File.dirname(file), 'service.sh'), '')
      File.write(File.join(File.dirname(file), 'output.log'), '')
      File.dirname(file)
    end
    slurm_says(fresh)
    ttl_passes
    @dashboard.sessions
    assert_equal %w[members.json output.log service.sh], (Dir.children(runs) - %w[connection.yml]).sort
    assert_equal %w[output.log], Dir.children(ended) - %w[connection.yml]
    other = File.join(ended, 'members.json')
    File.write(other, '{"people":[]}')
    @dashboard.sessions
    assert_path_exists other
  end

  SECRETS = %w[members.json service.sh].freeze

  # @return [String] the directory of a client's session
  def client_with_secrets(id, **changes)
    dir = File.dirname(client(id, CLIENTS[0], '7', **changes))
    File.write(File.join(dir, 'service.sh'), '')
    dir
  end

  def secrets(dir)
    (Dir.children(dir) & SECRETS).sort
  end

  # That is how most people end one. Open OnDemand lists it no more, and leaves its directory.
  def test_no_secret_of_a_service_stays_in_the_session_of_a_client_that_was_deleted
    slurm_says(fresh(job(7)))
    start
    deleted, other = [901, 902].map { |id| client_with_secrets(id) }
    @viewer.own_session(mine = uuid(903), job_id: '903')
    @slurm.run(903)
    own = @viewer.write(@viewer.output(mine, 'members.json', token: 'sys/jupyter'), '["ann"]')
    [uuid(901), mine].each { |id| assert_equal 'done', @dashboard.delete(id).flash['notice'] }
    assert_equal [uuid(7), uuid(902)], @dashboard.sessions.cards.keys.sort
    assert_equal [[], SECRETS], [secrets(deleted), secrets(other)]
    assert_path_exists own
    assert_empty @dashboard.log.grep(/client/)
  end

  # One that ended a week ago is deleted before it is listed.
  def test_nor_in_that_of_one_that_is_so_old_that_it_is_listed_no_more
    slurm_says(fresh(job(7)))
    start
    dir = client_with_secrets(901)
    @slurm.finish(901)
    File.utime(0, Time.now.to_i - (8 * 86_400), @viewer.db(uuid(901)))
    assert_equal [uuid(7)], @dashboard.sessions.cards.keys
    assert_empty secrets(dir)
  end

  SAVE = <<~RUBY
    session = BatchConnect::Session.new
    saved = session.save(app: BatchConnect::App.from_token('sys/%<client>s'),
                         context: OpenStruct.new(cluster: 'hpc', auto_multitenant_services: '7'))
    [saved, session.staged_root.to_s, session.errors.full_messages]
  RUBY

  # As for an account that is not theirs: people choose another, and launch again. Open OnDemand never lists the first.
  def test_nor_in_that_of_one_that_could_not_be_submitted
    CLIENTS.each { |name| FileUtils.cp_r(File.join(ROOT, name, 'template'), @site.path('var/www/ood/apps/sys', name)) }
    slurm_says(fresh(job(7, message: { mta: 'Ollama_API' })))
    start
    [['echo Invalid account >&2; exit 1', false, []], ['echo 901', true, SECRETS]].each do |sbatch, taken, left|
      @slurm.on_submit(sbatch)
      CLIENTS.each do |client|
        saved, dir, said = @dashboard.ruby(format(SAVE, client: client))
        assert_equal [taken, left], [saved, secrets(dir)], said
        assert_match(/Invalid account/, said.join) unless taken
        assert_path_exists File.join(dir, 'before.sh')
      end
    end
    assert_empty @dashboard.log.grep(/client/)
  end

  # Ids are the same on several clusters: once that of this one has ended, the key is another one's.
  def test_no_client_is_sent_to_another_clusters_job_of_that_id
    cluster('other')
    other = fresh(job(7, user: 'mallory', uid: 1002, connection: { host: 'evil' }), cluster: 'other')
    slurm_says(fresh(job(7, connection: { host: 'n7' })))
    slurm_says(other, cluster: 'other')
    start
    file = client(901, CLIENTS[0], '7')
    assert_equal %w[n7], members(file)
    slurm_says(fresh)
    slurm_says(other, cluster: 'other')
    everything_is_due
    @dashboard.sessions
    assert_equal 'evil', @dashboard.ruby("MultiTenant.specs.dig('7', 'connection', 'host')")
    assert_equal %w[n7], members(file)
  end

  # Its key has the cluster only as long as the other one's job is there.
  def test_a_client_knows_its_service_once_no_other_cluster_has_a_job_of_that_id
    cluster('other')
    theirs = ->(host) { fresh(job(7, user: 'other', uid: 1002, connection: { host: host }), cluster: 'other') }
    slurm_says(fresh(job(7, connection: { host: 'n7' })))
    slurm_says(theirs['o7'], cluster: 'other')
    start
    values = { 'mt_service' => 'other: Lesson', 'mt_job' => '7@other' }
    file = client(901, CLIENTS[0], '7@other')
    assert_equal %w[o7], members(file)
    slurm_says(fresh)
    slurm_says(theirs['o8'], cluster: 'other')
    everything_is_due
    @dashboard.sessions
    refute_includes card(CLIENTS[0], values), GONE
    assert_equal %w[o8], members(file)
    slurm_says(fresh(cluster: 'other'), cluster: 'other')
    everything_is_due
    @dashboard.sessions
    assert_includes card(CLIENTS[0], values), GONE
  end

  # By a dashboard that has just started: another one has what it knew before.
  def test_nothing_is_said_of_a_service_whose_job_can_not_be_looked_at_or_opened
    program_says('munge', 'exit 69')
    keys = %w[7 prof/spanish@students]
    gone = ->(key) { card(CLIENTS[0], 'mt_service' => 'prof: Lesson', 'mt_job' => key).include?(GONE) }
    [fresh(job(7, group_gid: nil, publisher_in_group: nil)), fresh(job(7, name: 'l|students|MUNGE:AAAA:')),
     fresh(undetermined: [7])].each_with_index do |unknown, i|
      slurm_says(unknown)
      start
      assert_equal [false, false, true], [*keys, '8'].map(&gone), i
      slurm_says(fresh)
      ttl_passes
      assert_equal [true, true], keys.map(&gone), i
    end
  end

  # A cluster that does not answer may have it.
  def test_nothing_is_said_of_what_is_not_known
    cluster('other')
    start
    values = { 'mt_service' => 'prof: Lesson', 'mt_job' => '7' }
    2.times do
      CLIENTS.each { |client| refute_includes card(client, values), GONE }
      ttl_passes # the one that answers is asked alone
      @dashboard.sessions
    end
    slurm_says(fresh(cluster: 'other'), cluster: 'other')
    everything_is_due
    CLIENTS.each do |client|
      wait_until { @dashboard.sessions && card(client, values).include?(GONE) }
      refute_includes card(client, 'mt_service' => 'from before an upgrade'), GONE
    end
  end
end
