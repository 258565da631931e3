# frozen_string_literal: true

require_relative 'helper'

# A home that is full, read-only, away, another's, or refuses root: the form has its choices, what can't be written is
# told, no file is half one, and afterwards the next refresh has everything as it should be.
class TestHome < MultiTenantTest
  ID = '00000007-0000-4000-8000-0123456789ab'

  def setup
    super
    @viewer = Viewer.new(self)
  end

  # Mounts the home as a file system of its own, or again with other options.
  def mount(options)
    return assert(system('mount', '-o', "remount,#{options}", @viewer.home)) if @mounted

    @mounted = system('mount', '-t', 'tmpfs', '-o', "mode=700,uid=2001,gid=2001,#{options}", 'tmpfs', @viewer.home,
                      err: File::NULL)
    skip_unless(@mounted, 'no file system can be mounted here')
  end

  def with_mount(options)
    mount(options)
    yield
  ensure
    @mounted = !system('umount', @viewer.home) if @mounted
  end

  # The job 7 with this port. @return [Round]
  def look(port)
    @viewer.look(stream(job(7, connection: { host: 'n1', port: port })))
  end

  # @return [Hash] name => contents of the files of the card; OOD lists what it would show, and none is half one
  def card
    files = %w[.multitenant connection.yml].to_h { |name| [name, @viewer.output(ID, name)] }
    files = { **files, ID => @viewer.db(ID) }.select { |_, path| File.file?(path) }
    assert_includes [[], ['.multitenant'], ['.multitenant', ID], ['.multitenant', ID, 'connection.yml']],
                    files.keys.sort
    files.transform_values { |path| JSON.parse(File.read(path)) }
  end

  def assert_shown(port)
    assert_equal [port.to_s, ID, 7], [card['connection.yml']['port'], card[ID]['id'], card['.multitenant']['job']]
  end

  def assert_told(round, cause)
    assert_equal ['7'], round.specs.keys
    refute_empty round.ids(:failed)
    round.cards.each { |action, _, why| assert_match(cause, why) if action == :failed }
    assert_match(/\Acard .+: [A-Z]/, round.log[0][1])
  end

  # Cards come, stay and go again.
  def assert_repaired
    assert_empty look(3).ids(:failed)
    assert_shown(3)
    assert_equal [[:removed, ID, nil]], @viewer.look(stream).cards
    assert_empty card
  end

  # ---- full ----

  # Each time there is room for a little more of the card.
  { 'files' => ->(n) { "nr_inodes=#{n}" }, 'blocks' => ->(n) { "size=#{4 * n}k" } }.each do |what, options|
    define_method(:"test_room_for_a_few_#{what}") do
      full = (1..40).take_while do |n|
        with_mount(options[n]) do
          round = look(1)
          next if round.ids(:failed).empty?

          assert_told(round, /No space left/)
          card
          mount('nr_inodes=100,size=1m')
          assert_repaired
          true
        end
      end
      assert_operator full.size, :>, 1
    end
  end

  # @yield with a card, where nothing more can be made
  def with_full_home
    with_mount('nr_inodes=100') do
      look(1)
      mount("nr_inodes=#{Find.find(@viewer.home).count}")
      yield
      mount('nr_inodes=100')
      assert_repaired
    end
  end

  def test_in_a_full_home_the_old_card_stays
    with_full_home do
      assert_told(look(2), /No space left/)
      assert_shown(1)
    end
  end

  # Each page tries again, of which there is one every ten seconds; many cards fail for one reason.
  def test_what_can_not_be_written_is_logged_once
    with_full_home do
      round = @viewer.session(stream(*(7..20).map { |id| job(id, connection: { host: 'n2', port: 2 }) })) do |receiver|
        3.times { receiver.refresh }
        assert_operator receiver.report['cards'].count { |action,| action == :failed }, :>, 1
      end
      assert_equal 1, round.log.grep(->((_, line)) { line.include?('No space left') }).size, round.log.inspect
    end
  end

  # What would have to be made first is a lock.
  def test_in_a_full_home_cards_go
    with_full_home { assert_equal [[:removed, ID, nil]], @viewer.look(stream).cards }
    with_full_home { assert_equal [[:removed, ID, nil]], @viewer.remove_all }
  end

  # It would come back.
  def test_in_a_full_home_no_card_is_dismissed
    with_full_home do
      round = @viewer.session(stream(job(7))) do |receiver|
        receiver.refresh
        receiver.dismiss(ID)
      end
      assert_match(/\Acard #{ID} can't be dismissed: /, round.log.last[1])
      assert_shown(1)
    end
  end

  # ---- read-only, away ----

  def test_a_home_that_is_read_only_for_a_while
    with_mount('rw') do
      look(1)
      before = snapshot(@viewer.home)
      mount('ro')
      assert_told(look(2), /Read-only file system/)
      assert_empty @viewer.look(stream).ids(:removed)
      assert_empty(@viewer.remove_all.reject { |action,| action == :failed })
      assert_equal before, snapshot(@viewer.home)
      mount('rw')
      assert_repaired
    end
  end

  def test_a_home_that_is_away_for_a_while
    away = "#{@viewer.home}.away"
    look(1)
    before = snapshot(@viewer.dataroot)
    File.rename(@viewer.home, away)
    assert_told(look(2), /Permission denied/)
    assert_equal [[], []], [@viewer.look(stream).cards, @viewer.remove_all]
    refute_path_exists @viewer.home
    File.rename(away, @viewer.home)
    assert_equal before, snapshot(@viewer.dataroot)
    assert_repaired
  end

  # ---- another's ----

  { 'another user' => [2002, 0o700], 'root' => [0, 0o700], 'nobody, which all may read' => [65_534, 0o755] }
    .each do |whose, (uid, mode)|
    define_method(:"test_a_home_of_#{whose.tr(' ,', '_')}") do
      look(1)
      before = snapshot(@viewer.dataroot)
      File.chown(uid, nil, @viewer.home)
      Find.find(@viewer.dataroot) { |path| File.lchown(uid, nil, path) }
      File.chmod(mode, @viewer.home)
      assert_told(look(2), /Permission denied|belongs to another/)
      assert_empty @viewer.look(stream).ids(:removed)
      Find.find(@viewer.home) { |path| File.lchown(2001, nil, path) }
      assert_equal before, snapshot(@viewer.dataroot)
      assert_repaired
    end
  end

  # As on a server that makes root nobody.
  def test_a_home_that_refuses_root
    look(1)
    before = snapshot(@viewer.home)
    clusters = File.join(temporary, 'clusters.yml')
    File.write(clusters, YAML.dump('v2' => { 'hpc' => { 'job' => { 'adapter' => 'slurm', 'cluster' => 'hpc' } } }))
    exe = File.join(File.dirname(Tree.lib), 'exe/multitenant')
    done = run_as(nil, 'setpriv', '--bounding-set=-dac_override,-dac_read_search', '--', RbConfig.ruby, '-I', Tree.lib,
                  exe, 'cards', '--records', '-', stdin: stream(job(7)),
                                                  env: { 'HOME' => @viewer.home, 'OOD_CLUSTERS' => clusters })
    assert_equal [73, '', 1], [done.code, done.out, done.err.lines.size], done.err
    assert_match(/\Amultitenant: .*Permission denied$/, done.err)
    assert_equal before, snapshot(@viewer.home)
  end
end
