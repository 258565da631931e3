# frozen_string_literal: true

require_relative 'fake_slurm'
require_relative 'fake_slurmrestd'
require_relative 'free_port'
require 'multitenant/sources/slurmrestd/token'

# To whom the token of a slurmrestd is sent, and which file may hold one.
class TestSlurmrestdTrust < MultiTenantTest
  include Slurmrestds

  # ---- who is there ----

  # A server of another user's. @return [Array(MultiTenant::Answer, String)] and the bytes that it was sent
  def met_by_another(listen)
    need_root
    place, tell = IO.pipe
    got, give = IO.pipe
    pid = fork do
      become(2001, [3000], 0o022)
      server = listen.call
      tell.puts(server.local_address.unix? ? server.path : server.local_address.ip_port)
      give.write(server.accept.read)
    ensure
      exit!(0)
    end
    [tell, give].each(&:close)
    answer = ask(url: yield(place.gets.chomp))
    [answer, got.read]
  ensure
    Process.kill(:KILL, pid)
    Process.wait(pid)
  end

  def test_a_port_that_another_user_has_taken
    answer, sent = met_by_another(-> { TCPServer.new('127.0.0.1', 0) }) { |port| "http://127.0.0.1:#{port}" }
    refused 77, /uid 2001, so the token was not sent\. Run slurmrestd/, answer
    assert_equal '', sent
  end

  def test_a_socket_that_another_user_has_made
    dir = File.join(temporary, 'open')
    Dir.mkdir(dir)
    File.chmod(0o777, dir)
    answer, sent = met_by_another(-> { UNIXServer.new(File.join(dir, 's')) }) { |path| "unix:#{path}" }
    refused 77, /uid 2001, so the token was not sent/, answer
    assert_equal '', sent
  end

  # As long as nobody has taken it, a connection looks like root's.
  def test_a_port_where_nobody_takes_the_connection
    server = TCPServer.new('127.0.0.1', 0)
    refused 75, /did not answer within/, ask(url: "http://127.0.0.1:#{server.local_address.ip_port}", seconds: 3)
    assert_equal '', server.accept.read
  ensure
    server.close
  end

  def test_loopback_of_either_kind
    assert_equal 1, answered(ask(url: rest(:loopback).url))[1].size
    ['::', '::1'].each do |address|
      server = started(FakeSlurmrestd.new(TCPServer.new(address, 0), ''))
    rescue SystemCallError
      next # this host has no IPv6
    else
      port = server.instance_variable_get(:@listener).local_address.ip_port
      assert_equal 1, answered(ask(url: "http://#{address == '::' ? '127.0.0.1' : '[::1]'}:#{port}"))[1].size
    end
  end

  # A slurmrestd of one's own.
  def test_this_user_is_trusted
    program = File.join(Tree.lib, 'multitenant/sources/slurmrestd/ask.rb')
    place = File.join(temporary, 'theirs')
    Dir.mkdir(place)
    File.chmod(0o777, place)
    error = as_user do
      server = FakeSlurmrestd.unix(File.join(place, 's'))
      @token = token(path: File.join(place, 'token'))
      ask(url: server.url, program: program).error
    end
    assert_nil error
  end

  def test_nobody_is_there
    path = File.join(temporary, 'nothing')
    refused 69, /Nothing answers at unix:#{path} \(No such file .*does slurmrestd run\?/, ask(url: "unix:#{path}")
    port = FreePort.get
    refused 69, /Connection refused/, ask(url: "http://127.0.0.1:#{port}")
  end

  URLS = %w[http://cluster:6820 http://10.0.0.1:6820 http://127.0.0.1.evil.example/ http://127.0.0.1@evil.example/
            https://user:secret@cluster/ ftp://127.0.0.1/ unix:relative https://cluster/?x=y http://localhost.evil:1].freeze

  def test_what_is_no_slurmrestd
    URLS.each { |url| refused 78, /`slurmrestd: .*` is no address/, ask(url: url) }
    refused 78, /No token for unix:.* is named. Set MULTITENANT_SLURMRESTD_TOKEN/, ask(token: '')
    warnings = URLS.map { |url| MultiTenant::Settings.new({ 'MULTITENANT_SLURMRESTD' => url }).warnings.size }
    assert_equal [1], warnings.uniq
    good = %w[http://127.0.0.1 http://localhost:6820/ http://[::1]:1 https://cluster.example:8443/slurm/rest
              unix:/run/s]
    assert_equal(good, good.map { |url| MultiTenant::Settings.new({ 'MULTITENANT_SLURMRESTD' => url }).slurmrestd })
  end

  # ---- certificates ----

  # @return [Array(OpenSSL::X509::Certificate, OpenSSL::PKey::EC)]
  def certificate(name, ends: Time.now + 3600)
    key = OpenSSL::PKey::EC.generate('prime256v1')
    one = OpenSSL::X509::Certificate.new
    one.version = 2
    one.serial = rand(1 << 60)
    one.subject = one.issuer = OpenSSL::X509::Name.new([['CN', name]])
    one.not_before = Time.now - 7200
    one.not_after = ends
    one.public_key = key
    extensions = OpenSSL::X509::ExtensionFactory.new(one, one)
    one.add_extension(extensions.create_extension('subjectAltName', "DNS:#{name}"))
    one.add_extension(extensions.create_extension('basicConstraints', 'CA:TRUE', true))
    [one.sign(key, 'SHA256'), key]
  end

  # @return [MultiTenant::Answer] of a server with that certificate, where this host trusts it or not
  def ask_by_tls(name, trusted: true, host: 'localhost', **options)
    cert, key = certificate(name, **options)
    File.write(file = File.join(temporary, 'trusted.pem'), trusted ? cert.to_pem : certificate(name)[0].to_pem)
    context = OpenSSL::SSL::SSLContext.new
    context.cert = cert
    context.key = key
    tcp = TCPServer.new('127.0.0.1', 0)
    server = started(FakeSlurmrestd.new(OpenSSL::SSL::SSLServer.new(tcp, context), ''))
    ENV['SSL_CERT_FILE'] = file
    answer = ask(url: "https://#{host}:#{tcp.local_address.ip_port}")
    assert_empty server.asked if answer.error
    answer
  ensure
    ENV.delete('SSL_CERT_FILE')
  end

  def test_certificates
    assert_equal 1, answered(ask_by_tls('localhost'))[1].size
    refused 77, /certificate there is not good, so the token was not sent: .*verify failed/,
            ask_by_tls('localhost', trusted: false)
    refused 77, /certificate there is not good/, ask_by_tls('other.example')
    refused 77, /certificate there is not good/, ask_by_tls('localhost', host: '127.0.0.1')
    refused 77, /certificate there is not good.*expired/, ask_by_tls('localhost', ends: Time.now - 60)
  end

  # ---- the token ----

  def test_a_token_that_is_not_one
    path = @token = token
    { '' => /holds no token/, 'hello' => /holds no token/, 'a.b.c' => /holds no token/, 'a.W10.c' => /holds no token/,
      "a.e30.c\r\nX-Other: 1" => /holds no token/, "a.#{['{"exp":"x"}'].pack('m0').delete('=')}.c" => /holds no token/ }
      .each do |text, sentence|
      File.write(path, text)
      refused 78, sentence
    end
    File.unlink(path)
    refused 78, /can't be read: No such file or directory, #{path}/
    Dir.mkdir(path)
    refused 78, /is no file/
    Dir.rmdir(path)
    File.mkfifo(path, 0o600)
    refused 78, /is no file/
  end

  def test_a_token_that_others_can_read_or_write
    path = @token = token
    [0o640, 0o604, 0o620, 0o602].each do |mode|
      File.chmod(mode, path)
      refused 78, /is open to other users: run `chmod 0600 #{path}`/
    end
    File.chmod(0o600, path)
    need_root
    File.chown(2001, 2001, path)
    refused 78, /belongs to uid 2001/
    assert_empty rest.asked
  end

  def test_a_token_that_this_user_cannot_read
    path = token
    out = as_user do
      MultiTenant::Slurmrestd::Token.read(path)
    rescue MultiTenant::Failure => e
      e.message
    end
    assert_match(/can't be read: Permission denied, #{path}/, out)
  end

  def test_a_token_that_has_expired_is_not_sent
    @token = token(exp: 1_700_000_000)
    refused 77, /The token in .* \(of backup\) expired at 2023-11-14 22:13:20 UTC\. Write a new one there/
    assert_empty rest.asked
  end

  # As `scontrol token` prints it, or another program, and again when it is another.
  def test_a_token_is_read_again_when_it_changes
    path = @token = token
    one = source
    answered(one.call(60))
    File.write(path, "SLURM_JWT=#{File.read(token(sun: nil, path: "#{path}.new"))}")
    answered(one.call(60))
    first, *, last = rest.asked.map { |_, headers| headers.values_at('X-SLURM-USER-NAME', 'X-SLURM-USER-TOKEN') }
    assert_equal ['backup', nil], [first[0], last[0]]
    refute_equal first[1], last[1]
    assert_equal File.read(path), "SLURM_JWT=#{last[1]}\n"
  end
end
