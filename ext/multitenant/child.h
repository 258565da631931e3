/* SPDX-License-Identifier: MIT */
/*
 * A child process that can cost its caller no more than a deadline: started with posix_spawn, its
 * output bounded, killed with its process group when it is late, and always reaped. No signal
 * handler is used. A child belongs to one thread at a time.
 */
#pragma once

#include "buf.h"
#include "status.h"

#include <sys/types.h>

/* A child, and what became of it. Zeroed before it is started. */
struct mt_child {
    struct mt_buf out; /* standard output */
    struct mt_buf err; /* the beginning of standard error, MT_CHILD_ERR_MAX bytes at most */
    int wait_status;   /* as waitpid gives it; only after MT_OK of mt_child_wait */
    int error;         /* errno of MT_SPAWN and MT_IO */
    pid_t pid;         /* 0: none is left to be reaped */
    int out_fd;        /* ends of our pipes, -1: closed */
    int err_fd;
    int64_t start_ns; /* on the monotonic clock */
    int64_t deadline_ns;
};

/* What a child is given and may take. */
struct mt_child_terms {
    const char *input; /* its standard input; NULL or empty: /dev/null */
    size_t input_len;
    int64_t deadline_ms; /* milliseconds that it may take */
    size_t out_limit;    /* bytes that it may print */
};

/*
 * Starts argv[0] (a path; no search) with default signal handlers, an empty signal mask and a
 * process group of its own; descriptors without close-on-exec reach it only where the C library
 * can't close them (glibc before 2.34). Its input is a file, written before it starts, that has no
 * name: a child that does not read it makes nobody wait.
 *
 * `envp` is the environment. In any case the child is ended with mt_child_end.
 *
 * MT_OK
 * MT_SPAWN: it could not be started; child->error says why
 * MT_IO: no pipe or file could be made, or of earlier children too many do not die
 */
MT_CHECKED enum mt_status mt_child_start(struct mt_child *child, char *const argv[],
                                         char *const envp[], const struct mt_child_terms *terms);

/*
 * Waits until the child has closed its output and ended, or `wake_fd` can be read; -1: there is
 * none.
 *
 * MT_OK: it ended by itself; wait_status tells how
 * MT_CANCELLED: `wake_fd` can be read; the child goes on, and this may be called again
 * MT_TIMEOUT: the deadline has passed
 * MT_TOO_LARGE: it printed too much
 * MT_IO, MT_NOMEM
 *
 * The buffers hold what came until then.
 */
MT_CHECKED enum mt_status mt_child_wait(struct mt_child *child, int wake_fd);

/*
 * Kills and reaps the child if it still runs, and wipes the buffers. One that does not die is left
 * to a later mt_child_start. A zeroed one is fine.
 */
MT_NONNULL_ALL void mt_child_end(struct mt_child *child);

/* Nanoseconds since the start. */
MT_CHECKED int64_t mt_child_age_ns(const struct mt_child *child);
