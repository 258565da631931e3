# frozen_string_literal: true

# Which lines and branches of what test/c doesn't link (the binding, and the programs themselves) tests of Ruby go
# through: in a copy of this tree that clang has built.
module Coverage
  TREE = File.expand_path('../build/covered-tree', __dir__)
  COUNTS = "#{TREE}/counts".freeze
  # Counters are in mapped files, as processes of tests may be killed; the place is told to the compiler, as they may
  # have another environment.
  FLAGS = "-fprofile-instr-generate=#{COUNTS}/%c%m.profraw -fcoverage-mapping -mllvm -runtime-counter-relocation " \
          '-Wno-unused-command-line-argument -Wno-unknown-warning-option'.freeze
  BINDING = 'ext/multitenant/{rb_*,multitenant,binding}.[ch]'
  # Those that have the binding do all that it does.
  TESTS = %w[gc records query specs services addresses vectors keys seal dismissal].map do |name|
    "test/ruby/test_#{name}.rb"
  end.freeze
  ROW = /^(?<file>\S+)\s.*?(?<lines>[\d.]+)%\s+(?<all>\d+)\s+(?<missed>\d+)\s+(?<branches>[\d.]+)%$/

  class << self
    def build
      FileUtils.rm_rf(TREE)
      FileUtils.mkdir_p(COUNTS)
      FileUtils.cp_r(Dir.children('.') - %w[.git build tmp], TREE)
      FileUtils.rm_f(built)
      File.write("#{TREE}/cc", "#!/bin/sh\nexec clang #{FLAGS} \"$@\"\n", perm: 0o755)
      run({ 'MAKEFLAGS' => "-- CC=#{TREE}/cc" }, 'rake', 'compile')
    end

    # Files of counts are there, and everybody's, before processes of other users begin.
    # @return [Boolean] the tests passed
    def passed?(tests)
      File.chmod(0o777, COUNTS)
      built.grep_v(/\.so\z/).each { |program| run({}, program, '--version') }
      run({}, 'ruby', '-Ilib', '-e', 'require "multitenant"')
      File.chmod(0o666, *Dir["#{COUNTS}/*"])
      passed = tests.group_by { |file| File.dirname(file) }.map do |dir, files|
        argv = ['ruby', '-Ilib', "-I#{dir}", '-e', 'ARGV.each { |file| require File.expand_path(file) }', *files]
        system(*argv, chdir: TREE)
      end
      run({}, 'sh', '-c', 'llvm-profdata merge -o all counts/*')
      passed.all?
    end

    # @return [Array(Float, Float)] of all of them, percent
    def tell(object, pattern)
      files = Dir.glob(pattern, base: TREE)
      out, status = Open3.capture2('llvm-cov', 'report', object, '-instr-profile', 'all', *files, chdir: TREE)
      rows = out.lines.filter_map { |line| ROW.match(line) }
      abort "#{object}: llvm-cov tells nothing" unless status.success? && rows.any?
      rows.each { |row| puts format('%-24s lines %6s  branches %6s', *row.values_at(:file, :lines, :branches)) }
      rows.last.values_at(:lines, :branches).map { |text| Float(text) }
    end

    private

    def built
      Dir["#{TREE}/lib/multitenant/multitenant{.so,-*}"]
    end

    def run(env, *argv)
      system(env, *argv, chdir: TREE) || abort("#{argv.join(' ')} failed")
    end
  end
end

desc 'Lines and branches of the binding that tests of Ruby run (TESTS=…: these, and those of the query program, too)'
task :coverage do
  require 'open3'
  tests = Dir[*ENV.fetch('TESTS', '').split]
  Coverage.build
  passed = Coverage.passed?(tests.empty? ? Coverage::TESTS : tests)
  lines, branches = Coverage.tell('lib/multitenant/multitenant.so', Coverage::BINDING)
  Coverage.tell('lib/multitenant/multitenant-query', 'ext/multitenant_query/*.[ch]') if tests.any?
  abort 'Not all of these tests passed.' unless passed
  abort 'That has to be 95 % of the lines and 85 % of the branches.' if tests.empty? && (lines < 95 || branches < 85)
end
