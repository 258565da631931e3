# frozen_string_literal: true

require_relative 'figures'

# A page of Markdown that says what each source takes on a release.
module SourcesPage
  HEAD = ['shares', 'source', 'ms', '95 %', 'CPU: ours', "daemons'", '× the query program: ms', 'CPU'].freeze

  module_function

  # @param path [String] of a release's JSON; the page is written beside it
  def write(path)
    File.write(path.sub(/json\z/, 'md'), text(JSON.parse(File.read(path)), File.basename(path)))
  end

  # @param told [Hash]
  # @param raw [String] where its numbers are
  def text(told, raw)
    <<~TEXT.chomp
      # What the three sources cost on Slurm #{told['slurm'][/\d+\.\d+/]}

      Written by `script/bench sources` #{told['date']}: #{told['machine']}; #{told['versions']}; load at the start
      #{told['load']}. All daemons on this host; each source as a dashboard has it, in turn, #{told['runs']} runs; ms,
      medians. CPU is that of who asks, and of munged, mariadbd, slurmdbd, slurmctld and slurmrestd. Each run:
      [#{raw}](#{raw}).

      #{[HEAD, HEAD.map { '---' }, *rows(told)].map { |row| "| #{row.join(' | ')} |\n" }.join}
    TEXT
  end

  def rows(told)
    told['cells'].flat_map do |shares, sources|
      least = figures(sources['query program'])
      sources.map do |name, one|
        now = figures(one)
        times = [now[0] / least[0], now.last(2).sum / least.last(2).sum].map { |n| format('%.1f', n) }
        [shares, name, *now.map { |ms| format('%.1f', ms) }, *times]
      end
    end
  end

  # @return [Array<Float>] median and 95 % by the clock, our CPU, the daemons'
  def figures(source)
    ms, ours, daemons = source.values_at('ms', 'cpu_ms', 'daemons_ms')
    [Figures.of(ms), Figures.of(ms, 0.95), Figures.of(ours), Figures.of(daemons)]
  end
end
