# frozen_string_literal: true

require_relative 'helper'
require_relative 'rendering_turns'

# At most a few users render at a time on the whole host, and no user can keep others from it.
class TestRenderingTurn < MultiTenantTest
  include RenderingTurns

  def test_no_more_users_than_the_host_bears_at_a_time
    answers = (1..(USERS + 2)).map { |i| turn_of(5000 + i) }
    assert_equal (['yes'] * USERS) + %w[no no], answers
  end

  def test_who_ends_makes_room
    USERS.times { |i| turn_of(5000 + i) }
    pid, stdin = @kept.shift
    stdin.close
    Process.wait(pid)
    assert_equal 'yes', turn_of(5100)
  end

  def test_a_user_has_one_turn_at_a_time
    assert_equal %w[yes no], [turn_of(5001), turn_of(5001)]
  end

  # Whoever takes names by the hundred, forges a pid in them, or refuses connections, counts once at most.
  def test_one_user_can_not_keep_others_from_it
    %w[128 0].each do |backlog|
      forged = <<~RUBY
        $all = (1..300).map { |i| UNIXServer.new("\\0multitenant-render-#{backlog}-\#{i}") }
        $all.each { |one| one.listen(#{backlog}) }
        puts :done
      RUBY
      assert_equal('done', turn_of(6666, forged))
      assert_equal(['yes'] * (USERS - 1), (1...USERS).map { |i| turn_of(5000 + i) })
      assert_equal('no', turn_of(5000)) if backlog != '0'
      let_go
    end
  end

  # Sockets of others may be called anything.
  def test_names_that_are_no_text_keep_nobody_from_it
    servers = ["\0jos\u00e9", "\0\xff"].map { |name| UNIXServer.new(name) }
    answers = %w[US-ASCII UTF-8].map.with_index do |encoding, i|
      turn_of(5001 + i, "Encoding.default_external = '#{encoding}'; #{TAKE}")
    end
    assert_equal %w[yes yes], answers
  ensure
    servers&.each(&:close)
  end

  # Each takes a call or two, of which a child has three seconds.
  def test_not_all_names_of_somebody_who_takes_thousands_are_looked_at
    servers = (1..20).map { |i| UNIXServer.new("\0multitenant-render-#{Process.pid}-#{i}") }
    users = MultiTenant::Card::Turn.users_but('', 10)
    assert_operator servers.count { |server| server.accept_nonblock(exception: false) != :wait_readable }, :<=, 10
    refute_empty users
  ensure
    servers&.each(&:close)
  end

  def test_all_at_once_are_never_more_than_the_host_bears
    answers = (1..(3 * USERS)).map { |i| begin_turn(5200 + i) }.map { |said| said.gets.to_s.chomp }
    assert_includes 1..USERS, answers.count('yes')
  end
end
