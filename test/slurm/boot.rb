# frozen_string_literal: true

# What of a dashboard's boot the initializer sees; prints what came of it as JSON.
# ruby boot.rb INITIALIZER DATAROOT
require 'json'
require 'logger'
require 'stringio'
require_relative 'promise'

LINES = StringIO.new

module Rails
  def self.logger
    @logger ||= Logger.new(LINES, formatter: ->(level, _, _, line) { "#{level} #{line}\n" })
  end

  def self.application = self
  def self.config = self
  def self.to_prepare = nil
end

module OodAppkit
  Cluster = Struct.new(:id, :job_config) do
    def job_allow?
      true
    end

    def metadata
      Struct.new(:hidden).new(nil)
    end
  end

  def self.clusters
    [Cluster.new(:hpc, { adapter: 'slurm', cluster: 'hpc' })]
  end

  def self.dataroot
    ARGV[1]
  end
end

# Descriptors, children and threads of this process.
def state
  children = Dir.glob('/proc/self/task/*/children').flat_map { |path| File.read(path).split }
  [Dir.children('/proc/self/fd').size, children, Thread.list.size]
end

before = state
seconds = Promise.seconds { load ARGV[0] }
same = state == before
puts JSON.generate(seconds: seconds, same: same, specs: MultiTenant.specs, report: MultiTenant.report,
                   log: LINES.string.lines)
