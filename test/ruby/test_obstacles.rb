# frozen_string_literal: true

require_relative 'helper'

# What may stand below a data root where a card should: links, FIFOs, what belongs to others. The
# user put it there or was made to; nothing is written through it, nothing waits, the forms work.
class TestObstacles < MultiTenantTest
  ID = '00000007-0000-4000-8000-0123456789ab'
  TOKEN = 'sys/multitenant-delivery_default'

  # Below batch_connect; whether it is a directory of our card's.
  DIRECTORIES = { 'batch_connect' => '.', 'sys' => 'sys', 'token' => TOKEN, 'output' => "#{TOKEN}/output",
                  'output_of_the_card' => "#{TOKEN}/output/#{ID}", 'db' => 'db' }.freeze
  FILES = { 'db_file' => "db/#{ID}", 'connection' => "#{TOKEN}/output/#{ID}/connection.yml",
            'mark' => "#{TOKEN}/output/#{ID}/.multitenant", 'lock' => '.multitenant.lock' }.freeze

  def setup
    super
    @viewer = Viewer.new(self)
  end

  def place(what)
    File.expand_path(DIRECTORIES[what] || FILES[what], @viewer.path)
  end

  # Nothing was written; specs are there; what is wrong is told in a sentence.
  def assert_refused(round)
    assert_empty round.ids(:written)
    assert_empty round.ids(:removed)
    refute_empty round.ids(:failed)
    round.cards.each { |action, _, why| assert_match(/\A[A-Z].{15,}\z/, why) if action == :failed }
    assert_equal ['7'], round.specs.keys
    assert_nil round.report['error']
    assert_match(/\Acard .+: [A-Z]/, round.log[0][1])
  end

  def assert_same_after(path)
    before = snapshot(path)
    yield
    assert_equal before, snapshot(path)
  end

  # A directory or a file of the user's elsewhere, to be linked to.
  def elsewhere(what)
    path = File.join(@viewer.home, 'elsewhere')
    if DIRECTORIES[what]
      @viewer.write(File.join(path, 'precious'), 'precious')
    else
      @viewer.write(path, 'precious')
    end
    path
  end

  def link(what, target)
    path = place(what)
    @viewer.do do
      FileUtils.mkdir_p(File.dirname(path), mode: 0o700)
      FileUtils.rm_rf(path)
      File.symlink(target, path)
    end
  end

  # ---- links ----

  DIRECTORIES.each_key do |what|
    define_method(:"test_a_link_for_#{what}") do
      target = elsewhere(what)
      link(what, target)
      assert_same_after(target) { assert_refused(@viewer.look(stream(job(7)))) }
    end

    define_method(:"test_a_dangling_link_for_#{what}") do
      link(what, File.join(@viewer.home, 'nothing'))
      assert_refused(@viewer.look(stream(job(7))))
      refute_path_exists File.join(@viewer.home, 'nothing')
    end
  end

  FILES.each_key do |what|
    define_method(:"test_a_link_for_the_#{what}_of_a_card") do
      target = elsewhere(what)
      @viewer.look(stream(job(7)))
      link(what, target)
      assert_same_after(target) { @viewer.look(stream(job(7))) }
    end

    # Links go like files; what they name stays.
    define_method(:"test_a_link_for_the_#{what}_of_a_card_that_goes") do
      target = elsewhere(what)
      @viewer.look(stream(job(7)))
      link(what, target)
      assert_same_after(target) { @viewer.look(stream) }
    end

    define_method(:"test_a_link_for_the_#{what}_before_there_is_a_card") do
      target = elsewhere(what)
      link(what, target)
      round = nil
      assert_same_after(target) { round = @viewer.look(stream(job(7))) }
      assert_equal ['7'], round.specs.keys
      assert_equal target, File.readlink(place(what))
    end
  end

  # The user's other cards do not depend on one that can't be written.
  def test_the_other_cards_go_on
    @viewer.look(stream(job(7)))
    link('connection', elsewhere('connection'))
    round = @viewer.look(stream(job(7), job(8)))
    assert_equal [[uuid(8)], 1], [round.ids(:written), round.ids(:failed).size]
    assert_equal '8', @viewer.connection(uuid(8))['jobid']
  end

  def test_a_linked_output_directory_with_a_mark_is_not_ours
    @viewer.look(stream(job(7)))
    elsewhere = File.join(@viewer.home, 'elsewhere')
    FileUtils.mv(@viewer.output(ID), elsewhere)
    link('output_of_the_card', elsewhere)
    assert_same_after(elsewhere) { assert_empty @viewer.look(stream).ids(:removed) }
    assert_same_after(elsewhere) { assert_empty(@viewer.remove_all.select { |action,| action == :removed }) }
  end

  def test_the_command_line_says_so
    target = elsewhere('db')
    link('db', target)
    done = nil
    clusters = File.join(temporary, 'c.yml')
    File.write(clusters, YAML.dump('v2' => { 'hpc' => { 'job' => { 'adapter' => 'slurm', 'cluster' => 'hpc' } } }))
    assert_same_after(target) do
      done = @viewer.multitenant('cards', '--records', '-', stdin: stream(job(7)), env: { 'OOD_CLUSTERS' => clusters })
    end
    assert_equal [73, ''], [done.code, done.out]
    assert_match(%r{\Amultitenant: batch_connect/db: A path below .+\.$}, done.err)
    refute_match(/\.rb/, done.err)
  end

  # ---- FIFOs and other kinds ----

  (DIRECTORIES.keys + FILES.keys).each do |what|
    define_method(:"test_a_fifo_for_#{what}_does_not_hang") do
      @viewer.look(stream(job(7)))
      @viewer.do do
        FileUtils.rm_rf(place(what))
        File.mkfifo(place(what), 0o600)
      end
      2.times { assert_equal ['7'], @viewer.look(stream(job(7))).specs.keys }
      assert_equal 'fifo', File.ftype(place(what))
    end
  end

  FILES.each_key do |what|
    define_method(:"test_a_directory_for_#{what}") do
      @viewer.look(stream(job(7)))
      @viewer.do do
        FileUtils.rm_f(place(what))
        Dir.mkdir(place(what))
      end
      assert_refused(@viewer.look(stream(job(7))))
      assert_path_exists place(what)
    end
  end

  # ---- files, and what belongs to others ----

  DIRECTORIES.each_key do |what|
    define_method(:"test_a_file_for_#{what}") do
      @viewer.write(place(what), 'precious')
      assert_refused(@viewer.look(stream(job(7))))
      assert_equal 'precious', File.read(place(what))
    end

    define_method(:"test_roots_directory_for_#{what}") do
      dir = place(what)
      @viewer.do { FileUtils.mkdir_p(File.dirname(dir), mode: 0o700) }
      Dir.mkdir(dir)
      File.chmod(0o777, dir)
      assert_same_after(dir) { assert_refused(@viewer.look(stream(job(7)))) }
    end
  end

  FILES.each_key do |what|
    define_method(:"test_roots_file_for_#{what}") do
      @viewer.look(stream(job(7)))
      FileUtils.touch(place(what))
      File.chown(0, 0, place(what))
      File.chmod(0o666, place(what))
      assert_same_after(place(what)) { assert_refused(@viewer.look(stream(job(7)))) }
    end
  end

  # ---- what may not be read or written ----

  DIRECTORIES.except('batch_connect', 'sys').each_key do |what|
    define_method(:"test_#{what}_without_a_right_to_it") do
      @viewer.look(stream(job(7)))
      @viewer.write(place('connection'), 'another')
      File.chmod(0, place(what))
      assert_refused(@viewer.look(stream(job(7))))
    end
  end

  def test_a_file_larger_than_any_of_ours
    @viewer.look(stream(job(7)))
    FILES.except('lock').each_value do |path|
      size = (1 << 20) + 1
      @viewer.write(@viewer.path(path), ' ' * size)
      assert_equal ['7'], @viewer.look(stream(job(7))).specs.keys
      assert_equal size, File.size(@viewer.path(path)), path
      @viewer.do { File.unlink(@viewer.path(path)) }
    end
  end

  def test_names_that_are_no_cards_are_passed_over
    mine = ["#{TOKEN}/output/notes", "#{TOKEN}/output/#{ID.upcase}/connection.yml", 'sys/x', 'db/notes',
            "#{TOKEN}/output/#{ID}x/connection.yml"].map { |path| @viewer.write(@viewer.path(path), 'mine') }
    round = @viewer.look(stream(job(7)))
    assert_equal [[:written, ID, nil]], round.cards
    @viewer.remove_all
    assert_equal(['mine'], mine.map { |path| File.read(path) }.uniq)
  end
end
