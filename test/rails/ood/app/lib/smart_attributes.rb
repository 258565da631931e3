# frozen_string_literal: true

require 'smart_attributes/attribute'
require 'smart_attributes/attribute_factory'

# What a form's fields are made of.
module SmartAttributes
end
