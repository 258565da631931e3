# frozen_string_literal: true

require 'rexml/document'
require_relative 'figures'

# Time by the clock as an SVG: a panel for each number of shares, and below one another those without and with finished
# jobs; to the right jobs of others become more. Its colours follow the reader's.
class Plot
  WAYS = { 'commands' => 'sacct, then squeue', 'careless' => 'careless C program', 'query' => 'query program',
           'refresh' => 'whole refresh', 'agent' => "agent's round", 'changed' => 'snapshot, changed',
           'unchanged' => 'snapshot, unchanged', 'page' => 'page that needs nothing' }.freeze
  # Of light and of dark pages.
  COLOURS = { 'commands' => %w[#b3261e #ff8a80], 'careless' => %w[#9a6700 #e3b341], 'query' => %w[#0550ae #79c0ff],
              'refresh' => %w[#116329 #7ee787], 'agent' => %w[#6639ba #d2a8ff], 'changed' => %w[#a0307f #ff9bce],
              'unchanged' => %w[#57606a #b1bac4], 'page' => %w[#1b7c83 #56d4dd] }.freeze
  LOWEST = 0.001
  HIGHEST = 1000.0
  WIDTH = 200
  HEIGHT = 260
  LEFT = 75
  TOP = 50
  GAP = 30
  LEGEND = 190

  def initialize(figures)
    @figures = figures
    @cells = figures.cells.select { |cell| cell.pending.zero? }
    @shares, @others, @finished = %i[shares others finished].map { |name| @cells.map(&name).uniq.sort }
  end

  # @return [String]
  def text
    width = LEFT + (@shares.size * (WIDTH + GAP)) + LEGEND
    height = TOP + (@finished.size * (HEIGHT + GAP + 40))
    svg = REXML::Document.new.add_element('svg', 'xmlns' => 'http://www.w3.org/2000/svg', 'width' => width.to_s,
                                                 'height' => height.to_s, 'viewBox' => "0 0 #{width} #{height}")
    svg.add_element('title').text = "Slurm #{@figures.release}: time by the clock"
    svg.add_element('style').text = style
    @finished.each_with_index do |ended, row|
      @shares.each_with_index { |share, column| panel(svg, share, ended, column, row) }
    end
    legend(svg, width - LEGEND)
    svg.to_s
  end

  private

  # A page that shows the picture may be light or dark, and so is its ground.
  def style
    sheet = lambda do |which, ink, grid|
      ["text { fill: #{ink} }", ".grid { stroke: #{grid} }",
       *COLOURS.map { |way, both| ".#{way} { fill: #{both[which]}; stroke: #{both[which]} }" }].join(' ')
    end
    'text { font: 12px sans-serif; stroke-opacity: 0 } polyline { stroke-width: 2; fill-opacity: 0 } ' \
      "#{sheet.call(0, '#1f2328', '#d0d7de')} " \
      "@media (prefers-color-scheme: dark) { #{sheet.call(1, '#e6edf3', '#3d444d')} }"
  end

  def panel(svg, shares, finished, column, row)
    left = LEFT + (column * (WIDTH + GAP))
    top = TOP + (row * (HEIGHT + GAP + 40))
    title = "#{shares} #{shares == 1 ? 'share' : 'shares'}, #{Figures.number(finished)} finished jobs"
    write(svg, left, top - 10, title, 'font-weight' => 'bold')
    grid(svg, left, top, column.zero?)
    @others.each_with_index do |other, i|
      write(svg, x(left, i), top + HEIGHT + 18, Figures.number(other), 'text-anchor' => 'middle')
    end
    write(svg, left + (WIDTH / 2), top + HEIGHT + 34, 'other jobs', 'text-anchor' => 'middle')
    cells = @others.map { |other| @figures.cell(shares, other, finished, 0) }
    WAYS.each_key { |way| line(svg, way, left, top, cells) }
  end

  def grid(svg, left, top, labelled)
    (Math.log10(LOWEST).round..Math.log10(HIGHEST).round).each do |power|
      height = y(top, 10.0**power)
      svg.add_element('line', 'class' => 'grid', 'x1' => left.to_s, 'x2' => (left + WIDTH).to_s,
                              'y1' => height, 'y2' => height)
      said = "#{(10.0**power).to_s.sub(/\.0\z/, '')} ms"
      write(svg, left - 6, height.to_f + 4, said, 'text-anchor' => 'end') if labelled
    end
  end

  def line(svg, way, left, top, cells)
    points = cells.each_with_index.filter_map { |cell, i| [x(left, i), y(top, cell[way].ms)] if cell }
    svg.add_element('polyline', 'class' => way, 'points' => points.map { |point| point.join(',') }.join(' '))
    points.each { |point| svg.add_element('circle', 'class' => way, 'r' => '3', 'cx' => point[0], 'cy' => point[1]) }
  end

  def legend(svg, left)
    WAYS.each_with_index { |(way, name), i| write(svg, left, TOP + 12 + (22 * i), name, 'class' => way) }
  end

  def write(svg, left, top, said, **attributes)
    svg.add_element('text', 'x' => left.to_s, 'y' => top.to_s, **attributes.transform_keys(&:to_s)).text = said
  end

  def x(left, index)
    format('%.1f', left + 15 + (index * (WIDTH - 30.0) / [@others.size - 1, 1].max))
  end

  def y(top, value)
    share = Math.log10(value.clamp(LOWEST, HIGHEST) / LOWEST) / Math.log10(HIGHEST / LOWEST)
    format('%.1f', top + (HEIGHT * (1 - share)))
  end
end
