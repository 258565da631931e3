# frozen_string_literal: true

require 'shellwords'
require_relative '../errors'

module MultiTenant
  # The gateway of a service app's job, where site.yml has one: what the form says of it, what the job is told
  # (libexec/multitenant-gateway and -nginx), and what its owner's card says.
  module GatewayJob
    FILES = %w[gateway nginx].map { |name| File.expand_path("../../../libexec/multitenant-#{name}", __dir__) }.freeze
    # Where multitenant-gate is beside the gem, if a node has that.
    PROGRAMS = File.expand_path('..', __dir__)
    GUARDED = 'gateway'
    NONE_IN_V1 = 'Whoever reaches it can use it: there is no gateway, since envelope v1 has no secret to log in with.'
    SAID = 'Nobody else can use it: a gateway asks each for a token of their own.'
    BUT_NOBODY = 'With *Nobody* there is none: whoever reaches it can use it, unless it asks for a key or a password.'
    REFUSED = 'This site shares through a gateway alone, and envelope v1 has none: please tell the administrators, ' \
              'who set envelope and old_readers in site.yml.'
    UNSHARED = 'This site serves through a gateway alone, and what is shared with nobody has none: choose Only ' \
               'Myself, or a group.'

    class << self
      # @param site [Hash] the app's site.yml
      # @return [Boolean] whether services are to have one
      def wanted?(site)
        %w[auto required].include?(site['gateway'])
      end

      # @param site [Hash]
      # @return [Boolean] whether nothing is served without one
      def required?(site)
        site['gateway'] == 'required'
      end

      # @param site [Hash]
      # @param envelope [String]
      # @return [Array<String>] Markdown for the form
      def help(site, envelope)
        return [] unless wanted?(site)
        return ["**#{NONE_IN_V1}**"] if envelope == 'v1'

        [SAID, *(BUT_NOBODY unless required?(site))]
      end

      # For what is shared with nobody: it has no gateway, whose door its owner would learn from what is shared.
      # @param site [Hash]
      # @param envelope [String]
      # @raise [Failure] the site does without in no case
      # @return [void]
      def check_unshared(site, envelope)
        return unless required?(site)
        raise Failure.new(EX_CONFIG, REFUSED) if envelope == 'v1'

        raise Failure.new(EX_USAGE, UNSHARED)
      end

      # @param site [Hash]
      # @param envelope [String]
      # @param group [String, nil] nil: it is for its owner alone
      # @param munge_socket [String, nil]
      # @return [String] bash
      # @raise [Failure] the site does without a gateway in no case, and there can be none
      def script(site, envelope:, group:, munge_socket:)
        return '' unless wanted?(site)
        return for_v1(site) if envelope == 'v1'

        told = { gateway: site['gateway'], gate_group: group.to_s, gate_to: ('$UID' unless group),
                 gate_programs: PROGRAMS, modules_nginx: Array(site['modules_nginx']).join(' '),
                 gate_rate: site['gate_rate'], gate_stream_max: site['gate_stream_max'], munge_socket: munge_socket }
        lines = told.compact.map { |name, value| "mt_#{name}=#{value == '$UID' ? value : value.to_s.shellescape}\n" }
        "#{FILES.map { |file| "#{File.read(file)}\n" }.join}#{lines.join}"
      end

      # @param told [String, nil] what stands before what the sender says of a share
      # @return [String, nil] a sentence
      def note(told)
        told == GUARDED ? SAID : told
      end

      private

      def for_v1(site)
        raise Failure.new(EX_CONFIG, REFUSED) if required?(site)

        "# shellcheck disable=SC2034 # share_service has it\n" \
          "plan_gateway() { mt_gate_note=#{NONE_IN_V1.shellescape}; }\n"
      end
    end
  end
end
