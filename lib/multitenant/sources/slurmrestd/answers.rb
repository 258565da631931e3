# frozen_string_literal: true

require 'json'
require_relative '../../errors'
require_relative 'connection'

module MultiTenant
  class Slurmrestd
    # What slurmrestd answers, as what it means: its HTTP codes alone say neither that it failed nor that there is
    # nothing (doc/faults.md). Texts come out with each byte as U+0000 to U+00FF: a job's name may hold any bytes, and
    # slurmrestd writes them as they are.
    class Answers
      # Numbers of errors (slurm_errno.h): there is nothing; no such job; the token is not taken.
      NOTHING = 9003
      NO_JOB = 2017
      TOKEN = 1007
      TOKEN_STATUS = [401, 511].freeze

      # An object of an answer, of whose members a job has a hundred: those that are read here. So the others take no
      # memory, however many jobs a publisher runs.
      class Told < Hash
        MEMBERS = %w[
          errors error_number description error meta slurm cluster clusters name jobs job_id user user_id wckey array
          job_state start_time end_time time_limit restart_cnt nodes set infinite number hostname address users
          administrator_level
        ].to_h { |name| [name, true] }.freeze

        def []=(name, value)
          super if MEMBERS.key?(name)
        end
      end

      # This path is not offered.
      class NoSuchPath < Failure; end
      # The answer can't be read.
      class Unreadable < Failure; end
      # It failed, whatever at.
      class Failed < Failure; end

      # @param connection [Connection]
      # @param token [Token]
      def initialize(connection, token)
        @connection = connection
        @token = token
      end

      # @param path [String]
      # @param but [Integer] the number of an error that says this is an empty answer
      # @param most [Integer] bytes of it
      # @return [Hash, nil] nil: it is empty
      # @raise [Failure]
      def get(path, but: nil, most: Connection::BODY)
        status, body = @connection.get(path, most: most)
        answer = parse(body)
        errors = errors_of(answer)
        return if but && errors.any? && errors.all? { |error| error['error_number'] == but }
        raise refusal(status, errors) unless status == 200 && errors.empty?

        answer || raise(Unreadable.new(EX_DATAERR, 'slurmrestd gave an answer that is no JSON.'))
      rescue Connection::Broken, IOError => e
        raise Failed.new(EX_UNAVAILABLE, "slurmrestd gave no whole answer: #{e.message}.")
      end

      private

      def errors_of(answer)
        errors = answer.to_h['errors'] || []
        return errors if errors.is_a?(Array) && errors.all?(Hash)

        raise Unreadable.new(EX_DATAERR, 'slurmrestd gave an answer whose errors are none.')
      end

      # A parser may refuse a text that is not UTF-8, and with it what everybody else's jobs are called.
      def parse(body)
        valid = body.force_encoding(Encoding::UTF_8).valid_encoding?
        body = body.force_encoding(Encoding::ISO_8859_1).encode(Encoding::UTF_8) unless valid
        told = JSON.parse(body, object_class: Told)
        told = apart(told) if valid
        told if told.is_a?(Hash)
      rescue JSON::ParserError
        nil
      end

      def apart(value)
        case value
        when Hash then value.transform_values { |one| apart(one) }
        when Array then value.map { |one| apart(one) }
        when String then value.ascii_only? ? value : value.unpack('C*').pack('U*')
        else value
        end
      end

      def refusal(status, errors)
        number, said = errors[0].to_h.values_at('error_number', 'description')
        said = errors[0].to_h['error'] if said.to_s.empty?
        return NoSuchPath.new(EX_CONFIG, 'slurmrestd does not know what it was asked for.') if status == 404 && !number

        taken = number != TOKEN && !TOKEN_STATUS.include?(status) && !said.to_s.match?(/authentication error\z/i)
        return Failure.new(EX_NOPERM, "slurmrestd does not take #{@token}#{": #{said}" if said}.") unless taken

        redirect = status / 100 == 3
        return Failure.new(EX_CONFIG, "It sends a redirect (#{status}), which is not followed.") if redirect

        Failed.new(EX_UNAVAILABLE, "slurmrestd failed: #{[said, number || status].compact.join(', ')}.")
      end
    end
  end
end
