# frozen_string_literal: true

require_relative '../slurm/bed'
require 'multitenant/installer/app_settings'
require 'shellwords'

# Apps as a user of the test bed starts them: rendered as OOD does, submitted by ood_core, run by Slurm.
module AppJobs
  GEMS = ENV.fetch('MULTITENANT_RAILS_GEMS') { "/var/tmp/multitenant-rails-gems-#{Process.euid}" }
  OOD = File.join(Bed::OURS, 'ood.rb')
  GEMFILE = File.join(Bed::OURS, 'Gemfile')
  LOGIN = 'hpcfaculty'

  module_function

  # What users can read of ours, with the site's settings.
  def install
    FileUtils.cp(File.join(__dir__, 'ood.rb'), OOD)
    %w[Gemfile Gemfile.lock].each { |file| FileUtils.cp(File.join(Bed::ROOT, 'test/rails/ood', file), Bed::OURS) }
    FileUtils.cp_r(File.join(Bed::ROOT, 'libexec'), Bed::OURS)
    Dir.glob(File.join(Bed::ROOT, 'apps-{services,delivery,clients}/*/')).each { |app| FileUtils.cp_r(app, Bed::OURS) }
    Dir.glob(File.join(Bed::OURS, '*/site.yml')) { |file| configure(file, 'cluster' => 'hpc') }
  end

  # @param settings [Hash{String => String}] what the admin sets in a site.yml
  def configure(file, settings)
    File.write(file, MultiTenant::AppSettings.new(File.read(file)).set(settings).to_s)
  end

  def root(app)
    File.join(Bed::OURS, app)
  end

  # What start-up files of users and sites put into jobs that are submitted in the block.
  def exporting(variables, &block)
    starting_up(variables.map { |name, value| "export #{name}=#{value.shellescape}\n" }.join, &block)
  end

  # @param bash [String] the text of such a file
  def starting_up(bash)
    @start_up = bash
    yield
  ensure
    @start_up = nil
  end

  # A job has no more of our environment than at a real site.
  def cluster
    setup = "export SLURM_CONF=#{ENV.fetch('SLURM_CONF').shellescape}\nexport PATH=#{ENV.fetch('PATH').shellescape}\n" \
            "export HOME=#{Bed::DIR}/home/$(id -un)\n#{@start_up.to_s.gsub('%', '%%')}%s"
    { id: 'hpc', metadata: {}, job: { adapter: 'slurm', cluster: 'hpc', conf: ENV.fetch('SLURM_CONF') },
      batch_connect: { basic: { script_wrapper: setup, set_host: 'host=127.0.0.1' } } }
  end

  # @param action [String] form, stage or submit
  # @return [Hash] what OOD makes of this app and these answers
  def ood(action, app, values = {}, user: LOGIN, env: {}, **more)
    env = { 'BUNDLE_GEMFILE' => GEMFILE, 'BUNDLE_PATH' => GEMS, 'BUNDLE_FROZEN' => 'true',
            'BUNDLE_USER_CONFIG' => '/dev/null', 'BUNDLE_APP_CONFIG' => File.join(Bed::OURS, '.bundle') }.merge(env)
    question = { app: root(app), values: values, dataroot: dataroot(user), cluster: cluster, **more }
    result = Bed.as(user, RbConfig.ruby, OOD, action, input: JSON.generate(question), env: env)
    raise "ood.rb #{action} #{app}: #{result.err}" unless result.code.zero?

    JSON.parse(result.out)
  end

  def dataroot(user)
    File.join(Bed.home(user), 'ondemand/data/sys/dashboard')
  end
end

Bed.install
AppJobs.install

# A running app.
class AppJob
  attr_reader :job_id, :id, :dir

  # @param answer [Hash] of ood.rb submit
  def initialize(answer)
    @job_id = Integer(answer.fetch('job_id'))
    @id = answer.fetch('id')
    @dir = answer.fetch('dir')
  end

  def log
    file('output.log')
  end

  def wait(what, seconds = 40, &until_true)
    Bed.wait(-> { "job #{job_id}: #{what}; #{state}; its log:\n#{log}" }, seconds, &until_true)
  end

  # @return [String] what a file of the session's directory holds; empty where there is none
  def file(name)
    path = File.join(dir, name)
    File.exist?(path) ? File.read(path) : ''
  end

  # @return [Hash] what OOD reads for the owner's card, once it can be shown. It is written line by line, this one last.
  def connection
    wait('the card', 120) { file('connection.yml').match?(/^password:/) || ended? }
    YAML.safe_load(file('connection.yml')).to_h
  end

  def state
    Bed.squeue('%T', '-t', 'all', '-j', job_id).strip
  end

  def ended?
    Bed.left('-j', job_id).empty?
  end

  def name
    Bed.squeue('%j', '-j', job_id).chomp
  end

  # Until it can be found by others, or has given up: the owner's card comes after that.
  def shared
    wait('is shared', 120) { name.count('|') == 2 || ended? || !file('connection.yml').empty? }
    raise "job #{job_id} is not shared; #{state}; its log:\n#{log}" unless name.count('|') == 2

    Bed.running(job_id)
    self
  end

  # @return [Hash, nil] its connection in the specs of this user
  def specs(user = 'hpcstudent')
    Bed.specs(user).dig(job_id.to_s, 'connection')&.except('jobid', 'mt_appname')
  end

  # Until Slurm has started it again and it is shared anew: the owner's card is written after that.
  def requeue
    card = File.join(dir, 'connection.yml')
    before = File.mtime(card)
    system('scontrol', 'requeue', job_id.to_s, exception: true)
    wait('is shared anew', 240) { File.exist?(card) && File.mtime(card) > before }
    Bed.running(job_id)
  end

  def cancel
    Bed.as(AppJobs::LOGIN, 'scancel', job_id)
    wait('ends', 60) { ended? }
  end
