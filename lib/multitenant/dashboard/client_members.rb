# frozen_string_literal: true

require 'fileutils'
require 'json'
require 'pathname'
require_relative '../host/system_file'

module MultiTenant
  module Dashboard
    # Jobs that follow each other take the place of those that a client was started with, and the client's own job can't
    # ask which these are: the user's dashboard tells it, in a file of its session, each time that it lists sessions.
    # Once the client has ended, its session has no secret of the service any more.
    module ClientMembers
      FILE = 'members.json'
      # What a client's job is told with that file.
      SECRETS = 'service.sh'

      class << self
        # @param sessions [Array<BatchConnect::Session>]
        # @return [void]
        def tell(sessions)
          sessions.each { |session| tell_one(session) }
        end

        # Open OnDemand leaves the directory of a session that it lists no more.
        # @param session [BatchConnect::Session] that was deleted, or could not be submitted
        # @return [void]
        def unlisted(session)
          path = session.staged_root.join(FILE)
          forget(path) if path.file? && told_in(path.read).all?
        rescue StandardError => e
          Rails.logger.warn("multitenant: what a service told client #{session.id} stays there: #{e.class}")
        end

        # Removes it from all sessions that have ended, and from those that Open OnDemand lists no more.
        # @param dataroot [String]
        # @return [Array] as {Core#deliver}
        def remove_all(dataroot, dry_run: false)
          all = Dir.glob("batch_connect/{,*/}{sys,dev,usr/*}/*/output/*/#{FILE}", base: dataroot)
          all.filter_map { |path| remove(dataroot, Pathname.new(path), dry_run) }
        end

        private

        def remove(dataroot, path, dry_run)
          what = path.dirname.join("{#{SECRETS},#{FILE}}").to_s
          file = Pathname.new(dataroot).join(path)
          return if listed?(dataroot, path.dirname.basename) || !told_in(file.binread).all?

          forget(file) unless dry_run
          [:removed, what, nil]
        rescue SystemCallError => e
          [:failed, what, e.message]
        rescue StandardError # it is another's file, or none of OOD's is beside it
          nil
        end

        # @return [Boolean] Open OnDemand does not know yet that it has ended
        def listed?(dataroot, id)
          db = Pathname.new(dataroot).join(Core::PATHS[:db], id)
          db.exist? && !JSON.parse(db.binread)['cache_completed']
        end

        def tell_one(session)
          path = session.staged_root.join(FILE)
          return unless path.file?

          told = path.read
          service, of = told_in(told)
          return forget(path) if session.cache_completed && service && of

          now = MultiTenant.service_members(service)
          return if now.nil? || now == told || JSON.parse(now)['of'] != of

          SystemFile.write(path, now, mode: 0o600)
        rescue StandardError => e
          # What a message quotes may be a secret.
          Rails.logger.warn("multitenant: client #{session.id} is not told of the jobs that run: #{e.class}")
        end

        # @return [Array(String, String)] which service, and whose; nil for both: the file is none of ours
        def told_in(text)
          told = JSON.parse(text)
          told.is_a?(Hash) ? told.values_at('service', 'of') : [nil, nil]
        end

        def forget(path)
          FileUtils.rm_f(path.dirname.join(SECRETS))
          path.delete
        end
      end
    end

    # Delete, and Open OnDemand's own tidying up of what ended a week ago. For BatchConnect::Session.
    module ClientSession
      def destroy(*, **)
        super.tap { |done| ClientMembers.unlisted(self) if done }
      end
    end

    # A session is staged before it is submitted, and never listed where Slurm refuses it. For BatchConnect::Session.
    module ClientSubmission
      def save(*, **)
        super.tap { |done| ClientMembers.unlisted(self) unless done }
      end
    end
  end
end
