# frozen_string_literal: true

require 'smart_attributes'

module BatchConnect
  # An interactive app: its form and its view.
  class App
    # As OOD 4.2: the app and its form are kept for six hours.
    def self.from_token(token)
      Rails.cache.fetch("batch_connect_app/#{token}", expires_in: 6.hours) do
        new(router: SysRouter.new(token.split('/')[1]))
      end
    end

    attr_reader :router, :validation_reason

    delegate :token, to: :router

    def initialize(router:)
      @router = router
      form_config
    end

    def root
      router.path
    end

    def valid?
      form_config.any?
    end

    def attributes
      options = form_config.fetch(:attributes, {})
      form_config.fetch(:form, []).map do |id|
        SmartAttributes::AttributeFactory.build(id, options.fetch(id.to_sym, {}))
      end
    end

    def build_session_context
      attributes.each(&:validate!)
      SessionContext.new(attributes)
    end

    def session_view
      file = root.join('view.html.erb')
      file.read if file.file?
    end

    private

    # Whatever goes wrong in a form, the app has none and says why.
    def form_config
      @form_config ||= read_form.deep_symbolize_keys
    rescue Exception => e # rubocop:disable Lint/RescueException -- a SyntaxError too
      @validation_reason = "#{e.class}: #{e.message}"
      @form_config = {}
    end

    def read_form
      file = %w[form.yml.erb form.yml].map { |name| root.join(name) }.find(&:file?)
      raise "no form below #{root}" unless file

      text = file.read
      text = ERB.new(text, trim_mode: '-').result(nil) if file.extname == '.erb'
      YAML.safe_load(text)
    end
  end
end
