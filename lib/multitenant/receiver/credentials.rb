# frozen_string_literal: true

require 'json'
require_relative '../host/clock'
require_relative '../programs/line_program'

module MultiTenant
  # Has the MUNGE credentials in job names opened as the viewer: runs multitenant-munge, in a process of its
  # own, as libmunge waits for munged without a limit. What was opened once is not opened again.
  # doc/formats.md
  class Credentials
    PROGRAM = File.expand_path('../multitenant-munge', __dir__)
    SEALED = %r{\A[^|]*\|[^|]+\|(MUNGE:[A-Za-z0-9+/=:]{1,1024})\z}

    # libmunge's statuses of a credential whose contents are told: good, expired, rewound, replayed.
    OPEN = [0, 15, 16, 17].freeze

    # Seconds after which munged is asked again about one that it refused: opening one costs it more than refusing.
    PAUSE = 300

    # munged does not let this user open it: he, or munged, may not yet know that he belongs to the group.
    UNAUTHORIZED = 18

    # As many as count (mt_limits.h: of one publisher, the oldest), and as munged is asked about at once.
    PER_PUBLISHER = 32
    MOST = 512

    # @param socket [String, nil] munged's; nil: libmunge's default
    # @param program [String] path
    def initialize(socket: nil, program: PROGRAM)
      @socket = socket
      @program = LineProgram.new(program, 'The munge program', partial: true)
      @known = {}
    end

    # @return [String, nil] one sentence where the last call could not open all for another reason than time
    def error
      @program.error
    end

    # @param texts [Array<String>] record streams
    # @param seconds [Float] the deadline
    # @param gids [Array<Integer>] the viewer's groups
    # @return [Array<String>] the same; records of shares with his groups, and of his own, have what munged says
    def call(texts, seconds, gids:)
      return texts unless texts.any? { |text| text.to_s.include?('|MUNGE:') }

      lines = texts.map { |text| text.b.lines }
      records = lines.flat_map { |of_text| of_text.filter_map.with_index { |line, i| record(line, of_text, i, gids) } }
      said = ask(choose(records).map { |record| record[:payload] }.uniq, seconds)
      records.each do |record|
        keys = said[record[:payload]]
        record[:lines][record[:index]] = "#{JSON.generate(record[:fields].merge(keys))}\n".b if keys
      end
      lines.map(&:join)
    end

    private

    def record(line, lines, index, gids)
      return unless line.include?('|MUNGE:')

      fields = JSON.parse(line.dup.force_encoding(Encoding::UTF_8))
      payload = fields['name'].to_s[SEALED, 1]
      return unless payload && (fields['uid'] == Process.euid ||
                                (gids.include?(fields['group_gid']) && fields['publisher_in_group'] != false))

      { fields: fields, payload: payload, lines: lines, index: index }
    rescue JSON::ParserError, EncodingError, TypeError
      nil
    end

    # The oldest of each publisher, and of all.
    def choose(records)
      of_one = records.group_by { |record| record[:fields]['uid'] }.values
      of_one.flat_map { |all| all.min_by(PER_PUBLISHER) { |record| age(record) } }.min_by(MOST) { |record| age(record) }
    end

    def age(record)
      record[:fields].values_at('start', 'job_id').map(&:to_i)
    end

    # @return [Hash{String => Hash}] payload => keys of a record
    def ask(payloads, seconds)
      now = MultiTenant.clock
      @known.select! { |payload, (_, till)| payloads.include?(payload) && (till.nil? || now < till) }
      missing = payloads - @known.keys
      if missing.any?
        options = @socket ? ['--socket', @socket] : []
        lines = @program.call(options, missing.map { |payload| "#{payload}\n" }.join, seconds, missing.size)
        missing.zip(lines || []).each { |payload, line| @known[payload] = [keys(line), till(line, now)] if line }
      end
      @known.transform_values(&:first)
    end

    # Until when it is known; nil: for good.
    def till(answer, now)
      now + PAUSE unless OPEN.include?(answer['status'])
    end

    def keys(answer)
      return { 'munge_reason' => reason(answer['status']) } unless OPEN.include?(answer['status'])
      return { 'munge_reason' => 'too_large' } if answer['too_large']

      { 'munge_uid' => answer['uid'], 'munge_for_uid' => answer['uid_only'], 'munge_for_gid' => answer['gid_only'],
        'munge_text' => answer['text'] }.compact
    end

    def reason(status)
      status == UNAUTHORIZED ? 'envelope_unavailable' : 'bad_cipher'
    end
  end
end
