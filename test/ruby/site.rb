# frozen_string_literal: true

require_relative 'helper'
require 'multitenant/installer'
require 'optparse'
require 'stringio'

# An Open OnDemand host below a directory: what the packages put there, and a gem with small apps.
class Site
  include HostFiles

  INITIALIZERS = '/etc/ood/config/apps/dashboard/initializers'
  CLASSIC = "#{INITIALIZERS}/multitenant.rb".freeze
  PLUGIN = '/etc/ood/config/plugins/multitenant/initializers/multitenant.rb'
  SYS = '/var/www/ood/apps/sys'
  # As ondemand-runtime.spec and packaging/files/enable.deb write it.
  RPM = <<~BASH
    export PATH="/opt/ood/ondemand/root/usr/bin:/opt/ood/ondemand/root/usr/sbin${PATH:+:${PATH}}"
    export GEM_HOME="/opt/ood/ondemand/root/usr/share/gems/3.3"
    shopt -s nullglob
    for dir in /opt/ood/ondemand/root/usr/share/gems/3.3/ondemand/* ; do
        export GEM_PATH="${dir}:${GEM_PATH}"
    done
    shopt -u nullglob
    export GEM_PATH="${GEM_HOME}:${GEM_PATH}"
  BASH
  DEB = <<~BASH
    export GEM_PATH="/opt/ood/gems:${GEM_PATH:+:${GEM_PATH}}"
    export RUBYLIB="/opt/ood/ondemand/root/usr/share/ruby/vendor_ruby:${RUBYLIB:+:${RUBYLIB}}"
  BASH
  HOMES = { RPM => '/opt/ood/ondemand/root/usr/share/gems/3.3', DEB => '/opt/ood/gems' }.freeze
  SITE_YML = <<~YAML
    # What this site sets.
    wckey: multitenant   # the same as the dashboard's
    # OOD's id
    cluster:
    hours: 8
  YAML
  FILES = {
    'apps-services/multitenant-llm/manifest.yml' => "name: LLM\n",
    'apps-services/multitenant-llm/site.yml' => SITE_YML,
    'apps-services/multitenant-llm/template/run' => "#!/bin/sh\n",
    'apps-delivery/multitenant-delivery_default/view.html.erb' => "<p>\n",
    'apps-clients/multitenant-gradio/form.yml' => "form: []\n",
    'systemd/multitenant-agent.service' => <<~UNIT
      [Service]
      ExecStart=/usr/local/bin/multitenant-agent
      User=mtagent
      RuntimeDirectory=mtrun
    UNIT
  }.freeze

  attr_reader :root, :gem, :out, :err, :code

  def initialize(test, enable: RPM, ood: 'v4.2.3', files: FILES)
    @test = test
    @root = GemHomes.make
    dirs = [INITIALIZERS, SYS, '/opt/ood/ondemand', '/etc/ood/config/clusters.d', '/var/lib', '/etc/systemd/system']
    dirs.each { |dir| FileUtils.mkdir_p(at(dir)) }
    write('/opt/ood/VERSION', "#{ood}\n") if ood
    write('/opt/ood/ondemand/enable', enable) if enable
    write('/etc/ood/config/clusters.d/hpc.yml', "v2:\n  job:\n    adapter: slurm\n")
    add_gem(HOMES.fetch(enable), files) if enable
  end

  def add_gem(home, files)
    @gem = File.dirname(GemHomes.add(at(home)))
    files.each { |path, text| release(path, text) }
  end

  # Puts a file into the gem.
  def release(path, text)
    target = File.join(gem, path)
    FileUtils.mkdir_p(File.dirname(target))
    File.write(target, text, perm: path.end_with?('run') ? 0o755 : 0o644)
  end

  def read(path)
    File.read(at(path))
  end

  def exist?(path)
    File.exist?(at(path))
  end

  # @return [Integer] exit code of the command with these arguments
  def run(command, *argv)
    options = {}
    OptionParser.new { |parser| MultiTenant::InstallOptions.add_to(parser, options) }.parse(argv.map(&:to_s))
    io = StringIO.new
    _, @err = @test.capture_io { @code = MultiTenant::Installer.new(options, out: io, root: root).public_send(command) }
    @out = io.string
    code
  end

  def install(*argv)
    run(:install, '--services-group', 'daemon', *argv)
  end

  def uninstall(*argv)
    run(:uninstall, *argv)
  end

  # @return [Array<String>] paths of which it was told that they are written, kept or removed
  def told(word)
    out.lines.filter_map { |line| line.delete_prefix("#{word} ").split.first if line.start_with?("#{word} ") }
  end

  # @return [Array<String>] initializers that a dashboard loads
  def active
    [INITIALIZERS, '/etc/ood/config/plugins/*/initializers'].flat_map { |dir| Dir.glob(at("#{dir}/**/*.rb")) }
                                                            .map { |path| path.delete_prefix(root) }
  end

  # @return [Array] ftype-mode-owner-group of a path
  def stat(path)
    stat = File.lstat(at(path))
    [format('%o', stat.mode & 0o7777), Etc.getpwuid(stat.uid).name, Etc.getgrgid(stat.gid).name]
  end
end

class InstallTest < MultiTenantTest
  OLD = "class MultiTenant\n  # as another project has it\nend\n"

  def setup
    super
    need_root
  end

  def site(**options)
    @site ||= Site.new(self, **options)
  end

  def state
    snapshot(site.root)
  end

  def assert_installed(*argv)
    assert_equal 0, site.install(*argv), site.err
    assert_empty site.err
  end

  # Says only what differs.
  def assert_tree(before, after = state, message = nil)
    odd = (before.to_a - after.to_a).map { |path, what| "- #{path} #{what.first(3)}" } +
          (after.to_a - before.to_a).map { |path, what| "+ #{path} #{what.first(3)}" }
    assert_empty odd, message
  end

  # Refused with one sentence, and nothing was changed.
  def assert_refused(code, sentence, *argv, command: :install)
    before = state
    assert_equal code, site.run(command, *argv), site.out + site.err
    assert_match(/\Amultitenant: .*#{sentence}.*\n\z/, site.err)
    assert_match(/; see `multitenant #{command} --help`\.$/, site.err) if code == 64
    assert_tree before
  end
end
