# frozen_string_literal: true

require_relative 'helper'

# Jobs in a locale whose letters are not UTF-8's, as users' start-up files and sites set it.
class TestJobLocale < MultiTenantTest
  # libexec/multitenant-job and -chain
  JOB = [MultiTenant::Sharing::JOB, *MultiTenant::Chain::FILES].map { |file| "source #{file}\n" }.join

  LOCALES = { 'de_DE' => 'ISO-8859-1', 'zh_CN' => 'GBK' }.freeze

  # @return [String] what bash prints in that locale
  def bash(locale, charset, script, *arguments)
    skip_unless(File.exist?("/usr/share/i18n/charmaps/#{charset}.gz"), 'needs the package locales')
    path = File.join(temporary, locale)
    # It may warn, with another code than 0.
    system('localedef', '--force', '-f', charset, '-i', locale, path, %i[out err] => File::NULL) unless Dir.exist?(path)
    assert_path_exists File.join(path, 'LC_CTYPE')
    env = { 'LOCPATH' => temporary, 'LC_ALL' => locale, 'SLURM_JOB_ID' => '1' }
    out, said, status = Open3.capture3(env, 'bash', '-c', script, '-', *arguments)
    assert_empty said
    assert_predicate status, :success?
    out.force_encoding('UTF-8')
  end

  # In the first a part of an Ü is a control character, and in the second a backslash is a part of the letter before it.
  # A card that is no YAML breaks the page that it is on.
  def test_what_is_on_a_jobs_card_is_what_it_was
    card = "#{JOB}text=$1; quote_for_card text; echo -e \"text: $text\""
    ["\u00dcbungen \u2013 Stra\u00dfe", "Prof\u2019s", "\u65e5\u672c", "\u3042\\0047: x\\n", "a\u0085b\tc\ufeff",
     'plain'].product(LOCALES.to_a) do |text, (locale, charset)|
      said = YAML.safe_load(bash(locale, charset, card, text))
      assert_equal({ 'text' => text.gsub(/[[:cntrl:]\ufeff]/, ' ') }, said, charset)
    end
  end

  # One that is kept running, whose title was not UTF-8 any more, could not be shared.
  def test_what_a_service_keeps_is_what_it_was
    text = "\u00dcbungen \u2013 Stra\u00dfe"
    keep = "#{JOB}put #{temporary}/title \"$1\"; get #{temporary}/title; printf %s \"$GOT\""
    LOCALES.each { |locale, charset| assert_equal text, bash(locale, charset, keep, text), charset }
  end

  # There a backslash before what has a meaning to a shell is a part of the letter before it.
  def test_nothing_of_what_was_shared_runs_in_a_clients_job
    run = program(": >#{temporary}/ran")
    { 'zh_CN' => %W[GBK \u3042], 'zh_TW' => %W[BIG5 \u4e2d] }.each do |locale, (charset, letter)|
      [";#{run}", "|#{run}", "$(#{run})", "`#{run}`", "&'#{run}"].each do |text|
        told = MultiTenant::ServiceEnvironment.script({ 'host' => 'n1', 'model' => "it's #{letter}#{text}" })
        File.write(file = File.join(temporary, 'service.sh'), told)
        out = bash(locale, charset, "#{JOB}source #{file}; printf %s \"$MT_MODEL\"")
        refute_path_exists "#{temporary}/ran", [charset, text]
        assert_equal "it's #{letter}#{text}", out
      end
    end
  end
end
