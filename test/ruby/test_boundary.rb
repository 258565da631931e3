# frozen_string_literal: true

require_relative 'helper'

# What the core knows nothing in lib/ knows again: how a record and a job name are read, and the limits. And how C opens
# files.
class TestBoundary < MultiTenantTest
  # What else is JSON, or between bars, or of such a size: file => why.
  JSON_OF_OTHERS = {
    'apps/gate_state.rb' => 'the log of a gateway',
    'card/child.rb' => 'what the child has rendered',
    'dashboard/client_members.rb' => 'which service a client has',
    'dashboard/own_service.rb' => 'what the job wrote for it', 'dashboard/shared_cards.rb' => 'the mark of a card',
    'gateway/credential.rb' => 'what the munge program says', 'gateway/login.rb' => 'what a gateway says',
    'installer/dashboard_ruby.rb' => 'what gem says', 'installer/manifest.rb' => 'the manifest',
    'programs/names.rb' => 'what the names program says',
    'proxy/config_file.rb' => 'which services were there when',
    'sources/slurmrestd.rb' => 'what its program says', 'sources/slurmrestd/answers.rb' => 'what slurmrestd says',
    'sources/slurmrestd/ask.rb' => 'what it is to ask', 'sources/slurmrestd/token.rb' => 'what a token claims'
  }.freeze
  BARS_OF_OTHERS = { 'doctor/accounting.rb' => 'rows of sacctmgr' }.freeze
  NUMBERS_OF_OTHERS = {
    'apps/service_state.rb' => 'bytes of a file that are read', 'apps/site_settings.rb' => 'tokens of a context',
    'card.rb' => 'ports', 'card/child.rb' => 'KiB',
    'card/limits.rb' => 'pixels', 'dashboard/shared_cards.rb' => 'bytes of a mark that are read',
    'gateway/login.rb' => 'bytes of an answer', 'settings.rb' => 'bytes of resolv.conf that are read',
    'sources/slurmrestd/questions.rb' => 'bytes of a list of jobs'
  }.freeze

  CODE = Dir.glob('**/*.rb', base: File.join(Tree::ROOT, 'lib/multitenant')).to_h do |path|
    [path, File.readlines(File.join(Tree::ROOT, 'lib/multitenant', path), encoding: 'UTF-8').grep_v(/^\s*#/).join]
  end

  # Numbers that are nothing but a limit, as one may write them.
  NUMBERS = MultiTenant::Core::LIMITS.values.grep(Integer).grep(1024..).uniq.flat_map do |number|
    written = [number.to_s, number.to_s.reverse.scan(/\d{1,3}/).join('_').reverse, "0x#{number.to_s(16)}"]
    written += [10, 20].select { |bits| (number % (1 << bits)).zero? }.flat_map do |bits|
      ["#{number >> bits} << #{bits}", "#{number >> bits} #{bits == 10 ? 'KiB' : 'MiB'}"]
    end
    [*written, ("#{number >> 20} * 1024 * 1024" if (number % (1 << 20)).zero?)].compact
  end

  def files_with(pattern)
    CODE.select { |_, code| code.match?(pattern) }.keys.sort
  end

  def test_records_are_parsed_by_the_core_alone
    assert_equal JSON_OF_OTHERS.keys, files_with(/JSON\.(?:parse|load)/)
  end

  def test_names_are_split_by_the_core_alone
    assert_equal BARS_OF_OTHERS.keys, files_with(/(?:split|partition|scan|index)\(?\s*(?:'\|'|"\|"|%r?\{\\?\|)/)
    assert_empty files_with(/\[\^\\?\|\][*+]\\\|/)
    assert_empty files_with(/MTK1|MUNGE:/)
  end

  # How C opens what it opens: file => calls.
  OPENED = Dir[File.join(Tree::ROOT, 'ext/**/*.c')].to_h do |path|
    names = /\b(?:open(?:at)?|creat|mkostemp|pipe2?|socket(?:pair)?|accept4?|dup|fopen|memfd_create|signalfd|eventfd)/
    calls = File.read(path, encoding: 'UTF-8').to_enum(:scan, /#{names}(?<all>\((?:[^()]|\g<all>)*\))/)
    [path.delete_prefix(File.join(Tree::ROOT, 'ext/')), calls.map { Regexp.last_match(0) }]
  end

  # A program that is started meanwhile would have it for good. Descriptors 0 to 2 are for it.
  def test_what_is_opened_is_closed_for_other_programs
    assert_operator OPENED.sum { |_, calls| calls.size }, :>, 25
    open = OPENED.transform_values { |calls| calls.grep_v(/CLOEXEC|OPEN_DIR/) }
    assert_equal({ 'kit/program.c' => ['open("/dev/null", O_RDWR)'] }, open.reject { |_, calls| calls.empty? })
    assert_match(/define OPEN_DIR .*O_CLOEXEC/, File.read(File.join(Tree::ROOT, 'ext/multitenant/store.c')))
  end

  # But for what several processes write in.
  def test_what_is_made_is_new_and_no_link_leads_elsewhere
    made = OPENED.transform_values { |calls| calls.grep(/O_CREAT/) }
    assert_empty(made.values.flatten.grep_v(/O_NOFOLLOW/))
    assert_equal({ 'multitenant/store.c' => %w[LOCK], 'multitenant_gate/keeper.c' => %w[files->log] },
                 made.transform_values { |calls| calls.grep_v(/O_EXCL/).map { |call| call[/, ([\w>-]+), O_/, 1] } }
                     .reject { |_, names| names.empty? })
  end

  def test_limits_are_the_cores
    written = /(?<![\w.])(?:#{NUMBERS.map { |text| Regexp.escape(text) }.join('|')})(?!\w)/
    assert_equal NUMBERS_OF_OTHERS.keys, files_with(written)
  end
end
