# frozen_string_literal: true

require_relative 'free_port'
require_relative 'helper'

# Which data directories the database app's script.sh takes over, with programs of the test's in the place of Slurm's
# and of PostgreSQL's. It has got the directory where it ends because its port does not answer.
class TestDatabaseLock < MultiTenantTest
  TEMPLATE = File.join(Tree::ROOT, 'apps-services/multitenant-database/template')
  GOT_IT = 98

  def setup
    super
    FileUtils.cp(Dir.glob("#{TEMPLATE}/*.sh"), temporary)
    FileUtils.cp(MultiTenant::Sharing::DATA, File.join(temporary, 'data.sh'))
    @data = File.join(temporary, 'data')
    FileUtils.mkdir_p(File.join(@data, 'global'))
    ['PG_VERSION', 'global/pg_control'].each { |name| File.write(File.join(@data, name), '') }
    @lock = File.join(@data, '.multitenant-job')
    FileUtils.mkdir_p(File.join(temporary, 'bin'))
    # A server ends at SIGINT also where that is ignored, as in what nohup starts.
    server = %(exec #{RbConfig.ruby} -e 'trap(:INT) { exit }; File.write("up", ""); sleep 300')
    programs = { 'postgres' => server, 'initdb' => '', 'pg_isready' => '[[ -e up ]]', 'psql' => '',
                 'squeue' => squeue_says('NODE_FAIL'), 'scontrol' => 'echo "ClusterName = test"',
                 'sleep' => 'exec /bin/sleep 0.02' }
    programs.each { |name, body| fake(name, body) }
  end

  def fake(name, body)
    File.write(File.join(temporary, 'bin', name), "#!/bin/bash\n#{body}\n", perm: 0o755)
  end

  # @param batch [String] what calls it
  # @return [Done] of job 7's script.sh
  def serve(batch: './script.sh', **more)
    FileUtils.rm_f(File.join(temporary, 'up'))
    env = { 'PATH' => "#{temporary}/bin:#{ENV.fetch('PATH')}", 'SLURM_JOB_ID' => '7', 'SLURM_CLUSTER_NAME' => 'test',
            'datadir' => @data, 'database' => 'd', 'user' => 'u', **more }
    answers = 'HOSTNAME=login mt_kind=postgresql mt_modules= mt_share_superuser=no host=127.0.0.1 port=1 password=p ' \
              'mt_had=had'
    job = "source #{MultiTenant::Sharing::JOB}; export #{answers}; #{batch}"
    run_as(nil, 'bash', '-c', job, env: env, dir: temporary)
  end

  # As the script.sh of a server does that Slurm knows nothing of. The time is another one at each touch.
  def beating
    time = Time.now
    beat = Thread.new do
      loop { File.lutime(time, time += 1, @lock) && sleep(0.02) }
    rescue SystemCallError
      nil # it is gone
    end
    yield
  ensure
    beat.kill.join
  end

  # A node whose slurmd has ended goes on with its jobs; slurmctld starts them anew on another one, under the same id.
  def test_a_server_on_a_node_that_slurm_lost_sight_of_keeps_its_directory
    ['7 test elsewhere', '6 test elsewhere'].each do |held|
      File.symlink(held, @lock)
      done = beating { serve }
      assert_equal [1, held], [done.code, File.readlink(@lock)], done.err
      assert_match(/A server on elsewhere still has #{@data}/, done.err)
      assert_equal GOT_IT, serve.code
      refute File.symlink?(@lock)
    end
  end

  # As an NFS does that is mounted to keep them for ten minutes.
  def test_a_time_that_a_file_system_keeps_for_longer_than_one_looks_is_asked_for_anew
    kept = File.join(temporary, 'kept')
    fake('stat', <<~BASH)
      [[ $* == *%y* ]] || exec /usr/bin/stat "$@"
      time=$(/usr/bin/stat -c %y -- "${@: -1}") || exit
      [[ $* == *--cached=never* ]] || { [[ -s #{kept} ]] || echo "$time" >#{kept}; time=$(<#{kept}); }
      echo "$time"
    BASH
    File.symlink(held = '6 test elsewhere', @lock)
    done = beating { serve }
    assert_equal [1, held], [done.code, File.readlink(@lock)], done.err
    assert_equal GOT_IT, serve.code
  end

  # That of EL 8.
  def test_a_lock_is_also_looked_at_by_a_stat_that_can_not_ask_anew
    fake('stat', '[[ $* != *--cached* ]] || exit 1; exec /usr/bin/stat "$@"')
    File.symlink(held = '6 test elsewhere', @lock)
    done = beating { serve }
    assert_equal [1, held], [done.code, File.readlink(@lock)], done.err
  end

  # Two of them that end within five minutes would be the last ones.
  def test_where_jobs_follow_each_other_they_wait_for_a_server_that_slurm_lost_sight_of
    waits = File.join(temporary, 'waits')
    fake('sleep', "[[ $1 != 10 || $(readlink #{@lock}) != *elsewhere ]] || : >#{waits}\nexec /bin/sleep 0.02")
    File.symlink('7 test elsewhere', @lock)
    lost = Thread.new { beating { sleep 0.02 until File.exist?(waits) } }
    done = serve(batch: "export mt_followed=''; ./script.sh")
    assert_equal GOT_IT, done.code, done.err
    assert_match(/A server on elsewhere still has #{@data}, although .*: this job waits until it has ended/, done.err)
    assert_match(/Job 7 on elsewhere left #{@data} without a proper end/, done.out)
  ensure
    lost&.kill&.join
  end

  # Clusters that have a home in common may have nodes of one name.
  def test_a_node_of_another_cluster_is_another_one
    held = "7 other #{Etc.uname[:nodename][/[^.]+/]}"
    File.symlink(held, @lock)
    done = beating { serve }
    assert_equal [1, held], [done.code, File.readlink(@lock)], done.err
    assert_match(/A server on #{held.split.last} still has #{@data}/, done.err)
  end

  def test_a_lock_of_this_node_is_not_waited_for
    File.symlink("7 test #{Etc.uname[:nodename][/[^.]+/]}", @lock)
    done = beating { serve }
    assert_equal GOT_IT, done.code, done.err
    refute_includes done.out, 'Looking whether'
  end

  # An array's last task has the array's own id, of which Slurm tells all tasks. In a federation squeue calls a job that
  # runs on another cluster than its first one REVOKED.
  def test_a_lock_is_a_dead_jobs_where_slurm_says_so_of_that_very_job
    here = Etc.uname[:nodename][/[^.]+/]
    { "echo '7|RUNNING'; echo '6|COMPLETED'; echo '8|PENDING'" => GOT_IT, "echo '6|COMPLETING'" => 1,
      "echo '6|REVOKED'" => 1, 'true' => 1, 'echo timed out >&2; exit 1' => 1,
      'echo Invalid job id specified >&2; exit 1' => GOT_IT }.each do |said, code|
      FileUtils.rm_f(@lock)
      File.symlink("6 test #{here}", @lock)
      fake('squeue', said)
      assert_equal code, serve.code, said
    end
  end

  # Its owner has deleted it and launches it anew, and its server may still write. To take the lock away is not advised.
  def test_a_job_that_is_just_being_ended_is_waited_for
    held = "6 test #{Etc.uname[:nodename][/[^.]+/]}"
    { 'CANCELLED' => GOT_IT, 'RUNNING' => 1, 'PENDING' => 1, 'COMPLETING' => 1 }.each do |state, code|
      FileUtils.rm_f([@lock, looks = File.join(temporary, 'looks')])
      File.symlink(held, @lock)
      fake('squeue', "echo >>#{looks}; (($(wc -l <#{looks}) > 2)) && echo '6|#{state}' || echo '6|COMPLETING'")
      done = serve
      assert_equal code, done.code, done.err
      assert_match(/^Job 6 on \S+, which serves #{@data}, is just being ended: this one waits for that\.$/, done.out)
      assert_equal state == 'COMPLETING', done.err.include?('is still being ended: start this one again'), state
      assert_equal %w[RUNNING PENDING].include?(state), done.err.include?("or remove #{@lock}"), state
      assert_equal held, File.readlink(@lock) if code == 1
    end
  end

  # Another job could take the directory itself meanwhile, as from one whose node Slurm lost sight of.
  def test_what_a_postgresql_has_elsewhere_is_waited_for_in_no_directory_of_ones_own
    Dir.mkdir(wal = File.join(temporary, 'wal'))
    File.symlink(wal, File.join(@data, 'pg_wal'))
    File.symlink('6 test elsewhere', File.join(wal, '.multitenant-job'))
    fake('squeue', "echo >>#{temporary}/looks; echo '6|COMPLETING'")
    done = serve
    assert_equal [1, "\n", false], [done.code, File.read("#{temporary}/looks"), File.symlink?(@lock)], done.err
    assert_match(/Job 6 on elsewhere, which serves #{wal}, is still being ended: start this one again once/, done.err)
  end

  # One that waits to start anew serves again, but where jobs follow each other: there it ends as it starts.
  def test_a_lock_of_a_job_that_waits_to_start_anew_is_its_own_unless_this_one_has_followed_it
    File.symlink("6 test #{Etc.uname[:nodename][/[^.]+/]}", @lock)
    fake('squeue', squeue_says('PENDING'))
    assert_equal 1, serve.code
    assert_equal 1, serve('mt_followed' => '16 60').code
    followed = 'export mt_followed="5 6"; ./script.sh'
    fake('squeue', squeue_says('RUNNING'))
    assert_equal 1, serve(batch: followed).code
    fake('squeue', squeue_says('PENDING'))
    done = serve(batch: followed)
    assert_equal GOT_IT, done.code, done.err
  end

  # With PrivateData another user's job is not known, either.
  def test_a_lock_is_a_running_jobs_where_another_cluster_answers_and_where_its_owner_is_another_user
    File.symlink("6 test #{Etc.uname[:nodename][/[^.]+/]}", @lock)
    fake('scontrol', 'echo "ClusterName = other"')
    assert_equal 1, serve.code
    fake('scontrol', 'echo "ClusterName = test"')
    skip_unless(Process.euid.zero?, 'needs root')
    fake('squeue', 'echo Invalid job id specified >&2; exit 1')
    File.lchown(4999, 4999, @lock)
    assert_equal 1, serve.code
  end

  # Else nobody would know of the server.
  def test_whoever_serves_a_directory_touches_its_lock
    times = File.join(temporary, 'times')
    fake('pg_isready', "[[ -e up ]] && stat -c %y #{@lock} >>#{times}; (($(sort -u #{times} | wc -l) > 3))")
    assert_equal GOT_IT, serve.code
  end

  def assert_another_job_has_it
    done = serve
    assert_equal [1, '8 test other'], [done.code, File.readlink(@lock)], done.err
    assert_match(/Another job has begun to serve #{@data}/, done.err)
  end

  # Two jobs that see the same old lock: one of them may be slow, as a network file system is.
  def test_a_lock_that_another_job_made_meanwhile_stays
    File.symlink("6 test #{Etc.uname[:nodename][/[^.]+/]}", @lock)
    fake('mv', "[[ $3 != *.7 ]] || ln -sfT '8 test other' #{@lock}\nexec /bin/mv \"$@\"")
    assert_another_job_has_it
  end

  # It has seen the old lock before this job took that away.
  def test_a_lock_that_another_job_takes_for_the_old_one_stays_its
    File.symlink("6 test #{Etc.uname[:nodename][/[^.]+/]}", @lock)
    fake('sleep', "[[ $1 != 2 ]] || ln -sfT '8 test other' #{@lock}\nexec /bin/sleep 0.02")
    assert_another_job_has_it
  end

  # As in a directory of a group's with a sticky bit, or where one may only read: Slurm would be asked without end.
  def test_a_lock_that_can_not_be_removed_is_tried_once
    File.symlink("6 test #{Etc.uname[:nodename][/[^.]+/]}", @lock)
    fake('mv', "echo >>#{temporary}/tries; (($(wc -l <#{temporary}/tries) < 20)) || exec /bin/mv \"$@\"\nexit 1")
    done = serve
    assert_equal 1, done.code, done.err
    assert_match(/The link #{@lock} of job 6, which has ended, can't be removed by you: whose it is can\./, done.err)
    assert_equal "\n", File.read("#{temporary}/tries")
    assert_empty Dir.glob("#{@lock}.*")
  end

  # Slurm kills all that is left as soon as the batch script has ended: as where there is no port for a gateway.
  def test_a_job_that_is_refused_ends_its_server_first
    fake('pg_isready', 'exit 1')
    batch = "clean_up() { source ./clean.sh; pkill -P $$; readlink #{@lock} >there; exit 1; }; ./script.sh & " \
            "SCRIPT_PID=$!; until [[ -e up ]]; do sleep 1; done; readlink #{@lock} >held; refuse 'There is no port.'"
    assert_equal 1, serve(batch: batch).code
    assert_equal [true, ''], [File.read("#{temporary}/held").start_with?('7 '), File.read("#{temporary}/there")]
  end

  # A proper end would say in the directory that nothing is to be recovered there. Of a PostgreSQL that is killed alone,
  # processes that are busy go on.
  def test_a_server_whose_lock_is_another_jobs_ends_at_once_and_writes_no_more
    fake('postgres', <<~BASH)
      exec #{RbConfig.ruby} -e '%w[INT TERM QUIT].each { |signal| trap(signal) { File.write("ended", signal); exit! } }
        server = Process.pid
        fork { File.write("up", ""); sleep 0.01 while Process.ppid == server; puts "It goes on." }
        sleep 300'
    BASH
    fake('pg_isready', "cd #{temporary}; [[ -e up ]] || exit 1; ln -sfT '8 test other' #{@lock}\n" \
                       'echo >>tries; (($(wc -l <tries) > 300))')
    done = serve
    assert_equal [0, '8 test other'], [done.code, File.readlink(@lock)], done.err
    assert_match(/Job 8 has taken #{@data}/, done.err)
    refute_path_exists File.join(temporary, 'ended')
    refute_includes done.out, 'It goes on.'
  end

  # The job's log may be in a full home, and the data elsewhere.
  def test_it_also_ends_where_nothing_can_be_said_of_that
    fake('pg_isready', "cd #{temporary}; [[ -e up ]] || exit 1; ln -sfT '8 test other' #{@lock}\n" \
                       'echo >>tries; (($(wc -l <tries) > 300))')
    done = serve(batch: './script.sh &>/dev/full')
    assert_equal [0, '8 test other'], [done.code, File.readlink(@lock)]
  end

  # The first one's, where the directory is a copy; PostgreSQL looks for no other server there.
  def test_what_a_postgresql_has_elsewhere_is_one_jobs_too
    %w[pg_wal pg_tblspc/16400].each do |name|
      path = File.join(@data, name)
      FileUtils.mkdir_p([File.dirname(path), part = File.join(temporary, "part#{name.size}")])
      File.symlink(part, path)
      fake('squeue', "echo '6|RUNNING'")
      File.symlink('6 test elsewhere', lock = File.join(part, '.multitenant-job'))
      done = serve
      assert_equal [1, '6 test elsewhere'], [done.code, File.readlink(lock)], done.err
      assert_match(/Job 6 on elsewhere serves #{part} already/, done.err)
      refute File.symlink?(@lock)
      File.unlink(lock)
      fake('pg_isready', "cd #{temporary}; [[ -e up ]] && readlink #{lock} >held")
      assert_equal GOT_IT, serve.code
      assert_match(/\A7 test /, File.read("#{temporary}/held"))
      assert_empty Dir.children(part)
    end
  end

  # As where pg_upgrade made one of another: PostgreSQL has a directory there for each release.
  def test_a_tablespace_is_of_as_many_jobs_as_releases_have_it
    FileUtils.mkdir_p([spaces = File.join(@data, 'pg_tblspc'), part = File.join(temporary, 'part')])
    File.symlink(part, File.join(spaces, '16400'))
    File.write(File.join(@data, 'PG_VERSION'), "15\n")
    fake('squeue', "echo '6|RUNNING'")
    File.symlink(held = '6 test elsewhere', lock = File.join(part, '.multitenant-job.13'))
    assert_equal [GOT_IT, held], [serve.code, File.readlink(lock)]
    assert_equal ['.multitenant-job.13'], Dir.children(part)
    File.rename(lock, lock = File.join(part, '.multitenant-job.15'))
    done = serve
    assert_equal [1, held], [done.code, File.readlink(lock)], done.err
    assert_match(/Job 6 on elsewhere serves #{part} already.*remove #{lock} /, done.err)
  end

  # By its owner, or by Slurm at the end of its time. The other job's server goes on.
  def test_a_job_that_waits_for_what_a_postgresql_has_elsewhere_ends_when_it_is_told_to
    Dir.mkdir(wal = File.join(temporary, 'wal'))
    File.symlink(wal, File.join(@data, 'pg_wal'))
    File.symlink(held = '6 test elsewhere', lock = File.join(wal, '.multitenant-job'))
    fake('sleep', "n=$(wc -l <slept || echo 0); echo >>slept; touch -hd @$n #{lock}\n((n < 300)) || rm -f #{lock}\n" \
                  "((n != 3)) || kill -TERM $(<pid)\nexec /bin/sleep 0.02")
    done = serve(batch: "export mt_followed=''; echo $BASHPID >pid; exec ./script.sh")
    assert_equal [0, held], [done.code, File.readlink(lock)], done.err
    refute File.symlink?(@lock)
    refute_path_exists File.join(temporary, 'up')
  end

  # PostgreSQL says so of a tablespace, and goes on; without its log it ends.
  def test_a_tablespace_that_is_not_there_is_nobodys
    Dir.mkdir(spaces = File.join(@data, 'pg_tblspc'))
    File.symlink(gone = File.join(temporary, 'gone'), File.join(spaces, '16400'))
    done = serve
    assert_equal GOT_IT, done.code, done.err
    refute_path_exists gone
  end

  def test_a_server_whose_log_is_another_jobs_ends_at_once_and_writes_no_more
    Dir.mkdir(wal = File.join(temporary, 'wal'))
    File.symlink(wal, File.join(@data, 'pg_wal'))
    says_so = 'trap(:INT) { File.write("ended", ""); exit }; File.write("up", ""); sleep'
    fake('postgres', %(exec #{RbConfig.ruby} -e '#{says_so}'))
    fake('pg_isready', "cd #{temporary}; [[ -e up ]] || exit 1; ln -sfT '8 test other' #{wal}/.multitenant-job\n" \
                       'echo >>tries; (($(wc -l <tries) > 300))')
    done = serve
    assert_equal 0, done.code, done.err
    assert_match(/Job 8 has taken #{wal}/, done.err)
    refute_path_exists File.join(temporary, 'ended')
    assert_equal [['.multitenant-job'], false], [Dir.children(wal), File.symlink?(@lock)]
  end

  # The cache of MariaDB and MySQL is half of it.
  def test_what_a_job_says_of_its_memory_in_another_form_ends_no_server
    run = 'source ./mysql.sh; DAEMON=echo COMMON=() PRIVATE=$PWD port=1; run_server data'
    { '1000' => 500, '4G' => 256, '0' => 256, '' => 256 }.each do |told, cache|
      env = { 'mt_kind' => 'mariadb', 'SLURM_MEM_PER_NODE' => told }
      done = run_as(nil, 'bash', '-euc', run, env: env, dir: temporary)
      assert_match(/ --innodb-buffer-pool-size=#{cache}M$/, done.out, done.err)
    end
  end

  # As where a file system is away for a while.
  def test_a_server_whose_lock_can_not_be_read_ends_properly
    says_so = 'trap(:INT) { File.write("ended", ""); exit }; File.write("up", ""); sleep'
    fake('postgres', %(exec #{RbConfig.ruby} -e '#{says_so}'))
    fake('pg_isready', "cd #{temporary}; [[ -e up ]] && mv #{@data} #{@data}.away")
    assert_equal GOT_IT, serve.code
    assert_path_exists File.join(temporary, 'ended')
  end

  def test_a_lock_that_was_taken_away_is_made_again
    fake('pg_isready', "cd #{temporary}; [[ -e up ]] || exit; [[ -e gone ]] || { rm #{@lock}; touch gone; }\n" \
                       "echo >>tries; [[ -L #{@lock} ]] && readlink #{@lock} >back || (($(wc -l <tries) > 300))")
    assert_equal GOT_IT, serve.code
    assert_match(/\A7 test /, File.read("#{temporary}/back"))
    refute File.symlink?(@lock)
  end

  # Whose owner is not told to cancel the job of the first one. A log that both of them name is no copy.
  def test_a_copy_of_what_a_job_serves_has_its_lock_and_that_is_said
    Dir.mkdir(wal = File.join(temporary, 'wal'))
    File.symlink(wal, File.join(@data, 'pg_wal'))
    fake('squeue', "echo '6|RUNNING'")
    File.symlink('6 test elsewhere', @lock)
    File.symlink('6 test elsewhere', File.join(wal, '.multitenant-job'))
    assert_includes serve.err, ", or remove #{@lock} if it has ended or this is a copy of what it serves.\n"
    File.unlink(@lock)
    assert_includes serve.err, ", or remove #{wal}/.multitenant-job if it has ended.\n"
  end

  # Of a directory that others may write to, too.
  def test_nothing_that_a_terminal_obeys_comes_from_a_lock
    evil = "8\e]0;x\a test other"
    File.symlink(evil, @lock)
    done = serve
    assert_equal [1, evil], [done.code, File.readlink(@lock)], done.err
    fake('pg_isready', "ln -sfT '#{evil}' #{@lock}; cd #{temporary}; echo >>tries; (($(wc -l <tries) > 300))")
    File.unlink(@lock)
    taken = serve
    assert_match(/has taken #{@data}/, taken.err)
    refute_match(/\e|\a/, done.err + done.out + taken.err + taken.out)
  end

  # A directory on a node's own disk is not there on the next one: tenants would find an empty database.
  def test_a_service_that_had_data_begins_no_new_database
    assert_equal GOT_IT, serve.code
    FileUtils.rm_rf(@data)
    fake('initdb', 'exit 1')
    done = serve
    assert_match(/There is nothing in #{@data} on this node, though job 7 served it: it must be where all/, done.err)
    assert_equal [1, false], [done.code, File.exist?(@data)]
  end

  # In a full home what is written anew is empty.
  def test_what_says_that_a_service_had_data_is_written_once
    %w[7 8].each { |job| assert_equal GOT_IT, serve('SLURM_JOB_ID' => job).code }
    FileUtils.rm_rf(@data)
    fake('initdb', 'exit 1')
    assert_match(/There is nothing in #{@data} on this node, though job 7 served it/, serve.err)
  end

  # As where its owner may no longer administer it. Who may only read it, or is banned, would get its user's password.
  def test_whose_tenants_had_accounts_it_is_not_served_by_one_user_for_all
    port = FreePort.get
    fake('postgres', "exec #{RbConfig.ruby} -rsocket -e 'it = TCPServer.new(%(127.0.0.1), #{port}); trap(:INT) { exit }
      File.write(%(up), %()); sleep 300'")
    fake('psql', 'exit 1')
    Dir.mkdir(session = File.join(temporary, 'session'))
    FileUtils.touch(File.join(session, 'guarded'))
    done = serve(batch: "export port=#{port} mt_had=#{session}/had mt_accounts=port mt_gateway=auto; ./script.sh")
    assert_equal 1, done.code, done.err
    assert_match(/^Tenants had accounts of their own before, and can have none now: see above\. Nothing is/, done.err)
    refute_path_exists File.join(temporary, 'ready')
  end

  # What is locked, systemd-tmpfiles leaves where it is. MariaDB would miss its directory for temporary tables.
  def test_its_private_directory_is_not_cleaned_away
    Dir.mkdir(private = File.join(temporary, 'tmp'))
    fake('pg_isready', "[[ -e up ]] && { flock -n #{private}/*.7.* true; echo $? >locked; }")
    assert_equal GOT_IT, serve('TMPDIR' => private).code
    assert_equal "1\n", File.read("#{temporary}/locked")
  end

  # Whoever could put another directory in its place would be told the passwords of tenants by the socket there.
  def test_its_private_directory_is_in_none_where_everybody_or_a_group_may_rename_it
    open = File.join(temporary, 'o').tap { |dir| Dir.mkdir(dir) && File.chmod(0o777, dir) }
    below = File.join(open, 'b').tap { |dir| Dir.mkdir(dir, 0o700) }
    fake('pg_isready', "[[ -e up ]] && ls -d #{open}/*.7.* #{below}/*.7.* >>seen 2>/dev/null; [[ -e up ]]")
    [0o777, 0o770].product([open, below]).each do |mode, dir|
      File.chmod(mode, open)
      assert_equal GOT_IT, serve('TMPDIR' => dir).code
      assert_empty File.read("#{temporary}/seen"), dir
    end
    File.chmod(0o1777, open)
    assert_equal GOT_IT, serve('TMPDIR' => below).code
    assert_match(%r{\A#{below}/}, File.read("#{temporary}/seen"))
  end
end
