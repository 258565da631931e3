# frozen_string_literal: true

require_relative 'bed'

# A site that changed nothing in its Slurm (script/testbed up --no-enforce): WCKeys are a filter that
# anyone may use, so anyone may try.
class OpenSite < BedTest
  def test_publishing_works_without_tracking_or_enforcing
    job_id, id = Bed.share
    assert_equal ["written #{id}"], Bed.cards('hpcstudent')
    assert_equal [job_id.to_s], Bed.specs('hpcstudent').keys
    system('scancel', job_id.to_s)
    Bed.wait('the card goes') { Bed.cards('hpcstudent').include?("removed #{id}") }
  end

  # The database compares keys as words: case, accents and trailing blanks make no difference to it.
  def test_another_spelling_of_the_wckey_is_another_key
    _, id = Bed.share
    ['múltíténánt', 'multitenant ', "multitenant#{' ' * 300}", "múltíténánt#{' ' * 240}"].each do |spelling|
      other = Bed.running(Bed.submit('outsider', wckey: spelling))
      assert_empty(Bed.cards('hpcstudent').grep_v(/ #{id}\z/), spelling.inspect)
      assert_nil Bed.codes('hpcstudent', other), spelling.inspect
    end
    assert_card 'hpcstudent', id
  end

  def test_who_is_not_in_the_group_publishes_to_nobody
    job_id, = Bed.share('outsider')
    assert_equal %w[publisher_not_member] * 2, Bed.codes('hpcstudent', job_id)
    assert_empty Bed.cards('hpcstudent')
    assert_equal [job_id.to_s], Bed.specs('outsider').keys
  end

  def test_a_bad_name_costs_its_publisher_his_card_and_nobody_anything
    _, id = Bed.share
    bad = Bed.running(Bed.submit('hpcstudent2'))
    ['sys|hpcGrp|AAAA', 'sys|hpcGrp|%%%%', "\n|hpcGrp|\x01", ('|' * 900).to_s, "\xff|hpcGrp|\xfe"].each do |name|
      Bed.rename('hpcstudent2', bad, name)
      code, = Bed.codes('hpcstudent', bad)
      assert_includes %w[bad_base64 bad_cipher malformed_name], code, name.inspect
      assert_empty(Bed.cards('hpcstudent').grep_v(/ #{id}\z/))
      assert_card 'hpcstudent', id
    end
  end
end
