# frozen_string_literal: true

require_relative 'gate'
require_relative 'table'

module MultiTenant
  class CLI
    # `multitenant tenants`
    class Tenants < Gate
      HEADINGS = ['USER', 'SINCE', 'LAST SEEN', 'REQUESTS', 'BYTES', 'LIMIT'].freeze
      TIME = '%Y-%m-%d %H:%M'

      private

      def options(parser)
        super
        parser.on('--json', 'the same as JSON, with times in seconds since the epoch') { @options[:json] = true }
      end

      def change(gate)
        banned = gate.banned
        limits = gate.limits
        tenants = gate.tenants
        (banned - tenants.map(&:uid)).each { |uid| tenants.push(GateState::Tenant.new(uid: uid, requests: 0, bytes: 0)) }
        rows = tenants.map do |one|
          { 'user' => one.user || name(one.uid), **one.to_h.except(:user).transform_keys(&:to_s),
            'banned' => banned.include?(one.uid), 'limit' => limits[one.uid] || limits[GateState::ALL] }
        end
        return print_json('service' => gate.name, 'tenants' => rows) if @options[:json]
        return puts("Nobody has used #{gate.name} yet.") if rows.empty?

        Table.new(HEADINGS, $stdout).print(rows.map { |row| cells(row) })
      end

      def name(uid)
        Etc.getpwuid(uid).name
      rescue ArgumentError
        uid.to_s
      end

      def cells(row)
        times = row.values_at('since', 'last').map { |time| time ? Time.at(time).strftime(TIME) : '' }
        [PlainText.of(row['user'], Table::WIDEST), *times, row['requests'].to_s, Table.size(row['bytes']), limit(row)]
      end

      def limit(row)
        return 'banned' if row['banned']

        row['limit'].to_i.positive? ? "#{row['limit']} a minute" : ''
      end
    end
  end
end
