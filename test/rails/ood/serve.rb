# frozen_string_literal: true

# Starts the dashboard as `ruby serve.rb 3 4` and answers what is asked on descriptor 3, on descriptor 4:
# a line of JSON each. {"get": PATH, "headers": {…}} is a request, {"ruby": TEXT} is evaluated.
$stdout.sync = true
questions, answers = ARGV.map { |number| IO.for_fd(Integer(number)) }
answers.sync = true
[questions, answers].each { |io| io.close_on_exec = true }
clock = -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) }

start = clock.call
require_relative 'config/environment'
require 'action_dispatch/testing/integration'
ApplicationController.allow_forgery_protection = false
browser = ActionDispatch::Integration::Session.new(Rails.application)
answers.puts JSON.generate(seconds: clock.call - start)

while (line = questions.gets)
  question = JSON.parse(line)
  start = clock.call
  answer =
    if question['ruby']
      { value: eval(question['ruby'], TOPLEVEL_BINDING) } # rubocop:disable Security/Eval -- the test's own
    else
      status = browser.process(question['method'], question['path'], headers: question['headers'])
      { status: status, body: browser.response.body, flash: browser.request.flash.to_h }
    end
  answers.puts JSON.generate(answer.merge(seconds: clock.call - start), max_nesting: false)
end
