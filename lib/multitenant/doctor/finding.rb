# frozen_string_literal: true

require_relative '../cli/plain_text'

module MultiTenant
  class Doctor
    # What a check has seen.
    #
    # state [Symbol] :ok, :warn, :fail, :skip
    # what  [String] what was looked at
    # seen  [String] a sentence
    # fix   [String, nil] what helps: a command or a setting
    # code  [Integer] exit code of a :fail
    Finding = Struct.new(:state, :what, :seen, :fix, :code) do
      def failed?
        state == :fail
      end

      # @return [Array<String>]
      def lines
        mark = failed? ? 'FAIL' : state.to_s
        [format('%-5s %s: %s', mark, PlainText.of(what), PlainText.of(seen)), *("      #{PlainText.of(fix)}" if fix)]
      end

      # @return [Hash]
      def to_json_object
        { 'state' => state.to_s, 'what' => PlainText.of(what), 'seen' => PlainText.of(seen),
          'fix' => (PlainText.of(fix) if fix) }
      end
    end
  end
end
