# frozen_string_literal: true

module BatchConnect
  # What a form asks for, and the answers.
  class SessionContext
    include Enumerable
    include ActiveModel::Model

    def initialize(attributes)
      @attributes = attributes
    end

    def each(&block)
      @attributes.each(&block)
    end

    def [](id)
      @attributes.find { |attribute| attribute == id }
    end

    def attributes=(answers)
      answers.each { |id, value| self[id].value = value if self[id] }
    end

    def to_h
      @attributes.to_h { |attribute| [attribute.id.to_sym, attribute.value] }
    end

    def method_missing(name, *arguments)
      self[name] ? self[name].value : super
    end

    def respond_to_missing?(name, include_private = false)
      !self[name].nil? || super
    end
  end
end
