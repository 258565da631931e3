# frozen_string_literal: true

require_relative '../card'

module MultiTenant
  # What services are called where people choose one of several.
  module ServiceNames
    MODEL_OR_DATABASE = %w[model ollama_model database].freeze
    TIME = '%a %-d %b %H:%M'

    # What tells two apart that are called alike, what people know best first.
    DETAILS = [
      ->(_, spec) { spec['connection'].values_at(*MODEL_OR_DATABASE).compact.find { |name| readable?(name) } },
      ->(_, spec) { "for #{spec['info']['group']}" },
      ->(_, spec) { time('since', spec['info']['start']) },
      ->(_, spec) { time('until', spec['info']['end']) },
      ->(key, _) { "job #{key}" }
    ].freeze

    class << self
      # @param specs [Hash] some of {MultiTenant.specs}
      # @return [Hash{String => String}] the same keys; publisher and title, and no more than tells them apart
      def of(specs)
        details = specs.transform_values { [] }
        DETAILS.each { |detail| tell_apart(specs, details, detail) }
        specs.to_h { |key, spec| [key, [name(spec), *("(#{details[key].join(', ')})" if details[key].any?)].join(' ')] }
      end

      # @param spec [Hash] of one
      # @return [String] publisher and title
      def name(spec)
        spec['info'].values_at('user', 'title').join(': ')
      end

      private

      def tell_apart(specs, details, detail)
        specs.group_by { |key, spec| [name(spec), details[key]] }.each_value do |alike|
          told = alike.to_h { |key, spec| [key, instance_exec(key, spec, &detail)] }
          told.compact.each { |key, text| details[key] += [text] } if told.values.uniq.size > 1
        end
      end

      # A form shows text alone, whose direction nothing bounds.
      def readable?(name)
        name.size <= Card::NAME && name.match?(Card::Snippets::VISIBLE)
      end

      def time(word, epoch)
        "#{word} #{Time.at(epoch.to_i).strftime(TIME)}" if epoch.to_i.positive?
      end
    end
  end
end
