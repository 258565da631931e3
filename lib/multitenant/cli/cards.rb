# frozen_string_literal: true

require_relative 'viewer'
require_relative '../would'

module MultiTenant
  class CLI
    # `multitenant cards`
    class Cards < Viewer
      # @return [Integer] exit code
      def run
        return restore if @options[:restore]

        code = print(events.to_a)
        check_report
        code
      end

      private

      def options(parser)
        records_options(parser)
        parser.on('--dry-run', 'change nothing, only say what would be done') { @options[:dry_run] = true }
        parser.on('--restore ID', 'bring a dismissed card back: its id, its job\'s, or a service\'s key') do |v|
          @options[:restore] = v
        end
        parser.on('--remove-all', 'remove every card that MultiTenant made, and what services told clients') do
          @options[:remove_all] = true
        end
      end

      def events
        dry_run = @options[:dry_run] ? true : false
        return remove_all(dry_run) if @options[:remove_all]

        receiver.refresh(deliver: dry_run ? :dry_run : true)['cards']
      end

      def remove_all(dry_run)
        if File.exist?(dataroot)
          return receiver.remove_all(dry_run: dry_run) + Dashboard::ClientMembers.remove_all(dataroot, dry_run: dry_run)
        end

        raise Failure.new(EX_CONFIG, "There is no data root #{dataroot}.", fix: 'Name the right one with --dataroot.')
      end

      def print(events)
        failed, done = events.partition { |action, _, _| action == :failed }
        done.each { |action, id, _| puts "#{(WOULD[action] if @options[:dry_run]) || action} #{id}" }
        failed.each { |_, path, why| CLI.complain("#{path}: #{why}", EX_CANTCREAT) }
        failed.empty? ? EX_OK : EX_CANTCREAT
      end

      def restore
        id = @options[:restore]
        refuse('--restore takes no --dry-run') if @options[:dry_run]

        return EX_OK.tap { puts "restored #{id}" } if receiver.restore(id)

        raise Failure.new(EX_DATAERR, "No card #{id} was dismissed below #{dataroot}.")
      end
    end
  end
end
