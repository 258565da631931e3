# frozen_string_literal: true

require_relative 'app_test'

# What OOD makes of each service app.
class TestRendering < AppTest
  APPS = Dir.glob(File.join(Bed::ROOT, 'apps-services/*')).map { |path| File.basename(path) }.sort
  # As hostile as a title may be.
  TITLE = HOSTILE.delete(%q(<>&"'`\\)).squeeze(' ')

  def stage(app, values = {}, **options)
    AppJobs.ood('stage', app, values, **options)
  end

  # Answers that are hostile wherever a form takes text.
  def hostile(app)
    form = AppJobs.ood('form', app)
    text = form['attributes'].select do |_, attribute|
      attribute.is_a?(Hash) && %w[text_field text_area password_field path_selector].include?(attribute['widget'])
    end
    text.to_h { |id,| [id, id == 'mt_title' ? TITLE : HOSTILE] }
  end

  def assert_sound(dir)
    Dir.glob(File.join(dir, '*.sh')).each do |file|
      out, status = Open3.capture2e('bash', '-n', file)
      assert_predicate status, :success?, out
      next if file.end_with?('job_script_content.sh') # ood_core's own

      # Shellwords escapes more than it must.
      out, status = Open3.capture2e('shellcheck', '--exclude=SC1001', file)
      assert_predicate status, :success?, out
    end
  end

  def test_scripts_are_sound_whatever_the_form_was_told
    APPS.each do |app|
      hostile = hostile(app).merge('enable_multitenant' => 'mt', 'auto_multitenant_groups' => HOSTILE,
                                   'mt_title' => TITLE, 'mt_method' => HOSTILE, 'mt_delivery_select' => HOSTILE)
      [{}, SHARED, SHARED.merge('enable_multitenant' => 'user'), SHARED.merge(hostile(app)),
       hostile].each { |values| assert_sound(stage(app, values)['dir']) }
    end
  end

  # It would be refused as soon as the job wants to share, after the queue.
  def test_a_title_that_nothing_can_have_is_refused_at_launch
    %w[multitenant-instruction multitenant-llm].each do |app|
      assert_includes JSON.generate(AppJobs.ood('form', app)), 'without apostrophes, quotation marks'
      error = assert_raises(RuntimeError) { stage(app, SHARED.merge('mt_title' => "Cours d'espagnol")) }
      assert_match(/Nothing can be called .*Cours d'espagnol.*: choose a title of at most 64 char/, error.message)
    end
  end

  # OOD gives what it renders the template's mode, and what the form was told the umask's.
  def test_nobody_else_reads_what_is_staged
    assert_nobody_else_reads('corrECThorse', AppJobs::LOGIN) do
      stage('multitenant-database', SHARED.merge('db_pass' => 'corrECThorse'), pause: 0.3)
    end
    APPS.each { |app| assert_equal 0o700, File.stat(stage(app)['dir']).mode & 0o777 }
  end

  # A plain value is fixed to OOD, and hides the field.
  def test_the_hours_can_be_chosen
    APPS.each { |app| assert_kind_of Hash, AppJobs.ood('form', app)['attributes']['bc_num_hours'] }
  end

  def test_the_account_is_the_one_that_was_chosen
    APPS.each do |app|
      assert_nil stage(app, SHARED)['options']['accounting_id']
      options = stage(app, SHARED.merge('auto_accounts' => 'physics', 'auto_queues' => 'gpu'))['options']
      assert_equal %w[physics gpu], options.values_at('accounting_id', 'queue_name')
      assert_includes options['native'], '--wckey=multitenant'
    end
  end

  # The old initializer does not start where it finds another envelope than v1.
  def test_v1_until_the_site_says_that_no_old_reader_is_left
    APPS.each do |app|
      form, before = sealing(app)
      assert_match(/Every user of the cluster can read/, form)
      assert_match(/--envelope v1 /, before)
      assert_equal 'auto', MultiTenant::Sharing.envelope({ 'envelope' => 'auto', 'old_readers' => false })
      form, before = sealing(app, 'old_readers' => 'no', 'munge_socket' => '/run/my socket')
      refute_match(/Every user/, form)
      assert_match(%r{--envelope auto --munge-socket /run/my\\ socket }, before)
    end
  end

  def sealing(app, settings = {})
    values = SHARED.merge('mt_delivery_select' => 'debug sys/x')
    configured(app, settings) do
      [JSON.generate(AppJobs.ood('form', app)), File.read(File.join(stage(app, values)['dir'], 'before.sh'))]
    end
  end

  # With these settings of the site's, and lines that are appended to them.
  def configured(app, settings, more = '')
    file = File.join(AppJobs.root(app), 'site.yml')
    was = File.read(file)
    AppJobs.configure(file, settings)
    File.write(file, more, mode: 'a')
    yield
  ensure
    File.write(file, was)
  end

  def test_kinds_that_the_site_does_not_offer_are_refused
    { 'dashboard' => %w[shiny python command], 'llm' => %w[vllm ollama openai],
      'database' => %w[postgresql mariadb mysql] }.each do |app, (first, second, other)|
      app = "multitenant-#{app}"
      configured(app, 'kinds' => "#{first}, #{second}") do
        options = AppJobs.ood('form', app).dig('attributes', 'version', 'options')
        assert_equal([first, second].sort, options.map { |kind| kind[1] }.sort)
        error = assert_raises(RuntimeError) { stage(app, SHARED.merge('version' => other)) }
        assert_match(/is not offered here/, error.message)
      end
    end
  end

  # An upgrade keeps the admin's site.yml and appends keys that are new.
  def test_a_key_that_is_called_otherwise_now_is_named
    { 'llm' => %w[servers kinds], 'database' => %w[mariadb_modules modules_mariadb] }.each do |app, (old, new)|
      configured("multitenant-#{app}", {}, "#{old}: \"\"\n") do
        error = assert_raises(RuntimeError) { AppJobs.ood('form', "multitenant-#{app}") }
        assert_match(/site\.yml, line \d+: the key #{old} is now called #{new}/, error.message)
      end
    end
  end

  def test_without_the_gem_the_form_says_so_and_nothing_starts
    env = { 'MULTITENANT_GEM' => 'absent' }
    APPS.each do |app|
      assert_match(/has not loaded the gem/, JSON.generate(AppJobs.ood('form', app, env: env)))
      error = assert_raises(RuntimeError) { stage(app, SHARED, env: env) }
      assert_match(/has not loaded the gem/, error.message)
    end
  end
end
