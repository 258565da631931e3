# frozen_string_literal: true

require_relative 'bed'
require_relative '../promise'

# What a dashboard does while Slurm, or a part of it, is away: it starts in time and keeps its cards.
class TestFailures < BedTest
  include Promise

  # Its parents all belong to root, as the initializer asks of a gem.
  GEMS = '/opt/multitenant-testbed-gems'
  TIMEOUT = 1.5

  Minitest.after_run { FileUtils.rm_rf(GEMS) }

  def self.install_gem
    return if File.directory?(GEMS)

    Dir.chdir(Bed::ROOT) do
      gem = File.join(Bed::OURS, 'ood_multitenant.gem')
      system('gem', 'build', '--silent', '--output', gem, 'multitenant.gemspec', exception: true)
      system('gem', 'install', '--silent', '--local', '--no-document', '--install-dir', GEMS, gem, exception: true)
    end
  end

  def setup
    super
    self.class.install_gem
    FileUtils.cp([File.join(__dir__, 'boot.rb'), File.join(__dir__, '../promise.rb')], Bed::OURS)
    @job_id, @id = Bed.share
    assert_equal ["written #{@id}"], Bed.cards('hpcstudent')
  end

  def boot(env = {})
    env = { 'MULTITENANT_ENABLE' => 'true', 'MULTITENANT_TIMEOUT' => TIMEOUT.to_s, 'GEM_PATH' => GEMS,
            'RUBYLIB' => '' }.merge(env)
    result = Bed.as('hpcstudent', RbConfig.ruby, File.join(Bed::OURS, 'boot.rb'),
                    File.join(Bed::OURS, 'initializer/multitenant.rb'),
                    File.join(Bed.home('hpcstudent'), 'ondemand/data/sys/dashboard'), env: env)
    assert_empty result.err
    JSON.parse(result.out).tap { |booted| assert booted['same'], 'a process, a descriptor or a thread is left' }
  end

  # The dashboard starts in time, says one thing, and the card is as it was. On a busy machine the query program may not
  # come to say what it knows before its runner says that it did not answer.
  def assert_endured(said, env = {})
    boots = []
    assert_promised(TIMEOUT + 0.5) { (boots << boot(env)).last['seconds'] }
    boots << boot(env) until boots.last['log'].join.match?(said) || boots.size >= 5
    boots.each do |booted|
      assert_empty booted['specs']
      assert_equal 1, booted['log'].size, booted['log'].inspect
      assert_match(/\AWARN multitenant: /, booted['log'].first)
    end
    assert_match said, boots.last['log'].first
    assert_card 'hpcstudent', @id
  end

  def test_nothing_is_wrong
    booted = boot('MULTITENANT_TIMEOUT' => '30')
    assert_equal [@job_id.to_s], booted['specs'].keys
    assert_empty booted['log']
    assert_equal 1, booted.dig('report', 'accepted')
  end

  def test_slurm_conf_is_missing
    assert_endured(%r{/nonexistent/slurm\.conf}, 'SLURM_CONF' => '/nonexistent/slurm.conf')
    result = Bed.multitenant('hpcstudent', 'specs', env: { 'SLURM_CONF' => '/nonexistent/slurm.conf' })
    assert_equal 78, result.code
    assert_equal 1, result.err.lines.size, result.err
  end

  def assert_endured_without(daemon, said)
    Bed.testbed('stop', daemon)
    assert_endured(said)
    yield if block_given?
  ensure
    Bed.testbed('start', daemon)
  end

  def test_slurmdbd_is_down
    assert_endured_without('slurmdbd', /slurmdbd/) do
      result = Bed.multitenant('hpcstudent', 'cards')
      assert_equal 69, result.code
      assert_equal 1, result.err.lines.size, result.err
      assert_card 'hpcstudent', @id
    end
  end

  def test_slurmctld_is_down
    assert_endured_without('slurmctld', /slurmctld/)
  end

  %w[munged slurmdbd slurmctld].each do |daemon|
    define_method("test_#{daemon}_hangs") do
      Process.kill(:STOP, pid = pid_of(daemon))
      assert_endured(/did not answer within/)
      assert_promised(3) do
        result = Bed.multitenant('hpcstudent', 'specs', env: { 'MULTITENANT_TIMEOUT' => '1' })
        assert_equal 75, result.code
        result.seconds
      end
    ensure
      Process.kill(:CONT, pid)
    end
  end

  def test_munged_is_down
    assert_endured_without('munged', /munge/i)
  end

  # Its socket stays.
  def test_munged_is_killed
    Process.kill(:KILL, pid_of('munged'))
    assert_endured(/munge/i)
  ensure
    Bed.testbed('start', 'munged')
  end

  # What slurmdbd can't look up is no empty answer.
  def test_the_database_of_slurmdbd_is_down
    assert_endured_without('mariadbd', /slurmdbd/)
  ensure
    Bed.restart
  end

  # While a dashboard waits for it, a daemon that was stopped goes on; then one dies, and another one has its place.
  %w[munged slurmdbd slurmctld].each do |daemon|
    define_method("test_#{daemon}_comes_back_half_way") do
      sleep 10 if daemon == 'slurmctld' # a rename that is younger may be lost with it
      assert_endured_half_way(daemon) { |pid| Process.kill(:CONT, pid) }
      assert_endured_half_way(daemon) do |pid|
        Process.kill(:KILL, pid)
        Bed.wait('it ends') { ended?(pid) }
        Bed.testbed('start', daemon)
      end
      Bed.wait('all answer again') { Bed.cards('hpcstudent') == ["kept #{@id}"] }
    end
  end

  # The dashboard has its answer, or says one thing.
  def assert_endured_half_way(daemon)
    assert_promised(TIMEOUT + 0.5) do
      Process.kill(:STOP, pid = pid_of(daemon))
      revival = Thread.new { sleep(0.3) && yield(pid) }
      booted = boot
      revival.join
      assert_card 'hpcstudent', @id
      assert_equal booted['report']['error'] ? [[], 1] : [[@job_id.to_s], 0],
                   [booted['specs'].keys, booted['log'].size], booted['log'].inspect
      booted['seconds']
    end
  end

  def ended?(pid)
    File.read("/proc/#{pid}/status").match?(/^State:\s+Z/)
  rescue SystemCallError
    true
  end

  def pid_of(daemon)
    Integer(File.read(File.join(Bed::DIR, 'run', "#{daemon}.pid")))
  end

  def test_a_name_service_that_hangs_costs_no_card
    stub = hanging_name_service
    result = Bed.as('hpcstudent', File.join(Bed::OURS, 'lib/multitenant/multitenant-query'), '--wckey', 'multitenant',
                    '--timeout', '10', env: { 'LD_PRELOAD' => stub })
    assert_equal 0, result.code, result.err
    record = JSON.parse(result.out.lines[1])
    assert_equal [nil, nil, true], record.values_at('group_gid', 'publisher_in_group', 'out_of_time')
    cards = Bed.multitenant('hpcstudent', 'cards', '--records', '-', input: result.out)
    assert_equal "kept #{@id}\n", cards.out
    assert_card 'hpcstudent', @id
  end

  # A library whose getgrnam_r never answers.
  def hanging_name_service
    source = File.join(Bed::OURS, 'hang.c')
    File.write(source, <<~C)
      #include <grp.h>
      #include <unistd.h>
      int getgrnam_r(const char *n, struct group *g, char *b, size_t l, struct group **r)
      {
          (void)n, (void)g, (void)b, (void)l, (void)r;
          for (;;)
              pause();
      }
    C
    "#{source}.so".tap { |stub| system('cc', '-shared', '-fPIC', '-o', stub, source, exception: true) }
  end

  def test_with_private_data_nothing_is_removed
    hidden = 'PrivateData=jobs'
    [{ 'slurm.conf' => hidden, 'slurmdbd.conf' => hidden }, { 'slurm.conf' => hidden },
     { 'slurmdbd.conf' => hidden }].each do |files|
      Bed.configured(files) do
        result = Bed.multitenant('hpcstudent', 'jobs')
        assert_equal 'own', JSON.parse(result.out.lines.first)['sees'], "#{files} #{result.err}"
        assert_empty(Bed.cards('hpcstudent').grep_v(/\Akept/))
        assert_card 'hpcstudent', @id
        assert_equal [@job_id.to_s], Bed.specs('hpcfaculty').keys
      end
    end
    assert_equal 'all', JSON.parse(Bed.multitenant('hpcstudent', 'jobs').out.lines.first)['sees']
  end

  # slurmctld hides what slurmdbd names, and the web host does not know.
  def test_with_private_data_that_this_host_s_slurm_conf_lacks_nothing_is_removed
    old = File.join(Bed::OURS, 'old.conf')
    FileUtils.cp(File.join(Bed::DIR, 'etc/slurm.conf'), old)
    Bed.configured('slurm.conf' => 'PrivateData=jobs') do
      head, last = Bed.multitenant('hpcstudent', 'jobs', env: { 'SLURM_CONF' => old }).out.lines
      assert_equal ['own', { 'end' => 0 }], [JSON.parse(head)['sees'], JSON.parse(last)]
      assert_empty(Bed.cards('hpcstudent', env: { 'SLURM_CONF' => old }).grep_v(/\Akept/))
      assert_card 'hpcstudent', @id
    end
  end

  # As after a cluster got another name: slurmctld's counts.
  def test_a_slurm_conf_with_another_name_of_the_cluster
    other = File.join(Bed::OURS, 'other.conf')
    File.write(other, File.read(File.join(Bed::DIR, 'etc/slurm.conf')).sub(/^ClusterName=.*/, 'ClusterName=other'))
    head, share, = Bed.multitenant('hpcstudent', 'jobs', env: { 'SLURM_CONF' => other }).out.lines
    assert_equal ['hpc', @job_id], [JSON.parse(head)['cluster'], JSON.parse(share)['job_id']]
  end
end
