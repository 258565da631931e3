# frozen_string_literal: true

require 'json'
require_relative 'plain_text'
require_relative 'table'

module MultiTenant
  # What is shared, as a table for people: each job with the WCKey, and whether this user has it.
  class ShareTable
    SAME = '+ the same service'
    HEADINGS = ['JOB', 'SERVICE', 'FROM', 'GROUP', 'STATE', 'TIME LEFT', 'ENVELOPE', 'VISIBLE'].freeze

    # @param receiver [Receiver] that has asked
    # @param out [IO]
    # @param now [Time]
    # @param json [Boolean] print the same for a program
    def initialize(receiver, out: $stdout, now: Time.now, json: false)
      @report = receiver.report
      @shares = receiver.shares
      @services = receiver.services
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
      rows = grouped.flat_map do |first, *others|
        [row(first, @services.dig(first[:service], 'title') || first[:title]),
         *others.map { |share| row(share, SAME) }]
      end
      Table.new(HEADINGS, @out).print(rows)
    end

    # Jobs of one service stand together.
    # @return [Array<Array<Hash>>]
    def grouped
      @shares.group_by { |share| share[:service] || share[:key] }.values
    end

    def row(share, title)
      texts = [title, *share.values_at(:user, :group)].map { |text| PlainText.of(text || '-', Table::WIDEST) }
      [PlainText.of(share[:key], Table::WIDEST), *texts, state(share), Table.time_left(share[:end], @now),
       PlainText.of(share[:envelope] || '-', Table::WIDEST), visible(share)]
    end

    def state(share)
      share[:current] ? 'running' : 'not asked'
    end

    def visible(share)
      specs, card = share.values_at(:specs, :card)
      return "no: #{why(specs)}" unless specs == 'ok'
      return 'card and form' if card == 'ok'
      return 'by the card of its service' if card == 'other_member'

      card == 'form_only' ? 'form only' : "form only: #{why(card)}"
    end

    def why(code)
      "#{code} - #{Native.reasons.fetch(code).first}"
    end

    # ---- what is said below it ----

    def summary
      return 'What is shared is not known: Slurm gave no answer.' unless @report['at']

      seen = grouped.count { |shares| shares.any? { |share| share[:specs] == 'ok' } }
      services = grouped.one? ? '1 service' : "#{grouped.size} services"
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
      told = share.slice(:key, :cluster, :ood_cluster, :job_id, :app, :title, :user, :group, :service, :envelope,
                         :start, :end, :specs, :card)
      told.merge(state: state(share), seconds_left: left, visible: visible(share))
    end
  end
end
