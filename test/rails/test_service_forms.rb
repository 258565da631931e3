# frozen_string_literal: true

require_relative 'rails_test'

# What the forms of service apps offer a publisher.
class TestServiceForms < RailsTest
  GROUPS = 'prof,everybody,empty,lab,alumni,pair'
  SELECT = 'auto_multitenant_groups'

  # What the names program says: a line for each group, or that there is nobody to be asked about.
  OTHERS = <<~'SH'
    tr '\0' '\n' | {
      count=0
      while read -r uid && read -r group; do
        case $group in
          prof | empty) others=0 ;;
          pair) others=1 ;;
          lab) others=12 ;;
          everybody) others=5000 ;;
          *) others=null ;;
        esac
        echo "{\"others\":$others}"
        count=$((count + 1))
      done
      echo "{\"end\":$count}"
    }
  SH

  def setup
    super
    program_says('names', OTHERS)
    @apps = install_apps('services')
  end

  def groups(app = @apps[0])
    options(@dashboard.form("sys/#{app}"), SELECT)
  end

  def test_the_group_that_is_proposed_reaches_somebody
    start({ 'USERS_GROUPS' => GROUPS })
    wanted = [['pair (1 other person)', 'pair', true], ['lab (12 other people)', 'lab', false],
              ['everybody (5000 other people)', 'everybody', false], ['alumni', 'alumni', false],
              ['empty (nobody else is in it)', 'empty', false], ['prof (nobody else is in it)', 'prof', false]]
    @apps.each { |app| assert_equal wanted, groups(app) }
  end

  def test_groups_as_the_oldest_dashboard_has_them
    start({ 'USERS_GROUPS' => 'prof,lab' })
    @dashboard.ruby('def (SmartAttributes::AttributeFactory).build_auto_groups = ' \
                    'OpenStruct.new(select_choices: CurrentUser.group_names)')
    assert_equal(%w[lab prof], groups.map { |_, group| group })
  end

  # Open OnDemand itself then has none of them.
  def test_a_group_without_a_name_takes_no_other_one_away
    start({ 'USERS_GROUPS' => GROUPS })
    @dashboard.ruby('def CurrentUser.group_names = raise(ArgumentError, "can\'t find group for 7")')
    @dashboard.ruby('def Etc.getgrgid(gid) = gid == 3000 ? OpenStruct.new(name: "lab") : raise(ArgumentError)')
    assert_equal(%w[lab], groups.map { |_, group| group })
    @dashboard.ruby('ENV["OOD_AUTO_GROUPS_FILTER"] = "^pair"')
    assert_empty groups
  end

  # It goes on in the background; until then the primary group, which is likely the publisher's own, is last.
  def test_a_page_does_not_wait_for_a_name_service_that_hangs
    go_on = File.join(@viewer.home, 'go_on')
    program_says('names', "until [ -e #{go_on} ]; do sleep 0.1; done\n#{OTHERS}")
    start({ 'USERS_GROUPS' => 'prof,lab,pair' }, hurried: true)
    assert_equal [['lab', 'lab', true], ['pair', 'pair', false], ['prof', 'prof', false]], groups
    File.write(go_on, '')
    wait_until do
      @dashboard.ruby('SmartAttributes::Attributes::AutoMultitenantGroups::GROUPS.instance_variable_set(:@next, 0)')
      groups.first == ['pair (1 other person)', 'pair', true]
    end
  end

  def test_a_name_service_that_is_down
    program_says('names', 'exit 71')
    start({ 'USERS_GROUPS' => 'prof,lab' })
    assert_equal(%w[lab prof], groups.map { |_, group| group })
  end

  # @return [Array<String>] headings and labels, from there on
  def labels(app, from)
    @dashboard.form("sys/#{app}").body.scan(/<(?:label|h4)[^>]*>([^<]*)</).flatten.drop_while { |text| text != from }
  end

  WHOM = 'Share With'

  # Without bc_dynamic_js Open OnDemand hides no question that the choice before it does not ask.
  def test_what_one_choice_alone_asks_says_so
    start
    wanted = ['Only for A Group', 'Group', 'Title', 'Shown As', 'Kind of Card (only for A Card and a Choice in Forms)']
    %w[llm database dashboard].each { |app| assert_equal [WHOM, *wanted], labels("multitenant-#{app}", WHOM) }
    assert_equal ['Server', 'Command (only for Any OpenAI-compatible server)', 'Models Directory',
                  'Custom Models Directory (only for Custom location)', 'Model'],
                 labels('multitenant-llm', 'Server').first(5)
    assert_equal ['Path', 'Command (only for Any command)', 'Paths of the Command&#39;s Application ' \
                                                            '(only for Any command)'],
                 labels('multitenant-dashboard', 'Path').first(3)
    assert_equal %w[Group Title], labels('multitenant-instruction', 'Group')
  end

  # Whoever leaves it as it is has what most expect, and nothing is shared before they say with whom.
  def test_what_is_chosen_at_first
    start
    form = @dashboard.form('sys/multitenant-llm')
    chosen = %w[enable_multitenant mt_method].map { |id| options(form, id).find(&:last)[1] }
    assert_equal %w[none card], chosen
  end

  def test_a_service_that_may_be_kept_running_asks_until_when
    @apps.each { |app| @site.app(app, 'site.yml' => "cluster: hpc\nkeep_days: 30\n") }
    start
    both = ['Copies', 'Keep Running Until']
    assert_equal([both, both.last(1), both.last(1), both], %w[dashboard database instruction llm].map do |app|
      labels("multitenant-#{app}", 'Title') & both
    end)
    assert_equal 'MultiTenant::Dashboard::Submission',
                 @dashboard.ruby('OodCore::Job::Adapters::Slurm::Batch.ancestors.first.name')
  end

  def test_before_4_1_there_are_no_headings
    start
    @dashboard.ruby('SmartAttributes::Attribute.undef_method(:header)')
    assert_equal [WHOM, 'Group (only for A Group)', 'Title (only for A Group)', 'Shown As (only for A Group)'],
                 labels('multitenant-database', WHOM).first(4)
  end

  def test_what_the_dashboard_hides_needs_no_words
    start({ 'OOD_BC_DYNAMIC_JS' => 'true' })
    @apps.each { |app| refute_match(/only for/i, @dashboard.form("sys/#{app}").body) }
    assert_equal %w[card], @dashboard.form('sys/multitenant-llm').body.scan(/data-set-mt-method="(\w+)"/).flatten.uniq
    assert_equal [WHOM, 'Group', 'Title', 'Shown As', 'Kind of Card'], labels('multitenant-llm', WHOM)
  end

  # @return [Hash{String => Array<String>}] choice => the questions that the dashboard hides for it
  def hidden(app)
    select = @dashboard.form("sys/multitenant-#{app}").body[%r{<select[^>]*version\b.*?</select>}m]
    select.scan(/<option([^>]*)>/).flatten.to_h do |attributes|
      [attributes[/ value="(\w*)"/, 1], attributes.scan(/data-hide-([\w-]+)="true"/).flatten]
    end
  end

  def test_each_choice_hides_what_it_does_not_ask
    start({ 'OOD_BC_DYNAMIC_JS' => 'true' })
    kinds = %w[shiny streamlit python].to_h { |kind| [kind, %w[command proxy]] }
    assert_equal kinds.merge('command' => []), hidden('dashboard')
    assert_equal({ **%w[ollama llamacpp vllm].to_h { |kind| [kind, %w[command]] }, 'openai' => [] }, hidden('llm'))
  end

  # Run in the dashboard, as OOD does.
  BEFORE = <<~RUBY
    session = OpenStruct.new(id: SecureRandom.uuid, staged_root: Pathname.new(Dir.mktmpdir),
                             app: OpenStruct.new(root: %<app>p))
    context = BatchConnect::App.from_token(%<token>p).build_session_context
    context.attributes = { 'enable_multitenant' => 'mt', 'mt_title' => 'Spanish 301', 'version' => %<kind>p }
    ERB.new(File.read(%<template>p), trim_mode: '-').result(binding)
  RUBY

  KINDS = { 'llm' => 'vllm', 'database' => 'mariadb', 'dashboard' => 'shiny', 'instruction' => '' }.freeze

  def test_each_app_asks_for_a_title_and_passes_it_on
    FileUtils.cp_r(File.join(Tree::ROOT, 'libexec'), File.dirname(@lib))
    start
    @apps.each do |app|
      kind = KINDS.fetch(app.delete_prefix('multitenant-'))
      template = File.expand_path("../../apps-services/#{app}/template/before.sh.erb", __dir__)
      script = @dashboard.ruby(format(BEFORE, app: @site.path('var/www/ood/apps/sys', app), token: "sys/#{app}",
                                              template: template, kind: kind))
      assert_equal ['mt_title=Spanish\\ 301', '--title Spanish\\ 301'],
                   script.scan(/(?:^mt_title=|--title )Spanish\\ 301/), app
      submitted = JSON.parse(@dashboard.submit("sys/#{app}", 'version' => kind).body)
      assert_empty %w[mt_title mt_shared] - submitted['batch_connect']['conn_params'], app
    end
  end

  # Open OnDemand keeps what a form was told for the next time, or under a name that the user has chosen, up to 3.1.11
  # and to 4.0.3 as it stands, in files with the umask's mode.
  def test_nobody_else_reads_a_password_that_was_typed
    start({ 'OOD_BC_SAVED_SETTINGS' => 'true' })
    @dashboard.submit('sys/multitenant-database', 'version' => 'mariadb', 'db_pass' => 'corrECThorse')
    kept = @dashboard.ruby('BatchConnect::Session.cache_root.children.map(&:to_s)')
    assert_equal(['sys_multitenant-database.json'], kept.map { |file| File.basename(file) })
    assert_includes File.read(kept[0]), 'corrECThorse'
    assert_equal 0o700, File.stat(File.dirname(kept[0])).mode & 0o777
    saved = File.join(@viewer.home, '.config/ondemand/settings.yml')
    assert_includes File.read(saved), 'corrECThorse'
    assert_equal 0o600, File.stat(saved).mode & 0o777
  end

  # From 4.0.0 on it is saved without a launch, too, and from 4.0.4 on encrypted.
  def test_nobody_else_reads_a_password_that_is_saved_without_a_launch
    saved = File.join(@viewer.home, '.config/ondemand/settings.yml')
    form = lambda do
      @dashboard.ruby('Rails.cache.clear; nil')
      assert_includes @dashboard.form('sys/multitenant-database').body, 'Database Password'
    end
    start
    form.call
    refute_path_exists saved
    start({ 'OOD_BC_SAVED_SETTINGS' => 'true' })
    2.times do |i|
      form.call
      assert_equal [0o600, 'x' * i], [File.stat(saved).mode & 0o777, File.read(saved)]
      File.write(saved, 'x')
      File.chmod(0o644, saved)
    end
    @dashboard.ruby('Object.const_set(:EncryptedCache, Module.new); nil')
    form.call
    assert_equal 0o644, File.stat(saved).mode & 0o777
  end

  def test_a_form_is_there_where_its_settings_can_not_be_saved
    @viewer.write(File.join(@viewer.home, '.config/ondemand'))
    start({ 'OOD_BC_SAVED_SETTINGS' => 'true' })
    assert_includes @dashboard.form('sys/multitenant-database').body, 'Database Password'
  end

  def test_the_account_is_not_the_group_that_was_chosen
    start({ 'USERS_GROUPS' => GROUPS })
    refute_includes @dashboard.submit('sys/multitenant-instruction', SELECT => 'lab').body, 'lab'
  end
end
