# frozen_string_literal: true

require 'digest'
require 'net/http'
require_relative '../ruby/free_port'
require_relative '../ruby/helper'
require_relative 'browser'
require_relative 'chat_servers'

# The first notebook of a language model in Jupyter, started with the app's own settings.
class TestJupyterPage < MultiTenantTest
  PROGRAM = '/usr/bin/jupyter-notebook'
  TEMPLATE = File.expand_path('../../apps-clients/multitenant-jupyter/template', __dir__)
  NOTEBOOK = 'Ollama_API-7.ipynb'
  # A user's own, as guides to Jupyter on a server of one's own have them.
  SETTINGS = %w[NotebookApp ServerApp].to_h { |app| [app, { token: 'written', certfile: '/none.pem' }] }.freeze

  def setup
    skip_unless([PROGRAM, Browser::PROGRAM].all? { |path| File.exist?(path) }, 'needs what script/setup installs')
    need_root
    @model = ModelServer.new
    @port = FreePort.get
    FileUtils.cp(File.join(TEMPLATE, 'llm.ipynb'), File.join(temporary, NOTEBOOK))
    FileUtils.mkdir_p(File.join(temporary, '.jupyter'))
    File.write(File.join(temporary, '.jupyter/jupyter_config.json'), JSON.generate(SETTINGS))
    @pid = spawn(environment, PROGRAM, '--allow-root', "--config=#{File.join(TEMPLATE, 'settings.py')}",
                 pgroup: true, %i[out err] => File.join(temporary, 'log'))
    @browser = Browser.new
  end

  def teardown
    @browser&.quit
    if @pid
      Process.kill(:TERM, -@pid)
      Process.wait(@pid)
    end
    @model&.stop
    super
  end

  def environment
    { 'HOME' => temporary, 'host' => '127.0.0.1', 'port' => @port.to_s, 'mt_origin' => '', 'JUPYTER_TOKEN' => 'known',
      'mt_hash' => "sha256:ab:#{Digest::SHA256.hexdigest('sekretab')}", 'OPENAI_API_KEY' => 'none',
      'OPENAI_BASE_URL' => "http://127.0.0.1:#{@model.port}/v1", 'MT_MODEL' => ModelServer::MODEL,
      'SHELL' => '/bin/bash', 'mt_families' => 'OPENAI_' }
  end

  def wait_for(script)
    wait_until { @browser.evaluate("Boolean(#{script})") }
  end

  def answers?
    TCPSocket.open('127.0.0.1', @port).close
    true
  rescue SystemCallError
    false
  end

  # That of a start-up file or of their settings, which a course or a page on the web may have given to many.
  def test_a_token_of_the_users_own_opens_nothing
    wait_until { answers? }
    place = "http://127.0.0.1:#{@port}/node/127.0.0.1/#{@port}"
    assert_equal '200', Net::HTTP.get_response(URI("#{place}/login")).code
    %w[known written].each do |token|
      assert_equal '403', Net::HTTP.get_response(URI("#{place}/api/contents?token=#{token}")).code, token
    end
  end

  # It tells what it has when it asks for the first line.
  def test_a_terminal_has_the_services_key_whatever_start_up_files_say
    told = File.join(temporary, 'told')
    File.write(File.join(temporary, '.bash_profile'),
               "export OPENAI_API_KEY=own PROMPT_COMMAND='echo $OPENAI_API_KEY >~/now && mv ~/now ~/told'\n")
    wait_until { answers? }
    place = "/node/127.0.0.1/#{@port}"
    Net::HTTP.start('127.0.0.1', @port) do |http|
      cookies = http.post("#{place}/login", 'password=sekret').get_fields('Set-Cookie').map { |text| text[/[^;]+/] }
      assert_equal '200', http.post("#{place}/api/terminals", '', 'Cookie' => cookies.join('; ')).code
    end
    wait_until { File.exist?(told) }
    assert_equal "none\n", File.read(told)
  end

  def test_picture
    wait_until { answers? }
    place = "/node/127.0.0.1/#{@port}"
    @browser.open("http://127.0.0.1:#{@port}#{place}/login?next=#{place}/notebooks/#{NOTEBOOK}")
    @browser.follow('document.querySelector("[type=password]").value = "sekret"; document.forms[0].submit()')
    wait_for('window.Jupyter?.notebook?.kernel?.is_connected()')
    @browser.evaluate('Jupyter.notebook.execute_all_cells()')
    said = '[...document.querySelectorAll(".output_text")]'
    wait_for("#{said}.some((part) => part.innerText.includes('a part of the work only'))")
    @browser.size(700, 560)
    @browser.evaluate("#{said}[0].scrollIntoView()")
    @browser.picture('jupyter')
  end
end
