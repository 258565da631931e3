# frozen_string_literal: true

require_relative 'helper'

# What a job with a gateway removes of those that ended long ago, and locks of a gate that has ended.
class TestGateForgets < MultiTenantTest
  PARTS = %w[job gateway].map { |name| File.join(Tree::ROOT, "libexec/multitenant-#{name}") }.freeze
  MONTH = 31 * 24 * 3600

  def squeue(body)
    FileUtils.mkdir_p(bin = File.join(temporary, 'bin'))
    File.write(File.join(bin, 'squeue'), "#!/bin/sh\n#{body}\n", perm: 0o755)
  end

  def keep(*names, age: MONTH)
    names.each do |name|
      path = File.join(temporary, 'home/multitenant/jobs', name)
      name.include?('.') ? FileUtils.mkdir_p(File.dirname(path)) && FileUtils.touch(path) : FileUtils.mkdir_p(path)
      File.utime(*([Time.now - age] * 2), path)
    end
  end

  def begin_job(bash = '', more = {})
    env = { 'PATH' => "#{temporary}/bin:#{ENV.fetch('PATH')}", 'SLURM_JOB_ID' => '7', 'SLURM_CLUSTER_NAME' => 'hpc',
            'XDG_STATE_HOME' => File.join(temporary, 'home'), **more }
    script = "#{PARTS.map { |path| "source #{path}" }.join("\n")}\n#{bash}\ngateway_state; echo \"$mt_gate_state\""
    done = run_as(nil, 'bash', '-c', script, env: env)
    assert_equal ['', 0], [done.err, done.code]
    done.out.chomp
  end

  def jobs
    Dir.children(File.join(temporary, 'home/multitenant/jobs')).sort
  end

  def test_what_jobs_left_that_ended_goes_after_a_month
    keep('5@hpc', '6@hpc', '9@other', 'mine')
    keep('4@hpc', age: 20)
    squeue('echo 6; echo 7; echo 55')
    assert_equal File.join(temporary, 'home/multitenant/jobs/7@hpc/gate'), begin_job
    assert_equal %w[4@hpc 6@hpc 9@other mine], jobs
  end

  # Who used it stands in its log.
  def test_what_a_job_of_more_than_a_month_left_stays_as_long
    log = '5@hpc/gate/log/5@hpc.jsonl'
    [[0, %w[5@hpc]], [MONTH, []]].each do |age, left|
      keep(log, age: age)
      keep('5@hpc')
      squeue('echo 7')
      begin_job
      assert_equal left, jobs
    end
  end

  # squeue leaves those out of a hidden partition, unless it is asked for all.
  def test_what_a_job_in_a_hidden_partition_has_stays
    keep('5@hpc', '6@hpc')
    squeue('echo 7; [ "${*#*--all}" = "$*" ] || echo 6')
    begin_job
    assert_equal %w[6@hpc], jobs
  end

  # Of another cluster this one's squeue knows nothing.
  def test_what_a_job_on_a_cluster_has_whose_name_begins_like_ours_stays
    others = %w[s/gate/seen.5@hpc2 s/gate/seen.5@hpc.b s/gate/log/5@hpc2.jsonl s/gate/log/5@hpc-gpu.gate]
    keep('5@hpc2', '5@hpc-gpu', *others, 's/gate/log/5@hpc.gate.1', 's/gate/log/5@hpc.jsonl')
    squeue('echo 7')
    begin_job("mt_state=#{temporary}/home/multitenant/jobs/s")
    base = File.join(temporary, 'home/multitenant/jobs')
    assert_equal others, Dir.glob(others, base: base)
    assert_equal %w[5@hpc-gpu.gate 5@hpc2.jsonl], Dir.children(File.join(base, 's/gate/log')).sort
    assert_equal %w[5@hpc-gpu 5@hpc2 s], jobs
  end

  def test_where_slurm_does_not_answer_all_stays
    keep('5@hpc')
    # It ends with 0 where slurmctld did not answer in time, and where another cluster's slurm.conf is named.
    ['echo "squeue: error" >&2; exit 1', 'echo "Socket timed out" >&2', 'echo 77'].each do |answer|
      squeue(answer)
      begin_job
      assert_equal %w[5@hpc], jobs
    end
  end

  # The job may run on, as where it has handed its data over.
  def test_no_command_waits_for_a_gateway_that_has_ended
    keep('s/gate/seen.7@hpc', 's/gate/seen.77@hpc', 's/gate/log/7@hpc.gate', age: 0)
    squeue('echo 7')
    state = File.join(temporary, 'home/multitenant/jobs/s')
    begin_job(<<~BASH)
      mt_state=#{state} mt_gate_run=#{temporary}/run
      gateway_state && mkdir "$mt_gate_run" && ln -s "$mt_gate_state/log" "$mt_gate_run/log"
      quote_for_card mt_gate_state
      end_gateway
    BASH
    assert_equal %w[gate gate/log gate/log/7@hpc.gate gate/seen.77@hpc], Dir.glob('**/*', base: state).sort
    refute_path_exists File.join(temporary, 'run')
  end

  # A job that has handed its data over stays, and what then comes to its server's port is anybody's.
  def test_a_gateway_ends_with_its_server_whatever_the_job_waits_for
    cleans = Dir[File.join(Tree::ROOT, 'apps-services/*/template/clean.sh')]
    waiting = cleans.select { |path| File.read(path).include?('await_successor') }
    assert_operator waiting.size, :>, 1
    functions = %w[end_gateway end_script await_successor].map { |name| "#{name}() { echo #{name}; }; " }.join
    waiting.each do |path|
      out, = Open3.capture2('bash', '-euc', "#{functions}. #{path}")
      assert_equal %w[end_gateway end_script await_successor], out.split
    end
  end

  # The next gate would watch none of those whom the one before let into a database.
  def test_accounts_are_locked_before_a_gate_starts_again
    squeue('echo 7')
    File.write(gate = File.join(temporary, 'gate'), "#!/bin/sh\necho gate >>#{temporary}/done\nexit 1\n", perm: 0o755)
    begin_job(<<~BASH)
      mt_gate_run=#{temporary} mt_gate_program=#{gate} mt_gate_accounts=(sh -c 'cat >>#{temporary}/done')
      : >"$mt_gate_run/ready"
      trap : TERM
      (run_gateway) 2>/dev/null || true
    BASH
    assert_equal "#{"gate\nban all\n" * 3}gate\n", File.read(File.join(temporary, 'done'))
  end

  # By it an nginx learns which sockets the one before it has left, and would listen on those alone.
  def test_a_gateways_nginx_takes_no_sockets_over
    squeue('echo 7')
    assert_match(/\Anone$/, begin_job('(use_nginx printenv NGINX) || echo none', 'NGINX' => '3;'))
  end

  # It stands in nginx's configuration.
  def test_a_servers_key_is_nothing_but_a_key
    squeue('echo 7')
    ['a"; proxy_pass http://evil; #', "a\nb", 'a b', '$host'].each do |key|
      done = begin_job('(mt_gate_program=true; start_gateway 127.0.0.1:1 KEY) 2>&1 || true', 'KEY' => key)
      assert_match(/\AThe server's key must have letters, digits and/, done)
    end
  end

  def test_of_a_service_the_logs_of_members_go
    keep('s/gate/log/5@hpc.jsonl', 's/gate/log/6@hpc.jsonl.1', 's/gate/seen.5@hpc', 's/gate/seen.6@hpc',
         's/gate/lists.x')
    squeue('echo 6; echo 7')
    begin_job("mt_state=#{temporary}/home/multitenant/jobs/s")
    kept = Dir.glob('**/*', base: File.join(temporary, 'home/multitenant/jobs/s'))
    assert_equal %w[gate gate/lists.x gate/log gate/log/6@hpc.jsonl.1 gate/seen.6@hpc], kept.sort
  end
end
