# frozen_string_literal: true

module MultiTenant
  # Which group's file of a snapshot a record is put in. Where the name service could not tell the
  # group of a job, the last round's answer for the same job and the same group name holds.
  class Placement
    def initialize
      @last = {}
    end

    # @param cluster [String]
    # @param records [Array<Record>] all of its jobs
    # @return [Array(Hash{Integer => Array<String>}, Array<Integer>)] their lines by gid, and the ids of the jobs that
    #   are nowhere although a reader may have a card of them
    def place(cluster, records)
      before = @last.fetch(cluster, {})
      now = @last[cluster] = {}
      undetermined = []
      files = Hash.new { |hash, gid| hash[gid] = [] }
      records.each do |record|
        key = [record.job_id, record.uid, record.group]
        gid = record.group_gid || before[key]
        # A job that names no group is shared with nobody.
        undetermined << record.job_id if gid.nil? && record.group
        now[key] = gid if gid
        files[gid] << record.line if (0...NO_GID).cover?(gid)
      end
      [files, undetermined]
    end

    # To chown it means: leave the group as it is.
    NO_GID = 0xffffffff
    private_constant :NO_GID
  end
end
