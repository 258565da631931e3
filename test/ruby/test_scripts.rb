# frozen_string_literal: true

require_relative 'helper'

# What script/test says before it starts anything, and what test beds leave.
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

  # What is asked of the machine is said instead of done.
  def clear_away(bed, beds)
    machine = File.read(File.join(Tree::ROOT, 'script/testbed.d/machine.sh')).sub(/^readonly BEDS=.*/, "BEDS=#{beds}")
    stubs = %w[userdel groupdel gpasswd].map { |name| "#{name}() { echo #{name} \"$@\"; }\n" }.join
    stubs += "say() { :; }\nknown() { :; }\nis_member() { :; }\nwait_for() { \"${@:2}\"; }\n"
    out, status = Open3.capture2({ 'DIR' => bed }, 'bash', '-c', "set -euo pipefail\n#{machine}\n#{stubs}clear_away")
    assert_predicate status, :success?
    out.lines(chomp: true)
  end

  # Whichever of them made an account.
  def test_the_last_test_bed_removes_all_accounts_and_no_other_does
    beds = File.join(temporary, 'beds')
    all = %w[first second gone].map { |name| File.join(temporary, name) }
    [beds, *all.first(2)].each { |dir| Dir.mkdir(dir) }
    all.each { |dir| FileUtils.touch(File.join(beds, dir.tr('/', '+'))) }
    all.first(2).each { |dir| FileUtils.touch(File.join(dir, 'mode')) }
    File.write(File.join(beds, 'made'), "group lab\nuser ann\nmember ann lab\n")
    assert_empty clear_away(all[0], beds)
    assert_equal ['userdel ann', 'groupdel lab'], clear_away(all[1], beds)
    refute_path_exists beds
  end

  def test_parts_that_need_the_build_say_so
    done = script_test('c', 'ruby')
    assert_equal [1, "script/test: ruby needs what build makes: script/test build c ruby\n"], [done.code, done.err]
  end
end
