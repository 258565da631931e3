# frozen_string_literal: true

require_relative 'helper'

# What services are called where one is chosen of several.
class TestServiceNames < Minitest::Test
  START = Time.local(2026, 11, 26, 19, 51).to_i
  END_OF = START + 7200

  # @return [Hash]
  def service(title = 'Language model', connection: {}, **info)
    info = { user: 'prof', title: title, group: 'students', start: START.to_s, end: '0' }.merge(info)
    { **info.transform_keys(&:to_s), 'connection' => connection.transform_keys(&:to_s) }
  end

  def assert_names(names, *services, keys: (1..services.size).map(&:to_s))
    services = keys.zip(services).each_with_index.to_h { |(key, one), i| [key, { **one, 'member' => (i + 1).to_s }] }
    specs = services.values.to_h { |one| [one['member'], { 'info' => one.slice('start') }] }
    assert_equal names, MultiTenant::ServiceNames.of(services, specs).values
  end

  def test_publisher_and_title_are_enough_where_no_other_reads_alike
    assert_names ['prof: Language model', 'dean: Language model', 'prof: Spanish 301'],
                 service, service(user: 'dean'), service('Spanish 301', connection: { model: 'llama3.1:8b' })
    assert_names []
  end

  def test_what_people_know_best_tells_apart
    assert_names ['prof: Language model (llama3.1:8b)', 'prof: Language model (gemma2)'],
                 service(connection: { model: 'llama3.1:8b' }), service(connection: { ollama_model: 'gemma2' })
    assert_names ['prof: Database (course)', 'prof: Database (exam)'],
                 *%w[course exam].map { |name| service('Database', connection: { database: name }) }
    assert_names ['prof: Language model (for students)', 'prof: Language model (for lab)'],
                 service, service(group: 'lab')
    assert_names ['prof: Language model (since Thu 26 Nov 19:51)', 'prof: Language model (since Thu 26 Nov 21:51)'],
                 service, service(start: END_OF.to_s)
    assert_names ['prof: Language model (until Thu 26 Nov 21:51)', 'prof: Language model'],
                 service(end: END_OF.to_s), service
  end

  # Two of three, of which one is of another model.
  def test_no_more_is_said_than_tells_apart
    assert_names ['prof: Language model (a, for students)', 'prof: Language model (a, for lab)',
                  'prof: Language model (b)', 'prof: Web application'],
                 service(connection: { model: 'a' }), service(connection: { model: 'a' }, group: 'lab'),
                 service(connection: { model: 'b' }), service('Web application')
  end

  def test_the_number_of_a_job_is_the_last_resort
    assert_names ['prof: Language model (job 1)', 'prof: Language model (job 2)'],
                 service, service(start: (START + 5).to_s)
  end

  def test_the_key_of_a_service_of_several_jobs_says_more_than_a_job
    assert_names ['prof: Language model (prof/spanish@students)', 'prof: Language model (job 2)'],
                 service, service(start: (START + 5).to_s), keys: %w[prof/spanish@students 2]
  end

  # Its publisher may have written anything.
  def test_a_name_that_reads_as_something_else_is_not_told
    ["a\u202Eb", "a\tb", '', 'x' * 65].each do |name|
      assert_names ['prof: Language model (job 1)', 'prof: Language model (job 2)'],
                   service(connection: { model: name }), service
    end
  end
end
