/* SPDX-License-Identifier: MIT */
/*
 * A child process that can cost its caller no more than a deadline: started with posix_spawn, its
 * output bounded, killed with its process group when it is late, and always reaped.
 */
#ifndef MT_CHILD_H
#define MT_CHILD_H

#include "attr.h"
#include "buf.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

/* What became of a child. */
struct mt_outcome {
    struct mt_buf out; /* standard output; its limit is the caller's */
    struct mt_buf err; /* the beginning of standard error, MT_CHILD_ERR_MAX bytes at most */
    int wait_status;   /* as waitpid gives it; only after MT_OK */
    int error;         /* errno of MT_SPAWN and MT_IO */
    int64_t nanoseconds;
};

/*
 * Runs argv[0] (a path; no search) with standard input from /dev/null, default signal handlers, an
 * empty signal mask and a process group of its own. Waits until it has closed its output and ended.
 *
 * `deadline_ms`: milliseconds that it may take; then it gets SIGKILL, as after too much output.
 * `cancel_fd`: readable means: stop waiting (MT_CANCELLED); -1: never.
 * `envp`: the environment. `out->out.limit` bounds standard output.
 *
 * MT_OK: it ended by itself, look at wait_status; MT_SPAWN, MT_TIMEOUT, MT_CANCELLED,
 * MT_TOO_LARGE (output), MT_IO, MT_NOMEM. The buffers hold what came until then, and are the
 * caller's to wipe, in any case. No child is left. Thread-safe; uses no signal handler.
 */
MT_NODISCARD MT_NONNULL_ALL enum mt_status mt_child_run(char *const argv[], char *const envp[],
                                                        int64_t deadline_ms, int cancel_fd,
                                                        struct mt_outcome *out);

#endif
