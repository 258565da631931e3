# frozen_string_literal: true

require_relative 'bed'
require_relative 'page'
require_relative '../ruby/helper'
require_relative '../ruby/busy_gate_host'
require_relative '../rails/site'

# What a process and its children hold: KiB, descriptors, processes; and the files and directories that it keeps.
Held = Struct.new(:memory, :descriptors, :processes, :inodes) do
  # @param pid [Integer]
  # @param dirs [Array<String>]
  def self.of(pid, dirs)
    pids = family(pid)
    memory = pids.sum { |one| read(one, 'status')[/^VmRSS:\s*(\d+)/, 1].to_i }
    descriptors = pids.sum { |one| Dir.exist?("/proc/#{one}/fd") ? Dir.children("/proc/#{one}/fd").size : 0 }
    new(memory, descriptors, pids.size, Dir.glob(dirs.map { |dir| "#{dir}/**/*" }, File::FNM_DOTMATCH).uniq.size)
  end

  # @return [Array<Integer>] zombies, too
  def self.family(pid)
    children = Dir.glob("/proc/#{pid}/task/*/children").map { |path| read(pid, path.split('/', 4).last) }.join(' ')
    [pid, *children.split.flat_map { |child| family(child.to_i) }]
  end

  def self.read(pid, name)
    File.read("/proc/#{pid}/#{name}")
  rescue SystemCallError
    '' # it has ended meanwhile
  end
end

