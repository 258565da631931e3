# frozen_string_literal: true

require_relative 'app_test'

# A file that is delivered to a class.
class TestInstruction < AppTest
  APP = 'multitenant-instruction'

  def lesson(name = 'lesson.md', text = "# Lesson\n", owner: 'hpcfaculty')
    path = File.join(Bed::OURS, name)
    File.write(path, text)
    FileUtils.chown(owner, nil, path)
    path
  end

  def deliver(path)
    submit(APP, 'mt_instructional' => path, 'auto_multitenant_groups' => 'hpcGrp')
  end

  def test_a_class_gets_a_card_as_long_as_the_job_runs
    path = lesson("a'b \"c\" $(id) \\n # : x.md", "\uFEFF# Lección 數\n")
    job = deliver(path).shared
    assert_equal({ 'content_path' => path }, job.specs)
    assert_equal path, job.connection['content_path']
    assert_match(/\Ashared card v1 \d hpcGrp\z/, job.connection['mt_shared'])
    assert_equal ["written #{job.id}"], Bed.cards('hpcstudent')
    assert_empty Bed.cards('outsider')
    job.cancel
    Bed.wait('slurmdbd knows that it ended') { Bed.cards('hpcstudent') == ["removed #{job.id}"] }
  end

  def test_after_a_requeue_and_at_the_end_of_its_time
    job = deliver(path = lesson).shared
    job.connection
    job.requeue
    assert_equal 2, job.name.count('|')
    assert_equal({ 'content_path' => path }, job.specs)
    system('scontrol', 'update', "JobId=#{job.job_id}", 'TimeLimit=1', exception: true)
    Bed.wait('its time ends', 150) { job.ended? }
    Bed.wait('nobody has it any more') { job.specs.nil? }
  end

  def test_sealed_by_munge_where_no_old_reader_is_left
    socket = File.join(Bed::DIR, 'run/munge/munge.socket')
    file = File.join(AppJobs.root(APP), 'site.yml')
    was = File.read(file)
    AppJobs.configure(file, 'old_readers' => 'no', 'munge_socket' => socket)
    path = lesson
    job = deliver(path).shared
    assert_match(/\|hpcGrp\|MUNGE:/, job.name)
    specs = Bed.specs('hpcstudent', env: { 'MULTITENANT_MUNGE_SOCKET' => socket })
    assert_equal path, specs.dig(job.job_id.to_s, 'connection', 'content_path')
  ensure
    File.write(file, was)
  end

  def test_what_readers_would_be_refused_is_not_delivered
    others = lesson('others.md', owner: 'hpcstudent')
    refused = { '/nowhere' => /no file .*nowhere/, '/etc' => /no file/, others => /belongs to another user/,
                lesson('big.md', 'x' * 1_048_577) => /more than 1 MiB/,
                lesson('word.html', "<p>Espa\xf1ol</p>\n") => /word.html is not text in UTF-8.* Word calls it/,
                lesson('wide.txt', "H\0o\0l\0a\0") => /wide.txt is not text in UTF-8/ }
    refused.map { |path, sentence| [deliver(path), sentence] }.each do |job, sentence|
      Bed.wait('it ends') { job.ended? }
      assert_match sentence, job.log
    end
  end
end
