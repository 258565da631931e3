# frozen_string_literal: true

require 'English'
require 'fileutils'
require 'json'
require 'minitest/autorun'
require 'multitenant'
require 'open3'
require 'openssl'
require 'securerandom'
require 'socket'
require 'yaml'
require 'zlib'
require_relative '../ruby/own_host'

# What a developer exports for Slurm's commands is not the test bed's.
ENV.delete_if do |name, _|
  name.match?(/\A(?:SQUEUE|SBATCH|SACCT|SCONTROL|SCANCEL|SINFO)_|\ASLURM_(?:CLUSTERS|TIME_FORMAT)\z/)
end

# The test bed and its users. Commands run as the real users, with their own groups; ours come from a
# copy of lib/ and exe/ that they can read.
module Bed
  ROOT = File.expand_path('../..', __dir__)
  DIR = ENV.fetch('MULTITENANT_TESTBED_DIR') do
    abort 'The Slurm tests need the test bed: script/testbed up, then eval "$(script/testbed env)".'
  end
  LOCK = '/var/lib/multitenant-testbeds/lock'
  OURS = File.join(DIR, 'ours')
  CLUSTERS = File.join(OURS, 'clusters.d')
  MEMBERS = %w[hpcstudent hpcstudent2].freeze
  # States of jobs that are over.
  ENDED = %w[BOOT_FAIL CANCELLED COMPLETED DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED TIMEOUT].freeze
  USERS = %w[hpcfaculty hpcfaculty2 hpcdefault hpcstudent hpcstudent2 outsider].freeze

  # What a command gave.
  Result = Struct.new(:out, :err, :code, :seconds)

  module_function

  def install
    FileUtils.rm_rf(OURS)
    FileUtils.mkdir_p(CLUSTERS)
    FileUtils.cp_r(%w[lib exe initializer].map { |dir| File.join(ROOT, dir) }, OURS)
    File.write(File.join(CLUSTERS, 'hpc.yml'), <<~YAML)
      v2: {metadata: {title: Test bed}, job: {adapter: slurm, cluster: hpc}}
    YAML
  end

  # Test beds that come up or go down beside this one change accounts, too: under the same lock, or what one of them
  # writes into /etc/passwd or /etc/group is lost in what the other does. script/testbed.d/machine.sh
  def change_accounts
    File.open(LOCK, File::RDWR | File::CREAT) do |lock|
      lock.flock(File::LOCK_EX)
      yield
    end
  end

  def uid(user)
    Etc.getpwnam(user).uid
  end

  def home(user)
    File.join(DIR, 'home', user)
  end

  def db(user)
    File.join(home(user), 'ondemand/data/sys/dashboard/batch_connect/db')
  end

  # Runs a command as that user. What it asks on a busy machine has time.
  def as(user, *argv, input: '', env: {})
    env = { 'HOME' => home(user), 'OOD_CLUSTERS' => CLUSTERS, 'RUBYLIB' => File.join(OURS, 'lib'),
            'MULTITENANT_TIMEOUT' => '30' }.merge(env)
    start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    out, err, status = Open3.capture3('runuser', '-u', user, '--', 'env', '-C', '/', *env.map { |k, v| "#{k}=#{v}" },
                                      *argv.map(&:to_s), stdin_data: input)
    Result.new(out, err, status.exitstatus, Process.clock_gettime(Process::CLOCK_MONOTONIC) - start)
  end

  def multitenant(user, *argv, **options)
    as(user, RbConfig.ruby, File.join(OURS, 'exe/multitenant'), *argv, **options)
  end

  def specs(user, **options)
    JSON.parse(multitenant(user, 'specs', **options).out)
  end

  # specs and card code of a job.
  def codes(user, job_id, **options)
    line = multitenant(user, 'specs', '--explain', **options).out.lines.find { |l| l.start_with?("#{job_id}\t") }
    line&.split("\t")&.slice(1, 2)
  end

  def cards(user, **options)
    multitenant(user, 'cards', **options).out.lines(chomp: true)
  end

  # Submits a job that sleeps; gives its id.
  def submit(user, *args, wckey: 'multitenant', script: "#!/bin/sh\nexec sleep 600\n")
    wckeys = wckey ? ["--wckey=#{wckey}"] : []
    result = as(user, 'sbatch', '--parsable', '--output=/dev/null', *wckeys, *args, input: script)
    raise "sbatch: #{result.err}" unless result.code.zero?

    Integer(result.out)
  end

  def squeue(format, *args)
    out, status = Open3.capture2('squeue', '--noheader', "--format=#{format}", *args.map(&:to_s))
    raise 'squeue failed' unless status.success?

    out
  end

  # squeue's own choice, and one by states, leaves out jobs that are being signalled.
  # @return [Array<String>] jobs that have not ended
  def left(*args)
    squeue('%i %T', '-t', 'all', *args).lines.map(&:split).reject { |_, state| ENDED.include?(state) }.map(&:first)
  end

  # @param what [String, #call] what is waited for; one that is called tells what is so when the time is over
  def wait(what, seconds = 120)
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + seconds
    loop do
      result = yield
      return result if result
      break if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline

      sleep 0.1
    end
    raise "#{what.respond_to?(:call) ? what.call : what}: not within #{seconds} s"
  end

  # Until slurmctld runs the job and slurmdbd knows it.
  def running(job_id)
    wait("job #{job_id} runs") { squeue('%A %T', '-j', job_id).include?("#{job_id} RUNNING") }
    wait("slurmdbd knows job #{job_id}") do
      `sacct -a -X -n -P -o jobidraw -s RUNNING -j #{job_id}`.split.include?(job_id.to_s)
    end
    job_id
  end

  # The v1 envelope, with nothing of the project's own code.
  def seal(job_id, user, accounting, connection)
    text = [accounting, connection].map { |part| JSON.generate(part).tr('"', "'") }.join('|')
    cipher = OpenSSL::Cipher.new('aes-256-cbc').encrypt
    cipher.key = "#{job_id}#{user}"[0, 32].ljust(32, "\0")
    cipher.iv = "#{job_id}#{job_id}"[0, 16].ljust(16, "\0")
    [cipher.update(Zlib.gzip(text)) + cipher.final].pack('m0')
  end

  def accounting(to: MEMBERS, id: SecureRandom.uuid, method: 'card')
    { 'mtu' => to.map { |name| uid(name) }.join(','), 'mti' => id, 'mta' => 'DB_Conn', 'mtm' => method,
      'mtd' => 'sys/multitenant-delivery_default' }
  end

  # The job's owner gives it the name of a share. `target` is what scontrol calls the job.
  def publish(user, job_id, accounting, connection = { 'host' => 'n1' }, target: job_id, label: 'sys/dashboard')
    rename(user, target, "#{label}|hpcGrp|#{seal(job_id, user, accounting, connection)}")
    accounting['mti']
  end

  def rename(user, target, name)
    result = as(user, 'scontrol', 'update', "JobId=#{target}", "JobName=#{name}")
    raise "scontrol: #{result.err}" unless result.code.zero?
  end

  # A running share; gives its job id and its session id.
  def share(user = 'hpcfaculty', *args, wckey: 'multitenant', **options)
    job_id = running(submit(user, *args, wckey: wckey))
    [job_id, publish(user, job_id, accounting(**options))]
  end

  def testbed(*args)
    system(File.join(ROOT, 'script/testbed'), *args, out: File::NULL) || raise("script/testbed #{args.join(' ')}")
  end

  # Runs the block with lines added to a configuration file; the daemon that reads it is started anew.
  def configured(files)
    before = files.to_h { |file, _| [file, File.read(File.join(DIR, 'etc', file))] }
    files.each { |file, line| File.write(File.join(DIR, 'etc', file), "#{before[file]}\n#{line}\n") }
    restart
    yield
  ensure
    before.each { |file, text| File.write(File.join(DIR, 'etc', file), text) }
    restart
  end

  def restart
    %w[slurmdbd slurmctld].each { |name| testbed('stop', name) && testbed('start', name) }
  end

  def cancel_all
    USERS.each { |user| system('scancel', '--user', user) }
    wait('all jobs end') { left.empty? }
  end
end

Bed.install
Minitest.after_run { FileUtils.rm_rf(Bed::OURS) }

# Each test begins without jobs and without cards.
class BedTest < Minitest::Test
  def setup
    Bed.cancel_all
    Bed::USERS.each { |user| FileUtils.rm_rf(File.join(Bed.home(user), 'ondemand')) }
  end

  def name_of(job_id)
    Bed.squeue('%j', '-j', job_id).chomp
  end

  # Until the job, which says why not in `log`, has shared itself.
  def shared(job_id)
    Bed.running(job_id)
    Bed.wait("job #{job_id} is shared; #{File.read(log) if File.exist?(log)}") { name_of(job_id).count('|') == 2 }
    job_id
  end

  def files(user)
    Dir.glob(File.join(Bed.home(user), 'ondemand/**/*'), File::FNM_DOTMATCH).select { |path| File.file?(path) }
  end

  def assert_card(user, id)
    assert_equal 3, files(user).count { |path| path.include?(id) }, "#{user} has the card's three files"
  end

  def refute_card(user, id)
    assert_empty(files(user).select { |path| path.include?(id) })
  end
end
