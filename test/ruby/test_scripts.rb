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

  # Root may have a umask of 077, and other users run what is built.
  def test_what_scripts_make_others_can_read
    script_test('rubby') # copies them
    File.write(File.join(temporary, 'script/setup'), "#!/bin/sh\n")
    File.write(File.join(temporary, 'rake'), "#!/bin/sh\necho \"$1: $(umask)\"\n", perm: 0o755)
    done = run_as(nil, 'sh', '-c', 'umask 077; exec "$0" build', File.join(temporary, 'script/test'),
                  env: { 'PATH' => "#{temporary}:#{ENV.fetch('PATH')}" })
    assert_equal [0, ['clean: 0022', 'compile: 0022']], [done.code, done.out.lines(chomp: true).grep(/: 0/)]
    %w[demo images otherdebian testbed].each do |name|
      assert_match(/^umask 022\b/, File.read(File.join(temporary, 'script', name)), name)
    end
  end

  # What is asked of the machine is said instead of done.
  def machine(bed, beds, script)
    machine = File.read(File.join(Tree::ROOT, 'script/testbed.d/machine.sh')).sub(/^readonly BEDS=.*/, "BEDS=#{beds}")
    stubs = %w[useradd userdel groupdel gpasswd].map { |name| "#{name}() { echo #{name} \"$@\"; }\n" }.join
    stubs += "say() { :; }\nknown() { :; }\nis_member() { :; }\nwait_for() { \"${@:2}\"; }\n"
    out, status = Open3.capture2({ 'DIR' => bed }, 'bash', '-c', "set -euo pipefail\n#{machine}\n#{stubs}#{script}")
    assert_predicate status, :success?
    out.lines(chomp: true)
  end

  # @return [Array<String>] the directory of what beds have in common, and two beds that are up
  def beds
    beds, *all = %w[beds first second].map { |name| File.join(temporary, name).tap { |dir| FileUtils.mkdir_p(dir) } }
    all.each { |dir| FileUtils.touch([File.join(beds, dir.tr('/', '+')), File.join(dir, 'mode')]) }
    FileUtils.touch(File.join(beds, "#{temporary}/gone".tr('/', '+')))
    File.write(File.join(beds, 'made'), "group lab\nuser ann\nmember ann lab\n")
    [beds, *all]
  end

  # Whichever of them made an account.
  def test_the_last_test_bed_removes_all_accounts_and_no_other_does
    beds, *all = self.beds
    assert_empty machine(all[0], beds, 'clear_away')
    assert_equal ['userdel ann', 'groupdel lab'], machine(all[1], beds, 'clear_away')
    refute_path_exists beds
  end

  # It may install packages first, before it has its directory.
  def test_a_test_bed_on_its_way_up_keeps_accounts_and_its_lock
    beds, first, second = self.beds
    File.unlink(File.join(second, 'mode'))
    coming = File.join(beds, second.tr('/', '+'))
    File.open(coming) do |file|
      file.flock(File::LOCK_EX)
      assert_empty machine(first, beds, 'clear_away')
      assert_path_exists coming
    end
  end

  # That of the one that made it would be gone while others are up.
  def test_an_accounts_home_goes_with_no_test_bed_but_the_last
    beds, first, = self.beds
    made = machine(first, beds, "known() { false; }; install() { echo install \"$@\"; }; id() { echo 0; }\n" \
                                'make_group() { :; }; make_user ann 5000')
    assert_match(%r{ --home-dir #{beds}/home/ann }, made.grep(/\Auseradd/)[0])
    assert_match(%r{\Ainstall .* #{beds}/home/ann #{first}/home/ann\z}, made.grep(/\Ainstall/)[0])
    FileUtils.mkdir_p("#{beds}/home/ann")
    machine(first, beds, 'clear_away')
    assert_path_exists "#{beds}/home/ann"
  end

  # SQUEUE_STATES=PENDING leaves out the job that script/demo looks for.
  def test_what_a_developer_exports_for_slurm_does_not_reach_a_test_bed
    need_root
    FileUtils.touch(%w[mode ready].map { |name| File.join(temporary, name) })
    names = %w[SQUEUE_STATES SBATCH_WAIT SACCT_FORMAT SCONTROL_ALL SCANCEL_STATE SINFO_SORT SLURM_CLUSTERS
               SLURM_TIME_FORMAT SLURM_JWT]
    env = { 'MULTITENANT_TESTBED_DIR' => temporary, **names.to_h { |name| [name, 'x'] } }
    out, status = Open3.capture2(env, 'bash', '-euc', 'eval "$("$0" env)"; env',
                                 File.join(Tree::ROOT, 'script/testbed'))
    assert_predicate status, :success?
    assert_includes out, "SLURM_CONF=#{temporary}/etc/slurm.conf"
    assert_empty out.scan(/^\w+(?==)/) & names
  end

  def test_parts_that_need_the_build_say_so
    done = script_test('c', 'ruby')
    assert_equal [1, "script/test: ruby needs what build makes: script/test build c ruby\n"], [done.code, done.err]
  end
end
