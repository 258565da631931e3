# frozen_string_literal: true

require_relative '../ruby/helper'
require_relative 'dashboard'
require_relative 'scheduler'
require_relative 'site'

# The base of the tests with a Rails application that stands for OOD's dashboard. A viewer of the group
# `students`, a cluster `hpc`, and a query program that says what the test wants it to.
class RailsTest < MultiTenantTest
  def setup
    super
    need_root
    @viewer = Viewer.new(self)
    @home = GemHomes.make
    @lib = GemHomes.add(@home)
    @site = site
    @slurm = slurm
    cluster('hpc')
    @site.plugin
    program_says('query', 'cat "$dir/records$cluster"')
    slurm_says(stream)
  end

  def teardown
    @dashboard&.stop
    super
  end

  # @return [Site] a new one
  def site
    Site.new(File.join(temporary, 'site'), gem_home: @home)
  end

  # @return [Scheduler] a new one
  def slurm
    Scheduler.new(File.join(temporary, 'bin'))
  end

  def cluster(id)
    @site.cluster(id, { bin: @slurm.bin })
  end

  # Ours of that kind, as they are.
  # @return [Array<String>] their names
  def install_apps(kind)
    Dir.glob(File.expand_path("../../apps-#{kind}/*", __dir__)).map do |root|
      files = Dir.children(root).select { |file| File.file?(File.join(root, file)) }
      @site.app(name = File.basename(root), files.to_h { |file| [file, File.read(File.join(root, file))] })
      @site.app(name, 'site.yml' => "cluster: hpc\n")
      name
    end
  end

  # @return [Array<Array(String, String, Boolean)>] of a form's select: text, value, whether a browser shows it first
  def options(answer, select)
    all = answer.body[%r{<select[^>]*#{select}\b.*?</select>}m].scan(%r{<option([^>]*)>([^<]*)</option>})
    chosen = all.index { |attributes, _| attributes.include?('selected') } || 0
    all.each_with_index.map { |(attributes, text), i| [text, attributes[/value="([^"]*)"/, 1], i == chosen] }
  end

  # @param hurried [Boolean] a page waits no longer than the product promises, and Slurm has two seconds. Else a page
  #   shows what Slurm says however busy this machine is
  # @return [Dashboard] of the viewer's, started anew
  def start(env = {}, hurried: false)
    @dashboard&.stop
    env = { 'MULTITENANT_ENABLE' => 'true', 'MULTITENANT_TTL' => '1',
            'MULTITENANT_TIMEOUT' => hurried ? '2' : '30' }.merge(env)
    @log = File.join(temporary, "log-#{rand(1 << 32)}")
    @dashboard = Dashboard.new(@site, uid: @viewer.uid, gids: @viewer.gids, home: @viewer.home, log: @log, env: env,
                                      preloaded: preloaded?)
    @dashboard.ruby(PATIENT) unless hurried
    @dashboard
  end

  # @return [Boolean] false where a dashboard's start is what is tested
  def preloaded?
    true
  end

  PATIENT = <<~RUBY
    if defined?(MultiTenant::Renewal)
      %i[WAIT PAGE].each do |name|
        MultiTenant::Renewal.send(:remove_const, name)
        MultiTenant::Renewal.const_set(name, 30)
      end
    end
    nil
  RUBY

  # What the query program answers from now on; `slurm_does` tells it how.
  def slurm_says(text, cluster: 'hpc')
    replace("records#{cluster}", text)
  end

  def slurm_does(body)
    replace('query', body)
  end

  # The dashboard's next page is due.
  def ttl_passes
    sleep 1.05
  end

  # A record stream of this moment.
  def fresh(*jobs, **header)
    stream(*jobs, generated: Time.now.to_i, **header)
  end

  # What one of our programs does; the test may change it while the dashboard runs.
  def program_says(name, body)
    path = File.join(@lib, "multitenant/multitenant-#{name}")
    FileUtils.rm_f(path)
    File.write(path, <<~SH, perm: 0o755)
      #!/bin/sh
      dir=${0%/*}
      while [ $# -gt 0 ]; do [ "$1" = --cluster ] && cluster=$2; shift; done
      . "$dir/#{name}"
    SH
    replace(name, body)
  end

  # As if every pause had passed.
  def everything_is_due
    @dashboard.ruby('MultiTenant.instance_variable_get(:@sources).expire')
  end

  def quiet
    wait_until { @dashboard.ruby('Thread.list.none? { |thread| thread.inspect.include?("renewal.rb") }') }
  end

  # After a failure, the page that asks again does not wait for what it is told.
  def recovered
    quiet
    everything_is_due
    @dashboard.sessions
    quiet
  end

  private

  # The program sees the old file or the new one.
  def replace(name, text)
    path = File.join(@lib, 'multitenant', name)
    File.write("#{path}.new", text, perm: 0o644)
    File.rename("#{path}.new", path)
  end
end
