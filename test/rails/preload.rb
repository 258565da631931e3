# frozen_string_literal: true

# Loads what all dashboards have in common, as `ruby preload.rb` with a socket as descriptor 3. For each message of
# {"env": …, "uid": …, "gids": […], "chdir": DIR}, with the descriptors of questions, answers, log and a network
# namespace, it begins a dashboard, as `ruby serve.rb` in DIR would be, and answers with the pid.
require 'bundler/setup'
require 'fiddle'
require 'json'
require 'logger'
require 'pathname'
require 'socket'
require 'rails'
require 'active_model/railtie'
require 'action_controller/railtie'
require 'action_view/railtie'
Bundler.require(*Rails.groups)
require 'action_dispatch/testing/integration'

CLONE_NEWNET = 0x40000000
PR_SET_DUMPABLE = 4
SETNS, PRCTL = { 'setns' => 2, 'prctl' => 5 }.map do |name, arguments|
  Fiddle::Function.new(Fiddle.dlopen(nil)[name], [Fiddle::TYPE_INT] * arguments, Fiddle::TYPE_INT)
end

# As a program has it that this user starts: /proc/self is theirs.
def become(uid, gids)
  Process.groups = gids
  Process::GID.change_privilege(gids[0])
  Process::UID.change_privilege(uid)
  PRCTL.call(PR_SET_DUMPABLE, 1, 0, 0, 0)
end

def serve(question, questions, answers, log, network)
  raise SystemCallError.new('setns', Fiddle.last_error) unless SETNS.call(network.fileno, CLONE_NEWNET).zero?

  network.close
  $stdin.reopen(File::NULL)
  [$stdout, $stderr].each { |io| io.reopen(log) }
  log.close
  ENV.replace(question['env'])
  Gem.clear_paths
  srand
  become(question['uid'], question['gids'])
  Dir.chdir(question['chdir'])
  ARGV.replace([questions, answers].map { |io| io.tap { |one| one.autoclose = false }.fileno.to_s })
  load './serve.rb'
end

socket = Socket.for_fd(3)
loop do
  text, _, _, rights = socket.recvmsg(scm_rights: true)
  break if text.to_s.empty? # nil from Ruby 3.3 on

  given = rights.unix_rights
  pid = fork do
    socket.close
    serve(JSON.parse(text), *given)
  end
  Process.detach(pid)
  given.each(&:close)
  socket.sendmsg(pid.to_s)
end
