# frozen_string_literal: true

require_relative 'helper'

# What script/test says before it starts anything.
class TestScripts < MultiTenantTest
  # @return [Done] of script/test in a copy of script/ alone
  def script_test(*names)
    FileUtils.cp_r(File.join(Tree::ROOT, 'script'), temporary)
    FileUtils.chmod_R('a+rX', File.join(temporary, 'script'))
    run_as(nil, File.join(temporary, 'script/test'), *names)
  end

  def test_a_part_that_there_is_not_is_told_with_those_that_there_are
    done = script_test('rubby')
    assert_equal 64, done.code
    assert_match(/no part rubby; .* ruby /, done.err)
  end

  def test_a_clone_that_other_users_cannot_read_is_told_at_the_start
    need_root
    File.chmod(0o700, temporary)
    done = script_test('ruby')
    assert_equal [1, "script/test: other users can't read #{temporary}: chmod o+rX it and o+x what is above, " \
                     "or clone to another place\n"], [done.code, done.err]
  end

  def test_parts_that_need_the_build_say_so
    done = script_test('c', 'ruby')
    assert_equal [1, "script/test: ruby needs what build makes: script/test build c ruby\n"], [done.code, done.err]
  end
end
