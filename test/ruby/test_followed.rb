# frozen_string_literal: true

require_relative 'fake_chain'

# How jobs that follow each other hand over what one server alone can have, and what follows where the next one fails.
class TestFollowed < MultiTenantTest
  include FakeChain

  # The node of the job before died within its lead, say. Where Slurm starts that anew, it ends.
  def test_a_job_tells_its_lock_which_ones_it_has_followed
    first = stage
    run_job(100, "#{first}share_member app\n")
    File.write(in_job('100.state'), '0:00|PENDING')
    tell = "take_data\necho \"followed ${mt_followed-nobody}.\"\n"
    assert_match(/^followed 100 100\.$/, run_job(101, "#{submitted(101, 'script')}#{tell}"))
    assert_match(/\AJob 101 has followed this one already/, run_job(100, first, restarts: 1))
    # It could not say that it has begun.
    assert_match(/^followed \.$/, run_job(102, "flock() { false; }\n#{submitted(102, 'script')}#{tell}"))
    assert_match(/^followed nobody\.$/, run_job(103, "#{source}#{tell}"))
  end
end
