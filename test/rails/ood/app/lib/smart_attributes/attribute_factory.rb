# frozen_string_literal: true

module SmartAttributes
  # Makes a field of its id: by a method of that name, or a plain one.
  class AttributeFactory
    def self.build_auto_groups(opts = {})
      Attribute.new('auto_groups', { widget: 'select', options: CurrentUser.group_names }.merge(opts))
    end

    def self.build_bc_num_hours(opts = {})
      Attribute.new('bc_num_hours', { label: 'Number of hours' }.merge(opts))
    end

    class << self
      def build(id, opts = {})
        respond_to?("build_#{id}") ? public_send("build_#{id}", opts) : Attribute.new(id, opts)
      end
    end
  end
end
