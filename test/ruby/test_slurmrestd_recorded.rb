# frozen_string_literal: true

require_relative 'fake_slurm'
require_relative 'fake_slurmrestd'

# What real slurmrestds answered, and what the query program said of the same jobs: test/slurmrestd/record.rb.
class TestSlurmrestdRecorded < MultiTenantTest
  include Slurmrestds

  DIRECTORY = File.join(Tree::ROOT, 'test/slurmrestd')
  RECORDED = %w[22.05.8 24.11.5].to_h { |release| [release, JSON.parse(File.read("#{DIRECTORY}/#{release}.json"))] }
  SCHEMA = JSON.parse(File.read("#{DIRECTORY}/schema.json"))
  HOSTILE = JSON.parse(File.read("#{DIRECTORY}/hostile.json"))
  FORGED = JSON.parse(File.read(File.join(Tree::ROOT, 'test/vectors/squeue_forged.json')))['vectors']
  VERSIONS = RECORDED.flat_map { |release, told| told['answers'].keys.map { |version| [release, version] } }

  # Answers as that one did, to each of its paths; `failing` is the name of a failure that was recorded.
  class Recording < FakeSlurmrestd
    attr_accessor :failing
    attr_writer :more_states

    # @param as [String, nil] the version in whose name it answers
    def initialize(listener, url, release:, version:, as: version)
      super(listener, url)
      recorded = RECORDED.fetch(release)
      @recorded = recorded['answers'].fetch(version)
      @failures = recorded['failures'].fetch(version)
      @version = version
      @as = as
    end

    # @return [Hash] what is answered to a path
    def told(path)
      body = @recorded.fetch(path)[2]
      JSON.parse(body.is_a?(Hash) ? body['binary'] : body)
    end

    private

    def of(path)
      path = path.sub("v0.0.#{@as}/", "v0.0.#{@version}/")
      status, _, body = failure(path) || @recorded[path[/[^?]+/]] ||
                        @recorded.fetch(path.include?("v0.0.#{@version}") ? missing : 'unknown version')
      body = body.is_a?(Hash) ? body['binary'].codepoints.pack('C*') : body.b
      [status.to_s, body.gsub(/(?<="RUNNING")/n) { [*@more_states].map { |state| ",\"#{state}\"" }.join }]
    end

    def missing
      "/slurm/v0.0.#{@version}/job/999999"
    end

    # Of slurmdbd's part or of slurmctld's.
    def failure(path)
      failing = path[/\?.*/].to_s.match?(/[*,]/) ? 'a query that is none' : @failing
      (@failures.fetch(failing)[path.start_with?('/slurmdb/') ? 0 : 1] if failing)
    end
  end

  def replay(release, version, **options)
    path = File.join(temporary, "s#{@started.to_a.size}")
    @rest = started(Recording.unix(path, release: release, version: version, **options))
  end

  # @return [Array<Hash>] the lines of the query program, of which the name service's are what FakeSlurm::Group says
  def said(release)
    RECORDED.fetch(release)['records']
  end

  def lines(answer)
    assert_nil answer.error
    answer.texts.fetch(0).lines.map { |line| JSON.parse(line).except('generated') }
  end

  # Beside all forged names: one that was requeued, one by its user's default key, three tasks, two components; and one
  # that was suspended.
  def test_jobs_of_all_kinds_were_recorded
    RECORDED.each do |release, told|
      records = said(release)[1...-1]
      names = records.map { |one| one['binary'] ? one['name'].codepoints.pack('C*') : one['name'].b }
      assert_empty FORGED.map { |vector| name_of(vector) } - names, release
      assert_equal [FORGED.size + 7, 1], [records.size, records.count { |one| one['restarts'] == 1 }]
      told['answers'].each_value do |answers|
        all = answers.values.map(&:last).join
        ['"wckey":"\\*multitenant"', '"job_state":\[?"SUSPENDED"'].each { |one| assert_match(/#{one}/, all) }
      end
    end
  end

  def name_of(vector)
    name = vector['base64'] ? vector['base64'].unpack1('m0') : vector['name'].dup
    name += name[-1] while name.bytesize < vector.fetch('fill', 0)
    name.b
  end

  VERSIONS.each do |release, version|
    define_method(:"test_records_of_#{release.tr('.', '_')}_in_v#{version}_are_the_query_program_s") do
      replay(release, version)
      told = lines(ask)
      head = said(release)[0]
      assert_equal head.slice('cluster', 'wckeys', 'sees'), told[0].slice('cluster', 'wckeys', 'sees')
      assert_equal said(release)[1..], told[1..]
    end
  end

  # Later ones say the same of what is read (schema.json), and call a running job by more words.
  def test_later_versions
    %w[43 44 45].each do |version|
      rest = replay('24.11.5', '42', as: version)
      rest.more_states = SCHEMA['states'] unless version == '43'
      assert_equal said('24.11.5')[1..], lines(ask)[1..], version
      assert_equal ["v0.0.#{version}"], rest.paths.last(3).map { |path| path[/v[\d.]+/] }.uniq
    end
  end

  def test_the_schema_of_later_versions_is_what_was_recorded
    rest = replay('24.11.5', '42')
    { '/slurmdb/v0.0.42/jobs' => 'jobs', '/slurmdb/v0.0.42/user/backup' => 'users', '/slurm/v0.0.42/job/3' => 'jobs',
      '/slurm/v0.0.42/node/node1' => 'nodes', '/slurm/v0.0.42/job/999999' => 'errors' }.each do |path, list|
      told = rest.told(path).fetch(list)
      refute_empty told
      schema = SCHEMA[list] || SCHEMA.fetch("#{path[%r{/\w+}]}/#{list}")
      told.each { |one| schema.each { |name, type| assert_type type, one[name], "#{path} #{name}" } }
    end
  end

  TYPES = { 'string' => [String], 'integer' => [Integer], 'boolean' => [TrueClass, FalseClass] }.freeze

  def assert_type(type, value, what)
    case type
    when 'number' then assert_type(SCHEMA['number'], value, what)
    when Array then value.each { |one| assert_type(type[0], one, what) }
    when Hash then type.each { |name, its| assert_type(its, value[name], "#{what} #{name}") }
    else assert_includes TYPES.fetch(type), value.class, what
    end
  end

  # ---- no job seems to have ended ----

  # Of which it is not told what the query program said, it says so.
  def assert_kept(what, answer = ask)
    return refute_nil(answer.error, what) if answer.texts.empty?

    header, *records = answer.texts[0].lines.map { |line| JSON.parse(line) }
    others = said('24.11.5')[1...-1] - records
    assert_empty others.map { |record| record['job_id'] } - header['undetermined'].to_a, what
  end

  def test_failures_that_were_recorded
    VERSIONS.each do |release, version|
      rest = replay(release, version)
      RECORDED[release]['failures'][version].each_key do |failure|
        rest.failing = failure
        answer = ask
        if failure == 'another key'
          assert_equal [{ 'end' => 0 }], lines(answer)[1..]
        else
          assert_equal [[], true], [answer.texts, [69, 77].include?(answer.code)], "#{release} #{failure}"
        end
      end
    end
  end

  def test_a_token_that_is_not_taken_is_told
    VERSIONS.product(['expired', 'forged', 'of another user', 'no token']) do |(release, version), failure|
      replay(release, version).failing = failure
      refused 77, /does not take the token/
    end
  end

  def test_hostile_answers
    rest = replay('24.11.5', '42')
    HOSTILE['jobs and job'].product([/jobs\?/, %r{job/6\?}]) do |(what, status, body), path|
      rest.answers.clear
      rest.say(path, status, body)
      assert_kept "#{what} at #{path}"
    end
  end

  # Of several jobs at a time.
  def test_hostile_members_of_a_job
    rest = replay('24.11.5', '42')
    HOSTILE['members of a job'].each_slice(4) do |some|
      some.zip([3, 4, 5, 7]) do |(_, members), id|
        told = rest.told("/slurm/v0.0.42/job/#{id}")
        rest.say(%r{job/#{id}\?}, FakeSlurmrestd::OK, { **told, 'jobs' => [{ **told['jobs'][0], **members }] })
      end
      assert_kept some.map(&:first)
    end
  end

  # The answer to an array's id holds its tasks.
  def test_a_task_that_cannot_be_read_costs_the_others_of_its_array_nothing
    rest = replay('24.11.5', '42')
    told = rest.told('/slurm/v0.0.42/job/9')
    told['jobs'].each_index do |i|
      jobs = told['jobs'].map.with_index { |job, at| at == i ? { **job, 'name' => nil } : job }
      rest.say(%r{job/9\?}, FakeSlurmrestd::OK, { **told, 'jobs' => jobs })
      assert_equal [jobs[i]['job_id']], JSON.parse(ask.texts[0].lines[0])['undetermined']
      assert_kept jobs[i]['job_id']
    end
  end
end
