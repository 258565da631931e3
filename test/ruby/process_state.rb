# frozen_string_literal: true

require 'fiddle'
require 'openssl'

# What a library could change of its process, as the kernel, libc and libcrypto tell it. It loads nothing of ours, so
# that what stands for a dashboard in a test can have it, too.
module ProcessState
  LIBC = Fiddle.dlopen(nil)
  LIBCRYPTO = Fiddle.dlopen(File.foreach('/proc/self/maps').filter_map { |line| line[%r{/\S+/libcrypto\.so\S*}] }.first)
  LONG = Fiddle::TYPE_LONG
  TEXT = Fiddle::TYPE_VOIDP

  # Lines of /proc/self/status that change by themselves, and the number of tasks.
  VOLATILE = /\A(?:Vm|Rss|Hugetlb|FDSize|State|Threads|SigQ|SigPnd|ShdPnd|(?:non)?voluntary_ctxt)/

  SIGNALS = (1..64)
  LOCALES = (0..12) # LC_CTYPE to LC_IDENTIFICATION, and LC_ALL
  OPTIONS = { 'dumpable' => 3, 'keeps capabilities' => 7, 'timer slack' => 30 }.freeze # of prctl()
  SUBREAPER = 37

  module_function

  # @return [Hash{String => Object}] what it is about => as it is
  def now
    { 'status' => File.readlines('/proc/self/status').grep_v(VOLATILE), 'signals' => signals, 'locale' => locale,
      'OpenSSL errors' => errors, 'environment' => [ENV.to_h, environ], 'umask' => File.umask, 'directory' => Dir.pwd,
      'descriptors' => descriptors, 'tasks' => tasks, 'threads' => Thread.list.size, 'children' => children,
      'limits' => Process.constants.grep(/\ARLIMIT_/).to_h do |name|
        [name, Process.getrlimit(Process.const_get(name))]
      end,
      'group' => [Process.getpgrp, Process.getsid, Process.groups, Process.getpriority(Process::PRIO_PROCESS, 0)],
      'timers' => (0..2).map { |which| bytes(32) { |to| call(LIBC, 'getitimer', LONG, which, to) } },
      'options' => [OPTIONS.transform_values { |number| call(LIBC, 'prctl', LONG, number, 0, 0, 0, 0) },
                    bytes(8) { |to| call(LIBC, 'prctl', LONG, SUBREAPER, to, 0, 0, 0) }],
      'encodings' => [Encoding.default_external, Encoding.default_internal].map(&:to_s) }
  end

  # Each signal's handler, mask and flags, as the kernel has them; nothing is changed to learn it. Of the 128 bytes that
  # libc has for the mask, the kernel writes eight.
  def signals
    SIGNALS.to_h do |signal|
      told = bytes(256) { |to| call(LIBC, 'sigaction', LONG, signal, 0, to) }
      [signal, [told[0, 32], told[272, 8]]]
    end
  end

  def locale
    [LOCALES.map { |category| call(LIBC, 'setlocale', TEXT, category, 0).to_s }, call(LIBC, 'uselocale', LONG, 0)]
  end

  # The oldest and the newest of this thread's, which stay there.
  def errors
    %w[ERR_peek_error ERR_peek_last_error].map { |name| call(LIBCRYPTO, name, LONG) }
  end

  # What getenv() reads, which Ruby's ENV is not all of: what a library put there twice, or without a name.
  def environ
    list = Fiddle::Pointer.new(LIBC['environ']).ptr
    (0..).lazy.map { |i| (list + (i * Fiddle::SIZEOF_VOIDP)).ptr }.take_while { |text| !text.null? }.map(&:to_s).to_a
  end

  # @return [Array<Array>] number, what it is of, and its flags
  def descriptors
    Dir.children('/proc/self/fd').sort.filter_map do |fd|
      [fd, File.readlink("/proc/self/fd/#{fd}"), File.read("/proc/self/fdinfo/#{fd}")[/^flags:.*/]]
    rescue Errno::ENOENT
      nil # that of the list
    end
  end

  # Threads of Ruby's and of C's, and which signals each holds back. Ruby keeps one of its own for some seconds.
  def tasks
    of_tasks('status').map { |text| text.lines.grep(/\A(?:Name|SigBlk):/) }.sort
  end

  # Those that nobody waited for yet, too.
  def children
    of_tasks('children').flat_map(&:split).sort
  end

  def of_tasks(name)
    Dir.glob("/proc/self/task/*/#{name}").filter_map do |path|
      File.read(path)
    rescue Errno::ENOENT, Errno::ESRCH
      nil # it has ended meanwhile
    end
  end

  def call(library, name, gives, *values)
    types = values.map { |value| value.is_a?(Integer) ? LONG : TEXT }
    Fiddle::Function.new(library[name], types, gives).call(*values)
  end

  def bytes(size)
    Fiddle::Pointer.malloc(size, Fiddle::RUBY_FREE).then do |to|
      to[0, size] = "\0" * size
      yield to
      to[0, size].unpack1('H*')
    end
  end
end
