# frozen_string_literal: true

require_relative 'helper'
require 'minitest/mock'

# How much of a page each publisher has, whoever comes first on it.
class TestBudget < MultiTenantTest
  BUDGET = MultiTenant::Card::Budget
  MOST = MultiTenant::Card::Limits::FILE_HTML
  LARGE = 380 << 10
  LESSON = 200 << 10

  def setup
    super
    BUDGET.instance_variable_set(:@page, nil)
  end

  # However long it takes, no other one begins meanwhile.
  def on_a_page(&block)
    BUDGET.new_page
    BUDGET.instance_variable_set(:@last, 0)
    MultiTenant.stub(:clock, 0, &block)
  end

  # @param files [Array<Array(Integer, Integer)>] publishers, and bytes of HTML that their files have
  # @return [Array<Integer>] which of them the page has
  def page(files)
    on_a_page do
      files.each_index.select { |i| BUDGET.new(files[i][0]).take('x' * files[i][1], most: MOST) }
    end
  end

  # Their jobs are younger than a professor's, and come first.
  def test_who_comes_first_leaves_another_one_room_for_a_lesson
    files = [1, 1, 2, 2, 3, 3].map { |owner| [owner, LARGE] } + [[9, LESSON]]
    assert_equal [0, 1, 2, 3, 4], page(files)
    3.times { assert_equal [0, 1, 2, 3, 6], page(files) }
    # The list that announces a page may be asked for twice.
    BUDGET.new_page
    assert_includes page(files), 6
  end

  def test_a_page_with_room_shows_all
    files = [*(1..60).map { |owner| [owner, 4000] }, [61, LARGE], [61, LARGE], [62, LARGE], [62, LARGE]]
    3.times { assert_equal files.each_index.to_a, page(files) }
  end

  # None of which is less than an equal part.
  def test_where_all_want_much_the_first_ones_have_it
    files = (1..7).map { |owner| [owner, LARGE] }
    3.times { assert_equal (0..4).to_a, page(files) }
    3.times { assert_equal [0, 1], page([[1, LARGE]] * 32) }
  end

  # What would not fit is not written to see how long it is.
  def test_rows_for_which_there_is_no_room_count_as_wanted
    values = { 'jobid' => '7', **(1..20).to_h { |i| ["k#{i}", '<' * 4096] } }
    cards = (1..4).to_a.product([*1..32]).map do |owner, _|
      { '7' => { 'info' => { 'uid' => owner.to_s }, 'connection' => values } }
    end
    shown = lambda do
      on_a_page do
        cards.each { |specs| MultiTenant::Card.new(values, specs: specs).rows }
        !BUDGET.new(9).take('x' * LESSON, most: MOST).nil?
      end
    end
    assert_equal [false, true, true, true], Array.new(4) { shown.call }
  end

  # A certificate or a token on each of a professor's cards, of which some have room at first.
  def test_letters_for_which_there_is_no_room_count_as_what_they_take
    many = { 'jobid' => '7', **(1..20).to_h { |i| ["k#{i}", '<' * 4096] } }
    asked = (1..4).to_a.product([many] * 32) + ([[9, { 'jobid' => '7', 'text' => 'a' * 4000 }]] * 24)
    shown = lambda do
      on_a_page do
        asked.count do |owner, values|
          specs = { '7' => { 'info' => { 'uid' => owner.to_s }, 'connection' => values } }
          MultiTenant::Card.new(values, specs: specs).rows.join.include?('aaaa')
        end
      end
    end
    pages = Array.new(6) { shown.call }
    assert_operator pages[0], :<, 24
    # What stands around each is learned as it is shown.
    assert_equal 24, pages[-1]
  end

  def test_pixels_are_shared_in_the_same_way
    image = '<img src="data:image/png;base64,AAAA">'
    files = [[1, 16], [1, 16], [2, 16], [2, 16], [9, 1]]
    pages = Array.new(3) do
      on_a_page { files.map { |owner, megapixels| BUDGET.new(owner).with_images(image, megapixels << 20) == image } }
    end
    assert_equal [[true, true, true, true, false], *[[true, true, true, false, true]] * 2], pages
  end
end
