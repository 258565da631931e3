# frozen_string_literal: true

require 'json'
require_relative '../apps/service_state'

module MultiTenant
  module Dashboard
    # A session of the owner's whose service has several jobs: OOD knows the first of them alone (doc/formats.md, "The
    # owner's state").
    class OwnService
      FILE = 'service.json'
      CONNECTION = 'connection.yml'
      STOPPED = 'The service was stopped: its owner deleted or cancelled its session.'

      # @param session [BatchConnect::Session]
      # @return [OwnService, nil] nil: it is one job's, or not the newest session of that service
      def self.of(session)
        told = JSON.parse(File.read(session.staged_root.join(FILE), ServiceState::MOST))
        path = told['state'] || File.join(ServiceState.root, told['service'])
        state = ServiceState.at(path)
        new(session, state) if state && state['session'] == session.id
      rescue StandardError # there is no such file
        nil
      end

      # @return [ServiceState]
      attr_reader :state

      # @param session [BatchConnect::Session]
      # @param state [ServiceState]
      def initialize(session, state)
        @session = session
        @state = state
        @chains = state.chains
      end

      # @return [Boolean] nothing of it can run any more
      def over?
        last = state.until
        last.nil? || last <= Time.now.to_i || !state['stopped'].nil? || @chains.all?(&:ended)
      end

      # Of the member that serves, or else of one that is to.
      # @return [OodCore::Job::Info, nil] nil: none runs nor waits
      def info
        others = nil
        (@chains.filter_map(&:shared) | @chains.filter_map(&:job) | @chains.filter_map(&:next)).each do |job|
          info = @session.adapter.info(job)
          return @running = info if info.status.running?

          others ||= info unless info.status.completed?
        end
        others
      end

      # @return [Pathname, nil] what the member that runs wrote for the card; nil: it is the first one
      def connect_file
        chain = @chains.find { |one| one.shared == @running&.id } || @chains.find(&:shared)
        return unless chain&.served && [chain.number, chain.served] != [1, 0]

        copy = ".#{chain.number}" if chain.number > 1
        @session.staged_root.join("gen-#{chain.served}#{copy}", CONNECTION)
      end

      # What its members wrote when they started may be over.
      # @return [Hash{Symbol => String}] of the connection
      def changes
        found = { mt_state: state.path }
        found[:mt_title] = state['title'] unless state['title'].to_s.empty?
        found[:mt_shared] = unshared if state['unshared']
        found
      end

      def unshared
        "Not shared: you have taken the share back. `multitenant unshare --undo #{state.word}` shares it again."
      end

      # @raise [StandardError] what could not be cancelled ends by itself, where it reads that it is to stop
      # @return [void]
      def stop
        state.stop(STOPPED)
        return if @session.completed?

        done = []
        # One that was being submitted.
        2.times do
          left = state.jobs - done
          left.each { |job| @session.adapter.delete(job) }
          done |= left
        end
      end
    end

    # For BatchConnect::Session.
    module OwnSession
      NOT_STOPPED = 'The service is to stop, and its jobs end by themselves; not all were cancelled: '

      # A dashboard that did not know of the others, as while we were not loaded, has noted that it has ended.
      def update_info(*, **)
        info = multitenant_members_info unless cache_completed && multitenant_service&.over?
        info ? @info = info : super
      end

      def connect_file(*, **)
        multitenant_service&.connect_file || super
      end

      # Of a shared card each key is a method, whatever it is called: none is called here.
      def connect(*, **)
        found = super
        multitenant_service&.changes&.each { |name, value| found[name] = value }
        found
      end

      def cancel(*, **)
        multitenant_stop && super
      end

      def destroy(*, **)
        multitenant_stop && super
      end

      private

      def multitenant_service
        return @multitenant_service if defined?(@multitenant_service)

        @multitenant_service = OwnService.of(self)
      end

      # Where Slurm does not answer, it has not ended.
      def multitenant_members_info
        multitenant_service&.info
      rescue StandardError => e
        Rails.logger.warn("multitenant: the jobs of session #{id} are not known: #{e.class}: #{e.message}")
        OodCore::Job::Info.new(id: job_id, status: :undetermined)
      end

      def multitenant_stop
        multitenant_service&.stop
        true
      rescue StandardError => e
        Rails.logger.warn("multitenant: the jobs of session #{id} can't be cancelled: #{e.class}: #{e.message}")
        errors.add(:delete, NOT_STOPPED + e.message)
        false
      end
    end
  end
end
