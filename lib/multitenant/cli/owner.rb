# frozen_string_literal: true

require_relative '../apps/service_state'
require_relative '../sources/commands/own_jobs'
require_relative 'viewer'

module MultiTenant
  class CLI
    # A command by which the owner of a service of several jobs says what is to become of it. Its jobs read that in the
    # service's state; Slurm lets owners do the rest. A subclass has `change(state)`, and may have WORDS for more
    # arguments than the service; one in brackets may be left out.
    class Owner < Viewer
      SERVICE = %r{\A(?:(?<user>[^/]+)/)?(?<service>[a-z0-9][a-z0-9-]{0,62})(?:@(?<group>.+))?\z}
      WORDS = [].freeze

      # @return [Integer] exit code
      def run
        state = states.first || refuse("You have no service `#{@word}` of several jobs")
        refuse_what_ended(state)

        change(state)
        EX_OK
      end

      private

      def options(parser)
        words = ['SERVICE', *self.class::WORDS].join(' ')
        parser.banner = "Usage: multitenant #{@name} #{words}: #{@does}\n" \
                        'SERVICE: its name, or SERVICE@GROUP, as `multitenant services --mine` lists them.'
      end

      def take(words)
        @word, *@more = words.map { |word| PlainText.utf8(word) }
        user = @word.to_s[SERVICE, :user]
        raise Failure.new(EX_NOPERM, "#{@word} is #{user}'s service, not yours.") if others?(user)

        known = self.class::WORDS
        return if words.size.between?(1 + known.grep_v(/\A\[/).size, 1 + known.size)

        told = ", not `#{words.join(' ')}`" if words.any?
        refuse("multitenant #{@name} takes #{['a service', *known].join(' and ')}#{told}")
      end

      # @return [Array<ServiceState>] one, or none
      def states
        @states ||= ServiceState.all.select { |state| meant?(state.service, state.group) }.tap do |all|
          one_of(all.map(&:name))
        end
      end

      def one_of(names)
        return names if names.size < 2

        raise Failure.new(EX_USAGE, "There are several `#{@word}` of yours: name one of #{names.sort.join(', ')}.")
      end

      # Whether the words mean that service of this user's.
      def meant?(service, group)
        told = SERVICE.match(@word)
        told && told[:service] == service && [nil, group].include?(told[:group])
      end

      def others?(user)
        user && user != Etc.getpwuid.name
      rescue ArgumentError # this user has no name
        true
      end

      # No job is left that would read what is said of it.
      def refuse_what_ended(state)
        raise Failure.new(EX_DATAERR, "#{state.name} has been stopped: start it anew.") if state['stopped']
        raise Failure.new(EX_DATAERR, "#{state.name} has ended: start it anew.") if state.over? || gone?(state)
      end

      # @return [Boolean] no job of it is left, as Slurm says. Where that does not answer, there may be
      def gone?(state)
        names = state.jobs
        names.any? && own_jobs(state['cluster']).all.none? do |job|
          job.alive? && names.any? { |name| job.named?(name) }
        end
      rescue Failure
        false
      end

      # @param cluster [String, nil] Slurm's name; nil: it is not known
      # @return [OwnJobs]
      def own_jobs(cluster)
        host.enter
        target = host.clusters.target(cluster)
        unless target
          raise Failure.new(EX_CONFIG, "On which of several clusters #{@word} runs is not known here: use Slurm's " \
                                       'own commands there.')
        end
        OwnJobs.new(SlurmCommand.new(target.job.to_h))
      end

      # @return [Hash] the site.yml of the service's app; {} where it is not here
      def site(state)
        app = state.app
        app ? SiteSettings.read(File.join(host.at(Host::APPS), app)) : {}
      rescue Failure
        {}
      end
    end
  end
end
