# frozen_string_literal: true

require_relative 'helper'
require 'io/console'
require 'multitenant/cli/share_table'
require 'pty'
require 'stringio'

# The table for people: what it says, and what never reaches a terminal.
class TestList < MultiTenantTest
  NOW = Time.at(1_700_000_000)
  HOSTILE = "a\e[2J\r\n\t\u0000\u009b31m\u202ebc\u200f\u0301\u{1f600}\u754c\u00ad\u007f"

  # What {ShareTable} reads of a receiver.
  Looked = Struct.new(:shares, :report, :services)

  def share(**changes)
    { key: '7', cluster: 'hpc', ood_cluster: 'hpc', job_id: 7, user: 'prof', group: 'students', envelope: 'v1',
      app: 'Ollama', title: 'Ollama', start: NOW.to_i - 60, end: 0, current: true, specs: 'ok',
      card: 'ok' }.merge(changes)
  end

  def list(*shares, out: StringIO.new, json: false, **report)
    report = { 'at' => NOW.to_i, 'seconds' => 0.01234, 'clusters' => { 'hpc' => 'all' } }
             .merge(report.transform_keys(&:to_s))
    MultiTenant::ShareTable.new(Looked.new(shares, report, {}), out: out, now: NOW, json: json).print
    out.string if out.is_a?(StringIO)
  end

  # A column of the only row.
  def column(name, **changes)
    heading, row = list(share(**changes)).lines(chomp: true)
    row[heading.index(name)..].split(/ {2,}/).first
  end

  # What a terminal of this width gets.
  def on_terminal(width, *shares)
    PTY.open do |terminal, screen|
      screen.winsize = [24, width]
      list(*shares, out: screen)
      text = ''.b
      text << terminal.readpartial(65_536) until text.include?("asked hpc in 0.01 s\r\n")
      text.force_encoding('UTF-8').delete("\r").lines(chomp: true)
    end
  end

  def test_the_table
    sealed = share(key: '8@b', title: nil, specs: 'bad_cipher', card: 'bad_cipher', current: false)
    assert_equal <<~TABLE, list(share, sealed)
      JOB  SERVICE  FROM  GROUP     STATE      TIME LEFT  ENVELOPE  VISIBLE
      7    Ollama   prof  students  running    no limit   v1        card and form
      8@b  -        prof  students  not asked  no limit   v1        no: bad_cipher - The payload does not decrypt: sealed for another job or damaged.
      2 services, 1 visible to you; asked hpc in 0.01 s
    TABLE
  end

  def test_time_left
    { 0 => 'no limit', (2 * 86_400) + (3 * 3600) + (14 * 60) => '2-03:14', 59 => '00:00', 3600 => '01:00',
      86_400 => '1-00:00', -1 => 'over' }.each do |left, text|
      assert_equal text, column('TIME LEFT', end: left.zero? ? 0 : NOW.to_i + left)
    end
  end

  def test_what_is_visible
    assert_equal 'form only', column('VISIBLE', card: 'form_only')
    assert_equal "form only: own_session - #{MultiTenant::Native.reasons['own_session'][0]}",
                 column('VISIBLE', card: 'own_session')
    MultiTenant::Native.reasons.each do |code, (sentence, _)|
      assert_equal "no: #{code} - #{sentence}", column('VISIBLE', specs: code, card: code) unless code == 'ok'
    end
  end

  # ---- hostile texts ----

  def test_nothing_but_printable_latin_reaches_a_terminal
    told = list(share(title: HOSTILE, user: HOSTILE, group: "\xff\xfe".dup.force_encoding('UTF-8'), key: HOSTILE,
                      envelope: HOSTILE), clusters: { HOSTILE => 'own' })
    assert_match(/\A[ -~…\n]*\z/, told)
    assert_equal 2 + 1 + 1, told.lines.size
    assert_includes told, 'a\u001b[2J\u000d\u000a'
    assert_includes told, '\u202e'
    assert_includes told, '??'
  end

  def test_letters_of_one_column_stay
    assert_equal 'Modèle ČŠ', column('SERVICE', title: 'Modèle ČŠ')
  end

  def test_a_long_text_is_cut
    told = list(share(title: 'x' * 500))
    assert_includes told, "#{'x' * 47}…  prof"
  end

  # ---- width ----

  def test_a_terminal_is_not_overrun
    refusal = share(title: 'A' * 40, specs: 'not_member', card: 'not_member')
    [200, 80, 40, 5].each do |width|
      lines = on_terminal(width, share, refusal)[0..2]
      assert_equal 3, lines.size
      assert_operator lines.map(&:size).max, :<=, width
    end
    wide = on_terminal(80, refusal)
    assert_match(/\A7 .*no: not_memb.*…\z/, wide[1])
    assert_equal 80, wide[1].size
    assert_match(/\AJOB  SERVICE .*TIME LEFT  ENVELOPE  VISIBLE\z/, wide[0])
  end

  def test_a_terminal_of_no_size_and_a_pipe_have_no_limit
    long = share(specs: 'malformed_name', card: 'malformed_name')
    assert_match(/nothing is shared yet\.$/, on_terminal(0, long)[1])
    assert_match(/nothing is shared yet\.$/, list(long))
  end

  # ---- what is not there ----

  def test_it_says_what_it_does_not_know
    assert_equal "Nothing is shared; asked hpc in 0.01 s\n", list
    assert_equal "What is shared is not known: Slurm gave no answer.\n", list(at: nil, clusters: {}, error: 'No.')
    assert_includes list(share, clusters: { 'hpc' => 'own' }), 'On hpc you can see your own jobs only (PrivateData)'
    told = list(share, clusters: { 'hpc' => 'all', 'b' => 'incomplete' }, error: 'b is silent.')
    assert_includes told, "asked hpc, b in 0.01 s\nb did not answer to the end.\nNot all clusters answered"
  end

  # ---- JSON and the command ----

  def test_json_tells_the_same_in_ascii
    told = list(share(app: HOSTILE, title: HOSTILE, end: NOW.to_i + 90), json: true, error: 'b is silent.')
    assert_match(/\A[ -~\n]*\z/, told)
    read = JSON.parse(told)
    service = read['services'][0]
    assert_equal [HOSTILE, 'hpc', 7, 90, 'card and form', 'running', 'ok'],
                 service.values_at('app', 'cluster', 'job_id', 'seconds_left', 'visible', 'state', 'specs')
    assert_equal [{ 'hpc' => 'all' }, NOW.to_i, 'b is silent.'], read.values_at('clusters', 'at', 'error')
    assert_nil JSON.parse(list(share, json: true))['services'][0]['seconds_left']
  end

  # A job's name is bytes that any user wrote.
  def test_a_group_that_is_no_text
    odd = stream(job(1, name: "l|g\u00ff|AAAA", binary: true))
    done = multitenant('list', '--json', '--records', '-', stdin: odd)
    assert_equal [0, "g\u{fffd}"], [done.code, JSON.parse(done.out)['services'][0]['group']], done.err
  end

  def test_the_command_over_real_records
    env = { 'OOD_CLUSTERS' => temporary }
    done = multitenant('list', '--records', '-', stdin: stream(job(1), job(2, name: 'sleep')), env: env)
    assert_equal [0, ''], [done.code, done.err]
    assert_match(/^1 +- +prof +students +running +no limit +v1 +no: not_member - /, done.out)
    assert_match(/^2 +- +prof +- +running +no limit +- +no: malformed_name - /, done.out)
    assert_match(/^2 services, 0 visible to you; asked hpc in \d+\.\d\d s$/, done.out)
  end

  def test_the_command_ends_as_specs_does
    [stream(whole: false), '', 'rubbish'].each do |text|
      list, specs = %w[list specs].map { |name| multitenant(name, '--records', '-', stdin: text) }
      assert_equal [specs.code, specs.err], [list.code, list.err]
      assert_equal 65, list.code
    end
  end
end
