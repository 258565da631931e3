# frozen_string_literal: true

require 'io/console'
require 'json'
require_relative 'plain_text'

module MultiTenant
  # What is shared, as a table for people: each job with the WCKey, and whether this user has it.
  class ShareTable
    HEADINGS = ['JOB', 'SERVICE', 'FROM', 'GROUP', 'STATE', 'TIME LEFT', 'ENVELOPE', 'VISIBLE'].freeze
    GAP = '  '

    # Columns that a text of a publisher's takes at most.
    WIDEST = 48

    # @param receiver [Receiver] that has asked
    # @param out [IO]
    # @param now [Time]
    # @param json [Boolean] print the same for a program
    def initialize(receiver, out: $stdout, now: Time.now, json: false)
      @report = receiver.report
      @shares = receiver.shares
      @out = out
      @now = now.to_i
      @json = json
    end

    # @return [void]
    def print
      return print_json if @json

      print_table if @shares.any?
      @out.puts summary, *notes
    end

    private

    # ---- table ----

    def print_table
      rows = [HEADINGS, *@shares.map { |share| row(share) }]
      limit = columns
      widths = fit(HEADINGS.each_index.map { |i| rows.map { |row| row[i].size }.max }, limit)
      rows.each do |row|
        line = row.zip(widths).map { |text, width| PlainText.cut(text, width).ljust(width) }.join(GAP).rstrip
        @out.puts limit ? PlainText.cut(line, limit) : line
      end
    end

    def row(share)
      texts = share.values_at(:title, :user, :group).map { |text| PlainText.of(text || '-', WIDEST) }
      [PlainText.of(share[:key], WIDEST), *texts, state(share), time_left(share),
       PlainText.of(share[:envelope] || '-', WIDEST), visible(share)]
    end

    # @return [Integer, nil] of a terminal; nil: no limit
    def columns
      width = @out.winsize[1] if @out.tty?
      width if width&.positive?
    rescue SystemCallError, NoMethodError
      nil
    end

    # Takes from the widest column, never below its heading; what is still too long is cut.
    def fit(widths, limit)
      over = limit ? widths.sum + (GAP.size * (widths.size - 1)) - limit : 0
      over.times do
        loose = widths.each_index.select { |i| widths[i] > HEADINGS[i].size }
        break if loose.empty?

        widths[loose.max_by { |i| widths[i] }] -= 1
      end
      widths
    end

    def state(share)
      share[:current] ? 'running' : 'not asked'
    end

    def time_left(share)
      return 'no limit' if share[:end].zero?

      minutes = (share[:end] - @now) / 60
      return 'over' if minutes.negative?

      days, rest = minutes.divmod(24 * 60)
      "#{"#{days}-" if days.positive?}#{format('%02d:%02d', *rest.divmod(60))}"
    end

    def visible(share)
      specs, card = share.values_at(:specs, :card)
      return "no: #{why(specs)}" unless specs == 'ok'
      return 'card and form' if card == 'ok'

      card == 'form_only' ? 'form only' : "form only: #{why(card)}"
    end

    def why(code)
      "#{code} - #{Native.reasons.fetch(code).first}"
    end

    # ---- what is said below it ----

    def summary
      return 'What is shared is not known: Slurm gave no answer.' unless @report['at']

      seen = @shares.count { |share| share[:specs] == 'ok' }
      services = @shares.one? ? '1 service' : "#{@shares.size} services"
      told = @shares.empty? ? 'Nothing is shared' : "#{services}, #{seen} visible to you"
      "#{told}; asked #{PlainText.of(clusters.keys.join(', '))} in #{format('%.2f', @report['seconds'])} s"
    end

    def notes
      clusters.filter_map { |name, sees| note(PlainText.of(name), sees) } +
        (@report['at'] && @report['error'] ? ['Not all clusters answered: what they share may be missing here.'] : [])
    end

    def note(name, sees)
      case sees
      when 'own' then "On #{name} you can see your own jobs only (PrivateData); others may share more."
      when 'incomplete' then "#{name} did not answer to the end."
      end
    end

    def clusters
      @report.fetch('clusters', {})
    end

    # ---- JSON ----

    # A terminal may show it, too.
    def print_json
      object = { 'services' => @shares.map { |share| service(share) }, 'at' => @report['at'],
                 'seconds' => @report['seconds'], 'clusters' => clusters, 'error' => @report['error'] }
      @out.puts PlainText.json(JSON.pretty_generate(object))
    end

    def service(share)
      left = share[:end].zero? ? nil : share[:end] - @now
      share.slice(:key, :cluster, :ood_cluster, :job_id, :app, :title, :user, :group, :envelope, :start, :end).merge(
        state: state(share), seconds_left: left, specs: share[:specs], card: share[:card], visible: visible(share)
      )
    end
  end
end
