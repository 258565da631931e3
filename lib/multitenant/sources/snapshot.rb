# frozen_string_literal: true

require_relative 'answer'
require_relative '../host/clock'
require_relative '../host/system_file'

module MultiTenant
  # The source that reads the snapshot which `multitenant-agent` keeps for the whole host. Where that
  # can't be trusted or is not fresh, another source is asked; and so are those of clusters that are not in it, to which
  # the agent's account may have no way.
  class Snapshot
    DIRECTORY = '/run/multitenant'

    # Seconds between two rounds of an agent, at least.
    INTERVAL_MIN = 5

    # Seconds that the agent's clock may be ahead of ours.
    AHEAD = 2

    # How often the files are read until all are of one round, and the seconds between.
    TRIES = 3
    PAUSE = 0.02

    # Seconds that the other source gets in any case.
    SECONDS_MIN = 0.1

    # Of the whole time, the share that the sources of clusters which are not in it may use.
    OTHERS_SHARE = 0.75

    LIMIT = Core::LIMITS[:records]

    # Also of one that runs: it knows settings and clusters as they were when it began.
    START = 'Run `systemctl enable multitenant-agent; systemctl restart multitenant-agent`, and look at ' \
            '`journalctl -u multitenant-agent`.'
    RESTART = 'Let the agent and the dashboards read the same `env` file: `systemctl restart multitenant-agent`.'
    MAP = 'Run the agent where the kernel has that gid, as on the host itself.'

    # Why the snapshot is not used.
    class Unusable < Failure
      def initialize(sentence, fix: START)
        super(EX_TEMPFAIL, sentence, fix: fix)
      end
    end

    # The files are not of one round: the agent may be writing them.
    class Torn < Unusable; end

    # A group's file that `state` names is not there.
    class Missing < Torn; end

    # A file as it was read last: {SystemFile.version}, and its records.
    Kept = Struct.new(:version, :records)
    private_constant :Kept

    # @return [Unusable, nil] why the last call did not use the snapshot, or not all of it
    attr_reader :failure

    # @param settings [Settings]
    # @return [Float] seconds between two rounds of an agent
    def self.interval(settings)
      [settings.ttl, INTERVAL_MIN].max
    end

    # @param settings [Settings]
    # @param fallback [#call] seconds -> {Answer}
    # @param others [Sources, nil] of all clusters, of which those are asked that are not in the snapshot
    # @param directory [String]
    # @param gids [#call] gives the gids of the viewer
    # @param owners [#call] whether the snapshot may be kept by this uid: an ordinary user whose directory stood at this
    #   path could tell everybody what runs
    def initialize(settings, fallback:, others: nil, directory: settings.snapshot || DIRECTORY,
                   gids: settings.method(:gids), owners: SystemFile.method(:system?))
      @settings = settings
      @fallback = fallback
      @others = @asked = others
      @directory = directory
      @gids = gids
      @owners = owners
      @shares = {} # gid => Kept, of the round that was read last
    end

    # @param seconds [Float] the deadline of the other source; reading the files needs none
    # @return [Answer]
    def call(seconds)
      start = MultiTenant.clock
      records = read
      spent = MultiTenant.clock - start
      left = [seconds - spent, SECONDS_MIN].max
      @asked = @others
      return @fallback.call(left) unless records || @torn

      # Torn: the agent is writing right now. The next call finds files of one round, so no other source is asked.
      told = Answer.new(records: [*records], from: 'snapshot', seconds: spent, error: why,
                        code: @failure&.code || EX_OK)
      records && @others ? with_others(told, left) : told
    end

    # @return [Boolean] each other source that was to be asked answered the last time
    def answering?
      @asked.nil? || @asked.answering?
    end

    # @param cluster [String] Slurm's name
    # @return [Boolean] see {Schedule#hanging?}; of those that are asked beside it
    def hanging?(cluster)
      !@asked.nil? && @asked.hanging?(cluster)
    end

    # Those of clusters that are not in it are to be asked with the next call.
    # @return [void]
    def expire
      @others&.expire
    end

    # @return [Float, nil] seconds that the longest-lived answer of other sources lives
    def ttl
      @others&.ttl
    end

    # @return [String, nil] {failure} in a sentence
    def why
      failure&.sentence
    end

    private

    # @return [Answer] what is in the snapshot, and what the sources of clusters say that were never in it
    def with_others(told, seconds)
      names = @state.records.whole.map(&:cluster)
      @asked = @others.except(names)
      return told if @asked.none?

      # One that hangs leaves munged time for what is in the snapshot.
      more = @asked.call_all(seconds * OTHERS_SHARE)
      # Which cluster a source is of may show with its answer.
      new = more.records.reject { |records| records.streams.any? { |stream| names.include?(stream.cluster) } }
      failed = [told, more].find(&:error)
      Answer.new(records: told.records + new, from: [told, *more.parts].map(&:from).uniq.join(', '),
                 seconds: told.seconds + more.seconds, error: failed&.error, code: failed&.code || EX_OK)
    end

    # @return [Records, nil]
    def read
      TRIES.times do |tried|
        sleep PAUSE if tried.positive?
        records = read_once
        return records unless @torn
      end
      # One that goes with its last share is in the next `state` no more. One that stays away the agent can't write.
      @torn = !@failure.is_a?(Missing)
      nil
    end

    # @return [Records, nil]
    def read_once
      @failure = nil
      @torn = false
      check_directory
      assemble(*read_state)
    rescue Unusable => e
      @failure = e
      @torn = e.is_a?(Torn)
      nil
    end

    # What was seen to be changed by the trusted alone can't be made otherwise by anybody else, so that it is enough to
    # see that it is the same directory.
    def check_directory
      stat = File.stat(@directory)
      seen = [stat.dev, stat.ino, stat.mode, stat.uid]
      return if seen == @seen

      @seen = nil
      check_way(File.realpath(@directory))
      @seen = seen
    rescue SystemCallError => e
      raise Unusable, "There is no snapshot in #{@directory} (#{e.message.split(' @ ').first}): " \
                      'does multitenant-agent run?'
    end

    def check_way(real)
      @real = real
      stat = File.stat(real)
      raise Unusable, "#{@directory} is no directory." unless stat.directory?
      unless @owners.call(stat.uid)
        raise Unusable, "#{@directory} belongs to uid #{stat.uid}, which is no account of the system's."
      end

      @trusted = [0, stat.uid].uniq
      return if stat.mode.nobits?(0o022) && SystemFile.secure?(@real, uids: @trusted)

      raise Unusable, "#{@directory}, or a directory on the way to it, can be changed by other users."
    end

    # @return [Array(Array<Stream>, String)] the stream of each cluster that is fresh, and the round that they are of
    def read_state
      @state = read_file('state', 0o022, known: @state)
      streams = @state.records.whole
      round = streams[0]&.round
      raise Unusable, "#{@directory}/state is no snapshot's." unless round && one?(streams, round)

      streams.each { |stream| check_scope(stream) }
      fresh, stale = streams.partition { |stream| fresh?(stream) }
      @failure = Unusable.new(old(stale)) if stale.any?
      raise @failure if fresh.empty?

      [fresh, round]
    end

    def one?(streams, round)
      streams.all? { |stream| stream.round == round }
    end

    def check_scope(stream)
      missing = @settings.wckeys - stream.wckeys
      foreign("does not hold the WCKey #{missing[0]}.") if missing.any?
      return if @settings.publishers.nil? || stream.publishers == @settings.publishers

      foreign("does not tell who belongs to #{@settings.publishers} (MULTITENANT_PUBLISHERS).")
    end

    # The agent runs with other settings than this process.
    def foreign(why)
      raise Unusable.new("The snapshot in #{@directory} #{why}", fix: RESTART)
    end

    def fresh?(stream)
      (-AHEAD..(2 * self.class.interval(@settings))).cover?(Time.now.to_i - stream.generated)
    end

    def old(stale)
      ages = stale.map { |stream| "#{Time.now.to_i - stream.generated} s (#{stream.cluster})" }
      "The snapshot in #{@directory} is of another time: its age is #{ages.join(', ')}."
    end

    # @return [Records] a stream for each cluster, with the jobs of all groups that this process is in
    def assemble(fresh, round)
      ours = @gids.call
      named = fresh.to_h { |stream| [stream.cluster, stream.groups & ours] }
      read_groups(named.values.flatten.uniq, round)
      said = [round, named, fresh.map { |stream| stream.header.except(:generated) }]
      @last = @said == said ? @last.at(fresh.map(&:generated)) : join(fresh, named)
      @said = (said if @last.whole.size == fresh.size)
      @last
    end

    def join(fresh, named)
      text = fresh.map { |stream| narrow(stream, named[stream.cluster]) }.join
      Records.new(text, @shares.values.map(&:records))
    end

    # The files of one round never change.
    def read_groups(gids, round)
      same = @round == round
      @round = nil
      @shares = gids.to_h { |gid| [gid, (@shares[gid] if same) || read_group(gid, round)] }
      @round = round
    end

    def read_group(gid, round)
      kept = read_file("#{gid}.records", 0o027, gid: gid, known: @shares[gid])
      return kept if one?(kept.records.whole, round)

      raise Torn, "#{@directory}/#{gid}.records is of another round than state."
    end

    # @return [Kept] of a group that holds the cluster
    def share(gid, cluster)
      kept = @shares[gid]
      return kept if kept.records.whole.any? { |stream| stream.cluster == cluster }

      raise Torn, "#{@directory}/#{gid}.records does not hold cluster #{cluster}."
    end

    # The agent may ask for more WCKeys than this process. Jobs of the others are left out, and the header names ours
    # alone, so that no card of theirs is taken for ended.
    def narrow(stream, gids)
      keys = @settings.wckeys
      shares = gids.map { |gid| share(gid, stream.cluster) }
      if (stream.wckeys - keys).empty?
        return Stream.text(stream.header, shares.flat_map { |kept| kept.records.lines(stream.cluster) })
      end

      records = shares.flat_map { |kept| kept.records.of(stream.cluster) }
      foreign("does not tell each job's WCKey.") unless records.all?(&:wckey)

      Stream.text(stream.header(wckeys: keys), records.select { |record| keys.include?(record.wckey) }.map(&:line))
    end

    # Reads a file that nobody but the agent can have written, and whose mode has none of the `forbidden` bits.
    # @param known [Kept, nil] the same file, or the one that was there before
    # @return [Kept]
    def read_file(name, forbidden, gid: nil, known: nil)
      File.open(File.join(@real, name), File::RDONLY | File::NOFOLLOW | File::NONBLOCK, binmode: true) do |file|
        stat = file.stat
        secure = stat.file? && @trusted.include?(stat.uid) && stat.mode.nobits?(forbidden)
        unless secure && (gid.nil? || gid == stat.gid)
          raise Unusable, "#{@directory}/#{name} is not as multitenant-agent writes it: owner or mode."
        end

        version = SystemFile.version(stat)
        return known if known&.version == version

        text = file.read([stat.size, LIMIT].min + 1).to_s
        raise Unusable, "#{@directory}/#{name} holds more than #{LIMIT >> 20} MiB." if text.bytesize > LIMIT

        Kept.new(version, Records.new(text, [*known&.records]))
      end
    rescue SystemCallError => e
      if gid && e.is_a?(Errno::ENOENT)
        raise Missing.new("#{@directory}/#{name} is not there: the agent may run without that gid.", fix: MAP)
      end

      raise Unusable,
            "#{@directory}/#{name} can't be read (#{e.message.split(' @ ').first}): does multitenant-agent run?"
    end
  end
end
