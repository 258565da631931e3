# frozen_string_literal: true

# Counts by callgrind what the core's steps cost in test/c/check_cost.c, and compares that with what is kept for this
# release of Debian. Instructions, not time: they are the same on a busy machine.
module CoreBench
  CASES = %w[v1 munge key decide snapshot].freeze
  # What is counted is ours: nothing that was called in these, nor in Check.
  OTHERS = /\blib(crypto|z|check)\b/
  CHANGE = 0.1
  BUILD = File.expand_path('../build/bench', __dir__)
  PROGRAM = "#{BUILD}/gcc/check_cost".freeze

  class << self
    def compare
      counts = measure
      return puts(table(counts), "There is no #{kept}: `rake bench:core REASON='…'` makes it.") unless File.exist?(kept)

      known, kind = read
      puts table(counts, known)
      bad = counts.select { |name, n| known[name].nil? || (n - known[name]).abs > CHANGE * known[name] }.keys
      return if bad.empty?
      return puts("#{kept} is of #{kind}, and this is #{processor}: that is not compared.") if kind != processor

      abort "#{bad.join(', ')}: over #{(CHANGE * 100).round} % away from #{kept}. If it has to be so, " \
            "`rake bench:core REASON='why'` keeps these figures."
    end

    def keep(reason)
      counts = measure
      abort 'As root: a file of keys has to be root\'s.' unless counts.size == CASES.size
      said = File.exist?(kept) ? File.readlines(kept).grep(/\A#/) : ["# Instructions; see rakelib/bench.rake\n"]
      File.write(kept, [*said, "# #{Time.now.strftime('%F')}: #{reason}\n", "processor #{processor}\n",
                        *counts.map { |name, n| format("%-9s %d\n", name, n) }].join)
      puts table(counts)
    end

    private

    def kept
      "test/bench/debian-#{File.read('/etc/os-release')[/^VERSION_ID="?(\d+)/, 1]}"
    end

    def read
      known = File.readlines(kept, chomp: true).grep_v(/\A#/).to_h { |line| line.split(' ', 2) }
      kind = known.delete('processor')
      [known.transform_values { |n| Integer(n) }, kind]
    end

    # libc chooses its functions by what valgrind lets it see of the processor.
    def processor
      flags = File.read('/proc/cpuinfo')[/^(?:flags|Features)\s*: (.*)/, 1].to_s.split
      [RbConfig::CONFIG['host_cpu'], *(%w[sse4_2 avx avx2 bmi2] & flags)].join(' ')
    end

    def measure
      system('make', '-s', '-C', 'test/c', PROGRAM, "BUILD=#{BUILD}", 'CFLAGS=-O2 -g', exception: true)
      cases = Process.euid.zero? ? CASES : CASES - ['key']
      cases.to_h { |name| [name, count(name)] }
    end

    def count(name)
      out = "#{BUILD}/#{name}.callgrind"
      said = "#{BUILD}/#{name}.log"
      env = { 'LD_BIND_NOW' => '1', 'CK_FORK' => 'no', 'CK_RUN_CASE' => name }
      done = system(env, 'valgrind', '--tool=callgrind', '--toggle-collect=measured', "--callgrind-out-file=#{out}",
                    PROGRAM, %i[out err] => said)
      n = done ? ours(File.readlines(out, chomp: true)) : 0
      n.positive? ? n : abort("#{name}: nothing was counted, see #{said}")
    end

    # All instructions but those of calls from one of our objects, libc among them, into one of the others.
    def ours(lines)
      names = {}
      total = 0
      from = into = nil
      lines.each_cons(2) do |line, following|
        case line
        when /\Asummary: / then total += Integer(line.split.last)
        when /\A(?<which>c?ob)=\((?<id>\d+)\)(?: (?<name>.*))?/
          found = Regexp.last_match
          object = names[found[:id]] ||= found[:name]
          found[:which] == 'ob' ? from = object : into = object
        when /\Acalls=/
          total -= Integer(following.split.last) if into&.match?(OTHERS) && !from.match?(OTHERS)
          into = nil
        end
      end
      total
    end

    def table(counts, known = {})
      counts.map do |name, n|
        format('%-9s %12d%s', name, n, known[name] ? format('  %+.1f %%', 100.0 * (n - known[name]) / known[name]) : '')
      end
    end
  end
end

namespace :bench do
  desc "Count the core's instructions (REASON='…': keep them as what they have to be)"
  task :core do
    reason = ENV.fetch('REASON', '').strip
    reason.empty? ? CoreBench.compare : CoreBench.keep(reason)
  end
end
