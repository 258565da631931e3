# frozen_string_literal: true

require_relative 'helper'

# Which of OOD's clusters a Slurm cluster is. A wrong answer shows the state of another job.
class TestClusters < MultiTenantTest
  Cluster = MultiTenant::Clusters::Cluster

  def conf(name, text = "ClusterName=#{name}\n")
    path = File.join(temporary, "#{name}.conf")
    File.write(path, text)
    path
  end

  # @param clusters [Hash] OOD's id => [what its job section says as cluster:, as conf:]
  # @return [String, nil] OOD's id of the Slurm cluster `name`
  def id_of(name, clusters)
    made = MultiTenant::Clusters.new(clusters.map { |id, (cluster, path)| Cluster.new(id, cluster, path) })
    made.pairs([name]).to_h[name]
  end

  # ---- the order ----

  def test_first_the_one_that_says_the_name
    assert_equal 'b', id_of('hpc', 'hpc' => [nil, conf('hpc')], 'a' => [nil, conf('hpc')], 'b' => ['hpc', nil])
  end

  def test_then_the_one_whose_slurm_conf_does
    assert_equal 'a', id_of('hpc', 'hpc' => [nil, nil], 'x' => [nil, conf('other')], 'a' => [nil, conf('hpc')])
  end

  def test_then_the_one_whose_id_is_the_name
    assert_equal 'hpc', id_of('hpc', 'a' => [nil, nil], 'b' => ['other', nil], 'hpc' => [nil, nil])
  end

  def test_then_the_only_one_that_could_be_meant
    assert_equal 'a', id_of('hpc', 'a' => [nil, nil])
    assert_equal 'a', id_of('hpc', 'a' => [nil, nil], 'b' => ['other', nil])
  end

  def test_else_none
    assert_nil id_of('hpc', {})
    assert_nil id_of('hpc', 'a' => ['other', nil])
    assert_nil id_of('hpc', 'a' => [nil, nil], 'b' => [nil, nil])
    assert_nil id_of('hpc', 'a' => [nil, conf('other')])
  end

  # What a cluster says of itself is not overruled by a name that happens to be the same.
  def test_an_id_that_says_another_cluster_is_not_meant
    assert_nil id_of('hpc', 'hpc' => ['other', nil])
    assert_nil id_of('hpc', 'hpc' => [nil, conf('other')])
  end

  def test_the_first_of_two_that_say_the_name
    assert_equal 'b', id_of('hpc', 'b' => ['hpc', nil], 'a' => ['hpc', nil])
  end

  # What is on one that never answered nobody knows; two that are one Slurm cluster both have.
  def test_a_cluster_that_did_not_answer_yet
    { %w[hpc] => true, %w[hpc gpu] => false, [] => true }.each do |names, silent|
      clusters = MultiTenant::Clusters.new([Cluster.new('b', 'hpc', nil), Cluster.new('a', 'HPC', nil),
                                            Cluster.new('c', nil, conf('gpu'))])
      clusters.pairs(names)
      assert_equal silent, clusters.silent?, names
    end
    refute_predicate MultiTenant::Clusters.new([]), :silent?
  end

  def test_a_conf_that_can_not_be_read_says_nothing
    assert_equal 'a', id_of('hpc', 'a' => [nil, '/nonexistent/slurm.conf'])
    assert_equal 'hpc', id_of('hpc', 'a' => [nil, '/nonexistent/slurm.conf'], 'hpc' => [nil, nil])
  end

  # Then another cluster's name is not known to be nobody's, and the file may be there the next time.
  def test_what_can_not_be_learned_now_is_told_and_read_again
    path = File.join(temporary, 'slurm.conf')
    clusters = MultiTenant::Clusters.new([Cluster.new('a', nil, path), Cluster.new('b', nil, conf('sb'))])
    assert_equal [%w[sb b], ['', 'a'], ['', 'b'], ['hpc', nil]], MultiTenant::Clusters.new(
      [Cluster.new('a', nil, path), Cluster.new('a2', nil, path), Cluster.new('b', nil, conf('sb'))]
    ).pairs(%w[hpc sb]).values_at(0, 1, 3, 4)
    assert_equal 'b', clusters.pairs(%w[sb]).to_h['sb']
    File.write(path, "# being written\n")
    assert_equal 'b', clusters.pairs(%w[sb]).to_h['sb']
    File.write(path, "ClusterName=hpc\n")
    assert_equal [%w[hpc a], %w[sb b], ['', 'a'], ['', 'b']], clusters.pairs(%w[hpc other])
  end

  def test_forms_of_cluster_name
    ["clustername = hpc # x\n", "#ClusterName=no\n  CLUSTERNAME=hpc\n", "SlurmctldHost=h\nClusterName=hpc"]
      .each_with_index do |text, i|
      assert_equal 'a',
                   id_of('hpc', 'a' => [nil, conf("c#{i}", text)], 'b' => [nil, nil]), text
    end
  end

  # Compared with what libslurm itself makes of such files.
  def test_a_slurm_conf_is_read_as_slurm_reads_it
    conf('included', "ClusterName=\"hpc\"\nInclude %c.conf\n")
    conf('hpc', "AuthInfo=socket=/s\n")
    Dir.mkdir(File.join(temporary, 'more'))
    conf('more/deeper', "Include included.conf\nInclude more/*.conf\n")
    ['ClusterName="hpc"', 'ClusterName=hpc# c', 'ClusterName=other ClusterName=hpc', 'Include included.conf # c',
     'Include more/deeper.conf',
     "ClusterName=\\\nhpc", "ClusterName = \\ # c\n  hp\\c", "ClusterName=hpc\r\n", "x=\\\\\nClusterName=hpc",
     "ClusterName=no\n include #{temporary}/included.conf"].each do |text|
      assert_equal 'a', id_of('hpc', 'a' => [nil, conf('slurm', "#{text}\n")], 'b' => [nil, nil]), text
    end
    assert_equal 'a', id_of('hpc', 'a' => [nil, conf('slurm', "ClusterName=hpc\0x\ninclude \0\n")], 'b' => [nil, nil])
    conf('loop', "Include loop.conf\n")
    assert_nil id_of('hpc', 'a' => [nil, conf('slurm', "Include loop.conf\n")], 'b' => [nil, nil])
  end

  # Slurm says its names in small letters, whatever its slurm.conf says.
  def test_names_are_compared_without_their_case
    assert_equal 'a', id_of('hpc', 'a' => ['HPC', nil], 'b' => [nil, nil])
    assert_equal 'a', id_of('hpc', 'a' => [nil, conf('Hpc')], 'b' => [nil, nil])
    assert_equal 'HPC', id_of('hpc', 'HPC' => [nil, nil], 'b' => [nil, nil])
  end

  def test_a_conf_is_read_once
    path = conf('hpc')
    clusters = MultiTenant::Clusters.new([Cluster.new('a', nil, path), Cluster.new('b', nil, nil)])
    assert_equal %w[hpc a], clusters.pairs(['hpc'])[0]
    File.unlink(path)
    assert_equal %w[hpc a], clusters.pairs(['hpc'])[0]
  end

  # ---- pairs ----

  # A name that no Slurm cluster has: the cards of every cluster are found, and no job is taken for its.
  def test_pairs_keep_oods_order_and_end_with_every_id
    clusters = MultiTenant::Clusters.new([Cluster.new('a', 'sa', nil), Cluster.new('b', 'sb', nil)])
    assert_equal [['', 'a'], ['', 'b']], clusters.pairs([])
    assert_equal [%w[sa a], %w[sb b], ['', 'a'], ['', 'b']], clusters.pairs(%w[sb unknown sa])
  end

  def test_two_slurm_clusters_may_be_one_of_oods
    clusters = MultiTenant::Clusters.new([Cluster.new('a', nil, nil)])
    assert_equal [%w[x a], %w[y a], ['', 'a']], clusters.pairs(%w[x y])
  end

  # ---- what is asked, and what the answers teach ----

  def test_each_slurm_cluster_is_asked_once
    clusters = [Cluster.new('a', nil, nil, false, {}), Cluster.new('a2', nil, nil, true, {}),
                Cluster.new('b', nil, '/b.conf', false, {}), Cluster.new('c', 'c', nil, false, {}),
                Cluster.new('far', 'c', nil, false, { 'submit_host' => 'login' })]
    targets = MultiTenant::Clusters.new(clusters).targets
    assert_equal [nil, '/b.conf', nil, nil], targets.map(&:conf)
    assert_equal [nil, nil, 'c', 'c'], targets.map(&:cluster)
    assert_equal [false, false, false, true], targets.map(&:over_ssh?)
  end

  def test_a_host_without_clusters_of_oods_asks_its_own
    target = MultiTenant::Clusters.new([]).targets
    assert_equal [[nil, nil, nil, nil]], target.map(&:to_a)
    refute_predicate target[0], :over_ssh?
  end

  def test_the_name_that_a_host_s_own_cluster_has_is_learned
    clusters = MultiTenant::Clusters.new([Cluster.new('a', nil, nil, false, {}), Cluster.new('b', nil, '/nonexistent')])
    assert_nil clusters.pairs(%w[hpc]).to_h['hpc']
    clusters.learn(clusters.targets[0], 'hpc')
    assert_equal 'a', clusters.pairs(%w[hpc]).to_h['hpc']
  end

  # Two hosts may have a slurm.conf of one path, or none that is named.
  def test_a_cluster_behind_ssh_is_not_this_host_s
    [nil, conf('alpha')].each do |path|
      clusters = MultiTenant::Clusters.new([Cluster.new('near', nil, path, false, {}),
                                            Cluster.new('far', nil, path, false, { 'submit_host' => 'login2' })])
      near, far = clusters.targets
      clusters.learn(near, 'alpha')
      clusters.learn(far, 'beta')
      assert_equal %w[near far], clusters.pairs(%w[alpha beta]).to_h.values_at('alpha', 'beta')
    end
  end

  # Each was built with a slurm.conf of its own, or is a wrapper that goes to another host.
  def test_clusters_that_differ_by_their_commands_alone
    jobs = { 'a' => { 'bin' => '/a' }, 'b' => { 'bin' => '/b' }, 'far' => { 'bin_overrides' => { 'squeue' => '/far' } },
             'b2' => { 'bin' => '/b', 'bin_overrides' => { 'sbatch' => '/x' } },
             'c' => { 'bin' => '/c', 'cluster' => 'sc' }, 'c2' => { 'bin' => '/c2', 'cluster' => 'sc' } }
    clusters = MultiTenant::Clusters.new(jobs.map { |id, job| Cluster.new(id, job['cluster'], nil, false, job) })
    assert_equal [jobs['a'], jobs['b'], jobs['far'], jobs['c']], clusters.targets.map(&:job)
    %w[sa sb sf].zip(clusters.targets) { |name, target| clusters.learn(target, name) }
    assert_equal %w[a b far c], clusters.pairs(%w[sa sb sf sc]).to_h.values_at('sa', 'sb', 'sf', 'sc')
  end

  def test_which_cluster_libslurm_is_of
    own = lambda do |*jobs|
      made = jobs.map.with_index { |job, i| Cluster.new(i.to_s, job['cluster'], job['conf'], false, job) }
      clusters = MultiTenant::Clusters.new(made)
      clusters.targets.map { |target| clusters.own?(target) }
    end
    wrapped = { 'bin_overrides' => { 'squeue' => '/w' } }
    assert_equal [true, false, true], own.call({}, wrapped, { 'cluster' => 'c' })
    assert_equal [true, true], own.call(wrapped, { 'submit_host' => 'login' })
    assert_equal [false, false], own.call({ 'bin' => '/a' }, { 'bin' => '/b' })
    assert_equal [false, false], own.call(wrapped, { 'bin_overrides' => { 'squeue' => '/v' } })
    assert_equal [false, true], own.call(wrapped, { 'cluster' => 'c' })
    assert_equal [false, true], own.call(wrapped, { 'conf' => '/c' })
    [{}, { 'cluster' => 'c' }].each { |near| assert_equal [false, true], own.call({ 'conf' => '/c', **wrapped }, near) }
    assert_equal [true, false, false], own.call({ 'conf' => '/c' }, { 'conf' => '/c', **wrapped }, wrapped)
    assert_equal [true, true], own.call({ 'conf' => '/c', **wrapped }, { 'conf' => '/d' })
    assert_equal [true], own.call(wrapped)
  end

  # What a bin of its own leads to is known once libslurm says whose it is.
  def test_libslurm_of_another_cluster
    hpc = Cluster.new('near', nil, conf('hpc'), false, {})
    [{ 'bin' => '/opt/far' }, { 'bin' => '/opt/far', 'bin_overrides' => { 'sbatch' => '/x' } }].each do |job|
      clusters = MultiTenant::Clusters.new([Cluster.new('far', nil, nil, false, job), hpc])
      far, near = clusters.targets
      assert_equal([[true, false], [false, false]],
                   [far, near].map { |target| %w[hpc other].map { |name| clusters.another?(target, name) } })
    end
    clusters = MultiTenant::Clusters.new([Cluster.new('far', nil, nil, false, {}), hpc])
    refute clusters.another?(clusters.targets[0], 'hpc') # its commands are the host's own, as libslurm is
  end

  # Head nodes have a slurm.conf each, at one path, which this host may have, too.
  def test_wrappers_with_a_slurm_conf_of_one_path_are_several
    jobs = { 'a' => '/a', 'b' => '/b' }.transform_values { |squeue| { 'bin_overrides' => { 'squeue' => squeue } } }
    clusters = MultiTenant::Clusters.new(jobs.map { |id, job| Cluster.new(id, nil, conf('hpc'), false, job) })
    assert_equal jobs.values, clusters.targets.map(&:job)
    assert_equal([nil, nil], clusters.targets.map { |target| clusters.name(target) })
    %w[sa hpc].zip(clusters.targets) { |name, target| clusters.learn(target, name) }
    assert_equal %w[a b], clusters.pairs(%w[sa hpc]).to_h.values_at('sa', 'hpc')
  end

  def test_files_that_say_the_name_of_one_cluster_are_one_target
    jobs = { 'a' => {}, 'b' => { 'bin_overrides' => { 'squeue' => '/b' } } }
    sizes = ['hpc', nil].map do |name|
      MultiTenant::Clusters.new(jobs.map { |id, job| Cluster.new(id, name, conf('hpc'), false, job) }).targets.size
    end
    assert_equal [1, 2], sizes
  end

  # Equal job ids keep their keys while one of the clusters does not answer.
  def test_the_order_is_always_the_same
    clusters = MultiTenant::Clusters.new([Cluster.new('a', 'one', nil), Cluster.new('b', 'two', nil)])
    assert_equal %w[two], clusters.pairs(%w[two]).map(&:first).reject(&:empty?)
    assert_equal %w[one two], clusters.pairs(%w[one]).map(&:first).reject(&:empty?)
    assert_equal %w[one two], clusters.pairs(%w[two]).map(&:first).reject(&:empty?)
  end

  # ---- from OOD's own objects ----

  # As OodCore::Cluster: symbols, a job section that may be empty.
  OodCluster = Struct.new(:id, :job_config, :job_allow, :hidden, :custom_config) do
    def job_allow?
      job_allow != false
    end

    def metadata
      Struct.new(:hidden).new(hidden)
    end
  end

  def from_ood(*clusters)
    MultiTenant::Clusters.from_ood(clusters)
  end

  def test_from_ood
    clusters = from_ood(OodCluster.new(:owens, { adapter: 'slurm', cluster: 'so', conf: '/etc/slurm.conf' }),
                        OodCluster.new(:k8s, { adapter: 'kubernetes', cluster: 'so' }), OodCluster.new(:login, {}),
                        OodCluster.new(:none, nil))
    assert_equal [%w[so owens], ['', 'owens']], clusters.pairs(['so'])
    assert_equal ['/etc/slurm.conf'], clusters.targets.map(&:conf)
  end

  # Of several that are the same Slurm cluster, the viewer's card is of one that they may use and see.
  def test_of_several_the_one_that_the_viewer_may_use
    hpc = { adapter: 'slurm', cluster: 'hpc' }
    denied = OodCluster.new(:denied, hpc, false, false)
    hidden = OodCluster.new(:hidden, hpc, true, true)
    open = OodCluster.new(:open, hpc, true, false)
    assert_equal %w[hpc open], from_ood(denied, hidden, open).pairs(['hpc'])[0]
    assert_equal %w[hpc denied], from_ood(denied).pairs(['hpc'])[0]
  end

  # ---- from files ----

  def write(name, text)
    dir = File.join(temporary, 'clusters.d')
    FileUtils.mkdir_p(dir)
    File.write(File.join(dir, name), text.is_a?(String) ? text : YAML.dump(text))
    dir
  end

  def v2(job)
    { 'v2' => { 'metadata' => { 'title' => 'x' }, 'job' => job } }
  end

  def test_a_directory_of_files
    write('b.yml', v2({ 'adapter' => 'slurm', 'cluster' => 'sb', 'conf' => '/b.conf' }))
    write('a.yml', v2({ 'adapter' => 'slurm' }))
    dir = write('t.yml', v2({ 'adapter' => 'torque', 'cluster' => 'st' }))
    clusters = MultiTenant::Clusters.from_files(dir)
    assert_equal [%w[sb b], ['', 'a'], ['', 'b']], clusters.pairs(['sb'])
    assert_equal [nil, '/b.conf'], clusters.targets.map(&:conf)
  end

  def test_a_hidden_cluster_comes_after_an_open_one
    write('a.yml', v2({ 'adapter' => 'slurm', 'cluster' => 'hpc' }).tap do |file|
      file['v2']['metadata']['hidden'] = true
    end)
    dir = write('b.yml', v2({ 'adapter' => 'slurm', 'cluster' => 'hpc' }))
    assert_equal %w[hpc b], MultiTenant::Clusters.from_files(dir).pairs(['hpc'])[0]
  end

  # As ood_core, whose file of several clusters has them below v2.
  def test_one_file_of_several_clusters
    dir = write('all.yml', 'v2' => { 'a' => { 'job' => { 'adapter' => 'slurm', 'cluster' => 'sa' } },
                                     'b' => { 'job' => { 'adapter' => 'slurm', 'cluster' => 'sb' } } })
    assert_equal [%w[sb b], ['', 'a'], ['', 'b']],
                 MultiTenant::Clusters.from_files(File.join(dir, 'all.yml')).pairs(['sb'])
  end

  BROKEN = ['', 'a: [', "--- 5\n", "- 1\n", "v2:\n", "v2: 5\n", "v2: []\n", "v2: {job: 5}\n", "v2: {job: {}}\n",
            "v2: {job: {adapter: 5}}\n", "a: !ruby/object:Object {}\n", "a: &x 1\nb: *x\n", "\xFF\xFE\n",
            "v1: {}\n"].freeze

  def test_files_that_are_broken_are_passed_over
    dir = write('good.yml', v2({ 'adapter' => 'slurm', 'cluster' => 'hpc' }))
    BROKEN.each_with_index { |text, i| write("broken#{i}.yml", text) }
    Dir.mkdir(File.join(dir, 'dir.yml'))
    File.symlink('/nonexistent', File.join(dir, 'link.yml'))
    assert_equal [%w[hpc good], ['', 'good']], MultiTenant::Clusters.from_files(dir).pairs(['hpc'])
  end

  # It may be one that is being written.
  def test_a_cluster_of_which_nothing_can_be_read_may_be_any
    dir = write('good.yml', v2({ 'adapter' => 'slurm', 'cluster' => 'hpc' }))
    assert_equal [['', 'good']], MultiTenant::Clusters.from_files(dir).pairs(['sb'])
    write('bad.yml', "v2:\n  job: [")
    assert_equal [['', 'good'], ['sb', nil]], MultiTenant::Clusters.from_files(dir).pairs(['sb'])
    good = OodCluster.new(:good, { adapter: 'slurm', cluster: 'hpc' })
    bad = OodCluster.new(:bad, {}).tap { |cluster| cluster.define_singleton_method(:valid?) { false } }
    assert_equal [['', 'good'], ['sb', nil]], from_ood(good, bad).pairs(['sb'])
  end

  def test_a_file_of_several_that_is_broken
    BROKEN.each do |text|
      path = File.join(write('one.yml', text), 'one.yml')
      assert_empty MultiTenant::Clusters.from_files(path).pairs(['hpc']), text
    end
  end

  def test_no_files
    assert_empty MultiTenant::Clusters.from_files('/nonexistent').pairs(['hpc'])
    assert_empty MultiTenant::Clusters.from_files(temporary).pairs(['hpc'])
  end

  # An id becomes a directory where OOD keeps a data root per cluster.
  def test_ids_that_could_climb_are_passed_over
    ['..', '.', 'a/b', '../x', '', '-x', "a\n", 'a b', 'x' * 129].each do |id|
      path = File.join(write('one.yml', 'v2' => { id => { 'job' => { 'adapter' => 'slurm', 'cluster' => 'hpc' } } }),
                       'one.yml')
      assert_empty MultiTenant::Clusters.from_files(path).pairs(['hpc']), id
      assert_empty from_ood(OodCluster.new(id.to_sym, { adapter: 'slurm', cluster: 'hpc' })).pairs(['hpc']), id
    end
  end

  def test_names_that_yaml_does_not_read_as_texts
    dir = write('a.yml', v2({ 'adapter' => 'slurm', 'cluster' => 5, 'conf' => nil }))
    assert_equal %w[5 a], MultiTenant::Clusters.from_files(dir).pairs(['5'])[0]
    assert_equal [nil], MultiTenant::Clusters.from_files(dir).targets.map(&:conf)
    path = File.join(write('all.yml', 'v2' => { 2024 => { 'job' => { 'adapter' => 'slurm' } } }), 'all.yml')
    assert_equal %w[2024], MultiTenant::Clusters.from_files(path).ids
  end

  # No path, variable or argument can hold it: such a cluster fails alone, with a sentence of its own.
  def test_a_nul_in_a_cluster_is_that_cluster_s_alone
    good = { 'adapter' => 'slurm', 'conf' => conf('good') }
    host = MultiTenant::Host.new(env: { 'OOD_CLUSTERS' => write('good.yml', v2(good)) })
    odd = { 'conf' => "/c\0x", 'cluster' => "c\0x", 'bin' => "/b\0x", 'submit_host' => "s\0x",
            'bin_overrides' => { 'squeue' => "/b\0x" } }
    odd.each { |key, value| write("#{key}.yml", v2({ 'adapter' => 'slurm', key => value })) }
    assert_equal %w[good good], host.clusters.pairs(%w[good])[0]
    assert_nil host.munge_socket
    host.clusters.targets.each do |target|
      answer = MultiTenant::ClusterSource.new(host.settings, target, clusters: host.clusters, log: ->(*) {}).call(2)
      refute_match(/NUL|null|Error/, answer.error)
    end
    made = from_ood(OodCluster.new(:odd, { adapter: 'slurm', conf: "/c\0x", submit_host: (+"s\xff\0").b }))
    assert_equal ["/c\u{fffd}x", "s\xff\u{fffd}".b], made.targets.map { |one| [one.conf, one.job['submit_host']] }[0]
  end

  # Also of a process without a locale, for which each name with other letters than English ones is none.
  def test_a_file_whose_name_is_no_text_is_passed_over
    dir = File.join(temporary, 'clusters.d')
    Dir.mkdir(dir)
    ['hpc', "caf\xE9".b].each { |name| File.write(File.join(dir, "#{name}.yml".b), "v2: {job: {adapter: slurm}}\n") }
    assert_equal %w[hpc], MultiTenant::Clusters.from_files(dir).ids
  end

  # ---- slurmrestd ----

  CUSTOM = { 'multitenant' => { 'slurmrestd' => 'https://a.example', 'token' => '/t', 'sees' => 'all',
                                'x' => nil } }.freeze

  # Open OnDemand has symbols there, and what is below as it was written.
  def test_which_clusters_have_a_slurmrestd
    { CUSTOM => CUSTOM['multitenant'].compact, { 'multitenant' => { 'sees' => 'all' } } => nil, 7 => nil, [] => nil,
      { 'multitenant' => 7 } => nil, { 'multitenant' => { 'slurmrestd' => 7 } } => { 'slurmrestd' => '7' } }
      .each do |custom, rest|
      dir = write('a.yml', { 'v2' => { 'job' => { 'adapter' => 'slurm' }, 'custom' => custom } })
      assert_equal [rest], MultiTenant::Clusters.from_files(dir).targets.map(&:slurmrestd)
      next unless custom.is_a?(Hash)

      ood = from_ood(OodCluster.new(:a, { adapter: 'slurm' }, true, false, custom.transform_keys(&:to_sym)))
      assert_equal [rest], ood.targets.map(&:slurmrestd)
      assert_equal [nil], from_ood(OodCluster.new(:a, { adapter: 'slurm' }, true, false, nil)).targets.map(&:slurmrestd)
    end
  end

  # Two of which nothing else is known are two, and what one is called is not what the other is.
  def test_each_slurmrestd_is_asked
    %w[a b].each do |id|
      custom = { 'multitenant' => { 'slurmrestd' => "https://#{id}.example" } }
      write("#{id}.yml", { 'v2' => { 'job' => { 'adapter' => 'slurm' }, 'custom' => custom } })
    end
    clusters = MultiTenant::Clusters.from_files(File.join(temporary, 'clusters.d'))
    assert_equal 2, clusters.targets.size
    clusters.targets.zip(%w[x y]) { |target, name| clusters.learn(target, name) }
    assert_equal [%w[x a], %w[y b]], clusters.pairs(%w[x y]).first(2)
  end

  # The settings may mean the only cluster, and no other.
  def test_the_slurmrestd_of_the_settings
    settings = MultiTenant::Settings.new({ 'MULTITENANT_SLURMRESTD' => 'https://a.example' })
    one = MultiTenant::Clusters.new([Cluster.new('a', 'a')])
    named = Cluster.new('b', 'b', nil, false, nil, nil, CUSTOM['multitenant'])
    two = MultiTenant::Clusters.new([Cluster.new('a', 'a'), named])
    urls = [one, two].map do |clusters|
      targets = clusters.targets
      targets.map { |target| MultiTenant::Slurmrestd.of(settings, target, only: targets.one?)&.url }
    end
    assert_equal [['https://a.example'], [nil, 'https://a.example']], urls
    answer = MultiTenant::ClusterSource.new(settings, one.targets[0], clusters: one, log: ->(*) {}).call(2)
    assert_match(%r{\ANo token for https://a\.example is named}, answer.error)
  end
end
