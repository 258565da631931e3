# frozen_string_literal: true

require_relative '../errors'

module MultiTenant
  # Why an installation stops: one sentence that names the mend, and the exit code.
  class InstallFailure < Failure
    # sysexits; the core's constants are not there where the core can't be loaded.
    OK = 0
    USAGE = 64
    CANTCREAT = 73
    NOPERM = 77
    CONFIG = 78
  end
end
