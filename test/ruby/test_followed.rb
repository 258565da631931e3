# frozen_string_literal: true

require_relative 'fake_chain'
require_relative 'nfs_home'

# How jobs that follow each other hand over what one server alone can have, and what follows where the next one fails.
class TestFollowed < MultiTenantTest
  include FakeChain
  include NfsHome

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
    # Nothing follows one that has an address alone.
    alone = "keep_running --service french-301 --group hpcGrp\n"
    assert_match(/^followed nobody\.$/, run_job(104, "#{source}#{alone}#{END_KEEPER}\n#{tell}"))
  end

  # Behind submit_host a dashboard asks each five minutes, and a site may have another time to live.
  def test_jobs_are_told_how_long_dashboards_know_of_them_once_they_are_followed
    told = lambda do |ttl, sources|
      ENV['MULTITENANT_TTL'] = ttl
      MultiTenant.instance_variable_set(:@sources, sources)
      chain[/^mt_known_for=(.*)/, 1]
    end
    far = MultiTenant::Sources.new([MultiTenant::Schedule.new(nil, 300.0)])
    cases = [['1', nil], [nil, nil], [nil, far], ['200', nil], ['200', far], ['86400', nil]]
    assert_equal(%w[60 60 330 400 500 600], cases.map { |ttl, sources| told.call(ttl, sources) })
  ensure
    ENV.delete('MULTITENANT_TTL')
    MultiTenant.instance_variable_set(:@sources, nil)
  end

  # That one may wait for a server on a node that Slurm lost sight of. This one would be refused, and then the next one,
  # which ends the chain.
  def test_a_job_leaves_the_data_to_the_one_before_it_until_that_serves_or_has_ended
    run_job(100, "#{stage}share_member app\n")
    run_job(101, submitted(101, 'script'))
    File.write(in_job('100.state'), '1:00:00|TIMEOUT')
    { 'put "$mt_chain/served" 1; put "$mt_chain/shared" 101' => "wanted: \nwanted: 102\nfollowed 101 101.\n",
      "echo '1:00:00|TIMEOUT' >#{in_job('101.state')}" => "wanted: \nfollowed 100 101.\n" }.each do |comes, told|
      File.write(in_job('101.state'), '55:00|RUNNING')
      said = run_job(102, "#{submitted(102, 'script')}#{<<~BASH}")
        put "$mt_chain/served" 0; put "$mt_chain/shared" 100
        sleep() {
          get "$mt_chain/wanted"
          echo "wanted: $GOT"
          [[ -z $GOT ]] || { put "$mt_chain/waiting" 101; return; }
          #{comes}
        }
        take_data
        echo "followed $mt_followed."
      BASH
      assert_equal told, said[/^(wanted|followed).*/m]
    end
  end

  # All in one shell, as doc/reference.md has it.
  def test_a_script_of_ones_own_gives_its_directory_back_before_the_next_job_is_told_so
    Dir.mkdir(data = in_job('data'))
    said = run_job(100, <<~BASH)
      #{source}. #{MultiTenant::Sharing::DATA}
      keep_running --service spanish-301 --group hpcGrp --until '1 day' >/dev/null
      #{END_KEEPER}
      take_directory #{data}
      put "$mt_chain/wanted" 101
      share_now() { :; }
      looks=0
      sleep() {
        ((++looks < 300)) || exit
        command sleep 0.1
        [[ ! -e $mt_chain/waiting ]] || put "$mt_chain/served" 1
      }
      command sleep 60 & SCRIPT_PID=$!
      (read() { command sleep 0.1; }; put() { readlink #{data}/.multitenant-job; command touch "$1"; }; give_data) &
      mt_keeper=$!
      wait "$SCRIPT_PID"
      await_successor
      readlink #{data}/.multitenant-job || echo free
    BASH
    assert_equal "free\n", said.lines.grep_v(/Terminated/).join
  end

  # As on a node that lacks its home: nothing of ours ran there. One that ended as it should has seen that it was to.
  def test_a_job_that_failed_before_it_had_begun_is_followed_by_another_but_not_each_minute
    said = run_job(100, "#{stage}\n#{<<~BASH}")
      mt_again=0 mt_retry=0 mt_pause=5000
      tell() { rounds=11; echo "$1" >#{temporary}/$2.state; watch_once; get "$mt_chain/next"; echo "$2: $GOT"; }
      tell '0:03|COMPLETED' 101
      tell '0:03|FAILED' 101
      get "$mt_chain/problem.next"; echo "$GOT"
      tell '' 101
      tell '0:03|FAILED' 102
    BASH
    why = 'Job 101, which was to follow this one, failed before it had begun'
    assert_equal "101: 101\n#{why}.\n101: \n#{why}: another one is submitted.\nJob 102 follows this one.\n" \
                 "101: 102\n102: 102\n", said[/^101: .*/m]
    assert_nil state('chains/1/problem.next')
  end

  # In a full home files go, and none comes; whoever deletes the service looks there for its jobs.
  def test_a_job_that_can_not_note_that_it_has_begun_stays_noted_as_the_next_one
    run_job(100, stage)
    before = File.join(@staged, 'gen-1/before.sh')
    File.write(before, File.read(before).sub(/^keep_running /, "put() { false; }\n\\0"))
    said = run_job(101, "#{submitted(101, 'script')}\n#{<<~BASH}")
      noted() { echo "$1 $(cat "$mt_chain"/{job,next} | xargs)"; }
      noted full
      . #{MultiTenant::Chain::FILES[0]}
      mt_again=0 rounds=11
      watch_once >/dev/null
      noted empty
    BASH
    assert_match(/^full 100 101\nempty 101 102\n/, said)
    assert_equal ['1', 102], [state('chains/1/generation'), last]
  end

  def test_that_it_is_shared_is_noted_once_there_is_space
    run_job(100, "#{stage}\n#{<<~BASH}")
      others_listen() { false; }
      share_member app
      rm "$mt_chain"/{shared,served}
      mt_again=0 rounds=11
      watch_once
    BASH
    assert_equal %w[100 0], [state('chains/1/shared'), state('chains/1/served')]
  end

  def test_what_another_host_writes_is_seen_at_the_next_look_by_nfs
    File.write(in_job('99.state'), '1:00:00|RUNNING')
    said = run_job(100, "#{stage}\n#{<<~BASH}", variables: nfs('*/@(unshared|waiting|ended)'))
      others_listen() { false; }
      looks=0 rounds=0 mt_again=0
      sleep() { ((++looks < 9)) || { echo 'waits on'; exit; }; put "$mt_chain/$comes" "$holder"; }
      share_member app
      #{END_KEEPER}
      watch_once
      put "$mt_state/unshared" yes
      watch_once
      put "$mt_chain/shared" 99
      comes=waiting take_data
      put "$mt_chain/waiting" 100
      comes=ended await_successor
      echo "looked $looks times"
    BASH
    assert_match(/ app\n--unshare\nlooked 2 times\n\z/, said)
  end

  # As where its file server is started anew. Nobody shares again what its owner has taken back, nor without its title.
  def test_while_the_home_is_away_nothing_is_shared_anew
    said = run_job(100, "#{stage}\n#{<<~BASH}")
      others_listen() { false; }
      rounds=0 mt_again=0
      away() { mv "$mt_state" "$mt_state.away"; "$@"; mv "$mt_state.away" "$mt_state"; }
      echo begins
      away share_member app 2>&1
      rounds=11 watch_once
      away watch_once
      put "$mt_state/unshared" yes
      watch_once
      away watch_once
    BASH
    assert_match(/^begins\nNot shared: \S+ can't be read\.\n--service [^\n]+ app --replace\n--unshare\n\z/, said)
  end

  # Its clients wait for the next one; what its owner takes back is taken back all the same.
  def test_a_job_that_gave_its_data_away_is_shared_as_it_was
    said = run_job(100, "#{stage}\n#{<<~BASH}")
      others_listen() { false; }
      start_keeper() { :; }
      share_member app
      rounds=0 mt_again=0
      put "$mt_chain/waiting" 100
      put "$mt_state/title" 'Spanish 302'
      echo waits
      watch_once
      put "$mt_state/unshared" yes
      watch_once
    BASH
    assert_match(/^waits\n--unshare\n\z/, said)
  end

  # Where the first one has ended, nothing else would be left.
  def test_of_fewer_copies_as_many_go_on_as_there_are_to_be
    said = run_job(100, "#{stage(mt_copies: '3')}\n#{<<~BASH}")
      mkdir "$mt_state"/chains/{2,3}
      put "$mt_state/copies" 1
      leaves() {
        printf "$1"
        for mt_number in 1 2 3; do ! is_too_many || printf " $mt_number"; done
        echo
      }
      leaves 'all begin:'
      put "$mt_state/chains/2/job" 200
      put "$mt_state/chains/3/job" 300
      leaves 'all run:'
      put "$mt_state/chains/1/ended" cancelled
      leaves 'the first one has ended:'
      put "$mt_state/copies" 2
      leaves 'two of three:'
    BASH
    assert_equal <<~TEXT, said.lines.last(4).join
      all begin: 2 3
      all run: 2 3
      the first one has ended: 3
      two of three:
    TEXT
  end

  # As by a Prolog that fails. Who holds a job themselves means it.
  def test_a_job_that_a_node_could_not_launch_is_released
    held = 'launch failed requeued held'
    fake('scontrol', CONTROL.sub("in\n", "in\n  release*) echo \"$2\" >>\"${0%/*}/released\" ;;\n"))
    run_job(100, "#{stage}\n#{<<~BASH}")
      mt_again=0 mt_retry=0 mt_pause=5000
      look() { rounds=11; echo "0:00|$1" >#{temporary}/$2.state; watch_once; }
      look 'PENDING|JobHeldUser' 101
      look 'COMPLETED|#{held}' 101
      look 'PENDING|#{held}' 101
      look 'PENDING|#{held}' 101
      look 'PENDING|Dependency' 101
      put "$mt_state/copies" 2
      mkdir "$mt_state/chains/2"
      put "$mt_state/chains/2/next" 102
      look 'PENDING|#{held}' 102
      mt_retry=0
      look 'REQUEUE_HOLD|#{held}' 102
    BASH
    assert_equal "101\n102\n", File.read(in_job('released'))
    assert_equal ['101', nil], [state('chains/1/next'), state('chains/2/ended')]
  end
end
