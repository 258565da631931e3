# frozen_string_literal: true

require 'etc'
require_relative 'key_file'
require_relative 'viewer'

module MultiTenant
  class CLI
    # `multitenant key new|rotate|prune GROUP`
    class Key < Viewer
      ACTIONS = %w[new rotate prune].freeze
      DIRECTORY = Core::PATHS[:keys]
      # Files are called by the group's number.
      EARLIER = 'If it is of an earlier group that had that number, remove it first on all hosts and nodes: with it ' \
                'members of this one can open what the other one shared.'
      BY_HAND = 'Where root has no way to Slurm, it is done by hand: doc/admins.md, "Envelopes that protect".'

      # @return [Integer] exit code
      def run
        raise Failure.new(EX_NOPERM, 'multitenant key needs root: keys are root\'s files.') unless Process.euid.zero?

        file = KeyFile.new(gid, directory: @options[:keys] || settings.keys || DIRECTORY)
        public_send(@action, file)
        EX_OK
      end

      # The group gets its first key.
      def new(file)
        raise Failure.new(EX_CANTCREAT, "#{file.path} is there already: `multitenant key rotate`.", fix: EARLIER) if
          file.exist?

        puts "written #{file.path}: key #{file.add.id} of #{@group}"
        puts "Copy it, with owner and mode (root:#{@group} 0440; its directories 0755), to all other hosts with " \
             'this gem and the compute nodes, and put multitenant-seal into the nodes\' PATH. Where one of them has ' \
             'such a file, copy that one here instead.'
      end

      # A new key seals from now on; what old ones sealed stays readable.
      def rotate(file)
        puts "written #{file.path}: key #{file.add.id} of #{@group} seals from now on, #{file.keys.size - 1} more open"
        puts 'Copy it to all hosts with this gem and the compute nodes, first to those that open. Later: ' \
             '`multitenant key prune`.'
      end

      # All keys but the newest go, unless a running service was sealed by one.
      def prune(file)
        newest, *old = file.keys
        raise Failure.new(EX_DATAERR, "#{file.path} has no key: `multitenant key rotate`.") unless newest

        used = used_keys
        busy = old.select { |key| used.key?(key.id) }
        if busy.any?
          jobs = busy.flat_map { |key| used[key.id] }
          raise Failure.new(EX_TEMPFAIL, "Keys #{busy.map(&:id).join(', ')} are in use by running services (jobs " \
                                         "#{jobs.first(10).join(', ')}): prune when these have ended.")
        end
        file.write([newest])
        puts "written #{file.path}: #{old.size} old keys are gone, #{newest.id} stays"
      end

      private

      def take(words)
        @action, @group = words
        return if ACTIONS.include?(@action) && words.size == 2

        told = ", not `#{words.join(' ')}`" if words.any?
        refuse("multitenant key takes new, rotate or prune, and a group#{told}")
      end

      def options(parser)
        parser.banner = "Usage: multitenant key new|rotate|prune GROUP [options]: #{@does}"
        parser.on('--keys DIR', "where the files are; MULTITENANT_KEYS unless told, else #{DIRECTORY}") do |v|
          @options[:keys] = v
        end
      end

      def gid
        Etc.getgrnam(@group).gid
      rescue ArgumentError
        refuse("There is no group #{@group}")
      end

      # Whoever is not told of all services can't say that none uses a key.
      # @return [Hash{String => Array<Integer>}] id of a key => jobs
      def used_keys
        answer = host.sources.call(10)
        why = answer.error || untold(answer.records.flat_map(&:whole))
        unknown!(why) if why

        records = answer.records.flat_map { |one| one.whole.flat_map { |stream| one.of(stream.cluster) } }
        # Key ids are public: a stranger can name them. A group that could not be learned now may be this one.
        mine = records.select do |record|
          record.key_id && [gid, nil].include?(record.group_gid) && record.publisher_in_group != false
        end
        mine.group_by(&:key_id).transform_values { |list| list.map(&:job_id) }
      end

      # Slurm may be asked on another host, or by wrappers: there users have a way, and root may have none.
      def unknown!(why)
        elsewhere = host.clusters.targets.any? { |target| target.over_ssh? || target.wrapped? }
        raise Failure.new(EX_UNAVAILABLE, "Whether a running service uses an old key is not known: #{why}",
                          fix: (BY_HAND if elsewhere))
      end

      # @return [String, nil] nil: these tell of all services
      def untold(streams)
        return 'Slurm does not show all jobs to this account.' if
          streams.empty? || streams.any? { |stream| stream.sees != 'all' }

        jobs = streams.flat_map { |stream| stream.undetermined.to_a }
        "slurmrestd did not tell of jobs #{jobs.first(10).join(', ')}." if jobs.any?
      end
    end
  end
end
