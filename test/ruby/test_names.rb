# frozen_string_literal: true

require_relative 'helper'
require 'English'
require 'multitenant/programs/names'

# multitenant-names and what runs it: users and groups of this machine as the name service has them,
# and what is said while that hangs. The program is the real one, but where a test says so.
class TestNames < MultiTenantTest
  PROGRAM = MultiTenant::Names::PROGRAM
  NOBODYS = 4_294_000_001 # uid

  def setup
    super
    skip_unless(File.executable?(PROGRAM), 'multitenant-names is not built')
    @me = Etc.getpwuid(Process.uid)
    @group = Etc.getgrgid(@me.gid)
  end

  # @return [Array(Array<Hash>, Integer, String)] lines, exit code, what it said
  def ask(input, *options, program: PROGRAM, **env)
    out, err, status = Open3.capture3(env.transform_keys(&:to_s), program, *options, stdin_data: input, binmode: true)
    [out.lines.map { |line| JSON.parse(line) }, status.exitstatus, err]
  end

  def names(program: PROGRAM)
    @names ||= MultiTenant::Names.new(program: program)
  end

  # ---- the program ----

  def test_without_a_question
    assert_equal [[{ 'end' => 0 }], 0, ''], ask('')
  end

  def test_the_viewer_and_nothing_else
    lines, code = ask('', '--viewer')
    assert_equal [{ 'uid' => Process.uid, 'gids' => `id -G`.split.map(&:to_i).sort }, { 'end' => 0 }, 0],
                 [lines[0]['viewer'].merge('gids' => lines[0]['viewer']['gids'].sort), lines[1], code]
  end

  # It is started by root here, for a user that it does not know.
  def test_a_viewer_that_does_not_exist
    need_root
    copy = File.join(temporary, 'names')
    FileUtils.install(PROGRAM, copy, mode: 0o755)
    out = as_user(uid: NOBODYS, gids: []) { Open3.capture2(copy, '--viewer', stdin_data: '')[0] }
    assert_equal "{\"viewer\":{\"uid\":#{NOBODYS},\"gids\":[]}}\n{\"end\":0}\n", out
  end

  # Of two groups that the list lacks, one is there without the user, and one can't be found: a directory
  # that is down gives what is left of the list.
  def test_a_group_is_lost_only_where_it_is_found
    need_root
    copy = File.join(temporary, 'names')
    FileUtils.install(PROGRAM, copy, mode: 0o755)
    nobody = Etc.getpwnam('nobody')
    there = Etc.group { |group| break group.gid unless group.gid == nobody.gid || group.mem.include?('nobody') }
    out = as_user(uid: nobody.uid, gids: [there, NOBODYS]) { Open3.capture2(copy, '--viewer', stdin_data: '')[0] }
    gids = JSON.parse(out.lines[0])['viewer']['gids']
    assert_equal [NOBODYS, nobody.gid].sort, ([there, NOBODYS, nobody.gid] & gids).sort
  end

  def test_the_questions_in_order
    input = "#{@me.uid}\0#{@group.name}\0#{@me.uid}\0\0#{@me.uid}\0no such group\0#{NOBODYS}\0#{@group.name}\0"
    answer = { 'uid' => @me.uid, 'user' => @me.name }
    none = answer.merge('group_gid' => -1, 'publisher_in_group' => false)
    assert_equal [[answer.merge('group_gid' => @me.gid, 'publisher_in_group' => true), none, none,
                   { 'uid' => NOBODYS, 'user' => '', 'group_gid' => @me.gid, 'publisher_in_group' => nil },
                   { 'end' => 4 }], 0, ''], ask(input)
  end

  def test_publishers
    input = "#{@me.uid}\0\0#{NOBODYS}\0\0"
    told = ->(group) { ask(input, '--publishers', group)[0].map { |line| line['publisher_allowed'] } }
    assert_equal [[true, nil, nil], [false, nil, nil]], [told[@group.name], told['no such group']]
    assert_equal [true, nil, nil], told["no such group,#{@group.name}"]
  end

  # Slurm says that there is such a user. SSSD that has stopped says on EL that there is neither them nor their group.
  def test_who_does_not_know_a_publisher_knows_of_no_group_that_it_is_not_there
    lines, code = ask("#{NOBODYS}\0no such group\0#{NOBODYS}\0\0")
    assert_equal [[nil, nil], [-1, false], 0],
                 [*lines.first(2).map { |line| line.values_at('group_gid', 'publisher_in_group') }, code]
  end

  # Nobody but the user is in a group that is called like them; a list without the user is short.
  def test_how_many_others
    lines, code = ask("#{@me.uid}\0#{@group.name}\0#{@me.uid}\0no such group\0#{NOBODYS}\0#{@group.name}\0", '--others')
    listed = @group.name == @me.name || @group.mem.include?(@me.name)
    told = lines.first(3).map { |line| line['others'] }
    assert_equal [listed ? (@group.mem - [@me.name]).size : nil, nil, nil], told
    assert_equal [{ 'end' => 3 }, 0], [lines[3], code]
  end

  def test_a_group_of_bytes
    lines, code = ask("0\0\xff\n\0")
    assert_equal [-1, 0], [lines[0]['group_gid'], code]
  end

  { 'cut' => ["0\0a", /cut/], 'cut_in_the_uid' => ['0', /cut/], 'without_a_uid' => ["\0a\0", /uid/],
    'with_a_name_for_a_uid' => ["root\0a\0", /uid/], 'with_a_uid_below_0' => ["-1\0a\0", /uid/],
    'with_a_uid_that_is_too_large' => ["4294967296\0a\0", /uid/],
    'with_a_name_that_is_too_long' => ["0\0#{'a' * 257}\0", /long/],
    'over_their_number' => ["0\0\0" * 65_537, /more than 65536/], 'over_their_size' => ["\0" * 20_000_000, /long/] }
    .each do |what, (input, said)|
    define_method(:"test_questions_#{what}") do
      lines, code, err = ask(input)
      assert_equal [[], 65, 1], [lines, code, err.lines.size]
      assert_match said, err
    end
  end

  def test_as_many_questions_as_may_be
    lines, code = ask("0\0\0" * 65_536)
    assert_equal [65_537, { 'end' => 65_536 }, 0], [lines.size, lines.last, code]
  end

  # What each program does with its command line, the kit does for all.
  { %w[--timeout 0] => '--timeout is not a number of seconds from 0.1 to 3600',
    %w[--timeout inf] => '--timeout is not a number of seconds from 0.1 to 3600',
    %w[--timeout] => '--timeout needs a value', %w[--publishers] << '' => '--publishers is not the name of a group',
    %w[--odd] => '"--odd" is not an option', %w[surplus] => '"surplus" is not an option' }.each do |options, said|
    define_method(:"test_usage_#{options.join('_').tr('-', '')}") do
      assert_equal [[], 64, "multitenant-names: #{said}; see multitenant-names --help\n"], ask('', *options)
    end
  end

  def test_input_that_does_not_end
    reader, writer = IO.pipe
    start = now
    said = File.join(temporary, 'said')
    Process.wait(Process.spawn(PROGRAM, '--timeout', '0.3', in: reader, err: said))
    sentence = 'standard input did not end within 0.3 s; write all of the input and close it'
    assert_equal [75, "multitenant-names: #{sentence}\n"], [$CHILD_STATUS.exitstatus, File.read(said)]
    assert_operator now - start, :>=, 0.3
  ensure
    [reader, writer].each { |io| io&.close }
  end

  # ---- a name service that hangs, or has much to tell ----

  NAME_SERVICES = <<~C
    #include <grp.h>
    #include <pwd.h>
    #include <string.h>
    #include <unistd.h>

    #ifdef LARGE_GROUP
    #include <errno.h>
    #include <stdio.h>

    int getgrnam_r(const char *name, struct group *entry, char *buffer, size_t size, struct group **found)
    {
        char **members = (char **)buffer;
        char *text = buffer + 50001 * sizeof *members;
        *found = 0;
        if (size < 1000000)
            return ERANGE;
        for (int i = 0; i < 50000; i++) {
            members[i] = text;
            text += sprintf(text, i == 49999 ? "root" : "m%d", i) + 1;
        }
        members[50000] = 0;
        *entry = (struct group){.gr_name = (char *)name, .gr_gid = 5000, .gr_mem = members};
        *found = entry;
        return 0;
    }
    #elif defined HANG_USER
    int getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size, struct passwd **found)
    {
        for (;;)
            pause();
    }
    #else
    int getgrnam_r(const char *name, struct group *entry, char *buffer, size_t size, struct group **found)
    {
        while (strcmp(name, "slow") == 0)
            pause();
        *found = 0;
        return 0;
    }
    #endif
  C

  # @param what [Symbol] :user, or :group: the one that is called slow
  # @return [String] the program with a name service in which that is never found
  def hanging(what)
    with_name_service("HANG_#{what.upcase}")
  end

  def with_name_service(which, before = '')
    source = File.join(temporary, 'names.c')
    File.write(source, NAME_SERVICES)
    system('cc', '-shared', '-fPIC', "-D#{which}", '-o', "#{source}.so", source, exception: true)
    program("#{before}LD_PRELOAD=#{source}.so exec #{PROGRAM} \"$@\"")
  end

  def test_a_group_that_hangs_costs_its_own_answer
    lines, code, err = ask("0\0slow\0000\0none\0", '--timeout', '1', program: hanging(:group))
    told = lines.first(2).map { |line| line.values_at('group_gid', 'publisher_in_group', 'out_of_time') }
    assert_equal [[nil, nil, true], [-1, false, nil]], told
    assert_equal [{ 'end' => 2 }, 75, 1], [lines[2], code, err.lines.size]
  end

  def test_users_that_hang
    hanging = hanging(:user)
    assert_promised(2) do
      start = now
      lines, code = ask("0\0none\0", '--viewer', '--timeout', '1', program: hanging)
      assert_equal [{ 'uid' => Process.uid, 'gids' => nil }, '', true, 75],
                   [lines[0]['viewer'], lines[1]['user'], lines[1]['out_of_time'], code]
      now - start
    end
  end

  # Their lists have 160 MB together, and the program 64 MB for all that it allocates.
  def test_large_groups_are_not_kept
    large = with_name_service('LARGE_GROUP', 'ulimit -d 65536; ')
    questions = (1..200).map { |number| "0\0g#{number}\0#{NOBODYS}\0g#{number}\0" }.join
    lines, code, err = ask(questions, '--others', '--timeout', '60', program: large)
    assert_equal [0, '', 401], [code, err, lines.size]
    keys = %w[group_gid publisher_in_group others]
    assert_equal [[5000, true, 49_999], [5000, nil, nil]], lines.first(400).map { |line| line.values_at(*keys) }.uniq
  end

  # ---- MultiTenant::Names ----

  def test_the_viewers_groups
    assert_equal `id -G`.split.map(&:to_i).sort, names.viewer(5).sort
  end

  def test_groups_that_can_not_be_learned
    assert_nil names(program: hanging(:user)).viewer(1)
  end

  def test_a_call
    lines = names.call([[@me.uid, @group.name], [@me.uid, nil]], 5, publishers: @group.name)
    assert_equal([[@me.gid, true, true], [-1, false, true]],
                 lines.map { |l| l.values_at('group_gid', 'publisher_in_group', 'publisher_allowed') })
    assert_equal [[], nil], [names.call([], 5), names.error]
  end

  def test_others_of_groups
    told = names.others(@me.uid, [@group.name, 'no such group'], 5)
    assert_equal [[@group.name, 'no such group'], nil], [told.keys, told['no such group']]
    hanging = MultiTenant::Names.new(program: hanging(:user))
    assert_equal({ @group.name => nil }, hanging.others(@me.uid, [@group.name], 1))
  end

  def test_a_call_that_is_answered_in_part
    names = names(program: hanging(:group))
    lines = nil
    wait_until { lines = names.call([[0, 'slow'], [0, 'none']], 1) } # or it was killed before it answered
    assert_equal [[true, nil], nil], [lines.map { |line| line['out_of_time'] }, names.error]
  end

  def test_more_questions_than_may_be
    assert_nil names.call([[0, nil]] * 65_537, 5)
    assert_match(/65536/, names.error)
  end

  # What the program does, the sentence, and whether that is for lack of time.
  { 'exec sleep 60' => nil, 'exit 75' => nil, 'echo \'{"end":1}\'' => /no whole answer/,
    'echo \'{"uid":0}\'' => /no whole answer/, 'echo {; echo {' => /no whole answer/,
    'echo odd >&2; exit 71' => /failed: odd\z/, 'kill -9 $$' => /signal 9/ }.each do |body, said|
    define_method(:"test_a_program_that_does_#{body.gsub(/\W+/, '_')}") do
      assert_nil names(program: program(body)).call([[0, nil]], 0.5)
      said ? assert_match(said, names.error) : assert_nil(names.error)
    end
  end

  def test_no_time
    [0, 0.01, 0.05].each { |seconds| names.call([[0, nil]], seconds).then { assert_nil names.error } }
    assert_equal 1, names.call([[0, nil]], 86_400).size
  end

  def test_a_program_that_is_not_there
    assert_nil names(program: '/nonexistent').call([], 5)
    assert_match(%r{\AThe names program could not be started \(/nonexistent: No such file.*gem pristine ood_multi},
                 names.error)
  end
end
