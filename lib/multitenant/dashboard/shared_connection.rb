# frozen_string_literal: true

require 'ostruct'

module MultiTenant
  module Dashboard
    # To a view it is what OOD's OpenStruct of a connection is. But that makes a method of each key, and Ruby keeps the
    # names of methods for good: a publisher who shares under other names all the time would make each viewer's process
    # larger without end. Here a name is looked up when it is asked for.
    class Connection < OpenStruct # rubocop:disable Style/OpenStructUse -- views take it for one
      # @param shared [Hash{String => String}]
      def initialize(shared)
        super()
        known, others = shared.partition { |key, _| respond_to?(key, true) }
        @table.update(others.to_h.transform_keys(&:to_sym))
        # The methods that each object has are always the same.
        known.each { |key, value| self[key] = value }
      end

      def respond_to_missing?(name, *)
        @table.key?(name) || super
      end
    end

    # For BatchConnect::Session.
    module SharedConnection
      def connect(*, **)
        SharedSession.cards.own?(self) ? Connection.new(YAML.safe_load(connect_file.read) || {}) : super
      end
    end
  end
end
