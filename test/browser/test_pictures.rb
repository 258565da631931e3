# frozen_string_literal: true

require_relative 'cards_test'

# The pictures of the documents: cards and forms, as large as they are shown there. script/pictures takes them.
class TestPictures < CardsTest
  COURSE = SOON.merge('user' => 'hpcfaculty', 'title' => 'Spanish 301 model').freeze
  MODEL = LLM.merge('api_key' => 'sk-1234567890').freeze
  PLAN = <<~MARKDOWN
    ## What to prepare

    | day | what |
    |-----|------|
    | Mon | the past tenses, chapter 2 |
    | Wed | *Platero y yo*: read pages 1 to 12 |
    | Fri | talk with the model of the course: its card is beside this one |
  MARKDOWN

  # Two groups of the publisher's: the course, and one in which there is nobody else.
  NAMES = %q(echo '{"others":0}'; echo '{"others":24}'; echo '{"end":2}')

  # @param opened [String] selector of what is folded until somebody opens it
  def picture(name, title, html, opened: nil)
    @browser.size(600, 200)
    show([html], csp: true, titles: [title])
    @browser.evaluate("document.querySelector('#{opened}').open = true") if opened
    refute_empty @browser.evaluate('document.fonts.ready.then((fonts) => [...fonts].map((font) => font.family))')
    @browser.picture(name)
  end

  def card(app, connection, title)
    html([['default', connection.merge('mt_appname' => app), COURSE.merge('title' => title)]])[0]
  end

  def test_pictures_of_cards
    llm = card('Ollama_API', MODEL, 'Spanish 301 model')
    picture('card-llm', 'hpcfaculty: Spanish 301 model', llm, opened: 'details')
    picture('card-database', 'hpcfaculty: Spanish 301 verbs', card('DB_Conn', DATABASE, 'Spanish 301 verbs'),
            opened: 'details:not(td *)')
    web = { 'host' => 'node17', 'port' => '8080', 'proxy' => 'rnode' }
    picture('card-web', 'hpcfaculty: Verb trainer', card('RShiny_App', web, 'Verb trainer'))
    week = COURSE.merge('title' => 'Spanish 301, week 1')
    picture('card-class', 'hpcfaculty: Spanish 301, week 1', file(lesson('plan.md', PLAN), specs: week))
  end

  # The owner's own.
  def test_picture_of_a_services_card
    values = MODEL.merge('mt_title' => 'Spanish 301 model', 'mt_shared' => 'shared card munge group spanish301')
    picture('service-card', 'Multitenant LLM', own_cards([['llm', values]])[0]['html'])
    values.update('mt_state' => state('until' => Time.now.to_i + (7 * 86_400), 'lead' => 10, **chain(1), **chain(2)))
    specs = [1, 2].to_h { |n| ["471#{n}", { 'info' => SOON.merge('uid' => @viewer.uid.to_s, 'host' => "gpu0#{n}") }] }
    picture('service-members', 'Multitenant LLM', own_cards([['llm', values]], specs: specs)[0]['html'])
  end

  def chain(number)
    { 'job' => "471#{number}", 'shared' => "471#{number}", 'next' => "471#{number + 2}", 'node' => "gpu0#{number}" }
      .transform_keys { |file| "chains/#{number}/#{file}" }
  end

  # @return [String] where a service of several jobs keeps what it knows
  def state(files)
    path = File.join(@viewer.home, '.local/state/multitenant/services/spanish-301-model@spanish301')
    files.each { |file, text| @viewer.write(File.join(path, file), "#{text}\n") }
    path
  end

  # @param from [String] name of the first question that is shown
  # @param last [String, nil] and of the last one; nil: to the end
  # @param answers [Hash{String => String}] to some questions
  def form_picture(name, answer, from, last: nil, answers: {})
    @server.content = answer.body[%r{<p id="alert".*?</p>}].to_s + answer.body[%r{<form.*</form>}m]
    @browser.size(500, 200)
    show([], csp: false)
    @browser.evaluate(format(PART, *[from, last, answers].map(&:to_json)))
    @browser.picture(name)
  end

  # What comes before the one question and after the other goes.
  PART = <<~JS
    document.getElementById('alert')?.classList.add('alert', 'alert-danger');
    const field = (name) => document.querySelector(`[name$="[${name}]"]`);
    const question = (name) => field(name)?.closest('form > div');
    const go = (part, next) => { while (part?.[next]) part[next].remove(); };
    go(question(%s), 'previousElementSibling');
    go(question(%s), 'nextElementSibling');
    for (const [name, value] of Object.entries(%s)) field(name).value = value;
    new Promise((done) => requestAnimationFrame(done));
  JS

  def test_picture_of_a_services_form
    program_says('names', NAMES)
    app = install_apps('services').grep(/llm/)[0]
    @site.app(app, 'site.yml' => "cluster: hpc\nold_readers: no\n")
    start({ 'USERS_GROUPS' => 'hpcfaculty,spanish301' })
    answer = @dashboard.form("sys/#{app}")
    assert_equal ['spanish301 (24 other people)', 'hpcfaculty (nobody else is in it)'],
                 options(answer, 'auto_multitenant_groups').map(&:first)
    form_picture('service-form', answer, 'enable_multitenant',
                 answers: { 'enable_multitenant' => 'mt', 'mt_title' => 'Spanish 301 model', 'mt_method' => 'card' })
  end

  def test_pictures_of_a_clients_form
    install_apps('clients')
    start
    slurm_says(fresh(job(1, user: 'hpcfaculty', message: { mta: 'Ollama_API' },
                            connection: LLM.merge(mt_title: 'Spanish 301 model'))))
    everything_is_due
    form = 'sys/multitenant-gradio'
    wait_until { @dashboard.form(form).body.include?('Spanish 301 model') }
    form_picture('client-form', @dashboard.form(form), 'auto_multitenant_services', last: 'bc_num_hours')
    answer = @dashboard.submit(form, 'auto_multitenant_services' => '9')
    form_picture('refused', answer, 'auto_multitenant_services', last: 'auto_multitenant_services')
  end
end
