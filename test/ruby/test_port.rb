# frozen_string_literal: true

require_relative 'in_job'

# libexec/multitenant-port: who listens on the port of a job's service, and which one it gets.
class TestPort < MultiTenantTest
  include InJob

  # A kernel without IPv6 has no /proc/net/tcp6.
  WITHOUT_IPV6 = "source #{JOB}; source <(sed 's|tcp{,6}|{tcp,none}|' #{MultiTenant::Sharing::PORT})".freeze

  def others_listen?(port, job: '1', uid: Process.euid, script: "source #{JOB}")
    script = "set -euo pipefail; #{script}; port=#{port}; ! others_listen || echo yes"
    out, status = Open3.capture2({ 'SLURM_JOB_ID' => job }, 'setpriv', "--reuid=#{uid}", '--clear-groups', 'bash', '-c',
                                 script)
    assert_predicate status, :success?
    out == "yes\n"
  end

  def test_a_stranger_is_seen_on_a_node_without_ipv6
    skip_unless(Process.euid.zero?, 'needs root')
    port = listen
    assert others_listen?(port, uid: 4999, script: WITHOUT_IPV6)
    refute others_listen?(port, script: WITHOUT_IPV6)
  end

  def test_a_stranger_is_seen_by_either_family
    skip_unless(Process.euid.zero?, 'needs root')
    port = listen
    refute others_listen?(port)
    listen('::', port, job: '2')
    assert others_listen?(port)
    assert others_listen?(listen('::'), uid: 4999)
  end

  def test_a_stranger_is_seen_whatever_start_up_files_separate_words_by
    skip_unless(Process.euid.zero?, 'needs root')
    port = listen
    ['IFS=', "IFS=$'\\n\\t'"].each { |other| assert others_listen?(port, uid: 4999, script: "#{other}; source #{JOB}") }
    refute others_listen?(port, script: "set -f; source #{JOB}")
  end

  # It would cost a service behind a gateway its tenants.
  def test_a_stranger_by_an_address_at_which_no_gateway_meets_a_server_does_not_count
    skip_unless(Process.euid.zero?, 'needs root')
    port = listen('127.0.0.1')
    listen('127.0.0.2', port, job: '2')
    script = "source #{JOB}; mt_server_port=#{port}"
    refute others_listen?(1, script: script)
    assert others_listen?(port)
    assert others_listen?(1, script: script, uid: 4999)
    past = "#{script} mt_guard=port; ! is_past_gate || echo past"
    assert_equal ["past\n", true], bash(past)
    assert_equal ['', true], bash(past, 'setpriv', '--reuid=4999', '--clear-groups')
    listen('::', port, job: '2')
    assert others_listen?(1, script: script)
  end

  # They share the connections.
  def test_another_job_of_the_same_user_on_the_same_port_is_seen
    port = listen('0.0.0.0', 0, 'reuse')
    listen('0.0.0.0', port, 'reuse')
    refute others_listen?(port)
    assert others_listen?(port, job: '2')
    listen('0.0.0.0', port, 'reuse', job: '2')
    assert others_listen?(port)
  end

  # As OOD's batch script with an app's after.sh, whose service has not begun to listen.
  # @return [String, nil] connection.yml
  def card_of(app, port)
    FileUtils.mkdir_p(dir = File.join(temporary, app))
    script = <<~BASH
      source #{JOB}
      clean_up() { kill "$SCRIPT_PID"; exit "$1"; }
      curl() { echo 403; }
      sleep() { :; }
      host=localhost port=#{port} proxy=rnode
      echo jupyter-lab >program
      multitenant_share() { return 75; }
      command sleep 300 &
      SCRIPT_PID=$!
      source #{Dir.glob("#{Tree::ROOT}/apps-*/multitenant-#{app}/template/after.sh")[0]}
      echo "port: $port" >connection.yml
      clean_up 0
    BASH
    Open3.capture2e({ 'SLURM_JOB_ID' => '1' }, 'bash', '-c', script, chdir: dir)
    card = File.join(dir, 'connection.yml')
    File.read(card) if File.exist?(card)
  end

  # Modules may take longer to load than a stranger to take the port.
  def test_no_card_leads_to_a_stranger_who_answers_on_the_port
    { listen(job: '2') => [nil, nil, "port: \n"], (own = listen) => ["port: #{own}\n"] * 3 }.each do |port, cards|
      assert_equal(cards, %w[gradio jupyter dashboard].map { |app| card_of(app, port) })
    end
  end

  # cat fails there, which pipefail of a start-up file makes a failure of all.
  def test_a_server_that_is_met_past_its_gateway_is_seen_on_a_node_without_ipv6
    { '0.0.0.0' => "past\n", '127.0.0.1' => '' }.each do |address, said|
      guarded = "#{WITHOUT_IPV6}; mt_guard=port mt_server_port=#{listen(address)}"
      assert_equal [said, true], bash("#{guarded}; ! is_past_gate || echo past")
    end
  end

  # EL 8's grep still does as it says: another field is then taken for the user.
  def test_a_server_that_is_met_past_its_gateway_is_seen_whatever_grep_is_told_otherwise
    skip_unless(Process.euid.zero?, 'needs root')
    File.write(File.join(temporary, 'grep'), "#!/bin/sh\nexec /bin/grep $GREP_OPTIONS \"$@\"\n", perm: 0o755)
    user = %w[setpriv --reuid=4999 --clear-groups]
    job = "export GREP_OPTIONS=-n PATH=#{temporary}:$PATH; source #{JOB}"
    past = "mt_guard=port mt_server_port=#{listen(user: user)}; ! is_past_gate || echo past"
    assert_equal ["past\n", true], bash("#{job}; #{past}", *user)
  end

  def test_the_other_family_is_held_where_the_service_has_one_of_them
    port = listen('127.0.0.1')
    script = "source #{JOB}; port=#{port}; hold_port; echo held; read -r"
    IO.popen(['bash', '-c', script], 'r+') do |job|
      assert_equal "held\n", job.gets
      assert_raises(Errno::EADDRINUSE) { listen('::', port) }
      assert_raises(Errno::ECONNREFUSED) { TCPSocket.new('::1', port) }
      TCPSocket.new('127.0.0.1', port).close
      job.puts
    end
    # Also where no Slurm ends what a job leaves.
    wait_until do
      listen('::', port)
    rescue Errno::EADDRINUSE
      nil
    end
  end

  # PostgreSQL, for one, writes a line for each log-in that fails, of anybody's who reaches it: a home would be full.
  def test_a_jobs_log_does_not_grow_without_end
    log = File.join(temporary, 'log')
    hold = "port=#{listen('127.0.0.1')}; hold_port 10000 1"
    writes = "for i in {1..2000}; do ! grep -qa ^What #{log} || break; printf '%01000d\n' 1; sleep 0.01; done"
    assert system('bash', '-c', "source #{JOB}; #{hold}; #{writes}; echo end", out: [log, 'a'])
    said = File.read(log)
    assert_match(/\A(?:0+1\n){0,5}What stood here had 10000 bytes, and was removed\.\n(?:0+1\n){0,5}end\n\z/, said)
  end

  # As where its file system is away for a while. How often it looked tells how often it slept.
  def test_the_other_family_is_held_where_the_log_can_not_be_cut
    log = File.join(temporary, 'log').tap { |path| File.write(path, '1' * 20_000) }
    script = "source #{JOB}; exec 4>&1 1<#{log}; port=#{listen('127.0.0.1')}; hold_port 10000 1; echo $! >&4; read -r"
    IO.popen(['bash', '-c', script], 'r+') do |job|
      status = "/proc/#{Integer(job.gets)}/status"
      looks = -> { File.read(status)[/^voluntary_ctxt_switches:\s+(\d+)/, 1].to_i }
      first = looks.call
      wait_until { looks.call > first + 1 }
      job.puts
    end
  end

  # Open OnDemand's find_port takes them from the cluster's file, where it is given no others.
  def test_the_clusters_min_port_and_max_port_count
    find = %q(find_port() { printf '%s\n' "$@" >&2; echo 1; })
    out, err, = Open3.capture3('bash', '-c', "source #{JOB}; #{find}; host=node1; choose_port; echo $port")
    assert_equal %W[1\n node1\n], [out, err]
  end

  # For a minute no server gets it.
  def test_a_port_that_a_connection_had_until_now_is_not_chosen
    server = TCPServer.new('127.0.0.1', 0)
    left = Socket.tcp('127.0.0.1', server.addr[1])
    port = left.local_address.ip_port
    left.close
    server.accept.close
    ports = [port, server.addr[1], 1]
    find = "find_port() { sed -i 1d ports; head -n 1 ports; }; host=; printf '%s\n' 0 #{ports.join(' ')} >ports"
    Dir.mktmpdir do |dir|
      assert_equal ["1\n", true], bash("cd #{dir}; source #{JOB}; #{find}; choose_port; echo $port")
    end
  ensure
    server&.close
  end

  # The port is nginx's, which has it: a model that there is not would be asked for three times more.
  def test_a_server_that_ends_behind_a_gateway_has_lost_no_port_to_that
    port = listen
    begun = "source #{JOB}; port=#{port} mt_guard=socket; clean_up() { echo \"ended $1\"; exit; }; " \
            'choose_port() { echo again; exit; }'
    { 1 => "ended 1\n", 98 => "again\n" }.each do |code, said|
      out, = Open3.capture2({ 'SLURM_JOB_ID' => '1' }, 'bash', '-c',
                            "#{begun}; (exit #{code}) & SCRIPT_PID=$!; sleep 1; await_service false")
      assert_equal said, out
    end
  end

  # A proxy of the site's would hear the server's key.
  def test_a_jobs_own_server_is_asked_whatever_curl_is_told_otherwise
    File.write(File.join(temporary, '.curlrc'), "output = /dev/null\n")
    server = TCPServer.new('127.0.0.1', 0)
    answer = Thread.new do
      client = server.accept
      client.gets("\r\n\r\n")
      client.write("HTTP/1.0 200 OK\r\n\r\nours")
      client.close
    end
    ask = "curl_server http://127.0.0.1:#{server.addr[1]}/"
    said = bash("export HOME=#{temporary} http_proxy=http://127.0.0.1:1 SLURM_JOB_ID=1; source #{JOB}; #{ask}")
    assert_equal ['ours', true], said
  ensure
    answer&.kill
    server&.close
  end
end
