# frozen_string_literal: true

require_relative 'helper'
require_relative 'gate_host'

# A node whose kernel has no pidfd_getfd, with which the gate cuts what a banned user has open.
class TestGateStreamMax < MultiTenantTest
  include GateTest

  OLD_KERNEL = <<~C
    #include <dlfcn.h>
    #include <errno.h>
    #include <sys/syscall.h>
    long syscall(long number, long a, long b, long c, long d, long e, long f)
    {
        long (*next)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
        errno = ENOSYS;
        return number == SYS_pidfd_getfd ? -1 : next(number, a, b, c, d, e, f);
    }
  C

  def on_an_old_kernel
    library = File.join(temporary, 'old_kernel.so')
    source = File.join(temporary, 'old_kernel.c')
    File.write(source, OLD_KERNEL)
    assert system('gcc', '-shared', '-fPIC', '-D_GNU_SOURCE', '-o', library, source, '-ldl')
    ENV['LD_PRELOAD'] = library
    yield
  ensure
    ENV.delete('LD_PRELOAD')
  end

  def start
    @host = GateHost.new(temporary)
    @host.define_singleton_method(:nginx_configuration) do
      super().sub(/(?<=worker_shutdown_timeout )\d+m/, '1s')
    end
    @host.start
    wait_until { @host.answers? }
  end

  def test_a_ban_ends_what_is_open_with_nginxs_worker_where_it_can_not_be_cut
    on_an_old_kernel { start }
    stream = @host.open_stream(@host.token)
    worker = @host.worker
    @host.list('banned', "62001\n")
    wait_until { @host.log.include?(' streams_not_cut') }
    wait_until { stream.wait_readable(0.1) && stream.read_nonblock(1 << 20, exception: false).nil? }
    wait_until { (@host.processes(@host.master) & [worker]).empty? }
    assert_equal '200', @host.get('/', @host.token('bob')).code
  ensure
    stream&.close
  end
end
