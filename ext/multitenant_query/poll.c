/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * poll() that keeps TCP from waiting.
 *
 * libslurm up to 23.11 writes each message to slurmdbd in two pieces, and slurmdbd answers in the
 * same way. The kernel holds the second piece back until the first is acknowledged (Nagle's
 * algorithm), and the other side's kernel delays that acknowledgement by about 40 ms: two such
 * waits for each question. Ours ends with TCP_NODELAY, slurmdbd's with TCP_QUICKACK here, which
 * the kernel takes back after a while and which is therefore set whenever an answer is awaited.
 *
 * libslurm calls poll() before it writes and before it reads. The symbol of a program comes before
 * that of a library, for its libraries too; so it calls this one. Where it does not, everything
 * works as before, only slower. Thread-safe: no state.
 */

/* glibc's fortified poll() is an inline function of the same name. */
#undef _FORTIFY_SOURCE

#include "slurm_compat.h"

#if defined(MT_SLURM_DELAYS_ANSWERS) && !defined(MT_NO_QUICKACK)

#    include <errno.h>
#    include <netinet/in.h>
#    include <netinet/tcp.h>
#    include <poll.h>
#    include <sys/socket.h>
#    include <time.h>

/* What is not a TCP socket refuses, and that is fine. */
static void turn_on(int fd, int option)
{
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, option, &on, sizeof on);
}

static void send_at_once(const struct pollfd *fd)
{
    if (fd->fd < 0)
        return;
    if (fd->events & POLLOUT)
        turn_on(fd->fd, TCP_NODELAY);
    if (fd->events & POLLIN)
        turn_on(fd->fd, TCP_QUICKACK);
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct timespec timeout = {
        .tv_sec = timeout_ms / 1000,
        .tv_nsec = (long)(timeout_ms % 1000) * 1000000L,
    };
    int saved = errno;
    for (nfds_t i = 0; i < count; i++)
        send_at_once(&fds[i]);
    errno = saved;
    return ppoll(fds, count, timeout_ms < 0 ? NULL : &timeout, NULL);
}

#else
typedef int mt_poll_unused; /* C wants a declaration in each file */
#endif
