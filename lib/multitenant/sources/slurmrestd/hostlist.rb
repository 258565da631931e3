# frozen_string_literal: true

module MultiTenant
  class Slurmrestd
    # Slurm's short form of node names, as "n[01-03,7],m1". Without Slurm nothing else on a host can tell what it means.
    module Hostlist
      PART = /(?:\[[^\]]*\]|[^,\[])+/
      BRACKET = /\A([^\[]*)\[([^\]]*)\](.*)\z/m

      module_function

      # @param text [String]
      # @param most [Integer]
      # @return [Array<String>] the first of these
      def expand(text, most)
        text.scan(PART).reduce([]) { |all, part| all.size < most ? all + one(part, most - all.size) : all }
      end

      # Of several brackets the last runs fastest.
      def one(part, most)
        before, ranges, after = part.match(BRACKET)&.captures
        return [part] unless before

        ends = one(after, most)
        numbers(ranges, most).flat_map { |number| ends.map { |text| "#{before}#{number}#{text}" } }.first(most)
      end

      def numbers(ranges, most)
        ranges.split(',').flat_map do |range|
          first, last = range.split('-', 2)
          next [range] unless last

          (first.to_i..last.to_i).first(most).map { |number| number.to_s.rjust(first.size, '0') }
        end.first(most)
      end
    end
  end
end
