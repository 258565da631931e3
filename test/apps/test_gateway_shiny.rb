# frozen_string_literal: true

require_relative 'page_test'
require_relative '../browser/axe'

# From a card to real Shiny behind its job's gateway, in a browser, with what stands for Open OnDemand's proxy; and what
# the application of another publisher, whose pages are of the same origin, can do and can't.
class TestGatewayShiny < PageTest
  SERVER = File.join(Bed::OURS, 'gateway_server.py')
  VERBS = File.join(Bed::OURS, 'applications/verbs')
  SHINY = <<~R
    library(shiny)
    page <- fluidPage(lang = 'en', titlePanel('Verbs'), textInput('word', 'Word', 'go'), textOutput('said'))
    shinyApp(page, function(input, output, session) {
      message('told ', toString(mget(ls(session$request), envir = session$request)))
      output$said <- renderText(paste(input$word, 'for', session$request$HTTP_X_MULTITENANT_USER))
    })
  R
  # A page's script takes the login of another service's card, and asks for the key.
  TAKE_KEY = <<~JS
    fetch('/').then((page) => page.text()).then((page) => {
      const form = new DOMParser().parseFromString(page, 'text/html').forms[0]
      const fields = new URLSearchParams([...new FormData(form), ['show', 'key']])
      return fetch(form.getAttribute('action'), { method: 'POST', body: fields }).then((key) => key.text())
    })
  JS

  def setup
    super
    FileUtils.mkdir_p(VERBS)
    File.write(File.join(VERBS, 'app.R'), SHINY)
    FileUtils.cp(File.join(__dir__, 'gateway_server.py'), SERVER)
  end

  # @return [Array<AppJob>] Shiny, and the other publisher's
  def serve_both
    jobs = [serve('hpcfaculty', 'version' => 'shiny', 'app_path' => VERBS),
            serve('hpcfaculty2', 'version' => 'command', 'command' => "exec python3 #{SERVER} none \"$host\"")]
    jobs.each(&:shared)
    @proxy.card = jobs.map { |job| button(job) }.join
    jobs
  end

  def cookies
    @browser.call('Network.getAllCookies')['cookies'].select { |cookie| cookie['name'] == 'multitenant_token' }
  end

  def test_shiny_works_from_its_card_and_what_pages_of_one_origin_can_do
    jobs = serve_both
    shiny = assert_at_its_root(press(0))
    assert_said 'go for hpcstudent'
    @browser.evaluate('document.querySelector("#word").select()')
    @browser.call('Input.insertText', text: 'run')
    assert_said 'run for hpcstudent'
    assert_empty Axe.findings(@browser)
    assert_at_its_root(press(1))
    assert_acts_as_the_viewer(shiny)
    tokens = cookies.to_h { |cookie| cookie.values_at('path', 'value') }
    assert_equal 2, tokens.size
    assert_includes @browser.evaluate(TAKE_KEY), tokens.fetch(shiny.chomp('/'))
    assert_hidden jobs, tokens.values
    @browser.call('Network.clearBrowserCookies')
    @browser.open("#{@proxy.url.chomp('/')}#{shiny}")
    assert_match(/\ANot let in\s/, @browser.evaluate('document.body.innerText'))
    assert_empty Axe.findings(@browser)
  end

  # It tells an application's session nothing of what the gateway says.
  def test_a_real_shiny_server_shows_which_applications_there_are_and_each_of_them
    skip 'it needs shiny-server' unless MultiTenant::Program.find('shiny-server', ENV.fetch('PATH'))

    AppJobs.configure(@site, 'kinds' => 'shinyserver')
    job = serve('hpcfaculty', 'version' => 'shinyserver', 'app_path' => File.dirname(VERBS)).shared
    @proxy.card = button(job)
    assert_at_its_root(press(0))
    @browser.follow('document.querySelector("a[href=\'verbs/\']").click(); 0')
    assert_said 'go for '
    assert_match(%r{/verbs/\z}, @browser.evaluate('location.pathname'))
  end

  def assert_at_its_root(path)
    assert_match(%r{\A/rnode/127\.0\.0\.1/\d+/\z}, path)
    path
  end

  # Through the websocket.
  def assert_said(words)
    Bed.wait(words) { @browser.evaluate('document.querySelector("#said")?.textContent') == words }
  end

  # In a page of the other publisher's: the browser sends what it has for that path, but tells it to no page.
  def assert_acts_as_the_viewer(path)
    assert(cookies.all? { |cookie| cookie.values_at('httpOnly', 'sameSite') == [true, 'Strict'] })
    assert_equal '', @browser.evaluate('document.cookie')
    refute_match(/mt1\.|multitenant_token/, @browser.evaluate('document.body.innerText'))
    page = @browser.evaluate("fetch('#{path}').then((answer) => answer.text())")
    assert_match(%r{<title>Verbs</title>}, page)
    socket = "new WebSocket(location.origin.replace('http', 'ws') + '#{path}websocket/')"
    assert @browser.evaluate("new Promise((done) => { const to = #{socket}; to.onopen = () => done(true); " \
                             'to.onerror = () => done(false) })')
  end

  # Neither in an address, nor in a header but the cookie's, nor in a file of the jobs or a log.
  def assert_hidden(jobs, tokens)
    heads = Array.new(@proxy.heads.size) { @proxy.heads.pop }
    assert_operator heads.grep(/^cookie: /i).size, :>, 5
    asked = heads.map { |head| head.gsub(/^cookie: .*/i, '') }
    homes = %w[hpcfaculty hpcfaculty2].map { |user| Bed.home(user) }
    files = [*homes, '/tmp/multitenant-gate.*', File.join(Bed::DIR, 'log')].flat_map do |place|
      Dir.glob(File.join(place, '**/*'), File::FNM_DOTMATCH).select { |path| File.file?(path) }
    end
    jobs.each { |job| assert_equal 2, files.grep(%r{/log/#{job.job_id}@hpc\.(?:jsonl|gate)\z}).size }
    assert_match(/^told .*hpcstudent/m, jobs[0].log)
    [*asked, *files.map { |path| read(path) }].each do |text|
      tokens.each { |token| refute_includes text.b, token.b }
    end
  end

  # Those of other jobs may go meanwhile.
  def read(path)
    File.binread(path)
  rescue Errno::ENOENT
    ''
  end
end
