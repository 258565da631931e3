# frozen_string_literal: true

require 'etc'
require 'json'
require 'rbconfig'
require 'socket'

# A process in which Rails and the dashboard's gems are loaded, and of which dashboards are forks: three quarters of
# what a start takes are the same for all. Where the start is what is tested, it is Open OnDemand's.
class Preloader
  # What counts before the gems are loaded, and was there when they were.
  EARLY = /\A(?:BUNDLE|GEM|LANG|LC_|LD_|MALLOC|PATH\z|RAILS_ENV|RUBY)/

  class << self
    # @param env [Hash] a dashboard's whole environment
    # @return [Preloader] the one of this process for that environment
    def of(env)
      early = env.select { |name, _| name.match?(EARLY) }.except('GEM_HOME', 'GEM_PATH')
      (@all ||= {})[early] ||= new(early)
    end
  end

  def initialize(env)
    @socket, theirs = Socket.pair(:UNIX, :SEQPACKET)
    env = { 'BUNDLE_GEMFILE' => File.join(__dir__, 'ood/Gemfile'), 'GEM_PATH' => Site.gems }.merge(env)
    pid = spawn(env, RbConfig.ruby, 'preload.rb', unsetenv_others: true, chdir: __dir__, in: File::NULL, 3 => theirs)
    theirs.close
    Minitest.after_run { @socket.close.then { Process.wait(pid) } }
  end

  # @param ios [Array<IO>] questions, answers, log
  # @return [Integer] the dashboard's pid
  def fork(env, uid:, gids:, chdir:, ios:)
    question = JSON.generate(env: env, uid: uid, gids: gids, chdir: chdir)
    File.open('/proc/thread-self/ns/net') do |network|
      @socket.sendmsg(question, 0, nil, Socket::AncillaryData.unix_rights(*ios, network))
    end
    Integer(@socket.recvmsg.to_a[0].to_s)
  end
end
