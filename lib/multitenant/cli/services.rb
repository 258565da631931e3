# frozen_string_literal: true

require_relative 'ended_table'
require_relative 'table'
require_relative 'viewer'

module MultiTenant
  class CLI
    # `multitenant services`
    class Services < Viewer
      HEADINGS = ['SERVICE', 'TITLE', 'FROM', 'GROUP', 'JOBS', 'YOURS', 'TIME LEFT'].freeze
      # Days that `--ended` looks back, and the most that it does.
      DAYS = 7
      MOST_DAYS = 3660

      # @return [Integer] exit code
      def run
        return ended if @options[:days]

        receiver.ask
        services = receiver.services
        services = services.select { |_, one| one['uid'] == Process.euid.to_s } if @options[:mine]
        if @options[:json] || @options[:environment]
          print_json(fitting(services.transform_values { |one| told(one) }))
          CLI.complain(hidden.strip, EX_OK) if services.empty? && !hidden.empty?
        else
          print(services)
        end
        check_report
        return EX_OK unless @left_out&.positive?

        raise Failure.new(EX_DATAERR, "#{@left_out} services more have no room in #{@options[:bytes]} bytes.")
      end

      private

      def options(parser)
        records_options(parser)
        parser.on('--mine', 'only those that this user runs') { @options[:mine] = true }
        parser.on('--json', 'the same as JSON, without connections') { @options[:json] = true }
        parser.on('--environment', 'as JSON, each with the variables that its clients read: these hold secrets') do
          @options[:environment] = true
        end
        parser.on('--bytes N', Integer, 'at most so many bytes of that, of each publisher in turn the smallest') do |v|
          @options[:bytes] = v
        end
        parser.on('--ended [DAYS]', Integer, 'what this user shared within so many days (7) in jobs that have ended,',
                  'and what these used') { |days| @options[:days] = days || DAYS }
      end

      def take(words)
        super
        days = @options[:days] or return
        refuse("--ended takes 1 to #{MOST_DAYS} days, not `#{days}`") unless days.between?(1, MOST_DAYS)
        refuse('--ended asks Slurm\'s accounting, and takes no --records') if @options[:records]
      end

      def told(one)
        shown = one.except('connection')
        return shown unless @options[:environment]

        spec = receiver.specs.fetch(one['member'], one)
        { **shown, **ServiceEnvironment.for_program(Gateway.connection(spec)) }
      end

      # Publishers take turns, so that neither many services nor large ones keep out those of others.
      def fitting(services)
        room = @options[:bytes] or return services
        sizes = services.to_h { |key, one| [key, JSON.generate({ key => one }, ascii_only: true).bytesize] }
        turns = Hash.new(0)
        order = sizes.sort_by(&:last).map { |key, size| [turns[services[key]['uid']] += 1, size, key] }.sort
        kept = order.filter_map { |_, size, key| key if size <= room && (room -= size) }
        @left_out = services.size - kept.size
        services.slice(*services.keys & kept)
      end

      # What there is of one cluster is told, although another one does not answer.
      def ended
        host.enter
        table = EndedTable.new($stdout)
        failures = host.clusters.targets.filter_map do |target|
          table.add(SlurmCommand.new(target.job.to_h), settings.wckeys, @options[:days])
        end
        raise failures.first if table.jobs.empty? && failures.any?

        @options[:json] ? print_json(table.to_h) : table.print
        raise failures.first if failures.any?

        EX_OK
      end

      def print(services)
        return unless receiver.report['at']
        return puts("There is no service.#{unopened}") if services.empty?

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
