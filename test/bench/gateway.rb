# frozen_string_literal: true

# script/bench gateway: a server asked at its own port and through its gateway, in turn within one run.
require 'fileutils'
require 'openssl'
require 'tmpdir'
require_relative '../ruby/busy_gate_host'

CLIENTS = 8

def now
  Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

def seconds
  start = now
  yield
  now - start
end

def median(list)
  list.sort[list.size / 2]
end

# @return [Array(Float, Float)] medians of what the block gives for either client, which are asked in turn
def in_turn(rounds, pair, &block)
  pair.each(&block)
  times = Array.new(rounds) { pair.map(&block) }.transpose
  times.map { |list| median(list.flatten) }
end

# @return [Float] requests a second of all clients
def rate(clients, path)
  finish = now + 1
  count = clients.map { |client| Thread.new { (1..).find { client.get(path) && now > finish } } }.sum(&:value)
  count / (now - finish + 1)
end

# @return [Array<Float>] milliseconds that nginx and the gate have had of a processor
def had(host)
  [host.worker, host.pid].map { |pid| File.read("/proc/#{pid}/schedstat").to_i / 1e6 }
end

# @return [Array<Float>] of it for one of as many, the least of seven rounds
def costs(host, count, &block)
  rounds = Array.new(7) { had(host).tap { block.call }.zip(had(host)).map { |from, to| (to - from) / count } }
  rounds.transpose.map(&:min)
end

abort 'script/bench: gateway needs root.' unless Process.uid.zero?
dir = Dir.mktmpdir.tap { |path| File.chmod(0o755, path) }
host = BusyGateHost.new(dir).start
begin
  sleep 0.1 until host.answers?
  token = host.token
  clients = [-> { host.bare_client }, -> { host.client(token) }]
  puts "machine   #{`nproc`.strip} × #{File.read('/proc/cpuinfo')[/model name\s*: (.*)/, 1]}, #{`uname -sr`.strip}, " \
       "load #{File.read('/proc/loadavg').split.first(2).join(' ')}"
  puts "versions  #{RUBY_DESCRIPTION}; #{`nginx -v 2>&1`.strip}; #{`openssl version`.strip}"
  puts 'method    connections are kept; bare and through the gateway in turn; medians'
  one = clients.map(&:call)
  bare, gate = in_turn(60, one) { |client| Array.new(50) { seconds { client.get('/') } } }.map { |time| time * 1000 }
  puts format('  %-34s %8.3f %8.3f ms   + %.3f ms', 'request, 1 client (3000 each)', bare, gate, gate - bare)
  [1, CLIENTS].each do |count|
    # Who has asked nothing for 20 s is not waited for.
    pair = count == 1 ? one : clients.map { |made| Array.new(count) { made.call } }
    bare, gate = in_turn(9, pair) { |some| rate([*some], '/5ms') }
    puts format('  %-34s %8.0f %8.0f /s   %.1f %%', "server of 5 ms, clients: #{count}", bare, gate, 100 * gate / bare)
  end
  { 1 => 100, 16 => 20 }.each do |size, rounds|
    bare, gate = in_turn(rounds, one) { |client| size / seconds { client.get("/MB/#{size}") } }
    puts format('  %-34s %8.0f %8.0f MiB/s %.1f %%', "streamed, #{size} MiB (#{rounds} each)", bare, gate,
                100 * gate / bare)
  end
  puts 'CPU       milliseconds of a processor, which other work changes less: nginx, multitenant-gate'
  { 'request' => ['/', 500], 'streamed, 1 MiB' => ['/MB/16', 4] }.each do |what, (path, count)|
    unit = count * [path[/\d+/].to_i, 1].max
    puts format('  %-34s %8.3f %8.3f', what, *costs(host, unit) { count.times { one[1].get(path) } })
  end
ensure
  host.stop
  FileUtils.rm_rf(dir)
end
