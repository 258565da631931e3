# frozen_string_literal: true

require_relative 'real_test'

# Our apps' forms, as people fill them in.
class TestRealForms < RealTest
  SERVICES = %w[dashboard database instruction llm].freeze
  CLIENTS = { 'gradio' => 'Language Model', 'jupyter' => 'Service' }.freeze
  GROUPS = ['*students (1 other person)', 'lab', 'pupil (nobody else is in it)'].freeze
  NONE = ['*No service is shared with you at this time'].freeze
  ONE = ['*prof: Language model'].freeze
  THREE = ['*Choose a service', 'prof: Language model (gemma2)', 'prof: Language model (llama3.1:8b)',
           'prof: Spanish 301'].freeze

  # What a person sees of the form: label and, of a select, its choices; the chosen one begins with *.
  FIELDS = <<~JS
    [...document.querySelectorAll('form[action*="session_contexts"] :is(input, select, textarea)')]
      .filter((field) => field.checkVisibility() && field.type !== 'submit')
      .map((field) => [field.labels[0]?.innerText.trim(),
                       [...(field.options ?? [])].map((option) => (option.selected ? '*' : '') + option.text)])
  JS
  LAUNCH = 'document.querySelector(\'form[action*="session_contexts"] [type=submit]:not([formaction])\').click()'
  FAULT = '[...document.querySelectorAll(".alert-danger")].filter((part) => part.checkVisibility())' \
          '.map((part) => part.innerText).join("\n")'

  def form(app, width = WIDTHS[0])
    at("/batch_connect/sys/#{app}/session_contexts/new", width)
  end

  def fields(app, name = app)
    at_each_width("form-#{name}") { |width| form("multitenant-#{app}", width) }
    seen
  end

  # @return [Hash{String => Array<String>}]
  def seen
    js(FIELDS).to_h
  end

  def fill(id, value)
    js(<<~JS)
      (() => {
        const field = document.getElementById('batch_connect_session_context_#{id}');
        field.value = #{value.to_json};
        field.dispatchEvent(new Event('change', { bubbles: true }));
      })()
    JS
  end

  # @return [String] "sessions" if these are shown then, "stays" if the browser asks for an answer; else what is said
  def launch
    page = js('performance.timeOrigin')
    js(LAUNCH)
    return 'stays' if js('document.querySelector("form[action*=session_contexts] :invalid") !== null')

    wait_until do
      @browser.listen(0.2) || js("performance.timeOrigin !== #{page} && document.readyState === 'complete'")
    end
    # OOD's notice is lost where an answer to something that the form had asked for sets the cookie last.
    js('location.pathname').end_with?('/batch_connect/sessions') ? 'sessions' : js(FAULT)
  end

  # @return [Hash{String => String}] name => text, of what was staged last
  def staged(app)
    output = "ondemand/data/sys/dashboard/batch_connect/sys/multitenant-#{app}/output"
    @staged = Dir.glob(File.join(@viewer.home, output, '*')).max_by { |dir| File.stat(dir).ctime }
    assert_equal 0o700, File.stat(@staged).mode & 0o777
    Dir.children(@staged).to_h { |name| [name, File.read(File.join(@staged, name))] }
  end

  # ---- services ----

  ANSWERS = {
    'database' => { 'db_data' => '/var/www/pupil/db', 'db_name' => 'course', 'db_user' => 'student' },
    'instruction' => { 'mt_instructional' => '/var/www/pupil/lesson.md' },
    'dashboard' => { 'app_path' => '/var/www/pupil/app' }, 'llm' => {}
  }.freeze
  SHARED = { 'enable_multitenant' => 'mt', 'mt_title' => 'Spanish 301' }.freeze
  # What the job then writes.
  CONNECTIONS = { 'dashboard' => { proxy: 'rnode' }, 'database' => DATABASE, 'llm' => LLM,
                  'instruction' => { content_path: '/var/www/pupil/lesson.md' } }.freeze

  def test_services
    start
    SERVICES.each do |app|
      shown = fields(app)
      assert_equal [GROUPS, ['*spanish301', 'biology']],
                   [shown.find { |label, _| label.start_with?('Group') }[1], shown.fetch('Account')]
      submit(app)
      begin_service(CONNECTIONS[app])
    end
    at_each_width('own') { |width| sessions(SERVICES.size, width) }
    assert_equal SERVICES.size, cards_text.scan('Shared with 1 other member of students, as a card').size
    assert_equal SERVICES.size, cards_text.scan('Spanish 301').size
    assert_equal 2, cards_text.scan('Show password').size
    assert_stays(25)
    assert_equal 10, js("#{PANELS}.flatMap((card) => [...card.querySelectorAll('td button')]).length")
  end

  def submit(app)
    answers = ANSWERS.fetch(app)
    answers.merge(app == 'instruction' ? SHARED.slice('mt_title') : SHARED).each { |id, value| fill(id, value) }
    assert_equal 'sessions', launch, "#{app}: #{cards_text} #{js('document.body.innerText')}"
    script = staged(app)['before.sh']
    ['--group students', '--method card', *answers.values].each { |text| assert_includes script, text }
    assert_includes script, '--title Spanish\\ 301'
    arguments = @slurm.arguments
    assert_equal ['spanish301', '--wckey=multitenant'], [arguments[arguments.index('-A') + 1], *arguments.grep(/wckey/)]
  end

  def begin_service(connection)
    connection = { host: 'n1', port: '80', password: 'x', mt_title: 'Spanish 301',
                   mt_shared: 'shared card munge 1 students' }.merge(connection)
    @viewer.write(File.join(@staged, 'connection.yml'), YAML.dump(connection.transform_keys(&:to_s)))
  end

  # ---- with bc_dynamic_js ----

  OTHERS = ['Group', 'Title', 'Shown As'].freeze

  def test_whom_a_service_is_for
    start({ 'OOD_BC_DYNAMIC_JS' => 'true' })
    (SERVICES - ['instruction']).each do |app|
      asked = fields(app, "#{app}-dynamic").keys
      assert_empty asked.grep(/only for|\ACommand/i), app
      { 'mt' => [*OTHERS, 'Kind of Card'], 'form' => OTHERS, 'card' => [*OTHERS, 'Kind of Card'], 'user' => [],
        'none' => [] }
        .each do |choice, wanted|
        fill(%w[form card].include?(choice) ? 'mt_method' : 'enable_multitenant', choice)
        assert_equal wanted, seen.keys - asked, "#{app}, #{choice}"
      end
    end
  end

  # Question and choice => what is asked then, too.
  KINDS = {
    'llm' => { %w[version openai] => ['Command'], %w[ollama_models custom] => ['Custom Models Directory'] },
    'dashboard' => { %w[version command] => ['Command', "Paths of the Command's Application"] }
  }.freeze

  def test_kinds_of_service
    start({ 'OOD_BC_DYNAMIC_JS' => 'true' })
    KINDS.each do |app, answers|
      answers.each do |(id, choice), wanted|
        form("multitenant-#{app}")
        asked = seen.keys
        fill(id, choice)
        assert_equal wanted, seen.keys - asked
      end
    end
  end

  # ---- clients ----

  def test_clients
    start
    three = [{}, { model: 'gemma2' }, { mt_title: 'Spanish 301' }]
    { NONE => [], ONE => [{}], THREE => three }.each do |wanted, shares|
      share(shares)
      CLIENTS.each do |app, label|
        assert_equal wanted, fields(app, "#{app}-#{shares.size}").fetch(label)
        said = launch
        if wanted == ONE
          assert_equal 'sessions', said
        else
          # In 3.1 no browser asks for an answer.
          assert_match(/\A(?:stays\z|.*No service was chosen: choose one in the form)/m, said)
        end
        choose(app) if wanted == THREE
        assert_includes staged(app)['service.sh'], LLM[:model] unless wanted == NONE
      end
    end
  end

  def share(shares)
    jobs = shares.each_with_index.map do |more, i|
      job(i + 1, message: { mta: 'Ollama_API' }, connection: LLM.merge(more))
    end
    slurm_says(fresh(*jobs))
    ttl_passes
  end

  def choose(app)
    form("multitenant-#{app}")
    fill('auto_multitenant_services', '3')
    assert_equal 'sessions', launch
    assert_includes staged(app)['before.sh'], 'mt_service=prof:\\ Spanish\\ 301'
  end

  def test_a_clients_card_says_that_its_service_has_ended
    start
    share([{}])
    CLIENTS.each_key do |app|
      form("multitenant-#{app}")
      assert_equal 'sessions', launch
      staged(app)
      begin_service({ mt_service: 'prof: Language model', mt_job: '1', mt_notebook: 'llm.ipynb' })
    end
    # Beside them is the service's own.
    at_each_width('clients') { |width| sessions(CLIENTS.size + 1, width) }
    assert_equal CLIENTS.size + 1, cards_text.scan('prof: Language model').size
    refute_includes cards_text, 'That service has ended'
    share([])
    wait_until { sessions(CLIENTS.size) || cards_text.scan('That service has ended').size == CLIENTS.size }
    assert_page('clients-ended')
  end

  # ---- a site's own ----

  NESTED = { 'cluster' => 'hpc',
             'form' => [%w[auto_multitenant_services bc_num_hours], 'auto_multitenant_groups'] }.freeze

  # Later than 4.2, questions may stand beside each other.
  def test_a_nested_form
    skip 'this dashboard has none' unless @site.nested_forms?
    @site.app('nested', 'form.yml' => YAML.dump(NESTED), 'submit.yml.erb' => "batch_connect: {template: basic}\n",
                        'template/script.sh' => ':')
    start
    share([{}])
    at_each_width('form-nested') { |width| form('nested', width) }
    assert_equal [ONE, []], seen.values_at('Shared service', 'Number of hours')
    assert_includes seen.values, GROUPS
    assert_equal 'sessions', launch
  end
end
