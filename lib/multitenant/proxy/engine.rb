# frozen_string_literal: true

require 'tempfile'
require_relative '../programs/program'

module MultiTenant
  module Proxy
    # What engines have in common. One makes of services the text of its configuration, and may check a file.
    class Engine
      # The path by which each kind shows that it works; of a web application it may name another one.
      CHECKS = { 'openai' => '/v1/models', 'ollama' => '/api/version', 'llamacpp' => '/health', 'vllm' => '/health',
                 'web' => '/' }.freeze
      # What a service says by these would hold for the whole host, and so for all others', long after it has ended.
      OF_HOST = %w[Clear-Site-Data NEL Report-To Strict-Transport-Security Alt-Svc].freeze
      # A stream or websocket that says nothing may stay so long.
      HOURS = 8
      HEADER = "# Written by `multitenant proxy-config`, which writes it anew: change nothing here.\n"
      SECONDS = 12

      # @param listen [String] where it takes connections, in the engine's words
      def initialize(listen)
        @listen = listen
      end

      # @param file [String]
      # @return [String, nil] why the engine does not take it
      def objection(file)
        result = check(file)
        result.error && "#{command} does not take the new configuration: #{result.error}"
      end

      private

      # @return [String]
      def command
        self.class.name.split('::').last.downcase
      end

      def run(*args, program: command)
        path = "#{ENV.fetch('PATH', '')}:/usr/sbin:/usr/local/sbin"
        Program.new(program).call(*args, seconds: SECONDS, set: { 'PATH' => path })
      end

      def check_path(service)
        return if service.kind == 'tcp'

        service.check.empty? ? CHECKS.fetch(service.kind) : service.check
      end

      def ended(service)
        "The service #{service.path} has ended, or none of its jobs answers. It was started by #{service.user}: " \
          'ask them.'
      end
    end
  end
end
