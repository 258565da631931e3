# frozen_string_literal: true

require_relative '../sources/records_file'

module MultiTenant
  # Instead of {Credentials}: what munged said is in a file.
  class OpenedFile
    # @param path [String]
    # @raise [Failure]
    def initialize(path)
      @text = RecordsFile.read(path)
    end

    # @return [String]
    def call(_payloads, _seconds)
      @text
    end

    # @return [void]
    def pause(_payloads); end

    # @return [nil]
    def error; end
  end
end
