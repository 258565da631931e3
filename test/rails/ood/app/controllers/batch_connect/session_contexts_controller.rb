# frozen_string_literal: true

module BatchConnect
  # The form of an app.
  class SessionContextsController < ApplicationController
    def new
      @app = App.from_token(params[:token])
      @session_context = @app.build_session_context
    end
  end
end
