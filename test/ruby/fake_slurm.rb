# frozen_string_literal: true

require_relative 'helper'
require 'multitenant/sources/commands'

# Slurm's commands, as a test wants them to answer. They keep how they were called.
module FakeSlurm
  # The name service that every group has and prof belongs to.
  class Group
    attr_reader :error, :asked

    def call(questions, _seconds, publishers: nil)
      @asked = [questions, publishers]
      questions.map do |uid, group|
        { 'uid' => uid, 'user' => 'prof', 'group_gid' => group ? 3000 : -1, 'publisher_in_group' => !group.nil?,
          'publisher_allowed' => true }
      end
    end
  end

  CONFIG = <<~TEXT
    Configuration data as of 2026-11-21T05:09:46
    AccountingStorageType   = accounting_storage/slurmdbd
    ClusterName             = hpc
    PrivateData             = none
    SlurmUser               = slurm(64030)
    SLURM_VERSION           = 22.05.8
  TEXT
  DBD = <<~TEXT
    Configuration data as of 2026-11-21T05:09:46
    PrivateData            = none
    SLURM_VERSION          = 22.05.8

    SlurmDBD configuration:
    PrivateData            = none
    SLURMDBD_VERSION       = 22.05.8
  TEXT

  def setup
    super
    @bin = File.join(temporary, 'bin')
    @said = File.join(temporary, 'said')
    [@bin, @said].each { |dir| Dir.mkdir(dir, 0o777) }
    FileUtils.chmod(0o777, @said)
    @names = Group.new
    says 'scontrol', CONFIG
    says 'sacctmgr', DBD
    nodes('n1' => %w[10.0.0.1 n1.cluster])
    jobs(row(7))
  end

  # What scontrol says of nodes: name => address and host name.
  def nodes(all)
    lines = all.map { |name, (addr, host)| "NodeName=#{name} CPUTot=1 NodeAddr=#{addr} NodeHostName=#{host} Port=1\n" }
    File.write(File.join(@bin, 'nodes'), lines.join)
  end

  # Makes the command print this: the mark that it is asked for instead of {mark}.
  def says(name, text, code: 0, err: '')
    File.binwrite(File.join(@bin, "#{name}.out"), text)
    File.binwrite(File.join(@bin, "#{name}.err"), err)
    File.write(File.join(@bin, name), <<~SH, perm: 0o755)
      #!/bin/sh
      printf '%s\\0' "$0" "$@" >#{@said}/#{name}
      env >#{@said}/#{name}.env
      case "$*" in
        "show hostnames "*) printf '%s\\n' "$3" | tr , '\\n'; exit 0 ;;
        "--all --oneliner show node "*) cat #{@bin}/nodes; exit ;;
      esac
      mark=$(printf '%s\\n' "$@" | grep -aoE -m1 '(jobid:0|delimiter=)mt[0-9a-f]{32}' | grep -aoE 'mt[0-9a-f]{32}')
      cat #{@bin}/#{name}.err >&2
      LC_ALL=C sed "s/{mark}/$mark/g" #{@bin}/#{name}.out
      exit #{code}
    SH
  end

  def row(id, name: 'sys|hpcGrp|payload', uid: 1001, state: 'RUNNING', start: 1_700_000_000, ends: 1_700_003_600,
          limit: '1:00:00', restarts: 0, nodes: 'n1', user: 'prof', wckey: 'multitenant')
    { sacct: [id, uid, user, wckey], squeue: [id, uid, state, start, ends, limit, nodes, restarts, name] }
  end

  # What sacct and squeue say of these jobs.
  def jobs(*rows, sacct: rows)
    says 'sacct', framed(sacct.map { |row| row[:sacct] })
    says 'squeue', framed(rows.map { |row| row[:squeue] })
  end

  # What squeue says where it is asked for the WCKeys, and then of these jobs.
  def says_keys(*rows)
    keys = framed(rows.map { |row| [*row[:squeue].first(2), row[:sacct].last] })
    jobs(*rows)
    File.binwrite(File.join(@bin, 'squeue.keys.out'), keys)
    command = File.join(@bin, 'squeue')
    choice = "case \"$*\" in *--jobs=*) keys= ;; *) keys=.keys ;; esac\n"
    File.write(command, File.read(command).sub(/^cat/, "#{choice}cat").sub('squeue.out', 'squeue$keys.out'))
  end

  def framed(rows)
    rows.map { |fields| fields.map { |field| "#{field}{mark}".b }.join << "\n" }.join.b
  end

  def source(env: {}, **job)
    MultiTenant::Commands.new(MultiTenant::Settings.new(env), names: @names,
                                                              job: { 'bin' => @bin, **job.transform_keys(&:to_s) })
  end

  def ask(seconds: 10, **options)
    source(**options).call(seconds)
  end

  # @return [Array(Hash, Array<Hash>)] header and records of a whole answer
  def answered(**options)
    answer = ask(**options)
    assert_equal [nil, 0], [answer.error, answer.code]
    header, *records, last = answer.texts.fetch(0).lines.map { |line| JSON.parse(line) }
    assert_equal({ 'end' => records.size }, last)
    [header, records]
  end

  # @return [Array] these values of each record
  def told(*keys, **options)
    answered(**options)[1].map { |record| keys.one? ? record[keys[0]] : record.values_at(*keys) }
  end

  def refused(code, sentence, **options)
    answer = ask(**options)
    assert_equal [[], code], [answer.texts, answer.code]
    assert_match sentence, answer.error
    refute_includes answer.error, "\n"
  end

  # @return [Array<String>] how a command was called
  def argv(name)
    File.binread(File.join(@said, name)).split("\0")
  end

  def ran?(name)
    File.exist?(File.join(@said, name))
  end

  def mark_of(command)
    argv(command).join[/mt\h{32}/]
  end

  def with_env(changes)
    old = ENV.to_h
    ENV.update(changes)
    yield
  ensure
    ENV.replace(old)
  end
end
