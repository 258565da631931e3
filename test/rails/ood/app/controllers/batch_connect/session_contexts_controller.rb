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
      # As Open OnDemand 3.1; since 4.0 what password_field asks for is encrypted.
      Session.cache_root.join(@app.cache_file).write(@session_context.to_h.to_json)
      render json: submitted
    rescue StandardError => e
      @alert = e.message
      render :new
    end

    private

    def set_session_context
      @app = App.from_token(params[:token])
      @session_context = @app.build_session_context
    end
  end
end
