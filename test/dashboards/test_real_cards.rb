# frozen_string_literal: true

require_relative 'real_test'

# What is shared, as a tenant has it before them.
class TestRealCards < RealTest
  CARDS = {
    'Ollama_API' => ['default', LLM.merge(ollama_url: 'http://n1:11434')],
    'Ollama_Code' => ['default', LLM.merge(api_key: 'sk-1234567890')],
    'DB_Conn' => ['default', DATABASE], 'DB_JDBC' => ['default', DATABASE],
    'RShiny_App' => ['default', { host: 'n1', port: '8080', password: 'x' }],
    'Queue' => ['default', { host: 'n1', port: '5672', class: 'q', display: 'd', tap: 't', token: 'x' * 120 }],
    'debug' => ['debug', DATABASE], 'Class' => ['readfile', {}]
  }.freeze
  LESSON = "# Lesson 1\n\nTry *it*: `print(1)`.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"

  def setup
    super
    lesson = File.join(temporary, 'lesson.md')
    File.write(lesson, LESSON)
    File.chown(1001, 1001, lesson)
    jobs = CARDS.each_with_index.map do |(app, (delivery, connection)), i|
      @slurm.run(i + 1)
      connection = { content_path: lesson } if delivery == 'readfile'
      job(i + 1, start: Time.now.to_i - 600, connection: connection,
                 message: { mta: app, mtd: "sys/multitenant-delivery_#{delivery}" })
    end
    slurm_says(fresh(*jobs))
    start
    wait_until { sessions(CARDS.size) || cards_text.include?('Lesson 1') }
  end

  def test_cards
    at_each_width('cards') { |width| sessions(CARDS.size, width) }
    at_each_width('cards-open') do |width|
      sessions(CARDS.size, width)
      js(OPEN)
    end
    ['correct-horse-battery', 'sk-1234567890', 'jdbc:postgresql://n1:5432/course', 'x' * 120].each do |value|
      assert_includes cards_text.delete("\n"), value
    end
  end

  # Our script, which makes the buttons, has the nonce that OOD's policy asks for.
  def test_a_policy
    @served.stop
    start({ 'OOD_CSP_ENABLED' => 'true', 'OOD_CSP_REPORT_ONLY' => 'false' })
    sessions(CARDS.size)
    wait_until { js("#{PANELS}.flatMap((card) => [...card.querySelectorAll('td button')]).length") >= 20 }
    assert_empty(@browser.all('Log.entryAdded').map { |event| event['entry']['text'] }.grep(/script-src/))
  end

  def test_polls
    assert_stays(65)
  end
end
