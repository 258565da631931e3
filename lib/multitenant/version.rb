# frozen_string_literal: true

module MultiTenant
  VERSION = '0.2.0'
end
