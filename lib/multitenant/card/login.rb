# frozen_string_literal: true

require_relative '../gateway'
require_relative 'credentials'
require_relative 'elements'

module MultiTenant
  class Card
    # What a card offers of a service with a gateway: buttons by which the viewer's browser shows there who they are.
    # The answer is the gateway's own; the dashboard opens no connection to a node, and no key stands in its pages.
    class Login
      include Elements

      HOST = %r{\Ahttps?://[^/]+}
      NOT_NOW = 'You can\'t be let in at this moment, as munged is slow on this host or does not answer, or you have ' \
                'many such cards: look again in a minute.'

      # @return [Login, nil] nil: the service has no gateway, or none that is known to be its own
      def self.of(spec)
        gateway = Gateway.of(spec)
        new(gateway) if gateway
      end

      # @param gateway [Gateway]
      def initialize(gateway)
        @gateway = gateway
      end

      # @param proxy [String] OOD's, `rnode` or `node`
      # @return [String] where the service's pages are
      def base(proxy)
        "/#{proxy}/#{@gateway.host}/#{@gateway.port}/"
      end

      # @param base [String] as {base}, or an address outside Open OnDemand: whoever has that asks the job for which the
      #   credential is
      # @param key [Boolean] it shows the viewer's key, and opens nothing
      # @return [String] HTML
      def button(label, base, icon:, key: false)
        credential = Credentials.of(@gateway) or return "<span>#{NOT_NOW}</span>"

        path = base.sub(HOST, '')
        fields = { 'credential' => credential, 'base' => path, **(key ? { 'show' => 'key' } : {}) }
        job = "?member=#{@gateway.member}" unless path == base
        post(label, "#{base.chomp('/')}#{Gateway::PATH}#{job}", fields, icon: icon, minor: key)
      end
    end
  end
end
