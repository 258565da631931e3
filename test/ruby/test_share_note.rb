# frozen_string_literal: true

require_relative 'fake_job'
require_relative 'munged'
require 'erb'
require 'pathname'

# What the owner's card says of their share: with whom, how it is sealed, and what went wrong.
class TestShareNote < Minitest::Test
  include FakeJob

  Answers = Struct.new(:enable_multitenant, :mt_delivery_select, :mt_method, :auto_multitenant_groups)

  def setup
    super
    a_job
    fake('getent', <<~'BASH')
      case "$*" in
        'group -- lab') echo 'lab:x:3000:ann,bob' ;;
        passwd*) printf '%s\n' ann:x:2001:1:: bob:x:2002:1:: ;;
        *) exit 2 ;;
      esac
    BASH
  end

  # @return [Array(String, String)] what the card says of what a job with these answers shares, and the job's log
  def card(*answers, share: 'multitenant_share host=n1', **site)
    script = MultiTenant.share_script(Answers.new(*answers), session: ID, site: site.transform_keys(&:to_s))
    end_of = 'quote_for_card mt_shared; echo "mt_shared: $mt_shared"'
    done = share(command: ['bash', '-c', "find_port() { :; }\n#{script}\n#{share}\n#{end_of}"])
    connection = YAML.safe_load(done.out)
    note = MultiTenant.share_note(connection['mt_shared'])
    assert_match(%r{\A(<p>[^<>]*</p>)+\z}, note)
    [CGI.unescapeHTML(note.gsub('</p><p>', ' ').gsub(/<[^>]*>/, '')), done.err]
  end

  PUBLIC = 'Every user of the cluster can read what is shared, passwords too (envelope v1).'

  def test_with_whom_and_where
    told, log = card('mt', 'DB_Conn sys/x', 'card', 'lab')
    assert_equal "Shared with 2 other members of lab, as a card and a choice in forms. #{PUBLIC}", told
    assert_match(/: job 4711 is shared as DB_Conn with lab \(envelope v1, \d+ of 1024 bytes\)$/, log)
    told, = card('mt', 'DB_Conn sys/x', 'form', 'lab', share: 'multitenant_share --to 2001 host=n1')
    assert_equal "Shared with 1 other member of lab, as a choice in forms. #{PUBLIC}", told
    assert_equal "Shared with you alone, as a choice in forms. #{PUBLIC}", card('user', 'DB_Conn sys/x')[0]
    assert_equal 'Shared with nobody. To share it, delete this session and start another one.', card('none')[0]
  end

  ALONE = 'Nobody else can use it: a gateway asks each for a token of their own.'
  OPEN = 'Whoever reaches it can use it: there is no gateway, since envelope v1 has no secret to log in with.'
  # What share_service makes of it.
  GUARDED = 'plan_gateway port; multitenant_share host=n1; mt_shared="$mt_gate_note|$mt_shared"'

  def test_who_else_can_use_it
    told = MultiTenant.share_note('gateway|shared card munge group lab')
    assert_equal "<p>Shared with all members of lab, as a card and a choice in forms.</p><p>#{ALONE}</p>" \
                 "<p>#{MultiTenant::Sharing::SEALED['munge']}</p>", told
    told, = card('mt', 'DB_Conn sys/x', 'card', 'lab', share: GUARDED, gateway: 'auto')
    assert_equal "Shared with 2 other members of lab, as a card and a choice in forms. #{OPEN} #{PUBLIC}", told
    error = assert_raises(MultiTenant::Failure) { card('mt', 'DB_Conn sys/x', 'card', 'lab', gateway: 'required') }
    assert_match(/shares through a gateway alone, and envelope v1 has none/, error.message)
    [[{}, ALONE], [{ 'envelope' => 'v1' }, OPEN]].each do |site, sentence|
      site = { 'envelope' => 'munge', 'gateway' => 'auto' }.merge(site)
      assert_includes MultiTenant.share_form([], site: site)['enable_multitenant'][:help], sentence
    end
  end

  # The form proposed it, and everybody who reached the port had an Ollama, or an application.
  def test_what_is_shared_with_nobody_is_not_served_where_nothing_is_without_a_gateway
    { 'munge' => /choose Only Myself, or a group/, 'v1' => /envelope v1 has none/ }.each do |envelope, sentence|
      ['none', ''].each do |whom|
        error = assert_raises(MultiTenant::Failure) { card(whom, envelope: envelope, gateway: 'required') }
        assert_match sentence, error.message
      end
    end
    told, = card('none', envelope: 'munge', gateway: 'auto')
    assert_equal 'Shared with nobody. To share it, delete this session and start another one.', told
    { %w[required munge] => %w[user mt], %w[auto munge] => %w[user none mt], %w[auto v1] => %w[none user mt],
      %w[off munge] => %w[none user mt] }.each do |(gateway, envelope), choices|
      asked = MultiTenant.share_form([], site: { 'gateway' => gateway, 'envelope' => envelope })['enable_multitenant']
      assert_equal choices, asked[:options].map { |option| option[1] }, [gateway, envelope]
      assert_equal choices == %w[user none mt], asked[:help].include?('With *Nobody* there is none')
    end
  end

  # A job of a session, on a node that may lack something. nginx and the gate of its gateway are such as listen at once.
  def plan(how, lacks: '', session: 'one', state: '', **site)
    FileUtils.mkdir_p(in_job(session))
    site = { 'envelope' => 'munge', 'gateway' => 'auto' }.merge(site.transform_keys(&:to_s))
    script = MultiTenant.share_script(Answers.new('mt', 'DB_Conn sys/x', 'card', 'lab'), session: ID, site: site)
    share(env: { 'XDG_STATE_HOME' => in_job('state') }, command: ['bash', '-c', <<~BASH])
      find_port() { :; }
      #{script}
      host=n1 port=1 mt_directory=#{in_job(session)} mt_state=#{state} mt_gate_program=true mt_nginx=true
      can_guard() { WHY='this node has no nginx' && [[ '#{lacks}' != nginx ]]; }
      can_isolate() { WHY='this node has no socat' && [[ '#{lacks}' != socat ]]; }
      run_gateway() { exec /bin/sleep 60; }
      sockets() { SOCKETS=(one); }
      plan_gateway #{how}
      [[ -z $mt_guard ]] || start_gateway 127.0.0.1:2
      echo "as $mt_guard."
    BASH
  end

  def assert_planned(told, *args, **more)
    done = plan(*args, **more)
    assert_equal [told, 0], [done.out, done.code], done.err
  end

  # Its owner and its tenants were told that nobody else can use it; of a database, some that they may only read.
  def test_what_had_a_gateway_is_served_without_one_by_no_later_job
    2.times { assert_planned "as .\n", 'port', lacks: 'nginx' }
    assert_planned "as port.\n", 'port'
    assert_planned "as port.\n", 'socket', lacks: 'socat'
    done = plan('port', lacks: 'nginx')
    assert_equal [1, '', "this node has no nginx: nothing is served, as this service had a gateway before.\n"],
                 [done.code, done.out, done.err]
    assert_planned "as socket.\n", 'socket'
    done = plan('socket', lacks: 'socat')
    assert_equal [1, ''], [done.code, done.out]
    assert_match(/\Athis node has no socat: nothing is served, as nobody reached this service past its/, done.err)
    assert_planned "as .\n", 'port', lacks: 'nginx', session: 'another'
  end

  # A service that is launched anew has its bans, which only a gateway goes by.
  def test_whoever_is_banned_keeps_what_is_launched_anew_behind_a_gateway
    FileUtils.mkdir_p(gate = in_job('service/gate'))
    File.write(banned = File.join(gate, 'banned'), '')
    assert_planned "as .\n", 'port', lacks: 'nginx', state: in_job('service')
    File.write(banned, "2001\n")
    done = plan('port', lacks: 'nginx', state: in_job('service'))
    assert_equal [1, '', "this node has no nginx: nothing is served, as this service had a gateway before.\n"],
                 [done.code, done.out, done.err]
  end

  # Its form asks what others may do, which nobody goes by then.
  def test_what_all_may_do_in_a_database_without_a_gateway_is_said
    template = File.join(Tree::ROOT, 'apps-services/multitenant-database/template/before.sh.erb')
    FileUtils.mkdir_p(root = in_job('multitenant-database'))
    File.write(File.join(root, 'site.yml'), "cluster: hpc\nkinds: mysql,postgresql\n")
    session = Struct.new(:id, :staged_root, :app).new(ID, Pathname.new(temporary), Struct.new(:root).new(root))
    answers = Struct.new(:version, :db_data, :db_name, :db_user, :db_pass, *Answers.members)
    told = %w[mysql postgresql].product(['', 'port']).map do |kind, guard|
      text = ERB.new(File.read(template), trim_mode: '-')
                .result_with_hash(session: session, context: answers.new(kind, '/d', 'd', 'u', 'p', 'none'))
      planned = "plan_gateway() { mt_guard=#{guard} mt_gate_note=#{guard.empty? ? 'None.' : 'gateway'}; }\n" \
                "choose_port() { :; }\nmt_gateway=auto\n"
      script = text.sub(/^(?=export mt_kind=)/, planned)
      share(command: ['bash', '-c', "#{script}\necho \"$mt_gate_note\""]).out.chomp
    end
    all = 'Everybody uses one user, with all that this may do'
    assert_equal [*["#{all}: MySQL has no gateway."] * 2, "None. #{all}.", 'gateway'], told
  end

  def test_a_form_offers_no_card_that_dashboards_refuse
    presets = [%w[Own App sys/multitenant-delivery_default], %w[Debug debug sys/multitenant-delivery_debug]]
    { nil => %w[Own Debug], 'sys/multitenant-delivery_default,sys/multitenant-delivery_readfile' => %w[Own],
      'sys/multitenant-delivery_d*' => %w[Own Debug], 'sys/lab-card' => %w[Own Debug] }.each do |allowed, labels|
      ENV['MULTITENANT_DELIVERY'] = allowed
      offered = MultiTenant.share_form(presets)['mt_delivery_select'][:options]
      assert_equal labels, offered.map(&:first), allowed
    end
  ensure
    ENV.delete('MULTITENANT_DELIVERY')
  end

  def test_what_start_up_files_print_is_not_taken_for_the_answer
    start_up = File.join(temporary, 'start_up')
    File.write(start_up, "echo Welcome\n")
    told, = card('mt', 'DB_Conn sys/x', 'form', 'lab', share: "export BASH_ENV=#{start_up}; multitenant_share host=n1")
    assert_equal "Shared with 2 other members of lab, as a choice in forms. #{PUBLIC}", told
  end

  # The publisher is of the group, and in no list: so are others.
  def test_members_whom_the_name_service_does_not_list
    gid = [Process.gid, *Process.groups].first
    fake('getent', %([[ $1 == passwd ]] && echo 'ann:x:2001:1::' || echo 'lab:x:#{gid}:ann'))
    told, log = card('mt', 'DB_Conn sys/x', 'card', 'lab')
    assert_equal 'Shared with 1 other member of lab, as a card and a choice in forms. There are others whom the name ' \
                 "service does not list, as envelope v1 needs it. The file output.log says more. #{PUBLIC}", told
    assert_match(/members of the group lab are missing in its list, as you are yourself: SSSD/, log)
  end

  def test_how_it_is_sealed
    group = Etc.getgrgid(Process.gid).name
    munged = Munged.new(File.join(temporary, 'munge').tap { |dir| Dir.mkdir(dir) })
    FileUtils.rm_f(in_job('getent'))
    told, log = card('mt', 'App sys/x', 'card', group, envelope: 'munge', munge_socket: munged.socket)
    assert_equal "Shared with all members of #{group}, as a card and a choice in forms. " \
                 'Nobody else can read what is shared: it is sealed by munge.', told, log
    assert_includes MultiTenant.share_note('shared card key group a <b>'), 'of a &lt;b&gt;'
  ensure
    munged&.stop
  end

  def test_what_is_wrong_in_words
    { 'multitenant_share host=n1 host=n2' => 'Not shared: the KEY host is given twice.',
      'multitenant_share --to 2001,x host=n1' => /\ANot shared: say who it is for: .*\. The file/,
      "multitenant_share value='#{'x' * 4097}'" =>
        'Not shared: the value of value has 4097 bytes, and 4096 can be shared: shorten it.',
      'multitenant_send() { return 139; }; multitenant_share host=n1' => 'Not shared.' }.each do |share, sentence|
      told, = card('mt', 'App sys/x', 'card', 'lab', share: share)
      sentence = "#{sentence} The file output.log says more." if sentence.is_a?(String)
      assert_operator sentence, :===, told
    end
    told, = card('mt', 'App sys/x', 'card', 'nosuch')
    assert_match(/\ANot shared: there is no group nosuch on this node\. The/, told)
    File.write(in_job('down'), '')
    told, log = card('mt', 'App sys/x', 'card', 'lab')
    assert_equal 'Not shared: Slurm did not give the job its new name. The file output.log says more.', told
    assert_match(/Unable to contact slurm controller/, log)
  end

  def test_a_job_from_before_an_upgrade_has_no_note
    [nil, '', 0, 75].each { |told| assert_equal '', MultiTenant.share_note(told) }
  end

  # The code is an app's own to look at.
  def test_the_code_is_returned
    { '9a=1' => 64, 'a=1' => 0 }.each do |pair, code|
      _, log = card('mt', 'App sys/x', 'card', 'lab', share: "multitenant_share #{pair}; echo \"code $?\" >&2")
      assert_includes log, "code #{code}\n"
    end
  end
end
