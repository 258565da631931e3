# frozen_string_literal: true

require 'digest'
require 'fileutils'
require 'json'
require_relative '../host/system_file'
require_relative 'service_state'

module MultiTenant
  # What the gateway of a service keeps for its owner: the directory of doc/formats.md, "The gateway's state". Gates of
  # several nodes read and write in it at the same time, each file by a rename.
  class GateState
    DIRECTORY = 'gate'
    # Who a line of `limits` without a user is about.
    ALL = '*'
    # The one behind it stands for none.
    LAST_UID = 0xfffffffe
    # JOB@CLUSTER, as in the names of files.
    MEMBER = /[1-9]\d{0,9}@[\w.-]+/
    JOB = /\A(?<id>[1-9]\d{0,9})(?:@(?<cluster>[\w.-]+))?\z/
    LIMIT = /\A(\*|\d{1,10}) (\d{1,9})\z/
    # As the gate writes its own log, in UTC.
    TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/
    LOGIN = /\A(?<time>#{TIME}) login (?:.* )?uid=(?<uid>\d{1,10})(?:\s|\z)/
    NOT_CUT = /^(#{TIME}) streams_not_cut/
    # A line of either log.
    USED = /^(?:{"time":(\d{1,12})[^,]*,"user":"[^"]*","uid":"?(\d*)|(#{TIME}) login uid=(\d{1,10}))/
    # Bytes of a list, and of a line of a log, that count. The path in a line is escaped.
    MOST = 1_000_000
    LONGEST = 100_000

    # One who was let in: `since` and `last` are seconds since the epoch, as far as logs are kept.
    Tenant = Struct.new(:uid, :user, :since, :last, :requests, :bytes, keyword_init: true) do
      def seen(time)
        self.since = [since, time].compact.min
        self.last = [last, time].compact.max
      end
    end

    # @param service [ServiceState]
    # @return [GateState, nil] nil: none of its jobs ever had a gateway
    def self.of(service)
      at(File.join(service.path, DIRECTORY), service.name)
    end

    # @param word [String] ID or ID@CLUSTER
    # @return [Array<GateState>] of jobs without a service; ids are the same on several clusters
    def self.of_jobs(word, root = File.expand_path('../jobs', ServiceState.root))
      told = JOB.match(word) or return []
      names = Dir.children(root).grep(/\A#{told[:id]}@#{told[:cluster] ? Regexp.escape(told[:cluster]) : '.+'}\z/i)
      names.sort.filter_map { |name| at(File.join(root, name, DIRECTORY), "job #{name}") }
    rescue SystemCallError
      []
    end

    # @param path [String]
    # @param name [String] what people call it
    # @return [GateState, nil] nil: there is none, or it is another user's
    def self.at(path, name = File.basename(File.dirname(path)))
      stat = File.lstat(path)
      new(path, name) if stat.directory? && stat.owned?
    rescue SystemCallError, ArgumentError # no path has a NUL
      nil
    end

    # @param text [String]
    # @return [Integer, nil] nil: it is none, and a gate refuses the list that has it
    def self.uid(text)
      uid = Integer(text, 10, exception: false) if text.match?(/\A\d{1,10}\z/)
      uid if uid&.between?(0, LAST_UID)
    end

    # @return [String]
    attr_reader :path
    # @return [String]
    attr_reader :name

    def initialize(path, name)
      @path = path
      @name = name
    end

    # @return [Array<Integer>] uids
    def banned
      lines('banned').filter_map { |line| self.class.uid(line) }
    end

    # @return [Hash{Integer, String => Integer}] uid, or {ALL} => requests a minute; 0: any number
    def limits
      told = lines('limits').filter_map { |line| LIMIT.match(line)&.captures }
      told.to_h { |who, rate| [who == ALL ? ALL : self.class.uid(who), rate.to_i] }.except(nil)
    end

    # @return [Boolean] somebody is banned, or there is a limit
    def lists?
      %w[banned limits].any? { |name| File.size?(File.join(@path, name)) }
    end

    # @param uid [Integer]
    # @raise [SystemCallError]
    # @return [void]
    def ban(uid)
      locked { write('banned', [*banned, uid].uniq.sort) }
    end

    # @param uid [Integer]
    # @raise [SystemCallError]
    # @return [Boolean] they were banned
    def unban(uid)
      locked { banned.include?(uid).tap { write('banned', banned - [uid]) } }
    end

    # @param who [Integer, String] uid, or {ALL}
    # @param rate [Integer, nil] nil: what holds for all, or what the site has set
    # @raise [SystemCallError]
    # @return [void]
    def limit(who, rate)
      locked { write('limits', limits.merge(who => rate).compact.map { |pair| pair.join(' ') }) }
    end

    # @return [Array<Array(String, String)>] job and cluster of each gate that has read the lists
    def members
      Dir.children(@path).grep(/\Aseen\.#{MEMBER}\z/o).sort.map { |file| file.delete_prefix('seen.').split('@', 2) }
    rescue SystemCallError
      []
    end

    # @return [Boolean] the gate of that member goes by the lists as they are
    def taken_over?(member)
      seen(member).first(2) == sums
    end

    # @param since [Integer] seconds since the epoch
    # @return [Boolean] that gate has said since that it can't end what the banned have open
    def not_cut?(member, since)
      each_log(logs(/\.gate\z/, Regexp.escape(member.join('@')))).any? do |file|
        end_of(file, LONGEST).scan(NOT_CUT).flatten.any? { |time| epoch(time).to_i >= since }
      end
    end

    # @return [Array<Tenant>] those that were let in, by name; read line by line
    def tenants
      found = Hash.new { |all, uid| all[uid] = Tenant.new(uid: uid, requests: 0, bytes: 0) }
      each_line(/\.jsonl(?:\.\d)?\z/) { |line| count(found, line) }
      each_line(/\.gate(?:\.\d)?\z/) do |line|
        told = LOGIN.match(line)
        found[told[:uid].to_i].seen(epoch(told[:time])) if told
      end
      found.values.sort_by { |one| [one.user || '~', one.uid] }
    end

    # How many people used it since a time, from the ends of the newest logs.
    # @param since [Integer] seconds since the epoch
    # @param most [Integer] bytes that are read at most
    # @return [Array(Integer, Boolean)] how many, and whether there may be more
    def users(since, most = 200_000)
      names = logs(/\.(?:jsonl(?:\.1)?|gate)\z/).select { |name| written_since?(name, since) }
      part = most / [names.size, 1].max
      more = false
      uids = each_log(names).flat_map do |file|
        rows = end_of(file, part).scan(USED)
        rows.map! { |time, uid, login, who| [login ? epoch(login) : time.to_i, who || uid] }
        more ||= file.size > part && (rows.empty? || rows.first.first.to_i >= since)
        rows.filter_map { |time, uid| uid if time.to_i >= since && !uid.empty? }
      end
      [uids.uniq.size, more]
    end

    # @param member [String] JOB@CLUSTER
    # @return [Boolean] that job had a gateway of this state
    def member?(member)
      members.any? { |one| one.join('@').casecmp?(member) }
    end

    # How many people used one job of it, as far as its logs reach back.
    # @param member [String] JOB@CLUSTER
    # @return [Integer, nil] nil: it had no gateway of this state
    def people(member)
      return unless member?(member)

      uids = []
      each_line(/\.(?:jsonl|gate)(?:\.\d)?\z/, Regexp.escape(member)) do |line|
        _, uid, _, who = USED.match(line)&.captures
        uids |= [who || uid] unless (who || uid).to_s.empty?
      end
      uids.size
    end

    private

    def epoch(time)
      Time.utc(*time.scan(/\d+/)).to_i
    rescue ArgumentError
      nil # a line that was cut
    end

    def count(found, line)
      told = JSON.parse(line)
      uid = Integer(told['uid'].to_s, 10, exception: false)
      return unless uid && !told['user'].to_s.empty?

      one = found[uid]
      one.user = told['user'].to_s
      one.seen(told['time'].to_i)
      one.requests += 1
      one.bytes += told['bytes'].to_i
    rescue JSON::ParserError, TypeError, NoMethodError
      nil # a line that was cut
    end

    def each_line(pattern, member = MEMBER, &block)
      each_log(logs(pattern, member)) do |file|
        file.each_line("\n", LONGEST) { |line| block.call(line.force_encoding(Encoding::UTF_8).scrub('?')) }
      end
    end

    # @return [Array<String>] names
    def logs(pattern, member = MEMBER)
      Dir.children(File.join(@path, 'log')).grep(/\A#{member}#{pattern}/i).sort
    rescue SystemCallError
      []
    end

    # A member's are open before one of them is read: one that is given another name meanwhile is neither missed nor
    # read twice. There may be more members than a process may have open files.
    # @yieldparam file [File]
    def each_log(names, &block)
      return enum_for(:each_log, names) unless block

      names.group_by { |name| name[/\A#{MEMBER}/o] }.each_value do |some|
        files = some.filter_map { |name| open_file(File.join('log', name)) }
        files.uniq { |file| file.stat.ino }.each(&block)
      ensure
        files&.each(&:close)
      end
    end

    def written_since?(name, time)
      File.lstat(File.join(@path, 'log', name)).mtime.to_i >= time
    rescue SystemCallError
      false
    end

    # @return [String] its last bytes; none where nobody has used it yet
    def end_of(file, most)
      file.seek(-most, IO::SEEK_END) if file.size > most
      file.read(most).to_s
    end

    # @param but [Class] that file is passed over where this is raised
    def open_file(name, but: SystemCallError)
      file = File.new(File.join(@path, name), File::RDONLY | File::NOFOLLOW | File::NONBLOCK, binmode: true)
      return file if file.stat.file?

      file.close
    rescue but
      nil
    end

    def lines(name)
      bytes(name).scrub('?').lines(chomp: true)
    end

    # A list that can't be read is none to be written anew without what was in it.
    def bytes(name)
      file = open_file(name, but: Errno::ENOENT) or return ''
      file.read(MOST).to_s
    ensure
      file&.close
    end

    def seen(member)
      bytes("seen.#{member.join('@')}").split
    end

    def sums
      %w[banned limits].map { |name| Digest::SHA256.hexdigest(bytes(name)) }
    end

    # Two commands of the owner's at once.
    def locked
      File.open(File.join(@path, 'lock'), File::RDWR | File::CREAT | File::NOFOLLOW, 0o600) do |lock|
        lock.flock(File::LOCK_EX)
        Dir.open(@path).close # as in ServiceState.at
        yield
      end
    end

    def write(name, lines)
      SystemFile.write(File.join(@path, name), lines.map { |line| "#{line}\n" }.join, mode: 0o600)
    end
  end
end
