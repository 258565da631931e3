# frozen_string_literal: true

require 'date'
require 'digest'
require 'fileutils'
require 'shellwords'
require_relative '../errors'
require_relative '../settings'
require_relative 'gate_state'
require_relative 'gateway_job'

module MultiTenant
  # A service of several jobs, which follow each other or stand side by side: what forms of service apps ask, and what
  # the job then does (libexec/multitenant-chain).
  module Chain
    FILES = %w[chain keeper submission].map do |name|
      File.expand_path("../../../libexec/multitenant-#{name}", __dir__)
    end.freeze
    # Here the dashboard keeps how a session was submitted, where this directory is in the session's own.
    SUBMISSION = 'submission'
    # Of what is called by no letter that a service's name may have.
    UNNAMED = 'service'
    # What tells one title from another: no case, spaces and punctuation, but C is not C++ nor C#.
    BETWEEN = /[^\p{L}\p{M}\p{N}+#]+/
    # And can't stand in the name of a service.
    LOST = /[\p{L}\p{M}\p{N}+#&&[^a-z0-9]]/
    ADDRESS = { 'mt_address' => {
      widget: 'select', label: 'Address Outside Open OnDemand', options: [%w[No no], %w[Yes yes]],
      help: 'One that stays the same when other jobs run it, for programs anywhere. Who uses it needs a key there, ' \
            'too; that there is such a service, and whose, everybody can see.'
    } }.freeze

    class << self
      # @param site [Hash] the app's site.yml
      # @return [Hash{String => Hash}] attributes of a form; none where services are not kept running
      def form(site)
        days = site['keep_days'].to_i
        days.positive? ? kept(days, site['copies_max'].to_i) : {}
      end

      # @param site [Hash] the same
      # @return [Hash{String => Hash}] the attribute by which a service with a gateway or a key gets an address outside
      #   Open OnDemand; none where the site has none
      def address_form(site)
        site['keep_days'].to_i.positive? && Settings.new.address ? ADDRESS : {}
      end

      # @param context [#auto_multitenant_groups] the answers to {form} and to Sharing.form
      # @param session [String] OOD's session id
      # @param site [Hash] the app's site.yml
      # @param staged [Pathname, nil] the session's directory
      # @return [String] bash, which is empty where there is to be one job without a name
      # @raise [Failure] the day is none that may be chosen
      def script(context, session:, site:, staged:)
        return '' unless staged && context.enable_multitenant == 'mt' && site['keep_days'].to_i.positive?

        last = last_day(answer(context, :mt_until), site)
        copies = answer(context, :mt_copies).to_i.clamp(1, [site['copies_max'].to_i, 1].max)
        address = answer(context, :mt_address) == 'yes' && Settings.new.address
        app = ServiceState.app_of(staged, session)
        return '' unless last || copies > 1 || address || lists?(context, site, app)

        FileUtils.mkdir_p(File.join(staged, SUBMISSION), mode: 0o700)
        title = answer(context, :mt_title)
        options = { service: name(title, context, app), group: context.auto_multitenant_groups, session: session,
                    directory: staged, title: title, copies: copies, generations: site['generations_max'],
                    lead: site['lead'], until: last && "@#{last}" }.compact
        "#{FILES.map { |file| File.read(file) }.join("\n")}\n" \
          "# shellcheck disable=SC2034 # withdraw has it\nmt_known_for=#{known_for}\n" \
          "#{"# shellcheck disable=SC2034 # share_service has it\nmt_address=#{address.shellescape}\n" if address}" \
          "keep_running #{options.map { |key, value| ["--#{key}", value.to_s] }.flatten.shelljoin}\n"
      end

      private

      # @return [Hash{String => Hash}]
      def kept(days, copies)
        today = Date.today
        questions = { 'mt_until' => {
          widget: 'date_field', label: 'Keep Running Until', cacheable: false,
          min: today.to_s, max: (today + days).to_s,
          help: 'Another job follows each, until the end of that day. Left blank, there is one job.'
        } }
        return questions unless copies > 1

        { 'mt_copies' => {
          widget: 'number_field', label: 'Copies', value: 1, min: 1, max: copies,
          help: 'So many jobs serve it side by side, each started on another node if that can be. Each takes a part ' \
                'of those who use it, and all of them while another is away.'
        }, **questions }
      end

      def answer(context, name)
        context.respond_to?(name) ? context.public_send(name).to_s.strip : ''
      end

      # A snapshot that they read may be two times to live old; an answer by ssh lives longer. No job stays for more
      # than ten minutes where nobody is connected.
      # @return [Integer] seconds for which tenants' dashboards may know of a job that has handed over
      def known_for
        ttl = Settings.new.ttl
        [2 * ttl, ttl + MultiTenant.answers_live].max.ceil.clamp(60, 600)
      end

      # @return [Integer, nil] the last second of that day
      def last_day(told, site)
        return if told.empty?

        day = Date.iso8601(told)
        raise Date::Error unless day.between?(Date.today, Date.today + site['keep_days'].to_i)

        Time.local(day.year, day.month, day.day, 23, 59, 59).to_i
      rescue Date::Error
        raise Failure.new(EX_USAGE, "A service is kept running until one of the next #{site['keep_days']} days, not " \
                                    "until #{told.inspect}: choose another day.")
      end

      # The form asks for the day anew each time. Left blank, the one job is the service that was called so all the same
      # where somebody is banned from that, or has a limit, and the owner's commands go on meaning it by that name.
      def lists?(context, site, app)
        return false unless GatewayJob.wanted?(site)

        service = name(answer(context, :mt_title), context, app)
        group = answer(context, :auto_multitenant_groups)
        ServiceState.all.any? do |state|
          state.service == service && state.group == group && GateState.of(state)&.lists?
        end
      end

      # Bans, limits and the address go by the name. So a title means the service of this app's that has it, which may
      # have been named by another release, or have got that title later.
      def name(title, context, app)
        short, own = names(title, context)
        return own if said(title).empty?

        group = answer(context, :auto_multitenant_groups)
        known = ServiceState.all.select do |one|
          one.group == group && said(one['title'].to_s) == said(title) &&
            ((told = one.app) ? told == app : [own, short].include?(one.service))
        end
        known.min_by { |one| [[own, short].index(one.service) || 2, one.service.size] }&.service || own
      end

      # @return [Array(String, String)] of those letters of the title that a name may have; and with a digest where it
      #   lacks some, as of titles in another script all do
      def names(title, context)
        kind = context.mt_delivery_select.to_s.split(' ', 2).first.to_s
        whole = [title, kind].map { |text| plain(text).gsub(/[^a-z0-9]+/, '-').gsub(/\A-+|-+\z/, '') }
        whole = whole.find { |name| !name.empty? } || UNNAMED
        short = whole[0, 60]
        return [short, short] unless whole.size > 60 || plain(title).match?(LOST)

        [short, "#{short[0, 53].delete_suffix('-')}-#{Digest::SHA256.hexdigest(said(title))[0, 6]}"]
      end

      # @return [String] small letters without accents
      def plain(text)
        text.unicode_normalize(:nfkd).gsub(/\p{Mn}/, '').downcase
      end

      def said(title)
        title.unicode_normalize(:nfkc).downcase.gsub(BETWEEN, ' ').strip
      end
    end
  end
end
