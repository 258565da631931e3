# frozen_string_literal: true

module MultiTenant
  module Dashboard
    # OOD 4.2 keeps an app with its rendered form for six hours; a form may hold our specs, and what the site has set.
    # An app that was kept before these changed is forgotten. For BatchConnect::App's own class.
    module AppCache
      @generations = {}

      class << self
        # @return [void]
        def renew(token)
          MultiTenant.renew
          generation = [MultiTenant.generation, settings(token)]
          return if @generations[token] == generation

          @generations[token] = generation
          Rails.cache.delete("batch_connect_app/#{token}")
        rescue StandardError => e
          Rails.logger.warn("multitenant: the form of #{token} can't be renewed: #{e.class}: #{e.message}")
        end

        private

        # @return [Array, nil] what changes with an app's site.yml; nil: it has none
        def settings(token)
          app = File.join(SysRouter.base_path, token.to_s.delete_prefix('sys/'))
          SystemFile.version(File.stat(File.join(app, SiteSettings::FILE)))
        rescue SystemCallError, ArgumentError
          nil
        end
      end

      def from_token(token, *, **)
        AppCache.renew(token)
        super
      end
    end
  end
end
