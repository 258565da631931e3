/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the program waits for, and the end of the process by libslurm's hand.
 *
 * A hung slurmdbd, slurmctld, munged or name service blocks for 38 seconds and more inside of
 * libslurm, which has no time limit to set; and libslurm ends the process on a configuration that
 * it can't use (fatal(), src/common/log.c). Both become one sentence that names the step in which
 * it was, and an exit code of sysexits.h.
 */
#ifndef MT_STEPS_H
#define MT_STEPS_H

#include "deadline.h"

extern const struct mt_step step_conf;      /* libslurm reads its configuration */
extern const struct mt_step step_slurmctld; /* slurmctld is asked */
extern const struct mt_step step_slurmdbd;  /* slurmdbd is asked */

/* Says what is done next, from which on libslurm's log is quoted. */
MT_NONNULL_ALL void step_begin(const struct mt_step *step);

/*
 * From here on a step of Slurm's that calls exit() ends the process with 78 (EX_CONFIG) and a
 * sentence. Once in a process.
 *
 * 0
 * 71 (EX_OSERR): no memory, which was said
 */
MT_NODISCARD int steps_watch_exit(void);

/*
 * Says that `daemon` did not answer, why (libslurm's own first error since the step began, or else
 * what `error` means, an errno or one of Slurm's numbers), and where to look.
 *
 * Returns 69 (EX_UNAVAILABLE).
 */
MT_NONNULL_ALL int step_failed(const char *daemon, int error);

#endif
