# frozen_string_literal: true

module BatchConnect
  # My Interactive Sessions.
  class SessionsController < ApplicationController
    def index
      @sessions = Session.all
      @sessions.each(&:update_cache_completed!)
      respond_to { |format| format.any(:html, :turbo_stream) }
    end

    def destroy
      session = Session.find(params[:id])
      answer(session, session.destroy)
    end

    def cancel
      session = Session.find(params[:id])
      answer(session, session.cancel)
    end

    private

    def answer(session, done)
      respond_to do |format|
        format.html { redirect_to batch_connect_sessions_url, (done ? :notice : :alert) => done ? 'done' : 'failed' }
        format.json { done ? head(:no_content) : render(json: session.errors, status: :unprocessable_entity) }
      end
    end
  end
end
