/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Standard error: ours says one sentence, libslurm's is kept back and quoted in it.
 *
 * libslurm logs to descriptor 2, and an admin finds the cause of a failure there and nowhere else.
 * So descriptor 2 becomes a file in memory, and our sentence quotes from what came into it since
 * the last mark: what was fatal, and the first error, which is the nearest to the cause ("Unable to
 * process configuration file: Parse error in file …").
 */
#ifndef MT_ERRLOG_H
#define MT_ERRLOG_H

#include "attr.h"
#include "mt_limits.h"

/*
 * From here on what is written to descriptor 2 is kept back, our sentences go to the real one, and
 * the deadline's quotes the cause. Where no file in memory can be made, what libslurm says is lost.
 * Once in a process, before it has threads.
 */
void mt_errlog_open(void);

/* What was kept back so far is no longer looked at. */
void mt_errlog_mark(void);

/*
 * Puts what libslurm said since the mark into `cause`: the line after "fatal: ", the first after
 * "error: ", or both with ": " between; printable ASCII only, NUL-terminated, "" where there is
 * neither. Async-signal-safe.
 */
MT_NONNULL_ALL void mt_errlog_cause(char cause[MT_CAUSE_MAX + 1]);

#endif
