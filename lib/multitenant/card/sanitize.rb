# frozen_string_literal: true

# A program: anybody's HTML (argument `page`) or text on its standard input; on its standard output the number of pixels
# of its images and what it costs a browser, and on the next line HTML that is safe in a page. It is a process of its
# own, which has little: what a parser may take of memory is a number, not a multiple of the dashboard's. Exit codes:
# EX_OK; EX_TEMPFAIL where it is others' turn; all else means that it took too much.
require_relative '../errors'
require_relative 'elements'
require_relative 'limits'
require_relative 'turn'

limits = MultiTenant::Card::Limits
Process.setpriority(Process::PRIO_PROCESS, 0, 19)
limits.bound(:CORE, limits::CORE)
limits.bound(:CPU, limits::CPU)
text = $stdin.read.force_encoding(Encoding::UTF_8)

if ARGV == %w[page]
  require_relative 'scrubber'
  exit MultiTenant::EX_TEMPFAIL unless (turn = MultiTenant::Card::Turn.take)
  limits.bound(:AS, (File.read('/proc/self/status')[/^VmSize:\s+(\d+)/, 1].to_i << 10) + limits::MEMORY)
  html, pixels, cost = MultiTenant::Card::Scrubber.sanitize(text)
  # Each start may get an end, and more only where what is open ends in another order.
  abort if cost.nil? || html.count('<') > 2 * limits::TAGS
  turn.close
else
  layout = MultiTenant::Card::Layout
  blocks = layout.blocks(text.gsub(layout::PILED, ''))
  html = Object.new.extend(MultiTenant::Card::Elements).long(blocks)
  cost = layout.weight(blocks) * 1000 / limits::WEIGHT
end
abort if html.bytesize > limits::FILE_HTML
$stdout.write("#{pixels.to_i} #{cost}\n", html)
