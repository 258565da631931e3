# frozen_string_literal: true

module MultiTenant
  module Dashboard
    # The pages with cards get a script of ours, with the nonce that their policy asks for: what is open stays open
    # over OOD's poll, and values can be copied. Cards themselves have none, and are complete without it.
    module CardScript
      SCRIPT = File.read(File.expand_path('cards.js', __dir__)).freeze
      HEAD = '</head>'

      class << self
        # @return [void]
        def set
          [BatchConnect::SessionsController, DashboardController].each do |controller|
            controller.after_action(only: :index) { CardScript.put(request, response) }
          end
        end

        # @return [void]
        def put(request, response)
          return unless response.media_type == 'text/html'

          nonce = request.content_security_policy_nonce
          tag = "<script#{" nonce=\"#{nonce}\"" if nonce}>#{SCRIPT}</script>"
          response.body = response.body.sub(HEAD) { "#{tag}#{HEAD}" }
        rescue StandardError => e
          Rails.logger.warn("multitenant: a page's cards can't stay open: #{e.class}: #{e.message}")
        end
      end
    end
  end
end
