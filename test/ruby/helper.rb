# frozen_string_literal: true

# What the Ruby tests share: sealing a job name by itself (with Ruby's OpenSSL and Zlib, not with
# the core), record streams, users that need no account, and what a tree of files looks like.
#
#   ruby -Ilib -Itest/ruby test/ruby/test_cards.rb
#
# Tests that need root or the built query program skip without them, and fail instead where CI or
# MT_NO_SKIP is set.
require 'minitest/autorun'
require 'etc'
require 'fileutils'
require 'find'
require 'json'
require 'open3'
require 'openssl'
require 'rbconfig'
require 'tmpdir'
require 'yaml'
require 'zlib'
require_relative 'own_host'
require 'multitenant'
require 'multitenant/cli'
require 'multitenant/sources/records_file'
require_relative '../promise'

# That of a developer's shell may be of a test bed that is down.
%w[SLURM_CONF SLURM_CONF_SERVER].each { |name| ENV.delete(name) } unless defined?(Bed)

# Tests read files of this project, also where the shell has no locale, as that of a container.
Encoding.default_external = Encoding::UTF_8 unless Encoding.default_external == Encoding::UTF_8

# The v1 envelope, written down a second time from its description (doc/formats.md).
module Sealing
  # @return [OpenSSL::Cipher] keyed for a job
  def v1_cipher(job_id, user, way)
    cipher = OpenSSL::Cipher.new('aes-256-cbc').public_send(way)
    cipher.key = "#{job_id}#{user}".b.ljust(32, "\0")[0, 32]
    cipher.iv = "#{job_id}#{job_id}".b.ljust(16, "\0")[0, 16]
    cipher
  end

  # @return [String] the payload of a job name
  def seal(text, job_id:, user:, packed: gzip(text))
    cipher = v1_cipher(job_id, user, :encrypt)
    [cipher.update(packed) + cipher.final].pack('m0')
  end

  # One gzip member without a time: the same text gives the same bytes.
  def gzip(text)
    Zlib::Deflate.new(Zlib::BEST_COMPRESSION, Zlib::MAX_WBITS + 16).deflate(text, Zlib::FINISH)
  end

  # @return [String] the message that a job name carries
  def unseal(name, job_id:, user:)
    cipher = v1_cipher(job_id, user, :decrypt)
    Zlib.gunzip(cipher.update(name.split('|')[2].unpack1('m0')) + cipher.final).force_encoding('UTF-8')
  end

  # ACCOUNTING|CONNECTION in single quotes; what would end or split a string is written as \uXXXX.
  def v1_text(accounting, connection)
    [accounting, connection].map { |part| "{#{part.map { |k, v| "#{quote(k)}:#{quote(v)}" }.join(',')}}" }.join('|')
  end

  def quote(text)
    "'#{text.to_s.gsub(/["'|\\\x00-\x20\x7f]/) { |c| format('\u%04x', c.ord) }}'"
  end
end

# Jobs as the query program tells of them. Unless a test says otherwise, `prof` (1001) shares with
# the group `students` (3000), and the viewer is a member of it (2001).
module Records
  def uuid(number)
    format('%08x-0000-4000-8000-0123456789ab', number)
  end

  def accounting(job_id, **changes)
    { mtu: '2001', mti: uuid(job_id), mta: 'App', mtm: 'card', mtd: 'sys/multitenant-delivery_default' }.merge(changes)
  end

  NODES = [{ name: 'n1', host: 'n1', addr: '10.0.0.1' }].freeze

  # @param message [Hash] changes to the accounting part
  # @param text [String] the whole message instead
  # @param name [String] the whole job name instead
  # @return [Hash] a record; `record` changes its other keys, nil takes one out
  def job(job_id, message: {}, connection: { host: 'n1', port: '5432' }, text: nil, name: nil, **record)
    record = { cluster: 'hpc', job_id: job_id, user: 'prof', uid: 1001, start: 1_700_000_000 + job_id, end: 0,
               restarts: 0, group_gid: 3000, publisher_in_group: true, nodes: NODES }.merge(record)
    text ||= v1_text(accounting(job_id, **message), connection)
    record[:name] = name || "sys/dashboard|students|#{seal(text, job_id: job_id, user: record[:user])}"
    raise "job #{job_id}: its name is too long for Slurm" if !name && record[:name].bytesize > 1024

    record
  end

  # @param whole [Boolean] with the last line
  # @return [String] a record stream; `header` changes its first line
  def stream(*jobs, whole: true, **header)
    header = { multitenant: 1, generated: 1_700_000_000, cluster: 'hpc', wckeys: ['multitenant'],
               sees: 'all' }.merge(header)
    jobs = jobs.map { |record| { **record, cluster: header[:cluster] } }
    lines = [header, *jobs, ({ end: jobs.size } if whole)].compact
    lines.map { |line| "#{JSON.generate(line)}\n" }.join
  end

  # @return [String] what munged said of some payloads, a Hash each
  def opened(*lines)
    [*lines, { end: lines.size }].map { |line| "#{JSON.generate(line)}\n" }.join
  end
end

# test/vectors/*.json. The job names of reasons.json are stored sealed, as a reader in another language
# needs them; what is in one stands beside it. After a change of a "message" seal them anew:
#
#   ruby -Ilib -Itest/ruby -r helper -e Vectors.seal_all
#
# Keys of a record: those of a record stream, with "job_name" for "name"; and for sealing "message"
# (ACCOUNTING|CONNECTION), "times" (the message is this often repeated), "packed": false (it is not
# compressed), "sealed_for" (a job id other than its own). Where there is no "message", "job_name" is by hand.
module Vectors
  extend Sealing

  PATH = File.expand_path('../vectors', __dir__)
  REASONS = File.join(PATH, 'reasons.json')
  SEALING = %w[message times packed sealed_for job_name].freeze

  module_function

  # @return [Array<Hash>] the vectors of a file
  def read(name)
    JSON.parse(File.read(File.join(PATH, "#{name}.json"))).fetch('vectors')
  end

  # @return [String] what is to be sealed
  def plain(record)
    record['message'] * record.fetch('times', 1)
  end

  def job_name(record)
    return record.fetch('job_name') unless record['message']

    packed = record['packed'] == false ? plain(record) : gzip(plain(record))
    payload = seal(nil, job_id: record['sealed_for'] || record['job_id'], user: record.fetch('user', 'prof'),
                        packed: packed)
    "sys/dashboard|students|#{payload}"
  end

  # Writes reasons.json again, a record a line, in ASCII.
  def seal_all
    file = JSON.parse(File.read(REASONS))
    vectors = file['vectors'].map do |vector|
      records = vector['records'].map { |record| ascii(record.merge('job_name' => job_name(record))) }
      texts = vector.to_h { |key, value| [key, key == 'records' ? "[\n    #{records.join(",\n    ")}]" : ascii(value)] }
      texts.map { |key, text| "#{ascii(key)}: #{text}" }.join(",\n  ")
    end
    File.write(REASONS, "{\"about\": #{ascii(file['about'])},\n\"vectors\": [\n{#{vectors.join("},\n{")}}\n]}\n")
  end

  def ascii(value)
    JSON.generate(value, ascii_only: true)
  end
end

# Processes of other users, the command line, and programs that tests write.
module Processes
  include Promise

  Done = Struct.new(:out, :err, :code, :seconds)

  # Runs the block in a child process of that user.
  # @return what the block gives, by Marshal; what it raises is raised here
  def as_user(uid: 2001, gids: [3000], umask: 0o022, &block)
    need_root
    reader, writer = IO.pipe(binmode: true)
    pid = fork do
      reader.close
      become(uid, gids, umask)
      writer.write(Marshal.dump(outcome(&block)))
      writer.close
    ensure
      exit!(0) # no at_exit of the parent's
    end
    writer.close
    told = read_outcome(reader, pid)
    told[0] == :gave ? told[1] : raise(told[1], told[2], told[3])
  end

  def become(uid, gids, umask)
    File.umask(umask)
    Process.groups = gids
    Process::GID.change_privilege(uid)
    Process::UID.change_privilege(uid)
  end

  def outcome
    [:gave, yield]
  rescue Exception => e # rubocop:disable Lint/RescueException -- assertions too
    [:raised, e.is_a?(Minitest::Assertion) ? Minitest::Assertion : RuntimeError, "#{e.class}: #{e.message}",
     e.backtrace]
  end

  def read_outcome(reader, pid)
    unless reader.wait_readable(120)
      Process.kill(:KILL, pid)
      flunk('the child process hangs')
    end
    Marshal.load(reader.read) # rubocop:disable Security/MarshalLoad -- our own child's
  ensure
    reader.close
    Process.wait(pid)
  end

  # Runs `multitenant` in a child of this process, which saves the time that starting Ruby takes.
  # @param as [Integer, nil] a uid, which is also its gid; with group 3000
  def multitenant(*argv, stdin: '', env: {}, as: nil)
    need_root if as
    exe = File.join(File.dirname(Tree.lib), 'exe/multitenant')
    Dir.mktmpdir('multitenant-io-') do |dir|
      files = %w[in out err].map { |name| File.join(dir, name) }
      File.binwrite(files[0], stdin)
      start = now
      pid = fork { run_here(exe, argv, files, environment(env), as) }
      status = Process.wait2(pid)[1]
      Done.new(File.read(files[1]), File.read(files[2]), status.exitstatus || -status.termsig, now - start)
    end
  end

  # What a Ruby of its own would do with the file `exe`.
  def run_here(exe, argv, files, env, uid)
    code = 0
    [$stdin, $stdout, $stderr].zip(files, %w[r w w]) { |io, path, mode| io.reopen(path, mode) }
    ENV.replace(env.compact)
    become(uid, [3000], 0o022) if uid
    Dir.chdir('/')
    ARGV.replace(argv)
    load exe
  rescue SystemExit => e
    code = e.status
  rescue Exception => e # rubocop:disable Lint/RescueException -- as Ruby itself at its end
    code = 1
    warn e.full_message
  ensure
    [$stdout, $stderr].each(&:flush)
    exit!(code)
  end

  # Runs `multitenant` as a user does. Parameters as there; `lib` may be one of the test's.
  def multitenant_process(*argv, lib: Tree.lib, as: nil, **options)
    run_as(as, RbConfig.ruby, '-I', lib, File.join(File.dirname(lib), 'exe/multitenant'), *argv, **options)
  end

  # @return [Done] of a program with nothing but this environment
  def run_as(uid, *argv, stdin: '', env: {}, dir: '/')
    need_root if uid
    id = uid.to_s
    argv = ['setpriv', '--reuid', id, '--regid', id, '--groups', '3000', '--', *argv] if uid
    start = now
    out, err, status = Open3.capture3(environment(env), *argv, stdin_data: stdin, unsetenv_others: true, chdir: dir)
    Done.new(out, err, status.exitstatus || -status.termsig, now - start)
  end

  def environment(changes)
    { 'PATH' => ENV.fetch('PATH'), 'HOME' => '/nonexistent', 'LANG' => 'C.UTF-8' }.merge(changes)
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  # Waits until the block is true, for at most a minute, unless less is promised: the machine may be busy.
  # @return what it gives then
  def wait_until(seconds = 60)
    limit = now + seconds
    until (found = yield)
      flunk "waited for #{seconds} s in vain" if now > limit
      sleep 0.01
    end
    found
  end

  def need_root
    skip_unless(Process.euid.zero?, 'needs root: it runs processes of other users')
  end

  def skip_unless(here, sentence)
    return if here

    ENV['CI'] || ENV['MT_NO_SKIP'] ? flunk(sentence) : skip(sentence)
  end

  # What an earlier test left open may be closed at any time, when it is collected.
  # @return [Array<(String, String)>] this process's descriptors and what they are of
  def descriptors
    Dir.children('/proc/self/fd').filter_map { |fd| [fd, File.readlink("/proc/self/fd/#{fd}")] rescue nil } # rubocop:disable Style/RescueModifier -- that of the list is gone
  end

  # @return [Array<String>] this process's, those that nobody waited for yet, too
  def children
    Dir.glob('/proc/self/task/*/children').flat_map do |path|
      File.read(path).split
    rescue Errno::ENOENT, Errno::ESRCH
      [] # a thread that has ended meanwhile
    end
  end

  # @return [String] bash, in squeue's place, for multitenant-data: of the job that it asks about
  def squeue_says(state)
    %(set -- "$*" && set -- "${1##*--jobs=}" && echo "${1%% *}|#{state}")
  end

  # A query program of the test's. @return [String] its path
  def program(body, shell: '/bin/sh')
    path = File.join(temporary, "program-#{rand(1 << 32)}")
    File.write(path, "#!#{shell}\n#{body}\n", perm: 0o755)
    path
  end
end

# Directories of a test, and what is in them.
module Places
  # A directory of this test's that every user may enter.
  def temporary
    @temporary ||= File.realpath(Dir.mktmpdir('multitenant-test-')).tap { |dir| File.chmod(0o755, dir) }
  end

  def teardown
    FileUtils.remove_entry(@temporary) if @temporary
    super
  end

  # @return [Hash] path => kind, mode, owner, and bytes or target; of everything below `dir`
  def snapshot(dir)
    Find.find(dir).to_h do |path|
      stat = File.lstat(path)
      what = if stat.file? then File.binread(path)
             elsif stat.symlink? then File.readlink(path)
             end
      [path, [stat.ftype, format('%o', stat.mode & 0o7777), stat.uid, what]]
    end
  end
end

# A host below the directory `root`.
module HostFiles
  def at(path)
    File.join(root, path)
  end

  def write(path, text, mode: 0o644)
    FileUtils.mkdir_p(File.dirname(at(path)))
    File.write(at(path), text)
    File.chmod(mode, at(path))
  end
end

# lib/, exe/ and initializer/ where every user can read them: the clone may stand below /root.
module Tree
  module_function

  ROOT = File.expand_path('../..', __dir__)

  def lib
    @lib ||= begin
      dir = Dir.mktmpdir('multitenant-tree-')
      Minitest.after_run { FileUtils.remove_entry(dir) }
      copy(dir)
    end
  end

  # @return [String] the lib/ of a copy in `dir`
  def copy(dir)
    FileUtils.cp_r(%w[lib exe initializer].map { |name| File.join(ROOT, name) }, dir)
    FileUtils.chmod_R('a+rX,go-w', dir)
    File.join(dir, 'lib')
  end
end

# Gem homes as an admin has them: every directory on the way to them is root's alone, which /tmp is not.
module GemHomes
  module_function

  # @return [String] a new gem home
  def make
    @dir ||= begin
      dir = Dir.mktmpdir('multitenant-test-', '/var/lib')
      File.chmod(0o755, dir)
      Minitest.after_run { FileUtils.remove_entry(dir) }
      dir
    end
    File.join(@dir, format('home%03d', @count = @count.to_i + 1)).tap { |home| Dir.mkdir(home, 0o755) }
  end

  # Puts a gem there that is no more than the clone's lib/. @return [String] its lib/
  def add(home, version = MultiTenant::VERSION)
    dir = File.join(home, 'gems', "ood_multitenant-#{version}")
    FileUtils.mkdir_p(dir)
    Tree.copy(dir)
  end

  # The gem, built. @return [String] its file
  def built
    @built ||= File.join(make, 'ood_multitenant.gem').tap do |path|
      out, status = Open3.capture2e('gem', 'build', 'multitenant.gemspec', '--output', path, chdir: Tree::ROOT)
      raise out unless status.success?
    end
  end

  # The gem, installed as doc/admins.md says. @return [Array(String, String)] gem home, what was said
  def install(env = {})
    home = make
    env = { 'MAKEFLAGS' => "-j#{Etc.nprocessors}" }.merge(env)
    out, status = Open3.capture2e(env, 'gem', 'install', '--local', '--no-document', '--verbose', '--install-dir', home,
                                  built)
    raise out.lines.last(40).join unless status.success?

    [home, out]
  end

  # One that every test may use and none changes.
  def installed
    @installed ||= install[0]
  end
end

# A test's child process tells what it was given.
class MultiTenant::Records # rubocop:disable Style/ClassAndModuleChildren
  def self._load(text) = new(text)

  def _dump(_level) = text
end

# What munged said, instead of munged.
Said = Struct.new(:text) do
  def call(_payloads, _seconds) = text

  def pause(_payloads) = nil

  def error = nil
end

# A source that gives what the test put in.
class Feed
  attr_accessor :texts, :error, :code, :from

  def initialize(*texts)
    @texts = texts
    @code = 0
    @from = 'test'
  end

  def call(_seconds)
    MultiTenant::Answer.new(texts: texts, from: from, seconds: 0.0, error: error, code: code)
  end
end

# One round in a process of its own.
Round = Struct.new(:report, :specs, :codes, :log, keyword_init: true) do
  # @return [Array] action and card id, or path and sentence of a failure
  def cards
    report['cards']
  end

  # @return [Array<String>] the ids that were written, kept, removed, or the paths that failed
  def ids(action)
    cards.filter_map { |done, id, _| id if done == action }.sort
  end
end

# A user with a home and OOD's data root in it. Every round is a new process of this user,
# as each start of a dashboard is.
class Viewer
  attr_reader :uid, :gids, :home, :dataroot
  attr_accessor :env, :clusters, :per_cluster, :umask, :opened

  def initialize(test, uid: 2001, gids: [3000])
    @test = test
    @uid = uid
    @gids = gids
    @umask = 0o022
    @env = {}
    @clusters = [MultiTenant::Clusters::Cluster.new('hpc', 'hpc', nil)]
    @per_cluster = false
    @home = File.join(test.temporary, "home-#{uid}")
    @dataroot = File.join(home, 'ondemand/data/sys/dashboard')
    test.need_root
    Dir.mkdir(home, 0o700)
    File.chown(uid, uid, home)
  end

  def do(&block)
    @test.as_user(uid: uid, gids: gids, umask: umask, &block)
  end

  # @param texts [Array<String>] record streams
  # @return [Round]
  def look(*texts, deliver: true, error: nil)
    session(*texts) do |receiver, feed|
      feed.error = error
      receiver.refresh(deliver: deliver)
    end
  end

  # Several rounds of one process: the block gets its receiver and its feed. @return [Round] the last
  def session(*texts)
    self.do do
      log = []
      feed = Feed.new(*texts)
      receiver = receiver_of(feed, log)
      yield receiver, feed
      Round.new(report: receiver.report, specs: receiver.specs, log: log,
                codes: receiver.shares.to_h { |share| [share[:key], share.values_at(:specs, :card)] })
    end
  end

  def remove_all(dry_run: false)
    self.do { receiver_of(Feed.new, []).remove_all(dry_run: dry_run) }
  end

  # A process of the command line, with this user's home.
  def multitenant(*argv, env: {}, **options)
    @test.multitenant(*argv, as: uid, env: { 'HOME' => home, **@env, **env }, **options)
  end

  def path(*parts)
    File.join(dataroot, 'batch_connect', *parts)
  end

  def db(id)
    path('db', id)
  end

  def output(id, *parts, token: 'sys/multitenant-delivery_default')
    path(token, 'output', id, *parts)
  end

  # What OOD's dashboard reads of a card.
  def connection(id, **options)
    YAML.safe_load_file(output(id, 'connection.yml', **options))
  end

  # @return [Array<String>] the ids that OOD lists
  def listed
    Dir.exist?(path('db')) ? Dir.children(path('db')).sort : []
  end

  LOCK = '.multitenant.lock'
  F_OFD_SETLK = 37

  # As another process that is at the cards.
  def while_locked
    File.open(write(path(LOCK)), 'r+') do |file|
      file.fcntl(F_OFD_SETLK, [1, 0, 0, 0, 0].pack('ssx4qqlx4')) # all of it, for writing
      yield
    end
  end

  # Writes a file of this user's.
  def write(path, text = '', mode: 0o600)
    self.do do
      FileUtils.mkdir_p(File.dirname(path), mode: 0o700)
      File.write(path, text, perm: mode)
    end
    path
  end

  # A session of the user's own, as OOD writes it.
  def own_session(id, token: 'sys/jupyter', **changes)
    session = { id: id, cluster_id: 'hpc', job_id: '900', created_at: 1_700_000_000, token: token, title: 'Mine',
                script_type: 'basic', cache_completed: nil, completed_at: nil }.merge(changes)
    write(output(id, 'connection.yml', token: token), "host: mine\nport: 1\npassword: secret\n")
    write(db(id), JSON.generate(session))
  end

  def receiver_of(feed, log, membership: nil)
    settings = MultiTenant::Settings.new(env)
    MultiTenant::Receiver.new(settings, source: feed, clusters: MultiTenant::Clusters.new(clusters),
                                        core: settings.to_core(dataroot: dataroot, per_cluster_dataroot: per_cluster),
                                        log: ->(level, sentence) { log << [level, sentence] }, membership: membership,
                                        credentials: Said.new(opened.to_s))
  end
end

# The base of every test class here.
class MultiTenantTest < Minitest::Test
  include Sealing
  include Records
  include Processes
  include Places

  # Runs the block without Ruby's warnings.
  def silently
    verbose = $VERBOSE
    $VERBOSE = nil
    yield
  ensure
    $VERBOSE = verbose
  end

  # What {MultiTenant::Core} takes: the viewer 2001 of the group 3000, the defaults, no card files.
  def core(**changes)
    settings = MultiTenant::Settings.new({}).to_core(dataroot: nil)
    MultiTenant::Core.new({ **settings, uid: 2001, gids: [2001, 3000], **changes })
  end

  # Lets a core decide. @return [Hash] job key => specs code, card code
  def decide(core, *texts, clusters: [%w[hpc hpc]], opened: '')
    core.read(texts.map { |text| MultiTenant::Records.new(text) })
    core.decide(clusters, opened, 0)
    core.shares.to_h { |share| [share[:key], share.values_at(:specs, :card)] }
  end

  # The codes of one job for the viewer.
  def codes_of(record, **settings)
    decide(core(**settings), stream(record)).fetch(record[:job_id].to_s)
  end
end
