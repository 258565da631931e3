# frozen_string_literal: true

require_relative 'figures'

# What the figures of a release have to be, and what they are.
class Targets
  # `limit` and `is` are texts; met is nil where it was not measured.
  Target = Struct.new(:what, :limit, :is, :met)

  # Where Slurm's own commands wait for acknowledgements (ext/multitenant_query/poll.c), there is more to gain.
  RATIO = { true => 1.0 / 8, false => 0.6 }.freeze
  MANY = 20_000

  def initialize(figures)
    @figures = figures
  end

  # @return [Array<Target>]
  def all
    [*ratios, *changes, *dashboard]
  end

  private

  def cells(&block)
    @figures.cells.select { |cell| cell.pending.zero? }.select(&block)
  end

  def ratios
    waits = @figures.release < '24.05'
    near = RATIO.fetch(waits)
    few = cells { |cell| cell.others.zero? && cell.shares <= 20 }
    many = cells { |cell| cell.others >= MANY && cell.shares >= 20 }
    all = @figures.cells
    [most('Query program to commands, 1 and 20 shares, no other jobs', near, few, &:ratio),
     most('the same, 20 and more shares beside 20,000 other jobs', 0.25, many, &:ratio),
     most('the same, in any cell', 1.0, all, &:ratio),
     most('CPU of asker and daemons, query program to commands, in any cell', 0.5, all, &:cpu_ratio)]
  end

  def changes
    [most('Query program with 100,000 finished jobs to without', 1.2, pairs),
     most('Query program with 5,000 pending jobs of a publisher to without', 2.0, pending)]
  end

  def pairs
    cells { |cell| cell.finished.positive? }.filter_map { |cell| growth(cell, cell.shares, cell.others, 0, 0) }
  end

  def pending
    @figures.cells.select { |cell| cell.pending.positive? }
            .filter_map { |cell| growth(cell, cell.shares, cell.others, cell.finished, 0) }
  end

  def growth(cell, *than)
    base = @figures.cell(*than)
    cell['query'].ms / base['query'].ms if base
  end

  def most(what, limit, list, &block)
    list = list.map(&block) if block
    is = list.minmax.compact.map { |ratio| ratio.round(3) }.uniq.join(' to ')
    Target.new(what, "≤ #{limit.round(3)}", is, list.max && list.max <= limit)
  end

  def dashboard
    large = cells { |cell| cell.shares == 200 }
    any = @figures.cells
    [time('Snapshot, unchanged', 0.1, any, 'unchanged'),
     time('Snapshot, changed: 200 names, 20 for the viewer', 5.0, large, 'changed'),
     time('A page that needs nothing', 0.05, any, 'page'),
     most('Round of the agent to query program, by the clock', 1.0, any) { |cell| cell['agent'].ms / cell['query'].ms },
     Target.new('Memory that a dashboard\'s process grows by', '≤ 2,048 KiB', "#{Figures.number(@figures.grown)} KiB",
                @figures.grown <= 2048),
     Target.new('Names of v1, opened and decided by one processor', '≥ 50,000 /s',
                "#{Figures.number(@figures.names_per_second.round)} /s", @figures.names_per_second >= 50_000)]
  end

  def time(what, limit, list, way)
    times = list.map { |cell| cell[way].ms }
    is = times.minmax.compact.map { |ms| ms.round(3) }.uniq.join(' to ')
    Target.new(what, "≤ #{limit} ms", "#{is} ms", times.max && times.max <= limit)
  end
end
