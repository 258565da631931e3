# frozen_string_literal: true

require_relative 'figures'
require_relative 'plot'
require_relative 'targets'

# A page of Markdown that says what a release's figures are.
class Report
  NAMES = { 'commands' => '`sacct`, then `squeue`', 'careless' => 'careless C', 'query' => 'query program',
            'refresh' => 'whole refresh', 'agent' => "agent's round", 'changed' => 'snapshot, changed',
            'unchanged' => 'snapshot, unchanged', 'page' => 'page' }.freeze
  MET = { true => 'met', false => '**not met**', nil => 'not measured' }.freeze
  DAEMONS = %w[slurmdbd slurmctld].freeze
  CELL = ['shares', 'other jobs', 'finished', 'pending'].freeze

  # @param path [String] of a release's JSON; page and plot are written beside it
  def self.write(path)
    figures = Figures.new(path)
    File.write(path.sub(/json\z/, 'svg'), Plot.new(figures).text)
    File.write(path.sub(/json\z/, 'md'), new(figures, File.basename(path, '.json')).text)
  end

  def initialize(figures, base)
    @figures = figures
    @base = base
  end

  def text
    [head, targets, times, cpu, memory, asked].join("\n")
  end

  private

  def head
    <<~TEXT
      # What asking Slurm #{@figures.release} costs

      Written by `script/bench` #{@figures['date']}: #{@figures['machine']}; #{@figures['versions']}; load at the start
      #{@figures['load']}. All daemons on this host; #{@figures['method']}. Each run of these raw numbers:
      [#{@base}.json](#{@base}.json).

      ![Time by the clock, from one share to two hundred](#{@base}.svg)

      `sacct`, then `squeue` is what the [old initializer](../architecture.md#words) ran; *careless C* a program of
      libslurm's with the same two questions (`test/bench/careless.c`). *Whole refresh*, *snapshot* and *page* are of a
      warm Ruby process in a dashboard's place: Slurm asked, decided and cards written; the same from the agent's snapshot
      of a new round, of which nothing, or one share's name, differs from the round before; and a page for which nothing
      is due. The shares are three publishers', the first 20 of them the viewer's; jobs are allocations in which nothing
      runs, of the others' every tenth, 500 at most, running, the rest pending; of the finished jobs one in ten had the
      shares' WCKey.
    TEXT
  end

  def targets
    rows = Targets.new(@figures).all.map do |target|
      [target.what, target.limit, target.is, MET.fetch(target.met)]
    end
    section('Targets', ['medians', 'target', 'is', ''], rows)
  end

  def times
    names = NAMES.keys
    rows = @figures.cells.map do |cell|
      [*numbers(cell), cell['query'].runs, *names.map { |way| "#{ms(cell[way].ms)} / #{ms(cell[way].ms(0.95))}" },
       format('1 : %.1f', 1 / cell.ratio)]
    end
    section('Time by the clock', [*CELL, 'runs', *NAMES.values, 'query to commands'], rows, 'ms, median / 95 %.')
  end

  def cpu
    names = NAMES.keys
    rows = @figures.cells.map do |cell|
      [*numbers(cell), *names.map { |way| "#{ms(cell[way].asking)} + #{ms(cell[way].daemons)}" },
       format('1 : %.1f', 1 / cell.cpu_ratio)]
    end
    section('CPU', [*CELL, *NAMES.values_at(*names), 'query to commands'], rows,
            'ms, medians: of who asks + of munged, mariadbd, slurmdbd and slurmctld together.')
  end

  def memory
    names = %w[commands careless query]
    rows = @figures.cells.map { |cell| [*numbers(cell), *names.map { |way| number(cell[way].kib) }] }
    said = 'KiB at most, of the larger where there are two programs.'
    section('Memory', [*CELL, *NAMES.values_at(*names)], rows, said)
  end

  def asked
    names = %w[commands careless query refresh unchanged]
    rows = @figures.cells.map do |cell|
      [*numbers(cell), *names.map { |way| DAEMONS.map { |daemon| talked(cell[way], daemon) }.join(' / ') }]
    end
    section('Requests and bytes', [*CELL, *NAMES.values_at(*names)], rows,
            "To #{DAEMONS.join(' / ')}: requests as they count them, and bytes both ways as strace sees them.")
  end

  def talked(way, daemon)
    "#{way.requests(daemon)}: #{number(way.bytes(daemon))}"
  end

  def section(title, head, rows, said = nil)
    table = [head, head.map { '---' }, *rows].map { |row| "| #{row.join(' | ')} |\n" }.join
    "## #{title}\n\n#{said && "#{said}\n\n"}#{table}"
  end

  def numbers(cell)
    cell.to_a.first(4).map { |n| number(n) }
  end

  def ms(value)
    format(value < 1 ? '%.3f' : '%.1f', value)
  end

  def number(value)
    Figures.number(value)
  end
end
