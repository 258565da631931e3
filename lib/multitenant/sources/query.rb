# frozen_string_literal: true

require_relative 'answer'

module MultiTenant
  # The source that asks Slurm: runs the query program, in a process of its own, with a deadline.
  class Query
    PROGRAM = File.expand_path('../multitenant-query', __dir__)

    REBUILD = 'run `gem pristine ood_multitenant` with the dashboard\'s Ruby'

    # The variables that the program gets from our environment.
    VARIABLES = %w[PATH LD_LIBRARY_PATH SLURM_CONF SLURM_JWT TZ].freeze

    # Seconds before our deadline at which the program is to give up by itself: it can say where it
    # was, and we can only kill it.
    MARGIN = 0.2

    # @param settings [Settings]
    # @param slurm_conf [String, nil] instead of the environment's
    # @param cluster [String, nil] another cluster than slurm.conf's own
    # @param program [String] path
    def initialize(settings, slurm_conf: nil, cluster: nil, program: PROGRAM)
      @settings = settings
      @slurm_conf = slurm_conf
      @cluster = cluster
      @program = program
    end

    # @param seconds [Float] the deadline
    # @return [Answer]
    def call(seconds)
      result = Native.run(argv(seconds), environment, seconds)
      error, code = judge(result, seconds)
      Answer.new(texts: [result[:out]], from: 'slurm', seconds: result[:seconds], error: error, code: code)
    end

    private

    def argv(seconds)
      own = [seconds - MARGIN, seconds * 0.9].max.round(3)
      argv = [@program, '--wckey', @settings.wckeys.join(','), '--timeout', own.to_s]
      argv.push('--publishers', @settings.publishers) if @settings.publishers
      argv.push('--cluster', @cluster) if @cluster
      argv
    end

    def environment
      env = ENV.slice(*VARIABLES)
      env['SLURM_CONF'] = @slurm_conf if @slurm_conf
      env['LC_ALL'] = 'C'
      env.map { |name, value| "#{name}=#{value}" }
    end

    def judge(result, seconds)
      case result[:status]
      when :ok then judge_end(result)
      when :spawn
        ["#{@program} could not be started (#{result[:error]}): was libslurm there when the gem was installed? " \
         "Install libslurm-dev or slurm-devel, then #{REBUILD}.", EX_CONFIG]
      when :timeout then ["Slurm did not answer within #{seconds.round(1)} s: the query program was killed.",
                          EX_TEMPFAIL]
      when :too_large then ['The query program printed more than 64 MiB and was killed.', EX_DATAERR]
      else ["The query program could not be watched (#{result[:error]}).", EX_UNAVAILABLE]
      end
    end

    def judge_end(result)
      said = sentence(result[:err])
      case result[:exit]
      when 0 then [nil, EX_OK]
      when 127 then ["The query program does not run (#{said}): #{REBUILD}.", EX_CONFIG]
      when nil then ["The query program was ended by signal #{result[:signal]}.", EX_UNAVAILABLE]
      else [said.empty? ? "The query program failed with status #{result[:exit]}." : said, result[:exit]]
      end
    end

    # The last line of what the program said, fit for a log.
    def sentence(bytes)
      line = bytes.b.lines.map(&:strip).reject(&:empty?).last.to_s
      line.gsub(/[^ -~]/n, '?')[0, 500].force_encoding('UTF-8').delete_prefix('multitenant-query: ')
    end
  end
end
