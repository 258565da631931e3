# frozen_string_literal: true

require_relative 'site'

# What is where afterwards, and how it goes again.
class TestInstall < InstallTest
  def test_what_is_where
    assert_installed
    assert_equal [Site::PLUGIN], site.active
    assert_equal File.read(File.join(site.gem, 'initializer/multitenant.rb')), site.read(Site::PLUGIN)
    { Site::PLUGIN => %w[644 root root], File.dirname(Site::PLUGIN) => %w[755 root root],
      "#{Site::SYS}/multitenant-llm" => %w[750 root daemon],
      "#{Site::SYS}/multitenant-llm/manifest.yml" => %w[644 root daemon],
      "#{Site::SYS}/multitenant-llm/template" => %w[750 root daemon],
      "#{Site::SYS}/multitenant-llm/template/run" => %w[755 root daemon],
      "#{Site::SYS}/multitenant-delivery_default" => %w[755 root root],
      "#{Site::SYS}/multitenant-gradio/form.yml" => %w[644 root root],
      '/var/lib/multitenant/manifest.json' => %w[644 root root] }.each do |path, stat|
      assert_equal stat,
                   site.stat(path)
    end
    refute site.exist?('/etc/systemd/system/multitenant-agent.service')
    assert_includes site.out, "Add to /etc/ood/config/apps/dashboard/env: MULTITENANT_ENABLE=true.\n"
    assert_match(/multitenant doctor.*`\.\n\z/, site.out)
  end

  def test_the_umask_of_the_admin_does_not_count
    site # whose gem was there before
    old = File.umask(0o077)
    assert_installed
    assert_equal %w[755 root root], site.stat("#{Site::SYS}/multitenant-gradio")
    assert_equal %w[644 root root], site.stat(Site::PLUGIN)
  ensure
    File.umask(old)
  end

  def test_a_dry_run_tells_the_same_and_changes_nothing
    site.write(Site::CLASSIC, OLD)
    before = state
    assert_installed '--dry-run'
    told = site.out
    assert_tree before
    assert_includes told, 'Nothing was changed.'
    assert_installed
    assert_equal site.out.lines, done(told).lines - ["Nothing was changed.\n"]
    before = state
    assert_equal 0, site.uninstall('--dry-run')
    told = site.out
    assert_tree before
    assert_equal 0, site.uninstall
    assert_equal site.out.lines.grep(/^(removed|moved|saved)/), done(told).lines.grep(/^(removed|moved|saved)/)
  end

  # What a dry run tells, as the run itself does; the two differ in every line of something to be done.
  def done(told)
    assert_empty told.lines.grep(/^(written|removed|moved|saved) /)
    told.gsub(/^would (?:write|remove|move|save) /, 'would write ' => 'written ', 'would remove ' => 'removed ',
                                                    'would move ' => 'moved ', 'would save ' => 'saved ')
  end

  def test_a_second_run_changes_nothing_and_says_so
    assert_installed
    files = site.told('written').select { |path| File.file?(site.at(path)) }
    inodes = -> { state.to_h { |path, what| [path, [*what, File.lstat(path).ino, File.lstat(path).mtime]] } }
    before = inodes.call
    assert_installed
    assert_tree before, inodes.call
    assert_equal files, site.told('kept')[1..]
    assert_empty site.told('written')
    assert_includes site.out, 'Nothing was changed.'
  end

  def test_uninstall_leaves_what_was_there
    site.write(Site::CLASSIC, OLD)
    site.write("#{Site::SYS}/multitenant-llm/view.html.erb", '<%= host %>')
    before = state
    assert_installed '--agent'
    assert_equal 0, site.uninstall, site.err
    site_yml = site.at('/var/lib/multitenant/multitenant-llm.site.yml')
    assert_equal [site.at('/var/lib/multitenant'), site_yml], state.keys - before.keys
    assert_tree before, state.slice(*before.keys)
    assert_match(/multitenant cards --remove-all.*before the gem goes\..*gem uninstall ood_multitenant/m, site.out)
    assert_equal 0, site.uninstall
    assert_match(/\ANothing is installed/, site.out)
  end

  # On EL the gem is among Open OnDemand's, and its command is not in PATH.
  def test_uninstall_tells_users_a_command_that_they_have
    path = "#{Site::HOMES[Site::RPM]}/bin/multitenant"
    site.write(path, "#!/bin/sh\n", mode: 0o755)
    assert_installed
    assert_equal 0, site.uninstall, site.err
    assert_match(/bash -c '[^']*; #{path} cards --remove-all'`, run by each user/, site.out)
    assert_match(/gem uninstall ood_multitenant --install-dir #{site.at(Site::HOMES[Site::RPM])} /, site.out)
  end

  # What it prints at its end is no reason to fail, as all is taken out then.
  def test_uninstall_where_the_gem_has_gone
    assert_installed
    FileUtils.rm_r(site.gem)
    assert_equal [0, ''], [site.uninstall, site.err]
    assert_match(/multitenant cards --remove-all.*gem uninstall ood_multitenant/m, site.out)
  end

  def test_modes_and_owners_are_mended
    assert_installed
    before = state
    File.chmod(0o666, site.at(Site::PLUGIN))
    File.chown(2001, 2001, site.at("#{Site::SYS}/multitenant-gradio/form.yml"))
    File.chmod(0o700, site.at("#{Site::SYS}/multitenant-delivery_default"))
    assert_installed
    assert_equal 3, site.told('written').size
    assert_tree before
  end

  # ---- initializers ----

  def test_an_old_initializer_is_moved_aside_and_put_back
    site(ood: '3.1.16', enable: Site::DEB).write(Site::CLASSIC, OLD)
    site.write("#{Site::INITIALIZERS}/wfu.rb", "require 'open3'\n#{OLD}")
    site.write("#{Site::INITIALIZERS}/ours.rb", "Rails.application.config.x = MultiTenant\n")
    before = state
    assert_installed '--apps', 'clients'
    assert_equal [Site::CLASSIC, "#{Site::INITIALIZERS}/ours.rb"], site.active.sort
    assert_equal OLD, site.read("#{Site::CLASSIC}.disabled")
    assert_includes site.out, "moved #{Site::CLASSIC} to #{Site::CLASSIC}.disabled\n"
    assert_equal 0, site.uninstall
    assert_tree before
  end

  # Dashboards with an old initializer, wherever it is, end at what new service apps would share.
  def test_plugins_that_are_elsewhere
    old = '/srv/plugins/wfu/initializers/multitenant.rb'
    site.write(old, OLD)
    site.write('/etc/ood/config/ondemand.d/site.yml.erb', "<%- x = 1 -%>\nplugins_directory: /srv/plugins/\n")
    before = state
    assert_installed '--apps', 'clients'
    assert_equal [Site::CLASSIC], site.active
    assert_includes site.out, "moved #{old} to #{old}.disabled\n"
    assert_equal 0, site.uninstall
    assert_tree before
  end

  def test_what_an_admin_disabled_themselves_stays
    site.write(Site::CLASSIC, OLD)
    site.write("#{Site::CLASSIC}.disabled", 'their own')
    before = state
    assert_installed '--apps', 'clients'
    assert_equal ['their own', OLD], [site.read("#{Site::CLASSIC}.disabled"), site.read("#{Site::CLASSIC}.disabled.2")]
    assert_equal 0, site.uninstall
    assert_tree before
  end

  def test_never_two_of_ours
    [['3.1.16', Site::CLASSIC], ['4.0.1', Site::CLASSIC], ['v4.0.2', Site::PLUGIN], ['4.2.3.1700000000-abcdef0', Site::PLUGIN],
     ['4.0.0-1', Site::CLASSIC]].each do |version, path|
      site.write('/opt/ood/VERSION', version)
      assert_installed
      assert_equal [path], site.active, version
    end
    assert_installed '--ood-version', '4.1'
    assert_equal [Site::PLUGIN], site.active
  end

  def test_ours_that_was_put_by_hand
    site.write(Site::CLASSIC, "#{File.read(File.join(site.gem, 'initializer/multitenant.rb'))}# edited\n")
    assert_installed
    assert_equal [Site::PLUGIN], site.active
    saved = site.out[/^saved #{Site::CLASSIC} as (.*)$/, 1]
    assert_match(/# edited\n\z/, site.read(saved))
    assert_equal 0, site.uninstall
    assert_empty site.active
  end

  # ---- files that an admin edited ----

  def test_an_edited_file_is_saved_by_install
    assert_installed
    path = "#{Site::SYS}/multitenant-gradio/form.yml"
    site.write(path, 'mine')
    assert_installed
    assert_equal "form: []\n", site.read(path)
    assert_equal 'mine', site.read(site.out[/^saved #{path} as (.*)$/, 1])
  end

  def test_an_edited_file_is_kept_by_uninstall_and_named
    site.write(Site::CLASSIC, OLD)
    assert_installed
    site.write(Site::PLUGIN, "# mine\n")
    assert_equal 0, site.uninstall
    assert_equal [Site::PLUGIN, "#{Site::CLASSIC}.disabled"], site.told('kept')
    assert_equal [Site::PLUGIN], site.active, 'the other one would clash with it'
    File.unlink(site.at(Site::PLUGIN))
    assert_equal 0, site.uninstall
    assert_equal [Site::CLASSIC], site.active
    refute site.exist?('/etc/ood/config/plugins')
    refute site.exist?('/var/lib/multitenant/manifest.json')
  end

  def test_what_a_user_put_beside_ours_stays
    assert_installed
    site.write("#{Site::SYS}/multitenant-gradio/notes.txt", 'theirs')
    assert_equal 0, site.uninstall
    assert_equal ['multitenant-gradio'], Dir.children(site.at(Site::SYS))
    assert_equal 'theirs', site.read("#{Site::SYS}/multitenant-gradio/notes.txt")
    assert_installed
    assert_equal 'theirs', site.read("#{Site::SYS}/multitenant-gradio/notes.txt")
  end

  # ---- apps ----

  def test_a_foreign_app_is_moved_out_of_reach_and_back
    site.write("#{Site::SYS}/multitenant-delivery_default/view.html.erb", '<%= host %>')
    site.write("#{Site::SYS}/multitenant-delivery_default/form.yml.erb", 'old')
    before = state
    assert_installed '--apps', 'delivery'
    assert_equal "<p>\n", site.read("#{Site::SYS}/multitenant-delivery_default/view.html.erb")
    refute site.exist?("#{Site::SYS}/multitenant-delivery_default/form.yml.erb")
    assert_equal %w[700 root root], site.stat('/var/www/ood/apps/multitenant-disabled')
    assert_equal 0, site.uninstall
    assert_tree before
  end

  def test_parts_that_are_not_asked_for_stay
    assert_installed
    FileUtils.rm_r(File.join(site.gem, 'apps-clients'))
    assert_installed '--apps', 'delivery'
    assert_empty site.told('removed')
    assert site.exist?("#{Site::SYS}/multitenant-gradio/form.yml")
    assert_installed
    assert_equal ["#{Site::SYS}/multitenant-gradio/form.yml", "#{Site::SYS}/multitenant-gradio"], site.told('removed')
  end

  def test_services_need_a_group
    assert_equal 0, site.run(:install)
    assert_includes site.out, 'Services are not installed. The services need --services-group GROUP'
    refute site.exist?("#{Site::SYS}/multitenant-llm")
    assert_refused 64, '--services-group GROUP', '--apps', 'services'
    assert_refused 64, 'there is no group nosuch', '--services-group', 'nosuch'
    assert_installed
    assert_equal 0, site.run(:install)
    assert_equal %w[750 root daemon], site.stat("#{Site::SYS}/multitenant-llm")
    assert_includes site.out, 'Nothing was changed.'
  end

  def test_a_gem_without_apps
    assert_equal 0, site(files: {}).run(:install)
    assert_equal [Site::PLUGIN], site.active
    refute_match(/Services/, site.out)
    assert_refused 78, 'no agent', '--agent'
  end

  def test_the_agent
    assert_installed '--agent'
    unit = Site::FILES['systemd/multitenant-agent.service']
    assert_equal unit, site.read('/etc/systemd/system/multitenant-agent.service')
    assert_includes site.out, 'MULTITENANT_ENABLE=true and MULTITENANT_SNAPSHOT=/run/mtrun.'
    assert_match(/useradd .* mtagent\n.*sacctmgr add user mtagent .*systemctl enable/m, site.out)
    assert_installed
    assert site.exist?('/etc/systemd/system/multitenant-agent.service')
    site.write("#{Site::HOMES[Site::RPM]}/bin/multitenant-agent", '', mode: 0o755)
    assert_installed '--agent'
    assert_includes site.read('/etc/systemd/system/multitenant-agent.service'), <<~UNIT
      ExecStart=/bin/bash -c 'source /opt/ood/ondemand/enable; exec #{Site::HOMES[Site::RPM]}/bin/multitenant-agent'
    UNIT
    FileUtils.mkdir_p(site.at('/etc/systemd/system/multi-user.target.wants'))
    wants = site.at('/etc/systemd/system/multi-user.target.wants/multitenant-agent.service')
    File.symlink('/etc/systemd/system/multitenant-agent.service', wants)
    assert_refused 73, 'enabled\. Run `systemctl disable --now multitenant-agent.service` first', command: :uninstall
    File.unlink(wants)
    assert_equal 0, site.uninstall
    refute site.exist?('/etc/systemd/system/multitenant-agent.service')
  end

  # ---- site.yml ----

  SETTINGS = "#{Site::SYS}/multitenant-llm/site.yml".freeze

  def test_settings_are_written_into_their_lines
    assert_installed '--wckey', 'Shared'
    assert_equal Site::SITE_YML.sub('wckey: multitenant ', 'wckey: "shared" ').sub('cluster:', 'cluster: "hpc"'),
                 site.read(SETTINGS)
    assert_includes site.out, 'MULTITENANT_WCKEY=shared'
  end

  def test_settings_that_the_dashboard_has
    site.write('/etc/ood/config/apps/dashboard/env', "MULTITENANT_ENABLE=true\nMULTITENANT_WCKEY=lab,other\n")
    assert_installed
    assert_equal %w[lab hpc], YAML.safe_load(site.read(SETTINGS)).values_at('wckey', 'cluster')
    refute_includes site.out, 'Add to'
    assert_installed '--wckey', 'third'
    assert_includes site.out, 'MULTITENANT_WCKEY=lab,other,third.'
    assert_equal "MULTITENANT_ENABLE=true\nMULTITENANT_WCKEY=lab,other\n",
                 site.read('/etc/ood/config/apps/dashboard/env')
  end

  JUPYTER = "#{Site::SYS}/multitenant-jupyter/site.yml".freeze

  # Without it other hosts' pages can use a user's Jupyter.
  def test_the_jupyter_client_takes_open_ondemands_own_address
    site.release('apps-clients/multitenant-jupyter/site.yml', "cluster: \"\"\norigin: \"\"\n")
    site.write('/etc/ood/config/ood_portal.yml', "servername: OOD.example.edu\nssl:\n  - SSLEngine on\nport: 8443\n")
    assert_installed
    assert_equal 'https://ood.example.edu:8443', YAML.safe_load(site.read(JUPYTER))['origin']
    refute_includes site.out, 'origin'
    mine = "cluster: hpc\norigin: # later\n"
    site.write(JUPYTER, mine)
    assert_installed
    assert_equal mine, site.read(JUPYTER)
    assert_includes site.out, "find Open OnDemand (https://ood.example.edu:8443) as origin into #{JUPYTER}:"
  end

  def test_an_address_that_is_not_sure_is_asked_for
    site.release('apps-clients/multitenant-jupyter/site.yml', "cluster: \"\"\norigin: \"\"\n")
    two = ["proxy_server: c.d\n", "server_aliases: [c.d]\n"].map { |more| "ssl: [x]\nservername: a.b\n#{more}" }
    # What stands before it may have TLS, and Jupyter would answer no page of that address.
    ['', "a: [\n", "- a\n", "ssl: [x]\n", *two, "servername: a.b\n", "ssl: [x]\nservername: [a]\n",
     "ssl: [x]\nservername: a b\n"].each do |text|
      site.write('/etc/ood/config/ood_portal.yml', text)
      assert_installed
      assert_equal '', YAML.safe_load(site.read(JUPYTER))['origin'], text
      assert_match(/^.*Write where browsers find Open OnDemand as origin into/, site.out, text)
      site.uninstall
      FileUtils.rm_f(site.at('/var/lib/multitenant/multitenant-jupyter.site.yml'))
    end
  end

  def test_settings_of_the_admin_are_kept
    assert_installed
    mine = "# mine\nhours: 2 # two\ncluster: 'hpc'\nwckey: x#y # key\n"
    site.write(SETTINGS, mine)
    assert_installed
    assert_equal mine, site.read(SETTINGS)
    site.release('apps-services/multitenant-llm/site.yml', "#{Site::SITE_YML}# New.\nqueue: gpu\n")
    assert_installed '--wckey', 'lab'
    assert_equal "#{mine.sub('x#y', '"lab"')}\n# New.\nqueue: gpu\n", site.read(SETTINGS)
    assert_equal 0, site.uninstall
    assert_equal %w[600 root root], site.stat('/var/lib/multitenant/multitenant-llm.site.yml')
    assert_installed
    assert_includes site.read(SETTINGS), "hours: 2 # two\n"
  end

  # As on a second web host with the same directory of apps, or on one that was set up anew beside them.
  def test_settings_of_an_installation_that_this_host_does_not_know_are_kept
    assert_installed
    mine = site.read(SETTINGS).sub('hours: 8', "hours: 2\ngateway: required")
    site.write(SETTINGS, mine)
    FileUtils.rm_r(site.at('/var/lib/multitenant'))
    assert_installed '--dry-run'
    assert_includes site.out, "#{SETTINGS} is of another installation of MultiTenant: its settings are kept.\n"
    assert_installed
    assert_equal mine, site.read(SETTINGS)
    assert_installed
    assert_equal [mine, []], [site.read(SETTINGS), site.out.lines.grep(/another installation/)]
    FileUtils.rm_r([site.at('/var/lib/multitenant'), site.at("#{Site::SYS}/multitenant-llm")])
    site.write(SETTINGS, "gateway: theirs\n")
    assert_installed
    refute_includes site.read(SETTINGS), 'gateway', 'an app of somebody else'
  end

  def test_keys_that_are_called_otherwise_now_keep_their_values
    assert_installed
    old = "mysql_modules:\n- old\n  # or\n- older\n"
    site.write(SETTINGS, "servers: 'vllm' # ours\nmodules_mysql: mine\n#{old}wckey: x\n")
    site.release('apps-services/multitenant-llm/site.yml', "#{Site::SITE_YML}kinds: all\nmodules_mysql: none\n")
    assert_installed
    told = site.read(SETTINGS)
    assert_equal %w[vllm mine], YAML.safe_load(told).values_at('kinds', 'modules_mysql')
    assert_match(/^kinds: 'vllm' # ours$/, told)
    assert_equal 1, told.scan(/^kinds:/).size
    assert_includes told, "# mysql_modules:\n# - old\n"
  end

  # An app takes no key twice.
  def test_keys_that_an_admin_wrote_in_another_way_are_found
    mine = "cluster : hpc\n\"hours\": 2\n'wckey' : lab # ours\n"
    site.write('/var/lib/multitenant/multitenant-llm.site.yml', mine)
    assert_installed
    assert_equal mine, site.read(SETTINGS)
    assert_installed '--wckey', 'other'
    assert_equal mine.sub("'wckey' : lab", 'wckey: "other"'), site.read(SETTINGS)
  end

  def test_a_cluster_must_be_known
    assert_refused 64, 'no Slurm cluster other \(it has hpc\)', '--cluster', 'other', '--services-group', 'daemon'
    site.write('/etc/ood/config/clusters.d/two.yml', "v2:\n  job:\n    adapter: slurm\n")
    assert_refused 64, 'need --cluster ID: OOD has hpc and two', '--services-group', 'daemon'
    site.release('apps-clients/multitenant-gradio/site.yml', "cluster: \"\"\n")
    assert_equal 0, site.run(:install, '--apps', 'clients')
    assert_match %r{^Write the id of .* \(hpc, two\) as cluster into /.*/multitenant-gradio/site.yml, or}, site.out
    assert_installed '--cluster', 'two'
    assert_equal 'two', YAML.safe_load(site.read(SETTINGS))['cluster']
    refute_includes site.out, 'as cluster into'
    assert_installed
    assert_refused 64, '--wckey takes one name', '--wckey', "a b\nc"
    assert_refused 64, '--apps takes services, delivery and clients, not x', '--apps', 'x'
  end
end
