# frozen_string_literal: true

require_relative 'helper'

# A viewer sends a card away until its job ends, or brings it back.
class TestDismissal < MultiTenantTest
  ID = '00000007-0000-4000-8000-0123456789ab'

  def setup
    super
    @viewer = Viewer.new(self)
  end

  # One process: a round, the card is sent away, another round.
  def dismiss(*texts, id: ID)
    file = File.join(@viewer.home, 'done')
    last = @viewer.session(*texts) do |receiver|
      receiver.refresh
      File.write(file, receiver.dismiss(id))
      receiver.refresh
    end
    done = File.read(file) == 'true'
    File.unlink(file)
    [done, last]
  end

  def list
    @viewer.path('multitenant.dismissed')
  end

  def test_the_card_goes_and_the_form_stays
    done, round = dismiss(stream(job(7)))
    assert_equal [true, %w[ok dismissed], []], [done, round.codes['7'], round.cards]
    assert_equal [['7'], []], [round.specs.keys, @viewer.listed]
  end

  def test_a_new_process_remembers
    dismiss(stream(job(7)))
    round = @viewer.look(stream(job(7), job(8)))
    assert_equal [%w[ok dismissed], [[:written, uuid(8), nil]]], [round.codes['7'], round.cards]
  end

  def test_the_list_is_private_and_holds_what_is_needed_to_forget
    dismiss(stream(job(7)))
    assert_equal 0o100600, File.stat(list).mode
    assert_equal [{ 'cluster' => 'hpc', 'wckey' => 'multitenant', 'job' => 7, 'id' => ID }], JSON.parse(File.read(list))
  end

  def test_restore_brings_it_back
    dismiss(stream(job(7)))
    restored = @viewer.do { MultiTenant::Core.new(to_core).restore(ID) }
    assert restored
    refute_path_exists list
    assert_equal [[:written, ID, nil]], @viewer.look(stream(job(7))).cards
  end

  def to_core
    MultiTenant::Settings.new({}).to_core(dataroot: @viewer.dataroot)
  end

  def test_restore_of_one_of_two
    dismiss(stream(job(7), job(8)))
    dismiss(stream(job(7), job(8)), id: uuid(8))
    assert_equal 2, JSON.parse(File.read(list)).size
    @viewer.do { MultiTenant::Core.new(to_core).restore(ID) }
    round = @viewer.look(stream(job(7), job(8)))
    assert_equal [%w[ok ok], %w[ok dismissed]], round.codes.values_at('7', '8')
  end

  def test_ids_that_are_no_card
    [uuid(9), '', 'x' * 200, '../../x', ID.upcase].each do |id|
      assert_equal false, dismiss(stream(job(7)), id: id)[0], id
      assert_equal(false, @viewer.do { MultiTenant::Core.new(to_core).restore(id) }, id)
    end
    refute_path_exists list
    assert_equal [ID], @viewer.listed
  end

  def test_the_files_go_at_once
    @viewer.session(stream(job(7))) do |receiver|
      receiver.refresh
      assert receiver.dismiss(ID)
      refute_path_exists @viewer.path('db', ID)
      assert_equal [['7'], [['ok', 'dismissed', nil]]],
                   [receiver.specs.keys, receiver.shares.map { |share| share.values_at(:specs, :card, :card_id) }]
    end
  end

  # Decided before the card was sent away, delivered after it.
  def test_a_look_that_waits_does_not_bring_it_back
    @viewer.look(stream(job(7)))
    @viewer.session(stream(job(7))) do |receiver|
      receiver.ask
      assert receiver.dismiss(ID)
      receiver.deliver
    end
    assert_empty @viewer.listed
  end

  # A dashboard whose Slurm has not answered yet still has the card files.
  def test_a_card_of_an_earlier_process
    @viewer.look(stream(job(7)))
    assert(@viewer.do { MultiTenant::Core.new(to_core).dismiss(ID) })
    assert_empty @viewer.listed
    assert_equal [%w[ok dismissed], []], [@viewer.look(stream(job(7))).codes['7'], @viewer.listed]
  end

  # What is wrong elsewhere is not told of the card that goes.
  def test_beside_a_link
    @viewer.look(stream(job(7)))
    @viewer.do { File.symlink('/nonexistent', @viewer.output(uuid(9))) }
    assert(@viewer.do { MultiTenant::Core.new(to_core).dismiss(ID) })
    assert_empty @viewer.listed
  end

  def test_a_card_whose_token_the_site_no_longer_allows
    @viewer.look(stream(job(7)))
    core = MultiTenant::Settings.new('MULTITENANT_DELIVERY' => 'sys/other').to_core(dataroot: @viewer.dataroot)
    assert(@viewer.do { MultiTenant::Core.new(core).dismiss(ID) })
    assert_empty @viewer.listed
  end

  def test_a_session_of_the_viewers_own_is_none
    @viewer.own_session(ID)
    refute(@viewer.do { MultiTenant::Core.new(to_core).dismiss(ID) })
    assert_equal [ID], @viewer.listed
    refute_path_exists list
  end

  def test_before_the_first_look_there_is_no_card_to_dismiss
    assert_equal(false, @viewer.do { MultiTenant::Core.new(to_core).dismiss(ID) })
    refute_path_exists @viewer.dataroot
  end

  # ---- it ends with its job ----

  def test_it_is_forgotten_when_the_job_has_ended
    dismiss(stream(job(7)))
    @viewer.look(stream)
    refute_path_exists list
    assert_equal [[:written, ID, nil]], @viewer.look(stream(job(7))).cards
  end

  def test_it_is_remembered_while_the_end_is_not_sure
    dismiss(stream(job(7)))
    before = File.read(list)
    [stream(whole: false), stream(sees: 'own'), stream(cluster: 'other'), stream(wckeys: ['other']), '',
     stream(undetermined: [7]), stream(job(7, group_gid: nil))].each do |text|
      @viewer.look(text)
      assert_equal before, File.read(list), text
    end
  end

  # Which may be about to send another card away.
  def test_it_is_not_forgotten_while_another_process_is_at_the_cards
    dismiss(stream(job(7)))
    @viewer.while_locked do
      assert_equal([[:failed, 'batch_connect']], @viewer.look(stream).cards.map { |event| event.first(2) })
      assert_path_exists list
    end
    @viewer.look(stream)
    refute_path_exists list
  end

  def test_a_dry_run_does_not_forget
    dismiss(stream(job(7)))
    @viewer.look(stream, deliver: :dry_run)
    assert_path_exists list
  end

  def test_the_jobs_of_other_clusters_have_cards
    dismiss(stream(job(7)))
    @viewer.clusters += [MultiTenant::Clusters::Cluster.new('other', 'other', nil)]
    round = @viewer.look(stream(job(7)) + stream(job(7, uid: 1002, message: { mti: uuid(9) }), cluster: 'other'))
    assert_equal [[:written, uuid(9), nil]], round.cards
  end

  def test_a_card_with_a_made_id
    @viewer.own_session(ID)
    made = @viewer.look(stream(job(7))).ids(:written)[0]
    done, round = dismiss(stream(job(7)), id: made)
    assert_equal [true, []], [done, round.cards]
    assert_equal [ID], @viewer.listed
  end

  def test_remove_all_forgets_all
    dismiss(stream(job(7)))
    @viewer.remove_all(dry_run: true)
    assert_path_exists list
    @viewer.remove_all
    refute_path_exists list
  end

  # ---- a list that is none ----

  ['', '{', '{}', '[5]', '[{"cluster":"hpc"}]', '[{"cluster":"hpc","wckey":"m","job":0,"id":"x"}]',
   '[{"cluster":1,"wckey":"m","job":7,"id":"x"}]'].each_with_index do |text, i|
    define_method(:"test_a_damaged_list_hides_no_card_#{i}") do
      @viewer.write(list, text)
      assert_equal [[:written, ID, nil]], @viewer.look(stream(job(7))).cards
    end
  end

  def test_a_list_that_is_too_large_hides_no_card
    @viewer.write(list, ' ' * ((1 << 20) + 1))
    round = @viewer.look(stream(job(7)))
    assert_nil round.report['error']
    assert_equal [[ID], ['7']], [round.ids(:written), round.specs.keys]
  end

  def test_a_linked_list_is_neither_read_nor_written
    dismiss(stream(job(7)))
    elsewhere = File.join(@viewer.home, 'elsewhere')
    FileUtils.mv(list, elsewhere)
    @viewer.do { File.symlink(elsewhere, list) }
    before = File.read(elsewhere)
    assert_equal [ID], @viewer.look(stream(job(7))).ids(:written)
    @viewer.look(stream)
    assert_equal before, File.read(elsewhere)
  end

  # The receiver is what the dashboard calls: an exception there would be its error page.
  def test_dismissing_and_restoring_never_raise
    link = lambda do
      FileUtils.mkdir_p(File.dirname(list), mode: 0o700)
      File.symlink('/nonexistent', list)
    end
    @viewer.do(&link)
    @viewer.session(stream(job(7))) do |receiver|
      receiver.refresh
      [receiver.dismiss(ID), receiver.restore(ID)].each { |done| assert_equal false, done }
    end
  end
end
