# frozen_string_literal: true

require 'shellwords'
require_relative '../apps/sharing'
require_relative 'theme'

module MultiTenant
  class Doctor
    # Whether services can ask each tenant who they are, what falls back to what where a node can't, whether the portal
    # leads to services where cards do, and what it hands to them.
    class Gateway < Theme
      CHECKS = { gateways: 'Gateways', nodes: 'Gateway on a node', paths: 'Portal\'s paths',
                 secrets: 'Portal\'s secrets' }.freeze

      # The functions that decide it in a job.
      PARTS = [Sharing::JOB, Sharing::PORT, File.expand_path('../../../libexec/multitenant-gateway', __dir__)].freeze
      ASK = "can_guard || echo \"guard $WHY\"\ncan_isolate || echo \"isolate $WHY\"\necho asked\n"
      # Seconds that a job may wait and take.
      JOB = 90

      PORTALS = %w[/etc/httpd/conf.d/ood-portal.conf /etc/apache2/sites-enabled/ood-portal.conf
                   /etc/apache2/sites-available/ood-portal.conf].freeze
      # Where Open OnDemand's page on OpenID Connect has that module's directives, beside the portal's file or in it.
      OPENIDC = 'auth_openidc.conf'
      # Those that buttons, logins and clients have in their addresses.
      PATHS = %w[/node /rnode].freeze
      SECTIONS = %r{<(Location|LocationMatch|Directory|FilesMatch)\s.*?</\1>}m
      LOCATION = %r{<LocationMatch\s+"?\^(?<uri>/[\w/-]+)/\(\?<host>.*?</LocationMatch>}m
      # Without a condition, which may not hold.
      EDIT = /^\s*RequestHeader\s+(?:(?<what>edit\*?)\s+Cookie\s+"(?<from>(?:\\.|[^"\\])*)"\s+"(?<to>[^"]*)"|
              unset\s+Cookie)[ \t]*$/ix
      # By AuthType what the names of a module's session cookies begin with, and how one goes on. No module keeps its
      # own from services by itself.
      OIDC = ['mod_auth_openidc_session', ''].freeze
      COOKIES = { 'openid-connect' => OIDC, 'auth-openidc' => OIDC, 'shibboleth' => %w[_shibsession_ 6f6f64],
                  'cas' => %w[MOD_AUTH_CAS _S], 'mellon' => %w[mellon- cookie] }.freeze
      # As browsers send it.
      SENT = ['%s=s', '%s=s; a=1', 'a=1; %s=s', 'a=1; %s=s; b=2'].freeze
      CURE = 'Add to custom_location_directives of ood_portal.yml: ' \
             '\'RequestHeader edit* Cookie "(^|;\s*)%s[^;]*" ""\', and run update_ood_portal.'
      UNSET = 'Add `RequestHeader unset Authorization` to custom_location_directives of ood_portal.yml.'
      UNKNOWN = 'which cookie %s has is not known here: see that no service gets it.'
      SAME_HOST = ['MULTITENANT_ADDRESS is on the portal\'s own host, where pages of a service can act as who opens ' \
                   'it, and no card says so.',
                   'Give services a host name of their own, below the same domain: doc/proxy.md.'].freeze
      STRIPS_SINCE = Gem::Version.new('4.1')
      CLOSED = 'this user may not start service apps, nor read what their site.yml says: run it as one who may.'

      def gateways
        return skip(CLOSED) if wanted.empty? && closed?
        return ok('no service app is to have one: whoever can reach a service and knows its key can use it.') if
          wanted.empty?

        bare = wanted.select { |_, settings| Sharing.envelope(settings) == 'v1' }.keys
        return ok("#{list(wanted.keys)} asks each tenant who they are.") if bare.empty?

        warn!("#{list(bare)} shares in v1, which has no secret to log in with: with `gateway: auto` there is none, " \
              'with `required` nothing can be shared.',
              'Write `old_readers: "no"` into its site.yml, with `envelope: "auto"` where munged knows users\' ' \
              'groups, or else `envelope: "key"`, as "Envelopes that protect" in doc/admins.md says.')
      end

      # A job, which whoever asks has to want.
      def nodes
        return skip('`multitenant doctor --node` tries it, by a job of a minute.') unless site.node?
        return skip('run it as a user: jobs of root may be refused.') if site.root?
        return skip(CLOSED) if closed?
        return unless core?

        all = wanted.empty? ? apps.values : wanted.values
        clusters = all.group_by { |settings| settings['cluster'].to_s }.reject { |id, _| id.empty? }
        clusters = { '' => all } if clusters.empty?
        clusters.each { |id, settings| node(id, settings) }
      end

      # Where it leads to no services at all, what has no page of its own works without it.
      def paths
        path = portal or return
        missing = PATHS - (found = locations(read(path)).map { |block| block[:uri] })
        return ok("#{path} leads to #{found.empty? ? 'no services' : "services below #{list(PATHS)}"}.") if
          found.empty? || missing.empty?

        warn!("cards lead to services below #{list(missing)}, #{path} below #{list(found)} alone.",
              "Write node_uri: '/node' and rnode_uri: '/rnode' into ood_portal.yml, and run update_ood_portal.")
      end

      # What is the portal's, and would let a service act as who opens it.
      def secrets
        path = portal or return
        beside = File.join(File.dirname(path), OPENIDC)
        return skip("only root can read #{beside}.") if File.exist?(beside) && !File.readable?(beside)

        text = read(path)
        blocks = locations(text)
        return ok("#{path} leads to no services.") if blocks.empty?

        around = [text, *(read(beside) if File.exist?(beside))].join("\n").gsub(SECTIONS, '')
        leaks = blocks.reject { |block| kept?(block[0], around) }
        return warn!(*told(leaks, around)) if leaks.any?
        return warn!(*SAME_HOST) if own_host?(text)

        other = blocks.map { |block| auth_type(block[0]) }.find { |type| type != 'basic' && !COOKIES.key?(type) }
        return skip(format(UNKNOWN, other.empty? ? 'a portal without AuthType' : "AuthType #{other}")) if other

        ok("#{path} keeps its own cookie and passwords from services.")
      end

      private

      # @return [Hash{String => Hash}] name of an app and its settings
      def apps
        @apps ||= site.service_apps.to_h { |app| [File.basename(app), settings(app)] }
      end

      # @return [Hash{String => Hash}] those of them that are to have a gateway
      def wanted
        apps.select { |_, settings| %w[auto required].include?(settings['gateway']) }
      end

      # @return [Boolean] there are apps that may have a gateway, of which this user can enter none
      def closed?
        names = SiteSettings::APPS.keys.select { |name| SiteSettings::APPS[name].key?('gateway') }
        there = names.map { |name| site.at(File.join(Host::APPS, name)) }.select { |path| File.directory?(path) }
        there.any? && there.none? { |path| File.executable?(path) }
      end

      def settings(app)
        SiteSettings.read(app)
      rescue Failure
        {} # see the check of all settings
      end

      # @param id [String] of the cluster in Open OnDemand; '' of the first
      # @param settings [Array<Hash>] of the service apps that are of it
      def node(id, settings)
        target = id.empty? ? site.clusters.targets.first : site.clusters.of(id)
        return skip("Open OnDemand has no cluster #{id} for this user.") unless target

        name = ("#{id}: " unless id.empty?)
        ran = job(target, script(settings))
        return skip("#{name}this host has no srun.") unless ran
        return skip("#{name}no job told: #{ran.error || 'it said something else than it was to'}") unless asked?(ran)

        tell(name, ran.out[/^guard (.*)/, 1], ran.out[/^isolate (.*)/, 1])
      end

      # As Open OnDemand submits to that cluster. A login shell has what its jobs have.
      def job(target, input)
        own = File.join(target.job.to_h['bin'].to_s, 'srun')
        named = ["--clusters=#{target.cluster}"] if target.cluster && !site.clusters.targets.one?
        site.run(File.executable?(own) ? own : 'srun', *named, '--ntasks=1', '--time=2', '--quiet',
                 "--immediate=#{JOB - 30}", 'bash', '-ls', seconds: JOB, input: input, target: target)
      end

      def script(settings)
        modules = settings.flat_map { |told| Array(told['modules_nginx']) }.uniq
        told = { gate_programs: File.expand_path('..', __dir__), modules_nginx: modules.join(' '),
                 munge_socket: munge_socket(settings) }.compact
        "#{PARTS.map { |path| "#{File.read(path)}\n" }.join}" \
          "#{told.map { |name, value| "mt_#{name}=#{value.shellescape}\n" }.join}#{ASK}"
      end

      # As the apps' jobs are told it.
      def munge_socket(settings)
        told = settings.map { |one| one['munge_socket'].to_s }
        told.find { |path| !path.empty? } || site.settings.munge_socket
      end

      def asked?(ran)
        ran.out.lines.last.to_s.chomp == 'asked'
      end

      def tell(name, guard, isolate)
        if guard
          warn!("#{name}#{guard}. There is no gateway there: with `gateway: auto` all who get a service have its one " \
                'key, of Ollama none; with `required` nothing is served.',
                'doc/admins.md, "Compute nodes", says what nodes need.')
        end
        if isolate
          warn!("#{name}#{isolate}. With `gateway: auto` users of the same node reach Ollama, and web applications " \
                'that need no network, past the gateway; with `required` these are not served.',
                'Allow user namespaces (user.max_user_namespaces, AppArmor); install util-linux 2.36 or later, ' \
                'iproute and socat.')
        end
        return if guard || isolate

        ok("#{name}a node has nginx, munge and multitenant-gate, and lets users make namespaces.")
      end

      # @return [String, nil] its file; nil: the check is skipped
      def portal
        path = PORTALS.map { |one| site.at(one) }.find { |one| File.exist?(one) }
        return skip('this host has no portal of Open OnDemand\'s.') unless path

        File.readable?(path) ? path : skip("only root can read #{path}.")
      end

      def locations(text)
        text.to_enum(:scan, LOCATION).map { Regexp.last_match }
      end

      # @param portal [String] its configuration
      # @return [Boolean] services have addresses on its host
      def own_host?(portal)
        host = site.settings.address.to_s[%r{\Ahttps?://([^/:]+)}, 1]
        names = portal.scan(/^\s*Server(?:Name|Alias)\s+(.*)/i).flatten.flat_map(&:split)
        names.any? { |name| name.sub(%r{\A\w+://}, '').sub(/:\d+\z/, '').casecmp?(host.to_s) }
      end

      def read(path)
        File.read(path, encoding: 'UTF-8').scrub
      end

      # @param block [String] directives
      # @param around [String] those that hold for the whole host
      # @return [Boolean]
      def kept?(block, around)
        return false if auth_type(block) == 'basic' && !authorization_stripped?(block)

        cookie = cookie_of(block, around).join
        all = "#{around}\n#{block}"
        return true if cookie.empty? || all.match?(/^\s*OIDCStripCookies\s.*\b#{cookie}(?:\s|$)/i)

        edits = all.to_enum(:scan, EDIT).map { Regexp.last_match }
        SENT.none? { |sent| edited(format(sent, cookie), edits).include?(cookie) }
      end

      # A site may have given that of OpenID Connect another name.
      # @return [Array<String>] as {COOKIES}, or none
      def cookie_of(block, around)
        named = COOKIES.fetch(auth_type(block), [])
        named == OIDC ? [around[/^\s*OIDCCookie\s+"?([\w.-]+)/i, 1] || OIDC[0], ''] : named
      end

      def auth_type(block)
        block[/^\s*AuthType\s+"?([\w-]+)/i, 1].to_s.downcase
      end

      def authorization_stripped?(block)
        block.match?(/^\s*RequestHeader\s+unset\s+Authorization\b/i) || site.ood_version >= STRIPS_SINCE
      rescue Failure
        false
      end

      # As Apache does it.
      def edited(cookies, edits)
        edits.reduce(cookies) do |text, edit|
          next '' unless edit[:what]

          change = edit[:what].end_with?('*') ? :gsub : :sub
          text.public_send(change, Regexp.new(edit[:from].to_s), edit[:to].to_s.gsub(/\$(\d)/, '\\\\\1'))
        rescue RegexpError
          text
        end
      end

      def told(leaks, around)
        cookie, = cookie_of(leaks[0][0], around)
        what = cookie ? "the portal's session cookie (#{cookie})" : 'the password that they log in with'
        ["below #{list(leaks.map { |block| block[:uri] })} a service is given #{what} of whoever opens it, and could " \
         'act as them.', cookie ? format(CURE, cookie) : UNSET]
      end
    end
  end
end
