# frozen_string_literal: true

require 'shellwords'
require_relative '../host/system_file'

module MultiTenant
  # What a service of several jobs keeps for its owner: the directory of doc/formats.md, "The owner's state". Jobs write
  # in it at the same time (libexec/multitenant-chain), each file by a rename: a file is there as a whole or not at all.
  class ServiceState
    # As mt_text_is_service has it (ext/multitenant/text.c), and the name of a group behind it.
    NAME = /\A(?<service>[a-z0-9][a-z0-9-]{0,62})@(?<group>(?:[A-Za-z0-9._~-]|%\h\h)+)\z/
    # Slurm's name of a job, or of a task of an array or a component of a heterogeneous job.
    JOB = /\A[1-9]\d{0,9}(?:[_+]\d{1,9})?\z/
    # Bytes of a file that count.
    MOST = 4096

    # One copy of a service: jobs that follow each other. `job`, `shared` and `next` are Slurm's names of them, `served`
    # is the generation of `shared`, `start` an epoch, `problems` sentences; but for these and the number of the copy,
    # all are nil where they are not there.
    Chain = Struct.new(:number, :job, :shared, :served, :next, :start, :node, :dir, :problems, :ended,
                       keyword_init: true) do
      # @return [Array<String>] all that may run or wait for it
      def jobs
        [job, shared, self.next].compact.uniq
      end
    end

    # Where the locale is C, other letters in it are bytes, which Open OnDemand's pages can't write as JSON.
    # @param env [#[]] of its owner
    # @return [String] the directory of all of them
    def self.root(env = ENV)
      home = env['XDG_STATE_HOME'].to_s
      home = File.join(env['HOME'] || Dir.home, '.local/state') if home.empty?
      File.join(home, 'multitenant/services').force_encoding(Encoding::UTF_8)
    end

    # @return [Array<ServiceState>] of this user
    def self.all(root = self.root)
      Dir.children(root).sort.filter_map { |name| at(File.join(root, name)) }
    rescue SystemCallError
      []
    end

    # @param path [String]
    # @return [ServiceState, nil] nil: it is none, or another user's
    def self.at(path)
      stat = File.lstat(path)
      return unless stat.directory? && stat.owned? && File.basename(path).match?(NAME)

      # An NFS says for a minute what it knew of files, unless it is asked for their directory (ask_anew of the jobs).
      Dir.open(path).close
      new(path)
    rescue SystemCallError, ArgumentError # no path has a NUL
      nil
    end

    # @param dir [#to_s] where a job of Open OnDemand's runs
    # @param session [#to_s] OOD's session id
    # @return [String, nil] the name of that session's app
    def self.app_of(dir, session)
      dir.to_s[%r{/batch_connect/(?:[^/]+/)?sys/([^/]+)/output/#{Regexp.escape(session.to_s)}(?:/|\z)}, 1]
    end

    # @return [String] its directory
    attr_reader :path
    # @return [String] SERVICE@GROUP, as people write it
    attr_reader :name
    # @return [String]
    attr_reader :service
    # @return [String]
    attr_reader :group

    # @param path [String]
    def initialize(path)
      @path = path
      match = NAME.match(File.basename(path))
      @service = match[:service]
      @group = match[:group].gsub(/%(\h\h)/) { Regexp.last_match(1).hex.chr }.force_encoding(Encoding::UTF_8).scrub('?')
      @name = "#{service}@#{group}"
    end

    # @param file [String]
    # @return [String, nil] its line; nil: there is none
    def [](file)
      read(File.join(@path, file))
    end

    # @param file [String]
    # @param line [#to_s]
    # @raise [SystemCallError]
    # @return [void]
    def []=(file, line)
      SystemFile.write(File.join(@path, file), "#{line.to_s.gsub(/[[:cntrl:]]/, ' ')}\n", mode: 0o600)
    end

    # @param why [String] it is to end, which its jobs see first
    # @return [Boolean] false: that could not be written, as in a full home; the jobs can be cancelled all the same
    def stop(why)
      self['stopped'] = why
      true
    rescue SystemCallError
      false
    end

    # @raise [SystemCallError]
    # @return [void]
    def remove(file)
      File.unlink(File.join(@path, file))
    rescue Errno::ENOENT
      nil
    end

    # @return [String] its name as a word in a shell, which those of some directories' groups are not
    def word
      name.shellescape
    end

    # @return [Array<Chain>]
    def chains
      numbers = Dir.children(File.join(@path, 'chains')).grep(/\A\d{1,9}\z/)
      numbers.sort_by(&:to_i).map { |number| chain(File.join(@path, 'chains', number)) }
    rescue SystemCallError
      []
    end

    # @return [Array<String>] what may run or wait for it
    def jobs
      chains.flat_map(&:jobs).uniq
    end

    # @return [Integer, nil] when it ends for good, seconds since the epoch; nil: with its job
    def until
      number(File.join(@path, 'until'))
    end

    # @return [Boolean] by what stands here its jobs have ended, or are about to
    def over?
      last = self.until
      (!last.nil? && last <= Time.now.to_i) || (chains.any? && chains.all?(&:ended))
    end

    # @return [String, nil] the name of the app of Open OnDemand's that it was started with
    def app
      chains.filter_map { |chain| self.class.app_of(chain.dir, self['session']) }.first
    end

    private

    def chain(dir)
      job, shared, following = %w[job shared next].map { |file| read(File.join(dir, file)).to_s[JOB] }
      problems = Dir.children(dir).grep(/\Aproblem(?:\.|\z)/).sort.filter_map { |file| read(File.join(dir, file)) }
      Chain.new(number: File.basename(dir).to_i, job: job, shared: shared, next: following, problems: problems,
                **%w[node dir ended].to_h { |file| [file.to_sym, read(File.join(dir, file))] },
                **%w[served start].to_h { |file| [file.to_sym, number(File.join(dir, file))] })
    end

    def number(path)
      Integer(read(path).to_s, 10, exception: false)
    end

    def read(path)
      text = File.open(path, File::RDONLY | File::NOFOLLOW | File::NONBLOCK) { |io| io.read(MOST) }
      text.to_s.force_encoding(Encoding::UTF_8).scrub('?').lines.first.to_s.chomp
    rescue SystemCallError
      nil
    end
  end
end
