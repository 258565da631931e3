# frozen_string_literal: true

Mime::Type.register 'text/vnd.turbo-stream.html', :turbo_stream
