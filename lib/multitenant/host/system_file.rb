# frozen_string_literal: true

require 'fileutils'
require 'securerandom'

module MultiTenant
  # Files that a service or an admin keeps for other users: written whole or not at all, with the
  # owner and mode that were asked for. (Files in a viewer's home are the core's, ext/multitenant/store.c.)
  module SystemFile
    module_function

    # Whether this uid is root's or a system account's, which only an admin can make. The number says enough; looking up
    # the account could block.
    # @param uid [Integer]
    # @return [Boolean]
    def system?(uid)
      uid < 1000
    end

    # Replaces a file; what stood there is seen whole until the new one is.
    # @param path [String]
    # @param bytes [String]
    # @param mode [Integer]
    # @param uid [Integer, nil] nil: the process's own
    # @param gid [Integer, nil] the same
    # @return [void]
    def write(path, bytes, mode:, uid: nil, gid: nil)
      scratch = File.join(File.dirname(path), ".#{File.basename(path)}.#{SecureRandom.hex(6)}")
      File.open(scratch, File::WRONLY | File::CREAT | File::EXCL | File::NOFOLLOW, 0o600, binmode: true) do |file|
        file.write(bytes)
        file.chown(uid, gid) if uid || gid
        file.chmod(mode)
        file.fsync
      end
      File.rename(scratch, path)
    rescue StandardError
      FileUtils.rm_f(scratch) # unless it was not made, or took its place already
      raise
    end

    # @param stat [File::Stat]
    # @return [Array] what changes with a file that is replaced
    def version(stat)
      [stat.dev, stat.ino, stat.size, stat.mtime, stat.ctime]
    end

    # Whether only these users can have written a file or directory, or put another in its place.
    # @param path [String] links are followed; what they lead through counts, too
    # @param uids [Array<Integer>]
    # @return [Boolean] false also where it is not there
    def secure?(path, uids: [0])
      part = File.realpath(path)
      loop do
        stat = File.stat(part)
        return false unless uids.include?(stat.uid) &&
                            (stat.mode.nobits?(0o022) || (stat.sticky? && !stat.file?))
        return true if part == '/'

        part = File.dirname(part)
      end
    rescue SystemCallError
      false
    end
  end
end
