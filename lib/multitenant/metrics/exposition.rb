# frozen_string_literal: true

module MultiTenant
  class Metrics
    # Prometheus' text format: families of metrics, each with HELP, TYPE and its samples.
    class Exposition
      LABEL = { '\\' => '\\\\', '"' => '\\"', "\n" => '\\n' }.freeze
      HELP = LABEL.slice('\\', "\n").freeze

      def initialize
        @lines = []
      end

      # @param name [String]
      # @param type [String] gauge or counter
      # @param help [String]
      # @param samples [Array<Array(Hash, Numeric)>] labels and value; without one the family is left out
      # @return [void]
      def family(name, type, help, samples)
        return if samples.empty?

        @lines << "# HELP #{name} #{help.gsub(/[\\\n]/, HELP)}" << "# TYPE #{name} #{type}"
        samples.each { |labels, value| @lines << "#{name}{#{list(labels)}} #{number(value)}" }
      end

      # @return [String]
      def to_s
        @lines.map { |line| "#{line}\n" }.join
      end

      private

      # Sorted by nobody: as they were given.
      def list(labels)
        labels.map { |name, value| "#{name}=\"#{text(value)}\"" }.join(',')
      end

      def text(value)
        value.to_s.dup.force_encoding(Encoding::UTF_8).scrub("\u{fffd}").gsub(/[\\"\n]/, LABEL)
      end

      def number(value)
        value == Float::INFINITY ? '+Inf' : value.to_s
      end
    end
  end
end
