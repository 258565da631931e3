# frozen_string_literal: true

require_relative '../card'

module MultiTenant
  # What services are called where people choose one of several.
  module ServiceNames
    MODEL_OR_DATABASE = %w[model ollama_model database].freeze
    TIME = '%a %-d %b %H:%M'

    # What tells two apart that are called alike, what people know best first; of the service and its chosen member.
    DETAILS = [
      ->(_, one, _) { one['connection'].values_at(*MODEL_OR_DATABASE).compact.find { |name| readable?(name) } },
      ->(_, service, _) { "for #{service['group']}" },
      ->(_, _, spec) { time('since', spec['info']['start']) },
      ->(_, service, _) { time('until', service['end']) },
      ->(key, _, _) { key.include?('/') ? key : "job #{key}" }
    ].freeze

    class << self
      # @param services [Hash] some of {MultiTenant.services}
      # @param specs [Hash] {MultiTenant.specs}
      # @return [Hash{String => String}] the same keys; publisher and title, and no more than tells them apart
      def of(services, specs)
        services = services.select { |_, service| specs.key?(service['member']) }
        details = services.transform_values { [] }
        DETAILS.each { |detail| tell_apart(services, specs, details, detail) }
        services.to_h do |key, one|
          [key, [name(one), *("(#{details[key].join(', ')})" if details[key].any?)].join(' ')]
        end
      end

      # @param service [Hash] one
      # @return [String] publisher and title
      def name(service)
        service.values_at('user', 'title').join(': ')
      end

      private

      def tell_apart(services, specs, details, detail)
        services.group_by { |key, service| [name(service), details[key]] }.each_value do |alike|
          told = alike.to_h { |key, one| [key, instance_exec(key, one, specs[one['member']], &detail)] }
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
