# frozen_string_literal: true

require_relative 'fake_job'
require 'socket'

# libexec/multitenant-share and the job: which one it names, when, and what becomes of the name.
class TestShareJob < Minitest::Test
  include FakeJob

  STALE = 'plain|hpcGrp|H4+Si2korONL+/LaKX7sXNJ='

  def setup
    super
    a_job
  end

  # A server of this process. The block gets each connection. @return [Integer] its port
  def listen(&answer)
    server = TCPServer.new('127.0.0.1', 0)
    (@servers ||= []) << server
    Thread.new do
      loop { server.accept.tap { |socket| answer&.call(socket) }.close }
    rescue IOError
      nil # the test has ended
    end
    server.addr[1]
  end

  def teardown
    @servers&.each(&:close)
    watchers.each { |pid| Process.kill(:TERM, pid) }
    super
  end

  # An HTTP server that answers with these codes, and with the last one for ever. What it is asked is in @asked.
  def serve(*codes)
    listen do |socket|
      (@asked ||= []) << socket.gets
      nil until socket.gets == "\r\n"
      socket.write("HTTP/1.1 #{codes.size > 1 ? codes.shift : codes[0]} Answer\r\nContent-Length: 0\r\n\r\n")
    end
  end

  def test_a_url_is_waited_for_until_it_works
    port = serve(503, 404, 200)
    share!(*COMMON, '--wait', "http://127.0.0.1:#{port}/health?a=1", "port=#{port}")
    assert_equal ["GET /health?a=1 HTTP/1.1\r\n"] * 3, @asked
    assert_opens({ 'port' => port.to_s })
    share!(*COMMON, '--wait', "http://localhost:#{serve(401)}")
    assert_equal "GET / HTTP/1.1\r\n", @asked.last
  end

  def test_a_port_is_waited_for
    port = listen
    share!(*COMMON, '--wait', "127.0.0.1:#{port}", 'host=n1')
    assert_opens({ 'host' => 'n1' })
  end

  # A card would blink, or go where the new one can't be made.
  def test_what_is_replaced_is_there_until_then
    a_job(name: STALE)
    share!(*COMMON, '--replace', 'host=n1')
    assert_equal 1, updates.size
    assert_opens({ 'host' => 'n1' })
    assert_match(/\Aplain\|/, job_name)
    assert_equal 75, share(*COMMON, '--replace', '--wait', '127.0.0.1:1', '--wait-seconds', '0').code
    assert_equal 1, updates.size
  end

  def test_a_service_that_is_not_ready_is_not_shared_and_the_old_share_is_gone
    a_job(name: STALE)
    port = serve(503)
    done = share(*COMMON, '--wait', "http://127.0.0.1:#{port}", '--wait-seconds', '1')
    assert_equal [75, 'plain'], [done.code, job_name]
    assert_match(/: the service at .* is not ready after \d s; the job goes on, not shared$/, done.err)
    silent = listen(&:read) # never says a word
    assert_equal 75, share(*COMMON, '--wait', "http://127.0.0.1:#{silent}", '--wait-seconds', '1').code
  end

  def test_the_wait_ends_with_the_job
    done = share(*COMMON, '--wait', 'localhost:1', env: { 'SLURM_JOB_END_TIME' => (Time.now.to_i + 1).to_s })
    assert_equal 75, done.code
    assert_operator done.seconds, :<, 30
  end

  # sbatch hands on what Slurm has told the job that it is called in, and Slurm itself sets these not at all, or later.
  def test_what_another_job_was_told_does_not_count
    fake('multitenant-seal', 'printf "%s\n" "$@" >"${0%/*}/seal"; cat >/dev/null; echo MTK1:x')
    theirs = { 'SLURM_RESTART_COUNT' => '5', 'SLURM_JOB_END_TIME' => '1700000000' }
    only_me = [*PLAIN, '--only-me', '--envelope', 'key']
    share!(*only_me, env: theirs)
    assert_includes File.readlines(in_job('seal'), chomp: true), '--restarts=5' # Slurm tells nothing else
    told = 'prof(1001)\n   Requeue=1 Restarts=2 BatchFlag=1\n   StartTime=1 EndTime=Unknown Deadline=N/A\n'
    fake('scontrol', SCONTROL.sub('prof(1001)\n') { told })
    share!(*only_me, env: theirs)
    assert_includes File.readlines(in_job('seal'), chomp: true), '--restarts=2'
    done = share(*only_me, '--wait', 'localhost:1', '--wait-seconds', '2', env: theirs)
    assert_match(/is not ready after ([2-9]|\d\d+) s/, done.err)
  end

  # Else the node's own, where 0.1.0 looked whatever the setting.
  def test_a_key_is_looked_for_where_the_site_has_them
    fake('multitenant-seal', 'printf "%s\n" "$@" >"${0%/*}/seal"; cat >/dev/null; echo MTK1:x')
    there, own = ['shared keys', 'own'].map { |name| in_job(name) }
    sender = in_job('sender')
    File.write(sender, File.read(SHARE).sub(MultiTenant::Core::PATHS[:keys]) { own }, perm: 0o755)
    asked = lambda do |env|
      share!(*PLAIN, '--only-me', '--envelope', 'key', env: env, command: [sender])
      File.readlines(in_job('seal'), chomp: true).grep(/--keys/)
    end
    env = { 'MULTITENANT_KEYS' => there }
    assert_equal ["--keys=#{there}"], asked[env]
    Dir.mkdir(own)
    assert_equal [[], []], [asked[env], asked[{}]]
    Dir.mkdir(there)
    assert_equal [["--keys=#{there}"], []], [asked[env], asked[{}]]
  end

  # As 0.1.0's says it: test_downgrade.rb.
  def test_a_program_of_before_that_can_not_seal_all_is_told
    fake('multitenant-seal', 'cat >/dev/null; echo "multitenant-seal: standard input is not {\"id\":…}" >&2; exit 65')
    refute_shared 69, /: #{in_job('multitenant-seal')} is too old .* tell the administrators, who renew it .* goes on/,
                  *PLAIN, '--only-me', '--envelope', 'key', '--title', 'Spanish 301'
  end

  # On a node with many users the port may be taken before the service takes it.
  def test_another_users_process_on_the_port_is_not_shared
    need_root
    port = listen
    # As root listens, 2001 is the one who shares.
    File.chmod(0o777, temporary)
    FileUtils.cp(SHARE, in_job('share'))
    env = environment('PATH' => "#{temporary}:#{ENV.fetch('PATH')}", 'SLURM_JOB_ID' => '4711')
    done = run_as(2001, in_job('share'), *COMMON, '--wait', "localhost:#{port}", env: env)
    assert_equal 75, done.code
    assert_match(/what listens on port #{port} is not yours alone: /, done.err)
    assert_empty updates
  end

  # sbatch hands on the name of the host where it was called.
  def test_another_users_process_is_seen_on_this_node_of_several_whatever_hostname_is_exported
    need_root
    port = listen
    File.chmod(0o777, temporary)
    FileUtils.cp(SHARE, in_job('share'))
    env = environment('PATH' => "#{temporary}:#{ENV.fetch('PATH')}", 'SLURM_JOB_ID' => '4711',
                      'SLURM_JOB_NUM_NODES' => '2', 'HOSTNAME' => 'login1')
    where = ['--wait', "#{Socket.gethostname}:#{port}", '--wait-seconds', '5']
    assert_equal 75, run_as(2001, in_job('share'), *COMMON, *where, env: env).code
    assert_empty updates
  end

  def test_a_stale_name_goes_before_the_service_is_waited_for
    a_job(name: STALE)
    names = []
    port = listen { names << job_name }
    share!(*COMMON, '--wait', "localhost:#{port}", 'host=n1', env: { 'SLURM_RESTART_COUNT' => '1' })
    assert_equal ['plain'], names
    assert_equal ['JobId=4711 JobName=plain', "JobId=4711 JobName=#{job_name}"], updates
    assert_opens({ 'host' => 'n1' })
  end

  def test_a_stale_name_goes_even_if_the_new_one_can_not_be_made
    a_job(name: STALE)
    assert_equal 65, share(*COMMON, 'value', env: { 'value' => "\xff" }).code
    assert_equal 'plain', job_name
  end

  def test_a_restarted_job_tries_to_take_its_old_name_away_where_slurm_does_not_tell_it
    a_job(name: STALE)
    FileUtils.touch(in_job('down'))
    done = share(*COMMON, env: { 'SLURM_RESTART_COUNT' => '1', 'SLURM_JOB_NAME' => STALE })
    assert_equal 69, done.code
    assert_equal 10, updates.size
    assert_equal ['JobId=4711 JobName=plain'], updates.first(5).uniq
    assert_match(/did not rename job 4711: slurm_update error: Unable to contact slurm controller$/, done.err)
  end

  def test_unshare_gives_the_name_that_it_was_or_the_one_that_is_told
    share!(*COMMON)
    assert_equal 3, job_name.split('|').size
    share!('--unshare')
    assert_equal 'plain', job_name
    share!('--unshare', '--label=my own')
    assert_equal 'my own', job_name
    share!(*COMMON, '--label', 'sys/dashboard')
    assert_match(%r{\Asys/dashboard\|hpcGrp\|}, job_name)
  end

  # They would lead scontrol to another cluster, or change how it answers.
  def test_nothing_that_users_export_for_slurm_reaches_scontrol
    fake('scontrol', "env >>\"${0%/*}/environment\"\n#{SCONTROL}")
    names = %w[SQUEUE_PARTITION SBATCH_WCKEY SACCT_FORMAT SCONTROL_FEDERATION SINFO_FORMAT SLURM_CLUSTERS
               SLURM_TIME_FORMAT SLURM_JWT GZIP]
    share!(*COMMON, 'host=n1', 'SQUEUE_PARTITION', env: names.to_h { |name| [name, 'theirs'] })
    assert_empty(File.readlines(in_job('environment'), chomp: true).grep(/=theirs\z/))
    assert_opens({ 'host' => 'n1', 'SQUEUE_PARTITION' => 'theirs' })
  end

  def test_names_that_can_not_be_a_label
    { "two\nlines" => 'job', 'a|b' => 'a', '' => 'job', '|' => 'job', 'n' * 129 => 'job', "\xff" => 'job',
      "Größe\n   X=1" => 'job', 'Größe JobName=x UserId=y' => 'Größe JobName=x UserId=y' }.each do |before, label|
      a_job(name: before)
      share!(*COMMON, 'host=n1')
      assert_equal label, job_name.split('|').first
      assert_opens({ 'host' => 'n1' })
    end
  end

  def test_an_array_task_names_itself_alone
    a_job(ids: { '4711_2' => 4711 })
    share!(*COMMON, 'host=n1', env: { 'SLURM_ARRAY_JOB_ID' => '4711', 'SLURM_ARRAY_TASK_ID' => '2' })
    assert_equal ["JobId=4711_2 JobName=#{job_name}"], updates
    assert_opens({ 'host' => 'n1' })
  end

  def test_a_job_submitted_from_within_an_array_names_itself
    a_job(ids: { '4700_2' => 4699, '4711' => 4711 })
    share!(*COMMON, 'host=n1', env: { 'SLURM_ARRAY_JOB_ID' => '4700', 'SLURM_ARRAY_TASK_ID' => '2' })
    assert_equal ["JobId=4711 JobName=#{job_name}"], updates
    assert_opens({ 'host' => 'n1' })
  end

  def test_a_component_names_itself_alone
    env = { 'SLURM_HET_SIZE' => '2', 'SLURM_JOB_ID_HET_GROUP_0' => '4711', 'SLURM_JOB_ID_HET_GROUP_1' => '4712',
            'SLURM_JOB_NODELIST_HET_GROUP_0' => 'n1', 'SLURM_JOB_NODELIST_HET_GROUP_1' => 'n[2-3]' }
    { 'n1' => 0, 'n[2-3]' => 1 }.each do |nodes, n|
      a_job(ids: { "4711+#{n}" => 4711 + n })
      share!(*COMMON, 'host=n1', env: env.merge('SLURM_JOB_NODELIST' => nodes))
      assert_equal "JobId=4711+#{n} JobName=#{job_name}", updates.last
      assert_opens({ 'host' => 'n1' }, job_id: 4711 + n)
    end
  end

  def test_a_name_that_slurm_lost_is_set_again
    a_job
    # It looks once for each of these files.
    fake('sleep', 'case $1 in 30) for i in {1..1000}; do rm "${0%/*}/look" && exit || /bin/sleep 0.05; done ;; esac')
    looks = -> { FileUtils.touch(in_job('look')) && wait_until { !File.exist?(in_job('look')) } }
    share!(*COMMON, 'host=n1')
    shared = job_name
    FileUtils.touch(in_job('down'))
    rename('plain')
    2.times { looks.call } # the first one has looked in vain when the second one is taken
    assert_equal 'plain', job_name
    FileUtils.rm(in_job('down'))
    FileUtils.touch(in_job('look'))
    wait_until { job_name == shared }
    assert_equal 2, updates.size
  end

  # Else whoever waits for the end of what is open would wait for the watching, too: it has ended then.
  def test_who_watches_the_name_has_nothing_open_of_the_callers
    a_job(pause: 1)
    share!(*COMMON, 'host=n1', command: ['bash', '-c', '"$0" "$@" 9>&1', SHARE])
    wait_until { watchers.any? }
  end

  def test_a_name_that_somebody_gave_stays
    a_job(pause: 0.3)
    share!(*COMMON)
    rename('renamed')
    wait_until { watchers.empty? }
    sleep 0.5
    assert_equal ['renamed', 1], [job_name, updates.size]
  end

  # With noglob /proc/[0-9]* is nobody's, and who watches would share it again.
  def test_an_unshared_job_stays_so_where_shell_options_are_exported
    a_job(pause: 3)
    share!(*COMMON, 'host=n1', env: { 'SHELLOPTS' => 'noglob' })
    share!('--unshare', env: { 'SHELLOPTS' => 'noglob' })
    wait_until { watchers.empty? }
    sleep 0.5
    assert_equal 'plain', job_name
  end

  def test_an_unshared_job_and_one_shared_anew_are_not_watched_for_the_old_name
    share!(*COMMON, 'host=n1')
    first = watchers
    share!(*COMMON, 'host=n2')
    second = watchers
    assert_equal [1, 1, 0], [first.size, second.size, (first & second).size]
    share!('--unshare')
    wait_until { watchers.empty? }
  end

  # The processes that wait to look again at this test's job.
  def watchers
    Dir.glob('/proc/[0-9]*').filter_map do |dir|
      environ = File.binread("#{dir}/environ").split("\0")
      Integer(dir[6..]) if environ.include?("MULTITENANT_SHARE_WATCH=#{CLUSTER}.4711")
    rescue SystemCallError
      nil
    end
  end
end
