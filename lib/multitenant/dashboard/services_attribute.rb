# frozen_string_literal: true

# The form attribute auto_multitenant_services: a choice of the services that are shared with the
# viewer now. Its value is the key of MultiTenant.services; made anew for every request.
#
#   form: [auto_multitenant_services]
#   attributes:
#     auto_multitenant_services:
#       apps: [Ollama_API, Ollama_Code]   # names of apps, or one; absent: all
#
# Loaded once the dashboard's classes can be.
module SmartAttributes
  class AttributeFactory # :nodoc:
    # @param opts [Hash] attribute's options
    # @return [Attributes::AutoMultitenantServices]
    def self.build_auto_multitenant_services(opts = {})
      Attributes::AutoMultitenantServices.new('auto_multitenant_services', opts)
    end
  end

  module Attributes
    # A select of shared services.
    class AutoMultitenantServices < Attribute
      NONE = 'No service is shared with you at this time'
      CHOOSE = 'Choose a service'

      def initialize(id, opts = {})
        opts = opts.to_h.symbolize_keys
        # A kept choice may have ended, and a browser would take another for it.
        super(id, { cacheable: false }.merge(opts.except(:apps), options: self.class.choices(opts[:apps])))
      end

      # @param apps [Array<String>, String, nil]
      # @return [Array<Array(String, String)>] text and key, by publisher and title
      def self.choices(apps)
        wanted = Array(apps).map(&:to_s)
        services = MultiTenant.services.select { |_, service| wanted.empty? || wanted.include?(service['app']) }
        MultiTenant::ServiceNames.of(services, MultiTenant.specs).map(&:reverse).sort
      end

      # The only service is chosen already, unless another one was before.
      def required # rubocop:disable Naming/PredicateMethod -- OOD's name
        !opts[:options].one? || !(value.empty? || chosen?)
      end

      # To a required select Rails adds an empty option, unless it has a prompt.
      def field_options(fmt: nil)
        return super unless required

        super.merge(prompt: opts[:options].empty? ? NONE : CHOOSE, selected: chosen? ? value : '')
      end

      def widget
        'select'
      end

      def label(*)
        (opts[:label] || 'Shared service').to_s
      end

      private

      def chosen?
        opts[:options].any? { |_, key| key == value }
      end
    end
  end
end
