# frozen_string_literal: true

require_relative 'in_job'

# libexec/multitenant-job.
class TestJob < MultiTenantTest
  include InJob

  def test_nothing_that_users_export_for_slurm_reaches_its_commands
    names = %w[SQUEUE_PARTITION SBATCH_WCKEY SACCT_FORMAT SCONTROL_ALL SCANCEL_STATE SINFO_FORMAT SLURM_CLUSTERS
               SLURM_TIME_FORMAT SLURM_JWT]
    exports = names.map { |name| "export #{name}=theirs" }.join('; ')
    assert_equal ["ours\n", true], bash("source #{JOB}; #{exports}; export OURS=ours; ask_slurm env | " \
                                        "sed -n 's/^[A-Z_]*=\\(theirs\\|ours\\)$/\\1/p'")
  end

  # Or no job that a lock names would ever have ended.
  def test_what_start_up_files_print_is_no_answer_of_slurms
    start_up = File.join(temporary, 'start_up').tap { |path| File.write(path, "echo Welcome\n") }
    squeue = program('echo COMPLETED', shell: '/bin/bash')
    script = "source #{JOB}; export BASH_ENV=#{start_up}; ask_slurm #{squeue}"
    assert_equal ["COMPLETED\n", true], bash(script)
  end

  # script.sh is another bash, and so are many programs that servers start.
  def test_what_start_up_files_export_for_each_bash_does_not_change_what_is_served
    start_up = File.join(temporary, 'start_up').tap { |path| File.write(path, "port=1 password=theirs\n") }
    script = File.join(temporary, 'script.sh')
    File.write(script, "#!/bin/bash\necho $port $password; env echo a=b; export c=d; echo ${c-}; echo $-\n",
               perm: 0o755)
    job = "source #{JOB}; export port=4711 password=ours; #{script}"
    env = { 'BASH_ENV' => start_up, 'SHELLOPTS' => 'keyword:noglob:noclobber' }
    out, = Open3.capture2(env, 'bash', '-c', job)
    assert_equal "4711 ours\na=b\nd\nhB\n", out
  end

  # A site that has BASH_ENV name their file has them in no other way.
  def test_script_sh_has_both_functions_of_environment_modules
    functions = '_module_raw() { echo "$@"; }; module() { _module_raw "$@"; }'
    assert_equal ["purge\nload a b\n", true], bash("#{functions}; source #{JOB}; bash -c \"load_modules 'a,b'\"")
  end

  # At some sites they are a module themselves. What a module has comes first.
  def test_slurms_commands_are_there_whatever_modules_are_loaded
    slurm, other, tools = %w[slurm other tools].map { |name| File.join(temporary, name).tap { |dir| Dir.mkdir(dir) } }
    %w[scontrol squeue srun].each { |name| File.write(File.join(slurm, name), "#!/bin/sh\n", perm: 0o755) }
    File.write(File.join(other, 'srun'), "#!/bin/sh\n", perm: 0o755)
    %w[find realpath].each { |name| FileUtils.ln_s(MultiTenant::Program.find(name, ENV.fetch('PATH')), tools) }
    out, = bash(<<~BASH)
      source #{JOB}
      module() { [[ $1 == load ]] && PATH=#{other}:$PATH || { PATH=#{tools}; unset SLURM_CONF; }; }
      export PATH=#{slurm}:#{tools} SLURM_CONF=/site/slurm.conf
      load_modules postgresql
      type -P scontrol squeue srun
      declare -p SLURM_CONF
    BASH
    assert_equal "#{slurm}/scontrol\n#{slurm}/squeue\n#{other}/srun\ndeclare -x SLURM_CONF=\"/site/slurm.conf\"\n", out
  end

  # Whoever may rename what is in it puts a socket or a text of theirs where a server or bash looks for its own.
  def test_no_app_uses_a_tmpdir_where_others_may_rename_what_is_there
    { 0o777 => '/tmp', 0o770 => '/tmp', 0o1777 => nil, 0o755 => nil }.each do |mode, other|
      Dir.mkdir(dir = File.join(temporary, mode.to_s))
      File.chmod(mode, dir)
      # As start-up files have set it, and as a module of script.sh's does.
      scripts = ["export %1$s=%2$s; source #{JOB}",
                 "module() { export %1$s=%2$s; }; export -f module; source #{JOB}; load_modules some"]
      %w[TMPDIR TMP TEMP].product(scripts).each do |name, script|
        script = format(script, name, dir)
        assert_equal "#{other || dir}\n", bash(%(#{script}; bash -c 'echo "$#{name}"'))[0], script
      end
    end
  end

  # What is locked, systemd-tmpfiles leaves where it is, however old it is: a gate that starts again needs it.
  def test_a_gateways_directory_is_not_cleaned_away
    locked = 'flock -n "$mt_gate_run" true || echo locked'
    job = "SLURM_JOB_ID=1; source #{JOB}; source #{JOB.sub(/job$/, 'gateway')}"
    assert_equal ["locked\n", true], bash("#{job}; make_run_directory; #{locked}")
  end

  # JupyterHub asks its proxy on 127.0.0.1 by libcurl, if it has that: by the site's proxy, which is not there.
  def test_no_proxy_is_named_to_what_has_no_way_out
    job = "SLURM_JOB_ID=1; source #{JOB}; source #{JOB.sub(/job$/, 'gateway')}; in_namespace() { shift; \"$@\"; }"
    ask = 'export http_proxy=http://p HTTPS_PROXY=http://p ALL_PROXY=http://p; mt_server_socket=s; isolate env'
    assert_empty bash("#{job}; #{ask}")[0].lines.grep(/_proxy=/i)
  end

  # That of EL 8, and one that the kernel refuses.
  def test_why_a_node_gives_no_network_namespace
    { 'ip' => ':', 'socat' => ':', 'unshare' => 'test "$1" = --help && echo "  $KNOWS  map"' }.each do |name, line|
      File.write(File.join(temporary, name), "#!/bin/sh\n#{line}\n", perm: 0o755)
    end
    job = "export PATH=#{temporary}:$PATH SLURM_JOB_ID=1; source #{JOB}; source #{JOB.sub(/job$/, 'gateway')}"
    { '--map-root-user' => /lacks --map-user, .* 2\.36 on$/, '--map-user=<uid>' => /gives users no network namespace/ }
      .each { |knows, why| assert_match why, bash("export KNOWS='#{knows}'; #{job}; can_isolate || echo \"$WHY\"")[0] }
  end

  # sbatch hands on what Slurm has told the job that it is called in, and Slurm sets it after a restart alone.
  def test_how_often_another_job_was_restarted_does_not_count
    records = [8, 7].map { |id| "JobId=#{id} ArrayJobId=7 JobName=a\n   Requeue=1 Restarts=#{id - 7} BatchFlag=1\n\n" }
    File.write(File.join(temporary, 'scontrol'), "#!/bin/sh\ncat <<'E'\n#{records.join}E\n", perm: 0o755)
    job = "export PATH=#{temporary}:$PATH SLURM_RESTART_COUNT=3; source #{JOB}; bash -c 'echo $SLURM_RESTART_COUNT'"
    said = %w[7 8 9].map { |id| bash("export SLURM_JOB_ID=#{id}; #{job}").first }
    assert_equal %W[0\n 1\n 3\n], said
  end

  # In that mode a bash before 5.1 knows no <(…), which functions have that script.sh gets as well.
  def test_no_shell_of_a_job_is_in_the_posix_mode_that_a_start_up_file_exports
    shown = '[[ ! -o posix && ! -v POSIXLY_CORRECT ]] && echo fine'
    out, = Open3.capture2({ 'POSIXLY_CORRECT' => '1' }, 'bash', '-c', "source #{JOB}; #{shown}; bash -c '#{shown}'")
    assert_equal "fine\nfine\n", out
  end

  # With POSIXLY_CORRECT each batch script has those of start-up files, as cat=bat.
  def test_no_alias_of_a_start_up_file_is_in_what_a_job_does
    parts = %w[job port gateway chain keeper submission].map { |name| JOB.sub(/job$/, name) }
    names = parts.flat_map { |path| File.read(path).scan(/[a-z][a-z0-9]+/) }.uniq
    names.select! { |name| File.executable?("/usr/bin/#{name}") }
    ['shopt -s expand_aliases', 'export POSIXLY_CORRECT=1'].each do |how|
      File.write(script = File.join(temporary, 'script'), <<~BASH)
        #{how}
        alias #{names.map { |name| "#{name}=EVIL" }.join(' ')}
        #{parts.map { |path| "source #{path}" }.join("\n")}
        declare -f
      BASH
      out, = Open3.capture2e('bash', script)
      assert_includes out, 'gate_configuration'
      refute_includes out, 'EVIL'
    end
  end

  def test_what_a_job_writes_for_its_card_is_a_line_and_a_text
    { "a\nb: c\t" => 'a b: c ', "it's \\n 'x" => "it's \\n 'x", "\e]0;x\a" => ' ]0;x ', '' => '' }.each do |value, text|
      script = "source #{JOB}; quote_for_card text; echo -e \"value: $text\""
      out, = Open3.capture2({ 'text' => value, 'SLURM_JOB_ID' => '1' }, 'bash', '-c', script)
      assert_equal({ 'value' => text }, YAML.safe_load(out))
    end
  end

  def test_a_server_that_does_not_end_is_killed
    said = bash(<<~BASH)
      cd #{temporary}
      export SLURM_JOB_ID=1
      source #{JOB}
      set +e
      sleep() { [[ $1 != infinity ]] || exec /bin/sleep 60; /bin/sleep 0.001; }
      start_group bash -c 'trap "" TERM; : >up; exec /bin/sleep 60'
      until [[ -e up ]]; do /bin/sleep 0.01; done
      end_group 2>/dev/null
      wait "$GROUP"
      echo $?
    BASH
    assert_equal ["137\n", true], said
  end

  # Where one server alone has a directory it may write all that it has there when it is to end, but not once another
  # job has taken that: it does not even hear of its end, or is killed in the middle of it.
  def test_a_server_that_writes_its_data_is_not_killed_meanwhile
    lost = "ln -sfT '8 test other' data/.multitenant-job"
    meanwhile = "sleep() { [[ ! -e told ]] || #{lost}; ((++waited < 2900)) || : >go; /bin/sleep 0.001; }"
    { ':' => "told\nsaved\n", 'mv data away' => "told\n",
      lost => '', meanwhile => "told\n" }.each do |taken, said|
      assert_equal [said, true], end_of_writer(taken), taken
    end
  end

  def end_of_writer(taken)
    FileUtils.rm_rf(%w[data away up go told].map { |name| File.join(temporary, name) })
    data = JOB.sub(/job$/, 'data')
    server = "trap 'echo told; : >told; until [[ -e go ]]; do /bin/sleep 0.01; done; echo saved; exit' TERM; : >up; " \
             'while :; do /bin/sleep 0.01; done'
    bash(<<~BASH)
      cd #{temporary}
      export SLURM_JOB_ID=1 SLURM_CLUSTER_NAME=test
      source #{JOB}
      source #{data}
      set +e
      waited=0
      sleep() { [[ $1 != infinity ]] || exec /bin/sleep 60; ((++waited < 1000)) || : >go; /bin/sleep 0.001; }
      mkdir data
      take_directory data
      start_group bash -c "#{server}"
      until [[ -e up ]]; do /bin/sleep 0.01; done
      trap '' TERM
      #{taken}
      end_group 2>/dev/null || true
    BASH
  end

  # @param programs [Hash{String => String}] name => sh
  # @param set [String] bash
  # @return [Array<String>] what the LLM app's script.sh says, and its code
  def serve_model(programs, set)
    programs.each { |name, body| File.write(File.join(temporary, name), "#!/bin/sh\n#{body}\n", perm: 0o755) }
    env = { 'PATH' => "#{temporary}:#{ENV.fetch('PATH')}", 'SLURM_JOB_ID' => '1' }
    out, = Open3.capture2e(env, 'bash', '-c', <<~BASH, chdir: temporary)
      source #{JOB}
      has_model() { [[ -e there ]]; }
      export -f has_model
      export mt_modules= mt_kind=ollama mt_models=#{temporary} model=m slots=1 context_size=1 ollama_url=http://127.0.0.1:1
      #{set}
      #{Tree::ROOT}/apps-services/multitenant-llm/template/script.sh
      echo $?
    BASH
    out.lines(chomp: true)
  end

  # llama.cpp then runs what it is asked to, and shows files; so does a development server of vLLM's.
  def test_no_variable_of_the_owners_gives_users_of_a_language_model_programs_or_files
    theirs = 'LLAMA_ARG_TOOLS=all LLAMA_ARG_MEDIA_PATH=/ VLLM_SERVER_DEV_MODE=1 VLLM_TORCH_PROFILER_DIR=/ ' \
             'CUDA_VISIBLE_DEVICES=0'
    show = 'env | sed -n "s/^\\(LLAMA_A[A-Z_]*\\|VLLM_[ST][A-Z_]*\\|CUDA[A-Z_]*\\)=.*/\\1/p"'
    { 'llamacpp' => 'llama-server', 'vllm' => 'vllm' }.each do |kind, program|
      said = serve_model({ program => show }, "export #{theirs} mt_kind=#{kind} port=1 mt_path=x mt_gpus=0 api_key=k")
      assert_equal ['CUDA_VISIBLE_DEVICES', "#{program} has ended, with code 0.", '1'], said
    end
  end

  # They fetch a picture that a question names, and would log in there as their owner.
  def test_who_uses_a_language_model_uses_no_password_of_its_owners_netrc
    show = 'env | sed -n "s/^NETRC=//p"'
    { 'vllm' => 'vllm', 'openai' => 'server' }.each do |kind, program|
      said = serve_model({ program => show }, "export NETRC=/theirs mt_kind=#{kind} mt_command=#{program} port=1 " \
                                              'mt_path=x mt_gpus=0 api_key=k')
      assert_equal File::NULL, said.first, said
    end
  end

  # SGLang does these by GET, where it was given no key: a profile so begun grows until the job has no memory left.
  def test_what_looks_for_paths_without_the_key_starts_nothing
    asked = File.join(temporary, 'asked')
    File.write(File.join(temporary, 'curl'), "#!/bin/sh\necho \"$*\" >>#{asked}\n", perm: 0o755)
    assert_predicate bash(<<~BASH), :last
      export PATH=#{temporary}:$PATH SLURM_JOB_ID=1
      source #{JOB}
      await_service() { :; }
      share_service() { :; }
      quote_for_card() { :; }
      host=n1 port=1 mt_kind=openai api_key=k model=m
      source #{Tree::ROOT}/apps-services/multitenant-llm/template/after.sh
    BASH
    paths = File.read(asked).scan(%r{http://n1:1/\{(.*?)\}}).flatten.flat_map { |part| part.split(',') }
    assert_includes paths, 'v1/models'
    assert_empty paths & %w[start_profile stop_profile flush_cache clear_hicache_storage_backend freeze_gc slow_down
                            start_expert_distribution_record release_memory_occupation resume_memory_occupation]
  end

  # They would ask models elsewhere by it, which may have to be paid, and publish what they like.
  def test_nobody_uses_the_account_of_an_ollamas_owner
    own = %W[HOME=#{temporary} OLLAMA_NO_CLOUD=1 OLLAMA_REMOTES=none]
    { 'm' => own, 'm:7b-cloud' => %w[HOME=/theirs] }.each do |model, set|
      said = serve_model({ 'ollama' => 'env', 'curl' => 'exit 7' }, "export HOME=/theirs port=1 model=#{model}")
      assert_equal set, said.grep(/\A(?:HOME|OLLAMA_(?:NO_CLOUD|REMOTES))=/).sort
    end
  end

  # One that is isolated downloads its model by another server before, at a port of its own.
  def test_a_port_for_a_download_that_another_process_took_is_chosen_anew
    programs = { 'ollama' => 'exit 1', 'curl' => 'exit 7' }
    { listen('127.0.0.1', job: '2') => '98', 1 => '1' }.each do |port, code|
      assert_equal code, serve_model(programs, "export mt_guard=socket mt_download=127.0.0.1:#{port}").last
    end
  end

  # Sites export it so that idle shells end; Ollama says nothing while it looks at the sum of a large model.
  def test_tmout_of_a_start_up_file_ends_no_download
    curl = "case \"$*\" in */api/pull) echo '{\"status\":\"verifying\"}'; sleep 3; touch there; esac"
    ollama = 'until [ -e there ]; do sleep 0.1; done; sleep 1; exit 7'
    said = serve_model({ 'curl' => curl, 'ollama' => ollama }, 'readonly TMOUT=1; export TMOUT port=1')
    assert_equal ['verifying', 'ollama has ended, with code 7.', '7'], said.last(3)
  end
end
