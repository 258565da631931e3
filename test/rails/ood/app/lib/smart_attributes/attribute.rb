# frozen_string_literal: true

module SmartAttributes
  # A field of a form.
  class Attribute
    attr_reader :id, :opts

    def initialize(id, opts = {})
      @id = id.to_s.downcase
      @opts = opts.to_h.symbolize_keys
    end

    def fixed?
      opts[:fixed] ? true : false
    end

    def value
      opts[:value].to_s
    end

    def value=(other)
      @opts[:value] = other
    end

    def required # rubocop:disable Naming/PredicateMethod -- OOD's name
      opts[:required] ? true : false
    end

    def help(fmt: nil) # rubocop:disable Lint/UnusedMethodArgument -- OOD's interface
      opts[:help].to_s
    end

    # What Rails' form helpers get.
    def field_options(fmt: nil)
      opts.except(:widget, :fixed, :hide_when_empty, :options, :html_options, :cacheable)
          .merge(label: label(fmt: fmt), help: help(fmt: fmt), required: required)
    end

    def ==(other)
      id == other.to_s
    end

    def widget
      (opts[:widget] || 'text_field').to_s
    end

    def label(fmt: nil) # rubocop:disable Lint/UnusedMethodArgument -- OOD's interface
      (opts[:label] || id.titleize).to_s
    end

    # Since 4.1.
    def header
      opts[:header].to_s
    end

    def select_choices(hide_excludable: true) # rubocop:disable Lint/UnusedMethodArgument -- OOD's interface
      opts.fetch(:options, []).to_a.map { |choice| choice.is_a?(Array) ? choice : [choice.to_s, choice.to_s] }
    end

    def validate!
      raise "the choices of #{id} are incomplete" if widget == 'select' && select_choices.any?(&:nil?)

      self
    end
  end
end
