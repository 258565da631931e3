# frozen_string_literal: true

require_relative 'helper'
require_relative 'fake_slurmrestd'
require 'pty'

# The command `multitenant`: exit codes of sysexits, one sentence on standard error for what went
# wrong, never a backtrace.
class TestCli < MultiTenantTest
  include Slurmrestds

  # @return [Done] that went wrong with that code, said in one line
  def assert_complaint(done, code, sentence)
    assert_match(/\Amultitenant: .*#{sentence}.*\n\z/, done.err)
    assert_equal [code, ''], [done.code, done.out], done.err
    refute_match(/\.rb|Error:/, done.err)
    done
  end

  def explain(records, **options)
    multitenant('specs', '--records', '-', '--explain', stdin: records, **options)
  end

  def clusters
    path = File.join(temporary, 'clusters.yml')
    File.write(path, YAML.dump('v2' => { 'hpc' => { 'job' => { 'adapter' => 'slurm', 'cluster' => 'hpc' } } }))
    path
  end

  # ---- help and usage ----

  def test_help
    ['--help', '-h', 'help'].each do |word|
      done = multitenant_process(word)
      assert_equal [0, ''], [done.code, done.err]
      %w[jobs specs cards open].each { |name| assert_match(/^  #{name} /, done.out) }
    end
  end

  def test_help_of_each_command
    MultiTenant::CLI::COMMANDS.each_key do |name|
      done = multitenant(name, '--help')
      assert_equal [0, ''], [done.code, done.err]
      assert_match(/\AUsage: multitenant #{name} /, done.out)
    end
  end

  def test_the_version
    assert_equal(["multitenant #{MultiTenant::VERSION}\n", 0], multitenant_process('--version').then do |d|
      [d.out, d.code]
    end)
  end

  def test_without_a_command_or_with_an_unknown_one
    done = multitenant
    assert_equal [64, ''], [done.code, done.out]
    assert_match(/\AUsage: multitenant COMMAND/, done.err)
    ['x', 'Specs', '', '--records', 'send'].each do |name|
      assert_complaint multitenant(name, 'x'), 64, "there is no command `#{name}`; see `multitenant --help`"
    end
  end

  def test_arguments_that_are_no_text
    [%w[login], %w[limit x], %w[specs --dataroot], %w[open --job-id 1 --user]].each do |argv|
      done = multitenant(*argv, 255.chr.force_encoding(Encoding::UTF_8))
      assert_equal [64, 1, ''], [done.code, done.err.lines.size, done.out], argv.inspect
      assert_match(/must be text/, done.err)
    end
  end

  def test_usage_errors
    { %w[specs --nonsense] => 'nonsense; see `multitenant specs --help`\\.',
      %w[specs --records] => 'records.*specs --help',
      %w[specs extra] => 'takes no argument .extra', %w[jobs --timeout soon] => 'timeout soon',
      ['jobs', '--wckey', 'a b'] => '--wckey takes names', %w[jobs --timeout 0] => '0.2 to 3600',
      %w[jobs --timeout 1e300] => '0.2 to 3600',
      %w[jobs --timeout -5] => '0.2 to 3600', ['open'] => '--job-id and --user', %w[open --job-id 5] => '--user',
      %w[open --job-id 0 --user u] => '1 to 4294967295', %w[open --job-id 4294967296 --user u] => '1 to 4294967295',
      %w[open --job-id 5_1 --user u extra] => 'extra', %w[cards --restore] => 'restore' }.each do |argv, sentence|
      assert_complaint multitenant(*argv), 64, sentence
    end
  end

  def test_wrong_usage_is_named_and_refers_to_the_help_of_its_command
    services = %w[login stop unshare tenants].to_h { |name| [name, ['spanish']] }.merge('node-kit' => ['/none'])
    MultiTenant::CLI::COMMANDS.each_key do |name|
      ['--odd', 'surplus'].each do |word|
        assert_complaint multitenant(name, *services[name], word), 64, "#{word}`?; see `multitenant #{name} --help`\\."
      end
    end
    [%w[jobs --timeout 0], ['open'], %w[key new], %w[cards --restore x --dry-run]].each do |argv|
      assert_complaint multitenant(*argv), 64, "; see `multitenant #{argv[0]} --help`\\."
    end
  end

  # ---- open ----

  def open_name(name, job_id: 1, user: 'prof', **options)
    multitenant('open', '--job-id', job_id.to_s, '--user', user, stdin: name, **options)
  end

  def test_open
    [job(1)[:name], "#{job(1)[:name]}\n"].each do |name|
      done = open_name(name)
      assert_equal [0, ''], [done.code, done.err]
      assert_equal({ 'accounting' => accounting(1).transform_keys(&:to_s),
                     'connection' => { 'host' => 'n1', 'port' => '5432' } }, JSON.parse(done.out))
    end
  end

  def test_open_tells_what_is_lifted_out_of_the_connection
    lifted = { mt_title: 'Spanish', mt_service: 'spanish', mt_until: 2_000_000_000, mt_lead: 5 }
    told = JSON.parse(open_name(job(1, connection: { host: 'n1', **lifted })[:name]).out)
    assert_equal({ 'host' => 'n1' }, told['connection'])
    assert_equal({ 'title' => 'Spanish', 'service' => 'spanish', 'until' => 2_000_000_000, 'lead' => 5 },
                 told.except('accounting', 'connection'))
  end

  def test_open_says_why_not
    { '' => 'malformed_name', 'bash' => 'malformed_name', "#{'x' * 1022}|g|p" => 'name_too_long',
      "x|g|#{'A' * 9000}" => 'name_too_long', 'l|g|!' => 'bad_base64', job(2)[:name] => 'bad_cipher',
      "#{job(1)[:name]}\n\n" => 'bad_base64', 'l|g|MUNGE:x' => 'bad_base64',
      'l|g|MUNGE:AAAA:' => 'envelope_unavailable' }.each do |name, code|
      assert_complaint open_name(name), 65, "#{code}: [A-Z]"
    end
  end

  def test_open_with_bytes_that_are_no_text
    assert_complaint open_name("\xFF|\xFE|\xFD"), 65, 'bad_base64'
    assert_equal 0, open_name(job(1)[:name], env: { 'LC_ALL' => 'C' }).code
  end

  def test_open_with_a_user_name_that_is_too_long
    assert_complaint open_name('l|g|AAAA', user: 'u' * 257), 64, '--user takes at most 256 bytes'
  end

  # ---- specs ----

  def test_specs
    done = multitenant('specs', '--records', '-', stdin: stream(job(1)), as: 2001)
    assert_equal [0, ''], [done.code, done.err]
    assert_equal({ 'host' => 'n1', 'port' => '5432', 'jobid' => '1', 'mt_appname' => 'App' },
                 JSON.parse(done.out).dig('1', 'connection'))
    assert_equal '/nonexistent/ondemand/data/sys/dashboard/batch_connect/db/', # HOME's
                 JSON.parse(done.out).dig('1', 'info', 'db').delete_suffix(uuid(1))
  end

  def test_nothing_is_shared_is_no_failure
    assert_equal ["{}\n", '', 0], multitenant('specs', '--records', '-', stdin: stream).to_a.first(3)
    assert_equal ['', '', 0], explain(stream).to_a.first(3)
  end

  def test_specs_of_a_file
    path = File.join(temporary, 'records')
    File.write(path, stream(job(1, uid: Process.euid)))
    assert_equal ['1'], JSON.parse(multitenant('specs', '--records', path).out).keys
  end

  def test_texts_in_another_locale
    record = job(1, connection: { host: 'nœud 😀' })
    done = multitenant_process('specs', '--records', '-', stdin: stream(record), as: 2001,
                                                          env: { 'LANG' => 'C', 'LC_ALL' => 'C' })
    assert_equal [0, ''], [done.code, done.err]
    assert_equal 'nœud 😀', JSON.parse(done.out.dup.force_encoding('UTF-8')).dig('1', 'connection', 'host')
  end

  # A label is what its publisher likes.
  def test_nothing_that_a_terminal_would_obey
    name = job(1, connection: { host: 'nœud 😀' })[:name].sub(/\A[^|]*/, "\u009b2J\u202e")
    told = multitenant('specs', '--records', '-', stdin: stream(job(1).merge(name: name)), as: 2001).out
    assert_equal name, JSON.parse(told).dig('1', 'info', 'message')
    opened = multitenant('open', '--job-id', '1', '--user', job(1)[:user], stdin: name).out
    assert_equal 'nœud 😀', JSON.parse(opened).dig('connection', 'host')
    assert_match(/\A[\n -~]+\z/, told + opened)
  end

  # Who reports a weakness sends the records that show it.
  def test_nothing_of_records_of_others_that_a_terminal_would_obey
    cluster = "\e]0;\a\u009b2J\u202e"
    done = explain(stream(job(1)) + stream(job(1), cluster: cluster) + stream(cluster: "b#{cluster}", whole: false))
    assert_equal [65, 2], [done.code, done.out.lines.size], done.err
    assert_match(/cluster b\\u001b/, done.err)
    assert_match(/\A[\t\n -~]+\z/, done.out + done.err)
  end

  def test_explain_is_one_line_a_job
    done = explain(stream(job(2, group_gid: 1), job(1)), as: 2001, env: { 'OOD_CLUSTERS' => clusters })
    assert_equal ["1\tok\tok\tShared with this user.\n",
                  "2\tnot_member\tnot_member\tThis user is not a member of the group that the job name names.\n"],
                 done.out.lines
  end

  # What a button leads to was not the publisher's word alone.
  def test_explain_says_why_no_button_leads_to_a_host
    hosts = { 1 => 'n1', 2 => 'n1.evil.example', 3 => 'n1.edu' }
    jobs = hosts.map { |id, host| job(id, connection: { host: host }) }
    jobs.push(job(4, nodes: nil), job(5, connection: { port: '1' }, nodes: nil))
    env = { 'OOD_CLUSTERS' => clusters, 'MULTITENANT_NODE_DOMAINS' => 'edu' }
    told = explain(stream(*jobs), as: 2001, env: env).out.lines(chomp: true).map { |line| line.split("\t")[3] }
    shared = 'Shared with this user.'
    assert_equal [shared, shared, shared], told.values_at(0, 2, 4)
    assert_match(/\A#{shared} No button leads to its host, which is none of its job's \(MULTITENANT_NODE_DOMAINS\)\.\z/,
                 told[1])
    assert_match(/\A#{shared} No button leads to its host, as the nodes of its job are not known\.\z/, told[3])
  end

  def test_records_that_are_none
    assert_complaint multitenant('specs', '--records', '/nonexistent'), 65, '/nonexistent.*No such file'
    assert_complaint multitenant('specs', '--records', temporary), 65, 'Is a directory'
    { '' => 'no record stream', 'rubbish' => 'Line 1 ',
      stream(whole: false) => 'hpc.*incomplete' }.each do |text, sentence|
      assert_complaint multitenant('specs', '--records', '-', stdin: text), 65, sentence
      assert_complaint explain(text), 65, sentence
      File.write(path = File.join(temporary, 'records'), text)
      assert_complaint multitenant('specs', '--records', path), 65, sentence
    end
  end

  # munged was asked nothing.
  def test_what_munged_said_may_be_an_empty_file
    File.write(path = File.join(temporary, 'opened'), '')
    done = multitenant('specs', '--records', '-', '--opened', path, stdin: stream(job(1)), as: 2001)
    assert_equal ['', ['1']], [done.err, JSON.parse(done.out).keys]
  end

  def test_the_part_that_is_whole_is_shown
    done = multitenant('specs', '--records', '-', as: 2001,
                                                  stdin: stream(job(1)) + stream(job(2), cluster: 'b', whole: false))
    assert_equal [65, ['1']], [done.code, JSON.parse(done.out).keys]
    assert_match(/\Amultitenant: The records of cluster b .*incomplete\.\n\z/, done.err)
  end

  def test_settings_count_and_nonsense_is_a_warning
    env = { 'MULTITENANT_ENVELOPES' => 'munge', 'MULTITENANT_TTL' => 'soon' }
    done = explain(stream(job(1)), as: 2001, env: env)
    assert_equal [0, 'envelope_not_accepted'], [done.code, done.out.split("\t")[1]]
    assert_equal "multitenant: MULTITENANT_TTL=soon makes no sense; 30 is used instead.\n", done.err
  end

  # ---- cards ----

  def test_cards_of_a_viewer
    viewer = Viewer.new(self)
    viewer.env = { 'OOD_CLUSTERS' => clusters }
    { stream(job(1)) => 'written', stream(job(1)) + stream(cluster: 'b') => 'kept',
      stream => 'removed' }.each do |text, action|
      done = viewer.multitenant('cards', '--records', '-', stdin: text)
      assert_equal ["#{action} #{uuid(1)}\n", '', 0], done.to_a.first(3)
    end
  end

  # The data root: of OOD's setting, of the option, of the portal.
  def test_where_the_cards_are
    viewer = Viewer.new(self)
    { {} => 'ondemand/data/sys/dashboard', { 'OOD_PORTAL' => 'my' } => 'my/data/sys/dashboard',
      { 'OOD_DATAROOT' => File.join(viewer.home, 'set') } => 'set' }.each do |env, root|
      viewer.multitenant('cards', '--records', '-', stdin: stream(job(1)), env: { 'OOD_CLUSTERS' => clusters, **env })
      assert_path_exists File.join(viewer.home, root, 'batch_connect/db', uuid(1))
    end
    viewer.multitenant('cards', '--records', '-', '--dataroot', File.join(viewer.home, 'option'),
                       stdin: stream(job(1)), env: { 'OOD_CLUSTERS' => clusters, 'OOD_DATAROOT' => '/nonexistent' })
    assert_path_exists File.join(viewer.home, 'option/batch_connect/db', uuid(1))
  end

  def test_dry_run
    viewer = Viewer.new(self)
    viewer.env = { 'OOD_CLUSTERS' => clusters }
    done = viewer.multitenant('cards', '--records', '-', '--dry-run', stdin: stream(job(1)))
    assert_equal ["would write #{uuid(1)}\n", 0], [done.out, done.code]
    assert_empty Dir.children(viewer.home)
    viewer.look(stream(job(1)))
    assert_equal "would remove #{uuid(1)}\n", viewer.multitenant('cards', '--remove-all', '--dry-run').out
    assert_path_exists viewer.db(uuid(1))
  end

  def test_remove_all_asks_nobody
    viewer = Viewer.new(self)
    viewer.look(stream(job(1)))
    done = viewer.multitenant('cards', '--remove-all')
    assert_equal ["removed #{uuid(1)}\n", '', 0], done.to_a.first(3)
    assert_equal ['', '', 0], viewer.multitenant('cards', '--remove-all').to_a.first(3)
    FileUtils.mkdir_p(viewer.path('sys/multitenant-delivery_never/output'))
    FileUtils.chown_R(viewer.uid, nil, viewer.path('sys'))
    assert_equal ['', '', 0], viewer.multitenant('cards', '--remove-all').to_a.first(3)
    assert_empty Dir.children(viewer.path('sys'))
  end

  def test_remove_all_takes_what_services_told_clients_that_have_ended
    viewer = Viewer.new(self)
    at = viewer.output(uuid(1), token: 'sys/multitenant-gradio')
    files = %w[service.sh members.json].map { |name| File.join(at, name) }
    files.each { |file| viewer.write(file, '{"service":"7","of":"1001@hpc"}') }
    what = "#{at.delete_prefix("#{viewer.dataroot}/")}/{service.sh,members.json}"
    assert_equal ["would remove #{what}\n", '', 0],
                 viewer.multitenant('cards', '--remove-all', '--dry-run').to_a.first(3)
    files.each { |file| assert_path_exists file }
    assert_equal ["removed #{what}\n", '', 0], viewer.multitenant('cards', '--remove-all').to_a.first(3)
    assert_empty Dir.children(at)
  end

  def test_remove_all_says_that_there_is_no_such_data_root
    viewer = Viewer.new(self)
    viewer.look(stream(job(1)))
    done = viewer.multitenant('cards', '--remove-all', env: { 'OOD_DATAROOT' => '/nonexistent/x' })
    assert_complaint done, 78, 'no data root /nonexistent/x'
    File.chown(0, 0, viewer.dataroot)
    File.chmod(0o755, viewer.dataroot)
    assert_complaint viewer.multitenant('cards', '--remove-all'), 73, "#{viewer.dataroot}.*not ours"
  end

  def dismissed_viewer
    viewer = Viewer.new(self)
    viewer.env = { 'OOD_CLUSTERS' => clusters }
    viewer.session(stream(job(1))) do |receiver|
      receiver.refresh
      receiver.dismiss(uuid(1))
    end
    viewer
  end

  def test_restore
    viewer = dismissed_viewer
    assert_equal '',
                 viewer.multitenant('cards', '--records', '-', stdin: stream(job(1))).out.sub("removed #{uuid(1)}\n",
                                                                                              '')
    assert_equal ["restored #{uuid(1)}\n", '', 0], viewer.multitenant('cards', '--restore', uuid(1)).to_a.first(3)
    assert_equal "written #{uuid(1)}\n", viewer.multitenant('cards', '--records', '-', stdin: stream(job(1))).out
    assert_complaint viewer.multitenant('cards', '--restore', uuid(1)), 65, "#{uuid(1)}.*#{viewer.dataroot}"
  end

  def test_a_dry_run_restores_nothing
    viewer = dismissed_viewer
    before = snapshot(viewer.home)
    assert_complaint viewer.multitenant('cards', '--dry-run', '--restore', uuid(1)), 64, '--dry-run'
    assert_equal before, snapshot(viewer.home)
  end

  def test_cards_that_can_not_be_written
    viewer = Viewer.new(self)
    File.chmod(0o500, viewer.home)
    done = viewer.multitenant('cards', '--records', '-', stdin: stream(job(1)), env: { 'OOD_CLUSTERS' => clusters })
    assert_equal [73, ''], [done.code, done.out]
    done.err.lines.each { |line| assert_match(/\Amultitenant: .*: [A-Z].*\n\z/, line) }
    assert_includes done.err, "multitenant: #{viewer.dataroot}: "
  end

  def test_a_user_without_a_home
    used = []
    Etc.passwd { |entry| used << entry.uid }
    stranger = ([*60_000..60_999] - used)[0]
    done = multitenant_process('cards', '--records', '-', stdin: stream, as: stranger, env: { 'HOME' => nil })
    assert_equal [1, true], [done.err.lines.size, done.code.positive?]
    refute_match(/\.rb:/, done.err)
  end

  # ---- jobs, with a query program of the test's ----

  # @return [String] a lib/ whose query program is this script
  def lib_with(body)
    dir = File.join(temporary, "lib-#{rand(1 << 32)}")
    Dir.mkdir(dir)
    lib = Tree.copy(dir)
    path = File.join(lib, 'multitenant/multitenant-query')
    FileUtils.rm_f(path)
    File.write(path, "#!/bin/sh\n#{body}\n", perm: 0o755) if body
    lib
  end

  def test_jobs_prints_what_the_program_prints
    lib = lib_with('echo "$@" >&2; printf "a\\377\\0b\\n"')
    done = multitenant_process('jobs', lib: lib)
    assert_equal ["a\xFF\0b\n".b, '', 0], [done.out.b, done.err, done.code]
    lib = lib_with('echo "$@"')
    assert_equal "--wckey k --timeout 1.8 --cluster c\n",
                 multitenant_process('jobs', '--wckey', 'K', '--cluster', 'c', '--timeout', '2', lib: lib).out
  end

  # Where Slurm is asked by its slurmrestd alone, no query program is.
  def test_jobs_of_a_cluster_are_asked_of_the_slurmrestd_that_it_has
    cluster = { 'job' => { 'adapter' => 'slurm', 'cluster' => 'hpc' },
                'custom' => { 'multitenant' => { 'slurmrestd' => rest.url, 'token' => token } } }
    File.write(File.join(temporary, 'hpc.yml'), YAML.dump('v2' => cluster))
    settings = { 'MULTITENANT_SLURMRESTD' => rest.url, 'MULTITENANT_SLURMRESTD_TOKEN' => token }
    lib = lib_with(nil)
    [{ 'OOD_CLUSTERS' => temporary }, { 'OOD_CLUSTERS' => '/nonexistent', **settings }].each do |env|
      done = multitenant_process('jobs', '--timeout', '60', '--cluster', 'HPC', env: env, lib: lib)
      assert_equal ['', 0, ['hpc', 7]],
                   [done.err, done.code, JSON.parse(done.out.lines.fetch(1)).values_at('cluster', 'job_id')]
      assert_complaint multitenant_process('jobs', '--timeout', '60', '--cluster', 'no', env: env, lib: lib), 78,
                       'slurmrestd tells of cluster hpc, not of no'
    end
  end

  # As it is for programs; a publisher's C1 control or turned direction is none in JSON.
  def test_jobs_prints_nothing_that_a_terminal_would_obey
    lib = lib_with('printf \'{"name":"a\\302\\233b\\342\\200\\256\\377"}\\n\'')
    assert_equal "{\"name\":\"a\u009bb\u202e\xFF\"}\n".b, multitenant_process('jobs', lib: lib).out.b
    out = PTY.spawn(*command(lib), 'jobs') { |terminal, _, pid| break terminal.gets.tap { Process.wait(pid) } }
    assert_equal '{"name":"a\u009bb\u202e?"}', out.chomp
  end

  def test_jobs_gives_the_programs_code_and_sentence
    [64, 69, 70, 75, 78].each do |code|
      program = "echo '{\"multitenant\":1}'; echo 'multitenant-query: why' >&2; exit #{code}"
      done = multitenant_process('jobs', lib: lib_with(program))
      assert_equal ["{\"multitenant\":1}\n", "multitenant: why\n", code], done.to_a.first(3)
    end
  end

  def test_jobs_without_a_program_or_in_time
    assert_complaint multitenant_process('jobs', lib: lib_with(nil)), 78, 'libslurm-dev'
    assert_promised(3) do
      hanging = multitenant_process('jobs', '--timeout', '0.3', lib: lib_with('sleep 60'))
      assert_complaint(hanging, 75, 'within 0.3 s').seconds
    end
  end

  def test_specs_and_cards_from_the_program
    file = File.join(temporary, 'records')
    File.write(file, stream(job(1)))
    lib = lib_with("cat #{file}")
    assert_equal ['1'], JSON.parse(multitenant_process('specs', lib: lib, as: 2001).out).keys
    assert_complaint multitenant_process('cards', lib: lib_with('echo no >&2; exit 69'), as: 2001), 69, 'no'
  end

  # ---- pipes and signals ----

  # A reader that went away, as `| head` does: nothing to complain about.
  def test_a_closed_pipe
    records = stream(*(1..40).map { |id| job(id, uid: 1000 + (id / 30), message: { mtm: 'form' }) })
    file = File.join(temporary, 'records')
    File.write(file, records)
    [['--help'], ['specs', '--records', file], ['specs', '--records', file, '--explain']].each do |argv|
      reader, writer = IO.pipe
      reader.close
      err_reader, err_writer = IO.pipe
      pid = Process.spawn(*command, *argv, out: writer, err: err_writer)
      [writer, err_writer].each(&:close)
      assert_equal ['', 0], [err_reader.read, Process.wait2(pid)[1].exitstatus], argv
      err_reader.close
    end
  end

  def command(lib = Tree.lib)
    [RbConfig.ruby, '-I', lib, File.join(File.dirname(lib), 'exe/multitenant')]
  end

  # What could not be written is no success.
  def test_a_full_disk
    [['--help'], %w[specs --records -], %w[specs --records - --explain]].each do |argv|
      done = run_as(nil, 'sh', '-c', 'exec "$@" >/dev/full', 'sh', *command, *argv, stdin: stream(job(1)))
      assert_equal [false, 1], [done.code.zero?, done.err.lines.size], argv
      refute_match(/\.rb:/, done.err)
    end
  end

  def test_an_interrupt_says_nothing_and_leaves_no_program
    file = File.join(temporary, 'pid')
    reader, writer = IO.pipe
    old = trap('INT') {} # else a test run in the background hands down that it is ignored
    pid = Process.spawn(*command(lib_with("echo $$ >#{file}; exec sleep 60")), 'jobs', '--timeout', '60',
                        out: writer, err: writer)
    trap('INT', old || 'DEFAULT')
    writer.close
    wait_until { File.size?(file) }
    Process.kill(:INT, pid)
    assert_equal [130, ''], [Process.wait2(pid)[1].exitstatus, reader.read]
    refute_path_exists "/proc/#{Integer(File.read(file))}"
  end
end
