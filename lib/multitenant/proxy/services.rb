# frozen_string_literal: true

require 'socket'
require_relative '../gateway'

module MultiTenant
  module Proxy
    # A job that serves. `name` is the same as long as it runs.
    Member = Struct.new(:name, :host, :port, :leaving, keyword_init: true)

    # What a proxy has at a path, `USER/SERVICE@GROUP`, percent-encoded. Without members it has ended.
    Service = Struct.new(:path, :kind, :check, :jobs, keyword_init: true) do
      # @return [Boolean] for people, whose sessions stay with one job
      def web?
        kind == 'web'
      end

      # @return [String] what people call it
      def user
        path.partition('/').first
      end
    end

    # The services with an address outside Open OnDemand, of what clusters said last: their jobs' labels ask for it, and
    # Slurm says whose they are and where. No envelope is opened.
    class Services
      # Seconds that the page of a service without jobs says whose it was; how many of them each user has.
      KEPT = 86_400
      KEPT_MAX = 32
      # Seconds before its end that a job gets nobody new where another one serves.
      LEAD = Core::LIMITS[:lead_default] * 60
      # Seconds that the address of a node's name holds, and that is waited for all of them; how many are looked up at
      # a time.
      NODE_TTL = 300
      NODE_PATIENCE = 5
      LOOK_UPS = 16
      # In how many rounds of an hour something new of a publisher's may come: each time an engine keeps a process of
      # before as long as one of its streams runs. After so many in which something went nothing comes either.
      CHANGES = 30
      HOUR = 3600
      # Seconds after its end that a job counts of which its cluster has said nothing since.
      SILENT = 120
      # Seconds for which a process takes what one before it served for what it was, where that can't be learned.
      LATELY = 600

      # @return [Hash{String => Integer}] reason code => how many jobs asked for an address and have none
      attr_reader :refused
      # @return [Hash{String => Integer}] path => epoch when a job was there last
      attr_reader :seen

      # @param settings [Settings]
      # @param clusters [Clusters]
      # @param open [Boolean] also what has neither gateway nor key
      # @param seen [Hash{String => Integer}] as {seen}
      def initialize(settings, clusters, open: false, seen: {})
        @settings = settings
        @clusters = clusters
        @open = open
        @seen = seen
        @core = Core.new(settings.to_core(dataroot: nil))
        @addresses = {} # cluster => of its last whole answer; nil: there was none yet
        @told = {} # cluster => epoch of that answer
        @had = {} # what was served => whose
        @before = seen # path => epoch, of what another process served
        @came = {} # whose => epochs at which something new of theirs came in the last hour
        @went = {} # the same of when something went, and nothing came
        @nodes = {}
        @looked_up = false # ever, one of them
      end

      # @param records [Array<Records>] of one answer; a cluster that it does not hold stays as it was
      # @param now [Integer] epoch
      # @return [Array<Service>] by path
      # @raise [Failure] no node's address was ever known
      def call(records, now = Time.now.to_i)
        take(records)
        @refused = Hash.new(0)
        all = @addresses.values.compact.flatten.select { |one| may_run?(one, now) && accept?(one, now) }
        look_up(all.filter_map(&:node).uniq)
        all, nowhere = all.partition { |one| host(one.node) }
        refuse(nowhere, 'no_node')
        served = paced(limited(all), now)
        @had = served.to_h { |one| [key(one), whose(one)] }
        live = served.group_by(&:path).map { |path, jobs| service(path, owned(jobs), now) }
        remember(live, now)
        (live + gone(live)).sort_by(&:path)
      end

      # @return [Boolean] each cluster has said all once, which those that hide others' jobs never do
      def whole?
        @addresses.any? && @addresses.values.all?
      end

      private

      def take(records)
        records.each do |one|
          one.streams.each { |stream| @addresses[stream.cluster] ||= nil }
          whole = one.streams.select { |stream| stream.complete && stream.sees == 'all' }
          told = @core.addresses(one).select { |address| address.service || address.reason == 'bad_address' }
          told = told.group_by(&:cluster)
          whole.each do |stream|
            @addresses[stream.cluster] = told.fetch(stream.cluster, []) | unknown(stream)
            @told[stream.cluster] = stream.generated
          end
        end
      end

      # Jobs of which this answer could not tell are what they were.
      def unknown(stream)
        ids = stream.undetermined.to_a
        ids.empty? ? [] : @addresses[stream.cluster].to_a.select { |one| ids.include?(one.job_id) }
      end

      # A cluster that says nothing tells of no end either; whoever has the port next would be sent the clients' keys.
      def may_run?(address, now)
        last = [address.end, @told[address.cluster]].max
        address.end.zero? || now - last < [SILENT, 2 * @settings.ttl].max
      end

      def key(address)
        address.to_h.values_at(:cluster, :job_id, :start, :path, :kind, :check, :port)
      end

      def accept?(address, now)
        reason = refusal(address, now) or return true
        @refused[reason] += 1
        @before = @before.except(address.path) unless unknown?(address)
        false
      end

      # What could not be learned this time changes nothing.
      # @return [String, nil] a reason code
      def refusal(address, now)
        return address.reason unless address.reason == 'ok' || (unknown?(address) && had?(address, now))
        return 'address_open' if address.open && !@open

        'port_not_allowed' unless port?(address)
      end

      def unknown?(address)
        Native.reasons.fetch(address.reason)[1]
      end

      # A path names user, service and group, so what was let in there before was the same people's, where a name is one
      # person's.
      def had?(address, now)
        @had.key?(key(address)) || (@settings.one_directory && now - @before.fetch(address.path, 0) < LATELY)
      end

      def port?(address)
        range = @clusters.ports(address.cluster)
        (range.nil? || range.cover?(address.port)) && @settings.proxy_deny.none? { |ports| ports.cover?(address.port) }
      end

      # @param node [String, nil] Slurm's NodeAddr
      # @return [String, nil] an address: engines that know names refuse a whole file for one that nobody knows
      def host(node)
        @nodes[node]&.first
      end

      # The name service may hang, and gives up when it likes: it is asked beside, and what it says late is there in the
      # next round.
      def look_up(nodes)
        queue = nodes.reject { |node| fresh?(node) }.inject(Queue.new, :<<).close
        threads = Array.new([queue.size, LOOK_UPS].min) { Thread.new { find(queue.pop) until queue.empty? } }
        deadline = MultiTenant.clock + NODE_PATIENCE
        threads.each { |thread| thread.join([deadline - MultiTenant.clock, 0].max) }
        queue.clear
        return if nodes.empty? || @looked_up

        raise Failure.new(EX_TEMPFAIL, "No node's name could be looked up, such as #{nodes.first}: the proxy keeps " \
                                       'what it has.')
      end

      def fresh?(node)
        _, at = @nodes[node]
        at && MultiTenant.clock - at < NODE_TTL
      end

      def find(node)
        return unless node # another thread took the last one

        found = Addrinfo.getaddrinfo(node, nil, nil, :STREAM).first.ip_address[/\A[\h:.]+\z/]
        @nodes[node] = [found, MultiTenant.clock]
        @looked_up = true
      rescue SocketError, SystemCallError
        @nodes[node] = [host(node), MultiTenant.clock - NODE_TTL + 30]
      end

      # The oldest jobs of each publisher.
      def limited(addresses)
        addresses.group_by { |one| whose(one) }.values.flat_map do |all|
          oldest = all.sort_by { |one| [one.start, one.job_id] }
          refuse(oldest.drop(Core::LIMITS[:shares_per_publisher]), 'too_many')
          oldest.first(Core::LIMITS[:shares_per_publisher])
        end
      end

      def whose(address)
        [address.user, address.uid]
      end

      # What was there stays, whatever else its publisher does.
      def paced(addresses, now)
        past_hour(@came, @went, now)
        there = addresses.to_h { |one| [key(one), true] }
        gone = @had.reject { |one, _| there.key?(one) }.values.uniq
        served = addresses.group_by { |one| whose(one) }.flat_map do |who, all|
          stay, new = all.partition { |one| @had.key?(key(one)) }
          next all if new.empty?

          if [@came, @went].all? { |times| times[who].to_a.size < CHANGES }
            (@came[who] ||= []) << now
            gone.delete(who)
            next all
          end
          refuse(new, 'too_many')
          stay
        end
        gone.each { |who| (@went[who] ||= []) << now }
        served
      end

      def past_hour(*changes, now)
        changes.each do |times|
          times.each_value { |all| all.select! { |at| now - at < HOUR } }
          times.delete_if { |_, all| all.empty? }
        end
      end

      # One publisher's, and of one kind: the path is the oldest one's, the kind the youngest's.
      def owned(addresses)
        ours, others = addresses.partition { |one| owner(one) == owner(addresses.min_by(&:start)) }
        refuse(others, 'service_taken')
        last = ours.max_by(&:start)
        ours, others = ours.partition { |one| [one.kind, one.check] == [last.kind, last.check] }
        refuse(others, 'other_kind')
        ours
      end

      def owner(address)
        [address.uid, (address.cluster unless @settings.one_directory)]
      end

      def refuse(addresses, reason)
        @refused[reason] += addresses.size if addresses.any?
      end

      def service(path, addresses, now)
        stay = addresses.any? { |one| !leaving?(one, now) }
        jobs = addresses.sort_by(&:job_id).map do |one|
          Member.new(name: Gateway.member(one.job_id, one.cluster), host: host(one.node), port: one.port,
                     leaving: stay && leaving?(one, now))
        end
        Service.new(path: path, kind: addresses.first.kind, check: addresses.first.check, jobs: jobs)
      end

      def leaving?(address, now)
        address.end.positive? && address.end - now < LEAD
      end

      def remember(live, now)
        there = live.to_h { |one| [one.path, now] }
        gone = @seen.except(*there.keys).select { |_, at| ((now - KEPT)..now).cover?(at) }
        gone = gone.group_by { |path, _| path.partition('/').first }.values
        @seen = gone.flat_map { |all| all.max_by(KEPT_MAX) { |_, at| at } }.to_h.merge(there)
      end

      def gone(live)
        (@seen.keys - live.map(&:path)).map { |path| Service.new(path: path, jobs: []) }
      end
    end
  end
end
