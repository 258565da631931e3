# frozen_string_literal: true

require_relative 'helper'
require 'multitenant/doctor'
require 'socket'
require 'stringio'

# A host below a directory on which all is well: the gem where the dashboard looks for it, Slurm and
# MUNGE of the test's. Tests break one thing of it.
class Host
  ENV_FILE = '/etc/ood/config/apps/dashboard/env'
  PLUGIN = '/etc/ood/config/plugins/multitenant/initializers/multitenant.rb'
  CLASSIC = '/etc/ood/config/apps/dashboard/initializers/multitenant.rb'
  CLUSTER = '/etc/ood/config/clusters.d/hpc.yml'
  APP = '/var/www/ood/apps/sys/multitenant-delivery_default'
  CONFIG = { 'AccountingStorageType' => 'accounting_storage/slurmdbd', 'TrackWCKey' => 'Yes', 'ClusterName' => 'hpc',
             'AccountingStorageEnforce' => 'associations,limits,wckeys', 'PrivateData' => 'none' }.freeze

  attr_reader :root, :lib

  def initialize(stream)
    @root = GemHomes.make
    gem = at(File.join(Gem.default_dir, "gems/ood_multitenant-#{MultiTenant::VERSION}"))
    FileUtils.mkdir_p(gem)
    @lib = Tree.copy(gem)
    write(ENV_FILE, "MULTITENANT_ENABLE=true\n")
    write('/opt/ood/VERSION', "4.2.3\n")
    write(PLUGIN, File.read(File.join(Tree::ROOT, 'initializer/multitenant.rb')))
    write(CLUSTER, "v2:\n  job:\n    adapter: slurm\n    cluster: hpc\n    bin: #{at('/bin')}\n")
    write("#{APP}/view.html.erb", "<p>\n")
    slurm(stream)
  end

  def slurm(stream)
    query(stream)
    config
    program('sacctmgr', 'echo "multitenant|hpc"')
    program('sinfo', 'echo "slurm 22.05.8"')
    program('munge', 'echo MUNGE:x:')
    program('unmunge', 'read -r made; [ "$made" = MUNGE:x: ] && echo "STATUS:          Success (0)"')
    program('getent', '[ "$3" = students ]')
    program('ldd', "printf '\\tlibslurm.so.38 => #{File.realpath('/bin/sh')} (0x0012)\\n'")
    program('readelf', 'exit 0')
    program('timedatectl', 'echo yes')
    names(2001, 3000)
  end

  # What the name service says of the viewer.
  def names(*gids)
    File.write(File.join(lib, 'multitenant/multitenant-names'),
               "#!/bin/sh\necho '{\"viewer\":{\"uid\":2001,\"gids\":#{gids}}}'\necho '{\"end\":0}'\n", perm: 0o755)
  end

  # @param body [String] what else the query program does
  def query(stream, body = '')
    write('/records', stream)
    path = File.join(lib, 'multitenant/multitenant-query')
    File.write(path, "#!/bin/sh\n[ \"$1\" = --version ] && echo 'multitenant-query 0.1.0 (Slurm 22.05.8)' && exit\n" \
                     "#{body}\nexec cat #{at('/records')}\n", perm: 0o755)
  end

  def config(**changes)
    text = CONFIG.merge(changes.transform_keys(&:to_s)).map { |key, value| "#{key.ljust(20)} = #{value}" }.join("\n")
    program('scontrol', "cat <<'EOF'\n#{text}\nEOF")
  end

  def program(name, body)
    write("/bin/#{name}", "#!/bin/sh\n#{body}\n", mode: 0o755)
  end

  def at(path)
    File.join(root, path)
  end

  def write(path, text, mode: 0o644)
    FileUtils.mkdir_p(File.dirname(at(path)))
    File.write(at(path), text)
    File.chmod(mode, at(path))
  end
end

