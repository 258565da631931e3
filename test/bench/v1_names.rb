# frozen_string_literal: true

require_relative 'bench_bed'

# How many names of v1 one processor opens and decides on in a second: 200 of 20 publishers, of which nothing is known.
class V1Names
  COUNT = 200
  PUBLISHERS = 20

  def initialize(warm)
    @warm = warm
  end

  # @return [Hash]
  def call
    path = File.join(Bed.home(Population::VIEWER), 'v1_names')
    File.write(path, text)
    took = Array.new(20) { @warm.call('open', path) }
    saw = took.map { |one| one[:shares] }.uniq
    abort "script/bench: #{saw.join(', ')} of #{COUNT} names were opened: this is no run." unless saw == [COUNT]

    { 'count' => COUNT, 'cpu_ms' => took.map { |one| one[:cpu_ms].round(4) } }
  end

  private

  def text
    head = { multitenant: 1, generated: Time.now.to_i, cluster: 'hpc', wckeys: ['multitenant'], sees: 'all' }
    [head, *Array.new(COUNT) { |i| record(i) }, { end: COUNT }].map { |line| "#{JSON.generate(line)}\n" }.join
  end

  def record(index)
    user = "prof#{index % PUBLISHERS}"
    id = 5000 + index
    secret = { 'host' => 'node1', 'port' => '8787', 'password' => SecureRandom.hex(32) }
    { cluster: 'hpc', job_id: id, user: user, uid: 50_000 + (index % PUBLISHERS),
      name: "sys/dashboard|hpcGrp|#{Bed.seal(id, user, Bed.accounting, secret)}", start: Time.now.to_i - 60,
      end: Time.now.to_i + 3600, restarts: 0, group_gid: Etc.getgrnam('hpcGrp').gid,
      publisher_in_group: true, wckey: 'multitenant', nodes: [{ name: 'node1', host: 'vm', addr: '127.0.0.1' }] }
  end
end
