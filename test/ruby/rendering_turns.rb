# frozen_string_literal: true

require 'fiddle'
require 'multitenant/card/turn'
require 'rbconfig'

# Users of the host who render, each in a process of their own. What the test starts has a network namespace to itself,
# and so its own abstract sockets: other tests that render meanwhile are not counted, and are not kept waiting.
module RenderingTurns
  USERS = MultiTenant::Card::Limits::USERS
  TAKE = '$server = MultiTenant::Card::Turn.take; puts $server ? :yes : :no'
  FILE = File.expand_path('../../lib/multitenant/card/turn.rb', __dir__)

  NEWNET = 0x40000000
  UNSHARE, SETNS = { 'unshare' => 1, 'setns' => 2 }.map do |name, arguments|
    Fiddle::Function.new(Fiddle::Handle::DEFAULT[name], [Fiddle::TYPE_INT] * arguments, Fiddle::TYPE_INT)
  end

  def setup
    if Process.euid.zero?
      @shared = File.open('/proc/thread-self/ns/net')
      raise "unshare: error #{Fiddle.last_error}" unless UNSHARE.call(NEWNET).zero?
    end
    super
  end

  # Takes a turn as that user, and keeps it until the test ends.
  # @return [String] `yes` or `no`, or what else it says
  def turn_of(uid, ruby = TAKE)
    begin_turn(uid, ruby).gets.to_s.chomp
  end

  # @return [IO] it will say there what turn_of returns
  def begin_turn(uid, ruby = TAKE)
    need_root
    reader, writer = IO.pipe
    stdin, kept = IO.pipe
    argv = ['setpriv', '--reuid', uid.to_s, '--regid', uid.to_s, '--clear-groups', '--',
            RbConfig.ruby, '-r', FILE, '-e', "#{ruby}; $stdout.flush; $stdin.read"]
    (@kept ||= []) << [spawn(*argv, in: stdin, out: writer), kept]
    [stdin, writer].each(&:close)
    reader
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
  ensure
    raise "setns: error #{Fiddle.last_error}" unless @shared.nil? || SETNS.call(@shared.fileno, NEWNET).zero?

    @shared&.close
  end
end
