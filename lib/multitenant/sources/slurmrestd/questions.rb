# frozen_string_literal: true

require_relative 'answers'
require_relative 'hostlist'

module MultiTenant
  class Slurmrestd
    # What slurmrestd is asked of some WCKeys: which jobs run (slurmdbd's word), each of them (slurmctld's, since
    # slurmdbd cuts names), and of their nodes those that are not known.
    class Questions
      # The newest first. Each Slurm from 22.05 to 26.05 offers one of them.
      VERSIONS = [45, 44, 43, 42, 40, 38].freeze

      # RUNNING, or until v0.0.39, where a state is one word, what a running job does besides; and what a job does that
      # is not there yet, or no more.
      RUNNING = %w[RUNNING RESIZING SIGNALING].freeze
      NOT_YET_OR_NO_MORE = %w[COMPLETING CONFIGURING POWER_UP_NODE STOPPED].freeze

      OPERATORS = %w[Operator Administrator].freeze

      # Bytes of the list of all that run, of which some 4300 are of each: 15,000 jobs. It is in one piece, so one
      # publisher's jobs must not make it too large for all.
      LIST = 64 << 20

      # Jobs of one user that are asked for, twice what has a name in the records; of tasks in answers to the ids of
      # whole arrays, after which no other array of theirs is asked for; and nodes in one round, of which the next one
      # asks for the others.
      JOBS_PER_USER = 512
      TASKS_PER_USER = 256
      NODES = 256

      # @param answers [Answers]
      # @param terms [Hash] "wckeys", "version", "cluster", "sees", "user", "slack", "known", "nodes_of_job", and
      #   "until" on the clock
      def initialize(answers, terms)
        @answers = answers
        @terms = terms
        @version = terms['version']
        @undetermined = []
      end

      # @return [Hash] "version", "cluster", "jobs", "nodes", "operator", "undetermined" (ids of jobs that could not be
      #   read), "late" (how many of these for want of time), "turn" (how many jobs of each user were asked for before)
      # @raise [Failure]
      def call
        answer = running
        rows = rows_of(answer)
        cluster = cluster_of(answer, rows)
        jobs = jobs_of(rows.select { |row| row['cluster'] == cluster })
        { version: @version, cluster: cluster, jobs: jobs, nodes: nodes_of(jobs), operator: operator?,
          undetermined: @undetermined, late: @late.to_i, turn: @turn.to_i }
      end

      private

      def db(rest)
        "/slurmdb/v0.0.#{@version}/#{rest}"
      end

      def ctl(rest)
        "/slurm/v0.0.#{@version}/#{rest}"
      end

      def escape(text)
        text.b.gsub(/[^\w.-]/n) { |byte| format('%%%02X', byte.ord) }
      end

      # ---- which run ----

      # @return [Hash, nil] of the newest version that both know
      def running
        versions = [@version, *VERSIONS].compact.uniq
        versions.each do |version|
          @version = version
          return @answers.get(db("jobs?#{query}"), but: Answers::NOTHING, most: LIST)
        rescue Answers::NoSuchPath
          next
        end
        raise Failure.new(EX_CONFIG, "slurmrestd offers none of the versions v0.0.#{versions.join(', ')}.")
      end

      # A key that is a user's default is stored as "*key". slurmrestd takes neither * nor a comma as they are. Without
      # times slurmdbd's MaxQueryTimeRange counts from the epoch.
      def query
        keys = escape(@terms['wckeys'].flat_map { |key| [key, "*#{key}"] }.join(','))
        now = Time.now.to_i
        "wckey=#{keys}&state=RUNNING&skip_steps=true&start_time=uts#{now}" \
          "&end_time=uts#{now + @terms['slack']}"
      end

      def rows_of(answer)
        rows = list(answer, 'jobs')
        rows.each do |row|
          row['wckey'] = row['wckey']['wckey'] if row['wckey'].is_a?(Hash)
          row['wckey'] = text(row['wckey']).delete_prefix('*')
        end
        rows.select { |row| @terms['wckeys'].include?(row['wckey']) }
      end

      def list(answer, key)
        found = answer ? answer[key] : []
        return found if found.is_a?(Array) && found.all?(Hash)

        raise Answers::Unreadable.new(EX_DATAERR, "slurmrestd gave an answer without #{key}.")
      end

      # Since v0.0.40 each answer says it. It is slurmrestd's own cluster that jobs are asked of.
      def cluster_of(answer, rows)
        names = [answer&.dig('meta', 'slurm', 'cluster')].compact
        names = rows.map { |row| row['cluster'] }.uniq if names.empty?
        names = [*@terms['cluster']&.downcase] if names.empty?
        names = list(@answers.get(db('clusters')), 'clusters').map { |one| one['name'] } if names.empty?
        return names[0] if names.one? && !names[0].to_s.empty?

        raise Failure.new(EX_CONFIG, 'slurmrestd does not say which cluster it is of.',
                          fix: 'Write `cluster: NAME` into the job section of Open OnDemand\'s file.')
      end

      # ---- each of them ----

      # Users take turns, so that one with many jobs keeps nobody else's from being asked for in time. Of theirs shares
      # come first, as far as slurmdbd's names tell.
      def jobs_of(rows)
        @wanted = rows.group_by { |row| row['job_id'] }.transform_values { |alike| one_of(alike) }
        turns = @wanted.values.group_by { |row| row['user'] }.values.flat_map do |theirs|
          theirs.sort_by { |row| [share?(row['name']) ? 0 : 1, number(row['job_id'])] }
                .first(JOBS_PER_USER).each_with_index.to_a
        end
        @tasks = Hash.new(0)
        jobs = turns.sort_by { |row, turn| [turn, row['job_id']] }.flat_map { |row, turn| ask_for(row, turn) }
        jobs.empty? && @failed ? raise(@failed) : jobs
      end

      # Until v0.0.39 there are all rows of an id, the newest first. slurmdbd may not have heard of the end of a job
      # whose id slurmctld gave out again; then the name service says whose it is.
      def one_of(alike)
        alike.map { |row| row['user'] }.uniq.one? ? alike[0] : { **alike[0], 'user' => '' }
      end

      def ask_for(row, turn)
        id = row['job_id']
        array = row['array'].is_a?(Hash) && row['array']['job_id'] == id
        return [] unless @wanted.key?(id) && !(array && @tasks[row['user']] > TASKS_PER_USER)
        return late(id, turn) if MultiTenant.clock > @terms['until']

        told = list(@answers.get(ctl("job/#{id}?flags=LOCAL"), but: Answers::NO_JOB), 'jobs')
        @tasks[row['user']] += told.size if array
        return told.filter_map { |job| take(job) } if told.empty? || told.any? { |job| job['job_id'] == id }

        raise Answers::Unreadable.new(EX_DATAERR, "slurmrestd gave another job for #{id}.")
      rescue Connection::TooLarge, Answers::Unreadable, Answers::Failed => e
        @failed ||= e if e.is_a?(Answers::Failed) # at one job, or at all
        @undetermined << id
        []
      end

      def late(id, turn)
        @turn ||= turn
        @undetermined << id
        @late = @late.to_i + 1
        []
      end

      # Those that share something have two bars in their name.
      def share?(name)
        name.to_s.count('|') > 1
      end

      # The answer to an array's id holds its other tasks too, each of which may be one that can't be read. A job of
      # another's may have an id that slurmctld gave out again.
      def take(job)
        id = number(job['job_id'])
        row = @wanted.delete(id)
        return unless row && row['cluster'] == text(job['cluster'])
        return unless row['wckey'] == text(job['wckey']).delete_prefix('*') && running?(job)

        { job_id: id, uid: number(job['user_id']), user: row['user'].to_s, wckey: row['wckey'], name: text(job['name']),
          start: number(job['start_time']), end: end_of(job), restarts: number(job['restart_cnt']),
          nodes: Hostlist.expand(job['nodes'].to_s, @terms['nodes_of_job']) }
      rescue Answers::Unreadable
        @undetermined << id if row
        nil
      end

      def running?(job)
        states = job['job_state'].is_a?(Array) ? job['job_state'] : [job['job_state']]
        states.each { |state| text(state) }
        running = states.include?('RUNNING') || (states.one? && RUNNING.include?(states[0]))
        running && (states & NOT_YET_OR_NO_MORE).empty?
      end

      # Until v0.0.38 no limit is null.
      def end_of(job)
        limit = job['time_limit']
        limit.nil? || (limit.is_a?(Hash) && limit['infinite']) ? 0 : number(job['end_time'])
      end

      # Since v0.0.39 what may be unset is an object.
      def number(value)
        value = (value['number'] if value['set']) if value.is_a?(Hash)
        return value if value.is_a?(Integer) && value >= 0

        raise Answers::Unreadable.new(EX_DATAERR, 'slurmrestd gave a job without its numbers.')
      end

      def text(value)
        return value if value.is_a?(String)

        raise Answers::Unreadable.new(EX_DATAERR, 'slurmrestd gave a job without its texts.')
      end

      # ---- their nodes ----

      # What can't be learned of nodes costs no job.
      def nodes_of(jobs)
        names = jobs.select { |job| share?(job[:name]) }.flat_map { |job| job[:nodes] }.uniq - @terms['known']
        names.first(NODES).each_with_object({}) do |name, nodes|
          next if MultiTenant.clock > @terms['until']

          node = look_up(name)
          nodes[name] = node.values_at('hostname', 'address') if node
        end
      end

      def look_up(name)
        list(@answers.get(ctl("node/#{escape(name)}")), 'nodes').find { |node| node['name'] == name }
      rescue Failure
        nil
      end

      # What can't be learned counts as no.
      def operator?
        return false if @terms['sees'] || @terms['user'].nil?

        users = list(@answers.get(db("user/#{escape(@terms['user'])}")), 'users')
        users.any? { |user| user['name'] == @terms['user'] && ([*user['administrator_level']] & OPERATORS).any? }
      rescue Failure
        false
      end
    end
  end
end
