# frozen_string_literal: true

require 'json'

module MultiTenant
  # One text of record streams, as the core has read it (ext/multitenant/streams.h): {#text}, {#streams}, {#of}, the
  # jobs of one of them, and {#bad_line}.
  class Records
    # @return [Array<Stream>] those that are complete
    def whole
      streams.select(&:complete)
    end
  end

  # What a record stream says of itself; its jobs are {Record}s. Both are values that the core fills.
  class Stream
    # @param header [Hash] see {#header}
    # @param lines [Array<String>] of jobs
    # @return [String] the stream's text
    def self.text(header, lines)
      [JSON.generate({ multitenant: 1, **header }), *lines, JSON.generate(end: lines.size), ''].join("\n")
    end

    # @return [Hash] what its first line says, with these changes
    def header(**changes)
      to_h.slice(:generated, :cluster, :wckeys, :sees, :private_jobs, :publishers, :undetermined).merge(changes).compact
    end
  end
end
