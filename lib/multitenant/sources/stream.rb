# frozen_string_literal: true

require 'json'

module MultiTenant
  # The records of one cluster, as far as those need to know them who pass them on: the header, and
  # the lines of the jobs with what they say. Deciding what a record is worth is the core's.
  class Stream
    # One job: its line as it came, and the same parsed.
    Record = Struct.new(:line, :fields)

    # @return [Hash] the first line
    attr_reader :header
    # @return [Array<Record>]
    attr_reader :records

    # @param texts [Array<String>] record streams
    # @return [Array<Stream>] the whole ones; of a cluster the first
    def self.read(texts)
      texts.flat_map { |text| read_text(text) }.uniq(&:cluster)
    end

    # Reading stops at the first line that does not belong.
    def self.read_text(text)
      whole = []
      open = nil
      text = text.dup.force_encoding(Encoding::UTF_8)
      return whole unless text.valid_encoding?

      text.each_line(chomp: true) do |line|
        next if line.empty?

        fields = JSON.parse(line)
        break unless fields.is_a?(Hash)

        if fields.key?('multitenant') then open ? break : open = new(fields, [])
        elsif open.nil? then break
        elsif fields.key?('job_id') then open.records << Record.new(line, fields)
        else
          break unless open.whole?(fields)

          whole << open
          open = nil
        end
      end
      whole
    rescue JSON::ParserError
      whole
    end
    private_class_method :read_text

    # @param header [Hash]
    # @param records [Array<Record>]
    def initialize(header, records)
      @header = header
      @records = records
    end

    # @return [String] Slurm's name
    def cluster
      header['cluster']
    end

    # @return [Array<String>] the keys that were asked for
    def wckeys
      header['wckeys'].is_a?(Array) ? header['wckeys'] : []
    end

    # @return [Integer] when the questions were asked, seconds since the epoch
    def generated
      header['generated'].is_a?(Integer) ? header['generated'] : 0
    end

    # @param last [Hash] the last line
    def whole?(last)
      header['multitenant'] == 1 && cluster.is_a?(String) && last['end'] == records.size &&
        records.all? { |record| record.fields['cluster'] == cluster } &&
        records.uniq { |record| record.fields['job_id'] }.size == records.size
    end

    # @return [Stream] with other records, and these changes of the header
    def with(records, **changes)
      Stream.new(header.merge(changes.transform_keys(&:to_s)), records)
    end

    # @return [String] the stream's text
    def to_s
      [JSON.generate(header), *records.map(&:line), JSON.generate('end' => records.size), ''].join("\n")
    end
  end
end
