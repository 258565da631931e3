# frozen_string_literal: true

require_relative 'helper'

# libexec/multitenant-keeper, where its job is being ended. What else it does: test_chain.rb.
class TestKeeper < MultiTenantTest
  include Places

  KEEPER = File.join(Tree::ROOT, 'libexec/multitenant-keeper')

  def keep(script)
    files = %w[fifo tried].map { |name| File.join(temporary, name) }
    Open3.capture2e('bash', '-c', script, 'bash', KEEPER, *files).first
  end

  # Its job is being ended while Slurm's controller is away.
  def test_a_share_that_can_not_be_taken_back_keeps_no_keeper
    out = keep(<<~BASH)
      . "$1"
      mkfifo "$2" && exec {mt_never}<>"$2"
      ask_anew() { :; }
      is_over() { false; }
      is_too_many() { false; }
      has_followed() { true; }
      leave() { exit; }
      tried=$3
      multitenant_share() { echo >>"$tried"; (($(wc -l <"$tried") < 5)) || { echo 'still tries' && exit; }; false; }
      keep_watch &
      until [[ -e $3 ]]; do sleep 0.1; done
      kill $!
      wait
    BASH
    assert_empty out
  end

  # Dashboards that know of it alone lead there as long.
  def test_a_job_that_has_handed_over_serves_as_long_as_it_is_known
    out = keep(<<~BASH)
      . "$1"
      unset SECONDS # a second is over when this says so
      read() { ((SECONDS += 5)); return 1; }
      multitenant_share() { echo "$1"; }
      sockets() { SOCKETS=(); }
      is_over() { false; }
      quit='' port=1
      for mt_known_for in 330 ''; do
        SECONDS=0
        withdraw
        echo "$SECONDS"
      done
    BASH
    assert_equal %w[--unshare 335 --unshare 65], out.split
  end

  # Tenants are told to wait as long as it stays, and two that follow may have failed.
  def test_a_job_that_gave_its_data_away_ends_where_nothing_follows
    out = keep(<<~BASH)
      . "${1/%keeper/chain}"
      mt_chain=${2%/*} mt_job=7 mt_generation=0 looks=0
      echo 7 >"$mt_chain/waiting"
      sleep() { : >"$mt_chain/ended"; ((++looks < 3)) || { echo "waits on"; exit; }; }
      command sleep 60 &>/dev/null &
      mt_keeper=$!
      await_successor
      kill "$mt_keeper"
    BASH
    assert_empty out
  end

  # It may have slept all the while that its job was suspended, and another one has taken its place.
  def test_a_keeper_that_is_to_end_does_nothing_more
    out = keep(<<~BASH)
      . "$1"
      watch_once() { echo looked; }
      mkfifo "$2" && exec {mt_never}<>"$2"
      keep_watch &
      sleep 1
      kill $!
      wait
    BASH
    assert_empty out
  end

  # Slurm kills the batch script alone where it can't track a job's processes.
  def test_no_keeper_outlives_a_batch_script_that_was_killed
    out = keep(<<~BASH)
      exec 2>/dev/null # what bash says of a process that was killed
      bash -c '. "$1"; watch_once() { echo looked; exit; }; mkfifo "$2"; exec {mt_never}<>"$2"
        keep_watch & kill -9 $$' bash "$@"
    BASH
    assert_empty out
  end
end
