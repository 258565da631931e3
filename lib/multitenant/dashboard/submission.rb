# frozen_string_literal: true

require_relative '../apps/chain'

module MultiTenant
  module Dashboard
    # Keeps what sbatch is called with for a service of several jobs, so that these submit each other in the same way.
    # For OodCore::Job::Adapters::Slurm::Batch.
    module Submission
      FLAGS = File::WRONLY | File::CREAT | File::EXCL | File::NOFOLLOW

      class << self
        # @param conf [#to_s, nil] the cluster's slurm.conf
        def keep(script, arguments, environment, conf)
          at = arguments.index('-D')
          dir = at && File.join(arguments[at + 1], Chain::SUBMISSION)
          return unless dir && made_for_it?(dir)

          variables = ENV.to_h.merge(environment.to_h { |name, value| [name.to_s, value.to_s] })
          variables['SLURM_CONF'] = conf.to_s if conf
          # Where the locale is C, as Apache's often is, a variable with other letters is bytes, which no text can join.
          { 'script' => script, 'environment' => variables.map { |pair| "#{pair.map(&:b).join('=')}\0" }.join,
            'arguments' => arguments.map { |argument| "#{argument.b}\0" }.join }.each do |name, text|
            File.open(File.join(dir, name), FLAGS, 0o600, binmode: true) { |file| file.write(text) }
          end
        end

        private

        # Any job may be submitted in a directory with one of that name, and others may write there.
        def made_for_it?(dir)
          stat = File.lstat(dir)
          stat.directory? && stat.owned? && Dir.empty?(dir)
        rescue SystemCallError
          false
        end
      end

      def submit_string(script, args: [], env: {}, **more)
        begin
          Submission.keep(script.to_s, args.map(&:to_s), env.to_h, conf)
        rescue StandardError => e
          Rails.logger.warn("multitenant: a job will be submitted anew from Open OnDemand's own files: " \
                            "#{e.class}: #{e.message}")
        end
        super
      end
    end
  end
end
