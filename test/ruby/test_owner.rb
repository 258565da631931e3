# frozen_string_literal: true

require_relative 'helper'
require_relative 'login_node'
require 'minitest/mock'
require 'multitenant/cli/moment'
require 'time'

# The commands by which the owner of a service says what is to become of it, against Slurm's commands as a test wants
# them. With a real Slurm: test/slurm/test_owner.rb.
class TestOwner < MultiTenantTest
  include LoginNode

  SESSION = '00000007-0000-4000-8000-0123456789ab'

  def setup
    super
    query('exit 69')
  end

  # What multitenant-query does.
  def query(body)
    @lib ||= Tree.copy(File.join(temporary, 'gem').tap { |dir| Dir.mkdir(dir) })
    path = File.join(@lib, 'multitenant/multitenant-query')
    FileUtils.rm_f(path)
    File.write(path, "#!/bin/sh\n#{body}\n", perm: 0o755)
  end

  def told(*argv, **env)
    env = { 'HOME' => @home, 'OOD_CLUSTERS' => @clusters, 'TZ' => 'Europe/Berlin', 'MULTITENANT_TIMEOUT' => '5',
            **env.transform_keys(&:to_s) }
    multitenant_process(*argv, as: OWNER, lib: @lib, env: env)
  end

  # ---- which service ----

  def test_a_service_is_named_alone_or_with_its_group
    state
    state('french@dom%5Cgroup%20a')
    ['spanish', 'spanish@students'].each { |name| assert_equal 0, told('title', name, 'A').code }
    ['french', 'french@dom\group a'].each { |name| assert_equal 0, told('title', name, 'B').code }
    assert_equal(%W[A\n B\n], [kept('title'), kept('title', 'french@dom%5Cgroup%20a')])
  end

  def test_it_is_one_of_the_users_own
    state
    state('spanish@teachers')
    several = 'There are several `spanish` of yours: name one of spanish@students, spanish@teachers\.'
    assert_refused 64, several, 'title', 'spanish', 'A'
    assert_refused 77, 'prof/spanish@students is prof\'s service, not yours\.', 'title', 'prof/spanish@students', 'A'
    assert_refused 64, 'You have no service `french` of several jobs; see', 'title', 'french', 'A'
    assert_refused 77, '\.\./spanish@students is \.\.\'s service', 'title', '../spanish@students', 'A'
    real = state('real@students')
    File.symlink(real, File.join(File.dirname(real), 'link@students'))
    FileUtils.chown(0, 0, state('strange@students'))
    %w[strange link].each { |name| assert_refused 64, "You have no service `#{name}`", 'title', name, 'A' }
  end

  def test_its_state_is_where_the_owner_keeps_such_things
    state
    FileUtils.mv(File.join(@home, '.local/state'), other = File.join(@home, 'other'))
    assert_equal 64, told('title', 'spanish', 'A').code
    assert_equal 0, told('title', 'spanish', 'A', XDG_STATE_HOME: other).code
  end

  # ---- what is kept ----

  def test_files_are_the_owners_alone_and_change_at_once
    dir = state
    File.symlink('/etc/passwd', File.join(dir, 'title'))
    assert_told "spanish@students is called A \"B\u0301\" within ten seconds.\n".sub("\"B\u0301\"", 'B'), 'title',
                'spanish', ' A B '
    stat = File.lstat(File.join(dir, 'title'))
    assert_equal ['file', 0o600, OWNER], [stat.ftype, stat.mode & 0o777, stat.uid]
    assert_equal %w[chains title], Dir.children(dir).sort
  end

  def test_a_title_is_one_that_every_dashboard_shows
    state
    ['<b>', "a\u202eb", 'x' * 65].each do |title|
      assert_refused 64, 'A title has 1 to 64 characters', 'title', 'spanish', title
    end
    assert_nil kept('title')
    assert_told "spanish@students is called what it is within ten seconds.\n", 'title', 'spanish', ''
    assert_equal "\n", kept('title')
  end

  def test_until_says_what_it_understood
    state
    assert_told "spanish@students is kept running until Sun 31 Jan 2094, 23:59 CET.\n", 'until', 'spanish', '2094-01-31'
    assert_equal "#{Time.utc(2094, 1, 31, 22, 59, 59).to_i}\n", kept('until')
    assert_refused 64, '`soon` is no time: write 2027-01-31, "2027-01-31 18:00"', 'until', 'spanish', 'soon'
    assert_refused 64, 'Fri 1 Jan 2021, 12:00 CET is over: `multitenant stop` ends a service', 'until', 'spanish',
                   '2021-01-01 12:00'
    # No sender takes a later one than the last of 9999 in UTC, so the next job would not be shared.
    assert_refused 64, 'Fri 31 Dec 9999, 23:59 CST is too late: write Fri 31 Dec 9999, 17:59 CST at most', 'until',
                   'spanish', '9999-12-31', TZ: 'America/Chicago'
    assert_equal "#{Time.utc(2094, 1, 31, 22, 59, 59).to_i}\n", kept('until')
  end

  def test_copies_are_a_number
    state
    assert_told "spanish@students has 3 copies: jobs start or end one after the other.\n", 'copies', 'spanish', '3'
    assert_equal "3\n", kept('copies')
    %w[0 -1 100 many 0x3 3.5].each do |number|
      assert_equal 64, told('copies', '--', 'spanish', number).code, number
    end
    assert_equal "3\n", kept('copies')
  end

  def test_copies_that_have_ended_do_not_come_back
    state(n1: { job: 7, ended: 'Job 7 was cancelled, which ends this chain of jobs.' }, n2: { job: 8 })
    jobs(8 => 'RUNNING', 9 => 'PENDING')
    done = 'spanish@students has %s: jobs start or end one after the other.'
    again = 'Copies that have ended do not come back, so %d of these serve: to have %d, %s.'
    other = ->(number) { "`multitenant copies spanish@students #{number}`" }
    assert_told "#{format(done, '2 copies')}\n#{format(again, 1, 2, other[3])}\n", 'copies', 'spanish', '2'
    # Who has followed that has the two.
    assert_told "#{format(done, '3 copies')}\n#{format(again, 2, 3, other[4])}\n", 'copies', 'spanish', '3'
    assert_told "#{format(done, '99 copies')}\n#{format(again, 98, 99, 'start the service anew')}\n",
                'copies', 'spanish', '99'
    # The second one goes on.
    assert_told "#{format(done, '1 copy')}\n", 'copies', 'spanish', '1'
    # Of another service the third goes on in the place of the first.
    state('french@students', n1: { job: 7, ended: 'Job 7 was cancelled.' }, n3: { job: 9 })
    assert_told "french@students has 1 copy: jobs start or end one after the other.\n", 'copies', 'french', '1'
  end

  # What a command says where an app of this host's has that site.yml.
  def said_with(site, *argv)
    root = File.join(temporary, "host-#{site.size}")
    FileUtils.mkdir_p(app = File.join(root, MultiTenant::Host::APPS, 'multitenant-dashboard'))
    File.write(File.join(app, 'site.yml'), "cluster: hpc\n#{site}")
    as_user(uid: OWNER) do
      ENV['HOME'] = @home
      MultiTenant::Host.prepend(Module.new { define_method(:at) { |path| File.join(root, path) } })
      $stdout.reopen(File::NULL)
      MultiTenant::CLI.new.run(argv)
    rescue MultiTenant::Failure => e
      [e.code, e.message]
    end
  end

  def test_a_site_says_how_long_and_how_many
    state(n1: { dir: "/x/batch_connect/sys/multitenant-dashboard/output/#{SESSION}/gen-3" })
    path = File.join(@home, '.local/state/multitenant/services/spanish@students/session')
    File.write(path, "#{SESSION}\n", perm: 0o644)
    site = "keep_days: \"30\"\ncopies_max: \"2\"\n"
    assert_equal 0, said_with(site, 'until', 'spanish', (Date.today + 30).to_s)
    code, sentence = said_with(site, 'until', 'spanish', (Date.today + 31).to_s)
    assert_equal 65, code
    assert_match(/\AServices are kept running for 30 days at most here, and \w{3} .* 23:59 [\w+-]+ is later\.\z/,
                 sentence)
    assert_equal 0, said_with(site, 'copies', 'spanish', '2')
    assert_match(/spanish@students can have 1 to 2 copies, not `3`/, said_with(site, 'copies', 'spanish', '3')[1])
    assert_equal 0, said_with('odd: 1', 'copies', 'spanish', '3')
  end

  def test_what_was_stopped_is_not_changed
    state
    File.write(File.join(@home, '.local/state/multitenant/services/spanish@students/stopped'), "Enough.\n", perm: 0o644)
    [%w[title spanish A], %w[copies spanish 2], %w[until spanish 2094-01-31]].each do |argv|
      assert_refused 65, 'spanish@students has been stopped: start it anew\.', *argv
    end
  end

  # No job is left that would read it; of two copies one may be.
  def test_what_has_ended_is_not_changed
    state(n1: { job: 7, ended: 'Job 7 was cancelled, which ends this chain of jobs.' })
    File.write("#{state('french@students', n1: { job: 8 })}/until", "#{Time.now.to_i - 60}\n", perm: 0o644)
    [%w[title spanish A], %w[copies spanish 2], %w[until spanish 2094-01-31],
     %w[until french 2094-01-31]].each do |argv|
      assert_refused 65, "#{argv[1]}@students has ended: start it anew\\.", *argv
    end
    assert_refused 65, 'spanish@students has ended: start it anew\.', 'unshare', '--undo', 'spanish'
    assert_nil kept('until')
    state(n2: { job: 9 })
    jobs(9 => 'RUNNING')
    assert_equal 0, told('until', 'spanish', '2094-01-31').code
  end

  # It had no end, so nothing says that it has ended but Slurm.
  def test_what_slurm_has_no_job_of_is_not_changed
    state(n1: { job: 7 })
    jobs(9 => 'RUNNING')
    assert_refused 65, 'spanish@students has ended: start it anew\\.', 'until', 'spanish', '2094-01-31'
    assert_nil kept('until')
    File.write(File.join(@bin, 'broken'), '')
    assert_equal 0, told('until', 'spanish', '2094-01-31').code
  end

  # ---- times ----

  def moment(text, now: Time.now)
    Time.stub(:now, now) { MultiTenant::CLI::Moment.of(text) }&.getutc&.iso8601
  end

  def test_times_as_people_write_them
    zone = ENV.fetch('TZ', nil)
    ENV['TZ'] = 'Europe/Berlin'
    { '2027-01-31' => '2027-01-31T22:59:59Z', '2027-1-31 18:00' => '2027-01-31T17:00:00Z',
      '2027-07-31T18:00:05' => '2027-07-31T16:00:05Z', '1800000000' => '2027-01-15T08:00:00Z',
      '@1800000000' => '2027-01-15T08:00:00Z', '2027-02-29' => nil, '2027-01-31 24:00' => nil,
      '2027-01-31 12:60' => nil,
      '31.01.2027' => nil, '+7' => nil, '7 days' => nil, '' => nil, "2027-01-31\n2028-01-31" => nil }
      .each { |text, time| time ? assert_equal(time, moment(text), text) : assert_nil(moment(text), text) }
    { '+90 minutes' => 90, '+1 hour' => 60, '+ 7 Days' => 7 * 24 * 60,
      '+2 weeks' => 14 * 24 * 60 }.each do |text, minutes|
      day = Time.local(2027, 1, 4, 9, 30)
      Date.stub(:today, Date.new(2027, 1, 4)) do
        assert_equal (day + (minutes * 60)).getutc.iso8601, moment(text, now: day), text
      end
    end
  ensure
    ENV['TZ'] = zone
  end

  # ---- stop ----

  def test_stop_cancels_what_the_chains_name_and_nothing_else
    state(n1: { job: 7, shared: 6, next: 8 }, n2: { job: '20_3' }, n3: { next: 'x; 99' })
    jobs(6 => 'RUNNING', 7 => 'RUNNING', 8 => 'PENDING', '20_3' => 'RUNNING', '20_[4-6%1]' => 'PENDING', 9 => 'RUNNING',
         70 => 'RUNNING', '21_3' => 'RUNNING', 99 => 'RUNNING')
    assert_told "spanish@students is stopped: 5 jobs were cancelled.\n", 'stop', 'spanish'
    assert_equal ['scancel --quiet 6 7 8 20_3 20_[4-6] -M hpc'], said
    assert_equal "The service was stopped by its owner.\n", kept('stopped')
  end

  # As squeue writes them, whoever's array it is: tasks with a step, and more of them than 64 bytes can name.
  def test_stop_and_unshare_know_how_squeue_writes_the_tasks_of_an_array
    jobs(7 => 'RUNNING', '30_[0-98:2]' => 'PENDING', '31_[1,4,5,9,11,...]' => 'PENDING', '20_[0-98:2%4]' => 'PENDING',
         '21_[1,4,5,...%4]' => 'PENDING')
    assert_told "Job 7 is not shared.\n", 'unshare', '7'
    state(n1: { job: '20_100' }, n2: { job: '21_2' })
    assert_told "spanish@students is stopped: 2 jobs were cancelled.\n", 'stop', 'spanish'
    assert_equal ['scancel --quiet 20 21 -M hpc'], said
  end

  # What its jobs see first is that it is to stop.
  def test_stop_is_noted_also_where_slurm_does_not_answer
    state(n1: { job: 7 })
    File.write(File.join(@bin, 'broken'), '')
    sentence = 'spanish@students is to stop, and its jobs end by themselves; they could not all be cancelled: squeue'
    assert_refused 69, sentence, 'stop', 'spanish'
    assert_equal "The service was stopped by its owner.\n", kept('stopped')
  end

  # As in a full home.
  def test_stop_cancels_also_where_it_can_not_be_noted
    File.chmod(0o500, state(n1: { job: 7 }))
    jobs(7 => 'RUNNING')
    assert_told "spanish@students is stopped: 1 job was cancelled.\n", 'stop', 'spanish'
    assert_equal [['scancel --quiet 7 -M hpc'], nil], [said, kept('stopped')]
    File.write(File.join(@bin, 'broken'), '')
    assert_refused 69, 'squeue', 'stop', 'spanish'
  end

  # A job may submit the next one while it is being ended.
  def test_stop_looks_again
    dir = state(n1: { job: 7 })
    jobs(7 => 'RUNNING')
    command('scancel', <<~SH)
      #{CANCEL}
      [ "$2" != 7 ] || { printf '8\\n' >#{dir}/chains/1/next; printf '8;8;PENDING;(null);sys;\\n' >>"$dir/jobs"; }
    SH
    assert_told "spanish@students is stopped: 2 jobs were cancelled.\n", 'stop', 'spanish'
    assert_equal ['scancel --quiet 7 -M hpc', 'scancel --quiet 8 -M hpc'], said
  end

  # Its job was killed between submitting it and noting that.
  def test_stop_finds_the_job_that_waits_to_follow_one_and_no_other_that_waits_for_it
    state(n1: { job: 7 }, n2: { job: '20_3' })
    after = ->(id) { "after:#{id}+50(unfulfilled)?afterany:#{id}(unfulfilled)" }
    jobs(7 => 'RUNNING', '20_3' => 'RUNNING', 8 => ['PENDING', nil, after.call(7)],
         '21_3' => ['PENDING', nil, after.call('20_3')], 9 => %w[PENDING tidy afterany:7(unfulfilled)],
         10 => ['PENDING', nil, after.call(70)])
    assert_told "spanish@students is stopped: 4 jobs were cancelled.\n", 'stop', 'spanish'
    assert_equal ['scancel --quiet 7 20_3 8 21_3 -M hpc'], said
  end

  # Ids are the same on several clusters.
  def test_stop_asks_the_cluster_that_the_jobs_run_on
    dir = state(n1: { job: 7 })
    jobs(7 => 'RUNNING')
    clusters('hpc', 'other')
    sentence = 'spanish@students is to stop, .* On which of several clusters spanish runs is not known here'
    assert_refused 78, sentence, 'stop', 'spanish'
    assert_empty said
    File.write(File.join(dir, 'cluster'), "other\n")
    assert_equal 0, told('stop', 'spanish').code
    assert_equal ['scancel --quiet 7 -M other'], said
  end

  # ---- unshare ----

  def test_a_service_is_not_shared_and_shared_again
    state(n1: { job: 7 })
    jobs(7 => %w[RUNNING sys|g|payload])
    assert_told "spanish@students is not shared any more within ten seconds; its jobs run on.\n#{KNOWN}",
                'unshare', 'spanish'
    assert_equal "Its owner has taken the share back.\n", kept('unshared')
    assert_refused 65, 'Job 7 is one of spanish@students, whose jobs share themselves: `multitenant unshare',
                   'unshare', '7'
    assert_empty said
    assert_told "spanish@students is shared again within ten seconds; its jobs run on.\n", 'unshare', '--undo',
                'spanish'
    assert_nil kept('unshared')
    assert_refused 64, 'You have no service `7` of several jobs', 'unshare', '--undo', '7'
    # As groups of a directory are called.
    state('french@domain%20users', n1: { job: 9 })
    assert_refused 65, 'Job 9 is one of french@domain users, whose jobs share themselves: `multitenant unshare ' \
                       'french@domain\\\\ users`\.', 'unshare', '9'
  end

  # The sender in the job, which gives it its name again where Slurm has lost it, leaves that name alone.
  def test_a_job_gets_a_plain_name_that_stays
    jobs(7 => ['RUNNING', 'sys/dash|g|payload'], 8 => ['RUNNING', "a b\u0007|g|payload"], 9 => %w[RUNNING plain],
         10 => %w[COMPLETED a|b|c])
    assert_told "Job 7 is not shared any more, and runs on.\n#{KNOWN}", 'unshare', '7'
    assert_told "Job 8 is not shared any more, and runs on.\n#{KNOWN}", 'unshare', '8'
    assert_told "Job 9 is not shared.\n", 'unshare', '9'
    [10, 11].each { |id| assert_refused 64, "You have no job #{id}; see", 'unshare', id.to_s }
    assert_equal ['scontrol update JobId=7 JobName=sys/dash| -M hpc', 'scontrol update JobId=8 JobName=job| -M hpc'],
                 said
  end

  # It would tell everybody of the port for as long as the job runs, and be too long for the label that stands before.
  def test_an_address_is_no_part_of_the_plain_name
    long = 'a' * 128
    jobs(7 => ['RUNNING', 'my job mt:spanish:web/up:8001|g|payload'],
         8 => ['RUNNING', "#{long} mt:a:tcp:8001|g|payload"])
    %w[7 8].each { |id| assert_told "Job #{id} is not shared any more, and runs on.\n#{KNOWN}", 'unshare', id }
    names = said.map { |line| line[/JobName=.*/] }
    assert_equal ['JobName=my job| -M hpc', "JobName=#{long}| -M hpc"], names
  end

  # Whoever else has a job of that id, and also where it is an array's task, of which no share tells.
  def test_a_job_of_one_of_several_clusters_can_be_named
    clusters('hpc', 'other')
    command('squeue', <<~SH)
      for word; do case $word in --format=*) mark=$(printf %s "$word" | grep -o -m1 'mt[0-9a-f]*' | head -n 1) ;; esac; done
      case "$*" in *'-M other') file=other ;; *) file=jobs ;; esac
      sed "s/;/$mark/g" "$dir/$file"
    SH
    records(job(7), job(8, user: 'owner', uid: OWNER))
    jobs(7 => 'RUNNING', '20_3' => %w[RUNNING s|g|p], 8 => %w[RUNNING s|g|p])
    File.write(File.join(@bin, 'other'), "7;7;RUNNING;(null);s|g|p;\n8;8;RUNNING;(null);s|g|p;\n", perm: 0o644)
    %w[20_3 7].each { |id| assert_told "Job #{id} is not shared any more, and runs on.\n#{KNOWN}", 'unshare', id }
    assert_refused 64, 'You share a job 8 on several clusters: name one as 8@CLUSTER; see', 'unshare', '8'
    state(n1: { job: 8 }, n2: { job: 9 })
    File.write("#{state}/cluster", "hpc\n")
    assert_told "Job 8 is not shared any more, and runs on.\n#{KNOWN}", 'unshare', '8@other'
    assert_refused 65, 'Job 8 is one of spanish@students, whose', 'unshare', '8@hpc'
    assert_equal ['scontrol update JobId=20_3 JobName=s| -M hpc', 'scontrol update JobId=7 JobName=s| -M other',
                  'scontrol update JobId=8 JobName=s| -M other'], said
  end

  # ---- services without a state: jobs that name one, and follow no other ----

  def records(*jobs)
    path = File.join(temporary, 'records')
    File.write(path, stream(*jobs, generated: Time.now.to_i), perm: 0o644)
    query("cat #{path}")
  end

  def member(id, **record)
    job(id, uid: OWNER, connection: { host: 'n1', mt_service: 'spanish' }, **record)
  end

  def test_jobs_that_only_name_a_service_are_its_members
    records(member(7), member(8), member(9, uid: 1001), job(10, uid: OWNER))
    jobs(7 => %w[RUNNING s|g|p], 8 => %w[RUNNING s|g|p], 9 => %w[RUNNING s|g|p], 10 => %w[RUNNING s|g|p])
    assert_told "Job 7 is not shared any more, and runs on.\nJob 8 is not shared any more, and runs on.\n#{KNOWN}",
                'unshare', 'spanish'
    FileUtils.rm(File.join(@bin, 'said'))
    assert_told "spanish@students is stopped: 2 jobs were cancelled.\n", 'stop', 'spanish@students'
    assert_equal ['scancel --quiet 7 8 -M hpc'], said
    assert_refused 64, 'You have no service `french`; see', 'stop', 'french'
  end

  def test_they_are_stopped_with_those_of_the_chains
    state(n1: { job: 7 })
    records(member(8))
    jobs(7 => 'RUNNING', 8 => 'RUNNING')
    assert_told "spanish@students is stopped: 2 jobs were cancelled.\n", 'stop', 'spanish'
  end

  def test_without_an_answer_nobody_says_that_there_is_none
    %w[stop unshare].each { |name| assert_refused 69, '', name, 'spanish' }
  end
end
