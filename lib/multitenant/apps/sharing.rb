# frozen_string_literal: true

require 'cgi'
require 'shellwords'
require_relative '../errors'
require_relative '../settings'
require_relative '../version'
require_relative 'chain'
require_relative 'gateway_job'

module MultiTenant
  # What service apps have in common: the questions of their forms about sharing, what the job does with the answers,
  # and what its owner's card says of it.
  module Sharing
    LIBEXEC = File.expand_path('../../../libexec', __dir__)
    # JOB comes with PORT: see {job}. DATA is what script.sh reads of a service whose directory one server alone can
    # have.
    JOB, PORT, SENDER, DATA = %w[job port share data].map { |name| File.join(LIBEXEC, "multitenant-#{name}") }
    # What the sender's --note says of a share, behind what the job says of its gateway, and of those whom it is for and
    # how it is sealed, in words.
    SHARED = /\A(?:(?<gate>[^|]+)\|)?
              shared[ ](?<method>form|card)[ ](?<envelope>v1|munge|key)[ ](?<with>\d+|group|me)(?<more>\+?)[ ]
              (?<group>.+)\z/mx
    WHERE = { 'form' => 'as a choice in forms', 'card' => 'as a card and a choice in forms' }.freeze
    SEALED = {
      'v1' => 'Every user of the cluster can read what is shared, passwords too (envelope v1).',
      'munge' => 'Nobody else can read what is shared: it is sealed by munge.',
      'key' => 'Nobody outside the group can read what is shared: it is sealed with the group\'s key.'
    }.freeze
    MORE = ' There are others whom the name service does not list, as envelope v1 needs it. The file output.log says ' \
           'more.'
    NOBODY = 'Shared with nobody.'
    NEXT_TIME = 'To share it, delete this session and start another one.'
    MUNGED = '/run/munge/munge.socket.2' # of all distributions
    GROUP = 'A Group'
    CARD = 'A Card and a Choice in Forms'
    # Of what the core refuses in a title, what people type.
    NO_SIGNS = 'without apostrophes, quotation marks, backslashes, &, < and >'
    PUBLIC = '**Every user of the cluster can read what is shared, passwords too** (envelope v1).'

    class << self
      # @param presets [Array<Array(String, String, String)>] label, name of the app, token of its delivery app
      # @param site [Hash] the app's site.yml
      # @param address [Boolean] see {Chain.address_form}
      # @return [Hash{String => Hash}] attributes of a form, in their order
      def form(presets, site: {}, address: false)
        chain = { **Chain.form(site), **(address ? Chain.address_form(site) : {}) }
        { 'enable_multitenant' => {
            widget: 'select', label: 'Share With',
            help: ['Who may use this service?', *GatewayJob.help(site, envelope(site)),
                   (PUBLIC if envelope(site) == 'v1')].compact.join(' '),
            options: whom(site, hide_all(chain))
          },
          **Dashboard.all_only_for(GROUP, { **group_questions, **chain }),
          'mt_delivery_select' => {
            widget: 'select', label: Dashboard.only_for('Kind of Card', CARD),
            help: 'What the card offers to those who get it.',
            options: allowed(presets).map { |label, app, token| [label, "#{app} #{token}"] }
          } }
      end

      # @return [String] bash: what the jobs of all apps have in common
      def job
        [JOB, PORT].map { |file| File.read(file) }.join("\n")
      end

      # @param context [#enable_multitenant, #auto_multitenant_groups, #mt_method, #mt_delivery_select] the answers to
      #   {form}; #mt_title may be missing
      # @param session [String] OOD's session id
      # @param site [Hash] the app's site.yml
      # @param staged [Pathname, nil] the session's directory; without it there is one job
      # @return [String] bash: {job} and `multitenant_share`, which takes the further arguments of
      #   libexec/multitenant-share and returns its code, or 1 where nothing is to be shared, and sets mt_shared to what
      #   {note} takes; mt_title is what it is called
      # @raise [Failure] it can't be called so, or the site does without a gateway in no case, and there can be none
      def script(context, session:, site: {}, staged: nil)
        options = options(context, session, site)
        GatewayJob.check_unshared(site, envelope(site)) unless options
        start = "#{job}\n# shellcheck disable=SC2034 # after.sh quotes it for the card\n" \
                "mt_title=#{title(context).shellescape}\n# shellcheck disable=SC2034 # and mt_shared\n"
        return "#{start}multitenant_share() { mt_shared='#{NOBODY}'; return 1; }\n" unless options

        <<~BASH
          #{start}multitenant_send() {
            BASH_ENV='' #{keys}bash -s -- --note #{options.shelljoin} "$@" <<'MULTITENANT_SHARE'
          #{File.read(SENDER)}
          MULTITENANT_SHARE
          }
          multitenant_share() {
            mt_shared=$(multitenant_send "$@") || {
              set -- $?
              mt_shared="${mt_shared:-Not shared.} The file output.log says more."
              return "$1"
            }
          }
          # What was shared before a restart is not there any more.
          [[ ${SLURM_RESTART_COUNT:-0} == 0 ]] || multitenant_share --unshare
          #{guard(context, site)}#{Chain.script(context, session: session, site: site, staged: staged)}
        BASH
      end

      # @param site [Hash] the app's site.yml
      # @return [String] the sender's --envelope
      def envelope(site)
        told = site['envelope'].to_s.empty? ? 'v1' : site['envelope'].to_s
        return told unless told == 'auto'

        # YAML takes a bare no for false.
        ['no', false].include?(site['old_readers']) ? 'auto' : 'v1'
      end

      # @param told [String, nil] what `multitenant_share` set mt_shared to
      # @return [String] HTML for the owner's card: with whom it is shared, or why it is not
      def note(told)
        # A number is the code that a job kept which was started before an upgrade.
        return '' if told.to_s.match?(/\A\d*\z/)

        shared = SHARED.match(told.to_s)
        sentences = [told.to_s, *(NEXT_TIME if told == NOBODY)]
        sentences = [with(shared), *GatewayJob.note(shared[:gate]), SEALED[shared[:envelope]]] if shared
        sentences.map { |sentence| "<p>#{CGI.escapeHTML(sentence)}</p>" }.join
      end

      private

      # What is shared with nobody has no gateway, so where there is one it is not what the form proposes.
      def whom(site, hidden)
        nobody, alone = [%w[Nobody none], ['Only Myself', 'user']].map { |choice| [*choice, hidden] }
        return [alone, [GROUP, 'mt']] if GatewayJob.required?(site)

        guarded = GatewayJob.wanted?(site) && envelope(site) != 'v1'
        [*(guarded ? [alone, nobody] : [nobody, alone]), [GROUP, 'mt']]
      end

      # Dashboards refuse the others. Where they refuse all of ours, the form would have nothing to ask.
      def allowed(presets)
        patterns = Settings.new.deliveries
        matching = File::FNM_PATHNAME | File::FNM_NOESCAPE # as in ext/multitenant/policy.c
        found = presets.select { |_, _, token| patterns.any? { |pattern| File.fnmatch?(pattern, token, matching) } }
        found.empty? ? presets : found
      end

      def group_questions
        { 'auto_multitenant_groups' => { label: 'Group', help: 'Its members may use this service.' },
          'mt_title' => {
            widget: 'text_field', label: 'Title', maxlength: Core::LIMITS[:app_chars],
            help: "What they see it called, such as Spanish 301, #{NO_SIGNS}. Left blank, it is " \
                  'called by its kind.'
          },
          'mt_method' => {
            widget: 'select', label: 'Shown As',
            help: 'A card comes by itself, under My Interactive Sessions. Forms are those of apps that use such a ' \
                  'service, as Jupyter does.',
            options: [[CARD, 'card'], ['Only a Choice in Forms', 'form', { 'data-hide-mt-delivery-select': true }]]
          } }
      end

      def with(shared)
        whom = case shared[:with]
               when 'me' then 'you alone'
               when 'group' then "all members of #{shared[:group]}"
               when '1' then "1 other member of #{shared[:group]}"
               else "#{shared[:with]} other members of #{shared[:group]}"
               end
        "Shared with #{whom}, #{WHERE[shared[:method]]}.#{MORE unless shared[:more].empty?}"
      end

      # @return [String] '' where there is none
      def title(context)
        context.respond_to?(:mt_title) ? context.mt_title.to_s.strip : ''
      end

      # @return [Array<String>, nil]
      def options(context, session, site)
        app, delivery = context.mt_delivery_select.to_s.split(' ', 2)
        common = ['--app', app.to_s, '--delivery', delivery.to_s, '--session', session]
        common.push('--envelope', context.enable_multitenant == 'user' ? for_oneself(site) : for_a_group(site))
        common.push('--munge-socket', munge_socket(site)) if munge_socket(site)
        common.push('--title', title(context)) unless title(context).empty?
        check_title(title(context)) if %w[user mt].include?(context.enable_multitenant)
        case context.enable_multitenant
        when 'user' then [*common, '--method', 'form', '--only-me']
        when 'mt'
          [*common, '--method', context.mt_method.to_s, '--group', context.auto_multitenant_groups.to_s]
        end
      end

      # By the sender it would be refused once it has waited in the queue.
      def check_title(told)
        return if told.empty? || Native.title?(told)

        raise Failure.new(EX_USAGE, "Nothing can be called #{told.inspect}: choose a title of at most " \
                                    "#{Core::LIMITS[:app_chars]} characters, #{NO_SIGNS}.")
      end

      # For that munged has to know no group, and all who have the key of one's primary group could open what is sealed
      # by it. Where a node has no munge it is that key all the same.
      # @return [String] as {envelope}
      def for_oneself(site)
        told = envelope(site)
        told == 'key' && opened_by_munge? ? 'auto' : told
      end

      # A group's key may still be on a node where dashboards do not take that any more.
      # @return [String] as {envelope}
      def for_a_group(site)
        told = envelope(site)
        told == 'auto' && !Settings.new.envelopes.include?('key') ? 'munge' : told
      end

      # By this dashboard. The gem may have been built without libmunge.
      def opened_by_munge?
        settings = Settings.new
        socket = settings.munge_socket || MultiTenant.munge_socket || MUNGED
        settings.envelopes.include?('munge') && File.executable?(Credentials::PROGRAM) && File.socket?(socket)
      end

      # @return [String, nil]
      def munge_socket(site)
        [site['munge_socket'].to_s, Settings.new.munge_socket.to_s].find { |path| !path.empty? }
      end

      # As dashboards look for them; where the site says nothing, as the job does.
      # @return [String] bash
      def keys
        told = Settings.new.keys
        told ? "MULTITENANT_KEYS=#{told.shellescape} " : ''
      end

      # @return [String] bash
      def guard(context, site)
        group = context.auto_multitenant_groups.to_s if context.enable_multitenant == 'mt'
        GatewayJob.script(site, envelope: envelope(site), group: group, munge_socket: munge_socket(site))
      end

      # The questions that mean nothing where nobody else gets the service. Who then chooses other users is asked all of
      # them, so the method is one that has a card: OOD does not look at what that choice hides.
      def hide_all(chain)
        hidden = [*group_questions.keys, *chain.keys, 'mt_delivery_select']
        { **hidden.to_h { |id| [:"data-hide-#{id.tr('_', '-')}", true] }, 'data-set-mt-method': 'card' }
      end
    end
  end
end
