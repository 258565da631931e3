# frozen_string_literal: true

require 'fileutils'

# squeue and scancel of a test's: they write down how they were called, and both do what they say.
class Scheduler
  # @return [String] directory of the commands: `bin` in OOD's configuration of a cluster
  attr_reader :bin

  def initialize(bin)
    @bin = bin
    FileUtils.mkdir_p(bin)
    File.write(log, '')
    File.chmod(0o666, log)
    command('squeue', <<~'SH')
      printf '\036HEADER\n'
      [ -e "$dir/job-$job" ] || exit 0
      while [ "$1" != -o ]; do shift; done
      printf '%s\n' "$2" | sed "s/%A/$job/; s/%t/$(grep . "$dir/job-$job" || echo R)/; s/%M/1:00/; s/%l/2:00:00/; s/%[SVe]/2026-01-01T00:00:00/g; s/%[A-Za-z]/x/g"
    SH
    command('scancel', 'rm -f "$dir/job-$job"')
    File.chmod(0o777, bin)
  end

  # @param state [String] in short: PD waits
  def run(job_id, state = 'R')
    File.write(job(job_id), state)
  end

  def finish(job_id)
    File.unlink(job(job_id))
  end

  def runs?(job_id)
    File.exist?(job(job_id))
  end

  # @param body [String] what sbatch does, in the language of the shell
  def on_submit(body)
    command('sbatch', body)
  end

  # @return [Array<String>] command and job of each call since the last time
  def calls
    File.readlines(log, chomp: true).tap { File.truncate(log, 0) }
  end

  private

  def log
    File.join(@bin, 'log')
  end

  def job(job_id)
    File.join(@bin, "job-#{job_id}")
  end

  def command(name, body)
    File.write(File.join(@bin, name), <<~SH, perm: 0o755)
      #!/bin/sh
      dir=#{@bin}
      job=$(printf '%s\\n' "$@" | grep -x '[0-9][0-9]*')
      echo "#{name} $job" >> "$dir/log"
      #{body}
    SH
  end
end
