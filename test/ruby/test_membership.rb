# frozen_string_literal: true

require_relative 'helper'
require 'multitenant/receiver/membership'

# A group that the name service takes away from a running dashboard.
class TestMembership < MultiTenantTest
  # What the name service says, one look-up after the other.
  class Said
    attr_accessor :gids
    attr_reader :asked

    def viewer(_seconds)
      @asked = @asked.to_i + 1
      gids
    end
  end

  def setup
    super
    @now = 0.0
    @names = Said.new
    @membership = MultiTenant::Membership.new([2001, 3000, 4000], names: @names, clock: -> { @now })
  end

  # @return [Array<Integer>] after a look-up in which the name service says this
  def says(gids)
    @names.gids = gids
    @now += 300
    @membership.renew(3)
  end

  def test_a_group_that_was_there_and_is_gone_is_lost
    assert_equal [2001, 3000, 4000], says([2001, 3000])
    assert_equal [2001, 4000], says([2001])
  end

  def test_one_that_comes_back_counts_again
    says([2001, 3000])
    says([2001])
    assert_equal [2001, 3000, 4000], says([2001, 3000])
  end

  # Groups that PAM gives are in no directory.
  def test_one_that_was_never_there_stays
    assert_equal [2001, 3000, 4000], says([2001])
  end

  def test_one_that_the_process_has_not_is_not_gained
    assert_equal [2001, 3000, 4000], says([2001, 3000, 5000])
  end

  def test_a_look_up_that_fails_changes_nothing
    says([2001, 3000])
    [nil, []].each { |answer| assert_equal [2001, 3000, 4000], says(answer) }
    says([2001])
    [nil, []].each { |answer| assert_equal [2001, 4000], says(answer) }
  end

  def test_the_name_service_is_asked_every_five_minutes
    says([2001])
    @now += 299
    @membership.renew(3)
    assert_equal 1, @names.asked
    @now += 1
    @membership.renew(3)
    assert_equal 2, @names.asked
  end
end
