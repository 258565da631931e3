# frozen_string_literal: true

require_relative 'helper'

# What multitenant-query says where Slurm need not be asked: options and a configuration that make no sense.
class TestQueryProgram < MultiTenantTest
  def setup
    super
    skip_unless(File.executable?(MultiTenant::Query::PROGRAM), 'multitenant-query is not built: is libslurm there?')
    @conf = File.join(temporary, 'slurm.conf')
  end

  def assert_says(code, sentence, *options, stdin: '')
    done = run_as(nil, MultiTenant::Query::PROGRAM, *options, env: { 'SLURM_CONF' => @conf }, stdin: stdin)
    assert_equal [code, ''], [done.code, done.out], done.err
    assert_match(/\Amultitenant-query: [^\n]*#{sentence}[^\n]*\n\z/, done.err)
  end

  {
    [] => '--wckey is missing', ['--wckey'] => '--wckey needs a value',
    ['--wckey', ''] => 'a key that is not 1 to 64', ['--wckey', 'a,,b'] => 'a key that is not 1 to 64',
    ['--wckey', 'a b'] => 'a key that is not 1 to 64', ['--wckey', 'a' * 65] => 'a key that is not 1 to 64',
    ['--wckey', (1..33).to_a.join(',')] => 'more than 32 keys',
    ['--wckey', 'a', '--cluster', ''] => '--cluster is not the name of a cluster',
    ['--wckey', 'a', '--cluster', 'a' * 65] => '--cluster is not the name of a cluster',
    ['--wckey', 'a', '--timeout', '0'] => '--timeout', ['--wckey', 'a', 'b'] => 'b'
  }.each_with_index do |(options, sentence), number|
    define_method(:"test_options_#{number}_#{sentence.gsub(/\W+/, '_')}") do
      assert_says 64, "#{sentence}.*; see multitenant-query --help", *options
    end
  end

  def test_one_key_twice_is_one_key
    assert_says 78, 'SLURM_CONF names', '--wckey', ([*1..32] * 2).join(',')
  end

  def test_a_configuration_that_is_not_there
    assert_says 78, "SLURM_CONF names #{@conf}, which cannot be read", '--wckey', 'a'
  end

  def test_a_configuration_that_is_no_file
    Dir.mkdir(@conf)
    assert_says 78, 'which cannot be read \(not a regular file\)', '--wckey', 'a'
  end

  CONF = "ClusterName=x\nSlurmctldHost=localhost\nNodeName=n\nPartitionName=p Nodes=n\n"

  # libslurm ends the process; it gives the cause before that.
  def test_a_configuration_that_is_broken
    File.write(@conf, "#{CONF}Nonsense\n")
    assert_says 78, "libslurm cannot use its configuration #{@conf} \\(.*Nonsense.*\\); fix it", '--wckey', 'a'
  end

  def test_accounting_that_is_off
    File.write(@conf, "#{CONF}AccountingStorageType=accounting_storage/none\n")
    assert_says 78, 'accounting is off on this host.*AccountingStorageType=accounting_storage/slurmdbd', '--wckey', 'a'
  end
end
