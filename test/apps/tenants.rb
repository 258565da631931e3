# frozen_string_literal: true

require_relative 'app_test'
require_relative '../ruby/helper'
require_relative '../rails/dashboard'
require_relative '../rails/site'

# Users' dashboards, which ask a real Slurm; the chat page's code, as a tenant's job has it; and a model that says
# which job it is.
module Tenants
  DIR = File.join(Bed::OURS, 'tenants')
  GO = File.join(DIR, 'go')
  CLIENT = File.join(Bed::OURS, 'multitenant-gradio/template')
  MEMBERS = File.join(DIR, 'client/members.json')

  # To "wait" a word a second before that, until the file is there.
  SERVER = <<~PYTHON.freeze
    import http.server, json, os, sys, time
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
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

  def setup
    super
    FileUtils.rm_rf(DIR)
    { 'jobs' => 'hpcfaculty', 'client' => 'hpcstudent' }.each do |name, user|
      FileUtils.mkdir_p(File.join(DIR, name))
      FileUtils.chown(user, nil, File.join(DIR, name))
    end
    File.write(File.join(DIR, 'server.py'), SERVER)
    @directory = Dir.mktmpdir('multitenant-tenants-', '/var/lib')
    File.chmod(0o755, @directory)
    @clients = []
    @dashboards = []
  end

  def teardown
    @clients.each { |client| Process.kill('KILL', client.pid) && client.close }
    @dashboards.each(&:stop)
    FileUtils.remove_entry(@directory)
    Bed.cancel_all
    super
  end

  # The block gets its site.
  # @return [Dashboard]
  def dashboard(user = 'hpcstudent')
    GemHomes.add(home = GemHomes.make)
    site = Site.new(File.join(@directory, user), gem_home: home)
    site.cluster('hpc', { conf: ENV.fetch('SLURM_CONF'), bin: '/usr/bin' })
    site.plugin
    yield site if block_given?
    log = File.join(@directory, "#{user}.log")
    env = { 'MULTITENANT_ENABLE' => 'true', 'MULTITENANT_TTL' => '1' }
    @dashboards << Dashboard.new(site, uid: Bed.uid(user), gid: Etc.getpwnam(user).gid, home: Bed.home(user), log: log,
                                       env: env)
    @dashboards.last
  end

  # What a dashboard does with each list of sessions, for a client's job that runs.
  def tell(page, service)
    page.ruby(<<~RUBY)
      file = Pathname.new('#{MEMBERS}')
      file.write(MultiTenant.service_members('#{service}')) unless file.exist?
      session = OpenStruct.new(id: 'client', staged_root: file.dirname)
      MultiTenant::Dashboard::ClientMembers.tell([session])
    RUBY
  end

  # @return [IO] of what it is answered
  def client(question)
    @clients << IO.popen(['setpriv', '--reuid=hpcstudent', '--regid=hpcstudent', '--init-groups',
                          '/usr/bin/python3', '-Ic', ASK, question], chdir: File.join(DIR, 'client'))
    @clients.last
  end
end
