# frozen_string_literal: true

require_relative 'helper'
require 'minitest/mock'

# What a page of a running dashboard does and waits for.
class TestRenewal < MultiTenantTest
  include Records

  # A source whose answer and slowness change.
  class Slow
    attr_accessor :text, :wait, :error
    attr_reader :asked

    def initialize(text)
      @text = text
      @wait = 0
      @asked = 0
    end

    def call(_seconds)
      @asked += 1
      sleep wait
      texts = error ? [] : [text]
      MultiTenant::Answer.new(texts: texts, from: 'slurm', seconds: wait, error: error, code: error ? 69 : 0)
    end
  end

  def setup
    super
    @viewer = Viewer.new(self)
  end

  # Runs as the viewer: the block gets the renewal, its receiver, its source and a way to let time pass. However busy
  # this machine is, the cards are written when a page goes on, and it has seen whether they changed.
  def dashboard(text)
    @viewer.do do
      { MultiTenant::Renewal => :PAGE, MultiTenant::CardFiles => :MOMENT }.each do |one, name|
        one.send(:remove_const, name)
        one.const_set(name, 30)
      end
      now = 0.0
      source = Slow.new(text)
      sources = MultiTenant::Sources.new([MultiTenant::Schedule.new(source, 30, clock: -> { now })])
      log = []
      receiver = @viewer.receiver_of(sources, log)
      receiver.refresh
      yield MultiTenant::Renewal.new(receiver, sources, log: ->(*line) { log << line }), receiver, source,
            ->(seconds) { now += seconds }
    end
  end

  def page(renewal, cards: true)
    start = MultiTenant.clock
    renewal.call(cards: cards)
    MultiTenant.clock - start
  end

  def settle
    sleep 0.01 while Thread.list.size > 1
  end

  def test_nothing_is_asked_before_its_time
    dashboard(stream(job(7))) do |renewal, receiver, source, wait|
      source.text = stream
      wait.call(20)
      page(renewal)
      assert_equal [1, ['7'], [uuid(7)]], [source.asked, receiver.specs.keys, @viewer.listed]
    end
  end

  def test_then_specs_and_cards_follow_on_the_same_page
    dashboard(stream(job(7))) do |renewal, receiver, source, wait|
      wait.call(31)
      source.text = stream(job(8))
      page(renewal)
      assert_equal [['8'], [uuid(8)]], [receiver.specs.keys, @viewer.listed]
      wait.call(31)
      source.text = stream
      page(renewal)
      assert_equal [[], []], [receiver.specs.keys, @viewer.listed]
      assert_equal 1, Thread.list.size
    end
  end

  def test_a_page_that_needs_nothing_costs_no_thread
    dashboard(stream(job(7))) do |renewal, receiver, source|
      page(renewal)
      Thread.stub(:new, ->(*) { flunk 'a thread' }) { page(renewal) }
      File.unlink(@viewer.db(uuid(7)))
      page(renewal)
      assert_equal [2, [uuid(7)]], [source.asked, @viewer.listed]
      assert_predicate receiver, :idle?
      # A home that is slow is not waited for.
      MultiTenant::Native.stub(:versions, ->(_, seconds) { seconds ? nil : flunk('not beside the page') }) do
        refute_predicate receiver, :idle?
      end
    end
  end

  # A member that is about to end is left on the page after that time, although nobody was asked.
  def test_a_page_chooses_another_member_in_time
    now = Time.now.to_i
    jobs = [7, 8].map { |id| job(id, connection: { host: "n#{id}", mt_service: 'spanish' }) }
    first = [0, 1].max_by { |i| OpenSSL::Digest.hexdigest('SHA256', "2001\0hpc\0#{7 + i}\0") }
    jobs[first][:end] = now + 1000
    dashboard(stream(*jobs)) do |renewal, receiver, source|
      hosts = [now, now + 500].map do |time|
        Time.stub(:now, Time.at(time)) { page(renewal) }
        chosen = receiver.services.dig('prof/spanish@students', 'connection', 'host')
        [chosen, @viewer.connection(@viewer.listed[0])['host']]
      end
      assert_equal [1, 1, [["n#{7 + first}"] * 2, ["n#{8 - first}"] * 2]], [source.asked, @viewer.listed.size, hosts]
    end
  end

  # Promised: no page waits for more than 250 ms; no file changes while no page is made.
  def test_a_slow_answer_ends_in_the_background_and_touches_no_file
    assert_promised(0.25) do
      dashboard(stream(job(7))) do |renewal, receiver, source, wait|
        source.text = stream(job(8))
        source.wait = 1
        wait.call(31)
        first = page(renewal)
        assert_equal [['7'], [uuid(7)]], [receiver.specs.keys, @viewer.listed]
        second = page(renewal)
        settle
        assert_equal [['8'], [uuid(7)], 2], [receiver.specs.keys, @viewer.listed, source.asked]
        page(renewal, cards: false)
        assert_equal [uuid(7)], @viewer.listed
        page(renewal)
        assert_equal [uuid(8)], @viewer.listed
        [first, second + 0.15].max # the second one does not wait
      end
    end
  end

  def test_after_a_failure_no_page_waits
    assert_promised(0.1) do
      dashboard(stream(job(7))) do |renewal, receiver, source, wait|
        source.error = 'Slurm does not answer.'
        wait.call(31)
        page(renewal)
        settle
        source.wait = 1
        wait.call(31)
        seconds = page(renewal)
        settle
        assert_equal [3, ['7'], [uuid(7)], 'Slurm does not answer.'],
                     [source.asked, receiver.specs.keys, @viewer.listed, receiver.report['error']]
        source.error = nil
        source.text = stream(job(8))
        source.wait = 0
        wait.call(61)
        page(renewal)
        settle
        page(renewal)
        assert_equal [['8'], [uuid(8)], nil], [receiver.specs.keys, @viewer.listed, receiver.report['error']]
        seconds
      end
    end
  end

  # ---- what another process of the viewer's did ----

  def other_process
    MultiTenant::Core.new(MultiTenant::Settings.new({}).to_core(dataroot: @viewer.dataroot))
  end

  # Not of Slurm, for which there is a deadline: what is looked at around that may be on a file system that hangs.
  def test_a_start_goes_on_where_asking_hangs
    dashboard(stream(job(7))) do |renewal, receiver, source|
      source.wait = 5
      source.text = stream(job(8))
      renewal.refresh(0.1)
      assert_equal [['7'], 2], [receiver.specs.keys, source.asked]
      page(renewal)
      assert_equal 2, source.asked
      settle
      assert_equal ['8'], receiver.specs.keys
    end
  end

  def test_a_restored_card_is_on_the_next_page
    dashboard(stream(job(7), job(8))) do |renewal, receiver,|
      assert receiver.dismiss(uuid(7))
      page(renewal)
      assert_equal [uuid(8)], @viewer.listed
      assert other_process.restore(uuid(7))
      page(renewal)
      assert_equal [[uuid(7), uuid(8)], %w[ok ok]], [@viewer.listed, receiver.shares.map { |share| share[:card] }]
    end
  end

  def test_a_card_that_was_dismissed_elsewhere_stays_away
    dashboard(stream(job(7), job(8))) do |renewal, receiver,|
      assert other_process.dismiss(uuid(7))
      page(renewal)
      assert_equal [[uuid(8)], %w[dismissed ok]], [@viewer.listed, receiver.shares.map { |share| share[:card] }]
      receiver.ask # decided before the other one is dismissed, and delivered after it
      assert other_process.dismiss(uuid(8))
      2.times { page(renewal) }
      assert_empty @viewer.listed
    end
  end

  # What is there again is what Slurm says now: a card that another host removed may have ended.
  def test_what_was_removed_elsewhere_is_asked_about
    dashboard(stream(job(7))) do |renewal, _, source,|
      cards = -> { snapshot(@viewer.path).transform_values(&:last) }
      title = JSON.parse(File.read(@viewer.db(uuid(7)))).merge('title' => 'of mine')
      before = cards.call
      [-> { other_process.deliver_nothing(false) }, -> { File.unlink(@viewer.output(uuid(7), 'connection.yml')) },
       -> { File.unlink(@viewer.db(uuid(7))) }, -> { File.write(@viewer.db(uuid(7)), JSON.generate(title)) },
       -> { FileUtils.rm_r(@viewer.output(uuid(7))) }].each do |change|
        change.call
        page(renewal)
        assert_equal before, cards.call
      end
      source.text = stream
      other_process.deliver_nothing(false)
      page(renewal)
      assert_empty @viewer.listed
    end
  end

  # Also where Slurm says the same again, for which nothing else is looked at anew.
  def test_what_could_not_be_written_or_removed_is_so_after_the_next_answer
    dashboard(stream(job(7))) do |renewal, _, source, wait|
      records = nil
      source.define_singleton_method(:call) do |_seconds|
        records = MultiTenant::Records.new(text, [*records])
        MultiTenant::Answer.new(records: [records], from: 'slurm', seconds: 0.0, error: nil, code: 0)
      end
      [[8, File.dirname(@viewer.output(uuid(7)))], [9, @viewer.output(uuid(7))]].each do |id, directory|
        File.chmod(0o500, directory)
        source.text = stream(job(id))
        seen = Array.new(2) do
          wait.call(31)
          2.times { page(renewal) }
          File.chmod(0o700, directory) if File.exist?(directory)
          @viewer.listed == [uuid(id)] && !File.exist?(@viewer.output(uuid(7), 'connection.yml'))
        end
        assert_equal [false, true], seen, id
        source.text = stream(job(7))
        wait.call(31)
        page(renewal)
      end
    end
  end

  # Errors that StandardError is not, of the thread beside the page.
  def test_what_fails_for_want_of_memory_is_done_by_the_next_page
    dashboard(stream(job(7))) do |renewal, receiver, source, wait|
      { 8 => NoMemoryError, 9 => SystemStackError }.each do |id, error|
        source.text = stream(job(id))
        wait.call(31)
        receiver.stub(:touched?, -> { raise error, 'as if' }) do
          page(renewal)
        rescue SystemStackError
          next
        end
        page(renewal)
        assert_equal [uuid(id)], @viewer.listed
      end
    end
  end

  def test_slurm_is_asked_once_for_each_change_and_not_for_ours
    dashboard(stream(job(7))) do |renewal, receiver, source, wait|
      5.times { page(renewal) }
      source.text = stream(job(7), job(8))
      wait.call(31)
      5.times { page(renewal) }
      assert_equal 2, source.asked
      source.error = 'Slurm does not answer.'
      assert other_process.dismiss(uuid(7))
      5.times { page(renewal) }
      settle
      assert_equal [3, %w[ok ok]], [source.asked, receiver.shares.map { |share| share[:card] }]
      source.error = nil
      wait.call(61)
      page(renewal)
      settle
      page(renewal)
      assert_equal [4, [uuid(8)]], [source.asked, @viewer.listed]
    end
  end

  def test_who_undoes_every_page_does_not_have_slurm_asked_by_every_page
    dashboard(stream(job(7))) do |renewal, _, source,|
      undone = -> { other_process.deliver_nothing(false) && page(renewal) }
      20.times { undone.call }
      assert_equal [11, []], [source.asked, @viewer.listed]
      MultiTenant.stub(:clock, MultiTenant.clock + 301) { undone.call }
      assert_equal [12, [uuid(7)]], [source.asked, @viewer.listed]
    end
  end

  def test_the_generation_changes_with_the_specs
    dashboard(stream(job(7))) do |renewal, receiver, source, wait|
      before = receiver.generation
      wait.call(31)
      page(renewal)
      assert_equal before, receiver.generation
      source.text = stream(job(7, connection: { host: 'n2', port: '1' }))
      wait.call(31)
      page(renewal)
      assert_equal before + 1, receiver.generation
    end
  end

  # Time from decisions to files and back is the request's; a dismissal waits for no answer.
  def test_a_card_is_dismissed_while_an_answer_is_awaited
    assert_promised(0.5) do
      dashboard(stream(job(7))) do |renewal, receiver, source, wait|
        source.wait = 1
        wait.call(31)
        page(renewal)
        start = MultiTenant.clock
        assert receiver.dismiss(uuid(7))
        seconds = MultiTenant.clock - start
        settle
        page(renewal)
        assert_empty @viewer.listed
        seconds
      end
    end
  end

  # Nor for a file system that hangs while it is decided.
  def test_a_dismissal_gives_up_where_deciding_hangs
    dashboard(stream(job(7))) do |renewal, receiver, _, wait|
      MultiTenant::Receiver.send(:remove_const, :PATIENCE)
      MultiTenant::Receiver.const_set(:PATIENCE, 0.1)
      hangs = Queue.new
      receiver.instance_variable_get(:@clusters).define_singleton_method(:pairs) { |names| hangs.pop && super(names) }
      wait.call(31)
      page(renewal)
      refute receiver.dismiss(uuid(7))
      hangs << true
      settle
      assert receiver.dismiss(uuid(7))
      assert_empty @viewer.listed
    end
  end

  def test_the_groups_that_count_are_the_memberships
    membership = Struct.new(:gids).new([2001, 3000])
    membership.define_singleton_method(:renew) { |_| gids }
    @viewer.do do
      receiver = @viewer.receiver_of(Slow.new(stream(job(7))), [], membership: membership)
      receiver.refresh
      assert_equal [uuid(7)], @viewer.listed
      membership.gids = [2001]
      receiver.refresh
      assert_equal [%w[not_member], []], [receiver.shares.map { |share| share[:specs] }, @viewer.listed]
    end
  end
end
