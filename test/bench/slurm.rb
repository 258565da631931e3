# frozen_string_literal: true

# script/bench slurm: see there.
require 'optparse'
require_relative 'bench_bed'
require_relative 'matrix'
require_relative 'report'

options = { shares: [1, 20, 200], others: [0, 2000, 20_000], finished: [0, 100_000], pending: 5000, runs: 20,
            seconds: 20.0, output: File.join(ROOT, 'doc/bench') }
OptionParser.new do |parser|
  %i[shares others finished].each do |name|
    parser.on("--#{name} LIST", Array) { |list| options[name] = list.map { |n| Integer(n) } }
  end
  %i[pending runs].each { |name| parser.on("--#{name} N", Integer) { |n| options[name] = n } }
  parser.on('--seconds N', Float) { |n| options[:seconds] = n }
  parser.on('--output DIR') { |dir| options[:output] = File.expand_path(dir) }
  parser.on('--keep') { options[:keep] = true }
end.parse!

abort 'script/bench: slurm needs root.' unless Process.uid.zero?
BenchBed.up(keep: options[:keep]) do
  told = Matrix.new(**options.slice(:shares, :others, :finished, :pending, :runs, :seconds)).run
  FileUtils.mkdir_p(options[:output])
  path = File.join(options[:output], "slurm-#{told['slurm'][/\d+\.\d+/]}.json")
  # To the microsecond, and a cell a line.
  File.write(path, JSON.generate(told).gsub(/(\.\d{3})\d+/, '\1').gsub('{"shares"', "\n\\0"))
  Report.write(path)
end
