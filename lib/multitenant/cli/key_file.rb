# frozen_string_literal: true

require 'fileutils'
require 'securerandom'
require_relative '../errors'
require_relative '../host/system_file'

module MultiTenant
  # The file with the keys of a group, for the key envelope: root's, readable by the group alone, the newest key
  # first. The newest seals, all open. doc/formats.md, ext/multitenant/keyring.h
  class KeyFile
    # id: eight hexadecimal digits; created: seconds since the epoch; line: all of it.
    Key = Struct.new(:id, :created, :line)
    LINE = %r{\A(?<id>\h{8}) [A-Za-z0-9+/]{43}= (?<created>\d{1,12})\n\z}

    # @return [String]
    attr_reader :path

    # @param gid [Integer]
    # @param directory [String]
    def initialize(gid, directory:)
      @gid = gid
      @directory = directory
      @path = File.join(directory, gid.to_s)
    end

    def exist?
      File.exist?(@path)
    end

    # @return [Array<Key>]
    # @raise [Failure] where the file holds something else
    def keys
      File.readlines(@path, mode: 'rb').map.with_index(1) do |line, number|
        found = LINE.match(line) || raise(Failure.new(EX_DATAERR, "Line #{number} of #{@path} is no key."))
        Key.new(found[:id], Integer(found[:created], 10), line)
      end
    rescue SystemCallError => e
      raise Failure.new(EX_CANTCREAT, "#{@path} can't be read (#{e.message.split(' @ ').first}).")
    end

    # Puts a new key before those that are there.
    # @return [Key]
    def add
      old = exist? ? keys : []
      most = Core::LIMITS[:keys]
      raise Failure.new(EX_CANTCREAT, "#{@path} holds #{most} keys: prune it first.") if old.size >= most

      id = SecureRandom.hex(4)
      id = SecureRandom.hex(4) while old.any? { |key| key.id == id }
      created = Time.now.to_i
      key = Key.new(id, created, "#{id} #{[SecureRandom.bytes(32)].pack('m0')} #{created}\n")
      write([key, *old])
      key
    end

    # Leaves these keys alone in it.
    # @param kept [Array<Key>]
    # @return [void]
    def write(kept)
      FileUtils.mkdir_p(@directory, mode: 0o755)
      unless SystemFile.secure?(@directory)
        raise Failure.new(EX_CANTCREAT, "Users other than root can change #{@directory} or a directory above it.")
      end

      SystemFile.write(@path, kept.map(&:line).join, mode: 0o440, uid: 0, gid: @gid)
    end
  end
end
