# frozen_string_literal: true

require_relative 'helper'
require 'fiddle'

# Card files as OOD finds them: what stands in them, how they are written, when they are left alone.
class TestCards < MultiTenantTest
  ID = '00000007-0000-4000-8000-0123456789ab'
  TOKEN = 'sys/multitenant-delivery_default'

  def setup
    super
    @viewer = Viewer.new(self)
  end

  def written
    [[:written, ID, nil]]
  end

  def kept
    [[:kept, ID, nil]]
  end

  def files
    snapshot(@viewer.dataroot).transform_keys { |path| path.delete_prefix(@viewer.dataroot) }
  end

  # ---- what is there ----

  def test_the_three_files_and_no_other
    assert_equal written, @viewer.look(stream(job(7))).cards
    assert_equal ["/batch_connect/db/#{ID}", "/batch_connect/#{TOKEN}/output/#{ID}/.multitenant",
                  "/batch_connect/#{TOKEN}/output/#{ID}/connection.yml"],
                 files.select { |_, what| what[0] == 'file' }.keys.sort
  end

  # The last ones are nobody's, but whatever it is, OOD has to be able to read what is written.
  [0, 0o022, 0o077, 0o277, 0o777].each do |umask|
    define_method(:"test_modes_under_umask_#{format('%04o', umask)}") do
      make_tree(@viewer.path)
      @viewer.umask = umask
      assert_equal written, @viewer.look(stream(job(7))).cards
      modes = files.values.group_by(&:first).transform_values { |all| all.map { |_, mode, uid| [mode, uid] }.uniq }
      assert_equal({ 'directory' => [['700', 2001]], 'file' => [['600', 2001]] }, modes)
    end
  end

  def test_the_db_file_is_as_ood_writes_it
    @viewer.look(stream(job(7, message: { mta: 'My App' }, start: 1_795_219_440)))
    text = <<~JSON.delete("\n")
      {"id":"#{ID}","cluster_id":"hpc","job_id":"7","created_at":1795219440,"token":"#{TOKEN}",
      "title":"prof: My App","script_type":"basic","cache_completed":null,"completed_at":null}
    JSON
    assert_equal text, File.read(@viewer.db(ID))
  end

  def test_the_mark_says_whose_card_it_is
    @viewer.look(stream(job(7, wckey: 'extra'), job(8), wckeys: %w[multitenant extra]))
    marks = [ID, uuid(8)].map { |id| JSON.parse(File.read(@viewer.output(id, '.multitenant'))) }
    assert_equal [{ 'cluster' => 'hpc', 'wckey' => 'extra', 'job' => 7, 'uid' => 1001 },
                  { 'cluster' => 'hpc', 'wckey' => 'multitenant,extra', 'job' => 8, 'uid' => 1001 }], marks
  end

  def test_the_cluster_is_oods_and_not_slurms
    @viewer.clusters = [MultiTenant::Clusters::Cluster.new('pitzer', 'slurm_pitzer', nil)]
    @viewer.look(stream(job(7), cluster: 'slurm_pitzer'))
    assert_equal 'pitzer', JSON.parse(File.read(@viewer.db(ID)))['cluster_id']
    assert_equal 'slurm_pitzer', JSON.parse(File.read(@viewer.output(ID, '.multitenant')))['cluster']
  end

  def test_where_ood_knows_no_cluster_there_is_no_card
    @viewer.clusters = []
    round = @viewer.look(stream(job(7)))
    assert_equal [%w[ok unknown_cluster], [], ['7']], [round.codes['7'], round.cards, round.specs.keys]
    refute_path_exists @viewer.dataroot
  end

  def test_forms_and_own_jobs_make_no_files
    assert_empty @viewer.look(stream(job(7, message: { mtm: 'form' }), job(8, uid: 2001))).cards
    refute_path_exists @viewer.dataroot
  end

  def test_per_cluster_data_root
    @viewer.per_cluster = true
    @viewer.look(stream(job(7)))
    assert_equal %w[.multitenant connection.yml], Dir.children(@viewer.path('hpc', TOKEN, 'output', ID)).sort
    assert_equal [ID], @viewer.listed
    refute_path_exists @viewer.path('sys')
    assert_equal [[:removed, ID, nil]], @viewer.look(stream).cards
    refute_path_exists @viewer.path('hpc', TOKEN, 'output', ID)
  end

  def test_a_card_follows_the_site_to_per_cluster_data_roots_and_back
    @viewer.look(stream(job(7)))
    [true, false].each do |per_cluster|
      @viewer.per_cluster = per_cluster
      assert_equal [ID], @viewer.look(stream(job(7))).ids(:written)
      places = [@viewer.path('hpc', TOKEN, 'output', ID), @viewer.output(ID)]
      assert_equal([per_cluster, !per_cluster], places.map { |dir| File.exist?(dir) })
      assert_equal kept, @viewer.look(stream(job(7))).cards
    end
  end

  # A secret in a directory that nobody looks at any more would stay there.
  def test_a_card_follows_a_cluster_that_gets_another_id_in_ood
    @viewer.per_cluster = true
    @viewer.look(stream(job(7), job(8)))
    @viewer.clusters = [MultiTenant::Clusters::Cluster.new('deac', 'hpc', nil)]
    round = @viewer.look(stream(job(7)))
    assert_equal [[ID], [ID, uuid(8)], [ID]], [round.ids(:written), round.ids(:removed), @viewer.listed]
    refute_path_exists @viewer.path('hpc', 'sys/multitenant-delivery_default')
    assert_path_exists @viewer.path('deac', TOKEN, 'output', ID, 'connection.yml')
    assert_includes File.read(@viewer.db(ID)), '"cluster_id":"deac"'
    assert_equal kept, @viewer.look(stream(job(7))).cards
  end

  # As programs of other locales write them.
  def test_names_that_are_no_text_beside_the_cards
    @viewer.per_cluster = true
    @viewer.look(stream(job(7)))
    File.write(@viewer.path("caf\xE9".b), '')
    Dir.mkdir(@viewer.path("\xE9t\xE9".b))
    assert_equal [ID], @viewer.look(stream).ids(:removed)
    assert_equal [ID], @viewer.look(stream(job(7))).ids(:written)
    assert_equal [:removed, ID, nil], @viewer.remove_all[0]
  end

  def test_a_data_root_that_is_reached_through_a_link
    scratch = File.join(temporary, 'scratch')
    Dir.mkdir(scratch, 0o700)
    File.chown(2001, 2001, scratch)
    File.symlink(scratch, File.join(@viewer.home, 'ondemand'))
    assert_equal written, @viewer.look(stream(job(7))).cards
    assert_equal '5432', @viewer.connection(ID)['port']
    assert_equal kept, @viewer.look(stream(job(7))).cards
    assert_equal [[:removed, ID, nil]], @viewer.look(stream).cards
    assert_path_exists File.join(scratch, 'data/sys/dashboard/batch_connect/db')
  end

  # ---- connection.yml ----

  TEXTS = {
    at: '@abc', octal: '0777', float: '1e5', yes: 'yes', no: 'No', date: '2026-11-20', time: '12:30:45', symbol: ':sym',
    key: ':key:', mapping: 'a: b', comment: '#x', later: 'a #x', single: "it's", double: 'say "so"', both: %q('"'"),
    backslash: 'C:\new\x41', percent: '%TAG', star: '*a', anchor: '&a b', bang: '!ruby/object:Object {}', pipe: '|',
    greater: '>-', braces: '{a: 1}', brackets: '[1]', dash: '- a', minus: '-', tilde: '~', null: 'null', query: '? a',
    merge: '<<', equals: '=', backquote: '`a`', doc: '---', dots: '...', blank: ' ', blanks: '  a  ', empty: '',
    hexa: '0x1F', sexagesimal: '190:20:30', inf: '.inf', nan: '.NaN', under: '1_000', tag: '!!int 5', slash: 'a/b',
    emoji: '😀👩‍💻', umlaut: 'Zürich', separator: "a \u2028 b", paragraph: "\u2029", nbsp: "\u00a0", erb: '<%= 1 %>',
    script: '<script>alert(1)</script>', url: 'http://n1:80/?a=b&c=d#e', number: '5432', minus_one: '-1', comma: 'a, b'
  }.freeze

  def test_yaml_gives_the_same_strings
    TEXTS.each_slice(18) do |slice|
      texts = slice.to_h
      @viewer.look(stream(job(7, connection: texts)))
      wanted = texts.transform_keys(&:to_s).merge('jobid' => '7', 'mt_appname' => 'App')
      assert_equal wanted, @viewer.connection(ID)
    end
  end

  def test_yaml_gives_4096_bytes_as_one_string
    texts = { plain: 'x' * 4096, blanks: ' ' * 4096, wide: '😀' * 1024, quotes: '"' * 4096 }
    @viewer.look(stream(job(7, connection: texts)))
    assert_equal texts.transform_keys(&:to_s), @viewer.connection(ID).slice(*texts.keys.map(&:to_s))
  end

  # The first and the last character of each stretch that YAML can carry.
  BOUNDARIES = [0x20, 0x7e, 0xa0, 0x2027, 0x2028, 0x2029, 0x202a, 0xd7ff, 0xe000, 0xfefe, 0xff00, 0xfffd, 0x10000,
                0x1fffe, 0x10ffff].freeze

  def test_yaml_gives_every_boundary_character
    texts = BOUNDARIES.to_h { |c| [format('c%x', c), [c, 0x20, c, c, 0x61, c].pack('U*')] }
    @viewer.look(stream(job(7, connection: texts)))
    assert_equal texts, @viewer.connection(ID).except('jobid', 'mt_appname')
  end

  def test_an_app_name_of_64_characters_comes_back_whole
    name = "#{'ä' * 31}:#{'😀' * 32}"
    @viewer.look(stream(job(7, message: { mta: name })))
    assert_equal name, @viewer.connection(ID)['mt_appname']
    assert_equal "prof: #{name}", JSON.parse(File.read(@viewer.db(ID)))['title']
  end

  [*0..0x1f, *0x7f..0x9f, 0xfeff, 0xfffe, 0xffff].each do |c|
    define_method(:"test_yaml_does_not_get_#{format('%04x', c)}") do
      text = v1_text(accounting(7), { a: '@' }).sub("'@'", "'x\\u#{format('%04x', c)}y'")
      assert_equal 'bad_connection_value', codes_of(job(7, text: text))[0]
    end
  end

  # ---- how it is written ----

  IN_CLOEXEC = 0o2000000
  MOVED_TO = 0x80
  CREATED = 0x100
  DELETED = 0x200

  # What inotify tells of two directories while the block runs.
  # @return [Array] directory's number, event and name
  def watch(*dirs)
    libc = { 'inotify_init1' => [Fiddle::TYPE_INT],
             'inotify_add_watch' => [Fiddle::TYPE_INT, Fiddle::TYPE_VOIDP, Fiddle::TYPE_INT] }.to_h do |name, types|
      [name, Fiddle::Function.new(Fiddle::Handle::DEFAULT[name], types, Fiddle::TYPE_INT)]
    end
    io = IO.for_fd(libc['inotify_init1'].call(IN_CLOEXEC), 'rb')
    dirs.each { |dir| libc['inotify_add_watch'].call(io.fileno, dir, MOVED_TO | CREATED | DELETED) }
    yield
    events_of(io.readpartial(1 << 16))
  ensure
    io&.close
  end

  def events_of(bytes)
    events = []
    until bytes.empty?
      number, mask, _, size = bytes.unpack('lLLL')
      name = bytes[16, size].unpack1('Z*')
      event = { MOVED_TO => :moved, CREATED => :created, DELETED => :deleted }[mask & 0x380]
      events << [number, event, name] if event # else the directory itself is gone
      bytes = bytes[(16 + size)..]
    end
    events
  end

  # A page that is made meanwhile never shows half a card, and what is left after a crash has a mark.
  def test_mark_then_db_then_connection
    [File.dirname(@viewer.db(ID)), @viewer.output(ID)].each { |dir| make_tree(File.join(dir, 'x')) }
    events = watch(File.dirname(@viewer.db(ID)), @viewer.output(ID)) { @viewer.look(stream(job(7))) }
    assert_equal([[2, :moved, '.multitenant'], [1, :moved, ID], [2, :moved, 'connection.yml']],
                 events.select { |_, event,| event == :moved })
    assert_equal [[1, :moved, ID]], events.select { |number,| number == 1 }, 'a temporary file in db/'
  end

  def test_removal_is_in_reverse
    @viewer.look(stream(job(7)))
    events = watch(File.dirname(@viewer.db(ID)), @viewer.output(ID)) { @viewer.look(stream) }
    assert_equal [[2, :deleted, 'connection.yml'], [1, :deleted, ID], [2, :deleted, '.multitenant']], events.first(3)
    refute_path_exists @viewer.output(ID)
  end

  def make_tree(path)
    @viewer.do { FileUtils.mkdir_p(File.dirname(path), mode: 0o700) }
  end

  LEFT = '.multitenant.new.1f.5e0b.2a'

  def test_what_a_crash_left_is_in_nobodys_way
    @viewer.write(@viewer.output(ID, LEFT), '{"half')
    assert_equal written, @viewer.look(stream(job(7))).cards
    assert_equal 'n1', @viewer.connection(ID)['host']
  end

  # It may be half a connection.
  def test_what_a_crash_left_goes_with_the_card
    @viewer.look(stream(job(7)))
    @viewer.write(@viewer.output(ID, LEFT), '{"half')
    @viewer.look(stream)
    refute_path_exists @viewer.output(ID)
  end

  # The dashboard and the command line of one user, or the dashboards of two hosts with one home.
  def test_several_processes_at_once
    texts = [stream(job(7), job(8)), stream(job(7, connection: { host: 'n2' }), job(8)), stream(job(8))]
    Array.new(6) { |i| Thread.new { @viewer.session { |r, feed| 15.times { |n| turn(r, feed, texts[(i + n) % 3]) } } } }
         .each(&:value)
    @viewer.look(texts[0])
    assert_equal [ID, uuid(8)], @viewer.listed
    @viewer.look(stream)
    assert_empty(files.select { |_, what| what[0] == 'file' }.keys) # no secret is left that nobody knows of
  end

  def test_while_another_process_is_at_the_cards_nothing_is_done
    @viewer.look(stream(job(7)))
    before = files
    @viewer.while_locked do
      [stream, stream(job(7), job(8))].each do |text|
        round = @viewer.look(text)
        assert_equal([[:failed, 'batch_connect']], round.cards.map { |event| event.first(2) })
        assert_match(/\AAnother process .* the next refresh sees to them\.\z/, round.cards[0][2])
      end
    end
    assert_equal before, files.except("/batch_connect/#{Viewer::LOCK}")
    assert_equal [:removed], @viewer.look(stream).cards.map(&:first)
  end

  # Its owner may have been killed; a lock ends with its process.
  def test_a_lock_that_was_left_behind_locks_nobody_out
    @viewer.write(@viewer.path(Viewer::LOCK))
    assert_equal written, @viewer.look(stream(job(7))).cards
    refute_path_exists @viewer.path(Viewer::LOCK)
  end

  # What is told while others work may be a failure; what OOD reads is whole at every moment.
  def turn(receiver, feed, text)
    feed.texts = [text]
    receiver.refresh
    [uuid(8), ID].each do |id|
      assert_equal id, JSON.parse(File.read(@viewer.db(id)))['id']
      assert_equal '5432', @viewer.connection(id).fetch('port', '5432')
    rescue Errno::ENOENT
      raise if id == uuid(8) # its job runs all the time
    end
  end

  # ---- kept and rewritten ----

  def test_a_card_as_it_should_be_is_not_written_again
    @viewer.look(stream(job(7)))
    before = files.keys.to_h { |path| [path, File.stat(@viewer.dataroot + path).ino] }
    assert_equal kept, @viewer.look(stream(job(7))).cards
    assert_equal(before, files.keys.to_h { |path| [path, File.stat(@viewer.dataroot + path).ino] })
  end

  CHANGES = { 'id' => 'x', 'cluster_id' => 'other', 'job_id' => '8', 'created_at' => '1700000007', 'title' => 'T',
              'script_type' => 'vnc', 'cache_completed' => true, 'completed_at' => 1_700_000_000 }.freeze

  CHANGES.each do |key, value|
    define_method(:"test_a_card_whose_#{key}_was_changed_is_mended") do
      @viewer.look(stream(job(7)))
      before = files
      @viewer.write(@viewer.db(ID), JSON.generate(JSON.parse(File.read(@viewer.db(ID))).merge(key => value)))
      refute_equal before, files
      assert_equal written, @viewer.look(stream(job(7))).cards
      assert_equal before, files
    end
  end

  DAMAGE = { 'no JSON' => '{', 'nothing' => '', 'a list' => '[]', 'one key more' => nil }.freeze

  DAMAGE.each do |what, text|
    define_method(:"test_a_db_file_of_#{what.tr(' ', '_')}_is_mended") do
      @viewer.look(stream(job(7)))
      before = files
      text ||= File.read(@viewer.db(ID)).sub('{', '{"more":1,')
      @viewer.write(@viewer.db(ID), text)
      @viewer.look(stream(job(7)))
      assert_equal before, files
    end
  end

  # It says that it is a session of another app: the user's own, whatever the id.
  def test_a_db_file_of_another_token_is_not_touched
    @viewer.look(stream(job(7)))
    text = File.read(@viewer.db(ID)).sub(TOKEN, 'sys/jupyter')
    @viewer.write(@viewer.db(ID), text)
    round = @viewer.look(stream(job(7)))
    assert_equal text, File.read(@viewer.db(ID))
    assert_equal [[ID], 1, []], [round.ids(:removed), round.ids(:written).size, round.ids(:failed)]
    assert_equal 'n1', @viewer.connection(round.ids(:written)[0])['host']
  end

  def test_white_space_and_order_of_a_db_file_do_not_matter
    @viewer.look(stream(job(7)))
    text = JSON.pretty_generate(JSON.parse(File.read(@viewer.db(ID))).to_a.reverse.to_h)
    @viewer.write(@viewer.db(ID), text)
    assert_equal kept, @viewer.look(stream(job(7))).cards
    assert_equal text, File.read(@viewer.db(ID))
  end

  def test_files_that_others_may_read_are_written_again
    %w[.multitenant connection.yml].map { |name| @viewer.output(ID, name) }.push(@viewer.db(ID)).each do |path|
      @viewer.look(stream(job(7)))
      File.chmod(0o644, path)
      assert_equal written, @viewer.look(stream(job(7))).cards, path
      assert_equal 0o100600, File.stat(path).mode
    end
  end

  def test_files_that_are_gone_are_written_again
    %w[connection.yml .multitenant].map { |name| @viewer.output(ID, name) }.push(@viewer.db(ID)).each do |path|
      @viewer.look(stream(job(7)))
      before = files
      File.unlink(path)
      assert_equal written, @viewer.look(stream(job(7))).cards, path
      assert_equal before, files
    end
  end

  def test_a_new_connection_is_written
    @viewer.look(stream(job(7)))
    assert_equal written, @viewer.look(stream(job(7, connection: { host: 'n2' }))).cards
    assert_equal 'n2', @viewer.connection(ID)['host']
  end

  def test_the_keys_of_a_connection_are_in_the_publishers_order
    @viewer.look(stream(job(7, connection: { zebra: 1, host: 2, ant: 3 })))
    assert_equal %w[zebra host ant jobid mt_appname], @viewer.connection(ID).keys
  end

  def test_a_new_delivery_app_moves_the_card
    @viewer.look(stream(job(7)))
    round = @viewer.look(stream(job(7, message: { mtd: 'sys/multitenant-delivery_db' })))
    assert_equal [[ID], []], [round.ids(:written), round.ids(:failed)]
    refute_path_exists @viewer.output(ID)
    assert_equal 'n1', @viewer.connection(ID, token: 'sys/multitenant-delivery_db')['host']
    assert_equal 'sys/multitenant-delivery_db', JSON.parse(File.read(@viewer.db(ID)))['token']
  end

  # ---- dry run ----

  def test_a_dry_run_tells_and_changes_nothing
    assert_equal written, @viewer.look(stream(job(7)), deliver: :dry_run).cards
    refute_path_exists @viewer.dataroot
    @viewer.look(stream(job(7)))
    before = snapshot(@viewer.home)
    { stream(job(7)) => [:kept], stream => [:removed], stream(job(7, connection: { a: 'b' })) => [:written] }
      .each { |text, actions| assert_equal actions, @viewer.look(text, deliver: :dry_run).cards.map(&:first) }
    assert_equal [[:removed, ID, nil]], @viewer.remove_all(dry_run: true)
    assert_equal before, snapshot(@viewer.home)
  end

  def test_without_delivery_nothing_is_touched
    assert_empty @viewer.look(stream(job(7)), deliver: false).cards
    refute_path_exists @viewer.dataroot
  end

  # ---- other data roots ----

  def test_a_data_root_that_cannot_be_made
    File.chmod(0o500, @viewer.home)
    round = @viewer.look(stream(job(7)))
    assert_equal [:failed, @viewer.dataroot], round.cards[0].first(2)
    assert_match(/Permission denied/, round.cards[0][2])
    assert_empty round.ids(:written)
    assert_equal ['7'], round.specs.keys
  end

  def test_a_data_root_that_is_a_file
    @viewer.write(@viewer.dataroot)
    round = @viewer.look(stream(job(7)))
    assert_equal([[:failed, @viewer.dataroot]], round.cards.map { |event| event.first(2) })
    assert_equal ['7'], round.specs.keys
  end

  def test_a_data_root_of_another_user
    FileUtils.mkdir_p(@viewer.dataroot) # root's
    File.chmod(0o777, @viewer.dataroot)
    assert_equal([[:failed, @viewer.dataroot]], @viewer.look(stream(job(7))).cards.map { |event| event.first(2) })
    assert_empty Dir.children(@viewer.dataroot)
  end

  def test_without_a_data_root_there_is_nothing_to_deliver_to
    assert_raises(MultiTenant::Error) { core.deliver(false) }
  end
end
