# frozen_string_literal: true

require_relative 'healthy_host'
require 'stringio'

# The whole, and with one thing broken: what is said of the set-up and of the gem, and the fix.
class TestDoctor < DoctorTest
  # ---- the whole ----

  def test_a_healthy_host
    [VIEWER, nil].each do |user|
      told = doctor(as: user)
      assert_equal 0, done.code, told
      refute_match(/^(?:warn|FAIL|      )/, told)
      ['Slurm: hpc answered in ', "Gem: the dashboard's Ruby finds #{host.root}", 'Core: ', 'Tokens: ', 'munged: ']
        .each { |line| assert_includes told, "\nok    #{line}" }
      assert_includes told, "\nskip  Service apps: none"
    end
    assert_match(/\. This is what root sees; run doctor as a user/, done.out)
    ['Data root', 'Your groups'].each { |what| assert_includes done.out, "skip  #{what}: run this as a user" }
  end

  # A login node, or a JupyterHub's host, with the gem alone; and where the site's files were copied to it.
  def test_a_host_without_open_ondemand
    kept = [HealthyHost::ENV_FILE, HealthyHost::CLUSTER].to_h { |path| [path, File.read(host.at(path))] }
    %w[/etc/ood /opt/ood /var/www/ood].each { |path| FileUtils.rm_rf(host.at(path)) }
    [VIEWER, nil].each do |user|
      refute_match(/^FAIL/, doctor("#{ALL},Sealing,Gateway", as: user))
      ['Enabled', 'Initializer', 'Clusters', 'Cluster mapping', 'Delivery apps', 'Tokens'].each do |what|
        assert_includes done.out, "skip  #{what}: this host has no Open OnDemand"
      end
      assert_equal 0, done.code
    end
    kept.each { |path, text| host.write(path, text) }
    refute_match(/^FAIL/, doctor('Setup,Accounting,Apps'))
    assert_includes done.out, 'ok    Cluster mapping: Slurm\'s cluster hpc is hpc in Open OnDemand.'
  end

  def test_json
    told = JSON.parse(doctor('Setup,Machine', json: 'json'))
    assert_equal 0, told['code']
    state, what, seen, fix = told['findings'].last.values_at('state', 'what', 'seen', 'fix')
    assert_equal ['skip', 'Snapshot', nil], [state, what, fix]
    # Then what it would save.
    assert_match(/\AMULTITENANT_SNAPSHOT is not set: each dashboard asks Slurm itself\. /, seen)
  end

  def test_without_the_core_the_rest_is_looked_at
    File.unlink(File.join(host.lib, 'multitenant/multitenant.so'))
    env_file 'MULTITENANT_SNAPSHOT=/run/multitenant'
    told = doctor
    assert_equal 78, done.code
    assert_match(/^FAIL  Core: The dashboard's Ruby .* can't load .*: cannot load such file.*
      Run `bash .*gem pristine ood_multitenant --install-dir #{host.root}.*'`\.$/, told)
    ['ok    Initializer: ', 'ok    Clusters: ', 'ok    Delivery apps: ', 'skip  Slurm: this Ruby can\'t load',
     'skip  munged: this Ruby can\'t load'].each { |line| assert_includes told, line }
  end

  def test_a_check_that_crashes_names_itself
    theme = Class.new(MultiTenant::Doctor::Theme) do
      const_set(:CHECKS, { bad: 'Bad', good: 'Good' })
      define_method(:bad) { raise ArgumentError, "what\e[2J it was\nmore" }
      define_method(:good) { ok('fine.') }
    end
    out = StringIO.new
    assert_equal 78, MultiTenant::Doctor.new(root: temporary, env: {}, out: out, themes: [theme]).run
    broken = 'FAIL  Bad: the check `bad` crashed: ArgumentError: what\u001b[2J it was'
    assert_match(/\A#{Regexp.escape(broken)}\n {6}Fix .*\nok    Good: /, out.string)
  end

  # ---- setup ----

  def test_enabled
    File.unlink(host.at(HealthyHost::ENV_FILE))
    assert_told 'Setup', 'FAIL', 'Enabled', /there is no /, /MULTITENANT_ENABLE=true into/
    host.write(HealthyHost::ENV_FILE, "MULTITENANT_ENABLE=yes\n")
    assert_told 'Setup', 'FAIL', 'Enabled', /is "yes" in .*: cards that are there stay/,
                /MULTITENANT_ENABLE=true into.*=remove: /
    host.write(HealthyHost::ENV_FILE, "MULTITENANT_ENABLE=remove\n")
    assert_told 'Setup', 'warn', 'Enabled', /is remove in/, /MULTITENANT_ENABLE=true into/
    env_file
    File.chmod(0o600, host.at(HealthyHost::ENV_FILE))
    assert_told 'Setup', 'FAIL', 'Enabled', /can't be read by this user/, /chmod 0644/
    assert_told 'Setup', 'FAIL', 'Enabled', /only root can read .*no dashboard starts/, /chmod a\+r/, as: 0
    File.chown(0, 3000, host.at(HealthyHost::ENV_FILE))
    File.chmod(0o640, host.at(HealthyHost::ENV_FILE))
    assert_told 'Setup', 'ok', 'Enabled', /is true/, as: 0
    dir = File.dirname(host.at(HealthyHost::ENV_FILE))
    File.chmod(0o700, dir)
    assert_told 'Setup', 'FAIL', 'Enabled', /only root can/, /chmod a\+rx/, as: 0
    File.chmod(0o755, dir)
    File.chmod(0o666, host.at(HealthyHost::ENV_FILE))
    assert_told 'Setup', 'FAIL', 'Enabled', /users other than root/, /chmod go-w/
  end

  def test_settings_and_variables
    env_file 'MULTITENANT_TTL=soon'
    assert_told 'Setup', 'warn', 'Settings', /MULTITENANT_TTL=soon makes no sense/, /Correct that line/
    env_file 'MULTITENANT_WCKEYS=a'
    assert_told 'Setup', 'warn', 'Settings', /MULTITENANT_WCKEYS is set .*no such setting/, /name/
    env_file
    assert_told 'Setup', 'warn', 'Shell', /MULTITENANT_TTL is set in this shell but not in/, /unset MULTITENANT_TTL/,
                env: { 'MULTITENANT_TTL' => '20' }
    env_file 'MULTITENANT_TTL=20'
    assert_includes doctor('Setup', env: { 'MULTITENANT_TTL' => '20' }), 'ok    Shell'
    assert_told 'Setup', 'warn', 'Shell', /MULTITENANT_TTL is set in this shell and differently in/, /unset/,
                env: { 'MULTITENANT_TTL' => '40' }
    env_file 'MULTITENANT_PUBLISHERS=größe'
    assert_includes doctor('Setup', env: { 'MULTITENANT_PUBLISHERS' => 'größe', 'LANG' => 'C' }), 'ok    Shell'
  end

  # It goes before the `env` file.
  def test_what_nginx_stage_sets_is_told_of_its_file
    stage = '/etc/ood/config/nginx_stage.yml'
    here = /#{host.at(stage)}/
    host.write(stage, "pun_custom_env:\n  MULTITENANT_ENABLE: 'no'\n")
    assert_told 'Setup', 'FAIL', 'Enabled', /MULTITENANT_ENABLE is "no" in #{here}:/,
                /Make MULTITENANT_ENABLE true in #{here}/
    File.unlink(host.at(HealthyHost::ENV_FILE))
    host.write(stage, "pun_custom_env:\n  MULTITENANT_ENABLE: true\n")
    assert_told 'Setup', 'ok', 'Enabled', /MULTITENANT_ENABLE is true in #{here}/
    env_file
    host.write(stage, "pun_custom_env:\n  MULTITENANT_TTL: soon\n")
    assert_told 'Setup', 'warn', 'Settings', /MULTITENANT_TTL=soon/, /Correct that line in #{here}/
    host.write(stage, "pun_custom_env:\n  MULTITENANT_TTLS: 3\n")
    assert_told 'Setup', 'warn', 'Settings', /MULTITENANT_TTLS is set in #{here}, but there is no such/, /name/
    host.write(stage, "pun_custom_env:\n  MULTITENANT_TTL: 20\n")
    assert_told 'Setup', 'warn', 'Shell', /differently in #{here}:/, /into #{here}/, env: { 'MULTITENANT_TTL' => '40' }
  end

  def test_the_initializer
    File.write(host.at(HealthyHost::PLUGIN), "# ood_multitenant of old\n")
    assert_told 'Setup', 'warn', 'Initializer', /another release/, /multitenant install/
    File.write(host.at(HealthyHost::PLUGIN), "# something\n")
    assert_told 'Setup', 'FAIL', 'Initializer', /is not this gem's/, /multitenant install/
    File.chmod(0o600, host.at(HealthyHost::PLUGIN))
    assert_told 'Setup', 'FAIL', 'Initializer', /can't be read by this user/, /chmod 0644/
    File.chown(VIEWER, VIEWER, host.at(HealthyHost::PLUGIN))
    assert_told 'Setup', 'FAIL', 'Initializer', /users other than root/, /chown root/
    File.unlink(host.at(HealthyHost::PLUGIN))
    assert_told 'Setup', 'FAIL', 'Initializer', /nothing is loaded/, /multitenant install/
  end

  def test_an_initializer_that_open_ondemand_passes_over
    other = File.join(File.dirname(HealthyHost::PLUGIN), 'other.txt')
    host.write(other, '')
    File.chown(VIEWER, VIEWER, host.at(other))
    assert_told 'Setup', 'FAIL', 'Initializer', /other\.txt is not root's/, /chown root .*other\.txt/
    File.unlink(host.at(other))
    host.write('/opt/ood/VERSION', "3.1.16\n")
    assert_told 'Setup', 'FAIL', 'Initializer', /3\.1\.16 loads no plugins/, /multitenant install/
    host.write('/opt/ood/VERSION', "4.2.3\n")
    env_file 'OOD_PLUGINS_DIRECTORY=/srv/plugins'
    assert_told 'Setup', 'FAIL', 'Initializer', %r{4\.2\.3 looks for plugins in /srv/plugins}, /multitenant install/
  end

  def test_two_initializers
    host.write(HealthyHost::CLASSIC, File.read(host.at(HealthyHost::PLUGIN)))
    assert_told 'Setup', 'FAIL', 'Initializer', /there are two/, /rm #{host.at(HealthyHost::CLASSIC)}`/
    host.write('/opt/ood/VERSION', "3.1.16\n")
    assert_told 'Setup', 'FAIL', 'Initializer', /there are two/, /rm #{host.at(HealthyHost::PLUGIN)}`/
  end

  def test_the_initializer_before_us
    host.write(File.join(File.dirname(HealthyHost::CLASSIC), 'old/wfu.rb'),
               "require 'openssl'\nclass MultiTenant\nend\n")
    assert_told 'Setup', 'FAIL', 'Other initializers', /wfu\.rb defines a MultiTenant/, /mv .*wfu\.rb\.disabled/
  end

  # ---- gem ----

  def test_the_gem
    file = File.join(host.lib, 'multitenant/sources/query.rb')
    File.chown(VIEWER, VIEWER, file)
    assert_told 'GemFiles', 'FAIL', 'Gem', /query\.rb or a directory above it/,
                /Run `chown root .*query\.rb; chmod go-w/
    FileUtils.mv(File.dirname(host.lib), File.join(temporary, 'gem'))
    assert_told 'GemFiles', 'FAIL', 'Gem', /#{Regexp.escape(MultiTenant::VERSION)} is not where the dashboard's Ruby/,
                /multitenant install --gem/, lib: File.join(temporary, 'gem/lib')
  end

  def test_a_core_of_another_ruby
    File.write(File.join(host.lib, 'multitenant/multitenant.so'), 'not one')
    assert_told 'GemFiles', 'FAIL', 'Core', /\) can't load the core of .*: LoadError/, /gem pristine ood_multitenant/
  end

  def test_the_query_program
    path = File.join(host.lib, 'multitenant/multitenant-query')
    host.program('sinfo', 'echo slurm-wlm 23.11.4')
    assert_told 'GemFiles', 'warn', 'multitenant-query', /built for Slurm 22\.05.* commands are 23\.11/,
                /libslurm-dev or slurm-devel of the release that runs here \(slurm-smd-dev of/
    host.program('sinfo', 'exit 1')
    assert_told 'GemFiles', 'ok', 'multitenant-query', /sinfo does not say/
    File.write(path, "#!/bin/sh\necho 'libslurm.so.38: cannot open' >&2\nexit 127\n")
    assert_told 'GemFiles', 'warn', 'multitenant-query', /cannot open.*sacct and squeue are used/, /gem pristine/
    File.unlink(path)
    assert_told 'GemFiles', 'warn', 'multitenant-query', /was not built\. sacct and squeue are used/, /gem pristine/
    assert_includes done.out, 'skip  libslurm: there is no multitenant-query'
  end

  # Of a name service that is slow, nothing is the gem's.
  def test_the_names_program
    path = File.join(host.lib, 'multitenant/multitenant-names')
    File.write(path, "#!/bin/sh\necho 'multitenant-names: the name service did not answer in time; why' >&2\nexit 75\n")
    assert_told 'GemFiles', 'warn', 'multitenant-names', /the name service did not answer\./, /restart sssd/
    File.write(path, "#!/bin/sh\necho 'libjansson.so.4: cannot open' >&2\nexit 127\n")
    assert_told 'GemFiles', 'FAIL', 'multitenant-names', /cannot open/, /gem pristine/
  end

  def test_libslurm
    host.program('ldd', "printf '\\tlibslurm.so.38 => not found\\n'")
    assert_told 'GemFiles', 'warn', 'libslurm', /libslurm\.so\.38 is not on this host/, /slurm-devel/
    host.program('ldd', "printf '\\tlibslurm.so.38 => #{host.at('/opt/libslurm.so.38')} (0x00)\\n'")
    host.write('/opt/libslurm.so.38', '', mode: 0o666)
    assert_told 'GemFiles', 'FAIL', 'libslurm', /than root can change .*\.so\.38 or .*looked for there/, /chmod go-w/
    File.chmod(0o644, host.at('/opt/libslurm.so.38'))
    host.program('readelf', "echo ' 0x01 (RUNPATH)  Library runpath: [#{temporary}]'")
    File.chown(VIEWER, VIEWER, temporary)
    assert_told 'GemFiles', 'FAIL', 'libslurm', /can change #{temporary} or a directory above it, and libslurm/,
                /chown root #{temporary}/
  end
end
