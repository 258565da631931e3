# frozen_string_literal: true

require_relative '../errors'
require_relative 'stream'

module MultiTenant
  # What a source of records gave.
  #
  # records [Array<Records>]
  # from    [String] where they come from, for a person
  # seconds [Float] how long it took
  # error   [String, nil] one sentence when there is no whole answer
  # code    [Integer] EX_* that says the same to a program
  Answer = Struct.new(:records, :from, :seconds, :error, :code, keyword_init: true) do
    # @param texts [Array<String>] instead of records: they are read here, once
    def initialize(texts: [], records: texts.map { |text| Records.new(text) }, **rest)
      super(records: records, **rest)
    end

    # @return [Array<String>]
    def texts
      records.map(&:text)
    end
  end
end
