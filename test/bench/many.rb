# frozen_string_literal: true

# Stands for many dashboards whose session pages are open, as one user: each is polled every ten seconds, and does then
# what asks Slurm. `ask`: what MultiTenant asks, each dashboard with sources and a time to live of its own. `status`:
# what Open OnDemand asks of a card where its status is not from the records.
#   many.rb ask|status COUNT WARM_UP SECONDS [JOB]
require 'json'
require 'multitenant'
require 'open3'

POLL = 10.0
WORKERS = 16
what, count, warm_up, seconds, job = ARGV
count, warm_up, seconds = [count, warm_up, seconds].map { |n| Integer(n) }

def clock
  Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

done = { polls: 0, late: 0.0, errors: [] }
host = MultiTenant::Host.new
gids = host.settings.method(:gids)
squeue = %w[squeue --all --states=all --noconvert --noheader -o] + ['%A %t %u %j %S %e %N', '-j', job.to_s, '-M', 'hpc']
steps = Array.new(count) do
  next -> { Open3.capture2e(*squeue).then { |out, status| out unless status.success? && out.include?(job) } } if
    what == 'status'

  sources = host.sources(gids: gids)
  lambda do
    next unless sources.due?

    answer = sources.call(10)
    answer.error || ('no share' if answer.records.sum { |one| one.of('hpc').size }.zero?)
  end
end

work = Queue.new
mutex = Mutex.new
begins = clock + warm_up
workers = Array.new(WORKERS) do
  Thread.new do
    while (step, at = work.pop)
      late = clock - at
      error = step.call
      mutex.synchronize do
        next if at < begins

        done[:polls] += 1
        done[:late] = [done[:late], late].max
        done[:errors] |= [error] if error
      end
    end
  end
end
# Pages are opened one after the other in the time that answers live, and polled from then on.
polls = steps.flat_map do |step|
  first = clock + rand(0.0..[warm_up - POLL, POLL].max)
  (0..).lazy.map { |i| first + (i * POLL) }.take_while { |at| at < begins + seconds }.map { |at| [at, step] }.to_a
end
$stdout.sync = true
told = false
polls.sort_by(&:first).each do |at, step|
  (told = true) && puts('begins') if !told && at >= begins
  pause = at - clock
  sleep pause if pause.positive?
  work << [step, at]
end
WORKERS.times { work << nil }
workers.each(&:join)
puts JSON.generate(done)
