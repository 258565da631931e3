# frozen_string_literal: true

require_relative 'helper'
require 'multitenant/doctor'

# A host below a directory on which all is well: the gem where the dashboard looks for it, Slurm and
# MUNGE of the test's. Tests break one thing of it.
class HealthyHost
  include HostFiles

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
end

# Runs `doctor` on that host, and looks at what it says.
class DoctorTest < MultiTenantTest
  RUN = "require 'multitenant/doctor'; dir, themes, json, node = ARGV\n" \
        "themes = themes.split(',').map { |name| MultiTenant::Doctor.const_get(name) }\n" \
        'exit MultiTenant::Doctor.new(root: dir, env: ENV.to_h, themes: themes, json: json == "json", ' \
        'node: node == "true").run'
  ALL = 'Setup,GemFiles,Accounting,Identity,Apps,Machine'
  VIEWER = 2001

  attr_reader :done

  def setup
    super
    need_root
  end

  def host
    @host ||= HealthyHost.new(stream(job(7)))
  end

  # As the viewer, unless the test says otherwise.
  def doctor(themes = ALL, as: VIEWER, json: nil, node: nil, lib: host.lib, env: {})
    env = { 'PATH' => "#{host.at('/bin')}:#{ENV.fetch('PATH')}", 'HOME' => temporary }.merge(env)
    @done = run_as(as, RbConfig.ruby, '-I', lib, '-e', RUN, host.root, themes, json.to_s, node.to_s, env: env)
    assert_empty done.err
    refute_includes done.out, ' crashed: '
    done.out
  end

  # The only thing that the themes find: its line, what it says, its fix.
  def assert_told(themes, state, what, seen, fix = nil, code: state == 'FAIL' ? 78 : 0, alone: true, **options)
    doctor(themes, **options)
    lines = done.out.lines(chomp: true)
    found = lines.each_index.select { |i| lines[i].start_with?(format('%-5s %s: ', state, what)) }
    assert_equal 1, found.size, done.out
    assert_match seen, lines[found[0]]
    fix ? assert_match(fix, lines[found[0] + 1]) : refute_match(/\A /, lines[found[0] + 1])
    assert_empty lines.grep(/\A(?:FAIL|warn)/) - [lines[found[0]]] if alone
    assert_equal code, done.code
  end

  def env_file(*lines)
    host.write(HealthyHost::ENV_FILE, ['MULTITENANT_ENABLE=true', *lines, ''].join("\n"))
  end
end
