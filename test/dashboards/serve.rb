# frozen_string_literal: true

# Serves the dashboard in this directory at a port of this host, as one process that does one thing at a time, until its
# input ends. Its address is written to descriptor 3.
require File.join(Dir.pwd, 'config/environment')
$LOAD_PATH.unshift(ENV.fetch('MULTITENANT_PUMA')) unless Gem.loaded_specs.key?('puma')
require 'puma'
require 'puma/server'

root = ENV.fetch('RAILS_RELATIVE_URL_ROOT')
server = Puma::Server.new(Rack::URLMap.new(root => Rails.application), nil, min_threads: 1, max_threads: 1)
port = server.add_tcp_listener('127.0.0.1', 0).addr[1]
server.run
IO.for_fd(3).tap { |address| address.write("http://127.0.0.1:#{port}#{root}") }.close
$stdin.read
exit!(0)
