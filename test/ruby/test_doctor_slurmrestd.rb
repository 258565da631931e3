# frozen_string_literal: true

require_relative 'fake_slurm'
require_relative 'fake_slurmrestd'
require_relative 'healthy_host'

# What doctor says where Slurm is asked by its slurmrestd.
class TestDoctorSlurmrestd < DoctorTest
  include Slurmrestds

  def setup
    super
    env_file "MULTITENANT_SLURMRESTD=#{rest.url}", "MULTITENANT_SLURMRESTD_TOKEN=#{token}"
    answer = { uid: 1001, user: 'prof', group_gid: 3000, publisher_in_group: true }
    File.write(File.join(host.lib, 'multitenant/multitenant-names'),
               "#!/bin/sh\necho '#{JSON.generate(answer)}'\necho '{\"end\":1}'\n", perm: 0o755)
  end

  # How long Slurm took is nothing here.
  def told(state, seen, fix = nil, themes: 'Accounting', what: 'slurmrestd', **options)
    assert_told(themes, state, what, seen, fix, as: nil, alone: false, **options)
  end

  def test_all_is_well
    told 'ok', /unix:.* is asked with the token in .*token \(of backup\), which is good until \d{4}-\S+ \S+ UTC\./
    assert_match(/^(?:ok  |warn)  Slurm: hpc answered in .* \(slurmrestd\): 1 running job/, done.out)
    %w[WCKey PrivateData].each do |what|
      assert_includes done.out, "skip  #{what}: hpc: slurmrestd does not tell how Slurm is configured."
    end
    token(exp: nil)
    told 'ok', /which has no end/
    File.unlink(File.join(host.lib, 'multitenant/multitenant-query'))
    told 'skip', /Slurm is asked by slurmrestd/, themes: 'GemFiles', what: 'multitenant-query'
  end

  def test_a_token_that_ends
    token(exp: Time.now.to_i + 80_000)
    told 'warn', /which ends at \d{4}-/, /Write a new one there before/
    token(exp: 1_700_000_000)
    told 'FAIL', /The token in .*token \(of backup\) expired at 2023-11-14/,
         /`scontrol token username=backup lifespan=/
    assert_match(/^FAIL  Slurm: .*expired/, done.out)
  end

  # As `scontrol token` prints it for root, who is Slurm's administrator.
  def test_a_token_of_roots
    token(sun: 'root')
    told 'warn', /\(of root\): whoever gets it can do everything in Slurm/,
         /`scontrol token username=multitenant lifespan=/
    token(sun: 'root', exp: 1_700_000_000)
    told 'FAIL', /expired at/, /`scontrol token username=multitenant lifespan=/
  end

  def test_a_token_that_is_open_or_not_there
    token(mode: 0o644)
    told 'FAIL', /is open to other users: run `chmod 0600/, /Correct that/
    assert_empty rest.asked
    env_file "MULTITENANT_SLURMRESTD=#{rest.url}"
    told 'FAIL', /No token for unix:/, /MULTITENANT_SLURMRESTD_TOKEN/
  end

  # Root looks at that of the agent's account, and at no user's.
  def test_a_token_of_another_account
    path = token
    File.chown(990, 990, path)
    told 'ok', /is good until/
    File.chown(2001, 2001, path)
    told 'FAIL', /belongs to uid 2001/, /Correct that/
    env_file "MULTITENANT_SLURMRESTD=#{rest.url}", "MULTITENANT_SLURMRESTD_TOKEN=#{path}",
             'MULTITENANT_SNAPSHOT=/run/multitenant'
    File.chown(0, 0, path)
    told 'warn', /is root's, so that the agent can't read it/, /chown multitenant/
    File.chown(990, 990, path)
    told 'ok', /is good until/
  end

  # The agent alone needs it.
  def test_a_user_whose_host_has_a_snapshot
    rest = ["MULTITENANT_SLURMRESTD=#{self.rest.url}", "MULTITENANT_SLURMRESTD_TOKEN=#{token}"]
    env_file(*rest, 'MULTITENANT_SNAPSHOT=/run/multitenant')
    assert_told 'Accounting', 'skip', 'slurmrestd', /may not read the token, and has the snapshot/, alone: false
    assert_includes done.out, 'skip  Slurm: hpc: dashboards read the snapshot'
    env_file(*rest)
    assert_told 'Accounting', 'FAIL', 'slurmrestd', /can't be read: Permission denied/, /Correct that/, alone: false
  end

  def test_a_user_who_may_not_see_all
    rest.admin = 'None'
    told 'warn', /hpc: the user of that token may not see all jobs/,
         /adminlevel=operator.*`sees: all`.* restart the agent/
  end

  # As it is written in Open OnDemand's file of the cluster.
  def test_the_clusters_own
    host.write(HealthyHost::CLUSTER, <<~YAML)
      v2:
        job: {adapter: slurm, cluster: hpc, submit_host: login1}
        custom: {multitenant: {slurmrestd: "#{rest.url}", token: "#{token}", sees: all}}
    YAML
    env_file
    rest.admin = 'None'
    told 'ok', /is good until/
    refute_includes rest.paths.join, '/user/'
  end

  def test_a_setting_that_could_mean_any_of_several_clusters
    custom = { 'multitenant' => { 'slurmrestd' => rest.url, 'token' => token } }
    %w[hpc two].each do |name|
      host.write(HealthyHost::CLUSTER.sub('hpc', name),
                 YAML.dump('v2' => { 'job' => { 'adapter' => 'slurm', 'cluster' => name }, 'custom' => custom }))
    end
    env_file "MULTITENANT_SLURMRESTD=#{rest.url}", 'MULTITENANT_TIMEOUT=30' # how long Slurm took is nothing here
    told 'warn', /SLURMRESTD is of no cluster, since Open OnDemand knows several/, /custom: /
  end

  def test_it_does_not_answer
    rest.say(/jobs/, '502 BAD GATEWAY', rest.error(7000))
    told 'FAIL', /hpc: slurmrestd failed: why, 7000/, /slurmrestd's own log/, what: 'Slurm', code: 69
  end
end
