# frozen_string_literal: true

require_relative 'app_test'
require 'date'
require 'net/http'

# Services that outlive their jobs, and have several: real ones, from the form on.
class TestChain < AppTest
  include Kept

  APP = 'multitenant-dashboard'
  SITE = { 'keep_days' => '30', 'copies_max' => '2' }.freeze
  ANSWERS = { **SHARED, 'version' => 'command', 'command' => 'exec python3 -m http.server "$port"',
                        'mt_delivery_select' => 'RShiny_App sys/multitenant-delivery_default',
                        'mt_title' => 'Spanish 301' }.freeze
  # What is not the same of a job and of the one that follows it.
  OWN = %w[JobId JobName Priority JobState Reason Dependency Restarts ExitCode RunTime SubmitTime EligibleTime
           AccrueTime StartTime EndTime SuspendTime LastSchedEval Scheduler AllocNode:Sid NodeList BatchHost WorkDir
           StdErr StdOut].freeze

  def setup
    super
    set(SITE)
    FileUtils.rm_rf(state)
  end

  def teardown
    Bed.cancel_all
    set('keep_days' => '0', 'copies_max' => '4')
  end

  def set(settings)
    AppJobs.configure(File.join(AppJobs.root(APP), 'site.yml'), settings)
  end

  def tell(name, text)
    path = File.join(state, name)
    File.write("#{path}.new", "#{text}\n")
    FileUtils.chown('hpcfaculty', 'hpcfaculty', "#{path}.new")
    File.rename("#{path}.new", path)
  end

  def start(**answers)
    submit(APP, ANSWERS.merge('mt_until' => (Date.today + 7).to_s, **answers.transform_keys(&:to_s)))
  end

  def fields(job_id)
    shown = IO.popen(['scontrol', 'show', 'job', job_id.to_s], &:read)
    shown.scan(/(\S+?)=(.*?)(?=\s+\S+?=|\s*\z)/m).to_h
  end

  # @return [Array] those in which both jobs, which run, differ
  def differences(first, second)
    keys = first.keys.union(second.keys) - OWN
    keys.map { |key| [key, first[key], second[key]] }.reject { |_, one, other| one == other }
  end

  def kill_server(port)
    pid = IO.popen(['ss', '-Hltnp', "sport = :#{port}"], &:read)[/pid=(\d+)/, 1]
    Process.kill('KILL', Integer(pid))
  end

  # What a site puts on sbatch's command line, and what scontrol then shows of it.
  NATIVE = { "--comment=#{COMMENT = %q(Spanish "301", it's $HOME)}" => ['Comment', COMMENT],
             '--constraint=big' => %w[Features big], '--licenses=verbs:2' => %w[Licenses verbs:2],
             '--reservation=class' => %w[Reservation class], '--nice=7' => %w[Nice 7],
             '--tmp=1' => %w[MinTmpDiskNode 1M] }.freeze

  # As a site that adds them to the app's own ones.
  def with_native
    file = File.join(AppJobs.root(APP), 'submit.yml.erb')
    before = File.read(file)
    File.write(file, "#{before}#{NATIVE.keys.map { |option| "    - #{option.to_json}\n" }.join}")
    system('scontrol', '--quiet', 'create', 'reservation', 'ReservationName=class', 'Users=hpcfaculty', 'StartTime=now',
           'Duration=60', 'Nodes=ALL', 'Flags=IGNORE_JOBS', exception: true)
    yield
  ensure
    Bed.cancel_all
    system('scontrol', 'delete', 'ReservationName=class')
    File.write(file, before)
  end

  # From a server that dies until another job serves, in the same session, and is followed itself.
  def test_a_lost_job_is_followed_by_one_like_it
    with_native { follow_a_lost_job }
  end

  def follow_a_lost_job
    job = start(num_cores: '2', memory: '3').shared
    first = fields(job.job_id)
    assert_equal NATIVE.values.to_h, first.slice(*NATIVE.values.map(&:first))
    second = follower
    waiting = fields(second)
    assert_equal ["after:#{job.job_id}+50(unfulfilled)?afterany:#{job.job_id}(unfulfilled)", "#{job.dir}/gen-1",
                  "#{job.dir}/gen-1/output.log"], waiting.values_at('Dependency', 'WorkDir', 'StdOut')
    kill_server(job.specs['port'])
    Bed.wait(-> { "job #{second} is shared; #{File.read("#{job.dir}/gen-1/output.log")}" }, 90) do
      Bed.squeue('%j', '-t', 'all', '-j', second).count('|') == 2
    end
    assert_empty differences(first, fields(second))
    Bed.wait('it serves') { kept('chains/1/served') == '1' }
    assert_equal %w[1 1], [kept('chains/1/generation'), kept('chains/1/failed')]
    refute_equal second, follower
    Bed.running(second)
    assert_equal([job.id], Bed.specs('hpcstudent').map { |_, spec| spec['accounting']['mti'] })
  end

  # As accounting has it, since slurmctld soon forgets.
  def assert_ended(how, job)
    Bed.wait("job #{job} ends as #{how.inspect}") do
      IO.popen(['sacct', '-nXP', '--format=state', "--jobs=#{job}"], &:read).match?(how)
    end
  end

  def test_who_cancels_a_job_ends_its_chain
    job = start.shared
    second = follower
    Bed.as('hpcfaculty', 'scancel', job.job_id)
    Bed.wait('nothing is left', 60) { Bed.left.empty? }
    assert_equal "Job #{job.job_id} was cancelled, which ends this chain of jobs.", kept('chains/1/ended')
    assert_ended(/\ACANCELLED/, second)
  end

  # Of one that waits to start again no trap runs: the job that follows finds it out.
  def test_so_does_who_cancels_one_that_waits
    job = start.shared
    second = follower
    system('scontrol', 'requeuehold', job.job_id.to_s, exception: true)
    Bed.wait('it waits', 60) { job.state == 'PENDING' }
    Bed.as('hpcfaculty', 'scancel', job.job_id)
    Bed.wait('nothing is left', 60) { Bed.left.empty? }
    assert_match(/\AJob #{job.job_id} was cancelled/, kept('chains/1/ended'))
    assert_ended(/\ACOMPLETED/, second)
  end

  # What Open OnDemand itself has written down, where its inside is one that the hook does not know.
  def test_options_without_the_hook
    job = start(bc_num_hours: '1.5').shared
    dir = File.join(job.dir, 'submission')
    kept, there = %w[arguments script].map { |name| File.read(File.join(dir, name)) }
    read = "mt_directory=#{job.dir.shellescape} mt_submission=$(mktemp -d); . #{File.join(Bed::OURS, 'libexec')}" \
           '/multitenant-submission; read_options && cat $mt_submission/arguments $mt_submission/script'
    result = Bed.as('hpcfaculty', 'bash', '-c', read)
    assert_equal([kept.split("\0").sort, there], [*result.out.rpartition("\0").values_at(0, 2)].then do |a, b|
      [a.split("\0").sort, b]
    end)
  end

  def test_copies_have_nodes_of_their_own_and_end_together
    job = start(mt_copies: '2').shared
    Bed.wait('another copy', 90) { kept('chains/2/shared') != '' }
    assert_equal %w[node1 node2], [1, 2].map { |n| kept("chains/#{n}/node") }.sort
    Bed.wait('the one that waits keeps off') { fields(follower)['ExcNodeList'] == kept('chains/2/node') }
    [job.job_id, kept('chains/2/job').to_i].each { |id| Bed.running(id) }
    assert_equal 2, Bed.specs('hpcstudent').size
    tell('stopped', 'Enough.')
    Bed.wait('nothing is left', 60) { Bed.left.empty? }
    assert_equal(['Enough.'] * 2, [1, 2].map { |n| kept("chains/#{n}/ended") })
    assert_match(/^Enough\.$/, job.log)
  end

  # The card would blink.
  def test_another_title_takes_the_place_of_the_one_before_it
    job = start.shared
    before = job.name
    tell('title', 'Spanish 302')
    seen = []
    Bed.wait('the new title', 60) { (seen << job.name).last != before }
    assert_equal([2], seen.map { |name| name.count('|') }.uniq)
    assert_equal 'Spanish 302', Bed.specs('hpcstudent').dig(job.job_id.to_s, 'info', 'title')
  end

  def test_a_service_that_fails_at_once_is_tried_twice_more_and_rests
    start(command: 'exit 1')
    Bed.wait(-> { "rest; #{kept('chains/1/failed')}" }, 120) { kept('chains/1/ended') != '' }
    assert_match(/\ATwo jobs in a row ended within five minutes/, kept('chains/1/ended'))
    Bed.wait('nothing is left', 60) { Bed.left.empty? }
    assert_equal '1', kept('chains/1/generation')
  end

  # What takes minutes.
  module Long
    # Answers at once, and at /stream for 60 s.
    SERVER = <<~PYTHON
      import http.server, os, time
      class Page(http.server.BaseHTTPRequestHandler):
          def do_GET(self):
              self.send_response(200)
              self.end_headers()
              for _ in range(60 if self.path == '/stream' else 0):
                  self.wfile.write(b'word ')
                  self.wfile.flush()
                  time.sleep(1)
              self.wfile.write(os.environ['SLURM_JOB_ID'].encode())
      http.server.ThreadingHTTPServer(('', int(os.environ['port'])), Page).serve_forever()
    PYTHON

    def get(spec, path = '/')
      Net::HTTP.get_response(spec['host'], path, Integer(spec['port'])).tap(&:value).body
    end

    # Until the block says so: what a tenant has who looks for the service every ten seconds and asks it every second.
    # @return [Array] cards, and jobs that have answered
    def follow
      cards = []
      jobs = []
      until yield
        specs = Bed.specs('hpcstudent')
        service = specs.values.max_by { |spec| spec['connection']['jobid'].to_i }
        cards << specs.map { |_, spec| spec['accounting']['mti'] }.uniq
        10.times { (jobs << get(service['connection'])) && sleep(1) }
      end
      [cards.uniq, jobs.uniq]
    end

    def test_two_hand_overs_that_nobody_notices
      job = start(command: "exec python3 -c #{SERVER.shellescape}", bc_num_hours: '0.0667').shared
      stream = Thread.new { get(job.specs, '/stream') }
      cards, jobs = follow { kept('chains/1/served') == '2' }
      third = Integer(kept('chains/1/shared'))
      assert_equal [[job.id]], cards
      assert_equal [job.job_id, third], [jobs.first.to_i, third]
      assert_operator jobs.size, :>=, 2
      assert_equal "#{'word ' * 60}#{job.job_id}", stream.value
      job.wait('has been left', 120) { job.log.include?('The next job serves') }
      system('scontrol', 'requeue', jobs[1], exception: true)
      Bed.wait('the requeued job ends', 120) { Bed.squeue('%T', '-t', 'all', '-j', jobs[1]).strip == 'COMPLETED' }
      assert_match(/Job #{third} has followed this one already/, File.read("#{job.dir}/gen-1/output.log"))
      assert_equal third.to_s, kept('chains/1/shared')
    end

    def assert_served_by(job_id)
      Bed.wait('the next job serves', 240) { kept('chains/1/served') == '1' }
      assert_equal job_id, Integer(kept('chains/1/shared'))
    end

    # As `scancel -b` does it, and whatever else ends the shell alone.
    def test_a_batch_shell_that_is_killed
      job = start.shared
      second = follower
      Bed.as('hpcfaculty', 'scancel', '--batch', '--signal=KILL', job.job_id)
      assert_served_by second
    end

    def test_a_time_limit_that_is_brought_nearer
      job = start.shared
      second = follower
      system('scontrol', 'update', "JobId=#{job.job_id}", 'TimeLimit=1', exception: true)
      assert_served_by second
    end

    { 'the_job_begins_again' => [], 'the_next_job_begins' => ['--no-requeue'] }.each do |what, options|
      define_method("test_a_node_dies_and_#{what}") do
        Bed.configured('slurm.conf' => 'SlurmdTimeout=20') do
          job = start.shared
          system('scontrol', 'update', "JobId=#{job.job_id}", 'Requeue=0', exception: true) if options.any?
          second = follower
          node = kept('chains/1/node')
          kill_node(node, job.job_id)
          expected = (options.any? ? second : job.job_id).to_s
          Bed.wait("job #{expected} is on another node", 180) do
            kept('chains/1/job') == expected && !['', node].include?(kept('chains/1/node'))
          end
          Bed.wait('it serves', 60) { Bed.specs('hpcstudent').keys == [expected] }
        ensure
          Bed.testbed('start', 'slurmd')
        end
      end
    end

    def test_fewer_copies
      job = start(mt_copies: '2').shared
      Bed.wait('another copy', 90) { kept('chains/2/shared') != '' }
      decide('copies', 'spanish-301', '1')
      Bed.wait('no tenant has it', 60) { Bed.specs('hpcstudent').keys == [job.job_id.to_s] }
      Bed.wait('it ends', 240) { !File.exist?(File.join(state, 'chains/2')) }
      Bed.wait('one is left, and who follows it', 60) { Bed.left.sort == [job.job_id, follower].map(&:to_s).sort }
    end

    def test_what_goes_on_has_the_successor_that_it_had
      job = start.shared.tap(&:connection)
      second = follower
      %w[suspend resume].each { |what| system('scontrol', what, job.job_id.to_s, exception: true) }
      job.requeue
      assert_equal [second, [job.job_id, second]], [follower, Bed.left.map(&:to_i).sort]
      # An operator.
      system('scancel', job.job_id.to_s, exception: true)
      Bed.wait('nothing is left', 60) { Bed.left.empty? }
      assert_equal "Job #{job.job_id} was cancelled, which ends this chain of jobs.", kept('chains/1/ended')
    end

    # A site's policy, say, that changes again.
    def test_a_job_that_is_refused_is_tried_again
      bin = File.join(Bed::OURS, 'bin')
      FileUtils.mkdir_p(bin)
      File.write(File.join(bin, 'sbatch'), <<~SH, perm: 0o755)
        #!/bin/sh
        [ ! -e #{bin}/no ] || { echo 'sbatch: error: no' >&2; exit 1; }
        exec /usr/bin/sbatch "$@"
      SH
      File.write(File.join(bin, 'no'), '')
      job = AppJobs.starting_up("PATH=#{bin}:$PATH\n") { start.shared }
      assert_equal 'The next job could not be submitted, which is tried again: sbatch: error: no',
                   kept('chains/1/problem.next')
      File.delete(File.join(bin, 'no'))
      Bed.wait('it is submitted', 120) { kept('chains/1/next') != '' }
      assert_equal ['', 'RUNNING'], [kept('chains/1/problem.next'), job.state]
    ensure
      FileUtils.rm_rf(bin)
    end
  end
  include Long if ENV.key?('MULTITENANT_LONG')

  # What the owner's commands are told on a login node.
  def decide(*argv)
    result = Bed.multitenant('hpcfaculty', *argv)
    assert_equal ['', 0], [result.err, result.code]
    result.out
  end

  def test_its_owner_decides_from_a_login_node
    job = start.shared
    decide('title', 'spanish-301', 'Spanish 302')
    Bed.wait('the new title', 60) { Bed.specs('hpcstudent').dig(job.job_id.to_s, 'info', 'title') == 'Spanish 302' }
    decide('unshare', 'spanish-301@hpcGrp')
    Bed.wait('it is not shared', 60) { job.name.count('|').zero? }
    decide('unshare', '--undo', 'spanish-301')
    Bed.wait('it is shared again', 60) { job.name.count('|') == 2 }
    decide('copies', 'spanish-301', '2')
    Bed.wait('another copy', 120) { kept('chains/2/shared') != '' }
    assert_match(/\Aspanish-301@hpcGrp is stopped: \d jobs were cancelled\.\n\z/,
                 decide('stop', 'hpcfaculty/spanish-301@hpcGrp'))
    assert_empty Bed.squeue('%A', '-t', 'PENDING,RUNNING').strip
    Bed.wait('nothing is left', 60) { Bed.left.empty? }
    assert_empty Bed.squeue('%A', '-t', 'PENDING,RUNNING').strip
  end

  def test_one_job_is_as_it_was
    job = submit(APP, ANSWERS).shared
    assert_empty Dir.glob("#{job.dir}/{submission,gen-*,service.json}")
    refute_path_exists state
    assert_equal [job.job_id.to_s], Bed.left
  end
end