# Each check with one thing broken: what it says, and the mend.
class TestDoctor < MultiTenantTest
  RUN = "require 'multitenant/doctor'; dir, themes, json = ARGV\n" \
        "themes = themes.split(',').map { |name| MultiTenant::Doctor.const_get(name) }\n" \
        'exit MultiTenant::Doctor.new(root: dir, env: ENV.to_h, themes: themes, json: json == "json").run'
  ALL = 'Setup,GemFiles,Accounting,Identity,Apps,Host'
  VIEWER = 2001

  attr_reader :done

  def setup
    super
    need_root
  end

  def host
    @host ||= Host.new(stream(job(7)))
  end

  # As the viewer, unless the test says otherwise.
  def doctor(themes = ALL, as: VIEWER, json: nil, lib: host.lib, env: {})
    env = { 'PATH' => "#{host.at('/bin')}:#{ENV.fetch('PATH')}", 'HOME' => temporary }.merge(env)
    @done = run_as(as, RbConfig.ruby, '-I', lib, '-e', RUN, host.root, themes, json.to_s, env: env)
    assert_empty done.err
    done.out
  end

  # The only thing that the themes find: its line, what it says, its mend.
  def assert_told(themes, state, what, seen, mend = nil, code: state == 'FAIL' ? 78 : 0, alone: true, **options)
    doctor(themes, **options)
    lines = done.out.lines(chomp: true)
    found = lines.each_index.select { |i| lines[i].start_with?(format('%-5s %s: ', state, what)) }
    assert_equal 1, found.size, done.out
    assert_match seen, lines[found[0]]
    mend ? assert_match(mend, lines[found[0] + 1]) : refute_match(/\A /, lines[found[0] + 1])
    assert_empty lines.grep(/\A(?:FAIL|warn)/) - [lines[found[0]]] if alone
    assert_equal code, done.code
  end

  def env_file(*lines)
    host.write(Host::ENV_FILE, ['MULTITENANT_ENABLE=true', *lines, ''].join("\n"))
  end

  # ---- the whole ----

  def test_a_sound_host
    [VIEWER, nil].each do |user|
      told = doctor(as: user)
      assert_equal 0, done.code, told
      refute_match(/^(?:warn|FAIL|      )/, told)
      ['Slurm: hpc answered in ', "Gem: the dashboard's Ruby finds #{host.root}", 'Core: ', 'Tokens: ', 'MUNGE: ']
        .each { |line| assert_includes told, "\nok    #{line}" }
    end
    assert_match(/\. Run as root/, done.out)
  end

  def test_json
    told = JSON.parse(doctor('Setup,Host', json: 'json'))
    assert_equal 0, told['code']
    assert_equal ['skip', 'Snapshot', 'MULTITENANT_SNAPSHOT is not set: each dashboard asks Slurm itself.', nil],
                 told['findings'].last.values_at('state', 'what', 'seen', 'mend')
  end

  def test_without_the_core_the_rest_is_looked_at
    File.unlink(File.join(host.lib, 'multitenant/multitenant.so'))
    told = doctor
    assert_equal 78, done.code
    assert_match(
      /^FAIL  Core: The core of .*cannot load such file.*\n      Run `bash .*gem pristine ood_multitenant'`\.$/, told
    )
    ['ok    Initializer: ', 'ok    Clusters: ', 'ok    Delivery apps: ', 'skip  Slurm: not looked at',
     'skip  MUNGE: not looked at'].each { |line| assert_includes told, line }
  end

  def test_a_check_that_breaks_down_names_itself
    theme = Class.new(MultiTenant::Doctor::Theme) do
      const_set(:CHECKS, { bad: 'Bad', good: 'Good' })
      define_method(:bad) { raise ArgumentError, "what\e[2J it was\nmore" }
      define_method(:good) { ok('fine.') }
    end
    out = StringIO.new
    assert_equal 78, MultiTenant::Doctor.new(root: temporary, env: {}, out: out, themes: [theme]).run
    broken = 'FAIL  Bad: the check `bad` broke down: ArgumentError: what\u001b[2J it was'
    assert_match(/\A#{Regexp.escape(broken)}\n {6}Mend .*\nok    Good: /, out.string)
  end

  # ---- setup ----

  def test_enabled
    File.unlink(host.at(Host::ENV_FILE))
    assert_told 'Setup', 'FAIL', 'Enabled', /there is no /, /MULTITENANT_ENABLE=true into/
    host.write(Host::ENV_FILE, "MULTITENANT_ENABLE=yes\n")
    assert_told 'Setup', 'FAIL', 'Enabled', /is "yes" in/, /MULTITENANT_ENABLE=true into/
    env_file
    File.chmod(0o600, host.at(Host::ENV_FILE))
    assert_told 'Setup', 'FAIL', 'Enabled', /can't be read by this user/, /chmod 0644/
    File.chmod(0o666, host.at(Host::ENV_FILE))
    assert_told 'Setup', 'FAIL', 'Enabled', /others than root/, /chmod go-w/
  end

  def test_settings_and_variables
    env_file 'MULTITENANT_TTL=soon'
    assert_told 'Setup', 'warn', 'Settings', /MULTITENANT_TTL=soon makes no sense/, /Correct that line/
    env_file 'MULTITENANT_WCKEYS=a'
    assert_told 'Setup', 'warn', 'Settings', /MULTITENANT_WCKEYS is set .*no such setting/, /name/
    env_file
    assert_told 'Setup', 'warn', 'Variables', /MULTITENANT_TTL is set in this shell and not/, /unset MULTITENANT_TTL/,
                env: { 'MULTITENANT_TTL' => '20' }
    env_file 'MULTITENANT_TTL=20'
    assert_includes doctor('Setup', env: { 'MULTITENANT_TTL' => '20' }), 'ok    Variables'
    assert_told 'Setup', 'warn', 'Variables', /MULTITENANT_TTL is set in this shell and otherwise in/, /unset/,
                env: { 'MULTITENANT_TTL' => '40' }
  end

  def test_the_initializer
    File.write(host.at(Host::PLUGIN), "# ood_multitenant of old\n")
    assert_told 'Setup', 'warn', 'Initializer', /another release/, /multitenant install/
    File.write(host.at(Host::PLUGIN), "# something\n")
    assert_told 'Setup', 'FAIL', 'Initializer', /not of this gem/, /multitenant install/
    File.chown(VIEWER, VIEWER, host.at(Host::PLUGIN))
    assert_told 'Setup', 'FAIL', 'Initializer', /others than root/, /chown root/
    File.unlink(host.at(Host::PLUGIN))
    assert_told 'Setup', 'FAIL', 'Initializer', /nothing is loaded/, /multitenant install/
  end

  def test_an_initializer_that_open_ondemand_passes_over
    other = File.join(File.dirname(Host::PLUGIN), 'other.txt')
    host.write(other, '')
    File.chown(VIEWER, VIEWER, host.at(other))
    assert_told 'Setup', 'FAIL', 'Initializer', /other\.txt is not root's/, /chown root .*other\.txt/
    File.unlink(host.at(other))
    host.write('/opt/ood/VERSION', "3.1.16\n")
    assert_told 'Setup', 'FAIL', 'Initializer', /3\.1\.16 loads no plugins/, /multitenant install/
  end

  def test_two_initializers
    host.write(Host::CLASSIC, File.read(host.at(Host::PLUGIN)))
    assert_told 'Setup', 'FAIL', 'Initializer', /there are two/, /rm #{host.at(Host::CLASSIC)}`/
    host.write('/opt/ood/VERSION', "3.1.16\n")
    assert_told 'Setup', 'FAIL', 'Initializer', /there are two/, /rm #{host.at(Host::PLUGIN)}`/
  end

  def test_the_initializer_before_us
    host.write(File.join(File.dirname(Host::CLASSIC), 'old/wfu.rb'), "require 'openssl'\nclass MultiTenant\nend\n")
    assert_told 'Setup', 'FAIL', 'Other initializers', /wfu\.rb defines a MultiTenant/, /mv .*wfu\.rb\.disabled/
  end

  # ---- gem ----

  def test_the_gem
    file = File.join(host.lib, 'multitenant/query.rb')
    File.chown(VIEWER, VIEWER, file)
    assert_told 'GemFiles', 'FAIL', 'Gem', /query\.rb, or a directory above it/, /Chown root and chmod go-w/
    FileUtils.mv(File.dirname(host.lib), File.join(temporary, 'gem'))
    assert_told 'GemFiles', 'FAIL', 'Gem', /0\.1\.0 is not where the dashboard's Ruby/, /multitenant install --gem/,
                lib: File.join(temporary, 'gem/lib')
  end

  def test_a_core_of_another_ruby
    File.write(File.join(host.lib, 'multitenant/multitenant.so'), 'not one')
    assert_told 'GemFiles', 'FAIL', 'Core', /can't be loaded.*LoadError/, /gem pristine ood_multitenant/
  end

  def test_the_query_program
    path = File.join(host.lib, 'multitenant/multitenant-query')
    host.program('sinfo', 'echo slurm-wlm 23.11.4')
    assert_told 'GemFiles', 'warn', 'Query program', /built for Slurm 22\.05.* are of 23\.11/, /slurm-devel/
    host.program('sinfo', 'exit 1')
    assert_told 'GemFiles', 'ok', 'Query program', /sinfo does not tell/
    File.write(path, "#!/bin/sh\necho 'libslurm.so.38: cannot open' >&2\nexit 127\n")
    assert_told 'GemFiles', 'warn', 'Query program', /cannot open.*sacct and squeue are used/, /gem pristine/
    File.unlink(path)
    assert_told 'GemFiles', 'warn', 'Query program', /was not built\. sacct and squeue are used/, /gem pristine/
  end

  def test_libslurm
    host.program('ldd', "printf '\\tlibslurm.so.38 => not found\\n'")
    assert_told 'GemFiles', 'warn', 'libslurm', /libslurm\.so\.38 is not on this host/, /slurm-devel/
    host.program('ldd', "printf '\\tlibslurm.so.38 => #{host.at('/opt/libslurm.so.38')} (0x00)\\n'")
    host.write('/opt/libslurm.so.38', '', mode: 0o666)
    assert_told 'GemFiles', 'FAIL', 'libslurm', /libslurm\.so\.38, where libslurm.*others than root/, /chmod go-w/
    File.chmod(0o644, host.at('/opt/libslurm.so.38'))
    host.program('readelf', "echo ' 0x01 (RUNPATH)  Library runpath: [#{temporary}]'")
    File.chown(VIEWER, VIEWER, temporary)
    assert_told 'GemFiles', 'FAIL', 'libslurm', /#{temporary}, where libslurm/, /chown root #{temporary}/
  end

  # ---- Slurm ----

  def test_slurm_does_not_answer
    host.query('', "echo 'multitenant-query: slurmdbd refused' >&2; exit 69")
    assert_told 'Accounting', 'FAIL', 'Slurm', /hpc: slurmdbd refused/, /scontrol ping/, code: 69
    assert_equal 69, done.code
    assert_includes done.out, 'skip  Cluster mapping'
    host.write(Host::ENV_FILE, '')
    doctor('Setup,Accounting')
    assert_equal 78, done.code
  end

  def test_slurm_is_configured_wrongly_or_slow
    host.query('', "echo 'multitenant-query: SLURM_CONF names nothing' >&2; exit 65")
    assert_told 'Accounting', 'FAIL', 'Slurm', /SLURM_CONF names nothing/, /multitenant jobs/
    host.query(stream(job(7)), 'sleep 0.2')
    assert_told 'Accounting', 'warn', 'Slurm', /1 running job has the key.* over 0\.15 s/, /MULTITENANT_SNAPSHOT/
  end

  def test_jobs_are_hidden
    host.query(stream(job(7), sees: 'own'))
    assert_told 'Accounting', 'warn', 'PrivateData', /hides jobs of others/, /adminlevel=operator/
    host.query(stream(job(7)))
    host.config(PrivateData: 'accounts,jobs')
    assert_told 'Accounting', 'warn', 'PrivateData', /hides jobs of others/, /MULTITENANT_SNAPSHOT/, as: nil
  end

  def test_wckeys
    host.config(AccountingStorageEnforce: 'associations')
    assert_told 'Accounting', 'warn', 'WCKey', /anybody may publish under multitenant/,
                /AccountingStorageEnforce=associations,wckeys/
    env_file 'MULTITENANT_PUBLISHERS=students'
    assert_told 'Accounting', 'ok', 'WCKey', /only members of students/
    env_file
    host.config(TrackWCKey: 'No')
    assert_told 'Accounting', 'warn', 'WCKey', /anybody may publish/, /TrackWCKey=yes/
    host.config(AccountingStorageType: 'accounting_storage/none')
    assert_told 'Accounting', 'FAIL', 'WCKey', /keeps no accounts/, %r{accounting_storage/slurmdbd}
    host.config
    host.program('sacctmgr', 'echo "other|hpc"; echo "multitenant|elsewhere"')
    assert_told 'Accounting', 'warn', 'WCKey users', /no user of multitenant/,
                /sacctmgr add user NAME wckeys=multitenant/
    host.program('sacctmgr', 'echo "Your user doesn\'t have privilege to perform this action" >&2; exit 1')
    assert_told 'Accounting', 'skip', 'WCKey users', /only operators/
  end

  def test_clusters
    host.write(Host::CLUSTER, File.read(host.at(Host::CLUSTER)).sub('cluster: hpc', 'cluster: other'))
    assert_told 'Accounting', 'FAIL', 'Cluster mapping', /no cluster of Open OnDemand's is Slurm's hpc/,
                /`cluster: hpc`/
    host.write(Host::CLUSTER, "v2: {job: {adapter: torque}}\n")
    assert_told 'Accounting', 'FAIL', 'Clusters', /no cluster with `adapter: slurm`/, /cluster: NAME/, alone: false
    host.write(Host::CLUSTER, "v2: {job\n")
    doctor('Accounting')
    assert_match(/^FAIL  Clusters: .*hpc\.yml is no YAML that OOD reads: .*\n      Correct it\.$/, done.out)
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
    assert_told 'Identity', 'FAIL', 'MUNGE', /Rewound credential \(16\)/, /chronyc makestep/
    host.program('munge', 'echo "munge: Error: Failed to access" >&2; exit 6')
    assert_told 'Identity', 'FAIL', 'MUNGE', /munged does not answer: munge: Error: Failed to access/,
                /systemctl enable --now munge/
  end

  def test_slurm_s_own_munged_is_asked
    host.write('/slurm.conf', "ClusterName=hpc\nAuthInfo=cred_expire=10,socket=/run/ours\n")
    host.program('munge', 'case "$*" in *--socket=/run/ours*) echo MUNGE:x: ;; *) exit 1 ;; esac')
    assert_includes doctor('Identity', env: { 'SLURM_CONF' => host.at('/slurm.conf') }), 'ok    MUNGE: '
  end

  def test_munged_does_not_know_a_group
    host.program('munge', 'case "$*" in *--restrict-gid=3000*) echo MUNGE:g: ;; *) echo MUNGE:x: ;; esac')
    host.program('unmunge',
                 'read -r made; [ "$made" = MUNGE:x: ] || { echo "STATUS: Unauthorized credential (18)"; exit 18; }')
    assert_told 'Identity', 'warn', 'MUNGE groups', /this user is in group 3000/, /group-check-mtime=0/
  end

  def test_own_groups
    host.names(2001, 4000)
    assert_told 'Identity', 'warn', 'Own groups', /has 3000 besides and lacks 4000/, /restart the web server/
    host.names
    assert_told 'Identity', 'warn', 'Own groups', /does not know this user/, /getent passwd 2001/
  end

  def test_groups
    host.query(stream(job(7, name: "x|evil\e[2J'grp|#{'A' * 8}")))
    assert_told 'Identity', 'ok', 'Groups', /with a group now/
    host.query(stream(job(7, name: "x|stud'ents|#{'A' * 8}")))
    assert_told 'Identity', 'warn', 'Groups', /shared with stud'ents, which is no group/, /getent group stud\\'ents/
    host.query(stream(job(7)))
    env_file 'MULTITENANT_PUBLISHERS=teachers'
    assert_told 'Identity', 'FAIL', 'Groups', /teachers .*nobody may publish/, /getent group teachers/,
                alone: false
  end

  # ---- apps ----

  def test_delivery_apps
    view = "#{Host::APP}/view.html.erb"
    File.chmod(0o600, host.at(view))
    assert_told 'Apps', 'FAIL', 'Delivery apps', /not every user may read .*view/, /chmod 0644/
    File.chown(VIEWER, VIEWER, host.at(view))
    assert_told 'Apps', 'FAIL', 'Delivery apps', /others than root.*view\.html\.erb/, /chown root/
    File.unlink(host.at(view))
    assert_told 'Apps', 'FAIL', 'Delivery apps', /there is no .*view\.html\.erb/, /multitenant install/
    File.chmod(0o750, host.at(Host::APP))
    assert_told 'Apps', 'FAIL', 'Delivery apps', /not every user may enter/, /chmod 0755/
    FileUtils.rm_r(host.at(Host::APP))
    assert_told 'Apps', 'FAIL', 'Delivery apps', /no app is sys/, /multitenant install/, alone: false
  end

  def test_a_token_that_is_not_installed
    host.query(stream(job(7, message: { mtd: 'sys/multitenant-delivery_db' })))
    [VIEWER, nil].each do |user|
      assert_told 'Apps', 'FAIL', 'Tokens', %r{sys/multitenant-delivery_db, which job 7 names}, /MULTITENANT_DELIVERY/,
                  as: user
    end
    host.query(stream(job(7, message: { mtd: 'sys/../../etc' })))
    assert_told 'Apps', 'ok', 'Tokens', /names one now/, as: nil
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
    assert_told 'Host', 'ok', 'Data root', /holds 1 card of ours/, **options
    File.chmod(0o777, db)
    assert_told 'Host', 'FAIL', 'Data root', %r{batch_connect/db is another user's, or others may write}, /chmod go-w/,
                **options
    FileUtils.rm_r(File.join(home, 'ondemand'))
    assert_told 'Host', 'skip', 'Data root', /first visit/, **options
    File.symlink('/nowhere', File.join(home, 'ondemand'))
    assert_told 'Host', 'FAIL', 'Data root', %r{home/ondemand, on the way to .* leads nowhere}, /remove the link/,
                **options
  end

  def test_selinux
    host.write('/sys/fs/selinux/enforce', '1')
    host.program('getsebool', 'echo "ondemand_use_slurm --> off"')
    assert_told 'Host', 'FAIL', 'SELinux', /ondemand_use_slurm is off/, /setsebool -P ondemand_use_slurm=on/
    host.program('getsebool', 'echo "ondemand_use_slurm --> on"')
    assert_told 'Host', 'ok', 'SELinux', /is on/
    host.program('getsebool', 'exit 1')
    assert_told 'Host', 'warn', 'SELinux', /has no ondemand_use_slurm/, /ondemand-selinux/
    host.write('/sys/fs/selinux/enforce', '0')
    assert_told 'Host', 'ok', 'SELinux', /does not enforce/
  end

  def test_clocks
    host.program('timedatectl', 'echo no')
    assert_told 'Host', 'warn', 'Clock', /not synchronised/, /chronyd/
    host.program('chronyc', 'echo "System time     : 7.25 seconds slow of NTP time"; echo "Leap status     : Normal"')
    assert_told 'Host', 'warn', 'Clock', /7\.25 s off/, /chronyc makestep/
    host.program('chronyc', 'echo "Leap status     : Not synchronised"')
    assert_told 'Host', 'warn', 'Clock', /follows no other/, /chronyc sources/
    host.program('chronyc', 'echo "Leap status     : Normal"')
    host.query(stream(job(7, start: Time.now.to_i + 600)))
    assert_told 'Host', 'warn', 'Times', /starts \d+ s from now/, /makestep/
  end

  def test_the_snapshot
    env_file 'MULTITENANT_SNAPSHOT=/run/multitenant'
    assert_told 'Host', 'warn', 'Snapshot', /There is no snapshot in .*run.multitenant/,
                /systemctl enable --now multitenant-agent/
    header = { round: 'a', groups: [], generated: Time.now.to_i }
    host.write('/run/multitenant/state', stream(**header, wckeys: ['other']))
    assert_told 'Host', 'warn', 'Snapshot', /does not hold the WCKey multitenant/, /restart multitenant-agent/
    host.write('/run/multitenant/state', stream(**header))
    assert_told 'Host', 'ok', 'Snapshot', /fresh and used/
  end
end
