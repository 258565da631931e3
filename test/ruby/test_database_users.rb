# frozen_string_literal: true

require_relative 'served_database'

# A directory of PostgreSQL that is served with another user than in the job before, as its README says of one who has
# rights on the whole server.
class TestDatabaseUsers < MultiTenantTest
  include ServedDatabase

  USER = %("#{NAME.gsub('"', '""')}u").freeze

  # Neither by what they were in, nor by what they took.
  def test_who_could_be_one_user_of_a_postgresql_is_not_where_it_is_served_with_another_one
    serving('postgresql', rights: 'write', own: 'no') do
      login(BOB, EVE)
      assert_rows [], BOB, 'CREATE TABLE lesson (n int); CREATE TABLE marks (n int)'
      assert_rows [], EVE, "SET ROLE none; ALTER TABLE marks OWNER TO #{EVE}"
      # Before PostgreSQL 15 whoever logs in as the user can do so, where it is shared without a gateway.
      administrate("GRANT #{USER} TO mt_tenants")
    end
    serving('postgresql', user: 'postgres') do
      login(BOB, EVE, PUBLISHER)
      ['INSERT INTO lesson VALUES (1)', "SET ROLE #{USER}"].each { |sql| refute_done DENIED, BOB, sql }
      refute_done DENIED, EVE, 'DROP TABLE marks'
    end
    # Nor is the publisher, as whom others' triggers run.
    serving('postgresql', rights: 'write') do
      login(PUBLISHER)
      refute_done DENIED, PUBLISHER, 'SET ROLE postgres'
      assert_rows [], PUBLISHER, 'DROP TABLE marks'
    end
  end

  # Their password was on cards where it was shared without a gateway.
  def test_no_tenant_of_postgresql_comes_in_as_the_user_of_an_earlier_job
    serving('postgresql', accounts: '') { nil }
    serving('postgresql', user: 'postgres') do
      login(BOB)
      # Before PostgreSQL 15 he can do so himself.
      administrate("GRANT #{BOB} TO #{USER}")
      refute_done(/pg_hba.conf rejects/, "#{NAME}u", 'SELECT 1', password: 'secret')
      assert_rows %w[1], BOB, 'SELECT 1'
    end
  end

  # Its owner has shut it by now.
  def test_who_could_be_a_user_of_a_postgresql_is_not_where_nobody_logs_in_as_that_one_any_more
    serving('postgresql', rights: 'write', own: 'no') do
      login(BOB)
      assert_rows [], BOB, 'CREATE TABLE lesson (n int)'
      administrate("ALTER ROLE #{USER} NOLOGIN")
    end
    serving('postgresql', user: 'postgres') do
      login(BOB)
      ['INSERT INTO lesson VALUES (1)', "SET ROLE #{USER}"].each { |sql| refute_done DENIED, BOB, sql }
    end
  end
end
