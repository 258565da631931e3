# frozen_string_literal: true

require_relative '../errors'

module MultiTenant
  # What a source of records gave.
  #
  # texts   [Array<String>] record streams
  # from    [String] where they come from, for a person
  # seconds [Float] how long it took
  # error   [String, nil] one sentence when there is no whole answer
  # code    [Integer] EX_* that says the same to a program
  Answer = Struct.new(:texts, :from, :seconds, :error, :code, keyword_init: true)
end
