# frozen_string_literal: true

module MultiTenant
  # What the user can mend: a sentence and an exit code.
  class Failure < StandardError
    # @return [Integer]
    attr_reader :code

    def initialize(code, sentence)
      super(sentence)
      @code = code
    end
  end
end
