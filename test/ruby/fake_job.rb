# frozen_string_literal: true

require_relative 'helper'

# libexec/multitenant-share with a scontrol of the test's, which keeps one job's name and how it was called.
module FakeJob
  include Processes
  include Places
  include Sealing

  SHARE = File.join(Tree::ROOT, 'libexec/multitenant-share')
  ID = '0189abcd-0000-4000-8000-0123456789ab'
  PLAIN = (%w[--group hpcGrp --app Service --method card --delivery sys/multitenant-delivery_default --session] <<
           ID).freeze
  COMMON = [*PLAIN, '--to', '2001,2002'].freeze
  # A job of this process: who shares it ends what watches an earlier name of the same job.
  CLUSTER = "test#{Process.pid}".freeze

  SCONTROL = <<~'BASH'
    here=${0%/*}
    if [[ $1 == show ]]; then
      [[ ! -e $here/down ]] || exit 1
      printf 'JobId=%s JobName=%s\n   UserId=prof(1001)\n' "$(cat "$here/raw-$3")" "$(cat "$here/name")"
    else
      printf '%s\0' "$2 $3" >>"$here/updates"
      [[ ! -e $here/down ]] || { echo 'slurm_update error: Unable to contact slurm controller' >&2 && exit 1; }
      printf %s "${3#JobName=}" >"$here/name.new"
      mv "$here/name.new" "$here/name"
    fi
  BASH

  # The job runs, under this name; for scontrol it has these ids. `pause` is how long `sleep 30` takes.
  def a_job(name: 'plain', ids: { '4711' => 4711 }, pause: 20)
    fake('scontrol', SCONTROL)
    fake('sleep', "case $1 in 30) exec /bin/sleep #{pause} ;; *) exec /bin/sleep 0.01 ;; esac")
    rename(name)
    ids.each { |target, raw| File.write(in_job("raw-#{target}"), raw.to_s) }
  end

  def in_job(name)
    File.join(temporary, name)
  end

  # At once: who watches the name may look at any time.
  def rename(name)
    File.write(in_job('name.new'), name)
    File.rename(in_job('name.new'), in_job('name'))
  end

  def fake(name, body)
    File.write(in_job(name), "#!/bin/bash\n#{body}\n", perm: 0o755)
  end

  def job_name
    File.binread(in_job('name')).force_encoding('UTF-8')
  end

  def updates
    File.exist?(in_job('updates')) ? File.read(in_job('updates')).split("\0") : []
  end

  def share(*argv, env: {}, command: [SHARE], **options)
    env = { 'PATH' => "#{temporary}:#{ENV.fetch('PATH')}", 'SLURM_JOB_ID' => '4711', 'SLURM_CLUSTER_NAME' => CLUSTER,
            'LC_ALL' => nil }.merge(env).compact
    run_as(nil, *command, *argv, env: env, **options)
  end

  def share!(*argv, **options)
    share(*argv, **options).tap { |done| assert_equal [0, ''], [done.code, done.err] }
  end

  # Refused before anything is shared, in one sentence.
  def refute_shared(code, sentence, *argv, **options)
    done = share(*argv, **options)
    assert_equal code, done.code, "#{argv.last}: #{done.err}"
    assert_match sentence, done.err
    assert_equal 1, done.err.lines.size, done.err
    assert_empty done.out
    refute_includes job_name, '|'
  end

  # What old readers do.
  OLD = 'set -o pipefail; base64 -d | openssl enc -d -aes-256-cbc -K "$1" -iv "$2" | gunzip | tr "\'" "\""'

  def old_reader(name, job_id, user)
    hex = ["#{job_id}#{user}".ljust(64, '0'), "#{job_id}#{job_id}"].map { |text| text.unpack1('H*') }
    key = "#{job_id}#{user}".unpack1('H*').ljust(64, '0')[0, 64]
    out, status = Open3.capture2('bash', '-c', OLD, 'old', key, hex[1].ljust(32, '0')[0, 32],
                                 stdin_data: name.split('|')[2])
    assert_predicate status, :success?
    out.strip.split('|').map { |part| JSON.parse(part) }
  end

  # Our core, the description in the helper and old readers open it to the same.
  def assert_opens(connection, job_id: 4711, user: 'root', to: '2001,2002')
    accounting = { 'mtu' => to, 'mti' => ID, 'mta' => 'Service', 'mtm' => 'card',
                   'mtd' => 'sys/multitenant-delivery_default' }
    assert_equal ['ok', accounting, connection, {}], MultiTenant::Native.open(job_id, user, job_name)
    assert_equal v1_text(accounting, connection), unseal(job_name, job_id: job_id, user: user)
    assert_equal [accounting, connection], old_reader(job_name, job_id, user)
  end
end
