# frozen_string_literal: true

require_relative 'munged'
require_relative 'healthy_host'
require_relative 'site'
require 'minitest/mock'
require 'timeout'
require 'multitenant/installer/envelope_choice'

# How a new site seals what it shares, and one that has old readers.
class TestEnvelopeChoice < InstallTest
  SETTINGS = "#{Site::SYS}/multitenant-llm/site.yml".freeze
  SHIPPED = File.read(File.expand_path('../../apps-services/multitenant-llm/site.yml', __dir__))

  # munged sees no later change in a directory's groups by itself.
  LATER = ' Of later changes in a directory\'s groups munged learns only where it is started with ' \
          '--group-check-mtime=0, here and on the nodes: see "Envelopes that protect" in doc/admins.md.'

  # @return [Array(String, String)] envelope and line of `install`
  def choice(members, env = {}, gid: 3000, path: ENV.fetch('PATH'))
    group = Etc::Group.new('students', 'x', gid, members)
    was = ENV.fetch('PATH')
    ENV['PATH'] = path
    Etc.stub(:getgrgid, group) do
      made = MultiTenant::EnvelopeChoice.new(MultiTenant::Host.new(env: env), gid)
      [made.envelope, made.told]
    end
  ensure
    ENV['PATH'] = was
  end

  # munged itself says that it does not know the member.
  def test_a_munged_that_does_not_know_the_groups_is_not_trusted_with_them
    munged = Munged.new(temporary)
    envelope, told = choice(%w[nobody], { 'MULTITENANT_MUNGE_SOCKET' => munged.socket })
    assert_equal 'key', envelope
    assert_match(/\Anobody, a member of students, can't open .*`multitenant key new GROUP`/, told)
  ensure
    munged&.stop
  end

  def test_munge_where_a_member_opens_it
    dir = temporary
    File.chmod(0o755, dir)
    File.write("#{dir}/munge", "#!/bin/sh\n[ \"$2\" = --restrict-gid=3000 ] && id -u && echo MUNGE:x:\n", perm: 0o755)
    File.write("#{dir}/unmunge", "#!/bin/sh\n[ \"$(id -u) $(id -G)\" = '65534 65534' ] && grep -q MUNGE\n", perm: 0o755)
    path = "#{dir}:#{ENV.fetch('PATH')}"
    told = 'Service apps seal by munge: nobody, a member of students, opened what was sealed for the group.'
    assert_equal ['munge', "#{told}#{LATER}"], choice(%w[nobody], path: path)
    # A munged that is not the cluster's agrees with itself.
    cluster = "#{dir}/hpc.yml"
    { ', submit_host: login1' => {}, ', bin_overrides: {squeue: /x}' => {},
      '}, custom: {multitenant: {slurmrestd: https://head}' => {},
      '' => { 'MULTITENANT_SLURMRESTD' => 'https://head' } }.each do |far, env|
      File.write(cluster, "v2: {hpc: {job: {adapter: slurm#{far}}}}\n")
      told_far = choice(%w[nobody], { 'OOD_CLUSTERS' => cluster, **env }, path: path)[1]
      assert_match(/\A#{told} Whether .* was not tried,.*`munge -n \| ssh NODE unmunge`/, told_far)
    end
    here = { 'OOD_CLUSTERS' => cluster, 'MULTITENANT_SLURMRESTD' => 'unix:/run/slurmrestd' }
    assert_equal "#{told}#{LATER}", choice(%w[nobody], here, path: path)[1]
    File.write("#{dir}/munge", "#!/bin/sh\nexit 1\n")
    assert_match(/\Amunge makes no credential here/, choice(%w[nobody], path: path)[1])
  end

  # munged reads /etc/group itself, and may know nothing else. nogroup is in every one.
  def choice_beside(gid, opened, groups_of_nobody)
    dir = temporary
    File.chmod(0o755, dir)
    { 'munge' => 'echo MUNGE:$2:', 'unmunge' => "grep -qE 'gid=(#{opened})'", 'id' => "echo #{groups_of_nobody}" }
      .each { |name, line| File.write("#{dir}/#{name}", "#!/bin/sh\n#{line}\n", perm: 0o755) }
    local = Etc::Group.new('nogroup', 'x', 3000, %w[nobody])
    groups = { 3000 => local, 4000 => Etc::Group.new('students', 'x', 4000, []) }
    Etc.stub(:group, ->(&block) { block.call(local) }) do
      Etc.stub(:getgrgid, ->(gid) { groups.fetch(gid) }) do
        was = ENV.fetch('PATH')
        ENV['PATH'] = "#{dir}:#{was}"
        made = MultiTenant::EnvelopeChoice.new(MultiTenant::Host.new(env: {}), gid)
        return [made.envelope, made.told]
      ensure
        ENV['PATH'] = was
      end
    end
  end

  def test_what_a_local_group_proves_is_not_taken_for_a_directorys
    envelope, told = choice_beside(3000, '3000', '65534 3000 4000')
    assert_equal 'key', envelope
    assert_match(/\Anobody, a member of students, can't open /, told)
    told = 'nobody, a member of nogroup, and nobody, a member of students, opened what was sealed for the group.'
    told = "Service apps seal by munge: #{told}#{LATER}"
    assert_equal ['munge', told], choice_beside(3000, '3000|4000', '65534 3000 4000')
    told = 'Service apps seal by munge: nobody, a member of nogroup, opened what was sealed for the group.'
    assert_equal ['munge', told], choice_beside(3000, '3000', '65534 3000')
  end

  # SSSD has a setting that lists no members.
  def test_a_directory_that_lists_no_members_is_not_tried_by_a_local_group
    envelope, told = choice_beside(4000, '3000', '65534 3000')
    assert_equal 'key', envelope
    assert_match(/\ANo member of students is listed here/, told)
  end

  # It owns apps that are installed, and may be gone since.
  def test_a_group_that_is_gone_is_not_tried
    assert_includes %w[munge key], MultiTenant::EnvelopeChoice.new(MultiTenant::Host.new, 4_000_000_000).envelope
  end

  # A member may trace what runs as them, and would type into root's terminal.
  def test_what_runs_as_a_member_has_nothing_of_roots
    dir = temporary
    File.chmod(0o755, dir)
    session = File.read('/proc/self/stat').split(') ').last.split[3]
    File.write("#{dir}/munge", "#!/bin/sh\necho MUNGE:x:\n", perm: 0o755)
    File.write("#{dir}/unmunge", <<~SH, perm: 0o755)
      #!/bin/sh
      [ "$(cut -d ' ' -f 6 /proc/$$/stat)" != #{session} ] && [ "$PWD" = / ] && ! env | grep HOME=
    SH
    assert_equal 'munge', choice(%w[nobody], path: "#{dir}:#{ENV.fetch('PATH')}")[0]
  end

  # Who runs as the same user may open its files, and keep them.
  def test_what_a_member_keeps_open_is_not_waited_for
    dir = temporary
    File.chmod(0o755, dir)
    File.write("#{dir}/pid", '')
    File.chmod(0o666, "#{dir}/pid")
    File.write("#{dir}/munge", "#!/bin/sh\necho MUNGE:x:\n", perm: 0o755)
    File.write("#{dir}/unmunge", "#!/bin/bash\nsetsid sleep 300 & echo $! >#{dir}/pid; grep -q MUNGE\n", perm: 0o755)
    told = Timeout.timeout(60) { choice(%w[nobody], path: "#{dir}:#{ENV.fetch('PATH')}") }
    assert_equal 'munge', told[0]
  ensure
    Process.kill(:KILL, Integer(File.read("#{dir}/pid")))
  end

  def settings
    YAML.safe_load(site.read(SETTINGS)).values_at('old_readers', 'envelope')
  end

  def release(app, text = SHIPPED)
    site.release("apps-services/#{app}/site.yml", text)
  end

  def test_a_new_site_does_not_begin_with_v1
    release('multitenant-llm')
    assert_installed
    assert_equal %w[no auto], settings
    assert_match(/^Service apps seal by munge, or where/, site.out)
    before = state
    assert_installed
    assert_tree before
    refute_includes site.out, 'Service apps seal'
    site.write(SETTINGS, site.read(SETTINGS).sub('"no"', '"yes"'))
    assert_installed
    assert_equal %w[yes auto], settings # the site may say otherwise
  end

  def test_services_that_come_later_to_a_new_site_are_no_other
    release('multitenant-llm')
    assert_equal 0, site.run(:install)
    assert_installed
    assert_equal %w[no auto], settings
    release('multitenant-instruction', SHIPPED[/.*^munge_socket[^\n]*\n/m])
    assert_installed
    assert_match(/^old_readers: "no"$/, site.read("#{Site::SYS}/multitenant-instruction/site.yml"))
  end

  # On another web host with the same directory of apps, which may have the old readers.
  def test_service_apps_of_an_installation_that_this_host_does_not_know_count
    release('multitenant-llm')
    site.write(SETTINGS, "cluster: hpc\nold_readers: \"yes\"\n")
    release('multitenant-instruction', SHIPPED[/.*^munge_socket[^\n]*\n/m])
    assert_installed
    assert_match(/^old_readers: "yes"$/, site.read("#{Site::SYS}/multitenant-instruction/site.yml"))
  end

  # A dashboard reads those of all plugins.
  def test_an_old_reader_of_another_plugin_is_found_and_moved
    release('multitenant-llm')
    old = '/etc/ood/config/plugins/site/initializers/services.rb'
    site.write(old, OLD)
    assert_installed
    assert_equal %w[yes auto], settings
    assert_match(/^#{old} is another MultiTenant's\./, site.out)
    assert_equal OLD, site.read("#{old}.disabled")
    site.uninstall
    assert_equal OLD, site.read(old)
  end

  def test_where_an_old_reader_is_found_v1_stays_and_is_told
    release('multitenant-llm')
    site.write(Site::CLASSIC, OLD)
    assert_installed
    assert_equal %w[yes auto], settings
    assert_match(/^#{Site::CLASSIC} is another MultiTenant's\. .*`old_readers: "no"` .* else .*"key"` once groups/,
                 site.out)
    release('multitenant-instruction', SHIPPED[/.*^munge_socket[^\n]*\n/m])
    assert_installed
    assert_match(/^old_readers: "yes"$/, site.read("#{Site::SYS}/multitenant-instruction/site.yml"))
  end
end

# What doctor says of it.
class TestDoctorOfSealing < DoctorTest
  def test_doctor_warns_while_service_apps_send_v1
    path = '/var/www/ood/apps/sys/multitenant-llm/site.yml'
    assert_includes doctor('Sealing'), "skip  Service apps' envelope: "
    host.write(path, "cluster: hpc\n")
    assert_told 'Sealing', 'warn', "Service apps' envelope", /it is v1 in multitenant-llm: every user/,
                /old_readers: "no".*"auto"` where munged .* else .*"key"` once groups have keys/, alone: false
    host.write(path, "cluster: hpc\nold_readers: no\nenvelope: munge\n")
    assert_includes doctor('Sealing'), "ok    Service apps' envelope: it is munge."
  end

  # Dashboards refuse it for good, and cards go.
  def test_doctor_warns_where_service_apps_send_what_dashboards_refuse
    path = '/var/www/ood/apps/sys/multitenant-llm/site.yml'
    host.write(path, "cluster: hpc\nenvelope: key\n")
    host.write('/etc/multitenant/keys/3000', '')
    assert_includes doctor('Sealing'), "ok    Service apps' envelope: it is key."
    env_file 'MULTITENANT_ENVELOPES=munge'
    assert_told 'Sealing', 'warn', "Service apps' envelope", /it is key in multitenant-llm, .* refuse: .* is munge\./,
                /accept it .*`old_readers`/, alone: false
    host.write(path, "cluster: hpc\nold_readers: \"no\"\nenvelope: auto\n")
    assert_includes doctor('Sealing'), "ok    Service apps' envelope: it is auto."
    # Where munge knows the groups no job ever seals by key.
    env_file 'MULTITENANT_ENVELOPES=key'
    assert_told 'Sealing', 'warn', "Service apps' envelope",
                /it is auto in multitenant-llm, so munge .* refuse: .* is key\./, /accept it/, alone: false
    env_file 'MULTITENANT_ENVELOPES=munge'
    host.write(path, "cluster: hpc\nenvelope: auto\n")
    assert_told 'Sealing', 'warn', "Service apps' envelope", /it is v1 in multitenant-llm, .* refuse:/,
                /"no"/, alone: false
  end

  # As on a new site, on which `install` says so once.
  def test_doctor_warns_where_service_apps_send_by_key_and_no_group_has_one
    host.query(stream)
    host.write('/var/www/ood/apps/sys/multitenant-llm/site.yml', "cluster: hpc\nenvelope: key\n")
    missing = %r{it is key in multitenant-llm, and no group has a file of keys in .*/etc/multitenant/keys here, }
    assert_told 'Sealing', 'warn', "Service apps' envelope", missing, /Copy the file .*`multitenant key new GROUP`/
    host.write('/etc/multitenant/keys/README', '')
    assert_told 'Sealing', 'warn', "Service apps' envelope", missing, /Copy the file .*`multitenant key new GROUP`/
    File.chmod(0o700, host.at('/etc/multitenant/keys'))
    assert_told 'Sealing', 'ok', "Service apps' envelope", /it is key\./
    host.write('/keys/3000', '')
    env_file 'MULTITENANT_KEYS=/keys'
    assert_told 'Sealing', 'ok', "Service apps' envelope", /it is key\./, as: nil
  end

  # What one app sends hides nothing of what another one does.
  def test_doctor_warns_of_v1_beside_what_dashboards_refuse
    { 'database' => 'envelope: key', 'llm' => 'envelope: auto' }.each do |app, line|
      host.write("/var/www/ood/apps/sys/multitenant-#{app}/site.yml", "cluster: hpc\n#{line}\n")
    end
    env_file 'MULTITENANT_ENVELOPES=munge,v1'
    told = doctor('Sealing')
    assert_match(/^warn  .*: it is key in multitenant-database,.*^warn  .*: it is v1 in multitenant-llm:/m, told)
    env_file
    told = doctor('Sealing')
    assert_match(/^warn  .*: it is key in multitenant-database, and n.*^warn  .*: it is v1 in multitenant-llm:/m, told)
  end
end
