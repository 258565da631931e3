# frozen_string_literal: true

require_relative 'page_test'

# A real code-server of hpcfaculty's, as hpcstudent opens it from its card.
class TestCodeServer < PageTest
  BIN = "#{ENV.fetch('MULTITENANT_CODE_SERVER') { "/var/tmp/multitenant-code-server-#{Process.euid}" }}/bin".freeze
  # What its owner has for one of their own.
  CONFIGURATION = "cert: true\nhashed-password: x\n"
  ENVIRONMENT = { 'PORT' => '1', 'CODE_SERVER_HOST' => '192.0.2.1', 'HASHED_PASSWORD' => 'x' }.freeze
  MADE = %w[.config/code-server .local/share/code-server words].freeze
  FILES = '[...document.querySelectorAll(".explorer-folders-view .monaco-list-row")].map((row) => row.innerText.trim())'

  def setup
    skip 'it installs much: script/test --long' unless ENV['MULTITENANT_LONG']

    super
    AppJobs.configure(@site, 'kinds' => 'codeserver')
    @path = ENV.fetch('PATH')
    ENV['PATH'] = "#{BIN}:#{@path}"
    @home = Bed.home('hpcfaculty')
    made = Bed.as('hpcfaculty', 'bash', '-c', <<~BASH, CONFIGURATION)
      cd && umask 077 && mkdir -p .config/code-server words && printf "$0" >.config/code-server/config.yaml && >words/verbs.txt
    BASH
    assert_equal 0, made.code, made.err
  end

  def teardown
    ENV['PATH'] = @path if @path
    super
    MADE.each { |name| FileUtils.rm_rf(File.join(@home, name)) } if @home
  end

  # By its websocket, for which it compares where the browser is with what the proxy is called.
  def test_a_real_code_server_shows_its_owners_files_to_those_who_have_its_password
    values = { 'version' => 'codeserver', 'app_path' => File.join(@home, 'words'), 'mt_network' => 'no' }
    job = AppJobs.exporting(ENVIRONMENT) { serve('hpcfaculty', values) }.shared
    @proxy.card = button(job)
    path = press(0)
    assert_match(%r{\A/rnode/127\.0\.0\.1/\d+/login\z}, path)
    log_in('another')
    assert_includes @browser.evaluate('document.body.innerText'), 'Incorrect password'
    log_in(job.specs.fetch('password'))
    Bed.wait(-> { "its files, instead of #{@browser.evaluate('document.body.innerText')}" }, 120) do
      @browser.evaluate(FILES) == ['verbs.txt']
    end
    @browser.call('Network.clearBrowserCookies')
    @browser.open("#{@proxy.url.chomp('/')}#{path}")
    assert_match(/\ANot let in\s/, @browser.evaluate('document.body.innerText'))
  end

  def log_in(password)
    @browser.follow("form = document.querySelector('.login-form'); form.password.value = #{JSON.generate(password)}; " \
                    "form.querySelector('[type=submit]').click(); 0")
  end
end
