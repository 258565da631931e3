# frozen_string_literal: true

require_relative 'app_test'
require 'erb'
require 'ostruct'

# A web application that is shared with a group: real ones, in jobs.
class TestDashboard < AppTest
  APP = 'multitenant-dashboard'
  ODD = %q(a'b "c" $(touch owned) `id` * x)

  FLASK = <<~PYTHON
    import flask, os
    app = flask.Flask(__name__)
    @app.route('/')
    def page():
        return 'prefix ' + os.environ['DASH_REQUESTS_PATHNAME_PREFIX']
    app.run(host=os.environ['HOST'], port=os.environ['PORT'])
  PYTHON

  # Knows a password and a base URL.
  LOCKED = <<~PYTHON
    import http.server, os
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            right = self.headers.get('Authorization') == 'Bearer ' + os.environ['password']
            below = self.path.startswith(os.environ['base_path'] + '/')
            self.send_response(404 if not below else 200 if right else 401)
            self.end_headers()
            self.wfile.write(b'unlocked')
    http.server.ThreadingHTTPServer(('', int(os.environ['port'])), Page).serve_forever()
  PYTHON

  # Stands for Streamlit, which Debian does not have: answers below its base path alone.
  STREAMLIT = <<~PYTHON
    #!/usr/bin/env python3
    import http.server, sys
    options = dict(word[2:].split('=', 1) for word in sys.argv[2:-1])
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == options['server.baseUrlPath'] + '/' else 500)
            self.end_headers()
            self.wfile.write(open(sys.argv[-1], 'rb').read())
    http.server.ThreadingHTTPServer((options['server.address'], int(options['server.port'])), Page).serve_forever()
  PYTHON

  # What hpcfaculty has in a directory, with an odd name.
  def place(name, text)
    dir = File.join(Bed::OURS, ODD)
    FileUtils.mkdir_p(dir)
    path = File.join(dir, name)
    File.write(path, text)
    path
  end

  def start(kind, values, share = SHARED)
    submit(APP, share.merge('version' => kind).merge(values))
  end

  # @return [String] what hpcstudent's browser gets there
  def fetch(specs, path = '/', *args)
    url = "http://#{specs['host']}:#{specs['port']}#{path}"
    Bed.as('hpcstudent', 'curl', '-q', '--silent', '--show-error', '--max-time', '30', *args, url)
       .then { |result| result.out + result.err }
  end

  # @return [Array<Integer>] processes that a job has left
  def processes(job)
    Dir.glob('/proc/[0-9]*/environ').filter_map do |file|
      file[/\d+/].to_i if File.binread(file).split("\0").include?("SLURM_JOB_ID=#{job.job_id}") &&
                          File.binread(file).include?(Bed::DIR)
    rescue SystemCallError
      nil
    end
  end

  def gone(job)
    Bed.wait('the card is gone') { Bed.cards('hpcstudent').none? { |line| line.start_with?('written', 'kept') } }
    assert_nil job.specs
    Bed.wait('nothing of the job is left') { processes(job).empty? }
  end

  # As OOD renders it.
  def card(connection)
    names = OpenStruct.new(connection) # rubocop:disable Style/OpenStructUse -- as OOD does
    view = File.read(File.join(AppJobs.root(APP), 'view.html.erb'))
    ERB.new(view, trim_mode: '-').result(names.instance_eval { binding })
  end

  def test_a_shiny_application_in_an_odd_directory_reaches_the_group_and_ends_with_the_job
    file = place('app.R', "library(shiny)\nshinyApp(fluidPage('A shiny page'), function(input, output) {})\n")
    job = start('shiny', 'app_path' => File.dirname(file)).shared
    specs = job.specs
    assert_equal %w[host port proxy], specs.keys.sort
    assert_equal 'rnode', specs['proxy']
    assert_match(/A shiny page/, fetch(specs))
    assert_nil job.specs('outsider')
    assert_equal ["written #{job.id}"], Bed.cards('hpcstudent')
    view = card(job.connection)
    assert_includes view, %(href="/rnode/#{specs['host']}/#{specs['port']}/")
    assert_match(/Shared with \d other members of hpcGrp, /, view)
    refute_includes view, 'Show password'
    refute_empty processes(job)
    job.cancel
    gone(job)
    assert_match(/Stopping the service/, job.log)
  end

  def test_after_a_requeue_it_is_shared_anew
    job = start('python', 'app_path' => place('page.py', FLASK)).shared
    before = job.specs
    assert_equal "prefix /rnode/#{before['host']}/#{before['port']}/", fetch(before)
    system('scontrol', 'requeue', job.job_id.to_s, exception: true)
    Bed.wait('it is shared anew', 120) { (now = job.specs) && now['port'] != before['port'] }
    assert_equal "prefix /rnode/#{job.specs['host']}/#{job.specs['port']}/", fetch(job.specs)
    assert_match(/Connection refused|Couldn't connect/, fetch(before))
  end

  def test_a_command_gets_a_password_and_a_base_path
    file = place('locked.py', LOCKED)
    command = "trap '' USR1\r\npython3 #{file.shellescape} & # with $password\r\nwait\r\n"
    job = start('command', 'command' => command, 'proxy' => 'node').shared
    specs = job.specs
    path = "/node/#{specs['host']}/#{specs['port']}/"
    assert_equal %w[host password port proxy], specs.keys.sort
    assert_match(/\A[a-zA-Z0-9]{24}\z/, specs['password'])
    assert_match(/401\z/, fetch(specs, path, '-w', '%{http_code}'))
    assert_equal 'unlocked200',
                 fetch(specs, path, '-H', "Authorization: Bearer #{specs['password']}", '-w', '%{http_code}')
    assert_empty(processes(job).select { |pid| File.read("/proc/#{pid}/cmdline").match?(/#{specs['password']}|trap/) })
    view = card(job.connection)
    assert_includes view, %(href="#{path}")
    assert_includes view, specs['password']
    job.cancel
    gone(job)
  end

  def test_streamlit_is_told_its_base_path
    path = ENV.fetch('PATH')
    bin = File.dirname(place('streamlit', STREAMLIT).tap { |file| File.chmod(0o755, file) })
    ENV['PATH'] = "#{bin}:#{path}"
    specs = start('streamlit', 'app_path' => place('page.py', '# a page')).shared.specs
    assert_equal 'node', specs['proxy']
    assert_equal '# a page', fetch(specs, "/node/#{specs['host']}/#{specs['port']}/")
  ensure
    ENV['PATH'] = path
  end

  # Slurm tells the batch script alone, which has to end what runs below it.
  def test_before_its_time_is_over_it_ends_cleanly
    command = "(trap 'echo it ended cleanly; exit' TERM; python3 -m http.server $port & wait); echo went on"
    job = start('command', 'app_path' => Bed::OURS, 'command' => command).shared
    system('scontrol', 'update', "JobId=#{job.job_id}", 'TimeLimit=1', exception: true)
    Bed.wait('it ends', 150) { job.ended? }
    assert_match(/Stopping the service.*^it ended cleanly/m, job.log)
    refute_match(/DUE TO TIME LIMIT/, job.log)
    gone(job)
  end

  def test_only_me_is_only_me
    job = start('python', { 'app_path' => place('page.py', FLASK) }, 'enable_multitenant' => 'user').shared
    assert_equal 'rnode', job.specs('hpcfaculty')['proxy']
    assert_nil job.specs
    assert_empty Bed.cards('hpcstudent')
  end

  def test_what_does_not_start_ends_the_job_with_a_sentence
    odd = File.join(Bed::OURS, ODD, 'nowhere.py')
    { { 'version' => 'python', 'app_path' => 'page.py' } => 'The path of the application must begin with /; ' \
                                                            'it is: page.py',
      { 'version' => 'python', 'app_path' => odd } => "There is nothing at #{odd} that could be read on this node.",
      { 'version' => 'python', 'app_path' => '/etc' } => '/etc is not a file: choose the one to run.',
      { 'version' => 'streamlit', 'app_path' => '/etc/passwd' } => 'This node has no streamlit in PATH: ' \
                                                                   "see modules_streamlit in the app's site.yml.",
      { 'version' => 'command', 'command' => 'echo it broke; exit 3' } => 'it broke' }.each do |values, sentence|
      job = submit(APP, SHARED.merge(values))
      job.wait('ends', 60) { job.ended? }
      assert_includes job.log.lines(chomp: true), sentence
      assert_match(/The service ended before it was ready/, job.log)
      assert_match(/^The application has ended, with code 3\.$/, job.log) if sentence == 'it broke'
      refute_includes Bed.squeue('%j', '-t', 'all', '-j', job.job_id), '|'
    end
  end

  def test_what_another_user_listens_with_is_not_shared
    port = place('port', '')
    FileUtils.chown('hpcfaculty', nil, port)
    job = start('command', 'command' => "echo $port >#{port.shellescape}; exec sleep 600")
    job.wait('the port', 60) { !File.empty?(port) }
    pid = spawn('runuser', '-u', 'outsider', '--', 'python3', '-m', 'http.server', File.read(port).strip,
                chdir: '/', out: File::NULL, err: File::NULL)
    refute_includes job.name, '|'
    assert_match(/Not shared: what listens on port \d+ is not yours alone/, card(job.connection))
    refute_includes card(job.connection), 'password' # the command uses none
    refute_includes card(job.connection), 'href'
  ensure
    Process.kill('TERM', pid) && Process.wait(pid) if pid
  end

  def test_the_link_leads_nowhere_but_to_a_host_and_a_port
    ['x/../..', 'evil"onmouseover="', "a\nb", '', nil].each do |host|
      refute_includes card('host' => host, 'port' => 80), 'href'
      refute_includes card('host' => 'n1', 'port' => host), 'href'
    end
    assert_includes card('host' => 'n1', 'port' => 80, 'proxy' => '<'), 'href="/rnode/n1/80/"'
    secret = card('host' => 'n1', 'port' => 80, 'password' => '<b>')
    assert_includes secret, '<bdi>&#x3C;b&#x3E;</bdi></code>'
  end

  def stopped?(pid)
    File.read("/proc/#{pid}/stat")[/\) (.)/, 1] == 'T'
  end

  def pause(pid, stop, go_on)
    stop.call
    Bed.wait('it is stopped') { stopped?(pid) }
    sleep 1 # its script hears of it
    go_on.call
    Bed.wait('it goes on') { !stopped?(pid) }
  end

  # It is stopped meanwhile, which is not its end. Slurm sends TSTP, and STOP later: its script may see the first
  # before it is stopped itself.
  def test_a_suspended_application_goes_on
    enough = File.join(Bed.home('hpcfaculty'), 'enough')
    command = "python3 -m http.server $port & until [ -e #{enough} ]; do sleep 0.5; done; exit 7"
    job = start('command', 'command' => command).shared
    server = processes(job).find { |pid| File.read("/proc/#{pid}/cmdline").include?('http.server') }
    pause(server, *%w[TSTP CONT].map { |signal| -> { Process.kill(signal, -Process.getpgid(server)) } })
    pause(server, *%w[suspend resume].map { |verb| -> { system('scontrol', verb, job.job_id.to_s, exception: true) } })
    FileUtils.touch(enough)
    job.wait('its own end') { job.log.include?('The application has ended, with code') }
    assert_match(/^The application has ended, with code 7\.$/, job.log)
  ensure
    FileUtils.rm_f(enough)
  end
end
