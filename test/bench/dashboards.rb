# frozen_string_literal: true

# script/bench dashboards: see there.
require 'optparse'
require_relative 'many_dashboards'

options = { counts: [10, 100, 500], seconds: 120, output: File.join(ROOT, 'doc/bench') }
OptionParser.new do |parser|
  parser.on('--dashboards LIST', Array) { |list| options[:counts] = list.map { |n| Integer(n) } }
  parser.on('--seconds N', Integer) { |n| options[:seconds] = n }
  parser.on('--output DIR') { |dir| options[:output] = File.expand_path(dir) }
end.parse!
abort 'script/bench: dashboards needs root.' unless Process.uid.zero?
BenchBed.up do
  FileUtils.mkdir_p(options[:output])
  ManyDashboards.new(options[:seconds]).run(options[:counts]) do |told|
    name = File.join(options[:output], "dashboards-#{told[:slurm][/\d+\.\d+/]}")
    File.write("#{name}.json", "#{JSON.pretty_generate(told)}\n")
    File.write("#{name}.md", "# Many dashboards\n\n#{told[:slurm]}; requests a second, as the daemons count them by " \
                             "user\n\n#{DashboardsTable.of(told)}")
  end
end
