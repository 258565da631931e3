# frozen_string_literal: true

module BatchConnect
  # What the cards say.
  module SessionsHelper
    def should_poll?(sessions)
      sessions.any? { |session| !session.completed? }
    end

    def status(session)
      return 'Starting' if session.starting?

      session.status.to_sym.to_s.humanize
    end

    # The app's view, in the connection's binding: markdown, and not escaped.
    def connection_view(session)
      connect = session.connect
      text = ERB.new(session.view, trim_mode: '-').result(connect.instance_eval { binding })
      OodAppkit.markdown.render(text).html_safe
    rescue StandardError, ScriptError => e
      "Cannot render the connection: #{e.message}"
    end
  end
end
