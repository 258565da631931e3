# frozen_string_literal: true

require_relative 'dashboard/app_cache'
require_relative 'dashboard/card_script'
require_relative 'dashboard/client_members'
require_relative 'dashboard/dashboard_host'
require_relative 'dashboard/own_service'
require_relative 'dashboard/poll'
require_relative 'dashboard/session_list'
require_relative 'dashboard/shared_cards'
require_relative 'dashboard/shared_connection'
require_relative 'dashboard/shared_session'
require_relative 'dashboard/submission'

module MultiTenant
  # Where we stand in Open OnDemand's dashboard, 3.1 to 4.2. The only place that knows OOD's classes.
  #
  # Each hook is checked before it is set: a dashboard whose inside is another keeps what it had when
  # it started, and its log says so once. What happens inside a hook never reaches a page.
  module Dashboard
    ATTRIBUTES = %w[services groups].map { |what| File.expand_path("dashboard/#{what}_attribute.rb", __dir__) }.freeze

    module_function

    # A question that means something for one choice alone. Where the dashboard hides none that the choice does not
    # ask (bc_dynamic_js), its label says so.
    # @param label [String]
    # @param choice [String] as the form calls it
    # @return [String] its label
    def only_for(label, choice)
      dynamic_forms? ? label : "#{label} (only for #{choice})"
    end

    # Several such questions, the last of a form: since 4.1 a heading can say it for all of them.
    # @param choice [String] as the form calls it
    # @param questions [Hash{String => Hash}] attributes
    # @return [Hash{String => Hash}] the same, each with its label, and the first with a heading where there can be one
    def all_only_for(choice, questions)
      if dynamic_forms? || !headings?
        return questions.transform_values { |one| { **one, label: only_for(one[:label], choice) } }
      end

      first = questions.keys.first
      { **questions, first => { **questions[first], header: "#### Only for #{choice}" } }
    end

    def dynamic_forms?
      defined?(Configuration) && Configuration.respond_to?(:bc_dynamic_js?) && Configuration.bc_dynamic_js?
    end

    def headings?
      defined?(SmartAttributes::Attribute) && SmartAttributes::Attribute.method_defined?(:header)
    end

    # Sets the hooks as soon as the dashboard's classes can be loaded.
    # @param receiver [Receiver]
    # @param sources [Sources]
    # @param log [#call] takes a level and a sentence
    # @return [void]
    def attach(receiver, sources, log:)
      hook(log, 'specs and cards renew only when the dashboard starts') do
        SharedSession.cards = SharedCards.new(receiver, sources)
        Rails.application.config.to_prepare { Dashboard.hook_in(log) }
      end
    end

    def hook_in(log)
      hook(log, 'specs and cards renew only when the dashboard starts') do
        put_before(BatchConnect::Session.singleton_class, SessionList, all: 0)
      end
      hook(log, 'a shared card can\'t be dismissed, its status is asked of Slurm, and the session of a service of ' \
                'several jobs is that of its first one') do
        put_before(BatchConnect::Session, SharedSession,
                   destroy: 0, cancel: 0, update_info: 0, old?: 0, update_cache_completed!: 0)
        put_before(BatchConnect::Session, OwnSession,
                   destroy: 0, cancel: 0, update_info: 0, connect_file: 0, connect: 0)
      end
      hook(log, 'the Host button of a shared card leads where its publisher says') do
        put_before(BatchConnect::Session, SharedHost, ssh_to_compute_node?: 0)
      end
      hook(log, 'what is shared may make pages slow, and the dashboard large') do
        put_before(BatchConnect::Session, SharedState, to_hash: 0)
        put_before(BatchConnect::Session, SharedConnection, connect: 0)
      end
      hook_clients(log)
      hook_forms(log)
      hook(log, 'a page without sessions does not look for new cards') { Poll.set }
      hook(log, 'what is open in a card closes when the page renews itself') { CardScript.set }
    end

    def hook_clients(log)
      hook(log, 'what a service told a client stays in the directory of a session that is deleted') do
        put_before(BatchConnect::Session, ClientSession, destroy: 0)
      end
      hook(log, 'what a service told a client stays in the directory of a session that could not be submitted') do
        put_before(BatchConnect::Session, ClientSubmission, save: 1)
      end
    end

    def hook_forms(log)
      hook(log, 'forms may be out of date for as long as the dashboard keeps them') do
        put_before(BatchConnect::App.singleton_class, AppCache, from_token: 1)
      end
      hook(log, 'a job that follows another one has only the options that Open OnDemand wrote down') do
        require 'ood_core/job/adapters/slurm'
        put_before(OodCore::Job::Adapters::Slurm::Batch, Submission, submit_string: 1, conf: 0)
      end
      hook(log, 'forms have no auto_multitenant_services and no auto_multitenant_groups') do
        build = SmartAttributes::AttributeFactory.method(:build)
        raise ArgumentError, 'build takes other arguments' unless build.arity == -2

        ATTRIBUTES.each { |file| load file }
      end
    end

    # @return [void]
    def hook(log, loss)
      yield
    rescue StandardError, ScriptError => e
      why = e.message.scrub('?').lines.first.to_s.strip
      log.call(:warn, "this Open OnDemand is one that we don't know (#{why}): #{loss}.")
    end

    # @param arities [Hash{Symbol => Integer}] the methods of the place that a hook is set before
    # @raise [StandardError] one is not there, or needs other arguments; more may be given
    def put_before(place, hooks, arities)
      arities.each do |name, arity|
        found = place.instance_method(name).arity
        raise ArgumentError, "#{name} takes other arguments" unless found == arity || found == -arity - 1
      end
      place.prepend(hooks)
    end
  end
end
