# frozen_string_literal: true

require 'json'
require_relative 'engine'

module MultiTenant
  module Proxy
    # Traefik 3: a file of its file provider, which sees by itself that it is another one. JSON is YAML, so it is called
    # *.yml. Its health check takes one status for good, which is not the same with a gateway and with a key, and it
    # makes no page of its own: so requests are tried again with another job, and a service without jobs is not known.
    # How it compares paths with other letters than the usual ones differs by release, so those are left out.
    class Traefik < Engine
      # @param services [Array<Service>]
      # @return [String]
      def render(services)
        live = services.reject { |one| one.jobs.empty? || one.path.include?('%') }
        # It refuses a file with parts that are empty.
        return "#{HEADER}{}\n" if live.empty?

        http = { routers: named(live) { |one| router(one) }, services: named(live) { |one| service(one) },
                 serversTransports: { 'multitenant-once' => ONCE },
                 middlewares: { **named(live) { |one| strip(one) }, 'multitenant-retry' => RETRY } }
        "#{HEADER}#{JSON.pretty_generate(http: http)}\n"
      end

      # @param _file [String]
      # @return [String] why not
      def objection(_file)
        'traefik has no command that checks a file: leave out --check.'
      end

      private

      RETRY = { retry: { attempts: 3, initialInterval: '100ms' } }.freeze
      # On a connection that is kept, a server that leaves a body unread takes it for the next request.
      ONCE = { maxIdleConnsPerHost: -1 }.freeze
      private_constant :RETRY, :ONCE

      def named(services)
        services.to_h { |one| [name(one), yield(one)] }
      end

      # An @ would name a provider; a ~ is in no path, so that names differ where paths do.
      def name(service)
        "multitenant-#{service.path.tr('/@', '~')}"
      end

      def router(service)
        { rule: "PathPrefix(`/#{service.path}/`)", service: name(service),
          middlewares: [name(service), 'multitenant-retry'] }
      end

      def strip(service)
        { stripPrefix: { prefixes: ["/#{service.path}"] } }
      end

      def service(service)
        urls = service.jobs.reject(&:leaving).map { |job| { url: "http://#{host(job)}:#{job.port}" } }
        cookie = { sticky: { cookie: { httpOnly: true } } } if service.web?
        { loadBalancer: { servers: urls, serversTransport: 'multitenant-once', **cookie.to_h } }
      end

      def host(job)
        job.host.include?(':') ? "[#{job.host}]" : job.host
      end
    end
  end
end
