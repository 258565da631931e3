# frozen_string_literal: true

require_relative 'helper'
require 'multitenant/doctor'

# What the documents name is there: links, files, functions, settings, commands and checks.
class TestDocuments < MultiTenantTest
  ROOT = Tree::ROOT
  PAGES = %w[README.md CONTRIBUTING.md SECURITY.md doc/*.md apps-*/*/README.md]
          .flat_map { |glob| Dir.glob(glob, base: ROOT) }
  # Decisions speak of what was not built, and of what had another name then.
  PRESENT = PAGES.grep_v(/decisions|CHANGELOG/)

  # Of libraries.
  FOREIGN = %w[ruby.h].freeze

  TOP = %w[ext lib libexec exe initializer systemd script test doc rakelib
           apps-services apps-delivery apps-clients].freeze

  PATH = %r{(?<![\w./~-])(?:#{TOP.join('|')})/(?:[\w./*{},-]|\[\w+\])+}
  FILE = %r{(?<![\w./*<-])[\w*][\w./*-]*\.(?:c|h|rb)\b}
  FUNCTION = /\bmt_[a-z]\w+\b(?!\.h)/
  METHOD = /\b([A-Z]\w+)[#.]([a-z_]+[?!]?)/

  def text(page)
    File.read(File.join(ROOT, page), encoding: 'UTF-8')
  end

  # A file of tests and the names of some, in a cell; … stands for a part that the file fills in. Or a script of them.
  SHOWN = %r{`(test/[\w/]+\.(?:c|rb)|script/\w+)`((?: `[\w…]+`)*)}

  def test_what_was_tried_names_tests_that_there_are
    rows = text('SECURITY.md')[/^## What was tried.*?(?=^## |\z)/m].to_s.scan(/^\| .+\| (.+) \|$/).flatten
    assert_shown rows, least: 50
  end

  # A key that is taken away from all of its users is seen by hand.
  def test_each_fault_names_tests_that_there_are
    parts = text('doc/faults.md').split(/^## /).map { |part| part.scan(/^\| .+\| (.+) \|$/).flatten }
    assert_shown parts[0], least: 50
    assert_shown parts[1] - ['by hand'], least: 20
    assert_operator parts[1].count('by hand'), :<=, 1
  end

  def assert_shown(cells, least:)
    shown = (cells - ['shown by']).to_h { |cell| [cell, cell.scan(SHOWN)] }
    assert_operator cells.size, :>=, least
    assert_empty shown.select { |_, tests| tests.empty? }.keys, 'a row without a test'
    missing = shown.values.flatten(1).flat_map do |file, names|
      tests = text(file)
      next "#{file} names no test" if names.empty? && file.start_with?('test/')

      names.scan(/[\w…]+/).reject { |name| tests.match?(/[(: "']test_#{name.gsub('…', '\#\{[^}]+\}')}(?!\w)/) }
    end
    assert_empty missing.compact
  end

  # Whoever goes by it would have it in a script or in an argument, which others read.
  def test_no_page_shows_a_secret_in_a_script
    PAGES.each do |page|
      assert_empty text(page).scan(/^ *```.*?^ *```$/m).join.lines.grep(/\b(?:password|api_key|token)=(?!"?\$)/), page
    end
  end

  # It would read the key. Arguments are read by others.
  def test_no_line_to_paste_asks_a_service_by_a_proxy_or_has_a_key_in_its_arguments
    pattern = /`(curl [^`]*http:[^`]*)`|^ +(podman run .*--env-file.*)/
    asks = PAGES.flat_map { |page| text(page).scan(pattern) }.flatten.compact
    assert_equal 3, asks.size
    assert_empty asks.grep_v(/ --noproxy '\*' | --http-proxy=false /)
    PAGES.each { |page| refute_match(/--header ["']?Authorization/, text(page), page) }
  end

  # Whoever goes by it would administer another server than they think.
  def test_no_line_to_paste_leads_to_the_database_that_a_variable_or_a_file_of_the_readers_names
    asks = PAGES.flat_map { |page| text(page).scan(/`([^`]*(?:psql|mariadb|mysql) -[^`]*)`/) }.flatten
    assert_equal 3, asks.size
    assert_empty asks.grep_v(/unset "\$\{!PG@\}"|--no-defaults\s+--host=localhost /)
  end

  # The lines without the blocks of code.
  def prose(page)
    text(page).gsub(/^```.*?^```$/m, '')
  end

  def sources
    @sources ||= %w[ext lib exe libexec initializer apps-services apps-delivery].flat_map do |part|
      Dir.glob("#{part}/**/*", base: ROOT).select { |path| File.file?(File.join(ROOT, path)) && !path.match?(/\.so\z/) }
    end
  end

  def code
    @code ||= sources.to_h { |path| [path, File.read(File.join(ROOT, path), encoding: 'UTF-8').scrub] }
  end

  def each_page(pages = PRESENT)
    pages.each { |page| assert_empty yield(page), "#{page} names what is not there" }
  end

  def rows(page, heading)
    section = text(page)[/^## #{Regexp.escape(heading)}\n(.*?)(?=^## |\z)/m, 1] || flunk("#{page} has no #{heading}")
    section.scan(/^\| (.+?) \|/).flatten.drop(1)
  end

  # As GitHub makes it of a heading.
  def anchors(page)
    prose(page).scan(/^#+ (.+)$/).flatten.map { |title| title.downcase.gsub(/[^\p{L}\p{N} _-]/, '').tr(' ', '-') }
  end

  def missing?(page, link)
    path, anchor = link.split('#', 2)
    target = path.empty? ? page : File.join(File.dirname(page), path).delete_prefix('./')
    full = File.expand_path(target, ROOT)
    return true unless File.exist?(full)

    anchor && !anchors(full.delete_prefix("#{ROOT}/")).include?(anchor)
  end

  def test_the_readme_is_a_front_door
    lines = text('README.md').lines
    assert_operator lines.size, :<=, 110
    %w[admins publishers tenants].each { |door| assert_includes lines.first(20).join, "(doc/#{door}.md)" }
  end

  def test_links_lead_somewhere
    each_page(PAGES) do |page|
      links = prose(page).scan(/\]\(([^)\s]+)\)|src="([^"]+)"/).flatten.compact
      links.grep_v(/\A[a-z]+:/).select { |link| missing?(page, link) }
    end
  end

  # script/pictures takes them all.
  def test_pictures_are_those_that_the_browser_takes
    taken = Dir.glob('test/browser/test_*.rb', base: ROOT).flat_map { |path| text(path).scan(/picture\('([\w-]+)'/) }
    shown = PAGES.flat_map { |page| text(page).scan(%r{src="[^"]*images/([\w-]+)\.png" width="(\d+)"}) }.uniq
    kept = Dir.glob('*', base: File.join(ROOT, 'doc/images'))
    assert_equal taken.flatten.sort, shown.map(&:first).sort
    assert_equal kept.sort, shown.map { |name, _| "#{name}.png" }.sort
    shown.each do |name, width|
      header = File.binread(File.join(ROOT, 'doc/images', "#{name}.png"), 20)
      assert_equal width.to_i, header.unpack1('@16N'), "#{name} is shown in another size than it has"
    end
  end

  def test_paths_are_files_of_the_project
    each_page { |page| text(page).scan(PATH).select { |path| Dir.glob(path.sub(/[.,]+\z/, ''), base: ROOT).empty? } }
  end

  def test_file_names_are_files_of_the_project
    paths = sources + Dir.glob('{test,script,rakelib}/**/*', base: ROOT)
    each_page do |page|
      (text(page).scan(FILE) - FOREIGN).reject { |file| paths.any? { |path| File.fnmatch("*/#{file}", "/#{path}") } }
    end
  end

  def test_functions_are_there
    words = code.values.flat_map { |text| text.scan(/\bmt_\w+/) }.uniq
    each_page { |page| text(page).scan(FUNCTION) - words }
  end

  def test_methods_are_there
    each_page { |page| text(page).scan(METHOD).reject { |pair| method?(*pair) }.map { |pair| pair.join('#') } }
  end

  # Of a class or module of ours; others' are no concern of this test.
  def method?(constant, name)
    in_c = /rb_define_(?:class|module)_under\([^;]*"#{constant}"|init_\w+\(VALUE #{constant.downcase}\)/
    homes = code.values.grep(/(?:class|module) #{constant}\b|#{in_c}/)
    name = 'initialize' if name == 'new'
    method = /def (?:self\.)?#{Regexp.escape(name)}(?![\w?!])|:#{name}\b|"#{name}"/
    homes.empty? || homes.any? { |text| text.match?(method) }
  end

  # What is asked for when settings are read.
  class Asked
    attr_reader :names

    def initialize
      @names = []
    end

    def [](name)
      @names << name
      nil
    end
  end

  def test_settings
    asked = Asked.new
    MultiTenant::Settings.new(asked)
    settings = ['MULTITENANT_ENABLE', *asked.names].uniq.sort
    assert_equal settings, rows('doc/admins.md', 'Settings').map { |cell| cell.delete('`') }.sort
    each_page { |page| text(page).scan(/\bMULTITENANT_(?!TESTBED|NODE_KIT|AGENT_OPTIONS)\w+/) - settings }
  end

  def test_commands
    cells = rows('doc/reference.md', 'The command `multitenant`')
    named = cells.flat_map { |cell| cell.scan(/`multitenant ([\w-]+)|, `(\w+)`/) }
    assert_equal MultiTenant::CLI::COMMANDS.keys.sort, named.flatten.compact.sort
  end

  # Its row says which are refused.
  def test_the_qdrant_of_the_example_is_served
    version = text('doc/admins.md')[%r{^modules_qdrant: "qdrant/([\d.]+)"$}, 1]
    served = MultiTenant::Kinds::TABLE['qdrant']['start'][/^\[\[ ! .*\]\]/]
    assert system('bash', '-c', "qdrant() { echo 'qdrant #{version}.0'; }; #{served}"), version
  end

  def test_checks_of_doctor
    checks = MultiTenant::Doctor::THEMES.flat_map { |theme| theme::CHECKS.values }
    cells = rows('doc/diagnosis.md', '`multitenant doctor`')
    assert_equal checks.uniq.sort, cells.flat_map { |cell| cell.split(', ') }.sort
  end

  def test_words
    each_page(PAGES) { |page| prose(page).scan(/\b(?:mend(?:s|ed|ing)?|he|him|his)\b/i) }
  end
end
