# frozen_string_literal: true

require 'json'
require_relative '../host/system_file'

module MultiTenant
  module Dashboard
    # Jobs that follow each other take the place of those that a client was started with, and the client's own job can't
    # ask which these are: the user's dashboard tells it, in a file of its session, each time that it lists sessions.
    module ClientMembers
      FILE = 'members.json'

      class << self
        # @param sessions [Array<BatchConnect::Session>]
        # @return [void]
        def tell(sessions)
          sessions.each { |session| tell_one(session) unless session.cache_completed }
        end

        private

        def tell_one(session)
          path = session.staged_root.join(FILE)
          return unless path.file?

          told = path.read
          service, of = JSON.parse(told).values_at('service', 'of')
          now = MultiTenant.service_members(service)
          return if now.nil? || now == told || JSON.parse(now)['of'] != of

          SystemFile.write(path, now, mode: 0o600)
        rescue StandardError => e
          # What a message quotes may be a secret.
          Rails.logger.warn("multitenant: client #{session.id} is not told of the jobs that run: #{e.class}")
        end
      end
    end
  end
end
