# frozen_string_literal: true

require_relative 'bed'
require 'multitenant/cli/key'
require 'multitenant/cli/key_file'

# The envelopes that protect, from a real job that shares itself to a tenant's specs.
class TestEnvelopes < BedTest
  SHARE = File.join(Bed::OURS, 'multitenant-share')
  SOCKET = File.join(Bed::DIR, 'run/munge/munge.socket')
  KEYS = File.join('/run', "multitenant-keys-#{Process.pid}")
  SEAL = File.join(Bed::OURS, 'bin/multitenant-seal')
  READING = { 'MULTITENANT_MUNGE_SOCKET' => SOCKET, 'MULTITENANT_KEYS' => KEYS }.freeze
  Minitest.after_run { FileUtils.rm_rf(KEYS) }

  def setup
    super
    FileUtils.cp(File.join(Bed::ROOT, 'libexec/multitenant-share'), SHARE)
    FileUtils.mkdir_p(File.dirname(SEAL))
    program = File.join(Bed::OURS, 'lib/multitenant/multitenant-seal')
    File.write(SEAL, "#!/bin/sh\nexec #{program} --keys #{KEYS} \"$@\"\n", perm: 0o755)
    FileUtils.rm_rf(KEYS)
    FileUtils.rm_f(log)
  end

  def log
    File.join(Bed.home('hpcfaculty'), 'log')
  end

  # @return [String] a command of a job's
  def share(envelope, *arguments, group: 'hpcGrp', id: SecureRandom.uuid)
    "PATH=#{File.dirname(SEAL)}:$PATH #{SHARE} --group #{group} --app DB_Conn --method card " \
      "--delivery sys/multitenant-delivery_default --session #{id} --envelope #{envelope} --munge-socket #{SOCKET} " \
      "#{arguments.join(' ')} host=n1 password"
  end

  def submit(command, *args, user: 'hpcfaculty')
    script = "#!/bin/bash\nexport password='s3cret é'\n#{command}\nsleep 600\n"
    Bed.submit(user, "--output=#{log}", '--open-mode=append', *args, script: script)
  end

  def connection(user, job_id)
    Bed.specs(user, env: READING).dig(job_id.to_s, 'connection')&.slice('host', 'password')
  end

  def code(user, job_id)
    Bed.codes(user, job_id, env: READING)&.first
  end

  THERE = { 'host' => 'n1', 'password' => 's3cret é' }.freeze

  def test_munge_for_the_whole_group
    id = SecureRandom.uuid
    job_id = shared(submit(share('auto', id: id)))
    Bed.wait('it says how') { File.read(log).include?('is shared as') }
    assert_match(/is shared as DB_Conn with hpcGrp \(envelope munge, \d+ of 1024 bytes\)/, File.read(log))
    assert_equal([THERE, THERE, nil], %w[hpcstudent hpcfaculty outsider].map { |user| connection(user, job_id) })
    assert_equal 'not_member', code('outsider', job_id)
    assert_equal '*', Bed.specs('hpcstudent', env: READING)[job_id.to_s]['accounting']['mtu']
    assert_equal ["written #{id}"], Bed.cards('hpcstudent', env: READING)
    assert_card 'hpcstudent', id
    # With the name in hand and our own program.
    payload = name_of(job_id).split('|')[2]
    program = File.join(Bed::OURS, 'lib/multitenant/multitenant-munge')
    told = Bed.as('outsider', program, '--socket', SOCKET, '--timeout', 60, input: payload)
    assert_equal "{\"payload\":\"#{payload}\",\"reason\":\"envelope_unavailable\"}\n{\"end\":1}\n", told.out
  end

  def test_munge_for_some_and_for_nobody_else
    some = shared(submit(share('munge', '--to', Bed.uid('hpcstudent'))))
    alone = shared(submit(share('munge', '--only-me')))
    assert_equal([THERE, nil, THERE], %w[hpcstudent hpcstudent2 hpcfaculty].map { |user| connection(user, some) })
    assert_equal 'not_recipient', code('hpcstudent2', some)
    assert_equal([nil, nil, THERE], %w[hpcstudent hpcstudent2 hpcfaculty].map { |user| connection(user, alone) })
  end

  # A credential of hpcfaculty's, and what becomes of it elsewhere.
  def test_munge_credentials_in_other_names
    job_id = shared(submit(share('munge')))
    payload = name_of(job_id).split('|')[2]
    others = %w[hpcfaculty2 hpcfaculty].to_h { |user| [user, Bed.running(Bed.submit(user))] }
    others.each { |user, other| Bed.rename(user, other, "l|hpcGrp|#{payload}") }
    assert_equal(%w[wrong_publisher wrong_job], others.values.map { |other| code('hpcstudent', other) })
    Bed.rename('hpcfaculty', job_id, "l|pubGrp|#{payload}")
    assert_equal 'wrong_job', code('hpcfaculty2', job_id)
    { [] => 'wrong_job', %w[-g pubGrp] => 'wrong_job', %w[-g hpcGrp -t 1] => 'bad_message' }.each do |options, expected|
      sealed = Bed.as('hpcfaculty', 'munge', "--socket=#{SOCKET}", *options, input: '{"v":2}').out.chomp
      Bed.rename('hpcfaculty', job_id, "l|hpcGrp|#{sealed}")
      sleep 2 if options.include?('-t')
      assert_equal expected, code('hpcfaculty2', job_id)
    end
    # hpcstudent is not in the group that it is sealed for.
    sealed = Bed.as('hpcfaculty', 'munge', "--socket=#{SOCKET}", '-g', 'pubGrp', input: '{}').out.chomp
    Bed.rename('hpcfaculty', job_id, "l|hpcGrp|#{sealed}")
    assert_equal 'envelope_unavailable', code('hpcstudent', job_id)
  end

  def test_a_dead_munged_is_no_answer
    job_id = shared(submit(share('munge')))
    env = READING.merge('MULTITENANT_MUNGE_SOCKET' => '/nonexistent')
    assert_equal 'envelope_unavailable', Bed.codes('hpcstudent', job_id, env: env).first
    assert_equal THERE, connection('hpcstudent', job_id)
  end

  def test_what_was_sealed_before_a_requeue_is_stale
    job_id = shared(submit(share('munge'), '--requeue'))
    stale = name_of(job_id)
    assert_equal 0, Bed.as('hpcfaculty', 'scontrol', 'requeue', job_id).code
    Bed.wait('it is shared anew', 240) do
      Bed.squeue('%T', '-j',
                 job_id).include?('RUNNING') && name_of(job_id) != stale && name_of(job_id).include?('MUNGE')
    end
    Bed.running(job_id)
    assert_equal THERE, connection('hpcstudent', job_id)
    Bed.rename('hpcfaculty', job_id, stale)
    assert_equal 'stale', code('hpcstudent', job_id)
  end

  def test_five_thousand_members
    names = Array.new(5000) { |n| "mtmember#{n}" } + %w[hpcfaculty hpcstudent]
    Bed.change_accounts { File.write('/etc/group', "mtlarge:x:3999:#{names.join(',')}\n", mode: 'a') }
    Bed.wait('munged knows the group', 60) do
      sealed = Bed.as('hpcfaculty', 'munge', "--socket=#{SOCKET}", '-g', '3999', input: 'x').out
      Bed.as('hpcstudent', 'unmunge', "--socket=#{SOCKET}", '-n', '-m', File::NULL, input: sealed).code.zero?
    end
    job_id = shared(submit(share('munge', group: 'mtlarge')))
    assert_operator name_of(job_id).bytesize, :<, 600
    assert_equal([THERE, nil], %w[hpcstudent hpcstudent2].map { |user| connection(user, job_id) })
  ensure
    Bed.change_accounts do
      groups = File.readlines('/etc/group').reject { |line| line.start_with?('mtlarge:') }
      MultiTenant::SystemFile.write('/etc/group', groups.join, mode: 0o644)
    end
  end

  # ---- the group's key ----

  def key_file
    @key_file ||= MultiTenant::KeyFile.new(Etc.getgrnam('hpcGrp').gid, directory: KEYS)
  end

  def test_the_groups_key
    refused = Bed.running(submit(share('key')))
    Bed.wait('it says why') { File.exist?(log) && File.read(log).include?('not shared') }
    assert_match(/#{KEYS}.*[^.]; the job goes on, not shared/, File.read(log))
    refute_includes name_of(refused), '|'
    key_file.add
    job_id = shared(submit(share('key')))
    Bed.wait('it says how') { File.read(log).include?('(envelope key, ') }
    assert_equal([THERE, THERE, nil], %w[hpcstudent hpcfaculty outsider].map { |user| connection(user, job_id) })
    assert_equal 1, Bed.as('outsider', 'cat', key_file.path).code
    key_file.add
    assert_equal THERE, connection('hpcstudent', job_id)
    prune = MultiTenant::CLI::Key.new('key', '')
    ENV['OOD_CLUSTERS'] = Bed::CLUSTERS
    # On a busy machine Slurm may not have answered in time.
    failure = Bed.wait('it is known whether the old key is used') do
      told = assert_raises(MultiTenant::Failure) { prune.call(['prune', 'hpcGrp', '--keys', KEYS]) }
      told unless told.message.include?('is not known')
    end
    assert_match(/in use by running services \(jobs #{job_id}\)/, failure.message)
    key_file.write(key_file.keys.first(1))
    assert_equal 'envelope_unavailable', code('hpcstudent', job_id)
  end

  def test_a_site_that_accepts_munge_alone
    job_id = shared(submit(share('v1', '--to', Bed.uid('hpcstudent'))))
    assert_equal 'ok', code('hpcstudent', job_id)
    env = READING.merge('MULTITENANT_ENVELOPES' => 'munge')
    assert_equal 'envelope_not_accepted', Bed.codes('hpcstudent', job_id, env: env).first
  end

  # Neither munge nor a key: auto does not fall back to what everybody can read.
  def test_auto_never_means_v1
    job_id = Bed.running(submit(share('auto').sub(SOCKET, '/nonexistent')))
    why = /munge: .*; .*multitenant-seal|munge: .*keys/
    Bed.wait('it says why') { File.exist?(log) && File.read(log).match?(why) }
    refute_includes name_of(job_id), '|'
  end
end
