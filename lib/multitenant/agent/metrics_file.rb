# frozen_string_literal: true

require_relative '../host/system_file'
require_relative '../metrics'

module MultiTenant
  # Keeps {Metrics} in a file for node_exporter's textfile collector.
  class MetricsFile
    # @raise [Failure] where the old one stays
    def self.write(path, text)
      SystemFile.write(path, text, mode: 0o644)
    rescue SystemCallError => e
      raise Failure.new(EX_IOERR, "#{path} could not be written: #{e.message.split(' @ ').first}.")
    end

    # @param metrics [Metrics]
    # @param path [String]
    def initialize(metrics, path)
      @metrics = metrics
      @path = path
    end

    # @param answer [Answer] of a round
    # @return [nil]
    # @raise [Failure]
    def call(answer)
      @metrics.note(answer)
      MetricsFile.write(@path, @metrics.to_s)
      nil
    end
  end
end
