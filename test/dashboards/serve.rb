# frozen_string_literal: true

# Serves the dashboard in this directory at a port of this host, as one process that does one thing at a time, until its
# input ends. Its address is written to descriptor 3.
require File.join(Dir.pwd, 'config/environment')
$LOAD_PATH.unshift(ENV.fetch('MULTITENANT_PUMA')) unless Gem.loaded_specs.key?('puma')
require 'puma'
require 'puma/server'

# What Open OnDemand's web server passes on to a node is written down.
node = lambda do |env|
  $stdout.write("node: #{env['REQUEST_METHOD']} #{env['PATH_INFO']} #{env['rack.input'].read}\n")
  $stdout.flush
  [200, { 'content-type' => 'text/plain' }, ['node']]
end
root = ENV.fetch('RAILS_RELATIVE_URL_ROOT')
app = Rack::URLMap.new(root => Rails.application, '/rnode' => node)
server = Puma::Server.new(app, nil, min_threads: 1, max_threads: 1)
port = server.add_tcp_listener('127.0.0.1', 0).addr[1]
server.run
IO.for_fd(3).tap { |address| address.write("http://127.0.0.1:#{port}#{root}") }.close
$stdin.read
exit!(0)
