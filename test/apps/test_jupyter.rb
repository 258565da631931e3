# frozen_string_literal: true

require_relative 'client_test'

# Jupyter in a job of hpcstudent's, with a service of hpcfaculty's. It is Debian's.
class TestJupyter < ClientTest
  APP = 'multitenant-jupyter'

  # As his browser does, from the card on.
  # @return [String] code and address of the page where the login leads to
  def login(job, password = nil)
    action, given = card(job).match(/action="([^"]+)".*value="(\w+)"/m).captures
    url = "http://#{job.connection.values_at('host', 'port').join(':')}#{CGI.unescapeHTML(action)}"
    Bed.as(STUDENT, 'curl', '-q', '--silent', '--location', '--noproxy', '*', '--cookie', '', '--output', '/dev/null',
           '--write-out', '%{http_code} %{url_effective}', '--data-urlencode', 'password@-', url,
           input: password || given).out
  end

  def notebook(job)
    File.join(Bed.home(STUDENT), CGI.unescapeHTML(job.connection['mt_notebook']).delete_prefix('notebooks/'))
  end

  # What the notebook's cells print, run by Jupyter in the environment that the job's programs have.
  def run_notebook(job, path = notebook(job))
    names = processes(job).map { |pid| File.read("/proc/#{pid}/environ") }
                          .find { |text| text.include?('MT_APPNAME=') }.split("\0")
    names.map! { |pair| pair.split('=', 2) }
    result = Bed.as(STUDENT, 'env', '-C', Bed.home(STUDENT), 'python3', '-c', EXECUTE, path, env: names.to_h)
    assert_equal 0, result.code, result.err
    result.out
  end

  EXECUTE = <<~PYTHON
    import sys, nbformat, nbclient
    book = nbformat.read(sys.argv[1], 4)
    nbclient.NotebookClient(book, timeout=60).execute()
    print(*(output.get("text", "") for cell in book.cells for output in cell.get("outputs", [])))
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
    assert_equal "multitenant/Ollama_API-#{service.job_id}.ipynb", path.delete_prefix("#{Bed.home(STUDENT)}/")
    assert_equal [0o600, 0o700], [path, File.dirname(path)].map { |file| File.stat(file).mode & 0o777 }
    assert_match(%r{\A200 http://127.0.0.1:(\d+)/node/127.0.0.1/\1/notebooks/multitenant/Ollama_API-\d+.ipynb\z},
                 login(job))
    said = run_notebook(job)
    assert_match(/^Models: #{MODEL}$/, said)
    assert_match(/^ ?Why do computers in a cluster talk to each other\?$/, said)
    assert_secrets(job, service.specs['api_key'])
    service.cancel
    assert_refused(service.job_id)
    Bed.as(STUDENT, 'scancel', job.job_id)
    Bed.wait('nothing of it is left', 60) { job.ended? && processes(job).empty? }
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
