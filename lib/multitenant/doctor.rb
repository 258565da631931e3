# frozen_string_literal: true

require 'json'
require 'shellwords'
require_relative 'errors'
require_relative 'doctor/site'
require_relative 'doctor/slurm'
require_relative 'doctor/setup'
require_relative 'doctor/gem_files'
require_relative 'doctor/accounting'
require_relative 'doctor/identity'
require_relative 'doctor/sealing'
require_relative 'doctor/apps'
require_relative 'doctor/gateway'
require_relative 'doctor/machine'
require_relative 'doctor/tunnel'

module MultiTenant
  # Checks one by one what an installation needs, and says the fix. It runs where the compiled core can't be
  # loaded, and as any user, of whom it says what they see.
  class Doctor
    THEMES = [Setup, GemFiles, Accounting, Identity, Sealing, Apps, Gateway, Machine, Tunnel].freeze

    # @param root [String] a host's files are below it
    # @param env [#to_h] variables of this process
    # @param out [IO]
    # @param json [Boolean] print the same for a program
    # @param node [Boolean] try a job
    # @param themes [Array<Class>] of {Theme}
    def initialize(root: '', env: ENV, out: $stdout, json: false, node: false, themes: THEMES)
      @site = Site.new(root: root, env: env.to_h)
      @site.node = node
      @out = out
      @json = json
      @themes = themes
    end

    # @return [Integer] exit code: EX_OK, EX_UNAVAILABLE where all that is wrong is that Slurm does not answer, or
    #   EX_CONFIG
    def run
      @site.enter
      findings = @themes.flat_map { |theme| check(theme) }
      @json ? print_json(findings) : @out.puts(summary(findings))
      code(findings)
    end

    private

    def check(theme)
      theme.new(@site).call.each { |finding| @out.puts finding.lines unless @json }
    end

    def print_json(findings)
      object = { 'findings' => findings.map(&:to_json_object), 'code' => code(findings) }
      @out.puts JSON.pretty_generate(object, ascii_only: true)
    end

    def summary(findings)
      counts = findings.map(&:state).tally
      parts = [[:ok, 'ok'], [:warn, 'to look at'], [:fail, 'FAILED'], [:skip, 'skipped']]
      told = parts.filter_map { |state, word| "#{counts[state]} #{word}" if counts[state] }.join(', ')
      "#{told}. #{whose}"
    end

    def whose
      return 'This is what root sees; run doctor as a user to check what that user sees.' if @site.root?

      "This is what user #{Process.euid} sees."
    end

    def code(findings)
      failed = findings.select(&:failed?)
      return EX_OK if failed.empty?

      failed.all? { |finding| finding.code == EX_UNAVAILABLE } ? EX_UNAVAILABLE : EX_CONFIG
    end
  end
end
