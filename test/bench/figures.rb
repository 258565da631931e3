# frozen_string_literal: true

require 'json'

# What script/bench slurm wrote of a release: its cells, and medians and the like of each way in them.
class Figures
  # A way's figures in one cell.
  class Way
    def initialize(told)
      @told = told
    end

    def runs
      @told['ms'].size
    end

    # @param share [Float] of the runs that took no longer
    # @return [Float] ms
    def ms(share = 0.5)
      Figures.of(@told['ms'], share)
    end

    # @return [Float] ms of CPU of who asks
    def asking
      Figures.of(@told['cpu_ms'])
    end

    # @return [Float] ms of CPU of munged, mariadbd, slurmdbd and slurmctld
    def daemons
      Figures.of(by_run)
    end

    # @return [Float] ms of CPU of all of them
    def cpu
      Figures.of(@told['cpu_ms'].zip(by_run).map(&:sum))
    end

    # @return [Integer, nil] KiB of memory at most
    def kib
      @told['kib']
    end

    # @return [Integer, nil]
    def requests(daemon)
      @told['requests']&.fetch(daemon)
    end

    # @return [Integer, nil]
    def bytes(daemon)
      @told['bytes']&.fetch(daemon)
    end

    private

    def by_run
      @told['daemons_ms'].values.transpose.map(&:sum)
    end
  end

  # Shares, jobs of others, jobs that ended, and pending jobs of the publisher's.
  Cell = Struct.new(:shares, :others, :finished, :pending, :ways) do
    def [](way)
      ways.fetch(way)
    end

    # @return [Float] what the query program takes of what the commands do, by the clock
    def ratio
      self['query'].ms / self['commands'].ms
    end

    # @return [Float] the same of all CPU
    def cpu_ratio
      self['query'].cpu / self['commands'].cpu
    end
  end

  def self.of(list, share = 0.5)
    list.sort[[(list.size * share).floor, list.size - 1].min]
  end

  # @return [String] with commas
  def self.number(value)
    value.to_s.gsub(/(?<=\d)(?=(?:\d{3})+\z)/, ',')
  end

  # @return [Array<Cell>] from few to many
  attr_reader :cells

  def initialize(path)
    @told = JSON.parse(File.read(path))
    @cells = @told['cells'].map do |cell|
      ways = cell['ways'].transform_values { |way| Way.new(way) }
      Cell.new(*cell.values_at('shares', 'others', 'finished', 'pending'), ways)
    end
    @cells.sort_by! { |cell| cell.to_a.first(4).reverse }
  end

  # @return [String] of machine, date, load, method, slurm and versions
  def [](name)
    @told.fetch(name)
  end

  def release
    self['slurm'][/\d+\.\d+/]
  end

  # @return [Cell, nil]
  def cell(*numbers)
    @cells.find { |cell| cell.to_a.first(4) == numbers }
  end

  # @return [Float] names of v1 that one processor opens and decides on in a second
  def names_per_second
    names = self['names']
    names['count'] / Figures.of(names['cpu_ms']) * 1000
  end

  # @return [Integer] KiB that a dashboard's process has grown by after many rounds of the agent's
  def grown
    self['memory']['grown_kib']
  end
end
