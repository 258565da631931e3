# frozen_string_literal: true

require 'etc'
require_relative '../programs/names'
require_relative '../receiver/renewal'

module MultiTenant
  # The groups that a publisher may share with: first those that reach somebody, the smaller ones before the larger.
  # How many people are in them the names program asks, in the background: a page waits for it as for a refresh.
  class TenantGroups
    # Seconds for which an answer counts, and after which a question without one is asked again.
    INTERVAL = 300
    AGAIN = 10

    # Seconds that the program may take.
    PATIENCE = 3.0

    # @return [Array<String>] this process's groups; the name service may not know all of them
    def self.names
      [Process.gid, *Process.groups].uniq.filter_map do |gid|
        utf8(Etc.getgrgid(gid).name)
      rescue ArgumentError
        nil
      end
    end

    # Where the locale is C, as Apache's often is, a name with other letters is bytes, which no page can hold.
    # @param name [String]
    # @return [String]
    def self.utf8(name)
      name.dup.force_encoding(Encoding::UTF_8).scrub('?')
    end

    # @param uid [Integer] the publisher
    # @param names [Names]
    # @param clock [#call] monotonic seconds
    def initialize(uid: Process.uid, names: Names.new, clock: MultiTenant.method(:clock))
      @uid = uid
      @names = names
      @clock = clock
      @others = {}
      @next = clock.call
    end

    # @param groups [Array<String>]
    # @param primary [String, nil] which of them is the publisher's primary one, and so likely nobody else's
    # @return [Array<Array(String, String)>] text and name, in the order of a form
    def choices(groups, primary)
      groups = groups.map { |group| TenantGroups.utf8(group) }
      primary = TenantGroups.utf8(primary.to_s)
      others = others(groups)
      order = groups.sort_by.with_index { |group, i| [*rank(others[group], group == primary), i] }
      order.map { |group| [text(group, others[group]), group] }
    end

    private

    # Somebody, not known, nobody.
    def rank(others, primary)
      return [0, others] if others&.positive?

      [others ? 2 : 1, primary ? 1 : 0]
    end

    def text(group, others)
      case others
      when nil then group
      when 0 then "#{group} (nobody else is in it)"
      when 1 then "#{group} (1 other person)"
      else "#{group} (#{others} other people)"
      end
    end

    # @return [Hash{String => Integer}] of those that are known
    def others(groups)
      ask(groups) if (@asked != groups || @clock.call >= @next) && !@thread&.alive?
      @thread&.join(Renewal::WAIT)
      @others
    rescue StandardError # it could not be asked
      @others
    end

    def ask(groups)
      @asked = groups
      @next = @clock.call + AGAIN
      @thread = Thread.new do
        told = @names.others(@uid, groups, PATIENCE)
        next unless told

        @others = told.compact
        @next = @clock.call + INTERVAL
      end
      @thread.report_on_exception = false
    end
  end
end
