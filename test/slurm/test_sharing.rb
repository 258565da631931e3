# frozen_string_literal: true

require_relative 'bed'
require 'multitenant/sources/commands'

# Who sees what of a real job, and for how long.
class TestSharing < BedTest
  def test_one_refresh_gives_members_specs_and_card_the_publisher_specs_and_others_nothing
    job_id, id = Bed.share
    Bed::MEMBERS.each do |user|
      assert_equal ["written #{id}"], Bed.cards(user)
      assert_card user, id
      assert_equal 'n1', Bed.specs(user).dig(job_id.to_s, 'connection', 'host')
    end
    assert_equal [job_id.to_s], Bed.specs('hpcfaculty').keys
    assert_equal %w[ok own_session], Bed.codes('hpcfaculty', job_id)
    assert_empty Bed.cards('hpcfaculty')
    assert_empty Bed.specs('outsider')
    assert_equal %w[not_member not_member], Bed.codes('outsider', job_id)
    assert_empty Bed.cards('outsider')
    assert_empty files('outsider') + files('hpcfaculty')
  end

  def test_the_records_of_program_and_commands_have_the_jobs_nodes
    job_id, = Bed.share
    name = Bed.squeue('%N', '-j', job_id).chomp
    addr, host = `scontrol -o show node #{name}`.match(/NodeAddr=(\S+) NodeHostName=(\S+)/).captures
    job = MultiTenant::Commands.new(MultiTenant::Settings.new, job: {}).call(20)
    [Bed.multitenant('hpcfaculty', 'jobs').out, job.texts[0]].each do |text|
      record = text.lines.map { |line| JSON.parse(line) }.find { |line| line['job_id'] == job_id }
      assert_equal [{ 'name' => name, 'host' => host, 'addr' => addr }], record['nodes']
    end
  end

  def test_the_card_says_what_slurm_says
    job_id, id = Bed.share
    Bed.cards('hpcstudent')
    session = JSON.parse(File.read(File.join(Bed.db('hpcstudent'), id)))
    start = Integer(`scontrol -o show job #{job_id}`[/StartTime=(\S+)/, 1].then { |t| `date -d #{t} +%s` })
    assert_equal({ 'id' => id, 'cluster_id' => 'hpc', 'job_id' => job_id.to_s, 'created_at' => start,
                   'token' => 'sys/multitenant-delivery_default', 'title' => 'hpcfaculty: Database',
                   'script_type' => 'basic', 'cache_completed' => nil, 'completed_at' => nil }, session)
  end

  def test_after_cancel_the_files_go_connection_first
    job_id, id = Bed.share
    Bed.cards('hpcstudent')
    system('scancel', job_id.to_s)
    trace = File.join(Bed.home('hpcstudent'), 'trace')
    Bed.wait('the card goes') do
      result = Bed.as('hpcstudent', 'strace', '-f', '-qq', '-e', 'trace=unlinkat', '-e', 'signal=none', '-o', trace,
                      RbConfig.ruby, File.join(Bed::OURS, 'exe/multitenant'), 'cards')
      result.out.include?("removed #{id}")
    end
    removed = File.read(trace).lines.grep(/= 0$/).map { |line| line[/"([^"]+)"/, 1] } - ['.multitenant.lock']
    assert_equal ['connection.yml', id, '.multitenant', id, 'output', 'multitenant-delivery_default'], removed
    assert_empty files('hpcstudent')
    assert_empty Bed.specs('hpcstudent')
  end

  def test_a_moved_service_moves_its_card
    job_id = Bed.running(Bed.submit('hpcfaculty'))
    accounting = Bed.accounting
    Bed.publish('hpcfaculty', job_id, accounting, { 'host' => 'n1', 'port' => '1' })
    Bed.cards('hpcstudent')
    Bed.publish('hpcfaculty', job_id, accounting, { 'host' => 'n2', 'port' => '2' })
    assert_equal ["written #{accounting['mti']}"], Bed.cards('hpcstudent')
    connection = files('hpcstudent').find { |path| path.end_with?('connection.yml') }
    assert_equal %w[n2 2], YAML.safe_load_file(connection).values_at('host', 'port')
  end

  def test_a_plain_name_takes_the_share_back
    job_id, id = Bed.share
    Bed.cards('hpcstudent')
    Bed.rename('hpcfaculty', job_id, 'plain')
    assert_equal ["removed #{id}"], Bed.cards('hpcstudent')
    assert_equal %w[malformed_name malformed_name], Bed.codes('hpcstudent', job_id)
  end

  def test_the_tasks_of_an_array_are_shares_of_their_own
    Bed.submit('hpcfaculty', '--array=0-2')
    tasks = Bed.wait('three tasks run') do
      rows = Bed.squeue('%A %F_%K %T', '--array').lines.grep(/RUNNING/).map(&:split)
      rows if rows.size == 3
    end
    ids = tasks.to_h do |raw, task,|
      Bed.running(Integer(raw))
      [raw, Bed.publish('hpcfaculty', Integer(raw), Bed.accounting, { 'task' => task }, target: task)]
    end
    specs = Bed.specs('hpcstudent')
    assert_equal ids.keys.sort, specs.keys.sort
    tasks.each { |raw, task,| assert_equal task, specs.dig(raw, 'connection', 'task') }
    assert_equal ids.values.map { |id| "written #{id}" }.sort, Bed.cards('hpcstudent').sort
  end

  def test_the_components_of_a_heterogeneous_job_are_shares_of_their_own
    script = "#!/bin/sh\n#SBATCH --ntasks=1\n#SBATCH hetjob\n#SBATCH --ntasks=1 --wckey=multitenant\nexec sleep 600\n"
    leader = Bed.submit('hpcfaculty', script: script)
    Bed.wait('both components run') { Bed.squeue('%T').lines.count { |l| l.include?('RUNNING') } == 2 }
    [leader, leader + 1].each_with_index do |raw, component|
      Bed.running(raw)
      Bed.publish('hpcfaculty', raw, Bed.accounting, { 'part' => component.to_s }, target: "#{leader}+#{component}")
    end
    specs = Bed.specs('hpcstudent')
    assert_equal(%w[0 1], [leader, leader + 1].map { |raw| specs.dig(raw.to_s, 'connection', 'part') })
  end

  def test_a_wckey_that_is_the_users_default_counts
    job_id, id = Bed.share('hpcdefault', wckey: nil)
    assert_equal '*multitenant', Bed.squeue('%w', '-j', job_id).strip
    assert_equal ["written #{id}"], Bed.cards('hpcstudent')
  end

  def test_several_wckeys_and_cards_of_a_key_that_was_not_asked_for_stay
    _, one = Bed.share
    _, two = Bed.share('hpcfaculty', wckey: 'shared2')
    assert_equal ["written #{one}"], Bed.cards('hpcstudent')
    both = { 'MULTITENANT_WCKEY' => 'multitenant,shared2' }
    assert_equal ["kept #{one}", "written #{two}"].sort, Bed.cards('hpcstudent', env: both).sort
    Bed.cancel_all
    assert_equal ["kept #{two}", "removed #{one}"], Bed.cards('hpcstudent').sort
    assert_card 'hpcstudent', two
    assert_equal ["removed #{two}"], Bed.cards('hpcstudent', env: both)
  end

  def test_a_newline_in_a_name_forges_nothing
    job_id = Bed.running(Bed.submit('hpcfaculty'))
    forged = JSON.generate('cluster' => 'hpc', 'job_id' => 1, 'user' => 'root', 'uid' => 0, 'name' => 'x|hpcGrp|y')
    id = Bed.publish('hpcfaculty', job_id, Bed.accounting, label: "sys\n#{forged}\n{\"end\":0}\n1".tr('|', ' '))
    assert_equal [job_id.to_s], Bed.specs('hpcstudent').keys
    assert_equal ["written #{id}"], Bed.cards('hpcstudent')
  end

  def test_a_suspended_job_s_card_goes_and_comes_back
    job_id, id = Bed.share
    Bed.cards('hpcstudent')
    system('scontrol', 'suspend', job_id.to_s) || flunk('scontrol suspend failed')
    Bed.wait('the card goes') { Bed.cards('hpcstudent').include?("removed #{id}") }
    refute_card 'hpcstudent', id
    system('scontrol', 'resume', job_id.to_s) || flunk('scontrol resume failed')
    Bed.wait('the card comes back') { Bed.cards('hpcstudent').include?("written #{id}") }
    assert_card 'hpcstudent', id
  end

  def test_a_member_can_not_displace_another_s_card_by_naming_its_session
    job_id, id = Bed.share
    Bed.cards('hpcstudent')
    attack, = Bed.share('hpcfaculty2', id: id)
    Bed.cards('hpcstudent')
    jobs = Dir.children(Bed.db('hpcstudent')).map do |name|
      JSON.parse(File.read(File.join(Bed.db('hpcstudent'), name))).values_at('job_id', 'title')
    end
    assert_equal [[job_id.to_s, 'hpcfaculty: Database'], [attack.to_s, 'hpcfaculty2: Database']], jobs.sort
  end

  def test_only_the_group_in_multitenant_publishers_may_publish
    job_id, id = Bed.share
    other, = Bed.share('hpcdefault', wckey: nil)
    only = { 'MULTITENANT_PUBLISHERS' => 'pubGrp' }
    assert_equal %w[ok ok], Bed.codes('hpcstudent', job_id, env: only)
    assert_equal %w[publisher_not_allowed] * 2, Bed.codes('hpcstudent', other, env: only)
    assert_equal ["written #{id}"], Bed.cards('hpcstudent', env: only)
  end

  def test_a_job_that_only_slurmdbd_still_calls_running_is_absent
    job_id, = Bed.share
    other, = Bed.share
    system('scancel', job_id.to_s)
    Bed.wait('slurmdbd knows the end') { `sacct -a -X -n -P -o state -j #{job_id}`.include?('CANCELLED') }
    in_database(job_id, 'state=1, time_end=0')
    assert_includes `sacct -a -X -n -P -o jobidraw -s RUNNING --wckeys=multitenant`.split, job_id.to_s
    assert_equal [other.to_s], Bed.specs('hpcstudent').keys
  ensure
    # No test after this one may find a job that seems to run for good: 4 is CANCELLED.
    in_database(job_id, 'state=4, time_end=unix_timestamp()')
  end

  def in_database(job_id, what)
    system('mariadb', '--no-defaults', "--socket=#{Bed::DIR}/run/mariadb/mariadb.socket", 'slurm_acct_db', '-e',
           "update hpc_job_table set #{what} where id_job=#{job_id}") || flunk('mariadb failed')
  end
end
