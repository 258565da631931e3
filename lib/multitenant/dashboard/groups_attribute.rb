# frozen_string_literal: true

require_relative 'tenant_groups'

# The form attribute auto_multitenant_groups: a choice of the groups that the publisher may share with. Those that OOD's
# own auto_groups has, which would charge the chosen one's account.
#
# Loaded once the dashboard's classes can be.
module SmartAttributes
  class AttributeFactory # :nodoc:
    # @param opts [Hash] attribute's options
    # @return [Attributes::AutoMultitenantGroups]
    def self.build_auto_multitenant_groups(opts = {})
      Attributes::AutoMultitenantGroups.new('auto_multitenant_groups', opts)
    end
  end

  module Attributes
    # A select of groups.
    class AutoMultitenantGroups < Attribute
      GROUPS = MultiTenant::TenantGroups.new

      # Asked for where a form is shown, and not where OOD makes a menu of apps.
      def select_choices(**)
        # In 3.1 a choice is a text.
        groups = AttributeFactory.build_auto_groups.select_choices.map { |choice| Array(choice).last }
        GROUPS.choices(groups, CurrentUser.primary_group_name)
      rescue ArgumentError # OOD tells none where one of them has no name
        GROUPS.choices(MultiTenant::TenantGroups.names.grep(/#{Configuration.auto_groups_filter}/), nil)
      end

      def widget
        'select'
      end
    end
  end
end
