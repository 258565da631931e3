# frozen_string_literal: true

require 'open3'
require 'securerandom'

# A munged of the test's own: its key, its socket.
class Munged
  attr_reader :socket

  # @param dir [String] an empty directory, which becomes one that everybody may enter
  # @param like [Munged, nil] whose key it has
  # @param ahead [String, nil] how far its clock is ahead, as faketime is told
  # @param fips [Boolean] as on a host in FIPS mode, where some ciphers are known and can't be had
  def initialize(dir, like: nil, ahead: nil, fips: false)
    @dir = dir
    @environment = fips ? { 'LIBGCRYPT_FORCE_FIPS_MODE' => '1' } : {}
    @ahead = ahead ? ['faketime', '-f', ahead] : []
    @socket = File.join(dir, 'socket')
    File.chmod(0o755, dir)
    File.binwrite(path('key'), like ? like.key : SecureRandom.random_bytes(1024), perm: 0o600)
    start
  end

  def start
    @pid = spawn(@environment, *@ahead, 'munged', '--foreground', '--force', "--socket=#{@socket}",
                 "--key-file=#{path('key')}", "--seed-file=#{path('seed')}", "--pid-file=#{path('pid')}",
                 "--log-file=#{path('log')}", '--num-threads=2', %i[out err] => path('out'))
    200.times { encode('') ? break : sleep(0.05) }
  end

  def key
    File.binread(path('key'))
  end

  def stop
    return unless @pid

    Process.kill(:CONT, @pid)
    # faketime waits for a munged of its own, and would leave it behind.
    Process.kill(:TERM, @ahead.empty? ? @pid : Integer(File.read(path('pid'))))
    Process.wait(@pid)
    @pid = nil
  end

  # It answers no more, and keeps its socket.
  def freeze_it
    Process.kill(:STOP, @pid)
  end

  # @return [String, nil] a credential; `as` is what setpriv is told of its maker
  def encode(text, *options, as: [])
    command = ['munge', "--socket=#{@socket}", '--zip=zlib', '--cipher=aes256', *options]
    out, status = Open3.capture2(*(as.empty? ? [] : ['setpriv', *as, '--']), *command, stdin_data: text, err: File::NULL)
    out.chomp if status.success?
  end

  # @return [String] what is in a credential
  def decode(credential)
    Open3.capture2('unmunge', "--socket=#{@socket}", '--metadata=/dev/null', stdin_data: credential)[0]
  end

  private

  def path(name)
    File.join(@dir, name)
  end
end
