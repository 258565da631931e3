# frozen_string_literal: true

require 'json'
require_relative '../../errors'
require_relative '../../host/system_file'

module MultiTenant
  class Slurmrestd
    # A JSON web token that slurmrestd takes, from a file that nobody else can read. It needs no core: it is read by the
    # program that asks, anew each time, and by `multitenant doctor`.
    class Token
      # Bytes of a file that are read.
      MOST = 16_000
      # What `scontrol token` prints counts as well.
      FORM = /\A(?:SLURM_JWT=)?(?<text>[\w-]+\.(?<claims>[\w-]+)\.[\w-]+)\z/
      USER = /\A[\w.@+-]{1,256}\z/

      # @return [String]
      attr_reader :text
      # @return [String, nil] the user that it is of, where it says so
      attr_reader :user
      # @return [Time, nil] nil: it does not end
      attr_reader :expires

      # @param path [String]
      # @return [Token]
      # @raise [Failure]
      def self.read(path)
        File.open(path, File::RDONLY | File::NONBLOCK) do |file|
          complaint = complaint(path, file.stat)
          raise Failure.new(EX_CONFIG, complaint) if complaint

          new(path, file.read(MOST).to_s, file.stat.uid)
        end
      rescue SystemCallError => e
        raise Failure.new(EX_CONFIG, "The token of slurmrestd can't be read: #{e.message.sub(/ @ .* - /, ', ')}.")
      end

      # @return [String, nil] why this file can't hold a secret of this process's
      def self.complaint(path, stat)
        if !stat.file? then "#{path} is no file, so no token of slurmrestd's is read from it."
        elsif stat.mode.anybits?(0o077)
          "#{path}, the token of slurmrestd, is open to other users: run `chmod 0600 #{path}`."
        elsif !owner?(stat.uid)
          "#{path}, the token of slurmrestd, belongs to uid #{stat.uid}: it has to be root's or this user's."
        end
      end

      # Root looks at that of the agent's account, too.
      def self.owner?(uid)
        [0, Process.euid].include?(uid) || (Process.euid.zero? && SystemFile.system?(uid))
      end
      private_class_method :complaint, :owner?

      def initialize(path, text, owner)
        parts = FORM.match(text.strip) || raise(invalid(path))
        claims = JSON.parse(parts[:claims].tr('-_', '+/').unpack1('m'))
        @path = path
        @owner = owner
        @text = parts[:text]
        @user = claims['sun'].to_s[USER]
        @expires = claims['exp'] && Time.at(Integer(claims['exp']))
      rescue JSON::ParserError, EncodingError, TypeError, ArgumentError, RangeError, NoMethodError
        raise invalid(path)
      end

      # @return [String]
      def to_s
        "the token in #{@path}#{" (of #{user})" if user}"
      end

      # @return [Boolean] nobody but root can read it
      def roots?
        @owner.zero?
      end

      # @return [Boolean]
      def expired?
        !expires.nil? && expires <= Time.now
      end

      # @return [Failure]
      def expiry
        Failure.new(EX_NOPERM, "#{to_s.sub('t', 'T')} expired at #{expires.utc.strftime('%F %T')} UTC.",
                    fix: "Write a new one there: `#{command}` prints it.")
      end

      # Without a user it would be that of whoever calls it, root's say.
      # @return [String] what makes another one
      def command
        "scontrol token username=#{user && !administrator? ? user : 'multitenant'} lifespan=SECONDS"
      end

      # @return [Boolean] whoever has it can do everything in Slurm
      def administrator?
        user == 'root'
      end

      private

      def invalid(path)
        Failure.new(EX_CONFIG, "#{path} holds no token of slurmrestd's: that is a JSON web token, one line.")
      end
    end
  end
end
