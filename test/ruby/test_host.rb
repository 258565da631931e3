# frozen_string_literal: true

require_relative 'helper'
require 'minitest/mock'

# What commands, agent, doctor and installer take from an Open OnDemand host.
class TestHost < MultiTenantTest
  def host(text, env = {})
    path = File.join(temporary, MultiTenant::Host::ENV_FILE)
    FileUtils.mkdir_p(File.dirname(path))
    File.binwrite(path, text)
    MultiTenant::Host.new(root: temporary, env: env)
  end

  # A host's own settings would decide what tests see. In mounts of its own, this one has some.
  def test_tests_do_not_see_the_open_ondemand_of_their_host
    need_root
    script = <<~SHELL
      mount -t tmpfs none #{temporary}
      mkdir #{temporary}/upper #{temporary}/work
      mount -t overlay -o lowerdir=/etc,upperdir=#{temporary}/upper,workdir=#{temporary}/work none /etc
      mkdir -p #{File.dirname(MultiTenant::Host::ENV_FILE)}
      echo MULTITENANT_WCKEY=theirs >#{MultiTenant::Host::ENV_FILE}
      "$@" -r multitenant -e 'p MultiTenant::Host.new.settings.wckeys'
      exec "$@" -r helper -e 'p MultiTenant::Host.new.settings.wckeys; exit!'
    SHELL
    done = run_as(nil, 'unshare', '--mount', 'sh', '-ec', script, 'sh', RbConfig.ruby, '-I', Tree.lib, '-I', __dir__)
    assert_equal [%(["theirs"]\n["multitenant"]\n), ''], [done.out, done.err]
  end

  # ---- which apps are there ----

  def test_apps_are_listed_again_when_one_came_or_went
    apps = File.join(temporary, MultiTenant::Host::APPS)
    FileUtils.mkdir_p(File.join(apps, 'a'))
    made = host('')
    assert_equal ['sys/a'], made.tokens
    FileUtils.mkdir(File.join(apps, 'b')) # within one tick of the clock, perhaps
    assert_equal ['sys/a', 'sys/b'], made.tokens.sort
    File.utime(Time.now - 10, Time.now - 10, apps)
    made.tokens
    Dir.stub(:children, ->(*) { flunk 'again' }) { assert_equal ['sys/a', 'sys/b'], made.tokens.sort }
    FileUtils.rmdir(File.join(apps, 'a'))
    assert_equal ['sys/b'], made.tokens
  end

  def test_versions_of_files
    a, b, gone = %w[a b/c gone/d].map { |name| File.join(temporary, name) }
    FileUtils.mkdir_p(b)
    File.write(a, 'x')
    paths = [a, b, gone].map { |path| "#{path}\0" }.join
    look = -> { MultiTenant::Native.versions(paths, nil) }
    before = look.call
    assert_equal(before, MultiTenant::Native.versions(paths, 60))
    assert_nil MultiTenant::Native.versions(paths, -1)
    [-> { File.write(a, 'xy') }, -> { FileUtils.touch(File.join(b, 'new')) }, -> { FileUtils.mkdir_p(gone) },
     -> { File.unlink(a) }, -> { File.symlink(b, a) }].each do |change|
      change.call
      refute_equal before, (before = look.call)
    end
    assert_equal ['', before], [MultiTenant::Native.versions('', nil), look.call]
  end

  # ---- what is set ----

  def test_the_environment_counts_more_than_the_env_file
    made = host("MULTITENANT_WCKEY=a\nMULTITENANT_TTL=50\n", 'MULTITENANT_TTL' => '60', 'HOME' => '/h')
    assert_equal [['a'], 60.0], [made.settings.wckeys, made.settings.ttl]
    assert_equal({ 'MULTITENANT_WCKEY' => 'a', 'MULTITENANT_TTL' => '50' }, made.env_file)
    assert_equal '/h', made.environment['HOME']
  end

  def test_clusters_are_where_the_env_file_says
    Dir.mkdir(File.join(temporary, 'clusters'))
    File.write(File.join(temporary, 'clusters/hpc.yml'), "v2: {job: {adapter: slurm}}\n")
    assert_equal ['hpc'], host("OOD_CLUSTERS=/clusters\n").clusters.ids
    assert_empty host('').clusters.ids
    assert_equal File.join(temporary, '/etc/ood/config/clusters.d'), host('').clusters_path
  end

  def test_the_data_root
    { '' => '/h/ondemand/data/sys/dashboard', "OOD_PORTAL=x\n" => '/h/x/data/sys/dashboard',
      "OOD_DATAROOT=/scratch/d\nOOD_PORTAL=x\n" => '/scratch/d' }.each do |text, path|
      assert_equal path, host(text, 'HOME' => '/h').dataroot
    end
  end

  # As Open OnDemand has it: the variable, where there is one, or else its own files, of which the last one counts.
  def test_a_data_root_for_each_cluster
    said = ['', 'no', 'OFF', '0', 'true', 'yes', '1'].map do |text|
      host("OOD_PER_CLUSTER_DATAROOT=#{text}\n").per_cluster_dataroot?
    end
    assert_equal [false, false, false, false, true, true, true], said
    dir = File.join(temporary, '/etc/ood/config/ondemand.d')
    FileUtils.mkdir_p(dir)
    files = { 'a.yaml' => 'per_cluster_dataroot: false', 'b.yml' => 'per_cluster_dataroot: true', 'c.yml' => 'a: b: c',
              'd.yml' => 'pinned_apps: [x]', 'e.txt' => 'per_cluster_dataroot: false' }
    files.each { |name, text| File.write(File.join(dir, name), text) }
    FileUtils.touch(File.join(dir, "caf\xE9".b))
    assert_predicate host(''), :per_cluster_dataroot?
    refute_predicate host("OOD_PER_CLUSTER_DATAROOT=no\n"), :per_cluster_dataroot?
    File.write(File.join(dir, 'f.yaml'), 'per_cluster_dataroot: false')
    refute_predicate host(''), :per_cluster_dataroot?
    { 'g.yml.erb' => ["<%- all = {\n  a: 1 } -%>\n<%# x %>per_cluster_dataroot: true\ntitle: <%= all[:a] %> x\n", true],
      'h.yaml.erb' => ["<%= lines %>\nper_cluster_dataroot: <%= ENV['X'] %>\n", true],
      'i.yml' => ["<%- if true -%>\n  <%= 1 %>\nper_cluster_dataroot: false\n<%- end -%>\n", false] }
      .each do |name, (text, told)|
      File.write(File.join(dir, name), text)
      assert_equal told, host('').per_cluster_dataroot?, name
    end
    assert_predicate host("OOD_CONFIG_D_DIRECTORY=/x\nOOD_PER_CLUSTER_DATAROOT=on\n"), :per_cluster_dataroot?
  end

  # Each token that counts has directories in the viewer's home.
  def test_a_message_names_only_an_app_that_is_installed
    made = host('')
    mine = { group_gid: Process.egid, message: { mtu: Process.euid.to_s } }
    other = mine.merge(message: { mtu: Process.euid.to_s, mtd: 'sys/multitenant-delivery_other' })
    receiver = made.receiver(Feed.new(stream(job(1, **mine), job(2, **other))), dataroot: nil)
    shown = -> { receiver.refresh && receiver.specs.keys.sort }
    assert_equal %w[1 2], shown.call, 'a host without OOD\'s apps'
    apps = File.join(temporary, MultiTenant::Host::APPS)
    FileUtils.mkdir_p(apps)
    assert_empty shown.call
    FileUtils.touch(File.join(apps, 'multitenant-delivery_other'))
    Dir.mkdir(File.join(apps, 'multitenant-delivery_default'))
    assert_equal %w[1], shown.call
    assert_equal 'delivery_not_allowed', receiver.shares.last[:specs]
    File.rename(File.join(apps, 'multitenant-delivery_other'), File.join(apps, 'x'))
    Dir.mkdir(File.join(apps, 'multitenant-delivery_other'))
    assert_equal %w[1 2], shown.call
  end

  def test_an_app_that_can_not_be_looked_at_now_is_not_taken_for_one_that_is_not_installed
    apps = File.join(temporary, MultiTenant::Host::APPS)
    delivery = File.join(apps, 'multitenant-delivery_default')
    FileUtils.mkdir_p(delivery)
    made = host('')
    mine = job(1, group_gid: Process.egid, message: { mtu: Process.euid.to_s })
    receiver = made.receiver(Feed.new(stream(mine)), dataroot: nil)
    shown = -> { receiver.refresh && receiver.specs.keys }
    assert_equal %w[1], shown.call
    Dir.rmdir(delivery)
    assert_equal %w[1], shown.call, 'its file system is not mounted'
    Dir.rmdir(apps)
    assert_equal %w[1], shown.call
    FileUtils.mkdir_p(apps)
    File.symlink(delivery, delivery) # a stat fails
    assert_equal %w[1], shown.call
    File.unlink(delivery)
    Dir.mkdir(File.join(apps, 'dashboard'))
    assert_empty shown.call
  end

  # A site with several portals gives each a name there, and their data roots differ by it.
  def test_what_nginx_stage_gives_dashboards_goes_before_the_env_file
    made = lambda do |yaml, text = "OOD_PORTAL=x\n", env = {}|
      host(text, { 'HOME' => '/h' }.merge(env)).tap do
        File.write(File.join(temporary, '/etc/ood/config/nginx_stage.yml'), yaml)
      end
    end
    named = made.call("ondemand_portal: 'Big Red'\nnginx_signals:\n- :stop\n")
    assert_equal '/h/big_red/data/sys/dashboard', named.dataroot
    given = made.call("ondemand_portal: a\npun_custom_env: {OOD_PORTAL: b, OOD_SSH_PORT: 2222, MINE: m, 1: 2}\n",
                      "OOD_CLUSTERS=/$MINE/$OOD_PORTAL\n")
    assert_equal({ 'OOD_CLUSTERS' => '/m/b', 'OOD_PORTAL' => 'b', 'OOD_SSH_PORT' => '2222' }, given.env_file)
    assert_equal '/h/mine/data/sys/dashboard', made.call('ondemand_portal: a', '', 'OOD_PORTAL' => 'mine').dataroot
    ['', '[a]', 'ondemand_portal: " "', 'pun_custom_env: [A]', "a: b: c\n", 'x: 2026-01-01'].each do |yaml|
      assert_equal({ 'OOD_PORTAL' => 'x' }, made.call(yaml).env_file, yaml)
    end
  end

  # Only what is exported, and of that only what is declared; what is declared counts as it is there, or not at all.
  def test_what_nginx_stage_takes_from_its_profile_goes_before_all_else
    made = host("SLURM_CONF=/of/env\nOOD_CLUSTERS=/of/env\n", 'HOME' => '/h')
    File.write(File.join(temporary, 'etc/ood/profile'), <<~SHELL)
      echo hello; export SLURM_CONF=/slurm/$(basename /x/hpc) OOD_PORTAL='of profile' OOD_DATAROOT=/not/declared
      OOD_SSH_PORT=22
    SHELL
    File.write(File.join(temporary, 'etc/ood/config/nginx_stage.yml'), <<~YAML)
      ondemand_portal: a
      pun_custom_env: {OOD_SSH_PORT: 23, MULTITENANT_TTL: 50}
      pun_custom_env_declarations: [PATH, SLURM_CONF, OOD_PORTAL, OOD_SSH_PORT]
    YAML
    assert_equal({ 'SLURM_CONF' => '/slurm/hpc', 'OOD_CLUSTERS' => '/of/env', 'OOD_PORTAL' => 'of profile',
                   'MULTITENANT_TTL' => '50' }, made.env_file)
    assert_equal '/h/of profile/data/sys/dashboard', made.dataroot
  end

  # OOD's port of ssh, say, which the commands over ssh take.
  def test_programs_get_the_variables_of_the_env_file
    before = ENV.to_h
    host("OOD_SSH_PORT=2222\nSLURM_CONF=/s\n", 'SLURM_CONF' => '/mine').enter
    assert_equal %w[2222 /mine], ENV.values_at('OOD_SSH_PORT', 'SLURM_CONF')
  ensure
    ENV.replace(before)
  end

  def conf(name, auth)
    File.join(temporary, name).tap { |path| File.write(path, "AuthInfo=#{auth}\n") }
  end

  # The sender's: test_share_munge.rb.
  def test_one_munged_for_dashboard_and_doctor
    made = ->(text) { host("OOD_CLUSTERS=/clusters\n#{text}") }
    FileUtils.mkdir_p([File.join(temporary, 'etc/slurm'), File.join(temporary, 'clusters')])
    assert_nil made.call('').munge_socket
    conf('etc/slurm/slurm.conf', '"cred_expire=10,socket=/run/default"')
    assert_equal '/run/default', made.call('').munge_socket
    assert_equal '/run/old', made.call("SLURM_CONF=#{conf('old', '/run/old')}").munge_socket
    assert_nil made.call("SLURM_CONF=#{conf('none', 'cred_expire=10')}").munge_socket
    File.write(File.join(temporary, 'clusters/hpc.yml'),
               "v2: {job: {adapter: slurm, conf: #{conf('own', 'socket=/run/own')}}}\n")
    assert_equal '/run/own', made.call('SLURM_CONF=/nonexistent').munge_socket
    assert_equal '/run/set', made.call('MULTITENANT_MUNGE_SOCKET=/run/set').munge_socket
  end

  # A slurm.conf may be large, and on a network file system.
  def test_which_munged_it_is_is_looked_for_once
    ['socket=/run/first', ''].each do |info|
      here = host("OOD_CLUSTERS=/clusters\nSLURM_CONF=#{conf('one', info)}")
      first = here.munge_socket
      conf('one', 'socket=/run/second')
      assert_equal [first, info[%r{/.*}]], [here.munge_socket, first]
    end
  end

  # ---- the env file ----

  def env_file(text, env = {})
    path = File.join(temporary, 'env')
    File.binwrite(path, text)
    MultiTenant::Host.env_file(path, env)
  end

  def test_the_env_file
    assert_equal({ 'MULTITENANT_WCKEY' => 'a b', 'MULTITENANT_TTL' => '5', 'OOD_PORTAL' => 'x', 'SLURM_CONF' => '/s',
                   'SLURM_CONF_SERVER' => 'ctl:6817', 'MULTITENANT_TIMEOUT' => "it's", 'OOD_DATAROOT' => '',
                   'MULTITENANT_DELIVERY' => 'a=b' },
                 env_file(<<~ENV))
                   # a comment
                   MULTITENANT_WCKEY="a b"
                   export MULTITENANT_TTL=5
                     OOD_PORTAL='x'
                   SLURM_CONF=/s
                   SLURM_CONF_SERVER=ctl:6817
                   MULTITENANT_TIMEOUT="it's"
                   OOD_DATAROOT=
                   MULTITENANT_DELIVERY=a=b
                   #MULTITENANT_ENABLE=true
                   SECRET_KEY_BASE=secret
                   PATH=/evil
                   XMULTITENANT_TTL=6
                   nonsense
                 ENV
  end

  # As dotenv reads them.
  def test_comments_in_the_env_file
    { 'a # b' => 'a', 'a#b' => 'a', '"a # b" # c' => 'a # b', "'a' #c" => 'a', '# only' => '', '"#"' => '#',
      "a\t# b" => 'a' }.each do |text, value|
      assert_equal({ 'MULTITENANT_TTL' => value }, env_file("MULTITENANT_TTL=#{text}\n"), text)
    end
  end

  # Compared with dotenv 2.8.1 itself.
  def test_the_env_file_is_read_as_dotenv_reads_it
    { '$USER/x' => 'me/x', '"${HOME}/$USER"' => '/h/me', "'$USER'" => '$USER', '\\$USER' => '$USER', '$NONE' => '',
      '$OOD_PORTAL/y' => 'p/y', '"a\nb"' => "a\nb", 'a\nb' => 'anb', '"a \"b\""' => 'a "b"', '  a b ' => 'a b',
      '"a' => '"a', 'a$' => 'a$', '$(id)' => '$(id)', "'a\nb'" => "a\nb", "x\r" => 'x' }.each do |text, value|
      ['OOD_DATAROOT=', 'OOD_DATAROOT = ', 'OOD_DATAROOT: ', 'export OOD_DATAROOT='].each do |name|
        read = env_file("\u{feff}OOD_PORTAL=p\n#{name}#{text}\n", 'USER' => 'me', 'HOME' => '/h')
        assert_equal value, read['OOD_DATAROOT'], name + text
      end
    end
    assert_empty env_file("OOD_DATAROOT:x\nOOD_PORTAL\n")
  end

  # Whatever su or sudo left.
  def test_the_user_in_the_env_file_is_the_one_whose_dashboard_it_is
    name = Etc.getpwuid.name
    assert_equal "/s/#{name}/h", host('OOD_DATAROOT=/s/$USER$HOME', 'USER' => 'other', 'HOME' => '/h').dataroot
    assert_raises(MultiTenant::Failure) { host('OOD_DATAROOT=/s/$(id -un)').dataroot }
  end

  def test_an_env_file_that_is_not_there_or_no_file_or_no_text
    assert_empty MultiTenant::Host.env_file('/nonexistent')
    assert_empty MultiTenant::Host.env_file(temporary)
    assert_empty env_file('')
    assert_equal ['MULTITENANT_TTL'], env_file("MULTITENANT_TTL=\xFF\n").keys
  end

  # It may be on a file system whose server is gone. A start asks for it twice.
  def test_a_dashboard_starts_where_slurm_conf_hangs
    before = Thread.list
    host = MultiTenant::DashboardHost.new
    hangs = Queue.new
    MultiTenant::SlurmConf.stub(:read, ->(*) { hangs.pop }) do
      host.stub(:clusters, MultiTenant::Clusters.new([])) { 2.times { assert_nil host.munge_socket } }
      assert_equal 1, (Thread.list - before).size
      hangs << { 'authinfo' => '/run/own' }
      wait_until { host.munge_socket == '/run/own' }
    end
  ensure
    (Thread.list - before).each(&:kill)
  end

  # As one of a file system that is mounted later, or one that slurmd gets.
  def test_a_dashboard_knows_munged_once_slurm_conf_can_be_read
    host = MultiTenant::DashboardHost.new
    said = [Errno::ENOENT, Errno::ESTALE, { 'authinfo' => 'socket=/run/own' }]
    MultiTenant::SlurmConf.stub(:read, ->(*) { (now = said.shift).is_a?(Hash) ? now : raise(now) }) do
      host.stub(:clusters, MultiTenant::Clusters.new([])) do
        assert_equal [nil, nil, *['/run/own'] * 2], Array.new(4) { host.munge_socket }
      end
    end
    assert_empty said
  end

  # No variable can hold it, so that entering such a host raised.
  def test_a_nul_in_the_env_file_is_a_value_that_makes_no_sense
    before = ENV.to_h
    made = host("MULTITENANT_KEYS=/k\0x\nMULTITENANT_TTL=50\n").tap(&:enter)
    assert_equal ['MULTITENANT_KEYS=/k?x makes no sense; nothing is used instead.'], made.settings.warnings
    assert_equal [nil, 50.0], [made.settings.keys, made.settings.ttl]
  ensure
    ENV.replace(before)
  end
end
