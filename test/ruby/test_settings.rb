# frozen_string_literal: true

require_relative 'helper'

# Settings: what each variable means, and that nonsense costs a warning and never the dashboard.
class TestSettings < MultiTenantTest
  def settings(env = {})
    MultiTenant::Settings.new(env.transform_keys { |name| "MULTITENANT_#{name}" })
  end

  # The value was refused: the default is used and one sentence names variable and value.
  def assert_nonsense(name, text, attribute, default, shown: text)
    made = settings(name => text)
    assert_equal [default], [made.public_send(attribute)], text.inspect
    assert_equal 1, made.warnings.size, text.inspect
    assert_includes made.warnings[0], "MULTITENANT_#{name}=#{shown} makes no sense; "
    assert_predicate made.warnings[0], :valid_encoding?
  end

  DEFAULTS = { wckeys: ['multitenant'], deliveries: ['sys/multitenant-delivery_*'], envelopes: %w[munge key v1],
               publisher_in_group: true, one_directory: true, publishers: nil, timeout: 3.0, ttl: 30.0, snapshot: nil,
               warnings: [] }.freeze

  def test_defaults
    [settings, settings('WCKEY' => '', 'TIMEOUT' => '  ', 'PUBLISHERS' => ' ')].each do |made|
      assert_equal(DEFAULTS, DEFAULTS.to_h { |name, _| [name, made.public_send(name)] })
    end
  end

  def test_settings_are_frozen
    assert_predicate settings, :frozen?
  end

  def test_they_come_from_the_environment_unless_given
    before = ENV.fetch('MULTITENANT_TIMEOUT', nil)
    ENV['MULTITENANT_TIMEOUT'] = '7'
    assert_in_delta 7.0, MultiTenant::Settings.new.timeout
  ensure
    ENV['MULTITENANT_TIMEOUT'] = before
  end

  def test_whose_web_applications_are_opened
    group = { 'PUBLISHERS' => 'faculty' }
    { {} => true, { 'WEB_APPS' => 'all' } => true, { 'WEB_APPS' => 'off', **group } => false,
      { 'WEB_APPS' => 'publishers' } => false, { 'WEB_APPS' => 'publishers', **group } => true }.each do |env, opened|
      assert_equal [opened, []], [settings(env).web_apps?, settings(env).warnings], env
    end
    assert_nonsense('WEB_APPS', 'of', :web_apps?, false)
  end

  # ---- WCKey ----

  def test_an_address_has_all_that_tells_services_apart_in_its_path
    good = ['https://x.example/{user}/{service}@{group}/', 'http://[::1]:8080/s/{group}/{user}-{service}/']
    good.each { |text| assert_equal([text, []], settings('ADDRESS' => text).then { |s| [s.address, s.warnings] }) }
    ['https://x.example/', 'https://x.example/{user}/{service}@{group}', 'https://x.example/{user}/{service}/',
     'https://{user}.example/{service}@{group}/', 'https://x.example/{user}/{user}/{service}@{group}/',
     'https://x.example/{user}/{service}@{group}/{job}/', 'ftp://x.example/{user}/{service}@{group}/',
     'https://x.example/{user}/{service}@{group}/?a="/'].each do |text|
      made = settings('ADDRESS' => text)
      assert_equal [nil, 1], [made.address, made.warnings.size], text
    end
    assert_equal good.first, settings('ADDRESS' => good.first).to_core(dataroot: nil)[:address]
  end

  # One that makes no sense must not let a proxy lead everywhere.
  def test_ports_that_no_proxy_leads_to
    assert_equal([[], [8888..8888, 9000..9010]], ['', '8888, 9000-9010'].map do |text|
      settings('PROXY_DENY' => text).proxy_deny
    end)
    %w[all 1-2-3 -5 123456 9010-9000 8888,70000 1-65536].each do |text|
      made = settings('PROXY_DENY' => text)
      assert_equal [[0..65_535], 1], [made.proxy_deny, made.warnings.size], text
    end
  end

  def test_wckeys
    { 'llm' => ['llm'], 'a,b' => %w[a b], ' a , b ,,' => %w[a b], 'Multi' => ['multi'], '*llm' => ['llm'],
      'a,*a,A' => ['a'], 'a.b_c:d@e+f-1' => ['a.b_c:d@e+f-1'] }.each do |text, keys|
      assert_equal [keys, []], [settings('WCKEY' => text).wckeys, settings('WCKEY' => text).warnings], text
    end
  end

  def test_wckeys_that_make_no_sense
    ['a b', 'a;b', 'a/b', "a'b", '$(id)', 'a' * 65, ',', 'ä'].each do |text|
      assert_nonsense('WCKEY', text, :wckeys, ['multitenant'], shown: text.gsub(/[^ -~]/, '?'))
    end
  end

  # Settings and program have the rule each: what one takes and the other refuses would be an error in each question.
  def test_the_query_program_takes_the_wckeys_that_make_sense_and_no_others
    skip_unless(File.executable?(MultiTenant::Query::PROGRAM), 'multitenant-query is not built: is libslurm there?')
    keys = (1..33).map { |number| "k#{number}" }
    lists = [keys.first(32), keys].map { |list| list.join(',') }
    [*(1..255).map { |byte| "a#{byte.chr}b" }, 'a' * 64, 'a' * 65, 'é', *lists].each do |text|
      made = settings('WCKEY' => text)
      sense = made.warnings.empty?
      command = [MultiTenant::Query::PROGRAM, '--wckey', sense ? made.wckeys.join(',') : text]
      said, status = Open3.capture2e({ 'SLURM_CONF' => '/nonexistent' }, *command)
      assert_equal [sense, sense ? 78 : 64], [status.exitstatus == 78, status.exitstatus], "#{text.inspect}: #{said}"
    end
  end

  # ---- domains of nodes ----

  def test_node_domains
    { 'edu' => %w[edu], ' cluster.example.edu ,example.org' => %w[cluster.example.edu example.org] }
      .each { |text, domains| assert_equal domains, settings('NODE_DOMAINS' => text).node_domains }
    own = MultiTenant::Settings.own_domains
    assert_equal [own, own], [settings.node_domains, settings('NODE_DOMAINS' => ' ').node_domains]
    assert_equal ['edu'], settings('NODE_DOMAINS' => 'edu').to_core(dataroot: nil)[:node_domains]
    ['.edu', 'edu.', 'a b', 'a/b', ',', '*', 'x' * 254].each do |text|
      made = settings('NODE_DOMAINS' => text)
      assert_equal [own, 1], [made.node_domains, made.warnings.size], text
    end
  end

  # Names that it completes are its own.
  def test_the_domain_of_this_host
    told = lambda do |name, resolver|
      file = File.join(temporary, 'resolv.conf').tap { |path| File.write(path, resolver) }
      MultiTenant::Settings.own_domains(name: name, resolver: file)
    end
    assert_equal %w[example.edu], told['web.example.edu', "search other.edu\n"]
    assert_equal %w[a.edu], told['web', "# x\nnameserver 10.0.0.1\nsearch a.edu b.edu\n"]
    assert_equal %w[c.edu], told['web', "domain c.edu\n"]
    assert_equal [[], []], [told['web', ''], told['web', "search .\n"]]
    assert_empty MultiTenant::Settings.own_domains(name: 'web', resolver: '/nonexistent')
  end

  # ---- delivery apps ----

  def test_deliveries
    assert_equal %w[sys/a sys/b_*], settings('DELIVERY' => 'sys/a, sys/b_*').deliveries
    assert_equal ['sys/[ab]?'], settings('DELIVERY' => 'sys/[ab]?').deliveries
  end

  def test_deliveries_that_make_no_sense
    ['usr/bob/x', 'dev/x', 'sys/', 'sys/a/b', '*', 'sys/../x', 'sys/a b', '/sys/a', 'sys/a;sys/b'].each do |text|
      next assert_harmless(text) if settings('DELIVERY' => text).warnings.empty?

      assert_nonsense('DELIVERY', text, :deliveries, ['sys/multitenant-delivery_*'])
    end
  end

  # A pattern that was let through matches no token outside of sys/.
  def assert_harmless(text)
    tokens = %w[usr/bob/x dev/x sys/../x sys/a/../../x ../x]
    codes = tokens.map { |token| codes_of(job(1, message: { mtd: token }), deliveries: [text])[0] }
    assert_equal ['delivery_not_allowed'], codes.uniq, text
  end

  def test_what_a_delivery_pattern_matches
    { 'sys/a' => ['sys/a'], 'sys/*' => %w[sys/a sys/ab], 'sys/a?' => ['sys/ab'], 'sys/[a]' => ['sys/a'] }
      .each do |pattern, tokens|
        codes = %w[sys/a sys/ab].to_h do |token|
          [token, codes_of(job(1, message: { mtd: token }), deliveries: [pattern])[0]]
        end
        assert_equal tokens, codes.select { |_, code| code == 'ok' }.keys, pattern
      end
  end

  # Whatever the patterns say, a token is sys/ and one plain component.
  def test_tokens_that_no_pattern_allows
    ['sys/..', 'sys/.', 'sys/.hidden', 'sys/', 'sys/a/b', 'sys/a b', 'sys/<b>', 'sys/é', "sys/#{'x' * 129}", 'sys',
     '/sys/a', 'usr/a'].each do |token|
      code = codes_of(job(1, message: { mtd: token }), deliveries: ['sys/*', 'sys/.*', '*', '*/*'])[0]
      assert_equal 'delivery_not_allowed', code, token
    end
    assert_equal 'ok', codes_of(job(1, message: { mtd: "sys/#{'x' * 128}" }), deliveries: ['sys/*'])[0]
  end

  # ---- envelopes ----

  def test_envelopes
    assert_equal ['v1'], settings('ENVELOPES' => 'v1').envelopes
    assert_equal %w[v1 munge], settings('ENVELOPES' => ' v1 ,munge').envelopes
  end

  def test_envelopes_that_make_no_sense
    ['v2', 'V1', 'v1;munge', 'v1,none', '*v1', 'v1 munge'].each do |text|
      assert_nonsense('ENVELOPES', text, :envelopes, %w[munge key v1])
    end
  end

  def test_an_accepted_envelope_is_opened_and_another_is_not
    { ['v1'] => 'ok', %w[munge key] => 'envelope_not_accepted', [] => 'envelope_not_accepted' }.each do |names, code|
      assert_equal code, codes_of(job(1), envelopes: names)[0]
    end
  end

  # ---- publishers ----

  def test_what_is_true_or_false
    { 'PUBLISHER_IN_GROUP' => :publisher_in_group, 'ONE_DIRECTORY' => :one_directory }.each do |name, attribute|
      { true => ['true', 'Yes', 'on', '1', ''], false => %w[false False no OFF 0] }.each do |told, texts|
        made = texts.map { |text| settings(name => text) }
        assert_equal [[told, []]], made.map { |one| [one.public_send(attribute), one.warnings] }.uniq
      end
      # What is unclear joins nobody's services.
      ['false x', 'never', '2'].each { |text| assert_nonsense(name, text, attribute, name == 'PUBLISHER_IN_GROUP') }
    end
  end

  def test_publishers
    ['staff', 'EXAMPLE\\staff', 'größe', '3000', 'domain users@example.org', 'EXAMPLE\\Domain Users,staff',
     Array.new(128, 'a').join(',')].each do |text|
      assert_equal [text, []], [settings('PUBLISHERS' => text).publishers, settings('PUBLISHERS' => text).warnings]
    end
    assert_equal 'a b,c', settings('PUBLISHERS' => ' a b , c ,,').publishers
  end

  # A mistake must not let everybody publish: no group has the name that is used then.
  def test_publishers_that_make_no_sense
    [',', 'a:b', 'a|b', "a\tb", 'g' * 257, 'ä' * 129, Array.new(129, 'a').join(',')].each do |text|
      assert_nonsense('PUBLISHERS', text, :publishers, '-', shown: text[0, 80].gsub(/[^ -~]/, '?'))
    end
    others = stream(job(1, publisher_allowed: true), publishers: 'staff')
    assert_equal ['lookup_failed'], decide(core(publishers: '-'), others).values.map(&:first)
  end

  # ---- numbers and paths ----

  def test_timeout_and_ttl
    assert_equal([0.2, 60.0, 2.5], %w[0.2 60 2.5].map { |text| settings('TIMEOUT' => text).timeout })
    assert_equal([1.0, 86_400.0], %w[1 86400].map { |text| settings('TTL' => text).ttl })
    ['0', '0.1', '61', '-1', 'three', 'nan', 'Infinity', '1e9', '3 s'].each do |text|
      assert_nonsense('TIMEOUT', text, :timeout, 3.0)
    end
    %w[0 86401 x].each { |text| assert_nonsense('TTL', text, :ttl, 30.0) }
  end

  def test_snapshot
    assert_equal '/var/cache/mt', settings('SNAPSHOT' => '/var/cache/mt').snapshot
    %w[var/cache ~/x].each { |text| assert_nonsense('SNAPSHOT', text, :snapshot, nil) }
    assert_nonsense('SNAPSHOT', "/a\nb", :snapshot, nil, shown: '/a?b')
  end

  # ---- bytes ----

  # What the env file holds need not be text; one bad byte must not stop the dashboard or us.
  %w[WCKEY DELIVERY ENVELOPES PUBLISHER_IN_GROUP ONE_DIRECTORY PUBLISHERS TIMEOUT TTL SNAPSHOT].each do |name|
    define_method(:"test_bytes_that_are_no_text_in_#{name}") do
      [Encoding::UTF_8, Encoding::US_ASCII, Encoding::BINARY].each do |encoding|
        made = settings(name => "x\xFFy ".dup.force_encoding(encoding))
        assert_equal 1, made.warnings.size
        assert_match(/\AMULTITENANT_#{name}=x\?y makes no sense; /, made.warnings[0])
      end
    end
  end

  def test_a_warning_is_short_and_printable
    warning = settings('WCKEY' => "a\e[31m #{'b' * 9999}").warnings[0]
    assert_match(/\A[ -~]{1,200}\z/, warning)
  end

  def test_each_nonsense_has_a_warning_of_its_own
    made = settings('WCKEY' => 'a b', 'TIMEOUT' => 'x', 'TTL' => 'y')
    assert_equal(%w[WCKEY TIMEOUT TTL], made.warnings.map { |warning| warning[/MULTITENANT_(\w+)=/, 1] })
  end

  # ---- what the core takes ----

  # Settings are read where there is no core, too, and so can't ask it.
  def test_their_limits_are_the_cores
    longest = lambda do |form, before = ''|
      (1..1000).select { |length| "#{before}#{'a' * length}".match?(form) }.max
    end
    made = MultiTenant::Settings
    assert_equal MultiTenant::Core::LIMITS.values_at(:query_name, :token_part, :name, :name),
                 [longest[made::WCKEY], longest[made::TOKEN_PATTERN, 'sys/'], longest[made::GROUP], made::MOST]
  end

  def test_to_core_is_this_process_and_these_settings
    core = settings('PUBLISHERS' => 'staff').to_core(dataroot: '/d', per_cluster_dataroot: true)
    assert_equal [Process.euid, '/d', true, 'staff', %w[munge key v1], true, ['sys/multitenant-delivery_*']],
                 core.values_at(:uid, :dataroot, :per_cluster_dataroot, :publishers, :envelopes, :publisher_in_group,
                                :deliveries)
    assert_equal [Process.egid, *Process.groups].uniq.sort, core[:gids].sort
  end

  # A primary group that is in no list of members counts as well.
  def test_the_primary_group_is_one_of_the_groups
    gids = as_user(uid: 2001, gids: [3000, 3001]) { MultiTenant::Settings.new({}).to_core(dataroot: nil)[:gids] }
    assert_equal [2001, 3000, 3001], gids.sort
  end
end
