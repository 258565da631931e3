# frozen_string_literal: true

require_relative 'healthy_host'

# Where Slurm's commands run on another host, by `submit_host` or by wrappers of the site's: what this host then lacks
# is no fault.
class TestDoctorElsewhere < DoctorTest
  DENIED = 'echo "root@login1: Permission denied (publickey)." >&2; exit 255'

  def setup
    super
    env_file 'MULTITENANT_TIMEOUT=30' # how long Slurm took is nothing here
  end

  def by_ssh(body)
    host.write(HealthyHost::CLUSTER, "v2: {job: {adapter: slurm, cluster: hpc, submit_host: login1}}\n")
    host.program('ssh', body)
  end

  # What they ask answers; sacct and sacctmgr are not there.
  def by_wrappers(body = 'exit 0')
    wrappers = %w[squeue scontrol].map { |name| "#{name}: #{host.at("/wrappers/#{name}")}" }
    host.write(HealthyHost::CLUSTER,
               "v2: {job: {adapter: slurm, cluster: hpc, bin: /nowhere, bin_overrides: {#{wrappers.join(', ')}}}}\n")
    host.write('/wrappers/squeue', "#!/bin/sh\n#{body}\n", mode: 0o755)
    config = HealthyHost::CONFIG.map { |pair| "echo '#{pair.join(' = ')}'" }
    host.write('/wrappers/scontrol', "#!/bin/sh\n#{body == 'exit 0' ? config.join("\n") : body}\n", mode: 0o755)
  end

  def without_query_program
    File.unlink(File.join(host.lib, 'multitenant/multitenant-query'))
  end

  # ---- Slurm ----

  def test_slurm_behind_ssh
    by_ssh('echo "Permission denied" >&2; exit 255')
    assert_told 'Accounting', 'FAIL', 'Slurm', /ssh to login1 failed/, /`ssh login1` works.* there with `scontrol/,
                code: 69
    # No dashboard is root's, and no login node need let root in from a web host.
    assert_told 'Accounting', 'skip', 'Slurm', /run this as a user, .*: ssh to login1 failed: .*Permission denied/,
                as: nil
  end

  # Root got there, and Slurm is what does not answer.
  def test_slurm_that_is_down_behind_ssh_is_told_root_too
    by_ssh('echo "sacct: error: Connection refused" >&2; exit 1')
    assert_told 'Accounting', 'FAIL', 'Slurm', /Connection refused/, /./, as: nil, code: 69
  end

  def test_slurm_behind_wrappers
    by_wrappers
    without_query_program
    doctor('Accounting')
    assert_match(/^warn  Slurm: .* commands are asked instead\.\n +Where .* by the wrappers .* leave it so;/, done.out)
    assert_told 'GemFiles', 'warn', 'multitenant-query', /was not built/, /gem pristine.* Or leave it so .*wrappers/
    by_wrappers(DENIED)
    assert_told 'Accounting', 'skip', 'Slurm', /run this as a user, .*Permission denied/, as: nil
    assert_told 'Accounting', 'FAIL', 'Slurm', /Permission denied/, /multitenant jobs/
    by_wrappers('echo "Host key verification failed." >&2; exit 255')
    assert_told 'Accounting', 'skip', 'Slurm', /run this as a user, .*Host key/, as: nil
  end

  # The agent's account may have no key for ssh.
  def test_slow_wrappers
    by_wrappers
    without_query_program
    host.write('/wrappers/squeue', "#!/bin/sh\nsleep 0.2\n", mode: 0o755)
    doctor('Accounting')
    assert_match(/^warn  Slurm: .* over 0\.15 s.*\n.* makes it quick, where the wrappers let its account in/, done.out)
  end

  # ---- what is asked there alone ----

  def test_no_query_program_is_needed_behind_ssh
    by_ssh(DENIED)
    without_query_program
    doctor('GemFiles')
    %w[multitenant-query libslurm].each { |what| assert_includes done.out, "skip  #{what}: Slurm is asked by" }
    # One cluster of two is enough to need it.
    host.write('/etc/ood/config/clusters.d/two.yml', "v2: {job: {adapter: slurm, cluster: two}}\n")
    assert_told 'GemFiles', 'warn', 'multitenant-query', /was not built\./, /gem pristine((?!leave it so).)*\z/
  end

  # The login node has the one that Slurm's commands need; packages of Slurm's bring the programs.
  def test_a_munged_that_only_the_login_node_needs
    host.program('munge', 'echo "munge: Error: Failed to access" >&2; exit 6')
    by_ssh(DENIED)
    assert_told 'Identity', 'FAIL', 'munged', /it made no credential/,
                /systemctl .*with the munge\.key of Slurm's hosts.* let MULTITENANT_ENVELOPES accept no munge/, as: nil
    env_file 'MULTITENANT_ENVELOPES=key', 'MULTITENANT_TIMEOUT=30'
    assert_told 'Identity', 'skip', 'munged', /nothing here needs it, and it made no credential/, as: nil
    by_wrappers
    assert_told 'Identity', 'skip', 'munged', /nothing here needs it, and it made no credential/
  end

  # Open OnDemand's policy lets dashboards use ssh by another boolean.
  def test_selinux_that_keeps_dashboards_from_munged_alone
    host.write('/sys/fs/selinux/enforce', '1')
    host.program('getsebool', 'echo "ondemand_use_slurm --> off"')
    by_ssh(DENIED)
    assert_told 'Machine', 'warn', 'SELinux', /by ssh all the same, but can't ask munged/,
                /Leave it so .*setsebool -P ondemand_use_slurm=on/
    host.program('stat', 'echo system_u:object_r:lib_t:s0')
    assert_told 'Machine', 'FAIL', 'SELinux', /is labelled as a library/, /restorecon/, alone: false
  end

  # The agent's account has no key there, and need have none.
  def test_a_snapshot_without_the_cluster_behind_ssh
    by_ssh('while [ "$1" != login1 ]; do shift; done; shift; exec sh -c "$*"')
    %w[squeue sacct].each { |name| host.program(name, 'exit 0') }
    env_file 'MULTITENANT_SNAPSHOT=/run/multitenant', 'MULTITENANT_TIMEOUT=30', 'MULTITENANT_TTL=300'
    dbd = ->(hides) { "printf '\\nSlurmDBD configuration:\\nPrivateData = #{hides}\\nSLURMDBD_VERSION = 22.05.8\\n'" }
    host.program('sacctmgr', dbd['none'])
    fresh = { round: 'a', groups: [], generated: Time.now.to_i, cluster: 'gpu' }
    host.write('/run/multitenant/state', stream(**fresh))
    assert_told 'Machine', 'ok', 'Snapshot', /it is used; of hpc, behind submit_host, each dashboard asks itself\./
    host.program('sacctmgr', dbd['jobs'])
    host.write('/run/multitenant/state', stream(**fresh, generated: Time.now.to_i))
    assert_told 'Machine', 'warn', 'Snapshot', /has nothing of hpc: there each dashboard asks/, /leave it so where/
  end
end
