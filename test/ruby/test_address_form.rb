# frozen_string_literal: true

require_relative 'fake_chain'

# "Address Outside Open OnDemand": where forms of service apps offer it, and what the job then asks the sender for.
class TestAddressForm < MultiTenantTest
  include FakeChain

  URL = 'https://services.example.edu/{user}/{service}@{group}/'

  def teardown
    ENV.delete('MULTITENANT_ADDRESS')
    super
  end

  def test_it_is_offered_where_the_site_has_addresses_and_the_app_something_in_front_of_it
    offered = lambda do
      [true, false].map { |guarded| MultiTenant.share_form([], site: SITE, address: guarded).key?('mt_address') }
    end
    assert_equal [false, false], offered.call
    ENV['MULTITENANT_ADDRESS'] = URL
    assert_equal [true, false], offered.call
    refute MultiTenant.share_form([], site: {}, address: true).key?('mt_address')
    nobody = MultiTenant.share_form([], site: SITE, address: true)['enable_multitenant'][:options].first
    assert_equal true, nobody.last[:'data-hide-mt-address']
  end

  # It outlives the job, so it is of a service, also where that is one job that nothing follows.
  def test_who_asks_for_it_has_a_service
    ENV['MULTITENANT_ADDRESS'] = URL
    told = chain(mt_until: '', mt_address: 'yes')
    assert_includes told, "\nmt_address=#{URL.shellescape}\nkeep_running --service spanish-301 "
    refute_includes told.lines.last, '--until'
    assert_empty chain(mt_until: '', mt_address: 'no')
    ENV.delete('MULTITENANT_ADDRESS')
    assert_empty chain(mt_until: '', mt_address: 'yes')
  end

  # @return [Array(String, String)] what share_service has the sender asked for, and what it says to the log
  def asked(variables, *keys)
    script = <<~BASH
      set -euo pipefail
      . #{MultiTenant::Sharing::JOB}
      others_listen() { return 1; }
      watch_port() { :; }
      multitenant_share() { mt_shared=x; echo "$@"; }
      host=n1 port=8080 #{variables}
      share_service #{keys.join(' ')}
    BASH
    out, err, status = Open3.capture3({ 'SLURM_JOB_ID' => '1' }, 'bash', '-c', script)
    assert_predicate status, :success?
    [out[/--address (\S+)/, 1], err]
  end

  def test_a_job_asks_for_it_where_a_gateway_or_a_key_is_in_front_of_it
    assert_equal [nil, ''], asked('mt_kind=vllm api_key=k', 'api_key')
    assert_equal ['vllm', ''], asked('mt_address=yes mt_kind=vllm api_key=k', 'api_key')
    assert_equal ['openai', ''], asked("mt_address=yes mt_kind=ollama mt_guard=socket api_key=''", 'model')
    assert_equal ['web', ''], asked('mt_address=yes mt_kind=shiny mt_guard=port mt_guarded_kind=web', 'proxy')
    open, said = asked('mt_address=yes mt_kind=ollama api_key=k', 'model')
    assert_equal [nil, 1], [open, said.lines.size]
    assert_match(/neither a gateway nor a key/, said)
  end

  # What the job is told of its place: the paths for cookies, and where what it serves begins.
  def told(variables)
    script = <<~BASH
      set -euo pipefail
      . #{MultiTenant::Sharing::JOB}
      . #{MultiTenant::GatewayJob::FILES[0]}
      id() { echo "pro f~"; }
      host=n1 port=8080 mt_gate_state=/s mt_gate_run=/r mt_nginx=/n mt_gate_accounts=() SLURM_CLUSTER_NAME=hpc
      ask_slurm() { :; }
      mt_gate_group=g mt_service=spanish-301 #{variables}
      gate_configuration
    BASH
    out, _, status = Open3.capture3({ 'SLURM_JOB_ID' => '1' }, 'bash', '-c', script)
    assert_predicate status, :success?
    JSON.parse(out).fetch('bases')
  end

  def test_the_gateway_of_a_service_knows_the_path_of_its_address
    here = %w[/rnode/n1/8080/ /node/n1/8080/]
    state = 'mt_state=/x/spanish-301@Domain%20Users~'
    assert_equal here, told('')
    assert_equal [*here, '/pro%20f%7E/spanish-301@Domain%20Users%7E/'], told(state)
    assert_equal [*here, '/~s/Domain%20Users%7E/pro%20f%7E/spanish-301/'],
                 told("#{state} mt_address='https://x.example:8/~s/{group}/{user}/{service}/'")
  end
end
