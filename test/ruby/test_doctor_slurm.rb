# frozen_string_literal: true

require_relative 'healthy_host'
require_relative 'munged'
require_relative 'sealing_v2'

# With one thing broken: what is said of Slurm, MUNGE and groups, and the fix.
class TestDoctorSlurm < DoctorTest
  # ---- Slurm ----

  def test_slurm_does_not_answer
    host.query('', "echo 'multitenant-query: slurmdbd refused' >&2; exit 69")
    assert_told 'Accounting', 'FAIL', 'Slurm', /hpc: slurmdbd refused/, /scontrol ping/, code: 69
    assert_equal 69, done.code
    ['Cluster mapping', 'WCKey users'].each { |what| assert_includes done.out, "skip  #{what}: " }
    assert_includes doctor('Identity'), 'skip  Groups of services: Slurm did not answer'
    host.write(HealthyHost::ENV_FILE, '')
    doctor('Setup,Accounting')
    assert_equal 78, done.code
  end

  def test_slurm_is_configured_wrongly_or_slow
    host.query('', "echo 'multitenant-query: SLURM_CONF names nothing' >&2; exit 65")
    assert_told 'Accounting', 'FAIL', 'Slurm', /SLURM_CONF names nothing/, /multitenant jobs/
    host.query(stream(job(7)), 'sleep 0.2')
    assert_told 'Accounting', 'warn', 'Slurm', /1 running job has the WCKey.* over 0\.15 s/, /MULTITENANT_SNAPSHOT/
    # Then pages wait for no question.
    env_file 'MULTITENANT_SNAPSHOT=/run/multitenant'
    assert_told 'Accounting', 'ok', 'Slurm', /1 running job has the WCKey/
  end

  def test_jobs_are_hidden
    host.query(stream(job(7), sees: 'own'))
    assert_told 'Accounting', 'warn', 'PrivateData', /hides others' jobs, so/, /adminlevel=operator/
    env_file 'MULTITENANT_SNAPSHOT=/run/multitenant'
    assert_told 'Accounting', 'ok', 'PrivateData', /hides others' jobs, but dashboards read a snapshot/
    env_file
    host.query(stream(job(7)))
    host.config(PrivateData: 'accounts,jobs')
    assert_told 'Accounting', 'warn', 'PrivateData', /hides others' jobs, so/, /MULTITENANT_SNAPSHOT/, as: nil
    # slurmdbd has a PrivateData of its own, from which root sees all, too.
    host.config
    host.query(stream(job(7), private_jobs: true))
    assert_told 'Accounting', 'warn', 'PrivateData', /hides others' jobs, so/, /MULTITENANT_SNAPSHOT/, as: nil
    # By Slurm's commands an operator is not known.
    host.query('', 'exit 78')
    host.program('sacct', 'true')
    assert_told 'Accounting', 'warn', 'PrivateData', /hides others' jobs, so/, /\A *Slurm's commands.* slurmrestd/,
                alone: false
  end

  def test_wckeys
    host.config(AccountingStorageEnforce: 'associations')
    assert_told 'Accounting', 'warn', 'WCKey', /anybody may publish under multitenant/,
                %r{doc/wckeys\.md, .*AccountingStorageEnforce=associations,wckeys in slurm\.conf}
    env_file 'MULTITENANT_PUBLISHERS=students'
    assert_told 'Accounting', 'ok', 'WCKey', /only members of students/
    env_file
    host.config(TrackWCKey: 'No')
    assert_told 'Accounting', 'warn', 'WCKey', /anybody may publish/, /TrackWCKey=yes/
    host.config(AccountingStorageType: 'accounting_storage/none')
    assert_told 'Accounting', 'FAIL', 'WCKey', /has no accounting/, %r{accounting_storage/slurmdbd}
    host.config
    host.program('sacctmgr', 'echo "other|hpc"; echo "multitenant|elsewhere"')
    assert_told 'Accounting', 'warn', 'WCKey users', /no user of multitenant/,
                /sacctmgr add user NAME wckeys=multitenant/
    # There nobody needs one, and it would be their first, which is their default once keys are enforced.
    host.config(TrackWCKey: 'No')
    assert_told 'Accounting', 'ok', 'WCKey users', /anybody may use a key/, alone: false
    host.config
    host.program('sacctmgr', 'echo "multitenant|hpc"')
    assert_told 'Accounting', 'ok', 'WCKey users', /cancel their jobs, also those that wait/
    host.program('sacctmgr', 'echo "Your user doesn\'t have privilege to perform this action" >&2; exit 1')
    assert_told 'Accounting', 'skip', 'WCKey users', /only Slurm.s operators/
  end

  # A site's limits hold no longer where what enforces them goes.
  def test_what_is_enforced_stays_so_where_keys_are_to_be
    { 'none' => 'associations,wckeys', 'associations,limits,qos,safe' => 'associations,limits,qos,safe,wckeys' }
      .each do |now, fix|
      host.config(AccountingStorageEnforce: now)
      assert_told 'Accounting', 'warn', 'WCKey', /anybody may publish/, /AccountingStorageEnforce=#{fix} in slurm\.conf/
    end
  end

  def test_clusters
    host.write(HealthyHost::CLUSTER, File.read(host.at(HealthyHost::CLUSTER)).sub('cluster: hpc', 'cluster: other'))
    assert_told 'Accounting', 'FAIL', 'Cluster mapping', /no cluster in Open OnDemand is Slurm's hpc/,
                /`cluster: hpc`/
    host.write(HealthyHost::CLUSTER, "v2: {job: {adapter: torque}}\n")
    assert_told 'Accounting', 'FAIL', 'Clusters', /no cluster in .* has `adapter: slurm`/, /cluster: NAME/, alone: false
    host.write(HealthyHost::CLUSTER, "v2: {job\n")
    doctor('Accounting')
    assert_match(/^FAIL  Clusters: .*hpc\.yml is not valid YAML: .*\n      Correct it\.$/, done.out)
  end

  # As sites say who has a cluster: what is closed on purpose is no fault, and no fix opens it.
  def test_a_cluster_that_this_user_may_not_read
    host.write('/etc/ood/config/clusters.d/ascend.yml', "v2: {job: {adapter: slurm, cluster: ascend}}\n")
    file = host.at('/etc/ood/config/clusters.d/ascend.yml')
    File.chmod(0o640, file)
    assert_told 'Accounting', 'skip', 'Clusters', /can't read .*ascend\.yml, so in Open OnDemand they do not have/,
                alone: false
    assert_includes done.out, 'ok    Clusters: Open OnDemand knows hpc as a Slurm cluster.'
    refute_match(/chmod/, done.out)
    File.chmod(0o640, host.at(HealthyHost::CLUSTER))
    assert_told 'Accounting', 'FAIL', 'Clusters', /ascend\.yml.* nor any other cluster\./,
                /ls -l .*is this user to have one/, alone: false
    refute_match(/chmod|has `adapter: slurm`/, done.out)
    File.chmod(0o711, File.dirname(file))
    assert_told 'Accounting', 'FAIL', 'Clusters', /can't read .*clusters\.d, .* nor any other cluster\./,
                /ls -l .*is this user to have one/, alone: false
    refute_match(/chmod|has `adapter: slurm`/, done.out)
    assert_includes doctor('Accounting', as: nil), 'ok    Clusters: Open OnDemand knows ascend, hpc as Slurm clusters.'
  end

  def test_two_clusters_of_which_one_is_silent
    host.write('/etc/ood/config/clusters.d/b.yml',
               "v2: {job: {adapter: slurm, conf: #{host.at('/b.conf')}, bin: #{host.at('/bin')}}}\n")
    host.query(stream(job(7)), "[ \"$SLURM_CONF\" = #{host.at('/b.conf')} ] && exit 75")
    assert_told 'Accounting', 'FAIL', 'Slurm', /b\.conf: The query program failed with status 75/, /scontrol ping/,
                code: 69
    assert_includes done.out, 'ok    Slurm: hpc answered'
  end

  # ---- identity ----

  def test_munge
    host.program('unmunge', 'echo "STATUS:          Rewound credential (16)"; exit 16')
    assert_told 'Identity', 'FAIL', 'munged', /can't open: Rewound credential \(16\)/, /chronyc makestep/
    host.program('munge', 'echo "munge: Error: Failed to access" >&2; exit 6')
    assert_told 'Identity', 'FAIL', 'munged', /it made no credential: munge failed: munge: Error: Failed to access/,
                /systemctl enable --now munge/
  end

  # As with auth/slurm, whose packages bring the programs.
  def test_a_munged_that_nothing_needs
    host.program('munge', 'echo "munge: Error: Failed to access" >&2; exit 6')
    host.config(AuthType: 'auth/slurm')
    assert_told 'Identity', 'FAIL', 'munged', /it made no credential/, /systemctl .* let MULTITENANT_ENVELOPES accept/
    env_file 'MULTITENANT_ENVELOPES=key'
    assert_told 'Identity', 'skip', 'munged', /nothing here needs it, and it made no credential: munge failed: munge/
    site = File.join(File.dirname(HealthyHost::APP), 'multitenant-llm/site.yml')
    host.write(site, "cluster: hpc\ngateway: auto\n")
    assert_told 'Identity', 'FAIL', 'munged', /it made no credential/, /systemctl .* no service app have a gateway/
    File.unlink(host.at(site))
    host.config(AuthType: 'auth/munge')
    assert_told 'Identity', 'FAIL', 'munged', /it made no credential/, %r{log/munge/munged\.log\.\z}
    host.program('scontrol', 'exit 1')
    assert_told 'Identity', 'FAIL', 'munged', /it made no credential/, %r{log/munge/munged\.log\.\z}
  end

  # As on a web host with `submit_host`.
  def test_cards_let_nobody_in_where_there_is_no_munge
    %w[munge unmunge].each { |name| File.unlink(host.at("/bin/#{name}")) }
    File.symlink(MultiTenant::Program.find('setpriv', ENV.fetch('PATH')), host.at('/bin/setpriv'))
    env = { 'PATH' => host.at('/bin') }
    # A client that has no cluster yet.
    host.write(File.join(File.dirname(HealthyHost::APP), 'multitenant-jupyter/site.yml'), "cluster: \"\"\n")
    assert_told 'Identity', 'skip', 'munged', /munge is not installed on this host\.\z/, env: env
    host.write(File.join(File.dirname(HealthyHost::APP), 'multitenant-llm/site.yml'), "cluster: hpc\ngateway: auto\n")
    assert_told 'Identity', 'warn', 'munged', /not installed on this host, so no card lets anybody in/,
                /Install munge here.*`multitenant login`/, env: env
  end

  # A package of munge makes one as it is installed.
  def test_a_munged_with_a_key_of_its_own
    skip_unless(File.executable?(MultiTenant::Credentials::PROGRAM), 'multitenant-munge is not built')
    here, nodes = %w[here nodes].map { |name| Munged.new(File.join(temporary, name).tap { |dir| Dir.mkdir(dir) }) }
    File.chmod(0o755, temporary)
    env_file "MULTITENANT_MUNGE_SOCKET=#{here.socket}"
    host.query(stream(sealed(7, nodes), sealed(8, nodes), job(9, name: 'l|students|MTK1:x')))
    assert_told 'Sealing', 'warn', 'Envelopes', /opens none of the 2 that are sealed by it on hpc/,
                /`munge -n \| ssh NODE unmunge`.*copy munge\.key.* oneself alone .*MULTITENANT_ENVELOPES/
    host.query(stream(sealed(7, nodes), sealed(8, here)))
    assert_told 'Sealing', 'ok', 'Envelopes', /sealed: 2 with munge\./
    host.query(stream(sealed(7, nodes, group_gid: 101)))
    assert_told 'Sealing', 'ok', 'Envelopes', /sealed: 1 with munge\./
  ensure
    [here, nodes].each { |munged| munged&.stop }
  end

  # munged opens it for whose primary group that is, whatever the name service knows.
  def sealed(id, munged, **record)
    text = SealingV2.message({ cluster: 'hpc', job_id: id, group: 'students', restarts: 0 },
                             id: format('%08x-0000-4000-8000-000000000000', id), app: 'App', method: 'card',
                             delivery: 'sys/multitenant-delivery_default', conn: { host: 'n1' })
    credential = munged.encode(text, "--restrict-gid=#{VIEWER}", as: %w[--reuid 1001 --regid 1001 --clear-groups])
    job(id, name: "l|students|#{credential}", group_gid: VIEWER, **record)
  end

  def test_slurm_s_own_munged_is_asked
    host.write('/slurm.conf', "ClusterName=hpc\nAuthInfo=cred_expire=10,socket=/run/ours\n")
    host.program('munge', 'case "$*" in *--socket=/run/ours*) echo MUNGE:x: ;; *) exit 1 ;; esac')
    assert_includes doctor('Identity', env: { 'SLURM_CONF' => host.at('/slurm.conf') }), 'ok    munged: '
  end

  def test_what_services_are_sealed_with
    assert_told 'Sealing', 'warn', 'Envelopes', /sealed: 1 with v1\. Every user of the cluster can read/,
                /old_readers: "no".* where munged knows users' groups .*"key"` once groups have keys/
    # One that is kept running, or a job of somebody's own.
    host.write("#{File.dirname(HealthyHost::APP)}/multitenant-llm/site.yml", "cluster: hpc\nenvelope: munge\n")
    assert_told 'Sealing', 'warn', 'Envelopes', /sealed: 1 with v1\. Every user/,
                /No service app that .* shares in v1 any more\. .* kept running, until its owner deletes it/
    host.query(stream(job(7).merge(name: 'l|students|MUNGE:AAAA:'), job(8).merge(name: 'l|students|MTK1:x')))
    assert_told 'Sealing', 'ok', 'Envelopes', /sealed: 1 with munge, 1 with key\./
    host.query(stream)
    assert_told 'Sealing', 'ok', 'Envelopes', /nothing is shared now/
    program = File.join(host.lib, 'multitenant/multitenant-munge')
    File.write(program, "#!/bin/sh\necho no libmunge >&2; exit 127\n")
    assert_told 'GemFiles', 'warn', 'multitenant-munge',
                /could not be started \(no libmunge\)\. What munge seals is not shown, and no card/,
                /libmunge-dev.*gem pristine/
    File.unlink(program)
    assert_told 'GemFiles', 'warn', 'multitenant-munge', /was not built/,
                /gem pristine.* Or let MULTITENANT_ENVELOPES accept no munge, .* and no service app has a gateway/
    env_file 'MULTITENANT_ENVELOPES=v1'
    assert_told 'GemFiles', 'skip', 'multitenant-munge', /does not accept munge/
  end

  def test_keys_that_are_not_on_this_host
    assert_includes doctor('Sealing'), "skip  Groups' keys: nothing is sealed by one"
    sealed = "l|students|MTK1:#{["\xa1\xb2\xc3\xd4#{'x' * 41}"].pack('m0').tr('+/', '-_')}"
    groups = [{}, { group_gid: 101 }, { group_gid: -1, publisher_in_group: false },
              { group_gid: nil, publisher_in_group: nil }]
    host.query(stream(*groups.map.with_index(7) { |group, id| job(id, name: sealed, **group) }))
    env_file 'MULTITENANT_KEYS=/keys'
    missing = /of group 3000 can't be used: .* is not there/
    assert_told 'Sealing', 'warn', 'Groups\' keys', missing, /Copy the file .*multitenant key new.*only where no host/
    host.write('/keys/3000', "00000001 #{['k' * 32].pack('m0')} 1\n")
    assert_told 'Sealing', 'warn', 'Groups\' keys', %r{/keys/3000 does not belong to root and this group}, /0440/
    File.chown(0, 3000, host.at('/keys/3000'))
    File.chmod(0o440, host.at('/keys/3000'))
    assert_told 'Sealing', 'warn', 'Groups\' keys', /this host has 00000001, and not a1b2c3d4/, /Copy the file/
    File.write(host.at('/keys/3000'), "a1b2c3d4 #{['k' * 32].pack('m0')} 1\n")
    assert_told 'Sealing', 'ok', 'Groups\' keys', /has those of students/
    assert_told 'Sealing', 'warn', 'Groups\' keys', / group 101 can't be used/, /Copy the file/, as: 0
    env_file 'MULTITENANT_ENVELOPES=munge'
    assert_told 'Sealing', 'skip', 'Groups\' keys', /does not accept key/
  end

  # SSSD with ignore_group_members, or those whose primary group it is without enumerate.
  def test_v1_where_the_name_service_lists_no_members
    host.query(stream)
    assert_includes doctor('Sealing'), "skip  Lists of members: no service app sends v1.\n"
    host.write("#{File.dirname(HealthyHost::APP)}/multitenant-llm/site.yml", "cluster: hpc\nenvelope: v1\n")
    list = lambda do |group, account = ''|
      host.program('getent', %([ "$1" = group ] && echo '#{group}' || echo '#{account}'))
    end
    list['students:x:3000:ann']
    host.query(stream(job(7)))
    assert_told 'Sealing', 'warn', 'Lists of members', /of students are missing .*ignore_group_members.*enumerate/,
                /old_readers: "no".*--to/, alone: false
    assert_told 'Sealing', 'warn', 'Lists of members', /of students are missing/, /--to/, alone: false, as: 0
    list['students:x:3000:ann,prof']
    assert_told 'Sealing', 'ok', 'Lists of members', /lists the members/, alone: false, as: 0
    list['students:x:3000:', 'prof:x:1001:3000:::']
    assert_told 'Sealing', 'ok', 'Lists of members', /lists the members/, alone: false, as: 0
    list['']
    assert_told 'Sealing', 'ok', 'Lists of members', /lists the members/, alone: false, as: 0
    # A group of their own, as SSSD has one for each user, and no accounts without enumerate.
    list['prof:*:3000:']
    assert_told 'Sealing', 'ok', 'Lists of members', /lists the members/, alone: false, as: 0
    list['students:x:3000:jörg']
    host.query(stream(job(7, user: 'jörg')))
    assert_told 'Sealing', 'ok', 'Lists of members', /lists the members/, alone: false, as: 0
  end

  # Whoever waits is told once, and nobody is told that members are missing.
  def test_lists_of_members_while_the_name_service_hangs
    host.write("#{File.dirname(HealthyHost::APP)}/multitenant-llm/site.yml", "cluster: hpc\nenvelope: v1\n")
    host.query(stream(*(1..20).map { |id| job(id, name: "x|g#{id}|AAAA") }))
    host.program('getent', "echo >>#{host.at('/asked')}; kill -9 $$")
    host.write('/asked', '', mode: 0o666)
    assert_told 'Sealing', 'warn', 'Lists of members', /did not answer/, /restart sssd/, alone: false
    assert_equal "\n", File.read(host.at('/asked'))
    # It answers all but the accounts.
    host.program('getent', '[ "$1" = group ] && echo students:x:3000:ann || kill -9 $$')
    assert_told 'Sealing', 'warn', 'Lists of members', /did not answer/, /restart sssd/, alone: false
    refute_match(/missing/, done.out)
  end

  # Slow, and not silent: all questions have one time together.
  def test_the_name_service_has_one_time_for_all_questions
    theme = MultiTenant::Doctor::Sealing.new(site = MultiTenant::Doctor::Site.new)
    given = []
    site.define_singleton_method(:run) do |*, seconds:|
      given << seconds
      MultiTenant::Program::Result.new(out: '', exit: seconds < 4 ? nil : 2, seconds: [seconds, 4].min)
    end
    20.times { theme.send(:name_service, 'group', '--', 'x') }
    assert_equal [5, 5, 2], given
    assert_equal ['the name service did not answer.'], theme.findings.map(&:seen)
  end

  def a_munged_that_does_not_know_the_group
    host.program('munge', 'case "$*" in *--restrict-gid=3000*) echo MUNGE:g: ;; *) echo MUNGE:x: ;; esac')
    host.program('unmunge',
                 'read -r made; [ "$made" = MUNGE:x: ] || { echo "STATUS: Unauthorized credential (18)"; exit 18; }')
  end

  def test_munged_does_not_know_a_group
    a_munged_that_does_not_know_the_group
    assert_told 'Identity', 'warn', 'munged\'s groups', /this user is in group 3000/,
                /restart munge`\. If that helps, start munged here and on the nodes with --group-check-mtime=0/
  end

  # As `install` has it where groups are SSSD's, which is not to enumerate a directory for a munged that nothing needs.
  def test_a_munged_that_knows_no_groups_where_all_is_sealed_by_key
    a_munged_that_does_not_know_the_group
    host.query(stream(job(7, name: 'l|students|MTK1:x')))
    assert_told 'Identity', 'skip', 'munged\'s groups', /group 3000, but all is sealed by key here/
    host.write("#{File.dirname(HealthyHost::APP)}/multitenant-llm/site.yml", "cluster: hpc\nenvelope: munge\n")
    assert_told 'Identity', 'warn', 'munged\'s groups', /this user is in group 3000/, /let service apps seal by key/
    host.write("#{File.dirname(HealthyHost::APP)}/multitenant-llm/site.yml", "cluster: hpc\nenvelope: key\n")
    host.query(stream)
    assert_told 'Identity', 'skip', 'munged\'s groups', /group 3000, but all is sealed by key here/
    host.query(stream(job(7, name: 'l|students|MUNGE:AAAA:')))
    assert_told 'Identity', 'warn', 'munged\'s groups', /this user is in group 3000/, /let service apps seal by key/
    host.query(stream(job(7, name: 'l|größe|MUNGE:AAAA:')))
    assert_told 'Identity', 'warn', 'munged\'s groups', /this user is in group 3000/, /let service apps seal by key/,
                alone: false
    # Somebody's, for themselves alone.
    host.query(stream(job(7, name: 'l|prof|MUNGE:AAAA:', group_gid: 1001)))
    assert_told 'Identity', 'skip', 'munged\'s groups', /group 3000, but all is sealed by key here/, alone: false
  end

  def test_when_munged_is_not_asked_about_groups
    env_file 'MULTITENANT_ENVELOPES=v1'
    assert_told 'Identity', 'skip', 'munged\'s groups', /does not accept munge/
    env_file
    host.program('munge', 'exit 6')
    assert_includes doctor('Identity'), 'skip  munged\'s groups: it does not answer'
  end

  def test_own_groups
    host.names(2001, 4000)
    assert_told 'Identity', 'warn', 'Your groups', /still has 3000 and lacks 4000/, /restart the web server/
    host.names
    assert_told 'Identity', 'warn', 'Your groups', /does not know this user/, /getent passwd 2001/
    File.write(File.join(host.lib, 'multitenant/multitenant-names'), "#!/bin/sh\nexit 75\n")
    assert_told 'Identity', 'warn', 'Your groups', /did not answer/, /restart sssd/
  end

  def test_groups
    host.query(stream(job(7, name: "x|evil\e[2J'grp|#{'A' * 8}")))
    assert_told 'Identity', 'ok', 'Groups of services', /with a group now/
    host.query(stream(job(7, name: "x|stud'ents|#{'A' * 8}")))
    assert_told 'Identity', 'warn', 'Groups of services', /shared with stud'ents, which is no group/,
                /getent group NAME/
    refute_includes done.out, 'ok    Groups of services'
    names = %w[../../etc a;reboot c d e f]
    host.query(stream(*names.map.with_index(1) { |name, id| job(id, name: "x|#{name}|AAAA") }))
    assert_told 'Identity', 'warn', 'Groups of services', %r{with \.\./\.\./etc, a;reboot, .* and 1 more, which are no},
                /getent group NAME((?!etc|reboot).)*\z/
    host.query(stream(job(7)))
    env_file 'MULTITENANT_PUBLISHERS=students'
    assert_includes doctor('Identity'), 'ok    Groups of services: students (MULTITENANT_PUBLISHERS) is a group.'
    env_file 'MULTITENANT_PUBLISHERS=a:b'
    assert_told 'Identity', 'FAIL', 'Groups of services', /MULTITENANT_PUBLISHERS makes no sense/, /Correct it/,
                alone: false
    env_file 'MULTITENANT_PUBLISHERS=students,teachers'
    assert_told 'Identity', 'FAIL', 'Groups of services', /teachers .*nobody may publish/, /getent group teachers/,
                alone: false
    env_file 'MULTITENANT_PUBLISHERS=LAB\\staff'
    assert_told 'Identity', 'FAIL', 'Groups of services', /LABstaff/, /with a \\ needs ' around it/, alone: false
    env_file "MULTITENANT_PUBLISHERS='LAB\\staff'"
    assert_told 'Identity', 'FAIL', 'Groups of services', /LAB\\staff/, /getent group LAB/, alone: false
  end

  # getent takes digits alone for a gid, whatever the group is called.
  def test_a_group_whose_name_is_a_number
    host.query(stream(job(7, name: 'x|301|AAAA')))
    env_file 'MULTITENANT_PUBLISHERS=301'
    told = ->(gid) { "#!/bin/sh\necho '#{JSON.generate(uid: 2001, group_gid: gid)}'\necho '{\"end\":1}'\n" }
    program = File.join(host.lib, 'multitenant/multitenant-names')
    File.write(program, told[70_301])
    assert_includes doctor('Identity'), 'ok    Groups of services: 301 (MULTITENANT_PUBLISHERS) is a group.'
    assert_includes done.out, 'ok    Groups of services: the name service knows 301.'
    File.write(program, told[-1])
    assert_told 'Identity', 'FAIL', 'Groups of services', /301 .* is no group/, /Correct it/, alone: false
    File.write(program, told[nil])
    assert_told 'Identity', 'warn', 'Groups of services', /did not answer/, /restart sssd/, alone: false
    refute_match(/301/, done.out)
  end

  # A look-up that is killed at its deadline does not make a group unknown, and the others are not waited for.
  def test_groups_while_the_name_service_hangs
    host.program('getent', "echo >>#{host.at('/asked')}; kill -9 $$")
    host.write('/asked', '', mode: 0o666)
    env_file 'MULTITENANT_PUBLISHERS=students,teachers'
    host.query(stream(*%w[a b c].map.with_index(1) { |name, id| job(id, name: "x|#{name}|AAAA") }))
    assert_told 'Identity', 'warn', 'Groups of services', /did not answer/, /restart sssd/
    assert_equal "\n", File.read(host.at('/asked'))
  end
end
