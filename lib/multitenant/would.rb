# frozen_string_literal: true

module MultiTenant
  # What a dry run calls an action, so that nobody takes its lines for what was done.
  WOULD = { written: 'would write', removed: 'would remove', moved: 'would move', saved: 'would save' }.freeze
end
