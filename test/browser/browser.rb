# frozen_string_literal: true

require 'fileutils'
require 'io/nonblock'
require 'io/wait'
require 'json'
require 'tmpdir'

# A headless Chromium, over a pipe of its DevTools protocol. Names of other hosts lead nowhere; those below localhost
# are this one's.
#
#   browser = Browser.new
#   browser.open('http://127.0.0.1:8080/')
#   browser.evaluate('document.title')
#   browser.quit
class Browser
  PROGRAM = '/usr/bin/chromium'
  OPTIONS = %w[--headless=new --remote-debugging-pipe --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run
               --disable-background-networking --disable-component-update --disable-sync --hide-scrollbars
               --window-size=1000,900]
            .push('--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE *.localhost').freeze
  PATIENCE = 60
  # Where pictures go, if anywhere.
  PICTURES = ENV.fetch('MULTITENANT_PICTURES', nil)

  # @return [Array<Hash>] what the page told since it was opened
  attr_reader :events

  def initialize
    @profile = Dir.mktmpdir('multitenant-browser-')
    commands, @commands = IO.pipe(binmode: true)
    @answers, answers = IO.pipe(binmode: true)
    [commands, answers].each { |io| io.nonblock = false }
    @pid = spawn({ 'HOME' => @profile }, PROGRAM, *OPTIONS, "--user-data-dir=#{@profile}", 'about:blank',
                 3 => commands, 4 => answers, %i[out err] => File.join(@profile, 'log'), :pgroup => true)
    [commands, answers].each(&:close)
    @rest = +''
    @events = []
    @count = 0
    attach
  end

  # Loads a page anew.
  def open(url)
    @events.clear
    call('Page.navigate', url: url)
    wait { all('Page.loadEventFired').first }
  end

  # Runs JavaScript that leads to another page.
  def follow(text)
    @events.clear
    evaluate(text)
    wait { all('Page.loadEventFired').first }
  end

  # @return [Array<Hash>] parameters of the events of that name
  def all(name)
    @events.filter_map { |event| event['params'] if event['method'] == name }
  end

  # @return what JavaScript gives; of a promise, what it gives
  def evaluate(text)
    answer = call('Runtime.evaluate', expression: text, awaitPromise: true, returnByValue: true)
    raise answer['exceptionDetails'].inspect if answer['exceptionDetails']

    answer['result']['value']
  end

  # Presses a key.
  def press(key, text: nil)
    code = { 'Tab' => 9, 'Enter' => 13 }.fetch(key)
    common = { key: key, code: key, windowsVirtualKeyCode: code }
    call('Input.dispatchKeyEvent', type: 'keyDown', **common, **{ text: text }.compact)
    call('Input.dispatchKeyEvent', type: 'keyUp', **common)
  end

  # Of what one sees of a page, in pixels.
  def size(width, height = 900, mobile: false)
    call('Emulation.setDeviceMetricsOverride', width: width, height: height, deviceScaleFactor: 1, mobile: mobile)
  end

  # Writes a picture of the whole page, where one is wanted.
  def picture(name)
    return unless PICTURES

    FileUtils.mkdir_p(PICTURES)
    data = call('Page.captureScreenshot', format: 'png', captureBeyondViewport: true)['data']
    File.binwrite(File.join(PICTURES, "#{name}.png"), data.unpack1('m0'))
  end

  def call(method, **params)
    send_message(method, params, @session)
  end

  # Reads what the page tells for that long.
  def listen(seconds)
    deadline = now + seconds
    while (left = deadline - now).positive?
      message = read(left) or return
      @events << message
    end
  end

  def quit
    send_message('Browser.close', {})
  rescue StandardError
    Process.kill(:KILL, -@pid)
  ensure
    Process.wait(@pid)
    FileUtils.remove_entry(@profile)
  end

  private

  def attach
    target = send_message('Target.getTargets', {})['targetInfos'].find { |info| info['type'] == 'page' }
    @session = send_message('Target.attachToTarget', { targetId: target['targetId'], flatten: true })['sessionId']
    %w[Page Runtime Network Log Security].each { |domain| call("#{domain}.enable") }
    call('Emulation.setFocusEmulationEnabled', enabled: true)
  end

  def send_message(method, params, session = nil)
    id = @count += 1
    @commands.write(JSON.generate({ id: id, method: method, params: params, sessionId: session }.compact), "\0")
    wait { @events.index { |event| event['id'] == id }&.then { |index| answer(@events.delete_at(index)) } }
  end

  def answer(message)
    raise message['error'].inspect if message['error']

    message['result']
  end

  def wait
    deadline = now + PATIENCE
    loop do
      found = yield
      return found if found

      message = read(deadline - now) or raise "Chromium says nothing; its log ends:\n#{log}"
      @events << message
    end
  end

  # @return [Hash, nil] the next message; nil: none in that time
  def read(seconds)
    deadline = now + seconds
    until (stop = @rest.index("\0"))
      return unless @answers.wait_readable([deadline - now, 0].max)

      @rest << @answers.readpartial(1 << 16)
    end
    JSON.parse(@rest.slice!(0..stop).chomp("\0").force_encoding(Encoding::UTF_8))
  end

  def log
    File.readlines(File.join(@profile, 'log')).last(10).join
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
