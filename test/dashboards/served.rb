# frozen_string_literal: true

require 'rbconfig'

# A user's dashboard that is served at a port of this host, until it is stopped.
class Served
  # @return [String] where its pages begin
  attr_reader :url

  # @param site [RealSite]
  # @param log [String] path of a file
  def initialize(site, uid:, home:, log:, env:)
    env = site.env.merge('HOME' => home, 'USER' => 'pupil', 'LOGNAME' => 'pupil', 'RAILS_SERVE_STATIC_FILES' => '1',
                         'RAILS_LOG_TO_STDOUT' => '1').merge(env)
    input, @input = IO.pipe
    address, @address = IO.pipe
    @pid = spawn(env, 'setpriv', '--reuid', uid.to_s, '--regid', uid.to_s, '--init-groups', '--', RbConfig.ruby,
                 File.join(__dir__, 'serve.rb'), unsetenv_others: true, chdir: site.dashboard, in: input,
                                                 %i[out err] => [log, 'a'], 3 => @address)
    [input, @address].each(&:close)
    @url = address.gets or raise "The dashboard did not start; its log ends:\n#{File.readlines(log).last(20).join}"
    address.close
  end

  def stop
    @input.close
    Process.wait(@pid)
  end
end
