# frozen_string_literal: true

require 'digest'
require_relative 'engine'

module MultiTenant
  module Proxy
    # HAProxy, 2.4 or newer: a file beside its own one, or alone. A request finds its service by the name of a backend
    # that is made of its path, so that a thousand services cost no more than one.
    class Haproxy < Engine
      MOVED = 308 # with its method and body
      # As many processes of before stay at most, where whoever may change the file keeps a stream open in each.
      RELOADS = 100
      TOP = <<~CONF
        global
            mworker-max-reloads %<reloads>d

        defaults multitenant
            mode http
            timeout connect 3s
            timeout client 1h
            timeout server 1h
            timeout http-request 30s
            timeout http-keep-alive 60s
            timeout check 1s
            timeout tunnel %<hours>dh
            retries 3
            option redispatch 1
            # On a connection that is kept, a server that leaves a body unread takes it for the next request.
            option http-server-close
            default-server inter 2s fastinter 1s downinter 2s fall 2 rise 1

        frontend multitenant from multitenant
            bind %<listen>s
            option forwardfor
            http-request set-header X-Forwarded-Proto https if { ssl_fc }
            acl bare path -m reg ^/[A-Za-z0-9._%%-]+/[a-z0-9-]+@[A-Za-z0-9._%%-]+$
            http-request redirect code %<moved>d location %%[path]/ if bare
            # Where a service sends people, and its cookies, stay below its path.
            http-request set-var(txn.base) path,field(1,/,3)
            http-request set-var(txn.host) req.hdr(host)
            http-request set-var(txn.job) url_param(member) if { path_end /multitenant/login }
            http-response replace-header Location ^/([^/].*)?$ %%[var(txn.base)]/\\1
            http-response set-var(txn.to) res.hdr(Location),regsub(^https?://,)
            http-response set-var(txn.there) var(txn.to),field(1,/)
            acl here var(txn.there),strcmp(txn.host) eq 0
            http-response set-header Location %%[var(txn.base)]/%%[var(txn.to),regsub(^[^/]*/?,)] if here
            http-response replace-header Service-Worker-Allowed .* %%[var(txn.base)]/
        %<hidden>s
            http-response replace-header Set-Cookie "(.*); *[Dd][Oo][Mm][Aa][Ii][Nn]=[^;]*(.*)" \\1\\2
            http-response replace-header Set-Cookie "(.*; *[Pp][Aa][Tt][Hh]=)[^;]*(.*)" \\1%%[var(txn.base)]/\\2
            use_backend mt:%%[path,field(2,/,2),regsub(%%,::,g),regsub(/,:),regsub(@,:)]
            default_backend mt:none

        backend mt:none from multitenant
            http-request return status 404 content-type text/plain string "There is no such service here."
      CONF

      # @param services [Array<Service>]
      # @return [String]
      def render(services)
        hidden = OF_HOST.map { |name| "    http-response del-header #{name}" }.join("\n")
        top = format(TOP, hours: HOURS, listen: @listen, moved: MOVED, reloads: RELOADS, hidden: hidden)
        [HEADER, top, *services.map { |one| backend(one) }].join("\n")
      end

      # @param file [String]
      # @return [Program::Result]
      def check(file)
        run('-c', '-q', '-f', file)
      end

      private

      # @param path [String] which has one / and one @ that are not percent-encoded
      # @return [String] another one for each path, of letters that HAProxy takes
      def name(path)
        "mt:#{path.gsub('%', '::').tr('/@', ':')}"
      end

      def backend(service)
        "backend #{name(service.path)} from multitenant\n#{lines(service).map { |line| "    #{line}\n" }.join}"
      end

      def lines(service)
        page = "content-type text/plain string \"#{ended(service)}\""
        return ["http-request return status 503 #{page}"] if service.jobs.empty?

        [*balance(service), *health(service), "http-error status 503 #{page}",
         'http-request set-path %[path,regsub(^/[^/]+/[^/]+,)]',
         *service.jobs.map { |member| server(service, member) }]
      end

      # Who uses a web application stays with one of its jobs. Who logs in names that for which their credential is.
      def balance(service)
        return ['balance leastconn'] unless service.web?

        ['balance roundrobin', "cookie #{cookie(service)} insert indirect nocache httponly",
         'use-server %[var(txn.job)] if TRUE']
      end

      def cookie(service)
        "mt_#{Digest::SHA256.hexdigest(service.path)[0, 8]}"
      end

      # A gateway or a key asks who it is that asks.
      def health(service)
        path = check_path(service) or return []

        ['option httpchk', "http-check send meth GET uri #{path} ver HTTP/1.1 hdr Host multitenant",
         "http-check expect status 200#{'-399' if service.web?},401,403"]
      end

      # With no weight it goes on with whom it has, and gets nobody new.
      def server(service, member)
        host = member.host.include?(':') ? "[#{member.host}]" : member.host
        ["server #{member.name} #{host}:#{member.port} check", ("cookie #{member.name}" if service.web?),
         ('weight 0' if member.leaving)].compact.join(' ')
      end
    end
  end
end
