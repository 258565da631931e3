# frozen_string_literal: true

require_relative 'rest_bed'
require 'multitenant/sources/commands/marked_rows'

# The commands and slurmrestd say of the same jobs what the query program says.
class TestCommands < BedTest
  include RestBed

  # Prints the streams of all, or why there is none. The arguments: a job section, and what names a slurmrestd, as JSON.
  ALL = <<~RUBY
    require 'json'
    require 'multitenant'
    require 'multitenant/sources/commands'
    require 'multitenant/sources/slurmrestd'
    settings = MultiTenant::Settings.new
    job, rest = ARGV.map { |text| JSON.parse(text) }
    sources = [MultiTenant::Query.new(settings, cluster: job['cluster']), MultiTenant::Commands.new(settings, job: job)]
    sources << MultiTenant::Slurmrestd.new(settings, rest, cluster: job['cluster']) if rest
    puts JSON.generate(sources.map { |source| source.call(60).then { |a| a.error ? [a.error, a.code] : a.texts[0] } })
  RUBY

  FORGED = JSON.parse(File.read(File.join(Bed::ROOT, 'test/vectors/squeue_forged.json'))).fetch('vectors')

  # @param rest [Hash, nil] what names a slurmrestd, for this user
  # @return [Array<Hash>] the lines of all, which are the same; without when it was
  def same(user = 'hpcstudent', env: {}, rest: rest(user), **job)
    job = JSON.generate({ cluster: 'hpc', **job })
    result = Bed.as(user, RbConfig.ruby, '-e', ALL, job, JSON.generate(rest), env: env)
    assert_empty result.err
    query, commands, slurmrestd = JSON.parse(result.out).map do |text|
      assert_kind_of String, text
      text.lines.map { |line| JSON.parse(line).except('generated') }
    end
    assert_equal query, commands
    # It does not say what it hides from others.
    assert_equal [query[0].except('private_jobs'), *query[1..]], slurmrestd if rest
    commands
  end

  def records(...)
    same(...)[1...-1]
  end

  def name_of(vector)
    mark = MultiTenant::MarkedRows.new({}).mark
    name = vector['base64'] ? vector['base64'].unpack1('m0') : vector['name'].gsub('{mark}', mark)
    name += name[-1] while name.bytesize < vector.fetch('fill', 0)
    name
  end

  def test_nothing_runs
    header = { 'multitenant' => 1, 'cluster' => 'hpc', 'wckeys' => ['multitenant'], 'sees' => 'all',
               'private_jobs' => false }
    assert_equal [header, { 'end' => 0 }], same
  end

  def test_shares_of_several_and_a_default_key
    Bed.share
    Bed.share('hpcfaculty2', '--time=10')
    Bed.share('hpcdefault', wckey: nil)
    Bed.running(Bed.submit('hpcfaculty', wckey: 'shared2'))
    Bed.running(Bed.submit('hpcfaculty', wckey: 'normal'))
    assert_equal(%w[hpcfaculty hpcfaculty2 hpcdefault], records.map { |record| record['user'] })
    env = { 'MULTITENANT_WCKEY' => 'shared2,multitenant', 'MULTITENANT_PUBLISHERS' => 'pubGrp' }
    assert_equal([true, true, false, true], records(env: env).map { |record| record['publisher_allowed'] })
    assert_equal 3, records('outsider', rest: rest('outsider', url: HTTP)).size
    assert_equal 3, records('root').size
  end

  def test_array_tasks_and_components_of_a_heterogeneous_job
    Bed.submit('hpcfaculty', '--array=0-2')
    script = "#!/bin/sh\n#SBATCH --ntasks=1\n#SBATCH hetjob\n#SBATCH --ntasks=1 --wckey=multitenant\nexec sleep 600\n"
    Bed.submit('hpcfaculty', script: script)
    ids = running(5)
    assert_equal ids.sort, records.map { |record| record['job_id'] }.sort
  end

  # @return [Array<Integer>] so many jobs
  def running(count)
    ids = []
    Bed.wait('all run') do
      ids = Bed.squeue('%A %T', '--array').lines.grep(/RUNNING/).map(&:to_i)
      ids.size == count
    end
    Bed.wait('slurmdbd knows them') { (ids - `sacct -a -X -n -P -o jobidraw -s RUNNING`.split.map(&:to_i)).empty? }
    ids
  end

  def test_forged_names
    Bed.submit('hpcfaculty', "--array=1-#{FORGED.size}")
    other = Bed.submit('hpcfaculty2')
    # The first is the array's own, whose name is that of all until they have one.
    ids = running(FORGED.size + 1).sort - [other]
    names = FORGED.map { |vector| name_of(vector) }
    ids.zip(names) { |id, name| Bed.rename('hpcfaculty', id, name) }
    told = records.to_h { |record| [record['job_id'], record] }
    assert_equal [*ids, other].sort, told.keys.sort
    ids.zip(names, FORGED) do |id, name, vector|
      mine = told[id]
      assert_equal name.b, mine['binary'] ? mine['name'].codepoints.pack('C*') : mine['name'].b, vector['label']
    end
  end

  def test_an_empty_name_is_no_share
    job_id = Bed.running(Bed.submit('hpcfaculty'))
    Bed.rename('hpcfaculty', job_id, '')
    assert_equal 1, Bed.squeue('%A', '-j', job_id).lines.size
    assert_equal([job_id], records.map { |record| record['job_id'] })
  end

  def test_a_requeued_job
    job_id, = Bed.share('hpcfaculty', '--requeue')
    assert_equal 0, Bed.as('hpcfaculty', 'scontrol', 'requeue', job_id).code
    Bed.wait('it runs again', 180) { `squeue -h --Format=restartcnt:0,state -j #{job_id}`.start_with?('1RUNNING') }
    Bed.running(job_id)
    assert_equal([[job_id, 1]], records.map { |record| record.values_at('job_id', 'restarts') })
  end

  # What was suspended ends later than it would have.
  def test_suspended_resumed_and_cancelled_jobs
    job_id, = Bed.share('hpcfaculty', '--time=10')
    gone, = Bed.share
    beside, = Bed.share('hpcfaculty2')
    before = records.find { |record| record['job_id'] == job_id }
    system('scontrol', 'suspend', job_id.to_s, exception: true)
    system('scancel', gone.to_s, exception: true)
    Bed.wait('the other alone runs') { Bed.squeue('%A', '--states=RUNNING,COMPLETING').split == [beside.to_s] }
    assert_equal([beside], records.map { |record| record['job_id'] })
    sleep 1.1 # Slurm counts whole seconds
    system('scontrol', 'resume', job_id.to_s, exception: true)
    Bed.running(job_id)
    after = records.find { |record| record['job_id'] == job_id }
    assert_equal before.except('end'), after.except('end')
    assert_operator after['end'], :>, before['end']
  end

  # As sshd does: one line for a shell.
  def test_over_ssh
    Bed.share
    bin = File.join(Bed::OURS, 'bin')
    FileUtils.mkdir_p(bin)
    File.write(File.join(bin, 'ssh'), <<~SH, perm: 0o755)
      #!/bin/sh
      while [ "$1" != login1 ]; do shift; done
      shift
      exec env -i PATH=/usr/bin:/bin SLURM_CONF="$SLURM_CONF" /bin/sh -c "$*"
    SH
    env = { 'PATH' => "#{bin}:#{ENV.fetch('PATH')}" }
    assert_equal 1, records(env: env, submit_host: 'login1', bin: '/usr/bin').size
  end

  # As wrappers of the site's that are `ssh login1 squeue "$@"`: no variable of ours gets there.
  def test_wrappers_that_lose_the_environment
    Bed.share('hpcfaculty', '--time=10')
    Bed.share('hpcfaculty2', '--time=UNLIMITED')
    dir = File.join(Bed::OURS, 'wrappers')
    FileUtils.mkdir_p(dir)
    commands = %w[squeue scontrol sacct sacctmgr].to_h { |name| [name, File.join(dir, name)] }
    commands.each do |name, path|
      File.write(path, <<~SH, perm: 0o755)
        #!/bin/sh
        exec env -i PATH=/usr/bin:/bin ${TZ+"TZ=$TZ"} SLURM_CONF=#{ENV.fetch('SLURM_CONF')} #{name} "$@"
      SH
    end
    [commands, commands.slice('squeue', 'scontrol')].each do |some|
      assert_equal([true, false], records(rest: nil, bin_overrides: some).map { |record| record['end'].positive? })
    end
  end

  # Nodes of partitions that who asks may not use have addresses, too.
  def test_hidden_nodes
    partitions('PartitionName=hidden Nodes=node2 Hidden=YES State=UP', 'PartitionName=normal Nodes=node1') do
      Bed.share
      Bed.share('hpcfaculty2', '--partition=hidden')
      nodes = records(rest: nil).flat_map { |record| record['nodes'] }
      assert_equal([['node1', true], ['node2', true]], nodes.map { |node| [node['name'], node.key?('addr')] })
    end
  end

  # @param made [String] the new one
  # @param changed [String] that of the bed
  def partitions(made, changed)
    system('scontrol', 'update', *changed.split, exception: true)
    system('scontrol', 'create', *made.split, exception: true)
    yield
  ensure
    Bed.cancel_all
    system('scontrol', 'delete', made[/\S+/])
    system('scontrol', 'update', 'PartitionName=normal', 'Nodes=node1,node2', exception: true)
  end

  def test_what_is_hidden
    Bed.share
    told = -> { Bed.multitenant('root', 'metrics').out }
    assert_includes told.call, 'user="hpcfaculty",group="hpcGrp"'
    hidden = 'PrivateData=jobs'
    [{ 'slurm.conf' => hidden }, { 'slurmdbd.conf' => hidden }].each do |files|
      Bed.configured(files) do
        assert_equal ['own', true], same(rest: nil)[0].values_at('sees', 'private_jobs')
        assert_equal ['all', true], same('root')[0].values_at('sees', 'private_jobs')
        assert_equal 1, records('hpcfaculty', rest: nil).size
        assert_match(/^multitenant_services.* 1$/, told.call)
        refute_includes told.call, 'hpcfaculty'
      end
    end
  end
end
