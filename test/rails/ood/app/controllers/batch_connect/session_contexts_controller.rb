# frozen_string_literal: true

module BatchConnect
  # The form of an app.
  class SessionContextsController < ApplicationController
    before_action :set_session_context

    def new; end

    # What would be submitted, in place of a session.
    def create
      @session_context.attributes = params.fetch(:batch_connect_session_context, {}).permit!.to_h
      submitted = @app.submit_opts(@session_context)
      # As Open OnDemand up to 3.1.11; later what password_field asks for is encrypted.
      Session.cache_root.join(@app.cache_file).write(@session_context.to_h.to_json)
      save_settings if ::Configuration.bc_saved_settings?
      render json: submitted
    rescue StandardError => e
      @alert = e.message
      render :new
    end

    private

    # Under a name that the user has chosen.
    def save_settings
      file = Pathname.new(::Configuration.user_settings_file)
      all = file.exist? ? YAML.safe_load(file.read) || {} : {}
      file.dirname.mkpath
      file.write(all.merge('mine' => @session_context.to_h.deep_stringify_keys).to_yaml)
    end

    def set_session_context
      @app = App.from_token(params[:token])
      @session_context = @app.build_session_context
    end
  end
end
