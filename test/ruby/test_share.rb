# frozen_string_literal: true

require 'minitest/mock'
require_relative 'fake_job'

# What libexec/multitenant-share makes of its arguments.
class TestShare < Minitest::Test
  include FakeJob

  def setup
    super
    a_job
  end

  def test_a_share_is_the_plain_name_the_group_and_what_all_readers_open
    done = share!(*COMMON, 'host=n1', 'password', env: { 'password' => 'pä s' })
    assert_equal %w[plain hpcGrp], job_name.split('|').first(2)
    assert_equal 'multitenant-share: job 4711 is shared as Service with hpcGrp ' \
                 "(envelope v1, #{job_name.bytesize} of 1024 bytes)\n",
                 done.out
    assert_equal ["JobId=4711 JobName=#{job_name}"], updates
    assert_opens({ 'host' => 'n1', 'password' => 'pä s' })
  end

  # bash has process substitution in that mode since 5.1 alone, and getent and sed are others in it.
  def test_where_posixly_correct_is_exported
    fake('scontrol', "[[ -z ${POSIXLY_CORRECT+x} ]] || exit 1\n#{FakeJob::SCONTROL}")
    share!(*COMMON, 'host=n1', env: { 'POSIXLY_CORRECT' => '1' })
    assert_opens({ 'host' => 'n1' })
  end

  # A site's wrapper may be in bash.
  def test_what_start_up_files_print_is_no_answer_of_scontrols
    File.write(in_job('start_up'), "[[ $0 != *scontrol ]] || echo Welcome\n")
    share!(*COMMON, 'host=n1', env: { 'BASH_ENV' => in_job('start_up') })
    assert_equal 'plain', job_name.split('|')[0]
  end

  def test_options_that_start_up_files_export_for_each_bash
    fake('scontrol', "[[ $- != *[Ceufk]* ]] || exit 1\n#{SCONTROL}") # as a wrapper that would not get far with them
    share!(*COMMON, 'host=n1', 'password', env: { 'password' => 'p', 'SHELLOPTS' => 'keyword:noclobber:noglob' })
    assert_opens({ 'host' => 'n1', 'password' => 'p' })
    done = share(*COMMON, 'password', env: { 'password' => 'p', 'SHELLOPTS' => 'keyword' })
    assert_equal [0, 1], [done.code, done.err.lines.size]
    assert_match(/no KEY=VALUE came here: .* keyword .*`set \+k`/, done.err)
    assert_opens({ 'password' => 'p' })
  end

  # Some of bash's older ways put quotes into what is replaced.
  def test_where_an_older_bash_is_asked_for
    fake('munge', 'cat >"${0%/*}/message"; echo MUNGE:AAAA:')
    fake('unmunge', 'cat >/dev/null')
    text = %q(a"b\c)
    share!(*PLAIN.drop(2), '--only-me', '--envelope', 'munge', "text=#{text}", env: { 'BASH_COMPAT' => '4.2' })
    assert_equal text, JSON.parse(File.read(in_job('message')))['conn']['text']
  end

  def test_a_name_that_is_no_ascii_stays_the_label
    a_job(name: 'dédé job')
    share!(*COMMON, 'host=n1')
    assert_equal ['dédé job', 'hpcGrp'], job_name.split('|').first(2)
    assert_opens({ 'host' => 'n1' })
    share!('--unshare')
    assert_equal 'dédé job', job_name
  end

  random = Random.new(4)
  printable = (0x20..0x7e).map(&:chr)
  { every_printable: printable.join, quotes: %('"`''""), empty: '', blanks: '  a  b ', bars: '||\\|\\\\',
    unicode: "€😀 é\u2028", looks_like_escapes: '\\u0027 \\n $(id) & * \\0', longest: 'x' * 4096,
    random: Array.new(64) { (printable + %w[€ ä]).sample(random: random) }.join }.each do |what, text|
    define_method("test_any_text_arrives_#{what}") do
      share!(*COMMON, 'host=n1', 'value', "public=#{text}", env: { 'value' => text })
      assert_opens({ 'host' => 'n1', 'value' => text, 'public' => text })
    end
  end

  def test_what_no_reader_can_take_is_refused
    { "two\nlines" => 'U\+000A', "\u007f" => 'U\+007F', "\u0085" => 'U\+0085', "a\ufeff" => 'U\+FEFF',
      "\uffff" => 'U\+FFFF', "\xff" => 'UTF-8', "\xc0\x80" => 'UTF-8', "\xed\xa0\x80" => 'UTF-8',
      "a\xe2\x82" => 'UTF-8', "\xe0\x82\xa0" => 'UTF-8', "\x80" => 'UTF-8',
      "\xf4\x90\x80\x80" => 'UTF-8', "\xe2(\xa1" => 'UTF-8', 'x' * 4097 => '4097 bytes' }.each do |text, why|
      refute_shared 65, /: the value of secret .*#{why}/, *COMMON, 'secret', env: { 'secret' => text }
    end
    assert_empty updates
  end

  def test_what_policy_would_refuse_is_refused
    { %w[9a=1] => /can't be a KEY/, %w[a-b=1] => /can't be a KEY/, ["#{'k' * 65}=1"] => /can't be a KEY/,
      %w[=x] => /KEY/, %w[jobid=1] => /Open OnDemand uses it/, %w[eval=1] => /uses it/, %w[a=1 a=2] => /given twice/,
      %w[unset_one] => /not an exported/, %w[--method both] => /--method/, %w[--delivery sys/../x] => /--delivery/,
      %w[--delivery dev/x] => /--delivery/, %w[--delivery sys/.x] => /--delivery/,
      %w[--session 0189ABCD] => /--session/, ['--app', 'a<b'] => /--app must not/, ['--app', ' a'] => /blank/,
      ['--app', 'a '] => /blank/, ['--app', "a\u00a0"] => /U\+00A0/, ['--app', "a\u3000b"] => /U\+3000/,
      ['--app', ''] => /--app/, ['--title', 'a<b'] => /--title must not/, ['--title', ' a'] => /blank/,
      ['--title', 'é' * 65] => /--title .*64/, %w[mt_title=1] => /uses it/, ['--app', "a\u200bb"] => /U\+200B/,
      ['--app', 'é' * 65] => /64 characters/,
      ['--title', "a\uFFFC"] => /U\+FFFC/, ['--title', "Z\u0300\u0e47\u0301\u0f71\u20dd"] => /more than 4 marks/,
      ['--group', 'a|b'] => /--group/, ['--to', '2001,'] => /who it is for/,
      ['--to', '02'] => /who it is for/,
      ['--to', '1,4294967295'] => /4294967295 is no uid/, ['--only-me'] => /who it is for/,
      ['--label', 'a|b'] => /--label/,
      ['--wait', 'https://n1'] => /--wait/, ['--wait', 'n1'] => /--wait/,
      ['--wait-seconds', '1m'] => /--wait-seconds/, ['--frob'] => /no option --frob/, ['--to'] => /wants a value/ }
      .each { |argv, why| refute_shared 64, why, *COMMON, *argv }
    refute_shared 64, /who it is for/, *PLAIN, '--to', ''
    refute_shared 64, /--envelope/, *COMMON, '--envelope', 'v2'
    refute_shared 65, /host has 254 bytes, and 253 can be shared/, *COMMON, "host=#{'x' * 254}"
    refute_shared 65, /65 KEYs/, *COMMON, *(1..65).map { |n| "k#{n}=1" }
    refute_shared 64, /SLURM_JOB_ID/, *COMMON, env: { 'SLURM_JOB_ID' => nil }
    assert_empty updates
  end

  Core = MultiTenant::Core

  # Its tables are those of the reader.
  def test_tables
    text = File.read(SHARE)
    assert_equal Core::RESERVED_KEYS, text[/RESERVED='(.*?)'/m, 1].split
    { 'UNSEEN' => Core::UNSEEN, 'MARKS' => Core::MARKS }.each do |name, ranges|
      assert_equal ranges, text[/#{name}='(.*?)'/m, 1].scan(/(\h+)-(\h+)/).map { |a, z| a.hex..z.hex }, name
    end
    { jobname: 'NAME', message: 'MESSAGE', munge_text: 'MUNGE', conn_keys: 'KEYS', conn_key: 'KEY', conn_value: 'VALUE',
      host: 'HOST', app_chars: 'APP', token_part: 'TOKEN', marks: 'MARKS', name: 'GROUP', service: 'SERVICE',
      until: 'UNTIL', lead: 'LEAD', gate: 'GATE', recipients: 'RECIPIENTS',
      address_check: 'CHECK' }.each do |limit, ours|
      assert_equal Core::LIMITS.fetch(limit), Integer(text[/ #{ours}_MAX=(\d+)/, 1]), ours
    end
    assert_equal Core::LIMITS.fetch(:gate_min), Integer(text[/ GATE_MIN=(\d+)/, 1])
    assert_equal "multitenant-share #{MultiTenant::VERSION}\n", share('--version').out
    assert_match(/\AUsage: /, share!('--help', env: { 'SLURM_JOB_ID' => nil }).out)
  end

  def test_an_app_may_have_any_name_that_a_card_can_show
    share!(*COMMON, '--app', 'Größe 4 | (r-1) 數 😀')
    assert_equal 'Größe 4 | (r-1) 數 😀', MultiTenant::Native.open(4711, 'root', job_name)[1]['mta']
  end

  def test_a_title
    share!(*COMMON, '--title', 'Spanish 301 | (ñ)', 'host=n1')
    opened = MultiTenant::Native.open(4711, 'root', job_name)
    assert_equal [{ 'host' => 'n1' }, { 'title' => 'Spanish 301 | (ñ)' }], opened.last(2)
    title = "\u1EA1\u0302\u0301\u0307\u0308a\u0308"
    share!(*COMMON, '--title', title, 'host=n1')
    assert_equal title, MultiTenant::Native.open(4711, 'root', job_name).last['title']
    share!(*COMMON, '--title', '', 'host=n1')
    assert_opens({ 'host' => 'n1' })
  end

  # What v1 carries: a number as text. A shell has no more than texts.
  def test_the_keys_of_a_service_are_those_that_readers_take
    told = Vectors.read('service').map { |vector| vector.values_at('label', 'keys', 'reason_v1') }
    told.reject! { |_, keys,| keys.values.any? { |value| value.is_a?(Array) || value.to_s.match?(/\A\z|\0/) } }
    assert_operator told.size, :>, 35
    told.each do |label, keys, reason|
      argv = keys.map { |key, value| "--#{key}=#{value}" }
      next refute_shared(64, /: --#{keys.keys.last} must /, *COMMON, *argv, 'host=n1') unless reason == 'ok'
      next refute_shared(64, /: --until is over /, *COMMON, *argv, 'host=n1') if keys['until'] == 1_700_000_000

      share!(*COMMON, *argv, 'host=n1')
      whole = keys.to_h { |key, value| [key, key == 'service' ? value.to_s : Integer(value)] }
      assert_equal [{ 'host' => 'n1' }, whole], MultiTenant::Native.open(4711, 'root', job_name).last(2), label
      rename('plain')
    end
  end

  def test_a_service_is_named_and_ends_in_a_time_to_come
    [%w[--until 2000000000], %w[--lead 5], %w[--service= --lead 5]].each do |argv|
      refute_shared 64, /--until and --lead are of a service .* --service$/, *COMMON, *argv, 'host=n1'
    end
    refute_shared 64, /--until is over since \d+ s/, *COMMON, *%w[--service a --until 1700000000], 'host=n1'
    %w[mt_service mt_until mt_lead].each { |key| refute_shared 64, /uses it/, *COMMON, "#{key}=1" }
    share!(*COMMON, '--service', '', 'host=n1')
    assert_opens({ 'host' => 'n1' })
  end

  Answers = Struct.new(:enable_multitenant, :mt_delivery_select, :mt_method, :auto_multitenant_groups, :mt_title)

  def test_the_title_in_a_form_is_the_senders
    script = lambda do |*title|
      MultiTenant.share_script(Answers.new('mt', 'App sys/x', 'card', 'hpcGrp', *title), session: ID)
    end
    assert_includes script[' Spanish 301 '], ' --title Spanish\\ 301 '
    [script[' '], script[]].each { |text| refute_match(/bash -s -- .* --title/, text) }
  end

  # The sender would refuse it once it has waited in the queue.
  def test_a_title_that_nothing_can_have_is_refused_before_there_is_a_job
    titles = ["Anna's", 'R&D', 'Physics "A"', '<b>', 'a`b', 'a\\b', 'a' * 65, "a\u200bb"]
    titles.product(%w[mt user]).each do |title, whom|
      answers = Answers.new(whom, 'App sys/x', 'card', 'hpcGrp', title)
      error = assert_raises(MultiTenant::Failure) { MultiTenant.share_script(answers, session: ID) }
      assert_includes error.message, "called #{title.inspect}: choose a title of at most 64 characters, without apostr"
    end
    assert MultiTenant.share_script(Answers.new('none', 'App sys/x', 'card', 'hpcGrp', titles[0]), session: ID)
  end

  def test_a_job_of_a_service_app_looks_for_keys_where_dashboards_do
    keys = ENV.fetch('MULTITENANT_KEYS', nil)
    text = lambda do |path|
      ENV['MULTITENANT_KEYS'] = path
      MultiTenant.share_script(Answers.new('mt', 'App sys/x', 'card', 'hpcGrp'), session: ID)
    end
    assert_match(%r{ MULTITENANT_KEYS=/shared/keys bash -s -- }, text['/shared/keys'])
    refute_match(/MULTITENANT_KEYS=.* bash -s/, text[nil])
  ensure
    ENV['MULTITENANT_KEYS'] = keys
  end

  # Not by the key of the publisher's primary group, which it rarely has, and which all of that could open.
  def test_what_is_for_oneself_alone_is_sealed_by_munge_where_groups_have_keys
    before = ENV.to_h.slice('MULTITENANT_ENVELOPES', 'MULTITENANT_MUNGE_SOCKET')
    skip_unless(File.executable?(MultiTenant::Credentials::PROGRAM), 'multitenant-munge is not built')
    munged = UNIXServer.new(socket = in_job('munged'))
    sealed = lambda do |whom, accepted = nil, path = socket, site: 'key'|
      ENV.update('MULTITENANT_ENVELOPES' => accepted, 'MULTITENANT_MUNGE_SOCKET' => path)
      answers = Answers.new(whom, 'App sys/x', 'card', 'hpcGrp')
      text = MultiTenant.share_script(answers, session: ID, site: { 'envelope' => site, 'old_readers' => 'no' })
      text[/bash -s -- .* --envelope (\w+)/, 1]
    end
    assert_equal %w[auto auto], [sealed['user'], sealed['user', 'munge,key']]
    assert_equal %w[munge v1], [sealed['user', site: 'munge'], sealed['user', site: 'v1']]
    # Dashboards could not open it.
    assert_equal %w[key key], [sealed['user', 'key'], sealed['user', nil, in_job('nothing')]]
    assert_equal('key', File.stub(:executable?, false) { sealed['user'] }) # as without multitenant-munge
    # As slurm.conf's AuthInfo says.
    [[socket, 'auto'], [in_job('nothing'), 'key']].each do |path, envelope|
      MultiTenant.stub(:munge_socket, path) { assert_equal envelope, sealed['user', nil, nil] }
    end
    assert_equal %w[key auto munge], [sealed['mt'], sealed['mt', site: 'auto'], sealed['mt', 'munge', site: 'auto']]
  ensure
    munged&.close
    ENV.update({ 'MULTITENANT_ENVELOPES' => nil, 'MULTITENANT_MUNGE_SOCKET' => nil }.merge(before))
  end

  # A card is there without them, and leads nowhere.
  def test_the_keys_that_a_card_needs_are_asked_for
    { %w[Ollama_API default url=http://n1:80] => 'base_url or ollama_url', %w[Ollama_Code default x=1] => 'base_url or',
      %w[Ollama_API default base_url=http://n1:80/v1] => nil, %w[Ollama_API default ollama_url=http://n1:80] => nil,
      %w[DB_Conn default host=n1] => 'port', %w[DB_Conn default host=n1 port=1] => nil,
      %w[DB_JDBC default host=n1] => 'jdbc_url', %w[RShiny_App default port=1] => 'host',
      %w[App_API default host=n1] => 'port',
      %w[Class readfile a=1] => 'content_path',
      %w[Class readfile content_path=/x] => nil, %w[DB_Conn of_the_site x=1] => nil, %w[Own default x=1] => nil }
      .each do |(app, delivery, *keys), missing|
      done = share(*COMMON, '--app', app, '--delivery', "sys/multitenant-delivery_#{delivery}", *keys)
      assert_equal [0, missing ? 1 : 0], [done.code, done.err.lines.size], done.err
      assert_includes done.err, "tenants of #{app} need the KEY #{missing}" if missing
      assert_includes job_name, '|'
    end
  end

  def test_only_me
    share!(*PLAIN, '--only-me', 'host=n1')
    assert_opens({ 'host' => 'n1' }, to: '')
  end

  def test_without_a_list_it_is_for_every_other_member_of_the_group
    fake('getent', <<~'BASH')
      case "$*" in
        'group -- hpcGrp') echo 'hpcGrp:x:3000:ann,root,gone' ;;
        'passwd -- ann root gone') printf '%s\n' ann:x:2001:1:: root:x:0:0:: && exit 2 ;;
        passwd) printf '%s\n' root:x:0:0:: ann:x:2001:1:: bob:x:1999:3000:: eve:x:2005:1:3000: ;;
        *) exit 2 ;;
      esac
    BASH
    share!(*PLAIN, 'host=n1')
    assert_opens({ 'host' => 'n1' }, to: '1999,2001')
    share!('--unshare')
    refute_shared 67, /there is no group nosuch/, *PLAIN, '--group', 'nosuch', 'host=n1'
    fake('getent', '[[ $1 == passwd ]] || echo "$3:x:3000:root"')
    refute_shared 67, /no other member of the group hpcGrp/, *PLAIN, 'host=n1'
  end

  MISSING = /SSSD .*ignore_group_members.*enumerate; an envelope munge or key needs no list .*site\.yml.*--to UIDS/

  # This machine's own: its staff has a gid and no member.
  def test_where_no_member_is_listed_it_says_why_and_what_helps
    assert_match(/\Astaff:[^:]*:\d+:$/, `getent group staff`)
    refute_shared 67, MISSING, *PLAIN, '--group', 'staff', 'host=n1'
    note = share('--note', *PLAIN, '--group', 'staff', 'host=n1').out
    assert_match(/\ANot shared: no other member of the group staff is known here: #{MISSING}/o, note)
    share!(*PLAIN, '--group', 'staff', '--to', '2001', 'host=n1')
  end

  # A name service also finds one by its number, or in another case; readers would look for what the job is called.
  def test_a_group_that_is_called_otherwise_is_none
    fake('getent', 'echo "students:x:3000:ann"')
    refute_shared 67, /there is no group 3000 on this node/, *PLAIN, '--group', '3000', 'host=n1'
  end

  # Directories have such names, and getent takes digits alone for a gid or a uid.
  def test_groups_and_members_whose_names_are_numbers
    need_root
    fake('getent', <<~'BASH')
      case "$*" in
        'group -- 3000 '* | 'group -- '*' 3000') printf '%s\n' plain:x:1: 301:x:3000:20231234,ann,20230000,2004; exit 2 ;;
        'group -- 301') echo other:x:301:eve ;;
        'passwd -- ann') echo ann:x:2003:1:: ;;
        passwd) echo root:x:0:3000:: ;;
        *) exit 2 ;;
      esac
    BASH
    fake('id', <<~BASH) # 2004 is a uid, and nobody's name
      case "$*" in
        '-u -- 20231234') echo 105233 ;;
        '-u -- 2004' | '-un -- 20231234') echo "$3" ;;
        '-un -- 2004') echo eve ;;
        '-u'*' -- '*) exit 1 ;;
        *) exec /usr/bin/id "$@" ;;
      esac
    BASH
    command = %W[setpriv --groups 1,3000 #{SHARE}]
    share!(*PLAIN, '--group', '301', 'host=n1', command: command)
    assert_equal '301', job_name.split('|')[1]
    assert_opens({ 'host' => 'n1' }, to: '2003,105233')
    share!('--unshare')
    refute_shared 67, /there is no group 302 on this node/, *PLAIN, '--group', '302', 'host=n1', command: command
  end

  # SSSD that lists no accounts: those whose primary group it is are in no list.
  def test_where_not_even_the_publisher_is_listed_it_says_that_members_are_missing
    need_root
    fake('getent', '[[ $1 == passwd ]] && echo "ann:x:2001:1::" || echo "$3:x:3000:ann"')
    command = %W[setpriv --groups 3000 #{SHARE}]
    done = share(*PLAIN, 'host=n1', command: command)
    assert_match(/members of the group hpcGrp are missing in its list, as you are yourself: #{MISSING}/o, done.err)
    assert_opens({ 'host' => 'n1' }, to: '2001')
    fake('getent', '[[ $1 == passwd ]] && printf "%s\n" ann:x:2001:1:: root:x:0:3000 || echo "$3:x:3000:ann"')
    share!(*PLAIN, 'host=n1', command: command)
  end

  # A password may be called like a variable of the script or of bash.
  def test_a_key_is_the_variable_that_the_caller_exported
    keys = %w[text code KEYS key message user GROUP NAME JSON word IFS SECONDS PRESENT]
    share!(*COMMON, *keys, env: keys.to_h { |key| [key, "my #{key}"] })
    assert_opens(keys.to_h { |key| [key, "my #{key}"] })
  end

  def test_long_user_names_and_job_ids
    user = 'firstname.lastname.of.somebody@uni.edu.x'
    fake('id', "echo #{user}")
    a_job(ids: { '1234567890' => 1_234_567_890 })
    share!(*COMMON, 'host=n1', env: { 'SLURM_JOB_ID' => '1234567890' })
    assert_opens({ 'host' => 'n1' }, job_id: 1_234_567_890, user: user)
  end

  def test_read_from_standard_input_it_prints_the_name_and_changes_nothing
    done = share!('--print', *COMMON, 'host=n1', command: ['bash', '-s', '--'], stdin: File.read(SHARE),
                                                 env: { 'SLURM_JOB_NAME' => 'plain' })
    assert_empty updates
    share!(*COMMON, 'host=n1', command: ['bash', '-s', '--'], stdin: File.read(SHARE))
    assert_equal "#{job_name}\n", done.out
  end

  # A wrapper of scontrol's may read what is there.
  def test_what_its_caller_reads_is_left_to_it
    fake('scontrol', "cat >/dev/null\n#{SCONTROL}")
    done = share!(*COMMON, 'host=n1', command: ['bash', '-c', '"$0" "$@"; cat', SHARE], stdin: 'of the caller')
    assert_operator done.out, :end_with?, 'of the caller'
  end

  # There are no other programs than these, and each can be seen for a while.
  def test_a_secret_is_in_no_command_line_and_in_no_trace
    tools = %w[cat gzip openssl base64 od id sort timeout tr]
    tools.each { |tool| fake(tool, "/bin/sleep 0.15; exec #{`which #{tool}`.chomp} \"$@\"") }
    secret = 'corrECThorse'
    seen = []
    looking = true
    watch = Thread.new do
      while looking
        Dir.glob('/proc/[0-9]*/cmdline') { |path| seen << File.binread(path) rescue next } # rubocop:disable Style/RescueModifier
        seen.uniq!
      end
    end
    fake('scontrol', "PATH=/usr/bin:/bin\n#{SCONTROL}")
    done = share(*COMMON, 'password', command: ['/bin/bash', '-x', SHARE],
                                      env: { 'password' => secret, 'PATH' => temporary })
    looking = false
    watch.join
    assert_opens({ 'password' => secret })
    assert_empty(seen.select { |line| line.include?(secret) || line.include?("'password'") })
    assert_empty(%w[openssl gzip base64 scontrol].reject { |tool| seen.any? { |line| line.include?(tool) } })
    refute_includes done.err + done.out, secret
  end

  def test_too_much_is_told_with_what_is_longest
    digits = Random.new(4).bytes(900).unpack1('H*')
    values = { 'a' => digits[0, 200], 'b' => digits[200, 900], 'c' => digits[1100, 300] }
    done = share(*COMMON, *values.keys, env: values)
    assert_equal 65, done.code
    over = done.err[/the share is (\d+) bytes too long for a job name of 1024 bytes/, 1]
    assert_match(/longest: 900 bytes in b, 300 bytes in c, 200 bytes in a; the job goes on, not shared$/, done.err)
    assert_equal ['plain', []], [job_name, updates]
    values['b'] = values['b'][0, 900 - (Integer(over) * 2)] # hexadecimal digits are compressed to half
    share!(*COMMON, *values.keys, env: values)
    assert_operator job_name.bytesize, :<=, 1024
  end

  def test_more_than_a_reader_inflates_is_refused
    values = (1..17).to_h { |n| ["k#{n}", 'x' * 4096] }
    refute_shared 65, /too long for a message of 65536 bytes/, *COMMON, *values.keys, env: values
  end
end
