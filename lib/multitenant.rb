# frozen_string_literal: true

require 'forwardable'
require_relative 'multitenant/version'
require_relative 'multitenant/host/clock'
require_relative 'multitenant/errors'
require_relative 'multitenant/multitenant'
require_relative 'multitenant/sources/answer'
require_relative 'multitenant/host'
require_relative 'multitenant/sources'
require_relative 'multitenant/receiver/membership'
require_relative 'multitenant/receiver'
require_relative 'multitenant/receiver/renewal'
require_relative 'multitenant/gateway'
require_relative 'multitenant/dashboard'
require_relative 'multitenant/apps/chain'
require_relative 'multitenant/apps/service_environment'
require_relative 'multitenant/apps/service_names'
require_relative 'multitenant/apps/sharing'
require_relative 'multitenant/apps/site_settings'
require_relative 'multitenant/card'
require_relative 'multitenant/card/own'

# Services that run as Slurm jobs, shared with the right people through Open OnDemand.
module MultiTenant
  NOT_CHOSEN = 'No service was chosen: choose one in the form. If it offers none, ask whoever runs the service ' \
               'whether it runs, and whether it is shared with a group of yours.'
  GONE = 'That service has ended, or is not shared with you any more: delete this session, and choose another one ' \
         'in a new session.'
  # Bytes of all members' connections as JSON: Linux takes 128 KiB for a variable, and Slurm hands on what it gets.
  MEMBERS_MAX = 64 * 1024
  private_constant :NOT_CHOSEN, :GONE, :MEMBERS_MAX

  class << self
    extend Forwardable

    # @return [Hash] the services shared with this user, by job id: string keys throughout, frozen,
    #   never nil; {} until the first complete answer, then the last one. doc/formats.md
    def specs
      renew
      @receiver ? @receiver.specs : {}.freeze
    end

    # @return [Hash] the same by service: one of several jobs is one, with the member that this user is sent to;
    #   frozen. doc/formats.md
    def services
      renew
      @receiver ? @receiver.services : {}.freeze
    end

    # Asks Slurm now; specs and cards follow, the cards later where their files take longer than MULTITENANT_TIMEOUT.
    # Never raises.
    # @return [Hash] {report}
    def refresh
      @renewal&.refresh(@timeout)
      report
    end

    # Asks Slurm where specs are older than their time to live, and with `cards` lets the card files
    # follow. Returns within a quarter of a second, unless card files have to go from a slow home; never raises.
    # @param cards [Boolean] the page is about to list the card files
    # @return [void]
    def renew(cards: false)
      @renewal&.call(cards: cards)
    end

    # How the last refresh went.
    # @return [Hash] "at" (epoch of the last complete answer), "age" (seconds since then, nil before
    #   it), "from", "seconds", "accepted", "refused" (reason code => count), "clusters" (name =>
    #   "all", "own" or "incomplete"), "cards", "error" (a sentence or nil); empty before the first
    def report
      last = @receiver ? @receiver.report : {}
      last.merge('age' => last['at'] && (Time.now.to_i - last['at'])).freeze
    end

    # @return [Float] seconds for which an answer of Slurm's lives in this host's dashboards; 0: none is asked
    def answers_live
      @sources&.ttl || 0.0
    end

    # @return [Integer] changes with {specs} and {services}
    def generation
      @receiver ? @receiver.generation : 0
    end

    # The service that a form's auto_multitenant_services chose, for submit.yml.erb and templates.
    # @param key [String] of {services} or {specs}; of a member: its service's
    # @param apps [Array<String>] names of apps that may be meant; none: all
    # @return [Hash{String => String}] the connection of the member that the viewer is sent to, and as "mt_members"
    #   those of all members as JSON, that one first: the others are for when it doesn't answer. Of those, as many as
    #   an environment variable has room for
    # @raise [Failure] where the viewer does not have it (any more)
    def service(key, *apps)
      raise Failure.new(EX_USAGE, NOT_CHOSEN) if key.to_s.empty?

      ask
      found = find_service(key)
      return connection_of(found) if found && (apps.empty? || apps.include?(found['app']))

      raise Failure.new(EX_UNAVAILABLE,
                        'The service that was chosen has ended, or is not shared with you: choose another one.')
    end

    # The same for the programs of a client's job. Secrets are among the values, but of a service with a gateway none
    # that lets in: {service_script} logs in.
    # @param key [String] as {service}'s
    # @return [Hash{String => String}] names and values of environment variables
    # @see ServiceEnvironment
    def service_environment(key, *apps)
      ServiceEnvironment.of(service(key, *apps))
    end

    # The same as bash, which a client's script.sh sources once it has loaded its modules.
    # @param site [Hash] the client's site.yml, which may have rows of {Kinds}
    # @see ServiceEnvironment.script
    def service_script(key, *apps, site: {})
      ServiceEnvironment.script(service(key, *apps), munge_socket: Settings.new.munge_socket, rows: kinds(site))
    end

    # @return [String, nil] munged's socket on this host; nil: libmunge's default
    def munge_socket
      @host&.munge_socket
    end

    # @param key [String] as {service}'s
    # @return [String, nil] that key, whose it is and what {service} gives as "mt_members", as JSON for a file
    #   members.json of a client's session, which the dashboard writes anew when others run; nil where the viewer has no
    #   such service
    def service_members(key)
      found = find_service(key)
      found && "{\"service\":#{JSON.generate(key)},\"of\":\"#{whose(key, found)}\"," \
               "\"members\":#{connection_of(found)['mt_members']}}"
    end

    # @param key [String] as {service}'s
    # @return [String] publisher and title, as a client's card says them
    def service_name(key)
      ServiceNames.name(fetch_service(key))
    end

    # @param key [String] as {service}'s
    # @return [String] the user whose service it is
    def service_owner(key)
      fetch_service(key)['user']
    end

    # @param key [String, nil] as {service}'s, of the service that a client was started with
    # @return [String] HTML for the client's card, where it is known of every cluster that the viewer does not have that
    #   service any more; else ''
    def service_note(key)
      return '' if key.nil? || find_service(key)

      answered = report['clusters'].to_h.values
      sure = answered.any? && answered.all?('all') && @sources.answering? && !report['error'] &&
             !@receiver.unsure?(key.to_s)
      sure ? "<p class=\"alert alert-warning\">#{GONE}</p>" : ''
    end

    # @!method card(values)
    #   What a delivery app's view shows.
    #   @param values [#to_h] the view's own binding
    #   @return [Card]
    def_delegator Card, :new, :card

    # @!method own_card(values)
    #   What a service app's view shows the service's owner.
    #   @param values [#to_h] the view's own binding
    #   @return [Card::Own]
    def_delegator Card::Own, :new, :own_card

    # @param session [BatchConnect::Session] of the viewer's own, which has ended
    # @return [String] HTML for a service app's completed view: why, or where that stands
    def ended_note(session)
      service = Dashboard::OwnService.of(session)
      why = Card::Members.new(service.state, {}).sentences if service
      "<div>#{why}<p>The file output.log, in the directory that the session ID leads to, says more.</p></div>"
    end

    # @!method share_form(presets, site: {}, address: false)
    #   What a service app's form asks about sharing.
    #   @see Sharing.form
    def_delegator Sharing, :form, :share_form

    # @!method share_envelope(site)
    #   How a service app's job seals what it shares.
    #   @see Sharing.envelope
    def_delegator Sharing, :envelope, :share_envelope

    # @!method share_script(context, session:, site: {}, staged: nil)
    #   What shares a service app's job.
    #   @see Sharing.script
    def_delegator Sharing, :script, :share_script

    # @!method chain_form(site)
    #   What a form without {share_form} asks about a service of several jobs.
    #   @see Chain.form
    def_delegator Chain, :form, :chain_form

    # @!method share_note(told)
    #   How that went, for the owner's card.
    #   @see Sharing.note
    def_delegator Sharing, :note, :share_note

    # @!method only_for(label, choice)
    #   The label of a question that means something for one choice alone.
    #   @see Dashboard.only_for
    def_delegator Dashboard, :only_for

    # @!method kinds(site)
    #   What the app multitenant-dashboard can run, by rows.
    #   @see Kinds.of
    def_delegator Kinds, :of, :kinds

    # @!method site(dir)
    #   What the site has set for an app.
    #   @see SiteSettings.read
    def_delegator SiteSettings, :read, :site

    # Removes the cards of this user that we made, and what services told clients that have ended, where a site is
    # switched off; specs stays {}. Called by the initializer, with every start of a dashboard. Neither Slurm nor
    # anybody else is asked.
    # @param log [#call] takes a level (:info, :warn) and a sentence
    # @return [void]
    def remove(log)
      host = DashboardHost.new
      { 'removed %d cards.' => host.receiver(nil, log: log).remove_all,
        'removed what services told %d clients.' => Dashboard::ClientMembers.remove_all(host.dataroot) }
        .each do |done, events|
          gone, failed = %i[removed failed].map { |action| events.select { |event| event[0] == action } }
          log.call(:info, "MULTITENANT_ENABLE is remove: #{format(done, gone.size)}") if gone.any?
          failed.each do |_, path, why|
            log.call(:warn, "#{path} could not be removed, which the next start tries again: #{why}")
          end
        end
    end

    # Starts the receiving side in a dashboard: reads settings and clusters from OOD, asks Slurm
    # once, and sees to it that the dashboard's pages renew what it said. Called by the initializer;
    # a second call starts anew.
    # @param log [#call] takes a level (:info, :warn) and a sentence
    # @return [void]
    def start(log)
      host = DashboardHost.new
      host.settings.warnings.each { |warning| log.call(:warn, warning) }
      Card.account
      membership = Membership.new(host.settings.gids)
      @host = host
      @sources = host.sources(gids: membership.method(:gids), log: log)
      @receiver = host.receiver(@sources, membership: membership, log: log)
      @timeout = host.settings.timeout
      @renewal = Renewal.new(@receiver, @sources, log: log)
      refresh
      Dashboard.attach(@receiver, @sources, log: log)
    end

    private

    # A submission asks Slurm, once; the cards can wait for the next page that shows them.
    def ask
      return unless @sources && (@submitted.nil? || clock - @submitted > 10)

      @sources.expire
      @receiver.ask
      @submitted = clock
    end

    # @return [Hash, nil] of {services}
    def find_service(key)
      all = services
      key = key_of_now(key.to_s)
      all[key] || all.each_value.find { |service| service['members'].include?(key) }
    end

    # A job's key has its cluster only as long as another cluster's job of that id is there.
    def key_of_now(key)
      id, cluster = key.split('@', 2)
      cluster && specs.dig(id, 'info', 'cluster') == cluster ? id : key
    end

    def fetch_service(key)
      find_service(key) || raise(KeyError, "there is no service #{key}")
    end

    # Once a job has ended, its key may be that of another cluster's job.
    def whose(key, service)
      cluster = specs.dig(service['member'], 'info', 'cluster') unless key.include?('/')
      [service['uid'], *cluster].join('@')
    end

    def connection_of(service)
      chosen = specs[service['member']] || service.slice('connection')
      members = specs.values_at(*service['members']).compact.map { |spec| Gateway.connection(spec) }
      size = 0
      fit = members.take_while { |member| (size += JSON.generate(member).bytesize + 1) < MEMBERS_MAX }
      gates = fit.filter_map { |member| member['mt_gate'] }
      told = { **Gateway.connection(chosen), 'mt_members' => JSON.generate(fit) }
      gates.empty? ? told : { **told, 'mt_gates' => gates.join("\n") }
    end
  end
end
