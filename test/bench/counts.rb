# frozen_string_literal: true

require 'open3'
require_relative 'bench_bed'

# What the daemons were asked and sent: requests as they count them, bytes as strace sees them, and their CPU.
module Counts
  DAEMONS = %w[munged mariadbd slurmdbd slurmctld].freeze
  CALLS = 'read,write,readv,writev,recvfrom,sendto,recvmsg,sendmsg'
  STRACE = ['strace', '-f', '-qq', '-yy', '-s', '0', '-e', "trace=#{CALLS}", '-e', 'signal=none', '-A', '-o'].freeze

  module_function

  # CPU clocks are exact, and those of other processes can be read: clock_getcpuclockid(3).
  # @return [Hash{String => Float}] ms of CPU that each daemon has used
  def cpu(daemons = DAEMONS)
    @clocks ||= daemons.to_h { |name| [name, (~BenchBed.pid(name) << 3) | 2] }
    @clocks.transform_values { |clock| Process.clock_gettime(clock, :float_millisecond) }
  end

  # @param uid [Integer] who asks in the block
  # @return [Hash{String => Integer}] requests to each daemon
  def requests(uid)
    quietly('sdiag', '--reset')
    quietly('sacctmgr', '--immediate', 'clear', 'stats')
    yield
    { 'slurmctld' => by_user(`sdiag`, uid), 'slurmdbd' => by_user(`sacctmgr show stats`, uid) }
  end

  def quietly(*argv)
    out, status = Open3.capture2e(*argv)
    raise "#{argv.join(' ')}: #{out}" unless status.success?
  end

  # @param told [String] of sdiag, or of `sacctmgr show stats`
  def by_user(told, uid)
    of_users = told[/statistics by user\n((?:[ \t]+\S.*\n?)*)/, 1] || raise('Nothing is told by user.')
    of_users[/\(\s*#{uid}\)\s+count:(\d+)/, 1].to_i
  end

  # @yield [Array<String>] what a command starts with whose bytes are counted
  # @return [Hash{String => Integer}] bytes to and from each daemon
  def bytes
    file = File.join(Bed::DIR, 'run/strace') # to which each of two programs adds
    yield [*STRACE, file]
    in_trace(File.read(file), %w[slurmctld slurmdbd].to_h { |name| [BenchBed.port(name), name] })
  ensure
    FileUtils.rm_f(file)
  end

  # The same of a process that runs.
  def bytes_of(pid)
    bytes do |strace|
      tracer = Process.spawn(*strace, '-p', pid.to_s)
      Bed.wait('strace has begun') { File.read("/proc/#{pid}/status")[/^TracerPid:\s+(\d+)/, 1] == tracer.to_s }
      yield
      Process.kill('INT', tracer)
      Process.wait(tracer)
    end
  end

  # A call that another thread's interrupts has its descriptor on the first of two lines, and its result on the second.
  # @param ports [Hash{Integer => String}]
  def in_trace(text, ports)
    counted = ports.values.to_h { |name| [name, 0] }
    begun = {}
    text.each_line do |line|
      thread = line[/\A\d+/]
      port = line[/\A\d+ +\w+\(\d+<TCP:\[[^\]]*->[^\]]*:(\d+)\]/, 1]
      port = begun.delete(thread) if line.include?('resumed>')
      next begun[thread] = port if line.include?('<unfinished')

      name = ports[port.to_i]
      counted[name] += line[/ = (\d+)(?: |$)/, 1].to_i if name
    end
    counted
  end
end
