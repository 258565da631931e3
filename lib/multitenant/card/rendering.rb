# frozen_string_literal: true

require_relative 'budget'
require_relative 'child'
require_relative 'limits'
require_relative '../programs/program'

module MultiTenant
  class Card
    # Reads and renders publishers' files in children of this process, one at a time: a path may not answer, and
    # what parsers of Markdown and HTML need for a hostile text knows no limit. What they gave is kept.
    module Rendering
      GEMS = %w[rails-html-sanitizer loofah crass nokogiri racc].freeze

      # `until`: on the clock; before it no child is started for that file. `at`: when the last one was.
      Kept = Struct.new(:html, :pixels, :cost, :stamp, :until, :at)

      # Bytes that each of these takes beside its texts, or more.
      ENTRY = 512

      FAILED = 'can\'t be shown at this time; it is tried again in some minutes.'

      @kept = {}
      @waiting = {} # files that have to wait for another one's child => since when, and on which page
      @looked = Hash.new(0) # uid => when a child was last started for a file of theirs
      @spent = Hash.new { |hash, owner| hash[owner] = [] } # uid => [[when, seconds]]
      @waits = []
      @said = {} # uid => when the log was last told of a file of theirs

      class << self
        # @param content [Content]
        # @return [Array(String, Integer, Integer)] HTML of one line, the pixels of its images, and {Scrubber#cost}
        def of(content)
          key = [content.path, content.owner]
          if due?(key) && turn?(key)
            @running = Thread.new { keep(key, renewed(content, @kept[key])) }
            wait
          end
          kept = @kept[key]
          kept ? kept.first(3) : [content.of_file(later(content.owner)), 0, 0]
        rescue ThreadError # none can be started
          [content.of_file(FAILED), 0, 0]
        end

        private

        def due?(key)
          @kept[key]&.until.to_f <= MultiTenant.clock && allowed?(key[1])
        end

        def allowed?(owner)
          affordable?(owner) && !Child.held?(owner)
        end

        # Publishers take turns, and of each the file that was looked at the longest ago comes first: or the first of a
        # page would always be the only ones, or those of who names new ones all the time.
        def turn?(key)
          now = MultiTenant.clock
          @waiting.reject! { |_, since| Budget.forgotten?(*since) }
          if @running&.alive?
            @waiting[key] = [now, Budget.count]
            return false
          end
          return false if @waiting.any? { |other, _| (last(other) <=> last(key)) == -1 }

          @waiting.delete(key)
          @looked[key[1]] = now
          @kept[key]&.at = now
          true
        end

        # @return [Array<Float>]
        def last(key)
          [@looked[key[1]], @kept[key]&.at.to_f]
        end

        def affordable?(owner)
          now = MultiTenant.clock
          spent = @spent[owner].reject! { |at, _| at < now - Limits::PAUSE } || @spent[owner]
          spent.sum(&:last) < Limits::PUBLISHER_SECONDS
        end

        def later(owner)
          return 'is being prepared: it is shown here in some seconds.' if @running&.alive? || allowed?(owner)

          'is not shown at this time, because the files of who shared it take too long. It is there for you to open.'
        end

        # All cards of a page together wait no longer than WAIT.
        def wait
          now = MultiTenant.clock
          @waits.reject! { |at, _| at < now - Limits::POLL }
          left = Limits::WAIT - @waits.sum { |_, seconds| seconds }
          return unless left.positive?

          @running.join(left)
          @waits << [now, MultiTenant.clock - now]
        end

        def keep(key, kept)
          return unless kept

          @kept.delete(key)
          @kept[key] = kept
          kept.at = MultiTenant.clock
          make_room(key)
        end

        # Whoever has the most of what is kept loses what was rendered the longest ago.
        def make_room(key)
          sizes = Hash.new(0)
          @kept.each { |file, one| sizes[file[1]] += size(file, one) }
          while sizes.values.sum > Limits::KEPT && @kept.size > 1
            first = @kept.each_key.reject { |file| file == key }.max_by { |file| sizes[file[1]] }
            sizes[first[1]] -= size(first, @kept.delete(first))
          end
        end

        # A path may be longer than what is said of it, and publishers may name another one in every round.
        def size(key, kept)
          key[0].bytesize + kept.html.bytesize + ENTRY
        end

        # @return [Kept, nil] nil: it stays as it is
        def renewed(content, kept)
          start = [MultiTenant.clock, processor]
          read, answer = reader(content, stamp: kept&.stamp)
          page = page_of(content, answer)
          spend(content.owner, *start, never: page == :never)
          return page && Kept.new(*page, answer['stamp'], 0) unless page == :never

          answer = read && reader(content, rendered: false)[1]
          page = page_of(content, answer)
          unless page.is_a?(Array)
            page = [content.of_file('does not answer on this host, or holds it up; it is tried again in some ' \
                                    'minutes.'), 0, 0]
          end
          Kept.new(*page, answer && answer['stamp'], MultiTenant.clock + Limits::PAUSE)
        rescue StandardError, ScriptError, NoMemoryError => e
          say(content.owner, "is not shown: #{e.class}: #{e.message}")
          Kept.new(content.of_file(FAILED), 0, 0, nil, MultiTenant.clock + Limits::PAUSE)
        end

        # The processor's time counts, since on a busy host a harmless file takes longer, too; of a file that was given
        # up, all the time.
        def spend(owner, clock, processor, never:)
          now = MultiTenant.clock
          seconds = never ? now - clock : self.processor - processor - Limits::FREE
          @spent[owner] << [now, [seconds, 0].max]
        end

        # @return [Float] seconds of all children
        def processor
          Process.times.then { |times| times.cutime + times.cstime }
        end

        # @return [Array(String, Integer, Integer), Symbol, nil] as {of}; nil: it stays so; `:never`: it took too much
        def page_of(content, answer)
          return :never unless answer

          answer['source'] ? safe(content, *answer['source']) : answer['html'] && [answer['html'], 0, 0]
        end

        # @return [Array(Boolean, Hash)] see {Child.ask}
        def reader(content, stamp: nil, rendered: true)
          Child.ask(content.owner) do |parent|
            source = nil
            stamp, html = content.read(stamp) do |text|
              parent.write(Child::READ)
              source = content.source(text, rendered: rendered)
              nil
            end
            { stamp: stamp, html: html, source: source }
          end
        end

        # @return [Array(String, Integer, Integer), Symbol, nil] as {page_of}'s; nil: it is others' turn
        def safe(content, kind, source)
          result = Program.new(RbConfig.ruby).call(*parser, kind, seconds: Limits::STEP, input: source)
          return if result.exit == EX_TEMPFAIL

          costs, _, html = result.out.force_encoding(Encoding::UTF_8).partition("\n")
          pixels, cost = costs.split
          return [content.shown(kind, html), pixels.to_i, cost.to_i] if result.success? && html.valid_encoding?

          say(content.owner, "is not shown as it is meant: #{result.error}")
          :never
        end

        # Once in a while of each publisher, who may name another file in each round.
        def say(owner, sentence)
          now = MultiTenant.clock
          return if @said.fetch(owner, -Limits::PAUSE) > now - Limits::PAUSE

          @said[owner] = now
          Rails.logger.warn("multitenant: a file that was shared #{sentence}")
        end

        # With the gems of this process, and without its Bundler, which would look at all of them.
        def parser
          @parser ||= begin
            require 'rails-html-sanitizer'
            gems = Gem.loaded_specs.values_at(*GEMS).compact.flat_map(&:full_require_paths)
            [*gems.map { |path| "-I#{path}" }, File.expand_path('sanitize.rb', __dir__)]
          end
        end
      end
    end
  end
end
