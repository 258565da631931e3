# frozen_string_literal: true

# script/bench proxy: from what Slurm says to a proxy that answers by it, the way that multitenant-agent --proxy goes.
# Real engines, and one server for all services that are asked.
require 'fileutils'
require 'json'
require 'multitenant'
require 'multitenant/proxy'
require 'net/http'
require 'optparse'
require 'socket'
require 'tmpdir'
require_relative '../ruby/free_port'

options = { services: 1000, changes: 11 }
OptionParser.new do |parser|
  parser.on('--services N', Integer) { |n| options[:services] = n }
  parser.on('--changes N', Integer) { |n| options[:changes] = n }
end.parse!

# One engine, which runs in a directory of its own.
class ProxyBench
  SIGNALS = { 'haproxy' => 'USR2', 'nginx' => 'HUP' }.freeze

  # @param server [Integer] the port of what serves
  def initialize(engine, dir, server)
    @server = server
    @file = File.join(dir, "#{engine}.cfg")
    @port = FreePort.get
    @told = File.join(dir, 'reload')
    File.write(@told, "#!/bin/sh\nexit 0\n", perm: 0o755)
    @keeper = MultiTenant::Proxy::Keeper.new(MultiTenant::Settings.new({}), MultiTenant::Clusters.new([]),
                                             { engine: engine, output: @file, listen: "127.0.0.1:#{@port}",
                                               check: true, reload: @told })
    @signal = SIGNALS.fetch(engine)
    @command = engine == 'haproxy' ? ['/usr/sbin/haproxy', '-W', '-db', '-f', @file] : nginx(dir)
  end

  def nginx(dir)
    dirs = %w[client_body proxy fastcgi uwsgi scgi].map { |name| "#{name}_temp_path #{dir}/tmp;" }.join(' ')
    File.write(file = File.join(dir, 'nginx.conf'), "daemon off; pid #{dir}/pid; error_log stderr; events { }\n" \
                                                    "http { access_log off; #{dirs} include #{@file}; }\n")
    ['/usr/sbin/nginx', '-c', file, '-p', dir]
  end

  # @return [Array<Array(Float, Float)>] of each change, seconds of the agent's, and until the new service answers
  def run(services, changes)
    tell(services)
    @pid = spawn(*@command, %i[out err] => File::NULL)
    File.write(@told, "#!/bin/sh\nkill -#{@signal} #{@pid}\n")
    sleep 0.05 until answers?('s-1')
    Array.new(changes) { |n| change(services, "n-#{n}").tap { sleep 1 } }
  ensure
    Process.kill(:TERM, @pid) && Process.wait(@pid) if @pid
  end

  private

  def change(services, name)
    start = MultiTenant.clock
    tell(services, name)
    told = MultiTenant.clock
    nil until answers?(name)
    [told - start, MultiTenant.clock - told]
  end

  def tell(services, *more)
    names = [*more, *(1..services).map { |n| "s-#{n}" }]
    jobs = names.each_with_index.map { |name, n| job(n + 1, name) }
    header = { multitenant: 1, generated: Time.now.to_i, cluster: 'hpc', wckeys: ['multitenant'], sees: 'all' }
    text = [header, *jobs, { end: jobs.size }].map { |line| "#{JSON.generate(line)}\n" }.join
    @keeper.call(MultiTenant::Answer.new(texts: [text], from: 'bench', seconds: 0.0, error: nil, code: 0))
  end

  # Thirty of each publisher's.
  def job(id, name)
    user = name.start_with?('n') ? 0 : (name[/\d+/].to_i / 30) + 1
    { cluster: 'hpc', job_id: id, user: "u#{user}", uid: 2000 + user, start: 1, end: 0, restarts: 0, group_gid: 3000,
      publisher_in_group: true, nodes: [{ name: 'n1', host: 'n1', addr: '127.0.0.1' }],
      name: "job mt:#{name}:tcp:#{@server}|students|AAAA" }
  end

  def answers?(name)
    user = name.start_with?('n') ? 0 : 1
    Net::HTTP.get_response('127.0.0.1', "/u#{user}/#{name}@students/", @port).code == '200'
  rescue SystemCallError, EOFError, Net::HTTPBadResponse
    false
  end
end

def in_words(all)
  all = all.sort
  format('%.2f s (%.2f to %.2f)', all[all.size / 2], all[0], all[-1])
end

server = TCPServer.new('127.0.0.1', 0)
Thread.new do
  loop do
    client = server.accept
    client.readpartial(4096)
    client.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    client.close
  rescue SystemCallError, EOFError
    client.close
  end
end
puts "#{options[:services]} services, #{options[:changes]} changes each: median (least to most)"
%w[haproxy nginx].each do |engine|
  Dir.mktmpdir do |dir|
    times = ProxyBench.new(engine, dir, server.addr[1]).run(*options.values).transpose
    puts format('%-8s the agent, with the engine\'s check %s; then until a new service answers %s', engine,
                *times.map { |all| in_words(all) })
  end
end
