# frozen_string_literal: true

require_relative 'binding_input'
require 'ruby_memcheck'

# The binding under valgrind, by the gem ruby_memcheck, which tells what the extension does from what Ruby itself leaves
# behind. script/test valgrind runs it.
class TestMemcheck < MultiTenantTest
  include BindingWork

  # Programs that it runs are not looked at; of one that can't be started valgrind makes another error.
  OPTIONS = %w[--num-callers=50 --error-limit=no --undef-value-errors=no --leak-check=full --show-leak-kinds=definite
               --child-silent-after-fork=yes].freeze

  # @return [Array<String>]
  def found
    input = File.join(temporary, 'input')
    File.binwrite(input, work_input)
    checks = RubyMemcheck::Configuration.new(binary_name: 'multitenant', valgrind_options: OPTIONS, temp_dir: temporary,
                                             output_io: StringIO.new)
    argv = ['--disable=gems', '-I', File.join(Tree::ROOT, 'lib'), '-r', BindingWork::PATH, '-e', 'work']
    runner = RubyMemcheck::RubyRunner.new(checks)
    assert_equal 0, runner.run(*argv, in: input)
    []
  rescue RuntimeError => e # as it does where there is anything
    runner.reporter.errors ? runner.reporter.errors.reject { |error| of_ruby?(error) }.map(&:to_s) : [e.message]
  end

  # At its end Ruby gives its objects' places back and not what they had; it took that itself.
  def of_ruby?(error)
    error.kind.start_with?('Leak_') &&
      error.stack.frames.take_while { |frame| !frame.in_binary? }.any? { |frame| frame.obj&.include?('/libruby') }
  end

  def test_nothing_leaks_and_nothing_is_read_that_was_freed
    assert_empty found
  end
end
