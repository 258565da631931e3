# frozen_string_literal: true

require_relative 'fake_job'

# libexec/multitenant-chain with a Slurm of the test's, which keeps what jobs submit.
module FakeChain
  include FakeJob

  SITE = { 'keep_days' => '30', 'copies_max' => '4', 'generations_max' => '1000' }.freeze
  # What nothing may change on its way from sbatch to sbatch.
  ODD = %q(a'b "c" $(touch owned) `id` * & \\ €)

  Answers = Struct.new(:enable_multitenant, :auto_multitenant_groups, :mt_title, :mt_delivery_select, :mt_until,
                       :mt_copies, :mt_address, keyword_init: true)

  # Each job ends at once; what sbatch gets is kept by the id that it gives out.
  SBATCH = <<~'BASH'
    here=${0%/*}
    [[ " $* " != *' --test-only '* ]] || exit 0
    [[ ! -e $here/refused ]] || { echo "sbatch: error: $(<"$here/refused")" >&2; exit 1; }
    id=$(($(cat "$here/last" 2>/dev/null || echo 100) + 1))
    echo "$id" >"$here/last"
    mkdir "$here/$id"
    printf '%s\0' "$@" >"$here/$id/arguments"
    cat >"$here/$id/script"
    cp "/proc/$$/environ" "$here/$id/environment"
    echo "$id;hpc"
  BASH

  # A question for a job of its own, or what a file says of another.
  SQUEUE = <<~BASH
    here=${0%/*} all=$* job=${all#*--jobs=} job=${job%% *}
    if [[ $* == *'%S'* ]]; then
      echo "$SLURM_JOB_ID|$(cat "$here/name")|1700000000|$(cat "$here/end")"
    else
      [[ -e $here/$job.state ]] || { echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1; }
      echo "$job|$(cat "$here/$job.state")"
    fi
  BASH

  CONTROL = <<~'BASH'
    case $* in
      write*) printf '#!/bin/bash\n#SBATCH --mem=1\n\ntrue\n' ;;
      'show config') echo "ClusterName             = $SLURM_CLUSTER_NAME" ;;
      *) exit 1 ;;
    esac
  BASH

  def setup
    super
    fake('sbatch', SBATCH)
    fake('squeue', SQUEUE)
    fake('sacct', 'exit 1')
    fake('scancel', 'echo "$@" >>"${0%/*}/cancelled"')
    fake('scontrol', CONTROL)
    File.write(in_job('end'), '1700003600')
    @staged = in_job('staged')
    FileUtils.mkdir_p(@staged)
    @home = in_job('home')
  end

  def answers(**changes)
    Answers.new(enable_multitenant: 'mt', auto_multitenant_groups: 'hpcGrp', mt_title: 'Spanish 301',
                mt_delivery_select: 'App sys/multitenant-delivery_default', mt_until: (Date.today + 7).to_s, **changes)
  end

  # As the owner's dashboard, which has the home that jobs have.
  def chain(site: SITE, **changes)
    before = ENV.to_h
    ENV.update('HOME' => @home, 'XDG_STATE_HOME' => nil)
    MultiTenant::Chain.script(answers(**changes), session: FakeJob::ID, site: site, staged: @staged)
  ensure
    ENV.replace(before)
  end

  # What OOD and its hook leave in the session's directory.
  def stage(arguments: ['-D', @staged, '-o', "#{@staged}/output.log", "--comment=#{ODD}", '--export', 'NONE'],
            **changes)
    File.write(File.join(@staged, 'before.sh'), "#{MultiTenant::Sharing.job}\n#{chain(**changes)}\n" \
                                                "multitenant_share() { echo \"$@\"; }\n")
    script = "#!/bin/bash\n#SBATCH --mem=1\n\ncd #{@staged}\n. #{@staged}/before.sh\n"
    MultiTenant::Dashboard::Submission.keep(script, arguments, { 'ODD' => "#{ODD}\nb" }, nil)
    File.read(File.join(@staged, 'submission/script'))
  end

  # In a script of one's own.
  def source
    [MultiTenant::Sharing::JOB, *MultiTenant::Chain::FILES].map { |file| ". #{file}\n" }.join
  end

  # The keeper hears TERM once there is something to read, or five seconds are over; until then it has the job's output.
  END_KEEPER = 'kill "${mt_keeper-}" 2>/dev/null; [[ ! -v mt_never ]] || echo >&"$mt_never"'

  # Runs a job's script.
  def run_job(id, script, name: id.to_s, restarts: 0, cluster: 'hpc', variables: {})
    File.write(in_job('name'), name)
    env = { 'PATH' => "#{temporary}:#{ENV.fetch('PATH')}", 'HOME' => @home, 'SLURM_JOB_ID' => id.to_s,
            'SLURM_RESTART_COUNT' => restarts.to_s, 'SQUEUE_FORMAT' => '%j', 'XDG_STATE_HOME' => nil,
            'SLURM_CLUSTER_NAME' => cluster, 'SBATCH_WCKEY' => 'multitenant', 'SBATCH_WAIT' => '1', **variables }
    script = "trap '#{END_KEEPER}' EXIT\n#{script}"
    said, = Open3.capture2e(env, 'bash', '-s', stdin_data: script, chdir: @staged)
    # What bash says of a child that is killed as it begins.
    said.lines.grep_v(/wait_for: No record of process/).join
  end

  def submitted(id, what)
    File.read(File.join(temporary, id.to_s, what))
  end

  def state(name)
    path = File.join(@home, '.local/state/multitenant/services/spanish-301@hpcGrp', name)
    File.exist?(path) ? File.read(path).chomp : nil
  end

  def last
    File.read(in_job('last')).to_i
  end
end
