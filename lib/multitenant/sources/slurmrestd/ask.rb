# frozen_string_literal: true

# The program that asks a slurmrestd: {MultiTenant::Slurmrestd} runs it in a Ruby of its own, without gems, with its
# terms as JSON on standard input. It prints what it learned as JSON, or says on standard error what is wrong. What an
# answer may hold, and how long it may take to come, is this process's trouble alone.
begin
  require 'json'
rescue LoadError
  require 'rubygems' # a distribution may keep it as a gem
  require 'json'
end
require_relative '../../host/clock'
require_relative 'token'
require_relative 'questions'

def fail_with(code, sentence)
  $stderr.write("multitenant-rest: #{sentence.b.gsub(/[^ -~]/n, '?')}\n")
  exit!(code)
end

begin
  terms = JSON.parse($stdin.read)
  Thread.new do
    sleep [terms['deadline'] - MultiTenant.clock, 0].max
    fail_with(MultiTenant::EX_TEMPFAIL, "#{terms['url']} did not answer within #{terms['seconds']} s.")
  end
  token = MultiTenant::Slurmrestd::Token.read(terms['token'])
  raise token.expiry if token.expired?

  connection = MultiTenant::Slurmrestd::Connection.new(terms['url'], token)
  answers = MultiTenant::Slurmrestd::Answers.new(connection, token)
  terms['user'] = token.user
  $stdout.write(JSON.generate(MultiTenant::Slurmrestd::Questions.new(answers, terms).call))
  $stdout.flush
rescue MultiTenant::Failure => e
  fail_with(e.code, e.message)
rescue SystemCallError, SocketError => e
  fail_with(MultiTenant::EX_UNAVAILABLE, "Nothing answers at #{terms['url']} (#{e.message}): does slurmrestd run?")
rescue StandardError => e
  fail_with(MultiTenant::EX_SOFTWARE, "Its answer can't be read: #{e.class}: #{e.message}.")
end
exit!(0)
