# frozen_string_literal: true

require_relative 'bed'

# The bed's slurmrestd, and tokens for it.
module RestBed
  UNIX, HTTP, TOKEN = %w[REST REST_HTTP REST_TOKEN].map do |name|
    ENV.fetch("MULTITENANT_TESTBED_#{name}") { abort 'The Slurm tests need slurmrestd: script/testbed up --rest.' }
  end
  OPERATOR = 'backup'

  # What names it below `custom: multitenant:`, for a user with a token of an operator's.
  def rest(user, url: UNIX)
    { slurmrestd: url, token: token_file(user, File.read(TOKEN)) }
  end

  # @return [String] the file
  def token_file(user, token, mode: 0o600)
    path = File.join(Bed::OURS, "#{user}.token")
    File.write(path, token)
    File.chown(Bed.uid(user), nil, path)
    File.chmod(mode, path)
    path
  end

  def token_of(user, seconds: 600)
    `scontrol token username=#{user} lifespan=#{seconds}`[/=(.*)/, 1]
  end
end
