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
        option = options.fetch(id.to_sym, {})
        option = { value: option, fixed: true } unless option.is_a?(Hash)
        SmartAttributes::AttributeFactory.build(id, option)
      end
    end

    def build_session_context
      attributes.each(&:validate!)
      SessionContext.new(attributes)
    end

    # What submit.yml.erb makes of the answers.
    def submit_opts(session_context)
      staged = Session.dataroot(token).join('output', SecureRandom.uuid)
      names = OpenStruct.new(session_context.to_h.merge(staged_root: staged)) # rubocop:disable Style/OpenStructUse -- as OOD does
      YAML.safe_load(render(root.join('submit.yml.erb'), names.instance_eval { binding }))
    end

    def cache_file
      "#{token.tr('/', '_')}.json"
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

      YAML.safe_load(file.extname == '.erb' ? render(file, nil) : file.read)
    end

    def render(file, names)
      ERB.new(file.read, trim_mode: '-').tap { |erb| erb.filename = file.to_s }.result(names)
    end
  end
end
