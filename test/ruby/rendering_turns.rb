# frozen_string_literal: true

require 'multitenant/card/turn'
require 'rbconfig'

# Users of the host who render, each in a process of their own.
module RenderingTurns
  USERS = MultiTenant::Card::Limits::USERS
  TAKE = '$server = MultiTenant::Card::Turn.take; puts $server ? :yes : :no'
  FILE = File.expand_path('../../lib/multitenant/card/turn.rb', __dir__)

  # Takes a turn as that user, and keeps it until the test ends.
  # @return [String] `yes` or `no`, or what else it says
  def turn_of(uid, ruby = TAKE)
    need_root
    reader, writer = IO.pipe
    stdin, kept = IO.pipe
    argv = ['setpriv', '--reuid', uid.to_s, '--regid', uid.to_s, '--clear-groups', '--',
            RbConfig.ruby, '-r', FILE, '-e', "#{ruby}; $stdout.flush; $stdin.read"]
    (@kept ||= []) << [spawn(*argv, in: stdin, out: writer), kept]
    [stdin, writer].each(&:close)
    reader.gets.to_s.chomp
  end

  def let_go
    @kept&.each do |pid, stdin|
      stdin.close
      Process.wait(pid)
    end
    @kept = nil
  end

  def teardown
    let_go
    super
  end
end
