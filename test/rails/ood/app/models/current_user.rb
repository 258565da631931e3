# frozen_string_literal: true

# Whose dashboard it is.
class CurrentUser
  class << self
    # The primary one first. OOD takes their names from the process.
    def group_names
      ENV.fetch('USERS_GROUPS', '').split(',')
    end

    def primary_group_name
      group_names.first
    end
  end
end
