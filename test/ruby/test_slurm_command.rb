# frozen_string_literal: true

require_relative 'fake_slurm'

# How Slurm's commands are run, here and on another host; what they tell of a cluster; what is said
# where they fail.
class TestSlurmCommand < MultiTenantTest
  include FakeSlurm

  # ---- how the commands are run ----

  # ood_core puts -M behind what it asks.
  def test_the_arguments
    ask(cluster: 'c2', env: { 'MULTITENANT_WCKEY' => 'a,B' })
    assert_equal %W[#{@bin}/sacct --noheader --local --allusers --allocations --state=RUNNING --starttime=now
                    --endtime=now+60 --wckeys=a,*a,b,*b --format=jobidraw,uid,user,wckey --parsable
                    --delimiter=#{mark_of('sacct')} -M c2], argv('sacct')
    assert_equal %W[#{@bin}/scontrol show config -M c2], argv('scontrol')
  end

  # It knows no -M. To root and SlurmUser nothing is hidden, so somebody else asks.
  def test_the_arguments_of_sacctmgr
    sees_as(2001, cluster: 'c2')
    assert_equal %W[#{@bin}/sacctmgr --noheader show config], argv('sacctmgr')
  end

  def test_names_come_from_squeue_alone
    ask(cluster: 'hpc')
    refute_match(/name/i, argv('sacct').join)
    mark = mark_of('squeue')
    columns = %w[jobid userid state starttime endtime timelimit nodelist restartcnt name]
    assert_equal %W[#{@bin}/squeue --noheader --local --all --states=RUNNING,RESIZING,SIGNALING --jobs=7
                    --Format=#{columns.map { |column| "#{column}:0#{mark}" }.join(',')} -M hpc], argv('squeue')
  end

  def test_the_environment
    conf = File.join(temporary, 'slurm.conf')
    File.write(conf, '')
    exported = %w[SECRET_KEY_BASE SSH_AUTH_SOCK SQUEUE_FORMAT SQUEUE_PARTITION SACCT_FORMAT SCONTROL_ALL SINFO_FORMAT
                  SBATCH_WAIT SLURM_CLUSTERS]
    with_env(exported.to_h { |name| [name, 'x'] }.merge('SLURM_CONF' => '/other', 'SLURM_TIME_FORMAT' => 'x')) do
      ask(conf: conf)
    end
    seen = File.readlines(File.join(@said, 'squeue.env'), chomp: true).to_h { |line| line.split('=', 2) }
    assert_equal ['C', conf, '%s'], seen.values_at('LC_ALL', 'SLURM_CONF', 'SLURM_TIME_FORMAT')
    assert_empty seen.keys & exported
  end

  def test_overrides_and_the_path
    FileUtils.mv(File.join(@bin, 'squeue'), File.join(@bin, 'my squeue'))
    with_env('PATH' => "#{@bin}:#{ENV.fetch('PATH')}") do
      assert_equal 1, answered(bin: '', bin_overrides: { 'squeue' => "#{@bin}/my squeue" })[1].size
    end
    refused 78, %r{\Ascontrol could not be started \(/.*/none/scontrol: No such file}, bin: File.join(temporary, 'none')
  end

  def test_a_command_that_is_nowhere
    with_env('PATH' => temporary) do
      refused 78, /\Ascontrol could not be started \(scontrol is not in PATH\): set `bin`/, bin: ''
    end
  end

  # Slurm itself would wait for a minute.
  def test_a_slurm_conf_that_can_not_be_read
    refused 78, %r{/nonexistent/slurm\.conf}, conf: '/nonexistent/slurm.conf'
    refute ran?('scontrol')
  end

  # ---- a site's wrappers ----

  # As in Open OnDemand's manual: no sacct and no sacctmgr, and a slurm.conf that is on the head node alone. Wrappers
  # are given it, as by Open OnDemand.
  def wrappers(*names, conf: '/nonexistent/slurm.conf')
    dir = File.join(temporary, 'wrappers')
    FileUtils.mkdir_p(dir)
    names.each { |name| FileUtils.mv(File.join(@bin, name), dir) if File.exist?(File.join(@bin, name)) }
    { conf: conf, bin: '/nonexistent', bin_overrides: names.to_h { |name| [name, File.join(dir, name)] } }
  end

  def test_wrappers_without_sacct_and_with_a_slurm_conf_of_the_head_node
    says_keys row(7), row(8, wckey: '*multitenant'), row(9, wckey: 'other'), row(10, uid: 1002)
    options = wrappers('squeue', 'scontrol')
    header, records = answered(**options)
    assert_equal %w[hpc all], header.values_at('cluster', 'sees')
    assert_equal([7, 8, 10].product(['prof'], ['sys|hpcGrp|payload']),
                 records.map { |record| record.values_at('job_id', 'user', 'name') })
    assert_equal '--jobs=7,8,10', argv('squeue').grep(/--jobs/)[0]
    assert_includes File.read(File.join(@said, 'squeue.env')), "SLURM_CONF=/nonexistent/slurm.conf\n"
    refute ran?('sacct')
    assert_equal 'squeue', ask(**options).from
  end

  # As one that is `ssh "$USER@login" squeue "$@"`.
  def test_wrappers_know_whose_they_are
    told = { 'USER' => 'prof', 'LOGNAME' => 'prof', 'HOME' => '/h', 'KRB5CCNAME' => 'x', 'SSH_AUTH_SOCK' => '/s' }
    says_keys row(7)
    with_env(told.merge('SECRET_KEY_BASE' => 'x')) { ask(**wrappers('squeue', 'scontrol')) }
    seen = File.readlines(File.join(@said, 'squeue.env'), chomp: true).to_h { |line| line.split('=', 2) }
    assert_equal [told, nil], [seen.slice(*told.keys), seen['SECRET_KEY_BASE']]
  end

  # ssh takes no variable along, so Slurm writes times as it does by itself.
  def test_wrappers_that_lose_the_environment
    says_keys row(7, start: '2023-11-14T22:13:20', ends: '2023-11-14T23:13:20'),
              row(8, ends: 'NONE', limit: 'UNLIMITED')
    with_env('TZ' => 'UTC') do
      assert_equal [[1_700_000_000, 1_700_003_600], [1_700_000_000, 0]],
                   told('start', 'end', **wrappers('squeue', 'scontrol'))
    end
  end

  # Slurm's own commands may be on a host that has neither its configuration nor munge.
  def test_a_sacct_beside_wrappers_that_can_not_reach_slurm
    says_keys row(7)
    says 'sacct', '', code: 1, err: "sacct: fatal: Could not establish a configuration source\n"
    options = wrappers('squeue', 'scontrol').merge(bin: @bin).except(:conf)
    assert_equal [7], told('job_id', **options)
    assert_equal 'all', sees(**options)
    assert_equal 'squeue', ask(**options).from
  end

  def test_a_slurmdbd_that_is_down_beside_wrappers_takes_no_sacct_away
    says_keys row(7)
    says 'sacct', '', code: 1, err: "sacct: error: Problem talking to the database: Connection refused\n"
    answer = ask(**wrappers('squeue', 'scontrol').merge(bin: @bin).except(:conf))
    assert_equal [[], 'sacct failed: sacct: error: Problem talking to the database: Connection refused'],
                 [answer.records, answer.error]
  end

  # As Open OnDemand itself runs it for its history. Nothing tells whether slurmdbd leaves others' jobs out of sacct's
  # answer, so that no card of a job that has ended would ever go.
  def test_a_sacct_without_a_sacctmgr
    says_keys row(7)
    options = wrappers('squeue', 'scontrol', 'sacct')
    mute = options.merge(bin: @bin).except(:conf)
    says 'sacctmgr', '', code: 1, err: "sacctmgr: error: Munge encode failed: Failed to access munge.socket\n"
    [options, mute].each do |job|
      assert_equal ['squeue', 'all', [7]], [ask(**job).from, sees(**job), told('job_id', **job)]
    end
    says 'sacctmgr', '', code: 1, err: "sacctmgr: error: Problem talking to the database: Connection refused\n"
    assert_equal ['sacct and squeue', 'own'], [ask(**mute).from, sees(**mute)]
  end

  def test_slurmctld_may_hide_jobs_from_wrappers
    says_keys row(7)
    says 'scontrol', CONFIG.sub('= none', '= jobs')
    options = wrappers('squeue', 'scontrol')
    assert_equal 'own', sees(**options)
  end

  def test_over_ssh_without_sacct
    says_keys row(7)
    File.unlink(File.join(@bin, 'sacct'))
    ssh { assert_equal [7], told('job_id', submit_host: 'login1') }
  end

  # A sacct that is there and fails is no reason to load all jobs of the cluster.
  def test_a_sacct_that_fails_is_not_replaced
    says 'sacct', '', code: 1, err: "sacct: error: slurm_persist_conn_open: Connection refused\n"
    refused 69, /Connection refused/, **wrappers('squeue', 'scontrol', 'sacct')
    refute ran?('squeue')
  end

  def test_a_wrapper_that_is_missing_is_named
    refused 78, %r{/nonexistent/slurm\.conf.*wrappers of scontrol and squeue}, **wrappers('squeue')
  end

  # ---- over ssh ----

  # As sshd does: what comes after the host is one line for the shell of the user there.
  def ssh(shell: '/bin/sh', before: '', &block)
    dir = File.join(temporary, 'ssh')
    FileUtils.mkdir_p(dir)
    File.write(File.join(dir, 'ssh'), <<~SH, perm: 0o755)
      #!/bin/sh
      printf '%s\\0' "$@" >#{@said}/ssh
      #{before}
      while [ "$1" != login1 ]; do shift; done
      shift
      exec env -i PATH="$PATH" SQUEUE_PARTITION=theirs SACCT_FORMAT=theirs SCONTROL_ALL=theirs \
        SINFO_FORMAT=theirs SBATCH_WAIT=theirs SCANCEL_STATE=theirs SLURM_CLUSTERS=theirs SLURM_TIME_FORMAT=theirs POSIXLY_CORRECT=theirs #{shell} -c "$*"
    SH
    with_env('PATH' => "#{dir}:#{ENV.fetch('PATH')}", &block)
  end

  %w[/bin/sh /bin/bash /bin/csh].select { |shell| File.executable?(shell) }.each do |shell|
    define_method(:"test_over_ssh_to_a_#{File.basename(shell)}") do
      ssh(shell: shell) do
        assert_equal ['sys|hpcGrp|payload'], told('name', submit_host: 'login1', cluster: 'a b;$(c)')
      end
      assert_equal ['-M', 'a b;$(c)', '--wckeys=multitenant,*multitenant'], argv('sacct').values_at(-2, -1, 8)
      assert_includes File.read(File.join(@said, 'squeue.env')), "SLURM_TIME_FORMAT=%s\n"
      # Of what start-up files there export.
      %w[squeue sacct scontrol].each { |name| refute_includes File.read(File.join(@said, "#{name}.env")), 'theirs' }
    end
  end

  def test_what_ssh_is_told
    ssh { ask(submit_host: 'login1') }
    assert_equal %w[-p 22 -o BatchMode=yes -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes login1 env],
                 argv('ssh').first(10)
    with_env('OOD_SSH_PORT' => '2222') { ssh { ask(submit_host: 'login1', strict_host_checking: false) } }
    assert_equal %w[-p 2222 StrictHostKeyChecking=no], argv('ssh').values_at(0, 1, 7)
  end

  # Start-up files of the user there print it: a line is one host's affair, and the answer counts.
  ['echo Welcome', 'printf Welcome', %q(printf '\377\n7\n'), 'echo ClusterName = other'].each_with_index do |banner, i|
    define_method(:"test_a_banner_on_standard_output_over_ssh_#{i}") do
      ssh(before: banner) do
        assert_equal [['hpc', 'sys|hpcGrp|payload']], told('cluster', 'name', submit_host: 'login1')
      end
    end
  end

  # A forced command, say: an answer that is nobody's is not "no jobs".
  def test_ssh_that_runs_another_command
    ssh(before: 'echo hello; exit 0') do
      refused 65, /\Ascontrol on login1 was not started as it should/, submit_host: 'login1'
    end
  end

  # It warns of each new host on standard error.
  def test_ssh_that_fails
    ssh(before: "echo 'Warning: Permanently added login1' >&2; echo 'Host key verification failed.' >&2; exit 255") do
      refused 69, /\Assh to login1 failed: Host key verification failed\.\z/, submit_host: 'login1'
    end
  end

  def test_a_command_that_is_not_on_the_other_host
    ssh do
      refused 78, %r{\Ascontrol on login1 could not be started \(.*/nonexistent/scontrol}, submit_host: 'login1',
                                                                                           bin: '/nonexistent'
    end
  end

  # ---- what is hidden ----

  def sees(**options)
    ask(**options).texts[0][/"sees":"(\w+)"/, 1]
  end

  # To root nothing is hidden, on this host: so the tests ask as somebody else.
  def sees_as(uid, **options)
    need_root
    as_user(uid: uid) { sees(**options) }
  end

  def test_root_and_slurms_user_see_all
    says 'scontrol', CONFIG.sub('= none', '= accounts,jobs,usage')
    assert_equal 'all', sees_as(64_030)
    assert_equal 'own', sees_as(2001)
    need_root
    assert_equal 'all', sees
    ssh { assert_equal 'own', sees(submit_host: 'login1') }
  end

  { 'none' => ['none', '22.05.8', 'all'], 'other things' => ['accounts,usage', '25.11.3', 'all'],
    'jobs' => ['jobs', '22.05.8', 'own'], 'jobs and others' => ['accounts,jobs', '24.05.0', 'own'],
    'what nobody tells' => ['jobs', '26.05.3', 'all'] }.each do |what, (hidden, version, expected)|
    define_method(:"test_slurmdbd_hides_#{what.tr(' ', '_')}") do
      head, tail = DBD.split("\n\n")
      says 'sacctmgr', [head, tail.sub('none', hidden).sub('22.05.8', version)].join("\n\n")
      assert_equal expected, sees_as(2001)
    end
  end

  def test_slurmdbd_does_not_tell
    [DBD.lines.first(4).join, DBD.sub(/(configuration:\n)PrivateData.*\n/, '\1')].each do |text|
      says 'sacctmgr', text
      assert_equal 'own', sees_as(2001)
    end
    says 'sacctmgr', '', code: 1, err: "sacctmgr: error: no\n"
    assert_equal 'own', sees_as(2001)
  end

  def test_the_cluster_is_asked_about_itself_once
    one = source
    2.times { assert_nil one.call(10).error }
    says 'scontrol', '', code: 1
    assert_nil one.call(10).error
  end

  def test_accounting_is_off
    says 'scontrol', CONFIG.sub('accounting_storage/slurmdbd', 'accounting_storage/none')
    refused 78, /accounting is off.*AccountingStorageType/
  end

  # ---- failures ----

  { 'the_database_is_down' => ["sacct: error: slurm_persist_conn_open: Connection refused\nsacct: error: Problem\n", 69,
                               /\Asacct failed: sacct: error: slurm_persist_conn_open: Connection refused\z/],
    'no_configuration' => ["sacct: fatal: Could not establish a configuration source\n", 78, /configuration source/],
    'nothing_is_said' => ['', 69, /\Asacct failed with status 1\.\z/],
    'bytes' => ["sacct: error: \xff\e[31m\n", 69, /error: \?\?\[31m\z/] }.each do |what, (err, code, sentence)|
    define_method(:"test_sacct_fails_#{what}") do
      says 'sacct', '', code: 1, err: err
      refused code, sentence
    end
  end

  # It ends with 0.
  def test_squeue_that_timed_out
    says 'squeue', '', err: "slurm_load_jobs error: Socket timed out on send/recv operation\n"
    refused 69, /Socket timed out/
  end

  def test_rows_of_a_command_that_failed_do_not_count
    says 'squeue', framed([row(7)[:squeue]]), code: 1, err: "squeue: error: half\n"
    refused 69, /half/
  end

  %w[scontrol sacct squeue].each do |name|
    define_method(:"test_#{name}_that_hangs") do
      File.write(File.join(@bin, name), "#!/bin/sh\nexec sleep 60\n", perm: 0o755)
      assert_promised(2) do
        start = now
        refused 75, /\A#{name} did not answer within 0\.\d+ s and was killed\.\z/, seconds: 1
        now - start
      end
    end
  end

  def test_no_time_at_all
    refused 75, /No time was left to run scontrol/, seconds: 0
  end
end
