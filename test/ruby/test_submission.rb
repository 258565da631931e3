# frozen_string_literal: true

require_relative 'fake_chain'
require 'socket'

# libexec/multitenant-submission: with what options a job of a service submits others, and on which nodes.
class TestSubmission < MultiTenantTest
  include FakeChain

  GENERATIONS = ENV.key?('MULTITENANT_LONG') ? 200 : 5

  def test_no_option_drifts_over_the_generations
    script = stage
    seen = GENERATIONS.times.map do |n|
      run_job(100 + n, script)
      File.write(in_job("#{100 + n}.state"), '50:00|RUNNING')
      script = submitted(101 + n, 'script')
      %w[arguments environment script].map do |what|
        submitted(101 + n, what).gsub(%r{/gen-#{n + 1}\b}, '/gen-N').sub("(1 #{n + 1} #{100 + n} ", '(1 N ID ')
                                .sub("after:#{100 + n}+50?afterany:#{100 + n}", 'after:ID+50?afterany:ID')
      end
    end
    assert_equal 1, seen.uniq.size
    dir = "#{@staged}/gen-N"
    assert_equal ['--parsable', '-D', dir, '-o', "#{dir}/output.log", "--comment=#{ODD}", '--export', 'NONE',
                  '--dependency=after:ID+50?afterany:ID'], seen[0][0].split("\0")
    assert_includes seen[0][1].split("\0"), "ODD=#{ODD}\nb"
    refute_match(/^SLURM_JOB_ID|^SQUEUE/, seen[0][1])
    assert_match(/\A#!.*\n#SBATCH --mem=1\n\nMULTITENANT_CHAIN=\(1 N ID \S+\)\ncd \S+gen-N\n/, seen[0][2])
    assert_equal (GENERATIONS - 1).to_s, state('chains/1/generation')
  end

  # No sender takes a later one than the last of 9999 in UTC, so nothing would be shared.
  def test_a_time_that_is_too_late
    script = "#{source}keep_running --service spanish-301 --group hpcGrp --until '9999-12-31 23:59'\necho $?\n"
    told = ->(zone) { run_job(100, script, variables: { 'TZ' => zone }) }
    assert_equal "keep_running: --until is too late.\n64\n", told['America/Chicago']
    refute_path_exists "#{@home}/.local"
    refute_match(/too late/, told['Europe/Berlin'])
    most = MultiTenant::Core::LIMITS[:until]
    assert_includes File.read(File.join(Tree::ROOT, 'libexec/multitenant-chain')), "<= #{most})"
  end

  # Sourced by a strict script, which has no session of OOD's; and nothing that it exports goes on. Hosts in FIPS mode
  # know no MD5.
  def test_a_script_of_ones_own
    fake('md5sum', 'exit 134')
    said = run_job(100, "set -euo pipefail\n#{source}export LATER=1\n" \
                        "keep_running --service spanish-301 --group hpcGrp --until '1 day' -- --nice=5\n" \
                        "echo \"$mt_session\"\n", variables: { 'SBATCH_CLUSTERS' => 'other' })
    assert_match(/\AJob 101 follows this one\.\n\h{8}(-\h{4}){3}-\h{12}\n\z/, said)
    assert_equal ['--parsable', '--job-name=', "--chdir=#{@staged}", '--open-mode=append', '--nice=5',
                  '--dependency=after:100+50?afterany:100'], submitted(101, 'arguments').split("\0")
    assert_match(/\A#!.*\n#SBATCH --mem=1\n\nMULTITENANT_CHAIN=\(1 1 100 \S+\)\ntrue\n\z/, submitted(101, 'script'))
    assert_equal ['SBATCH_WCKEY=multitenant'], submitted(101, 'environment').scan(/LATER|SBATCH_[^\0]*/)
  end

  # A dashboard that keeps nothing of what it calls. Its sbatch has none of what start-up files export on a node.
  def test_what_start_up_files_export_for_sbatch_was_no_option_of_open_ondemands
    script = stage
    FileUtils.rm_rf(Dir.glob("#{@staged}/submission/*"))
    options = { 'workdir' => @staged, 'native' => ['--wckey=multitenant'] }
    File.write("#{@staged}/job_script_options.json", JSON.generate(options))
    File.write("#{@staged}/job_script_content.sh", script.lines.drop(1).join)
    run_job(100, script, variables: { 'SBATCH_PARTITION' => 'debug' })
    assert_includes submitted(101, 'arguments').split("\0"), '--wckey=multitenant'
    assert_empty submitted(101, 'environment').scan(/SBATCH_[^\0]*/)
  end

  # The job that follows would be waited for.
  def test_a_script_that_waits_for_its_end
    fake('scontrol', %q([[ $1 == write ]] && printf '#!/bin/bash\n#SBATCH -W --mem=1 --wait\n#SBATCH --wait\n') +
                     %q(&& printf '#SBATCH --wait-all-nodes=1\ntrue\n#SBATCH --wait\n'))
    run_job(100, "#{source}keep_running --service spanish-301 --group hpcGrp --until '1 day' -- --wait -W --nice=5\n")
    assert_equal %w[--nice=5 --dependency=after:100+50?afterany:100], submitted(101, 'arguments').split("\0").last(2)
    assert_equal ['#SBATCH --mem=1 ', '#SBATCH ', '#SBATCH --wait-all-nodes=1', 'true', '#SBATCH --wait'],
                 submitted(101, 'script').lines(chomp: true).grep_v(/^MULTI|^#!/)
  end

  def test_what_a_wrapper_of_sbatch_says_is_no_refusal
    fake('sbatch', "echo 'Welcome to hpc'\n#{FakeChain::SBATCH}\necho 'This job costs 5 units.' >&2\n")
    run_job(100, "#{stage}\nmt_again=0 rounds=0\nfor i in {1..24}; do watch_once; done\n")
    assert_equal ['101', 101], [state('chains/1/next'), last]
  end

  def test_one_that_is_refused_is_said
    File.write(in_job('refused'), 'Batch job submission failed: Job violates policy')
    run_job(100, stage)
    assert_equal 'The next job could not be submitted, which is tried again: ' \
                 'sbatch: error: Batch job submission failed: Job violates policy', state('chains/1/problem.next')
    File.delete(in_job('refused'))
    run_job(100, File.read("#{@staged}/submission/script"), restarts: 1)
    assert_equal [nil, '101'], [state('chains/1/problem.next'), state('chains/1/next')]
  end

  # Its owner asks for fewer meanwhile.
  def test_a_copy_that_is_refused_is_said_while_it_is_wanted
    run_job(100, <<~BASH)
      #{stage(mt_copies: '2')}
      #{END_KEEPER}
      echo no >#{in_job('refused')}
      mt_again=0 rounds=0
      watch_once
      get "$mt_chain/problem.copy"
      put "$mt_state/told" "$GOT"
      put "$mt_state/copies" 1
      watch_once
    BASH
    assert_equal 'Copy 2 could not be submitted, which is tried again: sbatch: error: no', state('told')
    assert_nil state('chains/1/problem.copy')
  end

  # As they start in turn and Slurm starts jobs elsewhere again, what waits is told where the other copies are.
  def test_copies_keep_off_each_others_nodes
    fake('scontrol', 'echo "$@" >>"${0%/*}/told"')
    script = stage(mt_copies: '2')
    run_job(100, <<~BASH)
      #{script}
      mt_again=0 rounds=0
      for node in node2 node2 node3; do
        put "$mt_state/chains/2/job" 7 && put "$mt_state/chains/2/node" "$node"
        watch_once
      done
      put "$mt_state/chains/2/ended" 'It was cancelled.'
      watch_once
    BASH
    assert_equal(['node2', 'node3', ''].map { |nodes| "update JobId=101 ExcNodeList=#{nodes}\n" },
                 File.readlines(in_job('told')))
    assert_equal "--exclude=#{Socket.gethostname}", submitted(102, 'arguments').split("\0").last
  end

  # The one that waits would begin on the node that this one leaves.
  def test_a_job_that_its_node_can_t_serve_sends_the_next_one_to_another
    fake('scontrol', '[[ $1 != update ]] || echo "$@" >>"${0%/*}/told"')
    script = stage
    refused = ". #{MultiTenant::Sharing::JOB.sub(/job\z/, 'gateway')}\nrefuse_here 'It lacks nginx.'\n"
    run_job(100, "#{script}#{refused}", variables: { 'SLURMD_NODENAME' => 'node1' })
    assert_equal "update JobId=101 ExcNodeList=node1\n", File.read(in_job('told'))
    # There is no other node.
    fake('sbatch', "[[ \" $* \" != *' --test-only '*--exclude=node1* ]] || exit 1\n#{FakeChain::SBATCH}")
    File.delete(in_job('told'))
    run_job(100, "#{script}#{refused}", restarts: 1, variables: { 'SLURMD_NODENAME' => 'node1' })
    refute_path_exists in_job('told')
  end

  def test_who_names_nodes_has_those
    script = stage
    fake('scontrol', 'echo "$@" >>"${0%/*}/told"')
    ['#SBATCH -x node9', '#SBATCH --mem=2 --nodelist=node9'].each do |line|
      File.write("#{@staged}/submission/script", script.sub('#SBATCH --mem=1', line))
      FileUtils.rm_rf(@home)
      run_job(100, <<~BASH)
        #{script}
        mkdir -p "$mt_state/chains/2" && put "$mt_state/chains/2/node" node2
        rm "$mt_chain/next" && submit_next
        watch_once
        leave_node
      BASH
    end
    assert_equal 104, last
    (101..104).each { |id| refute_includes submitted(id, 'arguments'), '--exclude' }
    refute_path_exists in_job('told')
  end
end
