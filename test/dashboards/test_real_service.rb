# frozen_string_literal: true

require_relative 'real_test'

# The owner's session of a service of several jobs.
class TestRealService < RealTest
  TOKEN = 'sys/multitenant-dashboard'
  ID = '00000901-0000-4000-8000-0123456789ab'
  NAME = 'spanish@students'
  WROTE = { 'host' => 'n2', 'port' => '8080', 'proxy' => 'rnode', 'mt_title' => 'Before', 'mt_command' => '',
            'password' => '', 'mt_shared' => 'shared card munge 3 students' }.freeze
  DELETE = <<~JS.freeze
    fetch(location.pathname + '/#{ID}', {
      method: 'DELETE', headers: { 'X-CSRF-Token': document.querySelector('meta[name=csrf-token]').content }
    }).then((answer) => { window.deleted = answer.status; }); 0
  JS

  def setup
    super
    @viewer.own_session(ID, job_id: '901', token: TOKEN)
    @viewer.write(staged('service.json'), JSON.generate(service: NAME, state: state))
    @viewer.write(staged('gen-1', 'connection.yml'), YAML.dump(WROTE))
    keep('session' => ID, 'lead' => '10', 'until' => '4102441199', 'title' => 'Spanish 302', 'copies' => '2',
         'chains/1/job' => '902', 'chains/1/shared' => '902', 'chains/1/served' => '1', 'chains/1/next' => '903',
         'chains/1/node' => 'node7', 'chains/1/start' => '1700000000', 'chains/2/next' => '911',
         'chains/1/problem.copy' => 'Copy 3 could not be submitted, which is tried again: no more jobs.')
    @slurm.run(902)
    [903, 911].each { |job| @slurm.run(job, 'PD') }
    start
  end

  def staged(*parts)
    @viewer.output(ID, *parts, token: TOKEN)
  end

  def state(*parts)
    File.join(@viewer.home, 'kept/multitenant/services', NAME, *parts)
  end

  def keep(files)
    files.each { |file, text| @viewer.write(state(file), "#{text}\n") }
  end

  def test_it_is_one_session_until_it_is_deleted
    at_each_width('service') { |width| sessions(1, width) }
    ['Running', 'Spanish 302', 'Shared with 3 other members', 'Job 902', 'serves on node7', 'Job 903',
     'waits in the queue', 'Kept running until', 'Copy 3 could not'].each { |text| assert_includes cards_text, text }
    assert_equal ['/rnode/n2/8080/'], js("#{PANELS}.flatMap((card) => [...card.querySelectorAll('a[href*=rnode]')])" \
                                         ".map((link) => link.getAttribute('href'))")
    js(DELETE)
    wait_until { @browser.listen(0.1) || js('window.deleted ?? null') }
    assert_equal([902, 903, 911], @slurm.calls.grep(/scancel/).map { |line| line[/\d+/].to_i }.uniq.sort - [901])
    assert_path_exists state('stopped')
    wait_until { @viewer.listed.empty? }
  end

  def test_it_has_ended_when_none_is_left
    keep('chains/1/ended' => 'Two jobs in a row ended.')
    [902, 903, 911].each { |job| @slurm.finish(job) }
    sessions(1)
    ['Completed', 'Two jobs in a row ended.', 'output.log'].each { |text| assert_includes cards_text, text }
  end
end
