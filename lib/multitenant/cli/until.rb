# frozen_string_literal: true

require_relative 'moment'
require_relative 'owner'

module MultiTenant
  class CLI
    # `multitenant until`
    class Until < Owner
      WORDS = ['DATE'].freeze

      private

      def options(parser)
        super
        parser.separator("DATE: #{Moment::FORMS}, in this host's time. The service ends then for good.")
      end

      def change(state)
        moment = Moment.of(@more.first) || refuse("`#{@more.first}` is no time: write #{Moment::FORMS}")
        refuse("#{Moment.text(moment)} is over: `multitenant stop` ends a service") if moment <= Time.now
        last = Time.at(Core::LIMITS[:until])
        refuse("#{Moment.text(moment)} is too late: write #{Moment.text(last)} at most") if moment > last
        days = site(state)['keep_days']&.to_i
        if days && moment > Moment.end_of_day(Date.today + days)
          raise Failure.new(EX_DATAERR, "Services are kept running for #{days} days at most here, and " \
                                        "#{Moment.text(moment)} is later.")
        end

        state['until'] = moment.to_i
        puts "#{state.name} is kept running until #{Moment.text(moment)}."
      end
    end
  end
end
