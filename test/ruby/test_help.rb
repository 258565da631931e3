# frozen_string_literal: true

require_relative 'helper'

# The command lines of the C programs, which they have from one kit (test/c/check_program.c).
class TestHelp < MultiTenantTest
  OPTIONS = { 'names' => %w[publishers others viewer], 'munge' => %w[for ttl socket],
              'query' => %w[wckey cluster publishers known],
              'seal' => %w[group label cluster job restarts keys] }.freeze

  OPTIONS.each do |short, options|
    name = "multitenant-#{short}"
    path = File.expand_path("../../lib/multitenant/#{name}", __dir__)

    define_method(:"test_help_of_#{short}") do
      skip_unless(File.executable?(path), "#{name} is not built")
      out, err, status = Open3.capture3(path, '--help')
      assert_equal ['', 0], [err, status.exitstatus]
      assert_match(/\Ausage: #{name} /, out)
      [*options, 'timeout', 'help', 'version'].each { |option| assert_match(/^ .*--#{option}\b/, out) }
      assert_operator out.lines.map { |line| line.chomp.size }.max, :<=, 100
    end

    define_method(:"test_wrong_usage_of_#{short}") do
      skip_unless(File.executable?(path), "#{name} is not built")
      ['--odd', 'surplus'].each do |argument|
        out, err, status = Open3.capture3(path, argument)
        assert_equal ['', "#{name}: \"#{argument}\" is not an option; see #{name} --help\n", 64],
                     [out, err, status.exitstatus]
      end
      assert_equal "#{name}: --timeout needs a value; see #{name} --help\n", Open3.capture3(path, '--timeout')[1]
    end
  end
end
