# frozen_string_literal: true

require_relative 'served_database'

# What tenants who could change everything in one job have done, in the next one.
class TestDatabaseLater < MultiTenantTest
  include ServedDatabase

  # By the names of their accounts a job finds who could be the user; how names are written is a setting, too.
  def test_no_setting_of_a_tenant_of_postgresql_keeps_them_in_the_role_of_its_user
    serving('postgresql', rights: 'write', own: 'no') do
      login(BOB, EVE)
      assert_rows [], BOB, 'CREATE TABLE lesson (n int); CREATE TABLE marks (n int)'
      assert_rows [], EVE, "SET ROLE none; ALTER TABLE marks OWNER TO #{EVE}"
      setting = 'ALTER DATABASE %I SET quote_all_identifiers = on'
      assert_rows [], BOB, "SELECT format('#{setting}', current_database()) \\gexec"
    end
    serving('postgresql') do
      login(BOB, EVE)
      refute_done DENIED, BOB, 'INSERT INTO lesson VALUES (1)'
      refute_done DENIED, EVE, 'DROP TABLE marks'
    end
  end

  # Without a gateway all are the user, who owns the database. The README says what its publisher does then.
  def test_what_helps_where_a_user_of_a_postgresql_shut_its_database
    base, user = [NAME, "#{NAME}u"].map { |name| name.gsub('"', '""') }
    help = File.read(File.join(TEMPLATE, '../README.md'))[/`(ALTER DATABASE "DATABASE" [^`]+)`/, 1]
    serving('postgresql', accounts: '') do
      assert_rows [], "#{NAME}u", <<~SQL, password: 'secret'
        ALTER ROLE CURRENT_USER SET local_preload_libraries = nope; ALTER DATABASE "#{base}" CONNECTION LIMIT 0;
        ALTER ROLE CURRENT_USER IN DATABASE "#{base}" SET local_preload_libraries = nope;
        ALTER DATABASE "#{base}" SET local_preload_libraries = nope;
        REVOKE CONNECT ON DATABASE "#{base}" FROM PUBLIC, "#{user}";
      SQL
      refute_equal 0, query("#{NAME}u", 'SELECT 1', password: 'secret').code
      administrate(help.gsub('"DATABASE"') { %("#{base}") }.gsub('"USER"') { %("#{user}") })
      assert_rows %w[1], "#{NAME}u", 'SELECT 1', password: 'secret'
    end
  end

  # What is dropped takes along the columns, or the indexes, that use it.
  def test_what_the_columns_of_a_postgresql_use_is_its_users_in_the_next_job
    all = ['COLLATION public.words', 'TEXT SEARCH DICTIONARY public.words', 'TEXT SEARCH CONFIGURATION public.words',
           'CONVERSION public.words', 'OPERATOR public.=== (text, text)']
    serving('postgresql', rights: 'write') do
      login(BOB)
      assert_rows [], BOB, <<~SQL
        CREATE COLLATION public.words FROM "C"; CREATE TEXT SEARCH DICTIONARY public.words (TEMPLATE = simple);
        CREATE TEXT SEARCH CONFIGURATION public.words (COPY = simple);
        CREATE CONVERSION public.words FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
        CREATE OPERATOR public.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq);
        CREATE TABLE public.lesson (word text COLLATE public.words); INSERT INTO public.lesson VALUES ($$ser$$)
      SQL
    end
    serving('postgresql') do
      login(BOB)
      all.each { |made| refute_done DENIED, BOB, "DROP #{made} CASCADE" }
      assert_rows %w[ser], BOB, 'SELECT word FROM public.lesson'
    end
  end

  # They may, but what others have of their own is still theirs.
  def test_a_database_that_a_tenant_of_mariadb_drops_ends_no_later_job
    base = NAME.gsub('`', '``')
    serving('mariadb', rights: 'write') do
      login(BOB, EVE)
      assert_rows [], BOB, "CREATE TABLE #{BOB}.own (n int); INSERT INTO #{BOB}.own VALUES (7)"
      assert_rows [], EVE, "DROP DATABASE `#{base}`"
    end
    serving('mariadb', rights: 'write') do
      login(BOB)
      assert_rows %w[7], BOB, 'CREATE TABLE lesson (n int); INSERT INTO lesson SELECT n FROM ' \
                              "#{BOB}.own; SELECT n FROM `#{base}`.lesson"
    end
  end
end
