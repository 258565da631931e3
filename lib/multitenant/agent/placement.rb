# frozen_string_literal: true

module MultiTenant
  # Which group's file of a snapshot a record is put in. Where the name service could not tell the
  # group of a job, the last round's answer for the same job and the same group name holds.
  class Placement
    def initialize
      @last = {}
    end

    # @param stream [Stream]
    # @return [Array(Hash{Integer => Array<Stream::Record>}, Boolean)] records by gid, and whether
    #   none is missing of which a reader may have a card
    def place(stream)
      before = @last.fetch(stream.cluster, {})
      now = @last[stream.cluster] = {}
      lost = false
      files = Hash.new { |hash, gid| hash[gid] = [] }
      stream.records.each do |record|
        key = key_of(record.fields)
        gid = record.fields['group_gid'] || before[key]
        # Who names no group shares with nobody, whatever could not be learned.
        lost ||= gid.nil? && !key.last.nil?
        now[key] = gid if gid
        files[gid] << record if (0...NO_GID).cover?(gid)
      end
      [files, !lost]
    end

    private

    # chown takes it for "as it is".
    NO_GID = 0xffffffff
    private_constant :NO_GID

    def key_of(fields)
      [fields['job_id'], fields['uid'], group_of(fields['name'].to_s)]
    end

    # @return [String, nil] LABEL|GROUP|PAYLOAD
    def group_of(name)
      parts = name.split('|', -1)
      parts[1] if parts.size == 3
    end
  end
end
