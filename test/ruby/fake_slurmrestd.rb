# frozen_string_literal: true

require 'json'
require 'socket'

# A slurmrestd as a test wants it to answer, at a unix socket, a port of this host, or whatever listens. It keeps what
# it was asked. Jobs are as {job} makes them; they are told in the words of v0.0.38 or of a later version.
class FakeSlurmrestd
  OK = '200 OK'
  EMPTY = { 'errors' => [], 'warnings' => [] }.freeze

  # Names may be any bytes, which JSON.generate would refuse.
  NAME = 'NAME-OF-%d'

  # What 22.05 takes in a path (src/common/http.c).
  QUERY = %r{\A[\w~./-]+(?:\?(?:[\w~.=&-]|%\h\h)*)?\z}

  attr_reader :asked, :url, :answers, :jobs
  attr_accessor :versions, :nodes, :admin

  # @param job_id [Integer]
  def self.job(job_id, name: 'sys|hpcGrp|payload', **changes)
    { id: job_id, name: name, uid: 1001, user: 'prof', wckey: 'multitenant', start: 1_700_000_000, end: 1_700_003_600,
      limit: 60, restarts: 0, nodes: 'n1', state: ['RUNNING'], cluster: 'hpc', array: 0 }.merge(changes)
  end

  def initialize(listener, url, jobs: [FakeSlurmrestd.job(7)], versions: [42, 41, 40])
    @listener = listener
    @url = url
    @jobs = jobs
    @versions = versions
    @nodes = { 'n1' => %w[n1.cluster 10.0.0.1] }
    @admin = 'Operator'
    @asked = []
    @answers = {}
    @thread = Thread.new { loop { take(@listener.accept) } }
    @thread.report_on_exception = false
  end

  def self.unix(path, **options)
    new(UNIXServer.new(path), "unix:#{path}", **options)
  end

  def self.loopback(**options)
    server = TCPServer.new('127.0.0.1', 0)
    new(server, "http://127.0.0.1:#{server.local_address.ip_port}", **options)
  end

  def stop
    @thread.kill
    @listener.close
  end

  # @return [Array<String>]
  def paths
    asked.map { |path, _| path }
  end

  # What is answered to a path like that: status and body, or what a block writes.
  def say(pattern, status = OK, body = nil, &block)
    body = JSON.generate(body) unless body.nil? || body.is_a?(String)
    answers[pattern] = block || [status, body]
  end

  def error(number, said = 'why')
    { 'errors' => [{ 'error_number' => number, 'description' => said, 'error' => said }], 'jobs' => [] }
  end

  private

  def take(socket)
    Thread.new { serve(socket) }.report_on_exception = false
  rescue OpenSSL::SSL::SSLError, SystemCallError
    nil
  end

  def serve(socket)
    while (line = socket.gets)
      headers = {}
      until (text = socket.gets.to_s.chomp).empty?
        name, value = text.split(': ', 2)
        headers[name] = value
      end
      path = line.split[1]
      asked << [path, headers]
      answer(socket, path)
    end
  rescue IOError, SystemCallError, OpenSSL::SSL::SSLError
    nil # the other end has gone
  end

  def answer(socket, path)
    _, said = answers.find { |pattern, _| path.match?(pattern) }
    return said.call(socket) if said.is_a?(Proc)

    status, body = said || of(path)
    body = body.to_s.b
    socket.write("HTTP/1.1 #{status}\r\nContent-Length: #{body.bytesize}\r\n\r\n".b + body)
  end

  def of(path)
    return ['400 BAD REQUEST', 'Unable to parse query.'] unless path.match?(QUERY)

    @version = path[/v0\.0\.(\d+)/, 1].to_i
    return ['404 NOT FOUND', 'Unable to find requested URL.'] unless versions.include?(@version)

    case path
    when %r{/slurmdb/v[\d.]+/jobs\?} then [OK, told('jobs' => jobs.map { |job| row(job) })]
    when %r{/slurmdb/v[\d.]+/clusters} then [OK, told('clusters' => [{ 'name' => 'hpc' }])]
    when %r{/slurmdb/v[\d.]+/user/(.+)} then [OK, told('users' => [user($1)])] # rubocop:disable Style/PerlBackrefs
    when %r{/slurm/v[\d.]+/job/(\d+)} then job(Integer($1)) # rubocop:disable Style/PerlBackrefs
    when %r{/slurm/v[\d.]+/node/(.+)} then node($1) # rubocop:disable Style/PerlBackrefs
    else ['404 NOT FOUND', '']
    end
  end

  def old?
    @version < 40
  end

  def told(content)
    meta = old? ? { 'Slurm' => { 'release' => '22.05.8' } } : { 'slurm' => { 'cluster' => 'hpc' } }
    text = JSON.generate({ 'meta' => meta, **EMPTY, **content }).b
    jobs.each { |job| text.gsub!("\"#{format(NAME, job[:id])}\"".b) { quoted(job[:name]) } }
    text
  end

  # As json-c writes a string: bytes above ASCII as they are.
  def quoted(name)
    "\"#{name.b.gsub(%r{["\\/\x00-\x1f]}n) { |c| c.match?(%r{["\\/]}) ? "\\#{c}" : format('\\u%04x', c.ord) }}\"".b
  end

  def row(job)
    state = old? ? job[:state][0] : job[:state]
    { 'job_id' => job[:id], 'cluster' => job[:cluster], 'user' => job[:user], 'name' => format(NAME, job[:id]),
      'state' => { 'current' => state }, 'array' => { 'job_id' => job[:array] },
      'wckey' => { 'wckey' => job[:wckey].delete_prefix('*'), 'flags' => [] } }
  end

  def number(value)
    old? ? value : { 'set' => true, 'infinite' => false, 'number' => value }
  end

  # The id of an array stands for all of its tasks.
  def job(id)
    found = jobs.select { |job| [job[:id], job[:array]].include?(id) && !job[:gone] }
    return ['404 NOT FOUND', JSON.generate(error(2017, 'Invalid job id specified'))] if found.empty?

    [OK, told('jobs' => found.map { |job| whole(job) })]
  end

  def whole(job)
    unlimited = old? ? nil : { 'set' => false, 'infinite' => true, 'number' => 0 }
    { 'job_id' => job[:id], 'cluster' => job[:cluster], 'user_id' => job[:uid], 'user_name' => job[:user],
      'name' => format(NAME, job[:id]), 'job_state' => old? ? job[:state].last : job[:state], 'wckey' => job[:wckey],
      'start_time' => number(job[:start]), 'end_time' => number(job[:end]), 'nodes' => job[:nodes],
      'time_limit' => job[:limit] ? number(job[:limit]) : unlimited, 'restart_cnt' => job[:restarts] }
  end

  def node(name)
    return ['500 INTERNAL', JSON.generate(error(2009))] unless nodes[name]

    [OK, told('nodes' => [{ 'name' => name, 'hostname' => nodes[name][0], 'address' => nodes[name][1] }])]
  end

  def user(name)
    { 'name' => name, 'administrator_level' => old? ? admin : [admin] }
  end
end

# What a test has of it: a source, and a token that is good.
module Slurmrestds
  def teardown
    @started&.each(&:stop)
    super
  end

  # @return [FakeSlurmrestd]
  def rest(kind = :unix, **options)
    @rest ||= begin
      place = [File.join(temporary, 's')] if kind == :unix
      started(FakeSlurmrestd.public_send(kind, *place, **options))
    end
  end

  def started(server)
    (@started ||= []) << server
    server
  end

  def token(exp: Time.now.to_i + 90_000, sun: 'backup', path: File.join(temporary, 'token'), mode: 0o600, **claims)
    text = [{ alg: 'HS256' }, { exp: exp, sun: sun, **claims }.compact, 'seal'].map do |part|
      [part.is_a?(String) ? part : JSON.generate(part)].pack('m0').tr('+/', '-_').delete('=')
    end
    File.write(path, "#{text.join('.')}\n")
    File.chmod(mode, path)
    path
  end

  def source(env: {}, url: rest.url, cluster: 'hpc', program: MultiTenant::Slurmrestd::ASK, **options)
    options = { 'slurmrestd' => url, 'token' => @token ||= token, **options.transform_keys(&:to_s) }
    more = { cluster: cluster, program: program, names: FakeSlurm::Group.new }
    MultiTenant::Slurmrestd.new(MultiTenant::Settings.new(env), options, **more)
  end

  def ask(seconds: 60, **options)
    source(**options).call(seconds)
  end

  # @return [Array(Hash, Array<Hash>)] header and records of a whole answer
  def answered(answer = ask)
    assert_equal [nil, 0], [answer.error, answer.code]
    header, *records, last = answer.texts.fetch(0).lines.map { |line| JSON.parse(line) }
    assert_equal({ 'end' => records.size }, last)
    [header, records]
  end

  def refused(code, sentence, answer = ask)
    assert_equal [[], code], [answer.texts, answer.code], answer.error
    assert_match sentence, answer.error
    refute_includes answer.error, "\n"
  end
end
