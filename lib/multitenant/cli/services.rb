# frozen_string_literal: true

require_relative 'table'
require_relative 'viewer'

module MultiTenant
  class CLI
    # `multitenant services`
    class Services < Viewer
      HEADINGS = ['SERVICE', 'TITLE', 'FROM', 'GROUP', 'JOBS', 'YOURS', 'TIME LEFT'].freeze

      # @return [Integer] exit code
      def run
        receiver.ask
        services = receiver.services
        services = services.select { |_, one| one['uid'] == Process.euid.to_s } if @options[:mine]
        if @options[:json]
          print_json(services.transform_values { |one| one.except('connection') })
        else
          print(services)
        end
        check_report
      end

      private

      def options(parser)
        records_options(parser)
        parser.on('--mine', 'only those that this user runs') { @options[:mine] = true }
        parser.on('--json', 'the same as JSON, without connections') { @options[:json] = true }
      end

      def print(services)
        return unless receiver.report['at']
        return puts('There is no service.') if services.empty?

        now = Time.now.to_i
        Table.new(HEADINGS, $stdout).print(services.map { |key, one| row(key, one, now) })
      end

      def row(key, one, now)
        texts = [key, *one.values_at('title', 'user', 'group')].map { |text| PlainText.of(text, Table::WIDEST) }
        jobs = [one['members'].join(' '), one['member']].map { |text| PlainText.of(text, Table::WIDEST) }
        [*texts, *jobs, Table.time_left(Integer(one['end']), now)]
      end
    end
  end
end