end

# What a service of several jobs keeps for its owner, and the nodes that it is on.
module Kept
  def state(service = 'spanish-301@hpcGrp')
    File.join(Bed.home('hpcfaculty'), '.local/state/multitenant/services', service)
  end

  # @return [String] empty where there is no such file
  def kept(name)
    path = File.join(state, name)
    File.exist?(path) ? File.read(path).chomp : ''
  end

  # @return [Integer] the job that waits to follow the newest one
  def follower
    Bed.wait('a job that follows') { kept('chains/1/next')[/\A\d+\z/] }.to_i
  end

  # As if its power were gone.
  def kill_node(node, job)
    daemon = Integer(File.read(File.join(Bed::DIR, "run/slurmd-#{node}.pid")))
    step = processes.find { |pid, (_, words)| words.start_with?("slurmstepd: [#{job}.") && ours?(pid) }[0]
    [daemon, *below(step)].each do |pid|
      Process.kill('KILL', pid)
    rescue Errno::ESRCH
      nil
    end
  end

  # @return [Hash{Integer => Array(Integer, String)}] pid => parent's pid, command line
  def processes
    IO.popen(%w[ps -e -o pid=,ppid=,args=], &:readlines).to_h do |line|
      pid, parent, words = line.strip.split(' ', 3)
      [pid.to_i, [parent.to_i, words]]
    end
  end

  # Its working directory is this test bed's.
  def ours?(pid)
    File.readlink("/proc/#{pid}/cwd").start_with?("#{Bed::DIR}/")
  end

  def below(pid)
    children = processes.select { |_, (parent, _)| parent == pid }.keys
    [pid, *children.flat_map { |child| below(child) }]
  end
end

# The base of the tests of apps.
class AppTest < BedTest
  SHARED = { 'enable_multitenant' => 'mt', 'auto_multitenant_groups' => 'hpcGrp', 'mt_method' => 'card' }.freeze

  def submit(app, values)
    AppJob.new(AppJobs.ood('submit', app, values))
  end

  # @return [AppJob] the one that serves after this one; of a service of several jobs
  def successor(job)
    found = nil
    Bed.wait(-> { "another job serves; #{job.log}" }, 300) do
      found = Bed.specs('hpcstudent').find { |id, spec| spec['accounting']['mti'] == job.id && id != job.job_id.to_s }
    end
    AppJob.new('job_id' => found[0], 'id' => job.id, 'dir' => File.join(job.dir, 'gen-1'))
  end

  # What OOD stages in the block, in a home that others may enter.
  def assert_nobody_else_reads(secret, user)
    home = Bed.home(user)
    File.chmod(0o755, home)
    files = %w[sys/*/output/*/* cache/*].map { |pattern| File.join(AppJobs.dataroot(user), 'batch_connect', pattern) }
    look = "while :; do cat #{files.join(' ')}; sleep 0.05; done"
    IO.popen(['runuser', '-u', 'outsider', '--', 'bash', '-c', look], err: File::NULL) do |others|
      seen = Thread.new { others.read }
      yield
      Process.kill('TERM', others.pid)
      refute_includes seen.value.b, secret.b
    end
  ensure
    File.chmod(0o700, home)
  end

  # What a form may be told: all of it has to come out as it went in.
  HOSTILE = %(a'b"c $(touch /tmp/owned) `id` ${HOME} \\n | ; & * € <%= 1 %> # : x)
end

# Kinds of servers in jobs of hpcfaculty's, of which some keep data in @data. Their app's site.yml, @site, is as it was
# afterwards.
module KindJobs
  SERVERS = 'multitenant-dashboard'

  def setup
    super
    @site = File.join(AppJobs.root(SERVERS), 'site.yml')
    @was = File.read(@site)
    @data = File.join(Bed.home('hpcfaculty'), 'data')
    FileUtils.rm_rf(@data)
    Bed.as('hpcfaculty', 'mkdir', @data)
  end

  def teardown
    Bed.cancel_all
    File.write(@site, @was)
  end

  # @return [AppJob] one that is shared
  def serve_kind(kind, more = {})
    AppJobs.configure(@site, 'kinds' => kind)
    submit(SERVERS, AppTest::SHARED.merge('mt_delivery_select' => 'RShiny_App sys/multitenant-delivery_default',
                                          'version' => kind, 'app_path' => @data, **more)).shared
  end
end
