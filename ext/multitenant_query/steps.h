/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the program waits for, and the end of the process by libslurm's hand.
 *
 * A hung slurmdbd, slurmctld, munged or name service blocks for 38 seconds and more inside of
 * libslurm, which has no time limit to set; and libslurm ends the process on a configuration that
 * it can't use (fatal(), src/common/log.c). Both become one sentence that names the step in which
 * it was, and an exit code of sysexits.h.
 *
 * libslurm logs to descriptor 2, and an admin finds the cause of a failure there and nowhere else.
 * So descriptor 2 becomes a file in memory, and our sentence quotes from what came into it since
 * the step began: what was fatal, and the first error, which is the nearest to the cause ("Unable
 * to process configuration file: Parse error in file …").
 */
#pragma once

#include "deadline.h"

extern const struct mt_step step_conf;      /* libslurm reads its configuration */
extern const struct mt_step step_slurmctld; /* slurmctld is asked */
extern const struct mt_step step_slurmdbd;  /* slurmdbd is asked */

/* Says what is done next, from which on libslurm's log is quoted. */
MT_NONNULL_ALL void step_begin(const struct mt_step *step);

/*
 * From here on what is written to descriptor 2 is kept back and our sentences go to the real one,
 * and a step of Slurm's that calls exit() ends the process with 78 (EX_CONFIG) and a sentence. Once
 * in a process, before it has threads.
 *
 * 0
 * 71 (EX_OSERR): no memory, which was said
 */
MT_NODISCARD int steps_watch(void);

/*
 * Says that `daemon` did not answer, why (libslurm's own first error since the step began, or else
 * what `error` means, an errno or one of Slurm's numbers), and where to look.
 *
 * Returns 69 (EX_UNAVAILABLE).
 */
MT_NONNULL_ALL int step_failed(const char *daemon, int error);
