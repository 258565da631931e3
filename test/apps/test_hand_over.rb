# frozen_string_literal: true

require_relative 'tenants'

# The shortest jobs that can follow each other: a limit of two minutes, of which one is the lead, from a publisher's
# own script, whose server takes a while to start. A tenant has an open page, which asks each second, and the chat
# page's code, which asks as often.
class TestHandOver < AppTest
  include Tenants

  SERVICE = 'hpcfaculty/notes@hpcGrp'

  SCRIPT = <<~BASH.freeze
    #!/bin/bash
    #SBATCH --wckey=multitenant --time=2 --output=#{DIR}/jobs/%j.log
    for part in job chain keeper submission; do source #{Bed::OURS}/libexec/multitenant-$part; done
    export XDG_STATE_HOME=#{DIR}/jobs
    keep_running --service notes --group hpcGrp --title 'Our notes' --lead 1 --until '1 day'
    multitenant_share() {
      mt_shared=$(#{Bed::OURS}/libexec/multitenant-share --note --group hpcGrp --app Ollama_API --method card \
        --delivery sys/multitenant-delivery_default --session "$mt_session" "$@")
    }
    export host=127.0.0.1
    port=$(python3 -c 'import socket; one = socket.socket(); one.bind(("127.0.0.1", 0)); print(one.getsockname()[1])')
    export port base_url=http://$host:$port/v1
    { sleep 8; exec python3 #{DIR}/server.py "$port"; } & SCRIPT_PID=$!
    share_service base_url
    wait "$SCRIPT_PID"
  BASH

  # What {BedTest#shared} tells where the job is not.
  def log
    Dir.glob(File.join(DIR, 'jobs/*.log')).max || File::NULL
  end

  # Until the third job answers. What waits goes on once the second one has for a while.
  # @return [Array<Array>] the cards of each poll, and the answers
  def follow(page, chat, first)
    cards = []
    answers = []
    reader = Thread.new { chat.each_line(chomp: true) { |line| answers << line } }
    Bed.wait(-> { "three jobs answer: #{answers.tally}" }, 300) do
      start = MultiTenant.clock
      cards << page.poll.cards.keys
      tell(page, SERVICE)
      FileUtils.touch(GO) if answers.count { |answer| answer != first } > 9
      # Bed.wait makes it a second.
      sleep [0.9 - (MultiTenant.clock - start), 0].max
      answers.uniq.size > 2
    end
    [cards, answers]
  ensure
    reader&.kill
  end

  # @return [Array<String>] jobs that have begun
  def begun
    Dir.glob(File.join(DIR, 'jobs/*.log')).map { |file| File.basename(file, '.log') }.sort_by(&:to_i)
  end

  # It takes two minutes.
  module Long
    def test_jobs_of_two_minutes_that_nobody_sees_change
      first = shared(Integer(Bed.as('hpcfaculty', 'sbatch', '--parsable', input: SCRIPT).out)).to_s
      page = dashboard
      Bed.wait('the card') { page.poll.cards.size == 1 }
      card = page.poll.cards.keys
      tell(page, SERVICE)
      stream = client('wait')
      cards, answers = follow(page, client('who'), first)
      assert_equal [card], cards.uniq
      assert_equal begun, answers.uniq
      assert_match(/\A(?:word ){20,}#{first}\n\z/, stream.read)
    end
  end
  include Long if ENV.key?('MULTITENANT_LONG')
end
