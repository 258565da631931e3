# frozen_string_literal: true

require_relative 'app_test'
require_relative '../ruby/helper'
require_relative '../rails/dashboard'
require_relative '../rails/site'

# The shortest jobs that can follow each other: a limit of two minutes, of which one is the lead, from a publisher's
# own script, whose server takes a while to start. A tenant has an open page, which asks each second, and the chat
# page's code, which asks as often.
class TestHandOver < AppTest
  SERVICE = 'notes@hpcGrp'
  DIR = File.join(Bed::OURS, 'hand_over')
  GO = File.join(DIR, 'go')
  CLIENT = File.join(Bed::OURS, 'multitenant-gradio/template')

  # Says which job it is; to "wait" a word a second before that, until the file is there.
  SERVER = <<~PYTHON.freeze
    import http.server, json, os, sys, time
    class Page(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])).decode())
            self.send_response(200)
            self.end_headers()
            while body["messages"][0]["content"] == "wait" and not os.path.exists("#{GO}"):
                self.say("word ")
                time.sleep(1)
            self.say(os.environ["SLURM_JOB_ID"])
            self.wfile.write(b"data: [DONE]\\n\\n")
        def say(self, text):
            self.wfile.write(b"data: %s\\n\\n" % json.dumps({"choices": [{"delta": {"content": text}}]}).encode())
            self.wfile.flush()
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
  PYTHON

  # One line for each answer. What is told to wait asks once.
  ASK = <<~PYTHON.freeze
    import contextlib, os, sys, time
    sys.path.insert(0, "#{CLIENT}")
    from service import Service, ServiceError
    service = Service(os.environ)
    while True:
        start = time.monotonic()
        try:
            question = [{"role": "user", "content": sys.argv[1]}]
            parts = service.answer("m", question, lambda socket: contextlib.nullcontext())
            print("".join(part.get("text", "") for part in parts), flush=True)
        except ServiceError as error:
            print(error, flush=True)
        if sys.argv[1] == "wait":
            break
        time.sleep(max(0, start + 1 - time.monotonic()))
  PYTHON

  SCRIPT = <<~BASH.freeze
    #!/bin/bash
    #SBATCH --wckey=multitenant --time=2 --output=#{DIR}/jobs/%j.log
    for part in job chain keeper submission; do source #{Bed::OURS}/libexec/multitenant-$part; done
    export XDG_STATE_HOME=#{DIR}/jobs
    keep_running --service notes --group hpcGrp --title 'Our notes' --lead 1 --until '1 day'
    multitenant_share() {
      mt_shared=$(#{Bed::OURS}/libexec/multitenant-share --note --group hpcGrp --app Ollama_API --method card \
        --delivery sys/multitenant-delivery_default --session "$mt_session" "$@")
    }
    export host=127.0.0.1
    port=$(python3 -c 'import socket; one = socket.socket(); one.bind(("127.0.0.1", 0)); print(one.getsockname()[1])')
    export port base_url=http://$host:$port/v1
    { sleep 8; exec python3 #{DIR}/server.py "$port"; } & SCRIPT_PID=$!
    share_service base_url
    wait "$SCRIPT_PID"
  BASH

  # What the dashboard does with each list of sessions, for a client's job that runs.
  TELL = <<~RUBY.freeze
    file = Pathname.new('#{DIR}/client/members.json')
    file.write(MultiTenant.service_members('hpcfaculty/#{SERVICE}')) unless file.exist?
    session = OpenStruct.new(id: 'client', staged_root: file.dirname)
    MultiTenant::Dashboard::ClientMembers.tell([session])
  RUBY

  def setup
    super
    FileUtils.rm_rf(DIR)
    { 'jobs' => 'hpcfaculty', 'client' => 'hpcstudent' }.each do |name, user|
      FileUtils.mkdir_p(File.join(DIR, name))
      FileUtils.chown(user, nil, File.join(DIR, name))
    end
    File.write(File.join(DIR, 'server.py'), SERVER)
    @directory = Dir.mktmpdir('multitenant-hand-over-', '/var/lib')
    File.chmod(0o755, @directory)
  end

  def teardown
    @clients.to_a.each { |client| Process.kill('KILL', client.pid) && client.close }
    @dashboard&.stop
    FileUtils.remove_entry(@directory)
    Bed.cancel_all
  end

  # What {BedTest#shared} tells where the job is not.
  def log
    Dir.glob(File.join(DIR, 'jobs/*.log')).max || File::NULL
  end

  def dashboard
    GemHomes.add(home = GemHomes.make)
    site = Site.new(File.join(@directory, 'site'), gem_home: home)
    site.cluster('hpc', { conf: ENV.fetch('SLURM_CONF'), bin: '/usr/bin' })
    site.plugin
    @dashboard = Dashboard.new(site, uid: Bed.uid('hpcstudent'), gid: Etc.getpwnam('hpcstudent').gid,
                                     home: Bed.home('hpcstudent'), log: File.join(@directory, 'log'),
                                     env: { 'MULTITENANT_ENABLE' => 'true', 'MULTITENANT_TTL' => '1' })
  end

  # @return [IO] of what it is answered
  def client(question)
    client = IO.popen(['setpriv', '--reuid=hpcstudent', '--regid=hpcstudent', '--init-groups',
                       '/usr/bin/python3', '-Ic', ASK, question], chdir: File.join(DIR, 'client'))
    (@clients ||= []) << client
    client
  end

  # Until the third job answers. What waits goes on once the second one has for a while.
  # @return [Array<Array>] the cards of each poll, and the answers
  def follow(page, chat, first)
    cards = []
    answers = []
    reader = Thread.new { chat.each_line(chomp: true) { |line| answers << line } }
    Bed.wait(-> { "three jobs answer: #{answers.tally}" }, 300) do
      start = MultiTenant.clock
      cards << page.poll.cards.keys
      page.ruby(TELL)
      FileUtils.touch(GO) if answers.count { |answer| answer != first } > 9
      # Bed.wait makes it a second.
      sleep [0.9 - (MultiTenant.clock - start), 0].max
      answers.uniq.size > 2
    end
    [cards, answers]
  ensure
    reader&.kill
  end

  # @return [Array<String>] jobs that have begun
  def begun
    Dir.glob(File.join(DIR, 'jobs/*.log')).map { |file| File.basename(file, '.log') }.sort_by(&:to_i)
  end

  # It takes two minutes.
  module Long
    def test_jobs_of_two_minutes_that_nobody_sees_change
      first = shared(Integer(Bed.as('hpcfaculty', 'sbatch', '--parsable', input: SCRIPT).out)).to_s
      page = dashboard
      Bed.wait('the card') { page.poll.cards.size == 1 }
      card = page.poll.cards.keys
      page.ruby(TELL)
      stream = client('wait')
      cards, answers = follow(page, client('who'), first)
      assert_equal [card], cards.uniq
      assert_equal begun, answers.uniq
      assert_match(/\A(?:word ){20,}#{first}\n\z/, stream.read)
    end
  end
  include Long if ENV.key?('MULTITENANT_LONG')
end
