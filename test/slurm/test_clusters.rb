# frozen_string_literal: true

require_relative 'bed'

# Two Slurms, each with its own slurm.conf, database and munge key, behind one dashboard.
class TestClusters < BedTest
  SECOND = "#{Bed::DIR}-second".freeze
  CONF = File.join(SECOND, 'etc/slurm.conf')
  ENVIRONMENT = { 'MULTITENANT_TESTBED_DIR' => SECOND, 'MULTITENANT_TESTBED_CLUSTER' => 'gpu',
                  'MULTITENANT_TESTBED_PORT' => (ENV.fetch('MULTITENANT_TESTBED_PORT', 17_300).to_i + 50).to_s }.freeze

  # Where one does not answer.
  SOON = { 'MULTITENANT_TIMEOUT' => '10' }.freeze

  def self.second(*args)
    system(ENVIRONMENT, File.join(Bed::ROOT, 'script/testbed'), *args, out: File::NULL) ||
      raise("script/testbed #{args.join(' ')} of the second bed")
  end

  def self.up
    return if @up

    @up = true
    second('up')
    Minitest.after_run { second('down') }
  end

  def setup
    super
    self.class.up
    on_gpu { Bed.cancel_all }
    site('hpc' => { 'conf' => ENV.fetch('SLURM_CONF') }, 'big' => { 'conf' => CONF })
  end

  def teardown
    site('hpc' => { 'cluster' => 'hpc' })
  end

  # @param clusters [Hash] OOD's id => what its job section says besides the adapter
  def site(clusters)
    FileUtils.rm_f(Dir.glob(File.join(Bed::CLUSTERS, '*')))
    clusters.each do |id, job|
      File.write(File.join(Bed::CLUSTERS, "#{id}.yml"),
                 YAML.dump('v2' => { 'job' => { 'adapter' => 'slurm' }.merge(job) }))
    end
  end

  def on_gpu
    before = ENV.fetch('SLURM_CONF')
    ENV['SLURM_CONF'] = CONF
    yield
  ensure
    ENV['SLURM_CONF'] = before
  end

  # gpu's next job has this id, or a higher one.
  def go_on_at(job_id)
    text = File.read(CONF).sub(/^FirstJobId=.*\n|\z/, "FirstJobId=#{job_id}\n")
    File.write(CONF, text)
    system('scontrol', 'reconfigure', exception: true)
  end

  # Two shares with one job id.
  def two_shares
    here = Bed.submit('hpcfaculty')
    there = on_gpu { go_on_at(here) && Bed.submit('hpcfaculty') }
    here = Bed.submit('hpcfaculty') while here < there
    there = on_gpu { go_on_at(here) && Bed.submit('hpcfaculty') } while there < here
    job_id = here
    Bed.running(job_id)
    on_gpu { Bed.running(job_id) }
    ids = [[], []].map { SecureRandom.uuid }
    Bed.publish('hpcfaculty', job_id, Bed.accounting(id: ids[0]), { 'host' => 'here' })
    on_gpu { Bed.publish('hpcfaculty', job_id, Bed.accounting(id: ids[1]), { 'host' => 'there' }) }
    [job_id.to_s, *ids]
  end

  def hosts(specs)
    specs.transform_values { |spec| [spec['info']['cluster'], spec['connection']['host']] }
  end

  def cluster_of(id)
    JSON.parse(File.read(File.join(Bed.db('hpcstudent'), id)))['cluster_id']
  end

  def test_equal_job_ids_and_one_that_does_not_answer
    job_id, here, there = two_shares
    # OOD's ids in alphabetical order: big (gpu) before hpc.
    both = { job_id => %w[gpu there], "#{job_id}@hpc" => %w[hpc here] }
    assert_equal both, hosts(Bed.specs('hpcstudent'))
    assert_equal ["written #{here}", "written #{there}"].sort, Bed.cards('hpcstudent').sort
    assert_equal %w[hpc big], [cluster_of(here), cluster_of(there)]

    self.class.second('stop', 'slurmctld')
    result = Bed.multitenant('hpcstudent', 'cards', env: SOON)
    assert_includes [69, 75], result.code # libslurm gives up, or the time is over: its release decides
    assert_equal ["kept #{here}", "kept #{there}"].sort, result.out.lines(chomp: true).sort
    system('scancel', job_id)
    Bed.wait('the card of the one that answers goes') { Bed.cards('hpcstudent', env: SOON).include?("removed #{here}") }
    assert_card 'hpcstudent', there
  ensure
    self.class.second('start', 'slurmctld')
  end

  # gpu answers again: what ended meanwhile goes.
  def test_one_that_comes_back
    job_id, here, there = two_shares
    Bed.cards('hpcstudent')
    self.class.second('stop', 'slurmctld')
    Bed.multitenant('hpcstudent', 'cards', env: SOON)
    self.class.second('start', 'slurmctld')
    on_gpu { Bed.wait('slurmctld is back') { system('scancel', job_id, err: File::NULL) } }
    Bed.wait('its card goes') { Bed.cards('hpcstudent').include?("removed #{there}") }
    assert_card 'hpcstudent', here
  end

  def test_a_cluster_that_ood_does_not_know_has_forms_and_no_card
    site('hpc' => { 'cluster' => 'hpc', 'conf' => ENV.fetch('SLURM_CONF') },
         'other' => { 'cluster' => 'elsewhere', 'conf' => CONF })
    _, here, = two_shares
    assert_equal ["written #{here}"], Bed.cards('hpcstudent').grep(/written/)
  end

  def test_a_data_root_per_cluster
    _, here, there = two_shares
    Bed.multitenant('hpcstudent', 'cards', env: { 'OOD_PER_CLUSTER_DATAROOT' => 'true' })
    root = File.join(Bed.home('hpcstudent'), 'ondemand/data/sys/dashboard/batch_connect')
    { 'hpc' => here, 'big' => there }.each do |cluster, id|
      assert_path_exists File.join(root, cluster, 'sys/multitenant-delivery_default/output', id, 'connection.yml')
    end
  end
end
