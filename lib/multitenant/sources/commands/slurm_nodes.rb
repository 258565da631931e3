# frozen_string_literal: true

require 'securerandom'
require_relative '../../host/clock'
require_relative '../query'
require_relative 'slurm_command'

module MultiTenant
  # The nodes of jobs, by scontrol; kept for minutes. What it does not tell is missing, and costs no job.
  class SlurmNodes
    # Nodes of a job, the first ones, and names in one question.
    MOST = Core::LIMITS[:nodes]
    NAMES = 1000

    # Bytes of lists in one question, and of one list: Linux takes 128 KiB in an argument, and ssh makes one of all.
    BYTES = 60_000
    LIST = 20_000

    # Bytes between two lists.
    BETWEEN = 37

    WORD = "\\S{1,#{Core::LIMITS[:name]}}".freeze
    NAME = /\A#{WORD}\z/
    NODE = /^NodeName=(\S+) .*? NodeAddr=(#{WORD}) NodeHostName=(#{WORD})/

    # @param command [SlurmCommand]
    def initialize(command)
      @command = command
      @known = {}
    end

    # @param lists [Array<String>] what squeue says of each job, as node[1-3]
    # @param until_at [Float] the deadline, by {MultiTenant.clock}
    # @return [Hash{String => Array<Hash>}] list => its nodes, as records have them
    def call(lists, until_at)
      @known = {} if @asked.nil? || MultiTenant.clock - @asked > Query::NODES_KEPT
      @asked = MultiTenant.clock if @known.empty?
      lists = lists.uniq.select { |list| !@known.key?(list) && list.bytesize.between?(1, LIST) }
      parts(lists).each { |some| ask(some, until_at) }
      @known
    rescue Failure
      @known
    end

    private

    def parts(lists)
      bytes = 0
      lists.chunk { |list| (bytes += list.bytesize + BETWEEN) / BYTES }.map(&:last)
    end

    def ask(lists, until_at)
      names = expand(lists, until_at)
      told = names.flatten.uniq.each_slice(NAMES).flat_map { |some| look_up(some, until_at) }
      nodes = told.to_h { |name, addr, host| [name, { 'name' => name, 'host' => host, 'addr' => addr }] }
      lists.zip(names) { |list, its| @known[list] = its.map { |name| nodes.fetch(name, { 'name' => name }) } }
    end

    # Of all lists at once, with a name between that no node has.
    def expand(lists, until_at)
      mark = "mt#{SecureRandom.hex(16)}x"
      hosts = text(@command.call('scontrol', ['show', 'hostnames', lists.join(",#{mark},")], until_at))
      names = hosts.split("#{mark}\n", -1).map { |some| some.split("\n").grep(NAME).first(MOST) }
      names.size == lists.size ? names : raise(Failure.new(EX_DATAERR, 'scontrol printed something else.'))
    end

    # --all: those whose partitions this user may not use, too. PrivateData may hide them. For one that has gone
    # scontrol fails, beside what it tells of the others.
    def look_up(names, until_at)
      args = ['--all', '--oneliner', 'show', 'node', names.join(',')]
      text(@command.call('scontrol', args, until_at, some: true)).scan(NODE)
    rescue Failure
      []
    end

    def text(bytes)
      bytes.dup.force_encoding(Encoding::UTF_8).scrub('?')
    end
  end
end
