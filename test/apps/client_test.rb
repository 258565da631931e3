# frozen_string_literal: true

require_relative 'app_test'
require 'erb'
require 'net/http'

# Apps for who is offered a service: hpcfaculty shares, hpcstudent uses. A stand-in for servers of language models is
# first in the job's PATH.
class ClientTest < AppTest
  BIN = File.join(Bed::OURS, 'bin')
  STUDENT = 'hpcstudent'
  MODEL = 'facebook/opt-125m'
  # What publishers may call their values, and what they may share.
  NASTY = { 'host' => '$(id >/tmp/owned)', 'port' => '`id`', 'user' => "a'b\"c|d\\e", 'password' => '--foo; exit #',
            'database' => '${HOME} ~ * €😀', 'PATH' => '/tmp', 'LD_PRELOAD' => '/tmp/x.so', 'BASH_ENV' => '/tmp/x',
            'PYTHONPATH' => '/tmp', 'IFS' => '/', 'mt_modules' => 'evil', 'MT_APPNAME' => '<%= 1 %>',
            'ollama_url' => 'file:///etc/passwd', 'base_url' => 'javascript:x', 'model' => '' }.freeze

  FileUtils.mkdir_p(BIN)
  FileUtils.cp(File.join(__dir__, 'llm_server.rb'), BIN)
  %w[ollama llama-server vllm].each { |name| FileUtils.ln_sf('llm_server.rb', File.join(BIN, name)) }
  ENV['PATH'] = "#{BIN}:#{ENV.fetch('PATH')}" unless ENV.fetch('PATH').start_with?("#{BIN}:")

  def setup
    super
    FileUtils.rm_rf([File.join(Bed.home(STUDENT), 'multitenant'), '/tmp/owned'])
  end

  # @return [AppJob] a server with a key, that is shared
  def serve
    submit('multitenant-llm', SHARED.merge('mt_delivery_select' => 'Ollama_API sys/multitenant-delivery_default',
                                           'version' => 'vllm', 'ollama_model' => MODEL)).shared
  end

  # What the block starts with this app is behind a gateway, for which each has a key of their own.
  def guarded(app = 'multitenant-llm')
    file = File.join(AppJobs.root(app), 'site.yml')
    before = File.read(file)
    AppJobs.configure(file, 'envelope' => 'munge', 'gateway' => 'required')
    yield
  ensure
    File.write(file, before)
  end

  # A job of hpcfaculty's that shares these values; gives its id.
  def share(values, app: 'Ollama_API', command: 'sleep 600')
    given = values.map { |key, value| "#{key}=#{value}" }.shelljoin
    options = "--group hpcGrp --method form --delivery sys/multitenant-delivery_default --session #{SecureRandom.uuid}"
    job_id = Bed.submit('hpcfaculty', script: <<~BASH)
      #!/bin/bash
      bash #{File.join(Bed::OURS, 'libexec/multitenant-share')} --app #{app.shellescape} #{options} #{given}
      #{command}
    BASH
    Bed.wait("job #{job_id} is shared") { Bed.squeue('%j', '-j', job_id).count('|') == 2 }
    Bed.running(job_id)
  end

  # The client app, as hpcstudent starts it with this service.
  def start(service, **options)
    AppJob.new(ood('submit', service, **options)).tap do |job|
      refute_empty job.connection, "the client's card; its log:\n#{job.log}"
    end
  end

  def ood(action, service, values = {}, app: self.class::APP, **more)
    AppJobs.ood(action, app, { 'auto_multitenant_services' => service.to_s }.merge(values), user: STUDENT, **more)
  end

  # @return [String] the card of this session
  def card(job)
    names = OpenStruct.new(job.connection) # rubocop:disable Style/OpenStructUse -- as OOD does
    view = File.read(File.join(AppJobs.root(self.class::APP), 'view.html.erb'))
    ERB.new(view, trim_mode: '-').result(names.instance_eval { binding })
  end

  # Arguments of all processes that there are now.
  def arguments
    Dir.glob('/proc/[0-9]*/cmdline').map do |file|
      File.read(file)
    rescue SystemCallError
      ''
    end
  end

  # Files in a user's home that others can reach and that hold this.
  def open_files(secret)
    out, = Open3.capture2('runuser', '-u', 'outsider', '--', 'grep', '-rlF', '-e', secret, Bed.home(STUDENT), '/tmp',
                          err: File::NULL)
    out.lines
  end

  def assert_staged_in_private(service, secret)
    dir = nil
    assert_nobody_else_reads(secret, STUDENT) { dir = ood('stage', service, pause: 0.3)['dir'] }
    assert_equal 0o700, File.stat(dir).mode & 0o777
  end

  def assert_refused(service, sentence = /The service that was chosen has ended, or is not shared with you/)
    sessions = File.join(AppJobs.dataroot(STUDENT), 'batch_connect/sys', self.class::APP, 'output/*')
    before = Dir.glob(sessions)
    error = assert_raises(RuntimeError) { ood('stage', service) }
    assert_match(sentence, error.message)
    assert_equal before, Dir.glob(sessions)
  end

  # @return [Hash{String => String}] programs' environment, where the job has this one
  def environment(dir, env = {})
    out = Bed.as(STUDENT, 'bash', '-c', <<~BASH, dir, env: env).out
      cd "$0" && host=127.0.0.1
      clean_up() { exit "$1"; }
      find_port() { echo 4711; } # no port that a connection of somebody else's has
      create_passwd() { printf '%0*d' "$1" 0; }
      . ./before.sh
      . ./service.sh
      env -0
    BASH
    out.split("\0").to_h { |pair| pair.split('=', 2) }
  end

  def assert_data(dir)
    Dir.glob(File.join(dir, '{before,service,after,script}.sh')) do |file|
      out, status = Open3.capture2e('bash', '-n', file)
      assert_predicate status, :success?, out
      out, status = Open3.capture2e('shellcheck', '--exclude=SC2016', file)
      assert_predicate status, :success?, out
    end
    now = environment(dir)
    NASTY.except('MT_APPNAME').each { |key, value| assert_equal value, now["MT_#{key.upcase.delete_prefix('MT_')}"] }
    %w[LD_PRELOAD BASH_ENV PYTHONPATH].each { |name| assert_nil now[name] }
    assert_equal [ENV.fetch('PATH'), '', 'Ollama_API'], now.values_at('PATH', 'mt_modules', 'MT_APPNAME')
    refute_path_exists '/tmp/owned'
  end
end
