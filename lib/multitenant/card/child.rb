# frozen_string_literal: true

require 'io/wait'
require 'json'
require_relative 'limits'

module MultiTenant
  class Card
    # A forked child that gives one answer, within limits of time and memory.
    module Child
      # What a child writes when the file is read: from then on only the processor can slow it down.
      READ = '.'

      @held = [] # [uid, thread that ends with a child which is killed and does not die]

      class << self
        # @param owner [Integer] uid of the publisher for whom it is
        # @yield [IO] in the child, to which {READ} may be written: gives a Hash
        # @return [Array(Boolean, Hash)] whether {READ} came, and the Hash; nil: none came
        def ask(owner, &block)
          reader, writer = IO.pipe(binmode: true)
          pid = fork { answer(writer, &block) }
          writer.close
          told = listen(reader)
          [told.start_with?(READ), JSON.parse(told.delete_prefix(READ).force_encoding(Encoding::UTF_8))]
        rescue JSON::ParserError, SystemCallError
          [told.to_s.start_with?(READ), nil]
        ensure
          [reader, writer].compact.each(&:close)
          reap(pid, owner) if pid
        end

        # A path that is held once may be so at each try, and a publisher may name another one each time.
        # @param owner [Integer] uid of a publisher
        # @return [Boolean] so many children are held that there is to be no other one for them
        def held?(owner)
          owners = held.map(&:first)
          owners.size >= Limits::HELD_ALL || owners.count(owner) >= Limits::HELD
        end

        private

        def answer(writer)
          let_go(writer)
          Limits.bound(:CORE, Limits::CORE)
          Limits.bound(:CPU, Limits::CPU)
          Limits.bound(:AS, size + Limits::MEMORY)
          Process.setpriority(Process::PRIO_PROCESS, 0, 19)
          writer.write(JSON.generate(yield(writer)))
        ensure
          exit!(0) # nothing of the dashboard's own end is done here
        end

        # Or else another command's pipe, or a browser's connection, would stay open as long as this child lives.
        # Descriptors are redirected and not closed, because objects of Ruby's close theirs when they are collected.
        def let_go(writer)
          File.open(File::NULL, 'r+') do |null|
            kept = [0, 1, 2, writer.fileno, null.fileno]
            (Dir.children('/proc/self/fd').map(&:to_i) - kept).each do |fd|
              IO.for_fd(fd, autoclose: false).reopen(null)
            rescue SystemCallError, ArgumentError
              next # it is Ruby's own, or closed by now
            end
          end
        end

        def size
          File.read('/proc/self/status')[/^VmSize:\s+(\d+)/, 1].to_i * 1024
        end

        # @return [String] what came within the time
        def listen(reader)
          told = +''
          deadline = MultiTenant.clock + Limits::READ
          while (left = deadline - MultiTenant.clock).positive? && reader.wait_readable(left)
            chunk = reader.read_nonblock(1 << 16, exception: false)
            return told unless chunk
            next if chunk == :wait_readable

            deadline = MultiTenant.clock + Limits::STEP if told.empty?
            told << chunk
          end
          told
        end

        def reap(pid, owner)
          Process.kill(:KILL, pid)
          deadline = MultiTenant.clock + Limits::REAP
          until Process.wait(pid, Process::WNOHANG)
            # One thread writes it, and pages read it meanwhile.
            return @held = [*held, [owner, Process.detach(pid)]] if MultiTenant.clock > deadline

            sleep(0.005)
          end
        rescue Errno::ESRCH, Errno::ECHILD
          nil
        end

        def held
          @held.select { |_, thread| thread.alive? }
        end
      end
    end
  end
end
