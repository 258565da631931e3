# frozen_string_literal: true

module MultiTenant
  # What a source of records gave.
  #
  # texts   [Array<String>] record streams
  # from    [String] where they come from, for a person
  # seconds [Float] how long it took
  # error   [String, nil] one sentence when there is no whole answer
  # code    [Integer] sysexits code that says the same to a program
  Answer = Struct.new(:texts, :from, :seconds, :error, :code, keyword_init: true)

  # sysexits.h
  EX_OK = 0
  EX_USAGE = 64
  EX_DATAERR = 65
  EX_UNAVAILABLE = 69
  EX_SOFTWARE = 70
  EX_CANTCREAT = 73
  EX_IOERR = 74
  EX_TEMPFAIL = 75
  EX_CONFIG = 78
end
