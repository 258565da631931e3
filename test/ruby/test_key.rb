# frozen_string_literal: true

require_relative 'helper'
require 'multitenant/cli'
require 'multitenant/cli/key_file'

# `multitenant key`: the files with the groups' keys.
class TestKey < MultiTenantTest
  EXE = File.join(Tree::ROOT, 'exe/multitenant')

  def setup
    super
    need_root
    @dir = Dir.mktmpdir('keys', '/run') # /tmp may be written by others
    @keys = File.join(@dir, 'keys')
    @group = Etc.getgrgid(Etc.getpwuid(1).gid) # daemon's
    @file = File.join(@keys, @group.gid.to_s)
  end

  def teardown
    FileUtils.rm_rf(@dir) if @dir
    super
  end

  def key(*words, uid: nil, env: {}, options: ['--keys', @keys])
    lib = { 'RUBYLIB' => File.join(Tree::ROOT, 'lib'), 'OOD_CLUSTERS' => '/nonexistent' }
    run_as(uid, RbConfig.ruby, EXE, 'key', *words, *options, env: lib.merge(env))
  end

  def ids
    File.readlines(@file).map { |line| line[/\A\h{8}/] }
  end

  def test_new_and_rotate
    done = key('new', @group.name)
    assert_equal [0, ''], [done.code, done.err]
    assert_match(/\Awritten #{@file}: key #{ids[0]} of #{@group.name}\nCopy it, .* to all other hosts /, done.out)
    assert_match(/ Where one of them has such a file, copy that one here instead\.\n\z/, done.out)
    stat = File.stat(@file)
    assert_equal [0o100440, 0, @group.gid, 1], [stat.mode, stat.uid, stat.gid, ids.size]
    assert_match(%r{\A\h{8} [A-Za-z0-9+/]{43}= #{Time.now.to_i / 100}\d\d\n\z}, File.read(@file))
    first = File.read(@file)
    assert_match(/is there already: `multitenant key rotate`\. If it is of an earlier group .* remove it first on /,
                 key('new', @group.name).err)
    assert_equal 0, key('rotate', @group.name).code
    assert_equal [2, first], [ids.uniq.size, File.readlines(@file).last]
    assert_equal [@group.gid.to_s], Dir.children(@keys)
    14.times { MultiTenant::KeyFile.new(@group.gid, directory: @keys).add }
    assert_match(/holds 16 keys: prune it first/, key('rotate', @group.name).err)
  end

  # Where it is exported, getopt and its kin take no option behind a word.
  def test_options_behind_words_where_posixly_correct_is_set
    assert_equal 0, key('new', @group.name, env: { 'POSIXLY_CORRECT' => '1' }).code
    assert_equal 1, ids.size
  end

  # Dashboards read it there, too.
  def test_the_directory_that_the_site_has_set
    assert_equal 0, key('new', @group.name, env: { 'MULTITENANT_KEYS' => @keys }, options: []).code
    assert_equal 1, ids.size
    elsewhere = File.join(@dir, 'elsewhere')
    assert_equal 0, key('rotate', @group.name, env: { 'MULTITENANT_KEYS' => elsewhere }).code
    assert_equal [2, false], [ids.size, File.exist?(elsewhere)]
    wrong = { 'MULTITENANT_KEYS' => 'keys', 'SLURM_CONF' => '/nonexistent' }
    assert_match(/MULTITENANT_KEYS=keys makes no sense/, key('prune', @group.name, env: wrong, options: []).err)
  end

  def test_what_is_refused
    assert_match(/takes new, rotate or prune, and a group/, key('frob', 'x').err)
    assert_equal 64, key('new').code
    assert_match(/There is no group nosuch/, key('new', 'nosuch').err)
    assert_equal 77, key('new', @group.name, uid: 2001).code
    FileUtils.mkdir_p(@keys)
    File.chmod(0o777, @keys)
    assert_match(/Users other than root can change/, key('new', @group.name).err)
    File.chmod(0o755, @keys)
    File.write(@file, "x\xE9\n")
    assert_match(/Line 1 of #{@file} is no key/, key('rotate', @group.name).err)
    # As of a disk that was full.
    File.write(@file, '')
    assert_match(/\Amultitenant: #{@file} has no key: `multitenant key rotate`/, key('prune', @group.name).err)
  end

  # As long as nobody can say that no service uses them.
  def test_old_keys_stay_while_slurm_does_not_answer
    3.times { MultiTenant::KeyFile.new(@group.gid, directory: @keys).add }
    done = key('prune', @group.name, env: { 'SLURM_CONF' => '/nonexistent' })
    assert_equal [69, 3], [done.code, ids.size]
    assert_match(/Whether a running service uses an old key is not known: /, done.err)
    refute_match(/by hand/, done.err)
  end

  # Nothing tells root there, so that a key of somebody who has left would stay for good.
  def test_behind_submit_host_the_way_by_hand_is_told
    2.times { MultiTenant::KeyFile.new(@group.gid, directory: @keys).add }
    clusters = File.join(temporary, 'hpc.yml')
    File.write(clusters, "v2: {hpc: {job: {adapter: slurm, submit_host: login1}}}\n")
    File.write(File.join(temporary, 'ssh'), "#!/bin/sh\necho 'Permission denied' >&2; exit 255\n", perm: 0o755)
    done = key('prune', @group.name, env: { 'OOD_CLUSTERS' => clusters, 'PATH' => "#{temporary}:#{ENV.fetch('PATH')}" })
    assert_match(/not known: ssh to login1 failed: .* by hand: .*"Envelopes that protect"\.\n\z/, done.err)
    assert_equal [69, 2], [done.code, ids.size]
  end

  # Slurm's answer is made up here; the rest is real.
  def prune(*names, gids: [@group.gid] * names.size, **header)
    command = MultiTenant::CLI::Key.new('key', '')
    jobs = names.each_with_index.map { |name, i| job(i + 1).merge(name: name, group_gid: gids[i]) }
    text = stream(*jobs, **header)
    source = ->(_) { MultiTenant::Answer.new(texts: [text], from: 'test', seconds: 0.0, error: nil, code: 0) }
    MultiTenant::Sources.stub(:of, ->(*, **) { source }) { command.call(['prune', @group.name, '--keys', @keys]) }
  end

  def test_prune
    require 'minitest/mock'
    require 'multitenant/cli/key'
    file = MultiTenant::KeyFile.new(@group.gid, directory: @keys)
    old, middle, newest = Array.new(3) { file.add }
    sealed = ->(key) { "l|g|MTK1:#{["#{[key.id].pack('H8')}#{'x' * 41}"].pack('m0').tr('+/', '-_')}" }
    failure = assert_raises(MultiTenant::Failure) { prune('l|g|v1', sealed[newest], 'plain', sealed[old]) }
    assert_equal "Keys #{old.id} are in use by running services (jobs 4): prune when these have ended.", failure.message
    assert_equal [newest, middle, old].map(&:id), ids
    # While the name service does not tell of a group, it may be this one.
    failure = assert_raises(MultiTenant::Failure) { prune(sealed[newest], sealed[old], gids: [@group.gid, nil]) }
    assert_equal "Keys #{old.id} are in use by running services (jobs 2): prune when these have ended.", failure.message
    failure = assert_raises(MultiTenant::Failure) { prune('l|g|v1', undetermined: [7, 9]) }
    assert_match(/ is not known: slurmrestd did not tell of jobs 7, 9\.\z/, failure.message)
    assert_equal [newest, middle, old].map(&:id), ids
    # A stranger may name any key.
    out, = capture_io do
      assert_equal 0, prune('l|g|v1', sealed[newest], sealed[old], gids: [@group.gid, @group.gid, 4000])
    end
    assert_equal "written #{@file}: 2 old keys are gone, #{newest.id} stays\n", out
    assert_equal [newest.line], File.readlines(@file)
  end
end
