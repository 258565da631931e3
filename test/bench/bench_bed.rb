# frozen_string_literal: true

require 'fileutils'
require 'minitest'
require 'open3'

# The test bed of script/bench slurm: its own, with room for many jobs and a scheduler that rests while there is nothing
# to start, so that what daemons do is what they are asked.
module BenchBed
  ROOT = File.expand_path('../..', __dir__)
  TESTBED = File.join(ROOT, 'script/testbed')
  PROGRAMS = { 'measure' => [], 'careless' => ['-lslurm'], 'jobs' => ['-lslurm'] }.freeze
  CONFIGURATION = {
    'MinJobAge' => 'MinJobAge=2',
    'SchedulerParameters' => 'SchedulerParameters=batch_sched_delay=0,sched_min_interval=50000,sched_interval=60,' \
                             "bf_interval=600\nMaxJobCount=100000"
  }.freeze

  module_function

  # @param mode [Array<String>] of script/testbed up
  # @param keep [Boolean] it stays up
  def up(*mode, keep: false)
    ENV['MULTITENANT_TESTBED_DIR'] ||= '/var/tmp/multitenant-bench'
    system(TESTBED, 'up', *mode, out: $stderr) || abort('script/bench: the test bed did not come up.')
    enter
    yield
  ensure
    system(TESTBED, 'down', out: $stderr) unless keep
  end

  # @param name [String] of what was built of test/bench
  # @return [String] path
  def program(name)
    File.join(Bed::OURS, 'bench', name)
  end

  # @param name [String] a daemon
  def pid(name)
    Integer(File.read(File.join(Bed::DIR, 'run', "#{name}.pid")))
  end

  def port(name)
    Integer(ENV.fetch('MULTITENANT_TESTBED_PORT', '17300')) + %w[slurmctld slurmdbd].index(name)
  end

  def enter
    `#{TESTBED} env`.scan(/^export (\w+)=(.*)$/) { |name, value| ENV[name] = value }
    # test/slurm/bed.rb is used without running tests
    Minitest.define_singleton_method(:autorun) { nil }
    require File.join(ROOT, 'test/slurm/bed')
    configure
    build
  end

  def configure
    path = File.join(Bed::DIR, 'etc/slurm.conf')
    before = File.read(path)
    text = CONFIGURATION.reduce(before) { |known, (name, line)| known.sub(/^#{name}=.*(?:\nMaxJobCount=.*)?/, line) }
    return if text == before

    File.write(path, text)
    Bed.testbed('stop', 'slurmctld') && Bed.testbed('start', 'slurmctld')
  end

  # Where the bed's users can read it.
  def build
    FileUtils.mkdir_p(program(''))
    PROGRAMS.each do |name, libraries|
      system('cc', '-O2', '-Wall', '-Wextra', '-Werror', "-I#{ROOT}/ext/multitenant_query", '-o', program(name),
             File.join(__dir__, "#{name}.c"), *libraries, exception: true)
    end
    FileUtils.cp(File.join(__dir__, 'warm.rb'), program(''))
  end
end
