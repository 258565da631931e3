# frozen_string_literal: true

require_relative 'served_database'

# What one tenant takes of a database's server that all of its sessions need.
class TestDatabaseHolds < MultiTenantTest
  include ServedDatabase

  SLEEP = 'SELECT pg_sleep(60);'
  # Locks stay the session's where the statement that took them fails.
  ALL_LOCKS = <<~SQL.freeze
    \\set ON_ERROR_STOP off
    #{'SELECT count(pg_advisory_lock(i)) FROM generate_series(1, 1000000) i;' * 3}
    #{SLEEP}
  SQL

  # Nobody can connect then, so nobody can lock an account, or ask the server whose session it is.
  def test_tenants_of_postgresql_who_hold_all_locks_keep_no_ban_from_acting
    serving('postgresql', own: 'no') do
      login(BOB, EVE, PUBLISHER)
      # They come again as soon as they are cut off.
      holders = [BOB, EVE].flat_map do |account|
        Array.new(2) { Thread.new { nil until query(account, ALL_LOCKS).err.match?(LOCKED) } }
      end
      wait_until { Array.new(3) { query(PUBLISHER, 'SELECT 1').err }.all?(/out of shared memory/) }
      refute_equal 0, gate('login', PUBLISHER, PASSWORD, 'daemon').code
      # Each is tried again until it has acted.
      bans = %w[2002 2003].map { |uid| Thread.new { wait_until { gate('ban', uid).code.zero? } } }
      [*bans, *holders].each(&:join)
      assert_rows %w[f f], PUBLISHER, "SELECT rolcanlogin FROM pg_roles WHERE rolname IN ('#{BOB}', '#{EVE}')"
      login(BOB)
      assert_rows %w[1], BOB, 'SELECT 1'
    end
  end

  # The owner of a database may rewrite its catalogs: that waits for who reads them, and all others wait behind it, in
  # part before they are connected, where a limit of theirs does not count yet.
  def test_a_tenant_of_postgresql_who_holds_a_catalog_keeps_nobody_out_and_no_ban_from_acting
    serving('postgresql', rights: 'write', own: 'no') do
      login(BOB)
      [%W[login #{EVE} #{PASSWORD} eve], %w[ban 2002]].each do |words|
        reader = Thread.new { query(BOB, "BEGIN; SELECT count(*) FROM pg_class; #{SLEEP}") }
        wait_until { administrate("SELECT count(*) FROM pg_stat_activity WHERE query = '#{SLEEP}'") == '1' }
        writer = Thread.new { query(BOB, 'VACUUM FULL pg_catalog.pg_attribute; VACUUM FULL pg_catalog.pg_class') }
        wait_until { administrate('SELECT count(*) FROM pg_locks WHERE NOT granted') == '1' }
        wait_until { gate(*words).code.zero? }
        refute_equal 0, writer.value.code, words
        administrate("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '#{BOB}'")
        refute_equal 0, reader.value.code, words
        assert_rows %w[1], EVE, 'SELECT 1'
      end
      refute_done LOCKED, BOB, 'SELECT 1'
    end
  end
end
