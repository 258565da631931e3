# frozen_string_literal: true

require_relative 'fake_job'

# The sender's --address: what the label then says is what the core reads there, and nothing is asked for that a proxy
# would have to refuse.
class TestShareAddress < MultiTenantTest
  include FakeJob
  include Records

  SERVICE = [*COMMON, '--service', 'spanish-301'].freeze
  KEY = { 'api_key' => 's3cret' }.freeze

  def setup
    super
    a_job(name: 'my job')
  end

  # @return [Address] what the core makes of the job's name
  def address
    core = MultiTenant::Core.new(MultiTenant::Settings.new({}).to_core(dataroot: nil))
    core.addresses(MultiTenant::Records.new(stream(job(4711, name: job_name)))).first
  end

  def test_the_label_says_what_the_proxy_reads_and_the_plain_name_comes_back
    share!(*SERVICE, '--address', 'openai', 'host=n1', 'port=11434', 'api_key', env: KEY)
    assert_equal 'my job mt:spanish-301:openai:11434', job_name.split('|').first
    assert_equal ['prof/spanish-301@hpcGrp', 'spanish-301', 'openai', 11_434, false, 'ok'],
                 address.to_h.values_at(:path, :service, :kind, :port, :open, :reason)
    assert_opens_as_ever
    share!(*SERVICE, '--address=web/ok', 'host=n1', 'port=8080', 'password', env: { 'password' => 'p' })
    assert_equal 'my job mt:spanish-301:web/ok:8080', job_name.split('|').first
    share!('--unshare')
    assert_equal 'my job', job_name
  end

  def assert_opens_as_ever
    told = { 'host' => 'n1', 'port' => '11434', 'api_key' => 's3cret' }
    assert_equal told, MultiTenant::Native.open(4711, 'root', job_name)[2]
    assert_equal({ **told, 'mt_service' => 'spanish-301' }, old_reader(job_name, 4711, 'root').last)
  end

  def test_what_has_neither_gateway_nor_key_is_refused_in_one_sentence
    refute_shared(64, /gateway \(--gate\) or a key/, *SERVICE, '--address', 'ollama', 'host=n1', 'port=11434')
    refute_shared(64, /gateway \(--gate\) or a key/, *SERVICE, '--address', 'web', 'port=8080', 'password',
                  env: { 'password' => '' })
    share!(*SERVICE, '--address', 'open-ollama', 'host=n1', 'port=11434')
    assert_equal ['ollama', true, 'ok'], address.to_h.values_at(:kind, :open, :reason)
  end

  # Each of these the core would refuse, too; what it takes the sender takes.
  def test_the_sender_asks_for_what_the_core_takes_and_nothing_else
    told = Vectors.read('address').filter_map do |vector|
      match = /\Amt:(?<service>[^:\0]*):(?<kind>[^:\0]*):(?<port>[^:\0]*)\z/m.match(vector['label'])
      [vector, match.named_captures] if match && !match[:kind].empty? && !match[:service].empty?
    end
    assert_operator told.size, :>, 40
    told.each do |vector, parts|
      done = share(*COMMON, '--print', '--service', parts['service'], '--address', parts['kind'], 'api_key',
                   "port=#{parts['port']}", env: KEY)
      if vector['reason'] == 'ok'
        next assert_equal ['', "job #{vector['label']}"],
                          [done.err, done.out.split('|').first]
      end

      assert_includes [64, 65], done.code, vector['label']
      assert_equal 1, done.err.lines.size, vector['label']
    end
  end

  def test_an_address_is_of_a_service_with_a_name_and_a_port
    refute_shared(64, /--service/, *COMMON, '--address', 'openai', 'port=8080', 'api_key', env: KEY)
    refute_shared(64, /KEY port/, *SERVICE, '--address', 'openai', 'api_key', env: KEY)
  end
end
