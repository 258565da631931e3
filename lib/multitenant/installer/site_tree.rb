# frozen_string_literal: true

require 'digest'
require 'fileutils'
require_relative '../errors'
require_relative '../host/system_file'

module MultiTenant
  # The files of a host, or of a DESTDIR. Nothing is written through a link, nor into a directory
  # that others may write.
  class SiteTree
    # @param host [Host]
    def initialize(host)
      @host = host
    end

    # @raise [Failure] where something on the way to this path is a link or not root's alone, or
    #   where the path itself is a link
    def guard(path)
      guard_link(at(path))
      parts = path.split('/').reject(&:empty?)[0..-2]
      (0..parts.size).each do |count|
        dir = @host.at("/#{parts.first(count).join('/')}")
        break unless File.symlink?(dir) || File.exist?(dir)

        guard_directory(dir)
      end
    end

    # @return [Boolean]
    def exist?(path)
      File.symlink?(at(path)) || File.exist?(at(path))
    end

    def directory?(path)
      File.directory?(at(path)) && !File.symlink?(at(path))
    end

    # @return [Boolean] an ordinary file, not a link to one
    def file?(path)
      File.file?(at(path)) && !File.symlink?(at(path))
    end

    def read(path)
      File.binread(at(path))
    end

    # @return [String, nil] SHA-256 of a file
    def sha256(path)
      Digest::SHA256.file(at(path)).hexdigest if file?(path)
    end

    # @return [Array<String>] names
    def children(path)
      directory?(path) ? Dir.children(at(path)) : []
    end

    # @return [Array<String>] paths
    def glob(pattern)
      Dir.glob(pattern.delete_prefix('/'), base: at('/')).map { |path| "/#{path}" }.sort
    end

    # @return [Array<String>] paths of the files that dashboards load at their start
    def initializers
      @host.initializers.flat_map { |pattern| glob(pattern) }
    end

    # @param entry [Manifest::Entry]
    # @return [Boolean] owner and mode are as they are to be
    def owned?(entry)
      stat = File.lstat(at(entry.path))
      [stat.uid, stat.gid, format('%04o', stat.mode & 0o7777)] == [entry.uid, entry.gid, entry.mode]
    end

    # @param entry [Manifest::Entry]
    # @return [void]
    def write(entry, bytes)
      guard(entry.path)
      SystemFile.write(at(entry.path), bytes, mode: entry.mode.oct, uid: entry.uid, gid: entry.gid)
    end

    # Makes a directory, or gives it its owner and mode.
    def make(entry)
      guard(entry.path)
      Dir.mkdir(at(entry.path), 0o700) unless directory?(entry.path)
      File.chown(entry.uid, entry.gid, at(entry.path))
      File.chmod(entry.mode.oct, at(entry.path))
    end

    def remove(path)
      guard(path)
      directory?(path) ? Dir.rmdir(at(path)) : File.unlink(at(path))
    rescue Errno::ENOTEMPTY, Errno::EEXIST, Errno::ENOENT, Errno::EBUSY # where a file system is mounted
      nil
    end

    # What is at the target is never replaced.
    def move(path, target)
      [path, target].each { |one| guard(one) }
      fail!("#{at(target)} is in the way.", 'Move it.') if exist?(target)

      File.rename(at(path), at(target))
    rescue Errno::EXDEV
      fail!("#{at(path)} is on another file system than #{at(target)}.", 'Move it away by hand.')
    end

    # Copies a file to where only root can read it.
    def save(path, target)
      make_state(File.dirname(target))
      guard(target)
      SystemFile.write(at(target), read(path), mode: 0o600, uid: 0, gid: 0)
    end

    # Makes a directory of ours with those above it.
    def make_state(path)
      guard(path)
      parent = File.dirname(path)
      make_state(parent) unless directory?(parent)
      return if directory?(path)

      Dir.mkdir(at(path), 0o755)
      File.chmod(0o755, at(path))
    end

    # Removes what a killed process was writing beside this path.
    # @return [void]
    def sweep(path)
      guard(path)
      form = /\A\.#{Regexp.escape(File.basename(path))}\.[0-9a-f]{12}\z/
      scratch = children(File.dirname(path)).grep(form).map { |name| File.join(File.dirname(path), name) }
      scratch.each { |name| File.unlink(at(name)) if file?(name) }
    end

    private

    def at(path)
      @host.at(path)
    end

    def fail!(sentence, fix)
      raise Failure.new(EX_CANTCREAT, sentence, fix: fix)
    end

    def guard_link(path)
      return unless File.symlink?(path)

      fail!("#{path} is a link, and nothing is written through one.",
            'Remove it, or put what it leads to in its place.')
    end

    def guard_directory(dir)
      guard_link(dir)
      stat = File.stat(dir)
      fail!("#{dir} is no directory.", 'Move it away.') unless stat.directory?
      return if stat.uid.zero? && stat.mode.nobits?(0o022)

      fail!("Users other than root can change #{dir}.", "Run `chown root #{dir}; chmod go-w #{dir}`.")
    end
  end
end
