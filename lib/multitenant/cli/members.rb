# frozen_string_literal: true

require_relative 'owner'

module MultiTenant
  class CLI
    # A command about the jobs of a service, of which those that no chain of jobs holds have only its name.
    class Members < Owner
      private

      # Jobs of a service of this user's, as Slurm tells of shares.
      # @return [Hash{String => Array<String>}] cluster => job ids
      def members
        @members ||= begin
          keys = service_keys
          one_of([*states.map(&:name), *keys.map { |key| key.partition('/').last }].uniq)
          found = keys.empty? ? [] : receiver.shares.select { |share| keys.include?(share[:service]) }
          found.group_by { |share| share[:cluster] }.transform_values { |all| all.map { |share| share[:job_id].to_s } }
        end
      end

      # Where a service has a state, that names its jobs by itself.
      def service_keys
        receiver.ask
        receiver.services.select { |key, one| own?(key, one) }.keys
      rescue Failure
        raise if states.empty?

        []
      end

      # @param key [String] USER/SERVICE@GROUP, or of a job without `service`
      def own?(key, one)
        service = key.delete_prefix("#{one['user']}/").delete_suffix("@#{one['group']}")
        one['uid'] == Process.euid.to_s && key.include?('/') && meant?(service, one['group'])
      end
    end
  end
end
