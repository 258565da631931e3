# frozen_string_literal: true

module MultiTenant
  # Exit codes, as sysexits.h names them. What a source gave and what was refused have one, too.
  EX_OK = 0
  EX_USAGE = 64
  EX_DATAERR = 65
  EX_UNAVAILABLE = 69
  EX_SOFTWARE = 70
  EX_CANTCREAT = 73
  EX_IOERR = 74
  EX_TEMPFAIL = 75
  EX_NOPERM = 77
  EX_CONFIG = 78

  # Everything that this gem raises of its own. The core raises it bare.
  class Error < StandardError; end

  # Something that a person can fix. Its message is what is wrong, and then the fix.
  class Failure < Error
    # @return [String] what is wrong, in a sentence
    attr_reader :sentence
    # @return [String, nil] what helps, in another sentence
    attr_reader :fix
    # @return [Integer] EX_*
    attr_reader :code

    # @param command [String] that was called with an option or argument that it does not take
    # @return [Failure]
    def self.usage(command, sentence)
      new(EX_USAGE, "#{sentence.delete_suffix('.')}; see `#{command} --help`.")
    end

    def initialize(code, sentence, fix: nil)
      super([sentence, fix].compact.join(' '))
      @code = code
      @sentence = sentence
      @fix = fix
    end
  end
end
