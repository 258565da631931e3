# frozen_string_literal: true

require 'etc'
require 'json'
require 'securerandom'
require_relative 'agent/placement'
require_relative 'sources/snapshot'
require_relative 'host/system_file'

module MultiTenant
  # Keeps a snapshot for the whole host: asks a source at intervals, and writes what it says into one
  # file for each group, which only that group can read. doc/formats.md has the files.
  class Agent
    # Seconds: the longest pause after failures, the shortest between two rounds, and the longest
    # that a source may take (half of an interval, where that is less: what is fresh must not wait).
    PAUSE_MAX = 300
    PAUSE_MIN = 1
    PATIENCE = 60

    # Jobs that a header names as undetermined: it is one line, and holds the gids, too (ext/multitenant/mt_limits.h).
    UNDETERMINED_MAX = 2000

    SCRATCH = /\A\.(?:state|\d+\.records|[\w-]+\.prom)\.\h{12}\z/
    RECORDS = /\A\d+\.records\z/

    # @param settings [Settings]
    # @param source [#call] seconds -> {Answer}
    # @param directory [String] is there, and this process's own
    # @param log [#call] takes a sentence
    # @param files [Array<#call>] what else is kept of each round's {Answer}; each may give a sentence for the log
    def initialize(settings, source:, directory:, log:, files: [])
      @source = source
      @directory = directory
      @log = log
      @files = files
      @said_of = {} # file => sentence
      @interval = Snapshot.interval(settings)
      @placement = Placement.new
      @kept = {} # cluster => the last whole stream and where its records are
      @missing = [] # clusters whose records are older than the last failure
      @failures = 0
      @early = @interruptible = @stopping = false
    end

    # @return [String, nil] why this process can't keep a snapshot there, in a sentence
    def self.objection(directory)
      stat = File.stat(directory)
      return "#{directory} is no directory." unless stat.directory?
      return "#{directory} belongs to uid #{stat.uid}, not to this process's: #{fix(directory)}" unless stat.owned?
      return if stat.mode.nobits?(0o022) && SystemFile.secure?(directory, uids: [0, Process.euid])

      "#{directory}, or a directory on the way to it, can be changed by other users: #{fix(directory)}"
    rescue SystemCallError => e
      "#{directory} can't be used (#{e.message.split(' @ ').first}): #{fix(directory)}"
    end

    def self.fix(directory)
      "make it with `install -d -m 0755 -o #{account} #{directory}`, where every directory above it is root's alone."
    end
    private_class_method :fix

    # @return [String] the name of this process's user, or the uid
    def self.account
      Etc.getpwuid(Process.euid).name
    rescue ArgumentError
      Process.euid.to_s
    end

    # Runs until {#stop} ends the process.
    # @return [void]
    def run
      %w[TERM INT].each { |signal| trap(signal) { stop } }
      loop do
        start = MultiTenant.clock
        round
        # Sources that failed before are asked after what the others said is written.
        round if @source.respond_to?(:due?) && @source.due?
        interruptible { sleep [pause - (MultiTenant.clock - start), PAUSE_MIN].max }
      end
    end

    # Asks once and writes what there is.
    # @return [Boolean] false: a failure
    def round
      answer = interruptible { @source.call([@interval / 2, PATIENCE].min) }
      return @early = true if answer.records.empty? && answer.error.nil? # the source says that it is too early

      @early = false
      whole = answer.records.flat_map { |records| records.whole.map { |stream| [stream, records] } }
      fresh, blind = whole.uniq { |stream,| stream.cluster }.partition { |stream,| stream.sees == 'all' }
      new = fresh.any? { |stream,| !@kept.key?(stream.cluster) }
      fresh.each { |stream, records| @kept[stream.cluster] = keep(stream, records) }
      fresh, blind = [fresh, blind].map { |list| list.map { |stream,| stream.cluster } }
      write if fresh.any?
      @files.each { |file| keep_file(file, answer) }
      tell(answer, fresh, blind, new)
      count(fresh.any?)
    rescue StandardError => e
      say([:failed, e.class], "No snapshot could be written to #{@directory}: #{sentence(e)}")
      count(false)
    end

    # For the handlers of signals: ends the process at once, or as soon as it has written.
    def stop
      @stopping = true
      exit if @interruptible
    end

    private

    # A part of the snapshot: the header of a cluster, and the lines of its jobs by group.
    Part = Struct.new(:header, :files)
    private_constant :Part

    def keep(stream, records)
      files, ids = @placement.place(stream.cluster, records.of(stream.cluster))
      ids |= stream.undetermined.to_a
      told = ids.size <= UNDETERMINED_MAX
      Part.new(stream.header(sees: told ? 'all' : 'own', undetermined: (ids if ids.any? && told)), files)
    end

    # Readers tell by the round that a group's file belongs to this `state`. While no job changes it stays, and
    # `state` alone is written.
    def write
      gids = @kept.values.flat_map { |part| part.files.keys }.uniq
      said = @kept.transform_values { |part| [part.header.except(:generated), part.files] }
      write_groups(gids, said) unless said == @written && @with.all? { |gid| File.exist?(path_of(gid)) }
      state = @kept.values.map do |part|
        Stream.text({ **part.header, round: @round, groups: part.files.keys.sort }, [])
      end
      SystemFile.write(File.join(@directory, 'state'), state.join, mode: 0o644)
      remove_others(@with)
    end

    def write_groups(gids, said)
      @written = nil
      @round = SecureRandom.hex(8)
      @with = gids.select { |gid| write_group(gid, @round) }
      @written = said
    end

    def path_of(gid)
      File.join(@directory, "#{gid}.records")
    end

    # @return [Boolean] false: this user namespace, as of a container, has no such gid, so nobody there is in the group.
    #   Whoever is elsewhere finds no file, and asks Slurm
    def write_group(gid, round)
      streams = @kept.values.select { |part| part.files.key?(gid) }
                     .map { |part| Stream.text({ **part.header, round: round }, part.files[gid]) }
      SystemFile.write(path_of(gid), streams.join, mode: 0o640, gid: gid)
      true
    rescue Errno::EINVAL
      false
    rescue Errno::EPERM
      raise Error, "#{path_of(gid)} can't be given to group #{gid}: start the agent with the capability " \
                   'CAP_CHOWN, as its systemd unit does.'
    end

    def remove_others(gids)
      names = Dir.children(@directory)
      old = names.grep(SCRATCH) + (names.grep(RECORDS) - gids.map { |gid| File.basename(path_of(gid)) })
      old.each { |name| File.unlink(File.join(@directory, name)) }
    end

    # What goes wrong there costs the snapshot nothing, and is tried again in the next round.
    def keep_file(file, answer)
      told = file.call(answer)
    rescue StandardError => e
      told = sentence(e)
    ensure
      @log.call(told) if told && told != @said_of[file]
      @said_of[file] = told || @said_of[file]
    end

    # What helps depends on what is asked there.
    def hidden(blind, answer)
      return if blind.empty?

      streams = answer.parts.select { |part| Commands.gave?(part) }.flat_map(&:records).flat_map(&:streams)
      by_commands, others = blind.partition { |cluster| streams.any? { |one| one.cluster == cluster } }
      [("#{hides(others)}: #{operator}" if others.any?),
       ("#{hides(by_commands)}. #{Commands::NO_OPERATOR}" if by_commands.any?)].compact.join(' ')
    end

    def hides(clusters)
      "Slurm hides the jobs of others (PrivateData) of cluster #{clusters.join(', ')} from this account"
    end

    def operator
      "make it an operator with `sacctmgr modify user #{self.class.account} set adminlevel=operator`; the hosts of " \
        "slurmctld and slurmdbd must know that name with the same uid, #{Process.euid}; where they have it " \
        'with another one, as another web host\'s, leave that, and make the account here anew with it.'
    end

    # One line when something has changed since the last one. A source that failed is not asked in every round.
    def tell(answer, fresh, blind, new)
      error = answer.error || hidden(blind, answer)
      error ||= 'There are records that are not whole.' if answer.records.size > fresh.size
      if error
        @missing = (@kept.keys - fresh).sort
        @missing = [UNKNOWN] if @missing.empty?
        say([@missing, answer.error && answer.code],
            "#{error} Readers of the snapshot ask Slurm themselves about a cluster that is not in it, and about all " \
            "from #{(2 * @interval).round} s after the last whole answer of any.")
      else
        @missing -= new ? [UNKNOWN, *fresh] : fresh
        names = @kept.keys.sort.join(', ')
        say([:kept, names], "The snapshot in #{@directory} is kept for cluster #{names}.") if @missing.empty?
      end
    end

    # A cluster that never answered.
    UNKNOWN = :unknown
    private_constant :UNKNOWN

    def say(state, sentence)
      @log.call(sentence) unless state == @told
      @told = state
    end

    def sentence(exception)
      text = exception.message.dup.force_encoding(Encoding::UTF_8).scrub('?').split(' @ ').first.to_s.gsub(/\s+/, ' ')
      text = "#{exception.class}: #{text}" unless exception.is_a?(Error) || exception.is_a?(SystemCallError)
      text.sub(/(?<![.?!])\z/, '.')
    end

    def count(renewed)
      @failures = renewed ? 0 : @failures + 1
      renewed
    end

    # Longer and longer where no cluster at all answers; one that does is never waited for longer.
    def pause
      return PAUSE_MIN if @early

      (@interval * (2**@failures.pred.clamp(0, 16))).clamp(@interval, [PAUSE_MAX, @interval].max)
    end

    # A signal may end the process in this block, in which nothing is written.
    def interruptible
      @interruptible = true
      exit if @stopping
      yield
    ensure
      @interruptible = false
    end
  end
end
