# frozen_string_literal: true

# What a client's job has of a service with a gateway. log_in gives the next of these keys, and is no more than that.
module OwnKeys
  # @return [String] a token, the same for the whole test
  def token(name, left: 3600)
    @now ||= Time.now.to_i
    "mt1.1.#{@now + left}.#{name.ljust(43, '-')}"
  end

  # @param given [Array<String>] what log_in says, one after the other; then that it can't
  # @return [Hash{String => String}] environment
  def log_in(*given, dir: temporary)
    given.each_with_index { |text, i| File.write(File.join(dir, "key#{i}"), "#{text}\n") }
    { 'BASH_FUNC_log_in%%' => "() { echo \"$MT_GATES\" >>#{dir}/gates; set -- #{dir}/key*; if [[ -e $1 ]]; then " \
                              "cat \"$1\" && rm \"$1\"; else echo 'Banned.' >&2; return 1; fi; }" }
  end

  # @return [Array<String>] where it logged in
  def logged_in(dir: temporary)
    path = File.join(dir, 'gates')
    File.exist?(path) ? File.readlines(path, chomp: true) : []
  end
end
