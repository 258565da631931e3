# frozen_string_literal: true

module BatchConnect
  # What a form asks for.
  class SessionContext
    include Enumerable

    def initialize(attributes)
      @attributes = attributes
    end

    def each(&block)
      @attributes.each(&block)
    end
  end
end
