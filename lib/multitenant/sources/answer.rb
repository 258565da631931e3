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
  # cluster [String, nil] Slurm's name of the cluster that was asked; nil: not known, or several
  Answer = Struct.new(:records, :from, :seconds, :error, :code, :cluster, keyword_init: true) do
    # @param texts [Array<String>] instead of records: they are read here, once
    # @param parts [Array<Answer>, nil] of a source that asks several: what each of them gave
    # @param surplus [Boolean] the error is that jobs were left out, and of each user as many are told as count
    def initialize(texts: [], records: texts.map { |text| Records.new(text) }, parts: nil, surplus: false, **rest)
      super(records: records, **rest)
      @parts = parts
      @surplus = surplus
    end

    # @return [Array<Answer>]
    def parts
      @parts || [self]
    end

    # @return [Boolean]
    def surplus?
      @surplus
    end

    # @return [Array<String>]
    def texts
      records.map(&:text)
    end

    # @return [Boolean] each source that was asked told of all jobs that count
    def told?
      parts.all? { |part| part.error.nil? || part.surplus? }
    end
  end
end
