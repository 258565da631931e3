# frozen_string_literal: true

require_relative '../card'

module MultiTenant
  class Card
    # What a service of several jobs tells its owner: which jobs it has, when the next one takes over, until when it is
    # kept running, and what is wrong.
    class Members
      include Elements

      TIME = '%a %-d %b, %H:%M'

      # @param state [ServiceState]
      # @param specs [Hash] of its owner
      def initialize(state, specs)
        @state = state
        @chains = state.chains
        own = specs.select { |_, spec| own?(spec['info']) }
        @infos = own.to_h { |key, spec| [key.split('@').first, spec['info']] }
      end

      # @return [String]
      def html
        "#{table(*@chains.flat_map { |chain| jobs(chain) }, kept)}#{sentences}"
      end

      # @return [String] HTML of what is wrong, or why it has ended
      def sentences
        told = [@state['stopped'], *@chains.flat_map { |chain| [*chain.problems, chain.ended] }].compact.uniq
        told.map { |sentence| "<p class=\"alert alert-warning\">#{text(sentence)}</p>" }.join
      end

      private

      # Ids are the same on several clusters.
      def own?(info)
        info['uid'] == Process.uid.to_s && [info['cluster'], nil].include?(@state['cluster'])
      end

      def jobs(chain)
        return [] if chain.ended && !@infos.key?(chain.shared)

        rows = [[chain.shared, serves(chain)], [chain.job, starts(chain)], [chain.next, waits(chain)]]
        rows.filter_map { |job, what| cells("Job #{job}", text(what)) if job && what }
      end

      def serves(chain)
        info = @infos[chain.shared]
        return unless chain.shared && (info || chain.shared == chain.job)

        node = info ? info['host'] : chain.node
        node = chain.node if chain.shared == chain.job
        ends = info['end'].to_i if info
        ["serves#{" on #{node}" if node}", *since(info ? info['start'].to_i : chain.start),
         ("until #{at(ends)} at the latest" if ends&.positive?)].compact.join(', ')
      end

      def starts(chain)
        ["starts#{" on #{chain.node}" if chain.node}", *since(chain.start)].join(', ') if chain.job != chain.shared
      end

      # One that waits begins a lead before the one before it has to end, which has a quarter of its time at least.
      def waits(chain)
        ends = @infos.dig(chain.job, 'end').to_i
        return 'waits in the queue' unless chain.job && ends.positive?

        lead = [@state['lead'].to_i * 60, (ends - @infos.dig(chain.job, 'start').to_i) * 3 / 4].min
        "takes over #{at(ends - lead)}"
      end

      def kept
        cells('Kept running until', text(Time.at(@state.until).strftime('%a %-d %b %Y, %H:%M'))) if @state.until
      end

      def since(epoch)
        epoch ? ["since #{at(epoch)}"] : []
      end

      def at(epoch)
        Time.at(epoch).strftime(TIME)
      end
    end
  end
end
