# frozen_string_literal: true

require 'json'
require 'shellwords'
require_relative 'doctor/site'
require_relative 'doctor/slurm'
require_relative 'doctor/setup'
require_relative 'doctor/gem_files'
require_relative 'doctor/accounting'
require_relative 'doctor/identity'
require_relative 'doctor/sealing'
require_relative 'doctor/apps'
require_relative 'doctor/machine'

module MultiTenant
  # Looks at one thing after the other that an installation needs, and says what mends it. It runs
  # where the compiled core can't be loaded, and as any user, of whom it says what he sees.
  class Doctor
    OK = 0
    SILENT = 69
    BROKEN = 78

    THEMES = [Setup, GemFiles, Accounting, Identity, Sealing, Apps, Machine].freeze

    # @param root [String] a host's files are below it
    # @param env [#to_h] variables of this process
    # @param out [IO]
    # @param json [Boolean] print the same for a program
    # @param themes [Array<Class>] of {Theme}
    def initialize(root: '', env: ENV, out: $stdout, json: false, themes: THEMES)
      @site = Site.new(root: root, env: env.to_h)
      @out = out
      @json = json
      @themes = themes
    end

    # @return [Integer] exit code: 0, 69 where all that is wrong is that Slurm does not answer, or 78
    def run
      @site.enter
      findings = @themes.flat_map { |theme| look(theme) }
      @json ? print_json(findings) : @out.puts(summary(findings))
      code(findings)
    end

    private

    def look(theme)
      theme.new(@site).call.each { |finding| @out.puts finding.lines unless @json }
    end

    def print_json(findings)
      object = { 'findings' => findings.map(&:to_json_object), 'code' => code(findings) }
      @out.puts JSON.pretty_generate(object, ascii_only: true)
    end

    def summary(findings)
      counts = findings.map(&:state).tally
      parts = [[:ok, 'ok'], [:warn, 'to look at'], [:fail, 'FAILED'], [:skip, 'not looked at']]
      told = parts.filter_map { |state, word| "#{counts[state]} #{word}" if counts[state] }.join(', ')
      "#{told}. #{whose}"
    end

    def whose
      return 'Run as root: what one user sees, run as that user tells.' if @site.root?

      "This is what user #{Process.euid} sees."
    end

    def code(findings)
      failed = findings.select(&:failed?)
      return OK if failed.empty?

      failed.all? { |finding| finding.code == SILENT } ? SILENT : BROKEN
    end
  end
end
