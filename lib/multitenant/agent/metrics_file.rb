# frozen_string_literal: true

require_relative '../host/system_file'
require_relative '../metrics'

module MultiTenant
  # Keeps {Metrics} in a file for node_exporter's textfile collector.
  class MetricsFile
    # @param metrics [Metrics]
    # @param path [String]
    def initialize(metrics, path)
      @metrics = metrics
      @path = path
    end

    # @param answer [Answer] of a round
    # @return [nil]
    # @raise [Failure] where the old one stays
    def call(answer)
      @metrics.note(answer)
      SystemFile.write(@path, @metrics.to_s, mode: 0o644)
      nil
    rescue SystemCallError => e
      raise Failure.new(EX_CANTCREAT, "#{@path} could not be written: #{e.message.split(' @ ').first}.")
    end
  end
end
