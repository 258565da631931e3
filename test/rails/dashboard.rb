# frozen_string_literal: true

require 'json'
require 'rbconfig'
require 'uri'
require_relative 'preloader'

# A user's dashboard that runs, in a process of its own, and is asked for pages over a pipe: a test may
# change what Slurm says in between.
#
#   dashboard = Dashboard.new(site, uid: 2001, gids: [3000], home: '/home/x', log: '/tmp/log')
#   dashboard.sessions.body
#   dashboard.stop
class Dashboard
  PATIENCE = 60

  # What a page gave: HTTP status, body, flash, seconds; or what Ruby gave.
  Answer = Struct.new(:status, :body, :flash, :value, :seconds, keyword_init: true) do
    # @return [Hash] session id => status, text of the card's view
    def cards
      body.scan(%r{<div class="card" data-id="([^"]+)".*?data-status="([^"]+)".*?</form>(.*?)\n</div>}m)
          .to_h { |id, status, view| [id, [status, view.gsub(/<[^>]*>/, '').strip]] }
    end

    # @return [Array<String>] the values that a form's select offers
    def choices
      body.scan(/<option[^>]*value="([^"]*)"/).flatten
    end

    def polls?
      body.include?('data-should-poll="true"')
    end
  end

  # @return [Float] seconds that the dashboard took to start
  attr_reader :seconds
  # @return [Integer]
  attr_reader :pid

  # @param site [Site]
  # @param gids [Array<Integer>, nil] the groups beside `gid`; nil: those of the user's account
  # @param log [String] path of a file
  # @param env [Hash] the dashboard's `env` file; nil takes a variable out
  # @param preloaded [Boolean] it may be a fork of a process that has Rails loaded; `gids` are needed then
  def initialize(site, uid:, home:, log:, gid: uid, gids: nil, env: {}, preloaded: false)
    @log = log
    questions, @questions = IO.pipe
    @answers, answers = IO.pipe
    env = site.env.merge('HOME' => home, 'USER' => uid.to_s, 'LOGNAME' => uid.to_s).merge(env).compact
    @preloaded = preloaded
    @pid = if preloaded then forked(site, env, uid, [gid, *gids], questions, answers)
           else
             started(site, env, uid, gid, gids, questions, answers)
           end
    [questions, answers].each(&:close)
    @seconds = answer.seconds
  end

  def get(path, accept: 'text/html')
    page('GET', path, accept)
  end

  def home
    get('/')
  end

  def sessions
    get('/batch_connect/sessions')
  end

  # As the open page asks each ten seconds.
  def poll
    get('/batch_connect/sessions', accept: 'text/vnd.turbo-stream.html')
  end

  def form(token)
    get("/batch_connect/#{token}/session_contexts/new")
  end

  # @param answers [Hash{String => String}] to the form
  def submit(token, answers)
    query = URI.encode_www_form(answers.transform_keys { |id| "batch_connect_session_context[#{id}]" })
    page('POST', "/batch_connect/#{token}/session_contexts?#{query}", 'text/html')
  end

  def delete(id, accept: 'text/html')
    page('DELETE', "/batch_connect/sessions/#{id}", accept)
  end

  def cancel(id, accept: 'text/html')
    page('POST', "/batch_connect/sessions/#{id}/cancel", accept)
  end

  # @return what Ruby says in the dashboard's process, as JSON carries it
  def ruby(text)
    ask(ruby: text).value
  end

  # @return [Array<String>] our lines of the dashboard's log
  def log
    File.readlines(@log, chomp: true).grep(/multitenant: /)
  end

  def stop
    return unless @pid

    @questions.close
    @preloaded ? @answers.read : Process.wait(@pid)
    @answers.close
    @pid = nil
  end

  private

  def started(site, env, uid, gid, gids, questions, answers)
    groups = gids ? ['--groups', [gid, *gids].join(',')] : ['--init-groups']
    spawn(env, 'setpriv', '--reuid', uid.to_s, '--regid', gid.to_s, *groups, '--', RbConfig.ruby, 'serve.rb', '3', '4',
          unsetenv_others: true, chdir: site.dashboard, in: File::NULL, %i[out err] => [@log, 'a'],
          3 => questions, 4 => answers)
  end

  def forked(site, env, uid, gids, *ios)
    File.open(@log, 'a') do |log|
      Preloader.of(env).fork(env, uid: uid, gids: gids, chdir: site.dashboard, ios: [*ios, log])
    end
  end

  def page(method, path, accept)
    ask(method: method, path: path, headers: { 'Accept' => accept })
  end

  def ask(question)
    @questions.puts(JSON.generate(question))
    answer
  end

  def answer
    line = @answers.gets if @answers.wait_readable(PATIENCE)
    raise "The dashboard said nothing; its log ends:\n#{File.readlines(@log).last(20).join}" unless line

    Answer.new(**JSON.parse(line, max_nesting: false).transform_keys(&:to_sym))
  end
end