# Everything runs for long while everything changes each second: two dashboards, one that asks Slurm and one that reads
# the agent's snapshot, the agent, which keeps a proxy's file, too, that proxy, and a gateway. What they hold at the end
# is what they held after the first minute. MULTITENANT_LONG_RUN: seconds.
class TestLongRun < BedTest
  SECONDS = Integer(ENV.fetch('MULTITENANT_LONG_RUN', '300'))
  FIRST = 60
  JOBS = 8
  # KiB. Ruby's heap and the allocator's arenas reach their size late, and a sum of the proxy's processes has two.
  GROWTH = { 'dashboard' => 16_384, 'reader' => 16_384, 'agent' => 16_384, 'proxy' => 8192, 'gateway' => 4096 }.freeze
  # Rotated logs of the gateway, which has two of each kind at most, and a list that was not there before.
  INODES = 6
  DAEMONS = %w[munged slurmdbd slurmctld].freeze
  GROUPS = %w[hpcGrp hpcGrp hpcGrp pubGrp nogroup absent].freeze
  SERVICES = %w[one two three].freeze

  def setup
    super
    @dir = Dir.mktmpdir('multitenant-long-', '/var/lib')
    File.chmod(0o755, @dir)
    @site = Site.new(path('site'), gem_home: GemHomes.make.tap { |home| GemHomes.add(home) })
    @site.cluster('hpc', { conf: ENV.fetch('SLURM_CONF'), bin: '/usr/bin' })
    @site.plugin
    @did = Hash.new(0)
    @jobs = {} # id => user
    @pids = {}
    @kept = {}
    @pages = {}
  end

  def teardown
    @pages.each_value(&:close)
    @dashboards.to_a.each(&:stop)
    @host&.stop
    @pids.values_at('agent', 'proxy').compact.each { |pid| Process.kill(:TERM, pid) && Process.wait(pid) }
    DAEMONS.each { |daemon| Bed.testbed('start', daemon) }
    FileUtils.remove_entry(@dir)
  end

  def path(*parts)
    File.join(@dir, *parts)
  end

  def make(name, user = nil)
    path(name).tap do |dir|
      Dir.mkdir(dir, 0o755)
      File.chown(Bed.uid(user), nil, dir) if user
    end
  end

  # ---- what runs ----

  def open_page(name, user, **env)
    env = { 'MULTITENANT_ENABLE' => 'true', 'MULTITENANT_TTL' => '1', 'TMPDIR' => make("tmp-#{name}", user) }.merge(env)
    dashboard = Dashboard.new(@site, uid: Bed.uid(user), gid: Etc.getpwnam(user).gid, home: Bed.home(user),
                                     log: path("log-#{name}"), env: env)
    (@dashboards ||= []) << dashboard
    @pids[name] = dashboard.pid
    @kept[name] = [File.join(Bed.home(user), 'ondemand'), env['TMPDIR']]
    @pages[name] = Page.new(dashboard)
  end

  def start_agent
    @port = TCPServer.open('127.0.0.1', 0) { |server| server.addr[1] }
    File.write(path('reload'), "#!/bin/sh\n[ ! -e #{path('on')} ] || exec sh #{path('on')}\n", perm: 0o755)
    options = "--engine haproxy --output #{make('proxy')}/proxy.cfg --listen 127.0.0.1:#{@port} --open --check " \
              "--reload #{path('reload')}"
    @kept['agent'] = [make('snapshot'), path('proxy'), make('tmp-agent')]
    @pids['agent'] = spawn({ 'RUBYLIB' => File.join(Bed::OURS, 'lib'), 'OOD_CLUSTERS' => Bed::CLUSTERS,
                             'MULTITENANT_TTL' => '5', 'TMPDIR' => path('tmp-agent') },
                           RbConfig.ruby, File.join(Bed::OURS, 'exe/multitenant-agent'),
                           '--directory', path('snapshot'),
                           '--metrics', path('proxy/multitenant.prom'), '--proxy', options,
                           err: path('log-agent'), chdir: '/')
    Bed.wait(-> { "the proxy's file: #{File.read(path('log-agent'))}" }, 60) { File.exist?(path('proxy/proxy.cfg')) }
  end

  def start_proxy
    @pids['proxy'] = spawn('/usr/sbin/haproxy', '-W', '-db', '-f', path('proxy/proxy.cfg'),
                           %i[out err] => path('log-proxy'))
    File.write(path('on'), "echo >>#{path('reloads')}; kill -USR2 #{@pids['proxy']}\n")
    @kept['proxy'] = []
  end

  def start_gateway
    @host = BusyGateHost.new(make('gateway')).start
    Bed.wait('the gateway answers', 60) { @host.answers? }
    @pids['gateway'] = @host.pid
    @kept['gateway'] = [@host.state, path('gateway/run')]
  end

  # ---- what changes ----

  def submit
    user = %w[hpcfaculty hpcfaculty2].sample
    id = Bed.submit(user, '--mem=1M', '--oversubscribe')
    @jobs[id] = user
  end

  # A share that is there, in another shape, of another group, or not there any more; or a job that ends.
  def change_a_share(step)
    return change_a_job if step % 10 == 9

    job_id, user = @jobs.to_a.sample

    service = SERVICES.sample
    connection = { 'host' => 'n1', 'port' => rand(1024..9999).to_s,
                   **(step.even? ? { 'mt_service' => service, 'mt_title' => "Title #{step % 5}" } : {}) }
    label = ['sys/dashboard', "job mt:#{service}:tcp:#{@host.port}"].sample
    sealed = Bed.seal(job_id, user, Bed.accounting(to: [Bed::MEMBERS, %w[hpcstudent2]].sample), connection)
    Bed.rename(user, job_id, step % 7 == 6 ? 'plain' : "#{label}|#{GROUPS.sample}|#{sealed}")
  end

  # The oldest one. Where it can't be done there is one more for a while.
  def change_a_job
    submit if @jobs.size <= JOBS
    system('scancel', @jobs.keys[0].to_s, err: File::NULL, exception: true)
    @jobs.delete(@jobs.keys[0])
  end

  # Who may use the gateway, who does, and what they may.
  def change_the_gateway(step)
    @host.members(*(step % 3 == 2 ? GateHost::MEMBERS - ['ann'] : GateHost::MEMBERS))
    @host.list('banned', step % 5 == 4 ? "#{GateHost::USERS['bob']}\n" : '')
    @host.list('limits', step % 4 == 3 ? "* 5\n" : '')
    user = %w[ann bob eve pupil1 pupil2].sample
    answer = @host.login(@host.credential(user))
    token = JSON.parse(answer.body)['token']
    answer = @host.get('/', token) if token
    @did["gateway #{answer.code}"] += 1
  end

  def use_the_cards(step)
    page = @pages.values[step % @pages.size]
    id = page.cards.keys.sample
    page.meanwhile { |dashboard| assert_equal 302, dashboard.delete(id).status } if id && step % 11 == 10
    Net::HTTP.get_response(URI("http://127.0.0.1:#{@port}/hpcfaculty/#{SERVICES.sample}@hpcGrp/"))
  end

  # While a daemon is down much of it fails, which is what this is about.
  def trying(what)
    yield
    @did[what] += 1
  rescue RuntimeError, SystemCallError, IOError, JSON::ParserError, Net::ReadTimeout => e
    @did["#{what}, which failed"] += 1
    @said = "#{what}: #{e.message.lines.first}"
  end

  # @return [Thread]
  def each_second(what, finish)
    Thread.new do
      (1..).each do |step|
        start = MultiTenant.clock
        break if start > finish

        trying(what) { yield step }
        sleep [1 - (MultiTenant.clock - start), 0].max
      end
    end
  end

  def restart_daemons(finish)
    DAEMONS.cycle do |daemon|
      sleep 10
      break if MultiTenant.clock > finish - 10

      trying("restarts of #{daemon}") { Bed.testbed('stop', daemon) && sleep(3) }
      Bed.testbed('start', daemon)
    end
  end

  def change_all(seconds)
    finish = MultiTenant.clock + seconds
    [Thread.new { restart_daemons(finish) },
     each_second('changes of shares', finish) { |step| change_a_share(step) },
     each_second('changes of the gateway', finish) { |step| change_the_gateway(step) },
     each_second('uses of cards and proxy', finish) { |step| use_the_cards(step) }].each(&:join)
  end

  # ---- what is held ----

  # Nothing is shared any more, and everybody knows it.
  def become_quiet
    @host.list('banned', '')
    Bed.wait('no job shares anything', 300) { unshare_all }
    Bed.wait(-> { "no cards: #{@pages.transform_values { |page| page.cards.keys }}" }, 300) do
      @pages.values.all? { |page| page.cards.empty? } && Dir.glob(path('snapshot/*.records')).empty?
    end
    sleep 10 # the agent's next round, and connections that are kept
  end

  # @return [Boolean] there was nothing to do, as slurmctld says
  def unshare_all
    jobs = Bed.squeue('%A %u %j', '--states=RUNNING').lines.map { |line| line.split(' ', 3) }
    shared = jobs.select { |_, _, name| name.to_s.count('|') == 2 }
    shared.each { |id, user, _| Bed.rename(user, id, 'plain') }.empty?
  rescue RuntimeError
    false
  end

  # The least of some seconds: what asks Slurm, or reloads the proxy, comes and goes.
  # @return [Hash] name => Held
  def held
    become_quiet
    @pages.each_value { |page| page.meanwhile { |dashboard| dashboard.ruby('GC.start; nil') } }
    seen = Array.new(8) { sleep(0.5) && @pids.to_h { |name, pid| [name, Held.of(pid, @kept[name])] } }
    @pids.keys.to_h { |name| [name, Held.new(*seen.map { |one| one[name].to_a }.transpose.map(&:min))] }
  end

  def table(before, after)
    rows = before.map do |name, first|
      cells = first.to_a.zip(after[name].to_a).map { |one, other| format('%9d %9d', one, other) }
      format('%-10s %s', name, cells.join(' '))
    end
    head = %w[KiB descriptors processes inodes].map { |word| format('%19s', word) }.join(' ')
    [format('%-10s %s', "#{FIRST} s", head), *rows].map { |line| "    #{line}\n" }.join
  end

  def test_nothing_grows
    start_agent
    start_proxy
    start_gateway
    JOBS.times { submit }
    @jobs.each_key { |job_id| Bed.running(job_id) }
    open_page('dashboard', 'hpcstudent')
    open_page('reader', 'hpcstudent2', 'MULTITENANT_SNAPSHOT' => path('snapshot'), 'MULTITENANT_TTL' => '5')
    change_all(FIRST)
    before = held
    change_all(SECONDS - FIRST)
    after = held
    @did['reloads of the proxy'] = File.readlines(path('reloads')).size
    puts table(before, after), @did.sort.map { |what, count| "    #{count} #{what}\n" }, "    such as: #{@said}"
    assert_pages
    before.each do |name, first|
      assert_operator after[name].memory, :<=, first.memory + GROWTH.fetch(name), name
      assert_operator after[name].descriptors, :<=, first.descriptors, name
      assert_operator after[name].processes, :<=, first.processes, name
      assert_operator after[name].inodes, :<=, first.inodes + INODES, name
    end
    assert_it_still_follows
  end

  # None failed, and they followed.
  def assert_pages
    @pages.each do |name, page|
      shown = page.answers.map { |answer| answer.cards.keys.sort }
      changes = shown.each_cons(2).count { |one, other| one != other }
      puts format('    %s: %d pages, of which %d showed other cards than the one before; longest %.2f s',
                  name, shown.size, changes, page.longest)
      assert_equal [200], page.answers.map(&:status).uniq
      assert_operator changes, :>, SECONDS / 30, name
    end
  end

  def assert_it_still_follows
    job_id, user = @jobs.to_a.last
    id = Bed.publish(user, Bed.running(job_id), Bed.accounting)
    Bed.wait('both have the card', 120) { @pages.values.all? { |page| page.cards.key?(id) } }
  end

  # Not in CI.
  public_instance_methods(false).grep(/\Atest_/).each { |name| remove_method(name) } unless ENV.key?('MULTITENANT_LONG')
end
