# frozen_string_literal: true

require 'json'
require 'rbconfig'
require_relative 'answer'
require_relative 'job_records'
require_relative 'query'
require_relative '../host/clock'
require_relative '../programs/names'
require_relative '../programs/program'
require_relative '../settings'
require_relative 'slurmrestd/token'

module MultiTenant
  # The source that asks one Slurm cluster by its slurmrestd, with a token: for a host without libslurm, munge and
  # Slurm's configuration. The records are those of {Query}; what Slurm does not know the local name service says.
  class Slurmrestd
    ASK = File.expand_path('slurmrestd/ask.rb', __dir__)

    # Of the whole time, the share that Slurm may use, and of that the one after which no other job is asked for.
    SLURM_SHARE = 0.8
    JOBS_SHARE = 0.8

    # What OpenSSL takes other certificates from.
    CERTIFICATES = %w[SSL_CERT_FILE SSL_CERT_DIR].freeze

    # @param settings [Settings]
    # @param target [Clusters::Target]
    # @param only [Boolean] it is the host's only cluster, which the settings may mean
    # @return [Slurmrestd, nil] nil: the site has not named one
    def self.of(settings, target, only:)
      options = target.slurmrestd || ({} if only && settings.slurmrestd)
      options && new(settings, options, cluster: target.cluster)
    end

    # @param settings [Settings]
    # @param options [Hash] "slurmrestd" (its URL), "token" (a file) and "sees" ("all") of the cluster's file; else the
    #   settings count
    # @param cluster [String, nil] as Open OnDemand's file says
    # @param names [Names]
    # @param program [String] path
    def initialize(settings, options, cluster: nil, names: Names.new, program: ASK)
      @settings = settings
      @url = options.fetch('slurmrestd', settings.slurmrestd).to_s
      @token = options.fetch('token', settings.slurmrestd_token).to_s
      @sees_all = options['sees'] == 'all'
      @cluster = cluster
      @records = JobRecords.new(settings, names)
      @ask = program
      @ruby = Program.new(RbConfig.ruby, name: 'The program that asks slurmrestd', fix: Program::REBUILD)
    end

    # @return [String]
    attr_reader :url

    # @return [Boolean] this user may read the token
    def token?
      File.readable?(@token)
    end

    # @return [Token] as it is now
    # @raise [Failure]
    def token
      check
      Token.read(@token)
    end

    # @param seconds [Float] the deadline
    # @return [Answer]
    def call(seconds)
      start = MultiTenant.clock
      generated = Time.now.to_i
      told = ask(seconds * SLURM_SHARE)
      jobs = told['jobs'].map { |job| job(job) }.sort_by { |job| [job.start, job.job_id] }
      jobs = @records.without_surplus_names(jobs)
      text, error = @records.call({ generated: generated, **header(told) }, jobs, nodes(jobs, told['nodes']),
                                  start + seconds - MultiTenant.clock)
      return answer(start, [text], error, EX_CONFIG) if error || told['late'].zero?

      answer(start, [text], "There was no time to ask slurmrestd for #{told['late']} jobs.", EX_TEMPFAIL,
             surplus: told['turn'] >= Core::LIMITS[:shares_per_publisher])
    rescue Failure => e
      answer(start, [], e.message, e.code)
    end

    private

    def answer(start, texts, error, code, **missing)
      Answer.new(texts: texts, from: 'slurmrestd', seconds: MultiTenant.clock - start, error: error,
                 code: error ? code : EX_OK, **missing)
    end

    def ask(seconds)
      check
      now = MultiTenant.clock
      limit = Program.timeout(seconds)[1].to_f
      terms = { url: @url, token: @token, sees: @sees_all, seconds: limit, deadline: now + limit,
                until: now + (limit * JOBS_SHARE), version: @version, cluster: @cluster, wckeys: @settings.wckeys,
                known: known.keys, slack: Core::LIMITS[:clock_slack], nodes_of_job: Core::LIMITS[:nodes] }
      result = @ruby.call('--disable=gems', @ask, seconds: seconds, input: JSON.generate(terms), pass: CERTIFICATES)
      raise Failure.new(result.code, result.error) unless result.success?

      JSON.parse(result.out.force_encoding(Encoding::UTF_8)).tap { |told| @version = told['version'] }
    rescue JSON::ParserError
      raise Failure.new(EX_SOFTWARE, 'The program that asks slurmrestd printed something else than JSON.')
    end

    def check
      unless Settings::SLURMRESTD.match?(@url)
        raise Failure.new(EX_CONFIG, "`slurmrestd: #{@url}` is no address: write https://HOST, " \
                                     'http://127.0.0.1:PORT or unix:/PATH.')
      end
      return unless @token.empty?

      raise Failure.new(EX_CONFIG, "No token for #{@url} is named.",
                        fix: 'Set MULTITENANT_SLURMRESTD_TOKEN to a file with one.')
    end

    def header(told)
      { cluster: text(told['cluster']), sees: @sees_all || told['operator'] ? 'all' : 'own',
        undetermined: (told['undetermined'] if told['undetermined'].any?) }
    end

    def job(told)
      name = bytes(told['name'])
      JobRecords::Job.new(job_id: told['job_id'], uid: told['uid'], user: bytes(told['user']), wckey: told['wckey'],
                          name: name, group: Native.group_of(name), start: told['start'], end: told['end'],
                          restarts: told['restarts'], nodes: told['nodes'])
    end

    # What slurmrestd did not tell of a node is null.
    def nodes(jobs, told)
      known.update(told)
      jobs.select(&:group).map(&:nodes).uniq.to_h do |names|
        [names, names.map { |name| node(name, *known[name]) }]
      end
    end

    def node(name, host = nil, addr = nil)
      { 'name' => text(name), 'host' => named(host), 'addr' => named(addr) }
    end

    def named(value)
      text(value) if value&.bytesize&.between?(1, Core::LIMITS[:name])
    end

    def known
      @known = nil if @known && MultiTenant.clock - @asked > Query::NODES_KEPT
      @asked = MultiTenant.clock unless @known
      @known ||= {}
    end

    # Each byte is U+0000 to U+00FF in what the program prints; what is above was written so by slurmrestd.
    def bytes(told)
      told.encode(Encoding::ISO_8859_1).b
    rescue EncodingError
      told.b
    end

    def text(told)
      JobRecords.text(bytes(told))[0]
    end
  end
end
