# frozen_string_literal: true

require_relative 'healthy_host'

# With one thing broken: what is said of apps and of the host, and the fix.
class TestDoctorHost < DoctorTest
  # ---- apps ----

  def test_delivery_apps
    FileUtils.mkdir_p(File.join(File.dirname(host.lib), 'apps-delivery/multitenant-delivery_default'))
    view = "#{HealthyHost::APP}/view.html.erb"
    File.chmod(0o600, host.at(view))
    assert_told 'Apps', 'FAIL', 'Delivery apps', /not every user can read .*view/, /chmod 0644/
    File.chown(VIEWER, VIEWER, host.at(view))
    assert_told 'Apps', 'FAIL', 'Delivery apps', /users other than root.*view\.html\.erb/, /chown root/
    File.unlink(host.at(view))
    assert_told 'Apps', 'FAIL', 'Delivery apps', /there is no .*view\.html\.erb/, /multitenant install/
    File.chmod(0o750, host.at(HealthyHost::APP))
    assert_told 'Apps', 'FAIL', 'Delivery apps', /not every user can enter/, /chmod 0755/
    FileUtils.rm_r(host.at(HealthyHost::APP))
    assert_told 'Apps', 'FAIL', 'Delivery apps', /no app matches sys/, /multitenant install/, alone: false
  end

  # `multitenant install` has none of these, so to say that it should be run helps nobody.
  def test_a_delivery_app_of_the_sites_own
    FileUtils.mkdir_p(File.join(File.dirname(host.lib), 'apps-delivery/multitenant-delivery_default'))
    env_file 'MULTITENANT_DELIVERY=sys/multitenant-delivery_*,sys/lab-card'
    own = /\A *It is the site's own: install it.*MULTITENANT_DELIVERY\.\z/
    assert_told 'Apps', 'FAIL', 'Delivery apps', %r{no app matches sys/lab-card}, own
    host.write('/var/www/ood/apps/sys/lab-card/view.html', '')
    assert_told 'Apps', 'FAIL', 'Delivery apps', /there is no .*lab-card.view\.html\.erb/, own
  end

  def test_what_a_publisher_names_fails_no_doctor_and_is_in_no_fix
    tokens = (7..13).to_h { |id| [id, "sys/multitenant-delivery_nothere#{id}"] }
    host.query(stream(*tokens.map { |id, token| job(id, message: { mtd: token }) }))
    [VIEWER, nil].each do |user|
      assert_told 'Apps', 'warn', 'Tokens', %r{: sys/multitenant-delivery_nothere7, which job 7 names, .* and 2 more},
                  /\A((?!nothere).)*MULTITENANT_DELIVERY((?!nothere).)*\z/, as: user
      refute_includes done.out, 'ok    Tokens'
    end
    host.query(stream(job(7, message: { mtd: 'sys/../../etc' })))
    assert_told 'Apps', 'ok', 'Tokens', /names one now/, as: nil
  end

  def test_hosts_that_are_not_the_jobs_own
    assert_told 'Apps', 'ok', 'Hosts of services', /no button leads to a host that is not/
    assert_told 'Apps', 'skip', 'Hosts of services', /a member of a service's group has/, as: nil
    host.query(stream(job(7), job(9, nodes: nil)))
    assert_told 'Apps', 'warn', 'Hosts of services', /nodes of job 9 are not known/,
                /PrivateData may hide.*multitenant-agent/
    host.query(stream(job(7), job(8, connection: { host: 'n1.evil.example' })))
    env_file 'MULTITENANT_NODE_DOMAINS=example.edu'
    assert_told 'Apps', 'warn', 'Hosts of services', /the host that job 8 names is none of its nodes'/,
                /\A((?!evil).)*MULTITENANT_NODE_DOMAINS \(now example\.edu\)\. ((?!evil).)*NodeAddr((?!evil).)*\z/
  end

  def test_the_settings_of_apps
    file = host.at('/var/www/ood/apps/sys/multitenant-llm/site.yml')
    assert_includes doctor('Apps'), 'skip  App settings: no app'
    host.write('/var/www/ood/apps/sys/multitenant-llm/site.yml', "cluster: hpc\n")
    assert_includes doctor('Apps'), "ok    App settings: each value makes sense in #{File.dirname(file)}."
    File.write(file, "cluster: hpc\nkinds: vllm,olama\n")
    assert_told 'Apps', 'FAIL', 'App settings', /#{file}, line 2: kinds takes .* not "olama"/, /Correct that/
    File.chmod(0o600, file)
    assert_includes doctor('Apps'), 'skip  App settings: no app'
  end

  # A value may make sense, and nobody ever gets a card, or a form.
  def test_the_settings_of_apps_beside_those_of_dashboards
    host.write('/var/www/ood/apps/sys/multitenant-llm/site.yml', "cluster: hpc\nwckey: Other\n")
    assert_told 'Apps', 'warn', 'App settings', /-llm shares under the WCKey Other, .* ask for multitenant, so/,
                /`wckey:` .*MULTITENANT_WCKEY/
    env_file 'MULTITENANT_WCKEY=*OTHER'
    assert_includes doctor('Apps'), 'ok    App settings'
    # A client, and an app of the site's own, share nothing.
    %w[multitenant-gradio multitenant-own].each do |app|
      host.write("/var/www/ood/apps/sys/#{app}/site.yml", "cluster: hpc\n")
    end
    assert_includes doctor('Apps'), 'ok    App settings'
    File.rename(host.at(HealthyHost::CLUSTER), host.at('/etc/ood/config/clusters.d/hpc2.yaml'))
    host.write('/var/www/ood/apps/sys/multitenant-llm/site.yml', "cluster: hpc2\nwckey: other\n")
    host.write('/var/www/ood/apps/sys/multitenant-own/site.yml', "cluster: hpc2\n")
    assert_told 'Apps', 'FAIL', 'App settings', %r{-gradio is to use the cluster hpc, and there is no .*/hpc\.yml, so},
                /`cluster:`/
    File.chmod(0o600, host.at('/etc/ood/config/clusters.d/hpc2.yaml'))
    refute_match(/App settings: .*-llm/, doctor('Apps'))
    File.chmod(0o711, host.at('/etc/ood/config/clusters.d'))
    assert_includes doctor('Apps'), 'ok    App settings'
  end

  def test_service_apps
    FileUtils.mkdir_p(File.join(File.dirname(host.lib), 'apps-services/multitenant-llm'))
    app = host.at('/var/www/ood/apps/sys/multitenant-llm')
    FileUtils.mkdir_p(app, mode: 0o755)
    assert_told 'Apps', 'warn', 'Service apps', /multitenant-llm is not root's with mode 0750/, /--services-group GROUP/
    File.chown(0, 3000, app)
    File.chmod(0o750, app)
    assert_told 'Apps', 'ok', 'Service apps', /multitenant-llm/
  end

  # ---- host ----

  def test_the_data_root
    home = File.join(temporary, 'home')
    db = File.join(home, 'ondemand/data/sys/dashboard/batch_connect/db')
    FileUtils.mkdir_p([db, File.join(db, '../sys/multitenant-delivery_default/output', uuid(1))])
    File.write(File.join(db, '../sys/multitenant-delivery_default/output', uuid(1), '.multitenant'), '')
    FileUtils.chown_R(VIEWER, VIEWER, home)
    options = { env: { 'HOME' => home } }
    assert_told 'Machine', 'ok', 'Data root', /holds 1 card of ours/, **options
    File.chmod(0o777, db)
    assert_told 'Machine', 'FAIL', 'Data root', %r{batch_connect/db belongs to another user or others can write it},
                /chmod go-w/, **options
    FileUtils.rm_r(File.join(home, 'ondemand'))
    assert_told 'Machine', 'skip', 'Data root', /first visit/, **options
    File.symlink('/nowhere', File.join(home, 'ondemand'))
    assert_told 'Machine', 'FAIL', 'Data root', %r{home/ondemand, on the way to .* leads nowhere}, /remove the link/,
                **options
  end

  def test_a_data_root_that_a_command_names
    options = { env: { 'HOME' => temporary, 'OOD_DATAROOT' => '/scratch/$(id -un)' } }
    assert_told 'Machine', 'skip', 'Data root', /only a dashboard runs/, **options
    assert_told 'Machine', 'skip', 'Data root', /run this as a user/, as: nil, **options
  end

  def test_selinux
    host.write('/sys/fs/selinux/enforce', '1')
    host.program('getsebool', 'echo "ondemand_use_slurm --> off"')
    assert_told 'Machine', 'FAIL', 'SELinux', /ondemand_use_slurm is off/, /setsebool -P ondemand_use_slurm=on/
    host.program('getsebool', 'echo "ondemand_use_slurm --> on"')
    assert_told 'Machine', 'ok', 'SELinux', /is on/
    host.program('stat', 'case $2 in *-names) type=lib_t ;; *) type=usr_t ;; esac; echo system_u:object_r:$type:s0')
    assert_told 'Machine', 'FAIL', 'SELinux', %r{/multitenant-names is labelled as a library},
                %r{bin_t '.*/gems/ood_multitenant-\.\*/lib/multitenant/multitenant-\[a-z\]\+'` and `restorecon -RF /}
    host.program('getsebool', 'exit 1')
    assert_told 'Machine', 'warn', 'SELinux', /has no ondemand_use_slurm/, /ondemand-selinux/
    host.write('/sys/fs/selinux/enforce', '0')
    assert_told 'Machine', 'ok', 'SELinux', /does not enforce/
  end

  # As OOD's policy has it before 4.1.
  def test_selinux_where_dashboards_may_not_read_the_snapshot
    host.write('/sys/fs/selinux/enforce', '1')
    host.program('getsebool', 'echo "ondemand_use_slurm --> on"')
    host.program('stat', 'echo system_u:object_r:var_run_t:s0')
    host.write('/run/multitenant/state', stream(round: 'a', groups: [], generated: Time.now.to_i))
    env_file 'MULTITENANT_SNAPSHOT=/run/multitenant'
    assert_told 'Machine', 'ok', 'SELinux', /is on/
    may = 'test "$1" = system_u:system_r:ood_pun_t:s0 && test "$3 $4" = "file read"'
    host.program('selinux_check_access', "#{may} && test \"$2\" != system_u:object_r:var_run_t:s0")
    assert_told 'Machine', 'FAIL', 'SELinux', %r{can't read the agent's snapshot in /run/multitenant, .*:var_run_t:s0},
                %r{ood_pun_var_run_t '/var/run/multitenant\(/\.\*\)\?'`.* and `restorecon -RF /run/multitenant`}
    ['exit 1', may].each do |nobody_can_say_or_they_may|
      host.program('selinux_check_access', nobody_can_say_or_they_may)
      assert_told 'Machine', 'ok', 'SELinux', /is on/
    end
  end

  def test_clocks
    host.program('timedatectl', 'echo no')
    assert_told 'Machine', 'warn', 'Clock', /not synchronised/, /chronyd/
    host.program('chronyc', 'echo "System time     : 7.25 seconds slow of NTP time"; echo "Leap status     : Normal"')
    assert_told 'Machine', 'warn', 'Clock', /7\.25 s off/, /chronyc makestep/
    host.program('chronyc', 'echo "Leap status     : Not synchronised"')
    assert_told 'Machine', 'warn', 'Clock', /follows no other/, /chronyc sources/
    host.program('chronyc', 'echo "Leap status     : Normal"')
    host.query(stream)
    assert_told 'Machine', 'skip', 'Slurm\'s clock', /no running job/
    host.query(stream(job(7, start: Time.now.to_i + 600)))
    assert_told 'Machine', 'warn', 'Slurm\'s clock', /starts \d+ s from now/, /makestep/
  end

  # As Passenger names a dashboard; who runs it is whose directory it is.
  def dashboard(pid, uid, title = 'Passenger RubyApp: /var/www/ood/apps/sys/dashboard (production)')
    host.write("/proc/#{pid}/cmdline", "#{title}\0")
    File.chown(uid, uid, host.at("/proc/#{pid}"))
  end

  def test_what_an_agent_would_save
    none = /each dashboard asks Slurm itself\. No dashboard is seen to run here now/
    assert_told 'Machine', 'skip', 'Snapshot', none
    dashboard(7, 2001, 'Passenger RubyApp: /var/www/ood/apps/sys/files (production)')
    dashboard(8, 2001, "bash\0/var/www/ood/apps/sys/dashboard")
    assert_told 'Machine', 'skip', 'Snapshot', none
    (1..10).each { |n| dashboard(10 + n, 2000 + n) }
    dashboard(30, 2001)
    assert_told 'Machine', 'skip', 'Snapshot', /dashboards of 10 users .* 22 times a minute; its agent would ask 2\./
    env_file 'MULTITENANT_TTL=60'
    assert_told 'Machine', 'skip', 'Snapshot', /dashboards of 10 users .* 11 times a minute; its agent would ask 1\./
  end

  def test_the_snapshot
    env_file 'MULTITENANT_SNAPSHOT=/run/multitenant'
    assert_told 'Machine', 'warn', 'Snapshot', /There is no snapshot in .*run.multitenant/,
                /systemctl enable multitenant-agent; systemctl restart multitenant-agent`/
    header = { round: 'a', groups: [], generated: Time.now.to_i }
    host.write('/run/multitenant/state', stream(**header, wckeys: ['other']))
    assert_told 'Machine', 'warn', 'Snapshot', /does not hold the WCKey multitenant/, /restart multitenant-agent/
    host.write('/run/multitenant/state', stream(**header))
    assert_told 'Machine', 'ok', 'Snapshot', /fresh, and it is used/
    host.write('/run/multitenant/state', stream(**header, cluster: 'gpu'))
    assert_told 'Machine', 'warn', 'Snapshot', /has nothing of hpc: there each dashboard asks itself/,
                /restart multitenant-agent`.*journalctl/
  end

  # With PrivateData=jobs Slurm tells a user of their own jobs, and a slurmrestd tells the agent alone: what a user sees
  # of others', and what keeps it from them, is in the snapshot.
  def test_what_is_shared_is_as_the_snapshot_has_it
    env_file 'MULTITENANT_SNAPSHOT=/run/multitenant', 'MULTITENANT_KEYS=/keys', 'MULTITENANT_TTL=3600'
    header = { round: 'a', groups: [3000], generated: Time.now.to_i }
    sealed = "l|students|MTK1:#{["\xa1\xb2\xc3\xd4#{'x' * 41}"].pack('m0').tr('+/', '-_')}"
    host.write('/run/multitenant/state', stream(**header))
    host.write('/run/multitenant/3000.records', stream(job(7, name: sealed), **header), mode: 0o640)
    File.chown(0, 3000, host.at('/run/multitenant/3000.records'))
    [[stream(sees: 'own'), ''], ['', 'exit 69']].each do |told, body|
      host.query(told, body)
      assert_told 'Sealing', 'warn', 'Groups\' keys', /of group 3000 can't be used: .* is not there/, /Copy the file/
      assert_includes done.out, 'ok    Envelopes: services are sealed: 1 with key.'
      assert_includes doctor('Identity'), 'ok    Groups of services: the name service knows students.'
    end
    assert_includes doctor('Accounting'), 'skip  WCKey users: Slurm did not answer'
    # Root is in none of the groups, and Slurm shows root all. Another cluster than the snapshot's is asked itself.
    host.query(stream(job(8, name: 'l|students|MTK1:x'), job(9)))
    assert_includes doctor('Sealing', as: 0), 'services are sealed: 1 with key, 1 with v1.'
    host.write('/run/multitenant/state', stream(**header, cluster: 'gpu'))
    host.write('/run/multitenant/3000.records', stream(job(7, name: sealed), **header, cluster: 'gpu'), mode: 0o640)
    assert_includes doctor('Sealing'), 'services are sealed: 2 with key, 1 with v1.'
  end
end
