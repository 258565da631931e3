# frozen_string_literal: true

require_relative 'client_test'

# Jupyter in a job of hpcstudent's, with a service of hpcfaculty's. It is Debian's.
class TestJupyter < ClientTest
  APP = 'multitenant-jupyter'

  # As a browser does, from the card on.
  # @return [String] code and address of the page where the login leads to
  def login(job, password = nil)
    action, given = card(job).match(/action="([^"]+)".*value="(\w+)"/m).captures
    url = "http://#{job.connection.values_at('host', 'port').join(':')}#{CGI.unescapeHTML(action)}"
    Bed.as(STUDENT, 'curl', '-q', '--silent', '--location', '--noproxy', '*', '--cookie', '', '--output', File::NULL,
           '--write-out', '%{http_code} %{url_effective}', '--data-urlencode', 'password@-', url,
           input: password || given).out
  end

  def notebook(job)
    File.join(Bed.home(STUDENT), CGI.unescapeHTML(job.connection['mt_notebook']).delete_prefix('notebooks/'))
  end

  # What the notebook's cells print, run by Jupyter in the environment that the job's programs have.
  def run_notebook(job, path = notebook(job), **changes)
    env = programs_environment(job).merge(changes.transform_keys(&:to_s))
    result = Bed.as(STUDENT, 'env', '-C', Bed.home(STUDENT), 'python3', '-c', EXECUTE, path, env: env)
    assert_equal 0, result.code, result.err
    result.out
  end

  # @return [Hash{String => String}]
  def programs_environment(job)
    processes(job).map { |pid| File.read("/proc/#{pid}/environ") }
                  .find { |text| text.include?('MT_APPNAME=') }.split("\0").to_h { |pair| pair.split('=', 2) }
  end

  EXECUTE = <<~PYTHON
    import sys, nbformat, nbclient
    book = nbformat.read(sys.argv[1], 4)
    nbclient.NotebookClient(book, timeout=60, allow_errors=True).execute()
    print(*(output.get("text") or output.get("evalue") for cell in book.cells for output in cell.get("outputs", [])))
  PYTHON

  # @return [Array<Integer>] of this job
  def processes(job)
    Dir.glob('/proc/[0-9]*/environ').filter_map do |file|
      text = File.binread(file).split("\0")
      file[/\d+/].to_i if text.include?("SLURM_JOB_ID=#{job.job_id}") && text.any? { |pair| pair.include?(Bed::DIR) }
    rescue SystemCallError
      nil
    end
  end

  def test_a_students_first_notebook_gets_an_answer_from_the_model
    service = serve
    job = start(service.job_id)
    path = notebook(job)
    assert_includes card(job), '<strong>hpcfaculty: Language model</strong>'
    assert_equal "multitenant/Ollama_API-#{service.job_id}.ipynb", path.delete_prefix("#{Bed.home(STUDENT)}/")
    assert_equal([0o600, 0o700], [path, File.dirname(path)].map { |file| File.stat(file).mode & 0o777 })
    assert_match(%r{\A200 http://127.0.0.1:(\d+)/node/127.0.0.1/\1/notebooks/multitenant/Ollama_API-\d+.ipynb\z},
                 login(job))
    said = run_notebook(job)
    assert_match(/^Models: #{MODEL}$/, said)
    assert_match(/^ ?Why do computers in a cluster talk to each other\?$/, said)
    assert_secrets(job, service.specs['api_key'])
    assert_staged_in_private(service.job_id, service.specs['api_key'])
    service.cancel
    assert_refused(service.job_id)
    Bed.as(STUDENT, 'scancel', job.job_id)
    Bed.wait('nothing of it is left', 60) { job.ended? && processes(job).empty? }
  end

  def test_a_notebook_has_a_key_of_the_students_own_where_there_is_a_gateway
    service = guarded { serve }
    job = start(service.job_id)
    key = programs_environment(job)['OPENAI_API_KEY']
    assert_match(/\Amt1\.#{Bed.uid(STUDENT)}\.\d+\.[\w-]{43}\z/, key)
    assert_secrets(job, key)
    assert_match(/^Models: #{MODEL}$/, run_notebook(job))
    # Where it is not taken, the first cell logs in.
    assert_match(/^Models: #{MODEL}$/, run_notebook(job, OPENAI_API_KEY: key.sub(/.{9}\z/, 'x' * 9)))
    Bed.as(STUDENT, 'scancel', job.job_id)
    service.cancel
  end

  def database(engine)
    data = File.join(Bed.home('hpcfaculty'), engine)
    FileUtils.rm_rf(data)
    values = { 'version' => engine, 'db_data' => data, 'db_name' => "o'ur €", 'db_user' => 'me',
               'db_pass' => %(p'w" €$) }
    submit('multitenant-database', SHARED.merge('mt_delivery_select' => 'DB_Conn sys/multitenant-delivery_default')
                                         .merge(values)).shared.job_id
  end

  def test_a_database_is_reached_by_the_notebook
    { 'mariadb' => /10\.\d+\.\d+-MariaDB/, 'postgresql' => /PostgreSQL 15/ }.each do |engine, version|
      job = start(database(engine))
      assert_match version, run_notebook(job)
      Bed.as(STUDENT, 'scancel', job.job_id)
    end
  end

  def test_the_notebook_has_an_account_of_the_students_own_where_a_database_has_a_gateway
    { 'mariadb' => /10\.\d+\.\d+-MariaDB/, 'postgresql' => /PostgreSQL 15/ }.each do |engine, version|
      job = start(guarded('multitenant-database') { database(engine) })
      user, password = programs_environment(job).values_at('MT_USER', 'MT_PASSWORD')
      assert_match(/\Amt_#{Bed.uid(STUDENT)}_\h{8}\z/, user)
      arguments.each { |words| refute_includes words, password }
      # Where the job could not log in, the first cell does.
      assert_match version, run_notebook(job, PGPASSWORD: 'none', MYSQL_PWD: 'none')
      Bed.as(STUDENT, 'scancel', job.job_id)
    end
  end

  def test_a_notebook_of_before_stays_and_what_is_shared_is_shown_without_secrets
    file = File.join(AppJobs.root(APP), 'site.yml')
    was = File.read(file)
    AppJobs.configure(file, 'services' => '')
    service = share({ 'host' => 'n1', 'web_password' => 'hush' }, app: 'My-App #1')
    path = File.join(Bed.home(STUDENT), "multitenant/My-App__1-#{service}.ipynb")
    job = start(service)
    assert_equal path, notebook(job)
    said = run_notebook(job)
    assert_match(/^ ?MT_HOST = n1$/, said)
    refute_match(/hush/, said)
    Bed.as(STUDENT, 'scancel', job.job_id)
    elsewhere = File.join(Bed.home(STUDENT), 'elsewhere')
    FileUtils.ln_sf(elsewhere, path)
    assert_match(/first notebook could not be written/, start(service).log)
    refute_path_exists elsewhere
    FileUtils.rm_f(path)
    File.write(path, 'mine')
    start(service)
    assert_equal 'mine', File.read(path)
  ensure
    File.write(file, was)
  end

  def test_what_a_hostile_publisher_shares_stays_data
    service = share(NASTY)
    assert_data(ood('stage', service)['dir'])
    job = start(service)
    assert_match(/What is shared is not the address of a language model/, run_notebook(job))
    refute_path_exists '/tmp/owned'
  end

  def test_without_jupyter_the_job_ends_with_a_sentence
    service = share({ 'host' => 'n1' })
    file = File.join(AppJobs.root(APP), 'site.yml')
    before = File.read(file)
    AppJobs.configure(file, 'programs' => 'jupyter-nothing, x')
    job = AppJob.new(ood('submit', service))
    Bed.wait('it ends', 60) { job.ended? }
    assert_match(/has none of jupyter-nothing x in PATH: see programs and modules in the app's site.yml/, job.log)
  ensure
    File.write(file, before)
  end

  def assert_secrets(job, key)
    password = job.connection['password']
    ['guess', ''].each { |guess| assert_match(/\A401 /, login(job, guess)) }
    [key, password].each do |secret|
      (arguments + [job.log]).each { |text| refute_includes text, secret }
      assert_empty open_files(secret)
      refute_includes File.read(notebook(job)), secret
    end
    assert_equal 0o600, File.stat(File.join(job.dir, 'before.sh')).mode & 0o777
  end
end
