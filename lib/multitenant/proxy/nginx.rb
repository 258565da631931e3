# frozen_string_literal: true

require 'digest'
require 'tmpdir'
require_relative 'engine'

module MultiTenant
  module Proxy
    # nginx: a file that its http block includes. It does not ask jobs by itself, and gives up on one for some seconds
    # where a request meets nobody there, which then goes to another; so a job that leaves is left out at once.
    class Nginx < Engine
      TOP = <<~CONF
        map $http_upgrade $multitenant_connection { default upgrade; '' ''; }
        # Who has a token of a service stays with one of its jobs.
        map $cookie_multitenant_token $multitenant_client { default $cookie_multitenant_token; '' $remote_addr; }
        # The rest of the path as it came: nginx itself would make a / of %2F.
        map $request_uri $multitenant_rest { default /; "~^/[^/?]+/[^/?]+(?<multitenant_end>/.*)$" $multitenant_end; }
        # Where a service sends people, and its cookies, stay below its path.
        map $request_uri $multitenant_base { default ''; "~^(?<multitenant_begin>/[^/?]+/[^/?]+)" $multitenant_begin; }
        map $scheme $multitenant_proto { default $http_x_forwarded_proto; https https; }
        map $upstream_http_service_worker_allowed $multitenant_worker { default $multitenant_base/; '' ''; }
      CONF
      SERVER = <<~CONF
        server {
            listen %<listen>s;
            server_tokens off;
            absolute_redirect off;
            client_max_body_size 0;
            client_body_timeout 5m;
            send_timeout %<hours>dh;
            proxy_http_version 1.1;
            proxy_buffering off;
            # A body goes on as it comes: it would fill this host, also where a gateway refuses it.
            proxy_request_buffering off;
            proxy_connect_timeout 3s;
            proxy_read_timeout %<hours>dh;
            proxy_send_timeout %<hours>dh;
            proxy_next_upstream error timeout;
            proxy_next_upstream_tries 3;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $multitenant_connection;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $multitenant_proto;
            proxy_redirect "~^/(?!/)(?<multitenant_to>.*)$" $multitenant_base/$multitenant_to;
            proxy_redirect http://$http_host/ $multitenant_base/;
            proxy_redirect https://$http_host/ $multitenant_base/;
            proxy_cookie_path ~^ $multitenant_base/;
            proxy_cookie_domain ~^ '';
            add_header Service-Worker-Allowed $multitenant_worker;
        %<hidden>s
            default_type text/plain;

            location / { return 404 "There is no such service here."; }
        %<locations>s}
      CONF
      # What stands around the file where it is tried.
      AROUND = <<~CONF
        pid %<dir>s/pid;
        error_log stderr;
        events { }
        http { access_log off; %<temporary>s include %<file>s; }
      CONF

      # @param services [Array<Service>]
      # @return [String]
      def render(services)
        live = services.reject { |one| one.jobs.empty? }
        locations = services.map { |one| location(one) }.join
        [HEADER, TOP, *live.map { |one| upstream(one) },
         format(SERVER, hours: HOURS, listen: @listen, hidden: hidden, locations: locations)].join("\n")
      end

      # @param file [String]
      # @return [Program::Result]
      def check(file)
        Dir.mktmpdir do |dir|
          tried = try(dir, File.expand_path(file))
          next tried unless tried.error&.match?(/ bind\(\) to .*Permission denied/)

          # That port is the running nginx's to take, which may do what this process may not.
          elsewhere = File.binread(file).sub("listen #{@listen};".b) { "listen unix:#{dir}/socket;".b }
          try(dir, File.join(dir, 'here.conf').tap { |path| File.binwrite(path, elsewhere) })
        end
      end

      private

      def hidden
        [*OF_HOST, 'Service-Worker-Allowed'].map { |name| "    proxy_hide_header #{name};" }.join("\n")
      end

      def try(dir, file)
        around = File.join(dir, 'nginx.conf')
        File.write(around, format(AROUND, dir: dir, file: file, temporary: temporary(dir)))
        run('-t', '-q', '-c', around, '-p', dir)
      end

      # nginx makes these directories even where it only tries a file, and root's gives them to the user of that one:
      # those of the host's own nginx would be that one's no longer.
      def temporary(dir)
        built = run('-c', 'exec nginx -V 2>&1', program: 'sh').out
        names = %w[client_body proxy fastcgi uwsgi scgi].reject { |one| built.include?("--without-http_#{one}_module") }
        names.map { |one| "#{one}_temp_path #{dir}/tmp;" }.join(' ')
      end

      # One word, whatever is in the path. nginx refuses a file in which two are the same, so nobody may find such.
      def name(service)
        "multitenant_#{Digest::SHA256.hexdigest(service.path)[0, 40]}"
      end

      # On a connection that is kept, as nginx itself does since 1.29.7, a server that leaves a body unread takes it for
      # the next request. `keepalive 0` says so to none before that.
      def upstream(service)
        here = service.jobs.reject(&:leaving).map { |job| "    server #{address(job)} max_fails=1 fail_timeout=4s;\n" }
        way = service.web? ? 'hash $multitenant_client consistent' : 'least_conn'
        "upstream #{name(service)} {\n    #{way};\n    keepalive 1;\n    keepalive_requests 1;\n#{here.join}}\n"
      end

      def address(job)
        "#{job.host.include?(':') ? "[#{job.host}]" : job.host}:#{job.port}"
      end

      # nginx looks for a location by the path that percent-encodings stand for.
      def location(service)
        path = service.path.b.gsub(/%(\h\h)/n) { Regexp.last_match(1).hex.chr }
        quoted = "\"/#{path.gsub(/["\\]/n) { |found| "\\#{found}" }}/\""
        page = "return 503 \"#{ended(service)}\";"
        return "    location ^~ #{quoted} { #{page} }\n".b if service.jobs.empty?

        here = name(service)
        "    location ^~ #{quoted} { #{own(service)}".b +
          "proxy_pass http://#{here}$multitenant_rest; error_page 502 504 = @#{here}; }\n".b +
          (service.web? ? login(service, quoted, here).b : '') + "    location @#{here} { internal; #{page} }\n".b
      end

      # By ..%2F nginx would come to another service than the one whose cookies a browser sends along.
      def own(service)
        "if ($multitenant_base != \"/#{service.path}\") { return 404; } "
      end

      # In the job of this service that who logs in has a credential for and names, or else in any.
      def login(service, quoted, here)
        jobs = service.jobs.map { |job| "if ($arg_member = #{job.name}) { set $multitenant_job #{address(job)}; } " }
        "    location = #{quoted.chop}multitenant/login\" { #{own(service)}set $multitenant_job #{here}; #{jobs.join}" \
          "proxy_pass http://$multitenant_job$multitenant_rest; error_page 502 504 = @#{here}; }\n"
      end
    end
  end
end
