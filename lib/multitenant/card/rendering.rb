# frozen_string_literal: true

require 'io/wait'
require_relative 'elements'

module MultiTenant
  class Card
    # Makes safe HTML of a file's text, in a child of this process: what parsers of Markdown and HTML need for
    # a hostile text knows no limit. One child at a time.
    module Rendering
      MARKDOWN = /\.(?:md|markdown)\z/i
      HTML = /\.html?\z/i

      # Seconds that pages wait for it, all in all, in a span of seconds: that of OOD's polling.
      WAIT = 0.5
      SPAN = 10
      # Seconds of the processor's, and of the clock's.
      CPU = 10
      TIME = 30
      # Bytes beyond what the process has.
      MEMORY = 512 << 20
      # Bytes of HTML.
      LIMIT = 2 << 20
      # Bytes of HTML that are kept, as pages ask every ten seconds; what was not asked for the longest goes first.
      KEPT = 64 << 20
      # Seconds until one that took too much is tried again.
      PAUSE = 600

      @kept = {}
      @waits = []

      class << self
        include Elements

        # @param path [String] whose ending tells what the text is
        # @return [String, Symbol] one line, that Markdown leaves as it is; or `:later`, or `:never`
        def of(content, path)
          key = [path, content.hash]
          unless known?(key) || @running&.alive?
            require_relative 'scrubber'
            @running = Thread.new { keep(key, in_child { render(content, path) }) }
            wait
          end
          return :later unless known?(key)

          @kept[key] = @kept.delete(key)
          @kept[key][0]
        end

        private

        def known?(key)
          html, at = @kept[key]
          html.is_a?(String) || (at && MultiTenant.clock < at + PAUSE)
        end

        # However many cards there are.
        def wait
          now = MultiTenant.clock
          @waits.reject! { |at, _| at < now - SPAN }
          left = WAIT - @waits.sum { |_, seconds| seconds }
          return unless left.positive?

          @running.join(left)
          @waits << [now, MultiTenant.clock - now]
        end

        def keep(key, html)
          @kept.delete(key)
          @kept[key] = [html || :never, MultiTenant.clock]
          @kept.shift while @kept.size > 1 && @kept.sum { |_, (kept, _)| kept.size } > KEPT
        end

        def render(content, path)
          return pre(text(content)) unless path.match?(MARKDOWN) || path.match?(HTML)

          html = path.match?(HTML) ? content : OodAppkit.markdown.render(content)
          line = Scrubber.sanitize(html).gsub(/[\t\r\n]/) { |character| "&##{character.ord};" }
          "<div class=\"overflow-auto\" dir=\"auto\" tabindex=\"0\">#{line}</div>"
        end

        # @return [String, nil] what the block gives
        def in_child(&block)
          reader, writer = IO.pipe(binmode: true)
          pid = fork { answer(writer, &block) }
          writer.close
          length, html = listen(reader).unpack('Q>a*')
          html.force_encoding(Encoding::UTF_8) if html && html.bytesize == length
        rescue SystemCallError
          nil
        ensure
          [reader, writer].compact.each(&:close)
          reap(pid) if pid
        end

        def answer(writer)
          Process.setrlimit(:CPU, CPU)
          Process.setrlimit(:AS, size + MEMORY)
          Process.setrlimit(:CORE, 0)
          Process.setpriority(Process::PRIO_PROCESS, 0, 10)
          html = yield
          writer.write([html.bytesize].pack('Q>'), html) if html.bytesize <= LIMIT
        ensure
          exit!(0) # nothing of the dashboard's own end is done here
        end

        def size
          File.read('/proc/self/status')[/^VmSize:\s+(\d+)/, 1].to_i * 1024
        end

        # @return [String] what came within the time
        def listen(reader)
          told = +''
          deadline = MultiTenant.clock + TIME
          while (left = deadline - MultiTenant.clock).positive? && reader.wait_readable(left)
            chunk = reader.read_nonblock(1 << 16, exception: false)
            return told unless chunk

            told << chunk unless chunk == :wait_readable
          end
          told
        end

        def reap(pid)
          Process.kill(:KILL, pid)
          Process.wait(pid)
        rescue Errno::ESRCH, Errno::ECHILD
          nil
        end
      end
    end
  end
end
