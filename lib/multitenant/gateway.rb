# frozen_string_literal: true

require 'etc'
require 'digest'
require 'json'

module MultiTenant
  # What stands in front of a service and knows each tenant by name: where they log in, and what their credential says.
  # All but the door is Slurm's word. doc/formats.md
  class Gateway
    PATH = '/multitenant/login'
    # What each tenant has of their own, so that nothing of that is the publisher's to tell.
    OWN = %w[api_key user password].freeze
    # Names in a client's connection that are ours.
    NAMES = %w[mt_gate mt_gates mt_members].freeze
    HOST = /\A(?=.{1,253}\z)\w([\w.-]*\w)?\z/
    NUMBER = /\A\d{1,10}\z/
    CLUSTER = /\A[\w.-]+\z/
    DOOR = /\A[\w-]{43}\z/
    # How a token looks; its second part is the tenant's uid, its third the epoch of its end.
    TOKEN = /\Amt1\.(?<uid>\d{1,10})\.(?<expires>\d{1,12})\.[\w-]{43}\z/

    class << self
      # @param spec [Hash, nil] of {MultiTenant.specs}
      # @return [Gateway, nil] nil: there is none, or its host is not known to be the job's own
      def of(spec)
        gate, info = spec.to_h.values_at('gate', 'info')
        gateway = new(gate, info) if gate && info
        gateway if gateway&.valid?
      end

      # @param spec [Hash] of {MultiTenant.specs}
      # @return [Hash{String => String}] what a client is told: the connection, and with a gateway "mt_gate" instead of
      #   what the publisher tells of keys
      def connection(spec)
        shared = spec['connection'].except(*NAMES)
        gateway = of(spec)
        gateway ? { **tenants(shared), 'mt_gate' => gateway.to_s } : shared
      end

      # @param shared [Hash{String => String}] of a service with a gateway
      # @return [Hash{String => String}] the same without {OWN}; a web application may ask for a password, too
      def tenants(shared)
        shared.key?('proxy') ? shared : shared.except(*OWN)
      end

      # @param job [#to_s] its id
      # @param cluster [String]
      # @return [String] what a proxy calls a job of a service
      def member(job, cluster)
        "#{job}-#{Digest::SHA256.hexdigest(cluster)[0, 6]}"
      end

      # @return [String, nil] what this process's user is called in a database with a gateway; nil: the name service
      #   does not say who they are
      def account
        user = Etc.getpwuid
        "mt_#{user.uid}_#{Digest::SHA256.hexdigest(user.name)[0, 8]}"
      rescue ArgumentError
        nil
      end
    end

    # @return [String]
    attr_reader :host, :port, :publisher

    # @param gate [Hash] "gate" of specs
    # @param info [Hash] "info" of specs
    def initialize(gate, info)
      @port, @door = gate.values_at('port', 'door')
      @host, @publisher, @cluster, @job, @restarts = info.values_at('host', 'uid', 'cluster', 'job', 'restarts')
    end

    # @return [Boolean]
    def valid?
      { @host => HOST, @port => NUMBER, @publisher => NUMBER, @cluster => CLUSTER, @job => NUMBER, @restarts => NUMBER,
        @door => DOOR }.all? { |text, form| text.is_a?(String) && text.match?(form) }
    end

    # @return [String] what log_in of libexec/multitenant-login reads
    def to_s
      [host, port, publisher, @cluster, @job, @restarts, @door].join(' ')
    end

    # @return [String] what a proxy calls its job
    def member
      Gateway.member(@job, @cluster)
    end

    # @return [String] what a credential for it holds
    def payload
      JSON.generate(purpose: 'multitenant-login', cluster: @cluster, job: Integer(@job, 10),
                    restarts: Integer(@restarts, 10), door: @door)
    end
  end
end
